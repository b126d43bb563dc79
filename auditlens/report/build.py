"""From the inputs to the content of a report: read :func:`build_content` from top to bottom.

The first screen (is anything wrong, can this be trusted, what is to be decided) and the last
sections (method and limits, exceptions, sign-off, how to do it all again) are built here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from auditlens.report.activity import (
    build_access,
    build_activity,
    build_inactive,
    build_profiles,
    sender_month_rows,
)
from auditlens.report.cases import case_counts, case_rows, cases_to_decide
from auditlens.report.completeness import build_completeness, evidence_states, field_fill
from auditlens.report.exports import table_hashes
from auditlens.report.findings import (
    PARQUET,
    RAN,
    finding_rows,
    rule_rows,
    rule_summary,
    shown_findings,
)
from auditlens.report.frameworks import framework_tables
from auditlens.report.inputs import STRONGEST_FIRST, ReportInputs
from auditlens.report.model import (
    SCHEMA_VERSION,
    Appendix,
    CaseCounts,
    CaseRow,
    Change,
    Completeness,
    Conclusion,
    Content,
    Cover,
    ExceptionRow,
    FindingRow,
    LevelChange,
    LevelCount,
    Method,
    PreviousPeriod,
    Resolved,
    ResolvedRow,
    RuleRow,
    SignOff,
    SignOffLine,
    Span,
    TrustFigure,
)
from auditlens.report.text import capital, local, percent
from auditlens.text import count

RESOLVED_SHOWN = 25
URGENT = ("critical", "high")
TRUST = {
    "complete": ("good", "Complete"),
    "incomplete": ("bad", "Incomplete"),
    "saturated": ("warn", "Cannot be confirmed"),
    "unprovable": ("warn", "Cannot be proven"),
}
BLIND = {
    "outcome": "The source records no outcome: an attempt that failed looks like one that worked.",
    "address": (
        "The source records no address, device or session: where an act came from cannot be told."
    ),
}
OTHER_SOURCE = (
    "Outcome, address and device are not assessed, whether or not this source records them.",
)
LIMITS = (
    "A log shows that a control operated. It does not show design, approval or intent.",
    "How far back the source keeps its log is not known; what was never pulled is not here.",
    "One bulk act may be recorded once or once a resource: counts of acts are a lower bound.",
    "Rank and percentile say how unusual a day is among the days compared, not how likely harm is.",
    "An account or resource without a history has no baseline; peers stand in for it.",
)
INTERNAL = ("usual_leaps",)
"""Settings that a run works out anew and that say nothing to a reader."""
LISTED = 3
"""Up to how many members of a list the model's settings spell out."""
ROLES = ("preparer", "reviewer", "approver")
STATEMENTS = {
    "preparer": "Drawn up by the tool from the inputs named in the appendix.",
    "reviewer": "I examined the completeness page and the cases and decided each that required it.",
    "approver": "I accept the review and the exceptions it lists.",
}
GLOSSARY = (
    ("account", "Who acted: a person, a key's owner, the system, an automation."),
    ("finding", "What a rule or the model flagged: one episode, with its reasons and events."),
    ("case", "Findings that are one story: what a reviewer decides. Each finding is in one."),
    ("observation", "A case of low or informational findings alone. It asks for no decision."),
    ("rule", "A written condition over events; every rule is listed, hit or not."),
    ("baseline", "What is usual for an account or resource, or for its peers."),
    ("exception", "A finding accepted until a date; it stays listed."),
    ("disposition", "What a reviewer decided about a case or a finding."),
    ("coverage", "What was pulled, what is missing, and how that is known."),
)


