"""The first screen: is anything wrong, can this be trusted, what is to be decided."""

from __future__ import annotations

from collections import Counter

import polars as pl

from auditlens.report.content import (
    Change,
    Conclusion,
    Cover,
    Decision,
    FindingRow,
    LevelCount,
    Span,
    TrustFigure,
)
from auditlens.report.facts import STRONGEST_FIRST, Facts
from auditlens.report.sections import Completeness, RuleRow, SignOff
from auditlens.report.wording import count, local, percent

__all__ = ["change", "conclusion", "cover"]

TO_DECIDE = 5
URGENT = ("critical", "high")
TRUST = {
    "complete": ("good", "Complete"),
    "incomplete": ("bad", "Incomplete"),
    "saturated": ("warn", "Cannot be confirmed"),
    "unprovable": ("warn", "Cannot be proven"),
}


def cover(facts: Facts) -> Cover:
    """Which report this is, in the words of its cover."""
    period, review = facts.period, facts.review
    span = Span(
        label=period.label,
        timezone=period.timezone,
        start=period.start,
        end=period.end,
        start_local=local(period.start, facts.zone),
        end_local=local(period.end, facts.zone),
        days=len(period.days),
    )
    return Cover(
        title=f"Audit log review {period.label}",
        workspace=facts.workspace,
        period=span,
        edition=facts.edition,
        identity=facts.identity,
        status=review.status,
        amendment=review.amendment,
        run_id=facts.run_id,
        run_at=facts.run_at,
        data_as_of=facts.coverage.last_at,
        tool=f"AuditLens {facts.provenance.get('auditlens', '')}".strip(),
        rules_digest=facts.rules_digest,
        input_digest=facts.coverage.input_digest,
        purpose=review.purpose,
        recipients=review.recipients,
        delete_by=review.delete_by,
    )


def conclusion(
    facts: Facts,
    rows: tuple[FindingRow, ...],
    completeness: Completeness,
    rules: tuple[RuleRow, ...],
    sign_off: SignOff,
) -> Conclusion:
    """Three sentences, findings by level, five things to decide, three numbers on trust."""
    open_ids = set(facts.undecided["finding_id"].to_list())
    pending = [row for row in rows if row.finding_id in open_ids]
    levels = level_counts(facts, rows, open_ids)
    figures = trust_figures(completeness, rules, sign_off)
    trust, trust_headline = TRUST.get(completeness.outcome, ("warn", "Not known"))
    if trust == "good" and any(figure.state == "bad" for figure in figures[:2]):
        trust, trust_headline = "warn", "Complete, with reservations"
    verdict, headline = judged(levels, len(rows), trust)
    return Conclusion(
        verdict=verdict,
        headline=headline,
        trust=trust,
        trust_headline=trust_headline,
        sentences=sentences(facts, len(rows), len(pending), completeness),
        levels=levels,
        decide=tuple(decision(row) for row in pending[:TO_DECIDE]),
        undecided=len(pending),
        figures=figures,
    )


def judged(levels: tuple[LevelCount, ...], total: int, trust: str) -> tuple[str, str]:
    """The verdict and its headline. Nothing found in half a log is not "clear"."""
    pending = {entry.level: entry.undecided for entry in levels}
    urgent = [f"{pending[level]:,} {level}" for level in URGENT if pending[level]]
    if urgent:
        return "urgent", " and ".join(urgent) + " to decide"
    if open_count := sum(pending.values()):
        return "attention", f"{count(open_count, 'finding')} to decide, none high or critical"
    if total:
        return "clear", f"All {count(total, 'finding')} decided"
    if trust == "bad":
        return "attention", "Nothing found in what was pulled"
    return "clear", "Nothing found"


