"""Which stretches of time the archive's syncs can vouch for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from auditlens.archive.chain import Chain
from auditlens.archive.manifest import Manifest, OutcomeNote
from auditlens.period import Period, zone

__all__ = ["Span", "days_until_loss", "gap_days", "retention", "vouched"]

ASSUMED = timedelta(days=90)
"""How long the source is taken to keep events, until the archive shows otherwise."""


@dataclass(frozen=True)
class Span:
    """From ``start`` to ``end`` (UTC), every event the source listed is held."""

    start: datetime
    end: datetime


def vouched(chain: Chain, oldest_held: datetime | None) -> tuple[Span, ...]:
    """The spans that syncs read in full, oldest first; between two of them events may be lost."""
    spans: list[Span] = []
    for manifest, note in chain.outcomes:
        if not note.advances:
            continue
        start, end = reach(manifest, note, oldest_held), until(manifest, note)
        if end <= start:
            continue
        if spans and start <= spans[-1].end:
            start, end = min(spans[-1].start, start), max(spans[-1].end, end)
            spans.pop()
        spans.append(Span(start, end))
    return tuple(spans)


def until(manifest: Manifest, note: OutcomeNote) -> datetime:
    """Up to when a sync can vouch: no later than it began to read, whatever events claim."""
    return min(manifest.at, note.vouched_until or manifest.at)


def reach(manifest: Manifest, note: OutcomeNote, oldest_held: datetime | None) -> datetime:
    """How far back a sync can vouch: it read, or relied on, all the source still lists."""
    if note.outcome == "saturated":
        return note.reached or manifest.at
    oldest = note.server_oldest or note.reached
    kept = manifest.at - keeps(manifest, note, oldest_held)
    return min(oldest, kept) if oldest else kept


def keeps(manifest: Manifest, note: OutcomeNote, oldest_held: datetime | None) -> timedelta:
    """How long the source keeps events, by one sync: older ones it still lists show it."""
    if note.server_oldest is None:
        return ASSUMED
    age = manifest.at - note.server_oldest
    dropped = oldest_held is not None and oldest_held < note.server_oldest - timedelta(days=1)
    return age if dropped else max(ASSUMED, age)


def retention(chain: Chain, oldest_held: datetime | None) -> timedelta:
    """How long the source keeps events: 90 days until the last sync showed otherwise."""
    for manifest, note in reversed(chain.outcomes):
        if note.advances:
            return keeps(manifest, note, oldest_held)
    return ASSUMED


def days_until_loss(chain: Chain, oldest_held: datetime | None, now: datetime) -> int | None:
    """Whole days until the source may drop an event that is not saved; None before any sync."""
    spans = vouched(chain, oldest_held)
    if not spans:
        return None
    left = spans[-1].end + retention(chain, oldest_held) - now
    return max(0, left.days)


def gap_days(spans: Sequence[Span], period: Period) -> tuple[tuple[date, date], ...]:
    """Runs of days of the period, first and last, that no sync can vouch for."""
    local = zone(period.timezone)
    found: list[tuple[date, date]] = []
    for day in period.days:
        start = datetime(day.year, day.month, day.day, tzinfo=local)
        after = day + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=local)
        if any(span.start <= start and end <= span.end for span in spans):
            continue
        if found and found[-1][1] == day - timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)