def build_content(inputs: ReportInputs, *, limit: int, hashes: Mapping[str, str]) -> Content:
    """Everything the report says. ``limit`` caps the findings a page shows, never the data.

    ``hashes`` has the SHA-256 of each data file that the report cites.
    """
    cases = case_rows(inputs)
    rows = finding_rows(inputs, cases)
    _, shown = shown_findings(rows, limit, hashes[PARQUET])
    rules = rule_rows(inputs)
    signed = build_sign_off(inputs)
    fields = field_fill(inputs)
    evidence = evidence_states(inputs, rules, signed, fields)
    population = build_completeness(inputs, evidence, fields)
    frameworks = framework_tables(inputs, evidence, rows)
    hashes = {**hashes, **table_hashes(rules, frameworks)}
    return Content(
        schema=SCHEMA_VERSION,
        cover=build_cover(inputs),
        conclusion=build_conclusion(inputs, cases, rows, population, rules, signed),
        change=build_change(inputs, rows, population.events_in_period),
        frameworks=frameworks,
        cases=cases,
        findings=rows,
        shown=shown,
        activity=build_activity(inputs),
        profiles=build_profiles(inputs),
        sender_months=sender_month_rows(inputs),
        access=build_access(inputs),
        inactive=build_inactive(inputs),
        rules=rules,
        rule_summary=rule_summary(inputs, rules),
        completeness=population,
        method=build_method(inputs),
        exceptions=exception_rows(inputs),
        sign_off=signed,
        appendix=build_appendix(inputs, hashes),
    )


def build_cover(inputs: ReportInputs) -> Cover:
    """Which report this is, in the words of its cover."""
    period, review = inputs.period, inputs.review
    span = Span(
        label=period.label,
        timezone=period.timezone,
        start=period.start,
        end=period.end,
        start_local=local(period.start, inputs.zone),
        end_local=local(period.end, inputs.zone),
        days=len(period.days),
    )
    return Cover(
        title=f"Audit log review {period.label}",
        workspace=inputs.workspace,
        period=span,
        edition=inputs.edition,
        identity=inputs.identity,
        status=review.status,
        amendment=review.amendment,
        run_id=inputs.run_id,
        run_at=inputs.run_at,
        data_as_of=inputs.coverage.last_at,
        tool=f"AuditLens {inputs.provenance.get('auditlens', '')}".strip(),
        rules_digest=inputs.rules_digest,
        input_digest=inputs.coverage.input_digest,
        purpose=review.purpose,
        recipients=review.recipients,
        delete_by=review.delete_by,
    )


def build_conclusion(
    inputs: ReportInputs,
    cases: tuple[CaseRow, ...],
    rows: tuple[FindingRow, ...],
    completeness: Completeness,
    rules: tuple[RuleRow, ...],
    sign_off: SignOff,
) -> Conclusion:
    """Three sentences, cases by level, five cases to decide, three numbers on trust."""
    counts = case_counts(cases)
    levels = level_counts(cases)
    figures = trust_figures(completeness, rules, sign_off)
    trust, trust_headline = TRUST.get(completeness.outcome, ("warn", "Not known"))
    if trust == "good" and any(figure.state == "bad" for figure in figures[:2]):
        trust, trust_headline = "warn", "Complete, with reservations"
    verdict, headline = verdict_of(counts, levels, trust, completeness.events_in_period)
    if inputs.unjudged and verdict != "urgent":
        verdict = "attention"
        part = "Not judged by rules" if inputs.wholly_unjudged else "Judged by rules in part"
        headline = (
            part if headline.startswith("Noth") else f"{part}; {headline[0].lower() + headline[1:]}"
        )
    return Conclusion(
        verdict=verdict,
        headline=headline,
        trust=trust,
        trust_headline=trust_headline,
        sentences=sentences(inputs, counts, completeness, rules),
        cases=counts,
        levels=levels,
        decide=cases_to_decide(cases, rows),
        figures=figures,
    )


def verdict_of(
    counts: CaseCounts, levels: tuple[LevelCount, ...], trust: str, events: int
) -> tuple[str, str]:
    """The verdict and its headline. Nothing found in half a log, or in none, is not "clear"."""
    if counts.to_decide:
        held = count(counts.findings_to_decide, "finding")
        headline = f"{count(counts.to_decide, 'case')} to decide ({held})"
        if any(one.to_decide for one in levels if one.level in URGENT):
            return "urgent", headline
        return "attention", f"{headline}, none high or critical"
    if counts.decided or counts.excepted:
        return "clear", "Nothing left to decide"
    if counts.total:
        if trust == "bad":
            return "attention", "Nothing to decide in what was pulled"
        return "clear", "Nothing to decide"
    if not events:
        return "attention", "No event in this period"
    if trust == "bad":
        return "attention", "Nothing found in what was pulled"
    return "clear", "Nothing found"