def sentences(
    facts: Facts, total: int, pending: int, completeness: Completeness
) -> tuple[str, ...]:
    events, active = completeness.events_in_period, facts.events["sender_number"].n_unique()
    senders = active if facts.events.height else 0
    ran = facts.health.filter(pl.col("enabled")).height
    first = (
        f"{count(events, 'event')} by {count(senders, 'sender')} were examined with "
        f"{count(ran, 'rule')} and the anomaly model."
    )
    if total:
        second = f"{count(total, 'finding')} came out; {pending:,} of them still need a decision."
    else:
        second = "No rule was broken and no sender or resource stood out."
    return first, second, completeness.statement


def level_counts(
    facts: Facts, rows: tuple[FindingRow, ...], open_ids: set[str]
) -> tuple[LevelCount, ...]:
    now = Counter(row.level for row in rows)
    undecided = Counter(row.level for row in rows if row.finding_id in open_ids)
    previous = facts.review.previous
    last = None if previous is None else Counter(previous.findings.values())
    return tuple(
        LevelCount(
            level=level,
            count=now[level],
            last=None if last is None else last[level],
            difference=None if last is None else now[level] - last[level],
            undecided=undecided[level],
        )
        for level in STRONGEST_FIRST
    )


def decision(row: FindingRow) -> Decision:
    why = row.reasons[0].text if row.reasons else ""
    return Decision(row.finding_id, row.level, row.title, row.subject_label, why)


def trust_figures(
    completeness: Completeness, rules: tuple[RuleRow, ...], sign_off: SignOff
) -> tuple[TrustFigure, ...]:
    """Completeness, rules that ran, and how late the review is."""
    missing = completeness.missing
    state, word = TRUST.get(completeness.outcome, ("warn", "Not known"))
    held = TrustFigure(
        name="Events held",
        figure=f"{completeness.events_held:,}",
        note=word if not missing else f"{word}: {missing:,} missing",
        state=state,
    )
    failed = sum(rule.health == "failed" for rule in rules)
    off = sum(rule.health == "off" for rule in rules)
    notes = [f"{failed:,} could not run"] if failed else []
    notes += [f"{off:,} switched off"] if off else []
    ran = TrustFigure(
        name="Rules run",
        figure=f"{len(rules) - failed - off:,} of {len(rules):,}",
        note=", ".join(notes) or "all of them",
        state="bad" if failed or not rules else "good",
    )
    return held, ran, review_figure(sign_off)


def review_figure(sign_off: SignOff) -> TrustFigure:
    if sign_off.days_late:
        note = f"{count(sign_off.days_late, 'day')} late"
        return TrustFigure("Review", sign_off.status.capitalize(), note, "bad")
    if sign_off.status == "draft":
        note = "no reviewer has signed" if sign_off.due is None else f"due {sign_off.due}"
        return TrustFigure("Review", "Draft", note, "warn")
    state = "warn" if sign_off.conflict else "good"
    return TrustFigure("Review", sign_off.status.capitalize(), sign_off.conflict or "signed", state)


def change(facts: Facts, rows: tuple[FindingRow, ...], events: int) -> Change:
    """New, still open, resolved and reopened against the period before."""
    previous = facts.review.previous
    if previous is None:
        return Change(
            recorded=False,
            note="No earlier period was given, so nothing can be compared.",
            previous="",
            new=None,
            persisting=None,
            reopened=None,
            resolved=(),
            resolved_count=None,
            events_before=None,
            events_now=events,
            events_percent=None,
            rules_changed=(),
        )
    states = Counter(row.state for row in rows)
    current = {row.finding_id for row in rows}
    resolved = sorted(one for one in previous.findings if one not in current)
    digests = {rule.id: rule.digest for rule in facts.rules}
    before = previous.events
    return Change(
        recorded=True,
        note=f"Compared with {previous.label}.",
        previous=previous.label,
        new=states["new"],
        persisting=states["persisting"],
        reopened=states["reopened"],
        resolved=tuple(resolved[:50]),
        resolved_count=len(resolved),
        events_before=before,
        events_now=events,
        events_percent=None if not before else percent(events - before, before),
        rules_changed=tuple(
            sorted(
                one
                for one in digests.keys() | previous.rules.keys()
                if digests.get(one) != previous.rules.get(one)
            )
        ),
    )
