"""The first screen: is anything wrong, can this be trusted, what is to be decided."""

from __future__ import annotations

from collections import Counter

import polars as pl

from auditlens.findings import FOR_THE_RECORD
from auditlens.report.content import (
    Change,
    Conclusion,
    Cover,
    Decision,
    FindingRow,
    LevelCount,
    ResolvedRow,
    Span,
    TrustFigure,
)
from auditlens.report.facts import STRONGEST_FIRST, Facts
from auditlens.report.review import Resolved
from auditlens.report.rule_rows import RAN
from auditlens.report.rulebook import RuleRow
from auditlens.report.sections import Completeness, SignOff
from auditlens.report.wording import capital, count, local, percent

__all__ = ["change", "conclusion", "cover"]

TO_DECIDE = 5
RESOLVED_SHOWN = 25
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
    verdict, headline = judged(levels, len(rows), trust, completeness.events_in_period)
    if facts.unjudged and verdict != "urgent":
        verdict = "attention"
        part = "Not judged by rules" if facts.wholly_unjudged else "Judged by rules in part"
        headline = (
            part if headline.startswith("Noth") else f"{part}; {headline[0].lower() + headline[1:]}"
        )
    return Conclusion(
        verdict=verdict,
        headline=headline,
        trust=trust,
        trust_headline=trust_headline,
        sentences=sentences(facts, len(rows), len(pending), completeness, rules),
        levels=levels,
        decide=to_decide(pending),
        undecided=len(pending),
        figures=figures,
    )


def judged(levels: tuple[LevelCount, ...], total: int, trust: str, events: int) -> tuple[str, str]:
    """The verdict and its headline. Nothing found in half a log, or in none, is not "clear"."""
    pending = {entry.level: entry.undecided for entry in levels}
    urgent = [f"{pending[level]:,} {level}" for level in URGENT if pending[level]]
    if urgent:
        return "urgent", " and ".join(urgent) + " to decide"
    if open_count := sum(pending.values()):
        return "attention", f"{count(open_count, 'finding')} to decide, none high or critical"
    if total:
        return "clear", "Nothing left to decide"
    if not events:
        return "attention", "No event in this period"
    if trust == "bad":
        return "attention", "Nothing found in what was pulled"
    return "clear", "Nothing found"


def sentences(
    facts: Facts,
    total: int,
    pending: int,
    completeness: Completeness,
    rules: tuple[RuleRow, ...],
) -> tuple[str, ...]:
    events = completeness.events_in_period
    senders = facts.events["sender_number"].drop_nulls().n_unique()
    ran = sum(rule.health in RAN for rule in rules)
    first = (
        f"{count(events, 'event')} by {count(senders, 'sender')} were examined with "
        f"{count(ran, 'rule') if ran else 'no rule'} and the anomaly model."
    )
    if total:
        record = facts.findings.filter(pl.col("level") == FOR_THE_RECORD).height
        second = f"{count(total, 'finding')}: {pending:,} to decide"
        second += f", {record:,} for the record." if record else "."
    elif facts.wholly_unjudged:
        second = ""
    elif facts.unjudged:
        second = "Where rules looked, none was broken; no sender or resource stood out."
    elif events:
        second = "No rule was broken and no sender or resource stood out."
    else:
        second = "There was nothing for a rule or the model to examine."
    unjudged = " ".join(capital(one.statement) for one in facts.unjudged)
    return first, f"{unjudged} {second}".strip(), completeness.statement


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


def to_decide(pending: list[FindingRow]) -> tuple[Decision, ...]:
    """The first of each rule and subject, most severe first, with how many are alike."""
    alike: dict[tuple[str, str, str], list[FindingRow]] = {}
    for row in pending:
        alike.setdefault((row.level, row.rule_id, row.subject_id), []).append(row)
    return tuple(decision(rows[0], len(rows) - 1) for rows in list(alike.values())[:TO_DECIDE])


def decision(row: FindingRow, alike: int) -> Decision:
    why = row.reasons[0].text if row.reasons else ""
    return Decision(row.finding_id, row.level, row.title, row.subject_label, why, alike)


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
    return held, rules_figure(rules), review_figure(sign_off)


def rules_figure(rules: tuple[RuleRow, ...]) -> TrustFigure:
    """How many rules ran, and what kept the others from it."""
    seen = Counter(rule.health for rule in rules)
    notes = {
        "could not run": seen["failed"],
        "of other products": seen["elsewhere"],
        "lack a field": seen["partial"],
        "switched off": seen["off"],
    }
    ran = sum(seen[word] for word in RAN)
    state = "bad" if seen["failed"] or not ran else "warn" if seen["partial"] else "good"
    return TrustFigure(
        name="Rules run",
        figure=f"{ran:,} of {len(rules):,}",
        note=", ".join(f"{n:,} {word}" for word, n in notes.items() if n)
        or ("all of them" if rules else "none was loaded"),
        state=state,
    )


def review_figure(sign_off: SignOff) -> TrustFigure:
    if sign_off.days_late:
        note = f"{count(sign_off.days_late, 'day')} late"
        return TrustFigure("Review", sign_off.status.capitalize(), note, "bad")
    if sign_off.status == "draft":
        note = "no reviewer has signed" if sign_off.due is None else f"due {sign_off.due}"
        return TrustFigure("Review", "Draft", note, "warn")
    state = "warn" if sign_off.conflict else "good"
    return TrustFigure("Review", sign_off.status.capitalize(), sign_off.conflict or "signed", state)


def gone_first(one: Resolved) -> tuple[int, str]:
    """Most severe first, then by id."""
    order = STRONGEST_FIRST
    return order.index(one.level) if one.level in order else len(order), one.finding_id


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
    digests = {rule.id: rule.digest for rule in facts.rules}
    before = previous.events
    return Change(
        recorded=True,
        note=f"Compared with {previous.label}.",
        previous=previous.label,
        new=states["new"],
        persisting=states["persisting"],
        reopened=states["reopened"],
        resolved=tuple(
            ResolvedRow(one.finding_id, one.level, one.title, one.subject)
            for one in sorted(previous.resolved, key=gone_first)[:RESOLVED_SHOWN]
        ),
        resolved_count=len(previous.resolved),
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