def sentences(
    inputs: ReportInputs,
    counts: CaseCounts,
    completeness: Completeness,
    rules: tuple[RuleRow, ...],
) -> tuple[str, ...]:
    events = completeness.events_in_period
    senders = inputs.events["sender_number"].drop_nulls().n_unique()
    ran = sum(rule.health in RAN for rule in rules)
    first = (
        f"{count(events, 'event')} by {count(senders, 'account')} were examined with "
        f"{count(ran, 'rule') if ran else 'no rule'} and the anomaly model."
    )
    if counts.total:
        second = cases_told(counts)
    elif inputs.wholly_unjudged:
        second = ""
    elif inputs.unjudged:
        second = "Where rules looked, none was broken; no account or resource stood out."
    elif events:
        second = "No rule was broken and no account or resource stood out."
    else:
        second = "There was nothing for a rule or the model to examine."
    unjudged = " ".join(capital(one.statement) for one in inputs.unjudged)
    return first, f"{unjudged} {second}".strip(), completeness.statement


def cases_told(counts: CaseCounts) -> str:
    """All cases by what is to be done with them, each number with the findings inside."""
    told = [f"{counts.to_decide:,} to decide", f"{counts.decided:,} decided"]
    if counts.excepted:
        told.append(f"{counts.excepted:,} under an exception")
    whole = f"{count(counts.total, 'case')} ({count(counts.findings, 'finding')}): "
    whole += ", ".join(told)
    if counts.observations:
        asks = "asks" if counts.observations == 1 else "ask"
        whole += f"; {count(counts.observations, 'observation')}, which {asks} for no decision"
    return whole + "."


def level_counts(cases: tuple[CaseRow, ...]) -> tuple[LevelCount, ...]:
    """Cases to decide and decided by level, the highest first."""
    waiting = [row for row in cases if row.group == "to decide"]
    return tuple(
        LevelCount(
            level=level,
            to_decide=sum(row.level == level for row in waiting),
            findings=sum(len(row.finding_ids) for row in waiting if row.level == level),
            decided=sum(row.level == level for row in cases if row.group == "decided"),
        )
        for level in STRONGEST_FIRST
    )


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


