"""The population page: what was pulled, what is missing, how we know; evidence E01 to E18.

The page and every other file of a report are the same however often a pull failed, was repeated
or came late. What those change stands in a file of its own beside the page, ``collection.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from auditlens.coverage import Pull
from auditlens.report.activity import local_day
from auditlens.report.findings import RAN
from auditlens.report.inputs import ReportInputs, file_name
from auditlens.report.model import (
    Completeness,
    DayState,
    Evidence,
    FieldFill,
    Misdated,
    Quarantine,
    RuleRow,
    Scope,
    SignOff,
)
from auditlens.report.text import capital, local, percent
from auditlens.text import count

RECORDS_SHOWN = 20

QUESTIONS = (
    ("What happened", "event"),
    ("Which class of act", "action"),
    ("When", "created_at"),
    ("Who", "sender_id"),
    ("What kind of sender", "sender_kind"),
    ("On what", "resource_id"),
)
OUTCOME, ADDRESS = "Outcome (success or failure)", "Source address or device"
NEVER = {
    "outcome": (OUTCOME, "The source sends no outcome in any documented record."),
    "address": (ADDRESS, "The source sends no address, device or session."),
}
NOT_ASSESSED = "The report does not read it from this source."
BLANK = ("", "unknown", "None")
COLLECTION_FILE = "collection.json"
FORMAT = "auditlens.collection/1"
EVIDENCE_NAMES = {
    "E01": "Completeness",
    "E02": "Integrity",
    "E03": "Span and retention",
    "E04": "Field sufficiency",
    "E05": "Time basis",
    "E06": "Review operation",
    "E07": "Detection coverage",
    "E08": "Exceptions",
    "E09": "Disposition",
    "E10": "Privileged activity",
    "E11": "Access changes",
    "E12": "Sender behaviour",
    "E13": "Data movement and deletion",
    "E14": "Change population",
    "E15": "Collection failures",
    "E16": "Privacy record",
    "E17": "Provenance",
    "E18": "Use of the audit log itself",
}
State = tuple[str, str]
NOT_READ = "The source does not record who read its audit log."
UNKNOWN_READ = "Whether this source records who read its audit log is not assessed."
POPULATIONS = {
    "E10": (("permission", "admin"), "privileged act"),
    "E11": (("permission", "share"), "access change"),
    "E13": (("export", "share", "delete"), "export, share or deletion"),
    "E14": (("write", "admin"), "change"),
}
PLURALS = {"export, share or deletion": "exports, shares and deletions"}


def build_completeness(
    inputs: ReportInputs, evidence: tuple[Evidence, ...], fields: tuple[FieldFill, ...]
) -> Completeness:
    """Counts, gaps and fill rates, as the coverage record and the events tell them."""
    held = inputs.coverage
    first, last = held.first_at, held.last_at
    strip = day_strip(inputs)
    return Completeness(
        outcome=held.outcome,
        statement=held.statement,
        missing=held.missing,
        source=file_name(held.source),
        first_at=first,
        last_at=last,
        days_held=None if first is None or last is None else (last - first).days + 1,
        events_held=held.events_held,
        events_in_period=held.events_in_period,
        unclassified=held.unclassified,
        unclassified_percent=percent(held.unclassified, held.events_in_period),
        classified=held.classified,
        verb_only=tuple(held.verb_only),
        verb_only_kinds=held.verb_only_kinds,
        scopes=tuple(
            Scope(one.product, one.service, one.events, one.rules, one.judged, one.statement)
            for one in inputs.scopes
        ),
        rules_elsewhere=inputs.rules_elsewhere,
        duplicates=None if held.head else held.duplicates,
        changed=held.changed_count,
        changed_ids=tuple(held.changed_ids[:RECORDS_SHOWN]),
        quarantined=held.quarantined_count,
        acknowledged=held.acknowledged_count,
        quarantine=unplaced(unreadable(inputs))
        if held.head
        else unreadable(inputs)[:RECORDS_SHOWN],
        misdated=held.misdated_count,
        misdated_events=tuple(
            Misdated(one.id, f"{one.created_at.replace(tzinfo=None).isoformat(' ', 'seconds')} UTC")
            for one in held.misdated[:RECORDS_SHOWN]
        ),
        gaps=gaps_of(inputs),
        days_without=sum(not day.events for day in strip),
        strip=strip,
        input_digest=held.input_digest,
        directory_at=inputs.directory.at if inputs.directory else None,
        directory_head=inputs.directory.digest if inputs.directory else "",
        fields=fields,
        evidence=evidence,
    )


def unreadable(inputs: ReportInputs) -> tuple[Quarantine, ...]:
    """The records that could not be read, as they are listed, with their places."""
    redacted = inputs.identity != "full"
    return tuple(
        Quarantine(file_name(one.source), one.line, one.reason, "" if redacted else one.excerpt)
        for one in inputs.coverage.quarantined
    )


def unplaced(found: tuple[Quarantine, ...]) -> tuple[Quarantine, ...]:
    """The same without their place in the archive: that rests on when they were pulled."""
    plain = (Quarantine("", 0, one.reason, one.excerpt) for one in found)
    return tuple(sorted(plain, key=lambda one: (one.reason, one.excerpt))[:RECORDS_SHOWN])


def day_strip(inputs: ReportInputs) -> tuple[DayState, ...]:
    """Every local day of the period: with events, proven to have none, or unknown."""
    counts = dict(inputs.events.group_by(local_day(inputs)).len().iter_rows())
    without = "none" if inputs.coverage.outcome == "complete" else "unknown"
    return tuple(
        DayState(day, "events" if counts.get(day) else without, counts.get(day, 0))
        for day in inputs.period.days
    )


def gaps_of(inputs: ReportInputs) -> tuple[tuple[date, date], ...]:
    """The stretches without an event that touch the period, cut to it."""
    first, last = inputs.period.days[0], inputs.period.days[-1]
    return tuple(
        (max(start, first), min(end, last))
        for start, end in inputs.coverage.gaps
        if start <= last and end >= first
    )


def field_fill(inputs: ReportInputs) -> tuple[FieldFill, ...]:
    """How full each attribute an auditor asks for is; what the log never has is said too."""
    events = inputs.events
    rows = []
    for question, column in QUESTIONS:
        rate = fill_percent(events, column)
        rows.append(FieldFill(question, column, rate, state_of(rate, events), ""))
    shares = inputs.capabilities.shares
    for attribute, (question, why) in NEVER.items():
        if attribute not in shares:
            known = inputs.capabilities.known
            state, note = ("not recorded", why) if known else ("not assessed", NOT_ASSESSED)
            rows.append(FieldFill(question, "", None, state, note))
        elif attribute == "outcome":
            note = f"An error where an act failed ({shares[attribute]:g} %); none where it worked."
            rows.append(FieldFill(question, "", None, "present", note))
        else:
            rate = shares[attribute]
            rows.append(FieldFill(question, "", rate, state_of(rate, events), ""))
    return tuple(rows)


def state_of(rate: float, events: pl.DataFrame) -> str:
    if not events.height:
        return "partial"
    return "present" if rate == 100 else "partial" if rate else "not recorded"


def fill_percent(events: pl.DataFrame, column: str) -> float:
    values = events[column]
    filled = values.is_not_null()
    if values.dtype == pl.String:
        filled &= ~values.is_in(BLANK).fill_null(value=False)
    # Rounded down, so that 100 means every row.
    share = 1000 * int(filled.sum()) // max(events.height, 1)
    return share / 10


@dataclass(frozen=True)
class Collection:
    """The pulls since the period began and what they left, as ``collection.json`` has it.

    ``archive_head`` is the hash that seals the archive as it was read, null of files.
    ``seen_again`` counts records that came more than once, ``late`` events of the period that
    came after a pull had proven their time complete. ``quarantined`` says where each record lies
    that could not be read; its list is capped, ``quarantined_count`` is true.
    """

    format: str
    source: str
    archive_head: str | None
    seen_again: int
    late: int
    pulls: tuple[Pull, ...]
    quarantined: tuple[Quarantine, ...]
    quarantined_count: int


def build_collection(inputs: ReportInputs) -> Collection:
    """How the records of one audit came."""
    held = inputs.coverage
    return Collection(
        format=FORMAT,
        source=file_name(held.source),
        archive_head=held.head,
        seen_again=held.duplicates,
        late=held.late,
        pulls=held.pulls,
        quarantined=unreadable(inputs),
        quarantined_count=held.quarantined_count,
    )


def evidence_states(
    inputs: ReportInputs,
    rules: tuple[RuleRow, ...],
    signed: SignOff,
    fields: tuple[FieldFill, ...],
) -> tuple[Evidence, ...]:
    """The state of each evidence, computed from the run and from nothing else."""
    states: dict[str, State] = {
        "E01": completeness_state(inputs),
        "E02": integrity_state(inputs),
        "E03": span_state(inputs),
        "E04": sufficiency_state(fields),
        "E05": time_basis_state(inputs),
        "E06": review_state(signed),
        "E07": detection_state(inputs, rules),
        "E08": (
            "present",
            f"{count(inputs.findings.height, 'finding')}, each with both times and its type.",
        ),
        "E09": disposition_state(inputs),
        "E12": behaviour_state(inputs),
        "E15": collection_state(inputs),
        "E16": privacy_state(inputs),
        "E17": ("present", "Versions, digests, seed and command are in the appendix."),
        "E18": ("absent", NOT_READ if inputs.capabilities.catalog else UNKNOWN_READ),
    }
    states |= {one: population_state(inputs, *what) for one, what in POPULATIONS.items()}
    return tuple(Evidence(one, name, *states[one]) for one, name in EVIDENCE_NAMES.items())


def completeness_state(inputs: ReportInputs) -> State:
    held = inputs.coverage
    state = {"complete": "present", "incomplete": "failed"}.get(held.outcome, "partial")
    return state, held.statement


def integrity_state(inputs: ReportInputs) -> State:
    held = inputs.coverage
    if held.changed_count:
        return "partial", f"{count(held.changed_count, 'record')} changed between two pulls."
    if not held.head:
        return "partial", "The input has a digest, but no sealed archive stands behind it."
    return "present", "Every record is sealed in a chain of hashes; none changed between pulls."


def span_state(inputs: ReportInputs) -> State:
    held = inputs.coverage
    if held.first_at is None or held.last_at is None:
        return "absent", "No event is held."
    words = f"{local(held.first_at, inputs.zone)} to {local(held.last_at, inputs.zone)}"
    if not held.head:
        return "partial", f"Held from {words}, as an extract and not as an archive."
    return "present", f"Archived from {words}."


def sufficiency_state(fields: tuple[FieldFill, ...]) -> State:
    """Which of the attributes that auditors ask for the records have."""
    whole = sum(one.state == "present" for one in fields)
    if whole == len(fields):
        return "present", f"All {whole} attributes asked for are in every record."
    lacking = [f"{one.question.lower()}: {one.state}" for one in fields if one.state != "present"]
    said = f"{whole} of {len(fields)} attributes asked for are in every record"
    return "partial", f"{said}; {', '.join(lacking)}."


def time_basis_state(inputs: ReportInputs) -> State:
    future = inputs.events.filter(inputs.events["created_at"] > inputs.run_at).height
    if future:
        return "partial", f"{count(future, 'event')} carry a time after the run."
    return "present", f"Times are kept in UTC and shown in {inputs.period.timezone}."


def review_state(signed: SignOff) -> State:
    if signed.days_late:
        return "failed", f"The review is {count(signed.days_late, 'day')} late."
    if signed.status == "draft":
        return "partial", "The run is recorded; no reviewer has signed."
    return "present", f"The review is {signed.status}."


def detection_state(inputs: ReportInputs, rules: tuple[RuleRow, ...]) -> State:
    if inputs.unjudged:
        said = " ".join(capital(one.statement) for one in inputs.unjudged)
        return ("failed" if inputs.wholly_unjudged else "partial"), said
    failed = sum(rule.health == "failed" for rule in rules)
    ran = sum(rule.health in RAN for rule in rules)
    if not ran:
        return "failed", "No rule ran."
    if failed:
        return "partial", f"{count(ran, 'rule')} ran and {failed:,} could not."
    return "present", f"{count(ran, 'rule')} ran, each with its hash and its count of hits."


def disposition_state(inputs: ReportInputs) -> State:
    groups = inputs.cases["group"].to_list()
    pending = groups.count("to decide")
    total = pending + groups.count("decided")
    if not total:
        return "present", "There was nothing to decide."
    said = f"{total - pending:,} of {count(total, 'case')} decided."
    return ("present" if not pending else "partial"), said


def behaviour_state(inputs: ReportInputs) -> State:
    if not inputs.model:
        return "partial", "The model did not run."
    return "present", "Each sender's days were compared with its own past and its peers."


def population_state(inputs: ReportInputs, groups: tuple[str, ...], noun: str) -> State:
    found = inputs.events.filter(inputs.events["action_group"].is_in(groups)).height
    if not found:
        return "partial", "None was seen; whether the source would record one is not known."
    return "present", f"{count(found, noun, PLURALS.get(noun, ''))} in the period."


def collection_state(inputs: ReportInputs) -> State:
    """Whether a pull that failed or was missed left something behind: a later one may mend it."""
    if not inputs.coverage.head:
        return "absent", "The events were read from files; no pull was recorded."
    days = sum((end - start).days + 1 for start, end in gaps_of(inputs))
    if days:
        said = f"No sync covers {count(days, 'day')} of the period"
        return "partial", f"{said}; {COLLECTION_FILE} lists the pulls."
    return "present", f"Every day is covered by a sync; {COLLECTION_FILE} lists the syncs."


def privacy_state(inputs: ReportInputs) -> State:
    said = f"Identity mode {inputs.identity}."
    if inputs.review.purpose and inputs.review.recipients:
        return "present", f"{said} Purpose and recipients are on the cover."
    return "partial", f"{said} Purpose or recipients are not stated."
