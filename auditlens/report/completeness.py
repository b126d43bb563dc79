"""The population page: what was pulled, what is missing, and how we know."""

from __future__ import annotations

from datetime import date

import polars as pl

from auditlens.report.activity import local_day
from auditlens.report.facts import Facts, file_name
from auditlens.report.sections import (
    Completeness,
    DayState,
    Evidence,
    FieldFill,
    Misdated,
    Quarantine,
    Scope,
)
from auditlens.report.wording import percent

__all__ = ["completeness", "field_fill", "gaps_of", "unreadable"]

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


def completeness(
    facts: Facts, evidence: tuple[Evidence, ...], fields: tuple[FieldFill, ...]
) -> Completeness:
    """Counts, gaps and fill rates, as the coverage record and the events tell them."""
    held = facts.coverage
    first, last = held.first_at, held.last_at
    strip = day_strip(facts)
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
            for one in facts.scopes
        ),
        rules_elsewhere=facts.rules_elsewhere,
        duplicates=None if held.head else held.duplicates,
        changed=held.changed_count,
        changed_ids=tuple(held.changed_ids[:RECORDS_SHOWN]),
        quarantined=held.quarantined_count,
        acknowledged=held.acknowledged_count,
        quarantine=unplaced(unreadable(facts)) if held.head else unreadable(facts)[:RECORDS_SHOWN],
        misdated=held.misdated_count,
        misdated_events=tuple(
            Misdated(one.id, f"{one.created_at.replace(tzinfo=None).isoformat(' ', 'seconds')} UTC")
            for one in held.misdated[:RECORDS_SHOWN]
        ),
        gaps=gaps_of(facts),
        days_without=sum(not day.events for day in strip),
        strip=strip,
        input_digest=held.input_digest,
        directory_at=facts.directory.at if facts.directory else None,
        directory_head=facts.directory.digest if facts.directory else "",
        fields=fields,
        evidence=evidence,
    )


def unreadable(facts: Facts) -> tuple[Quarantine, ...]:
    """The records that could not be read, as they are listed, with their places."""
    veiled = facts.identity != "full"
    return tuple(
        Quarantine(file_name(one.source), one.line, one.reason, "" if veiled else one.excerpt)
        for one in facts.coverage.quarantined
    )


def unplaced(found: tuple[Quarantine, ...]) -> tuple[Quarantine, ...]:
    """The same without their place in the archive: that rests on when they were pulled."""
    plain = (Quarantine("", 0, one.reason, one.excerpt) for one in found)
    return tuple(sorted(plain, key=lambda one: (one.reason, one.excerpt))[:RECORDS_SHOWN])


def day_strip(facts: Facts) -> tuple[DayState, ...]:
    """Every local day of the period: with events, proven to have none, or unknown."""
    counts = dict(facts.events.group_by(local_day(facts)).len().iter_rows())
    without = "none" if facts.coverage.outcome == "complete" else "unknown"
    return tuple(
        DayState(day, "events" if counts.get(day) else without, counts.get(day, 0))
        for day in facts.period.days
    )


def gaps_of(facts: Facts) -> tuple[tuple[date, date], ...]:
    """The stretches without an event that touch the period, cut to it."""
    first, last = facts.period.days[0], facts.period.days[-1]
    return tuple(
        (max(start, first), min(end, last))
        for start, end in facts.coverage.gaps
        if start <= last and end >= first
    )


def field_fill(facts: Facts) -> tuple[FieldFill, ...]:
    """How full each attribute an auditor asks for is; what the log never has is said too."""
    events = facts.events
    rows = []
    for question, column in QUESTIONS:
        rate = fill_percent(events, column)
        rows.append(FieldFill(question, column, rate, state_of(rate, events), ""))
    shares = facts.recorded.shares
    for attribute, (question, why) in NEVER.items():
        if attribute not in shares:
            known = facts.recorded.known
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