def build_change(inputs: ReportInputs, rows: tuple[FindingRow, ...], events: int) -> Change:
    """New, still open, resolved and reopened against the period before."""
    previous = inputs.review.previous
    if previous is None:
        return Change(
            recorded=False,
            note="No earlier period was given, so nothing can be compared.",
            previous="",
            levels=(),
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
    digests = {rule.id: rule.digest for rule in inputs.rules}
    before = previous.events
    return Change(
        recorded=True,
        note=f"Compared with {previous.label}.",
        previous=previous.label,
        levels=level_changes(rows, previous),
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


def level_changes(
    rows: tuple[FindingRow, ...], previous: PreviousPeriod
) -> tuple[LevelChange, ...]:
    now, last = Counter(row.level for row in rows), Counter(previous.findings.values())
    return tuple(
        LevelChange(level, now[level], last[level], now[level] - last[level])
        for level in STRONGEST_FIRST
    )


def build_method(inputs: ReportInputs) -> Method:
    """How the model was fitted, and what the log cannot show."""
    settings = tuple(
        row
        for key, value in sorted(inputs.model.items())
        if key != "notes"
        for row in model_rows(key.replace("_", " "), value)
    )
    notes = inputs.model.get("notes", ())
    return Method(
        model=settings,
        notes=tuple(str(note) for note in notes) if isinstance(notes, list | tuple) else (),
        limits=(*blind_spots(inputs), *LIMITS),
    )


def blind_spots(inputs: ReportInputs) -> tuple[str, ...]:
    """What this source is known not to record, or that nobody looked."""
    if not inputs.capabilities.known:
        return OTHER_SOURCE
    return tuple(said for one, said in BLIND.items() if one not in inputs.capabilities.shares)


def model_rows(key: str, value: Any) -> list[tuple[str, str]]:
    """One line of settings, or one a model where the value holds several."""
    if isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()):
        return [(name, settings_of(one)) for name, one in sorted(value.items())]
    return [(key, in_words(value))]


def settings_of(model: Mapping[str, Any]) -> str:
    """Every setting of one model that has a value."""
    held = {
        key: one
        for key, one in sorted(model.items())
        if key not in INTERNAL and not isinstance(one, bool) and one not in ({}, [], (), "", None)
    }
    return ", ".join(f"{key.replace('_', ' ')} {in_words(one)}" for key, one in held.items())


def in_words(value: Any) -> str:
    """One setting of the model as text."""
    if isinstance(value, list | tuple):
        return members_of([in_words(one) for one in value])
    if isinstance(value, dict):
        return members_of([f"{key} {in_words(one)}" for key, one in sorted(value.items())])
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def members_of(members: list[str]) -> str:
    """The members of a small collection, or how many a large one has."""
    return f"{len(members):,}" if len(members) > LISTED else ", ".join(members) or "none"


def exception_rows(inputs: ReportInputs) -> tuple[ExceptionRow, ...]:
    """Every exception with how many findings it hid, soonest to end first."""
    hidden = dict(
        inputs.findings.drop_nulls("exception_id").group_by("exception_id").len().iter_rows()
    )
    rows = (
        ExceptionRow(
            exception_id=one.exception_id,
            scope=one.scope,
            reason=one.reason,
            owner=one.owner,
            approver=one.approver,
            until=one.until,
            hid=one.hid or hidden.get(one.exception_id, 0),
            state=one.state,
        )
        for one in inputs.review.exceptions
    )
    return tuple(sorted(rows, key=lambda row: (str(row.until or "9999"), row.exception_id)))


def build_sign_off(inputs: ReportInputs) -> SignOff:
    """The signatures; a role nobody has taken is an empty line to sign on paper."""
    review = inputs.review
    signed = {entry.role: entry for entry in review.signatures}
    lines = []
    for role in ROLES:
        entry = signed.get(role)
        name = entry.name if entry else ("AuditLens" if role == "preparer" else "")
        at = entry.signed_at if entry else (inputs.run_at if role == "preparer" else None)
        said = (entry.statement if entry else "") or STATEMENTS[role]
        lines.append(SignOffLine(role, name, at, said, entry.keys if entry else ()))
    late = None
    if review.due is not None:
        done = signed["reviewer"].signed_at if "reviewer" in signed else None
        late = max(((done or inputs.run_at).date() - review.due).days, 0)
    return SignOff(review.status, tuple(lines), conflict(inputs), review.due, late)


def conflict(inputs: ReportInputs) -> str:
    """A sentence when the reviewer is the subject of an undecided finding."""
    names = {entry.name for entry in inputs.review.signatures if entry.role == "reviewer"}
    subjects = inputs.open_findings.select("subject_id", "subject_label").iter_rows()
    about = sum(bool(names & set(row)) for row in subjects)
    return f"The reviewer is the subject of {count(about, 'undecided finding')}." if about else ""


def build_appendix(inputs: ReportInputs, hashes: Mapping[str, str]) -> Appendix:
    """The command that does it again, every version and digest, and the words used."""
    period = inputs.period
    source = "--archive ARCHIVE" if inputs.coverage.head else "FILE"
    seed = inputs.model.get("seed")
    command = (
        f"auditlens report {source} --period {period.label} --timezone {period.timezone}"
        f"{f' --seed {seed}' if seed else ''} --out OUT"
    )
    statement = "The same archive, rules, settings and versions give these findings to the byte."
    return Appendix(
        command=command,
        statement=statement,
        provenance=inputs.deciding,
        files=tuple(sorted(hashes.items())),
        glossary=GLOSSARY,
    )
