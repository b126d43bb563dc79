"""The population page: what was pulled, what is missing, and how we know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import polars as pl

from auditlens.report.facts import Facts, file_name
from auditlens.report.sections import (
    Completeness,
    DayState,
    Evidence,
    FieldFill,
    PullRow,
    Quarantine,
)
from auditlens.report.wording import percent

__all__ = ["completeness", "field_fill"]

PULLS_SHOWN = 50
RECORDS_SHOWN = 20

QUESTIONS = (
    ("What happened", "event"),
    ("Which class of act", "action"),
    ("When", "created_at"),
    ("Who", "sender_id"),
    ("What kind of sender", "sender_kind"),
    ("On what", "resource_id"),
)
NOT_RECORDED = (
    ("Outcome (success or failure)", "The source sends no outcome in any documented record."),
    ("Source address or device", "The source sends no address, device or session."),
)
BLANK = ("", "unknown", "None")


def completeness(facts: Facts, evidence: tuple[Evidence, ...]) -> Completeness:
    """Counts, gaps, pulls and fill rates, as the coverage record and the events tell them."""
    held = facts.coverage
    veiled = facts.identity != "full"
    first, last = held.first_at, held.last_at
    gaps = tuple(tuple(gap) for gap in held.gaps)
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
        duplicates=held.duplicates,
        late=held.late,
        changed=held.changed_count,
        changed_ids=tuple(held.changed_ids[:RECORDS_SHOWN]),
        quarantined=held.quarantined_count,
        quarantine=tuple(
            Quarantine(file_name(one.source), one.line, one.reason, "" if veiled else one.excerpt)
            for one in held.quarantined[:RECORDS_SHOWN]
        ),
        gaps=gaps,
        gap_days=sum((end - start).days + 1 for start, end in gaps),
        strip=day_strip(facts, gaps),
        pulls=tuple(
            PullRow(p.at, p.endpoint, p.new, p.seen, p.server_count, p.outcome, p.missing)
            for p in held.pulls[-PULLS_SHOWN:]
        ),
        pulls_total=len(held.pulls),
        head=held.head or "",
        input_digest=held.input_digest,
        fields=field_fill(facts.events),
        evidence=evidence,
    )


def day_strip(facts: Facts, gaps: Iterable[tuple[date, ...]]) -> tuple[DayState, ...]:
    """Every local day of the period: with events, quiet, or in a gap of the evidence."""
    missing = {
        start + timedelta(days=n) for start, end in gaps for n in range((end - start).days + 1)
    }
    counts = dict(
        facts.events.group_by(
            pl.col("created_at").dt.convert_time_zone(facts.period.timezone).dt.date()
        )
        .len()
        .iter_rows()
    )

    def state(day: date) -> str:
        if day in missing:
            return "gap"
        return "events" if counts.get(day) else "quiet"

    return tuple(DayState(day, state(day), counts.get(day, 0)) for day in facts.period.days)


def field_fill(events: pl.DataFrame) -> tuple[FieldFill, ...]:
    """How full each attribute an auditor asks for is; what the log never has is said too."""
    rows = []
    for question, column in QUESTIONS:
        rate = fill_percent(events, column)
        state = "present" if rate == 100 else "partial" if rate else "not recorded"
        rows.append(FieldFill(question, column, rate, state if events.height else "partial", ""))
    rows += [FieldFill(question, "", None, "not recorded", why) for question, why in NOT_RECORDED]
    return tuple(rows)


def fill_percent(events: pl.DataFrame, column: str) -> float:
    values = events[column]
    filled = values.is_not_null()
    if values.dtype == pl.String:
        filled &= ~values.is_in(BLANK).fill_null(value=False)
    # Rounded down, so that 100 means every row.
    share = 1000 * int(filled.sum()) // max(events.height, 1)
    return share / 10
