"""What the archive can say of itself: its status, and the stretches of time it vouches for."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl

from auditlens.archive.chain import Chain
from auditlens.archive.manifest import Manifest, OutcomeNote
from auditlens.archive.table import dated_rows, in_period
from auditlens.coverage import Coverage, Pull, Quarantined, misdated_note, misdated_of, unread_id
from auditlens.period import Period, zone
from auditlens.text import count

__all__ = [
    "COLUMNS",
    "ArchiveStatus",
    "Span",
    "coverage_of",
    "days_until_loss",
    "gap_days",
    "retention",
    "status_of",
    "vouched",
]

ASSUMED = timedelta(days=90)
"""How long the source is taken to keep events, until the archive shows otherwise."""
LONGEST = timedelta(days=3653)
"""An older event shows nothing of what a source keeps: its date is that of a clock never set."""


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
        start, end = reach(manifest, note, oldest_held, first=not spans), until(manifest, note)
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


def reach(
    manifest: Manifest, note: OutcomeNote, oldest_held: datetime | None, *, first: bool
) -> datetime:
    """How far back a sync can vouch: it read, or relied on, all the source still lists.

    Beside an event of a clock never set, the source may have dropped what came after that date:
    only the ``first`` sync, before which nothing can have been missed, vouches back to it.
    """
    if note.outcome == "saturated":
        return note.reached or manifest.at
    oldest = note.server_oldest or note.reached
    if oldest and manifest.at - oldest > LONGEST and not first:
        oldest = None
    kept = manifest.at - keeps(manifest, note, oldest_held)
    return min(oldest, kept) if oldest else kept


def keeps(manifest: Manifest, note: OutcomeNote, oldest_held: datetime | None) -> timedelta:
    """How long the source keeps events, by one sync: older ones it still lists show it."""
    if note.server_oldest is None:
        return ASSUMED
    age = manifest.at - note.server_oldest
    if age > LONGEST:
        return ASSUMED
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


CAP = 100
"""How many entries a list of a coverage has at most."""

COLUMNS = ("id", "created_at", "action", "leaf", "segment")
"""The columns of the table that a coverage is counted from."""


@dataclass(frozen=True)
class ArchiveStatus:
    """An archive at a moment: what it holds, and how long the next sync may wait.

    Attributes:
        path: The archive's folder.
        source: The workspace whose log is held (``secoda:ADDRESS``); None before anything was
            sealed.
        events: Rows of the event table, of any date.
        quarantined: Records that could not be read; they are kept in the evidence.
        misdated: Events held that are dated before 1970 or more than a day after they were pulled.
        first_at: The earliest event that belongs to its date, in UTC; None without one.
        last_at: The latest such event.
        complete_until: Up to when syncs vouch for the log, in UTC; None before a sync came to its
            end.
        gaps: Start and end (UTC) of each stretch between syncs in which events may have been lost.
        last_pull_at: When the last sync that was concluded was sealed, in UTC; None before one.
        last_outcome: Its outcome (OUTCOMES of ``auditlens.coverage``).
        statement: The same in a sentence, also about a sync that did not come to its end.
        days_until_loss: Whole days until the source may drop an event that is not saved; None
            before a sync came to its end.
        pulls: Syncs that were concluded.
        head: Hash (hex) of the last manifest; None for an empty archive.
        size: Bytes of all files in the folder.
    """

    path: Path
    source: str | None
    events: int
    quarantined: int
    misdated: int
    first_at: datetime | None
    last_at: datetime | None
    complete_until: datetime | None
    gaps: tuple[tuple[datetime, datetime], ...]
    last_pull_at: datetime | None
    last_outcome: str | None
    statement: str
    days_until_loss: int | None
    pulls: int
    head: str | None
    size: int


def status_of(folder: Path, chain: Chain, rows: pl.DataFrame, now: datetime) -> ArchiveStatus:
    """The status by the chain and ``created_at`` and ``segment`` of every row."""
    times = rows.filter(dated_rows(rows, chain.segments))["created_at"]
    oldest: datetime | None = times.min()  # type: ignore[assignment]
    newest: datetime | None = times.max()  # type: ignore[assignment]
    spans = vouched(chain, oldest)
    last = chain.outcomes[-1] if chain.outcomes else None
    statement = last[1].statement if last else "Nothing was pulled to its end yet."
    if last and chain.last_of_a_sync is not last[0]:
        statement = "The last sync did not come to its end; what it read is saved."
    misdated = rows.height - len(times)
    statement += misdated_note(misdated)
    return ArchiveStatus(
        path=folder,
        source=chain.source,
        events=rows.height,
        quarantined=sum(len(note.quarantined) for _, note in chain.segments),
        misdated=misdated,
        first_at=oldest,
        last_at=newest,
        complete_until=spans[-1].end if spans else None,
        gaps=tuple((a.end, b.start) for a, b in pairwise(spans)),
        last_pull_at=last[0].at if last else None,
        last_outcome=last[1].outcome if last else None,
        statement=statement,
        days_until_loss=days_until_loss(chain, oldest, now),
        pulls=len(chain.outcomes),
        head=chain.head if chain.links else None,
        size=sum(
            (Path(place) / name).lstat().st_size
            for place, _, files in os.walk(folder)
            for name in files
        ),
    )


def coverage_of(
    chain: Chain, rows: pl.DataFrame, period: Period, acknowledged: Collection[str] = ()
) -> Coverage:
    """The coverage of a period by the chain and COLUMNS of every row.

    Quarantined records that are not ``acknowledged`` (by id) stand first.
    """
    own = dated_rows(rows, chain.segments)
    odd, dated = rows.filter(~own), rows.filter(own)
    oldest: datetime | None = dated["created_at"].min()  # type: ignore[assignment]
    newest: datetime | None = dated["created_at"].max()  # type: ignore[assignment]
    gaps = gap_days(vouched(chain, oldest), period)
    outcome, missing, statement = verdict(chain, gaps, period)
    held = dated.filter(in_period(period))
    changed = changed_ids(rows, held)
    quarantined = sorted(quarantine(chain), key=lambda one: one.id in acknowledged)
    return Coverage(
        outcome=outcome,
        statement=statement + misdated_note(odd.height),
        source=chain.source or "",
        missing=missing,
        first_at=oldest,
        last_at=newest,
        events_held=rows.height,
        events_in_period=held.height,
        unclassified=held["action"].null_count(),
        quarantined=tuple(quarantined[:CAP]),
        quarantined_count=len(quarantined),
        acknowledged_count=sum(one.id in acknowledged for one in quarantined),
        misdated=misdated_of(odd, chain.source or ""),
        misdated_count=odd.height,
        duplicates=sum(note.seen for _, note in chain.outcomes),
        changed_ids=tuple(changed[:CAP].to_list()),
        changed_count=len(changed),
        late=late_rows(chain, held),
        gaps=gaps,
        pulls=pulls_of(chain, period),
        head=chain.head if chain.links else None,
    )


def verdict(
    chain: Chain, gaps: tuple[tuple[date, date], ...], period: Period
) -> tuple[str, int | None, str]:
    """Outcome for a period: of the sync that vouches for it, unless days are missing.

    A month that was complete stays so, whatever became of later syncs.
    """
    if not chain.outcomes:
        return "incomplete", None, "No sync has completed yet."
    last = chain.outcomes[-1][1]
    vouching = vouching_for(chain, period)
    if not gaps and vouching:
        return vouching.outcome, vouching.missing, vouching.statement
    if last.outcome == "incomplete":
        return last.outcome, last.missing, last.statement
    days = sum((end - start).days + 1 for start, end in gaps)
    text = f"Incomplete: no sync covers {count(days, 'day')} of the period."
    return "incomplete", None, text


def vouching_for(chain: Chain, period: Period) -> OutcomeNote | None:
    """The last sync since a period ended that proved it complete, else the last that came far."""
    reached = [(item, note) for item, note in chain.outcomes if note.advances]
    since = [note for item, note in reached if until(item, note) >= period.end]
    proven = [note for note in since if note.outcome == "complete"]
    notes = proven or since or [note for _, note in reached]
    return notes[-1] if notes else None


def changed_ids(rows: pl.DataFrame, held: pl.DataFrame) -> pl.Series:
    """Ids of the period that the archive holds with more than one content, sorted."""
    twice = rows.group_by("id").len().filter(pl.col("len") > 1)
    return held.join(twice, on="id", how="semi")["id"].unique().sort()


def late_rows(chain: Chain, held: pl.DataFrame) -> int:
    """Events older than what was complete before they came."""
    marks = pl.DataFrame(
        {
            "segment": [manifest.sequence for manifest, _ in chain.segments],
            "watermark": [note.watermark for _, note in chain.segments],
        },
        schema={"segment": pl.Int32, "watermark": pl.Datetime("us", "UTC")},
    )
    first = held.join(marks, on="segment", how="left")
    return first.filter(pl.col("created_at") <= pl.col("watermark"))["id"].n_unique()


def quarantine(chain: Chain) -> tuple[Quarantined, ...]:
    """Every record kept in the evidence that is no event."""
    return tuple(
        Quarantined(note.file, item.row + 1, item.reason, item.excerpt, unread_id(item.leaf))
        for _, note in chain.segments
        for item in note.quarantined
    )


def pulls_of(chain: Chain, period: Period) -> tuple[Pull, ...]:
    """The syncs since the period began, the last CAP of them."""
    found = [(item, note) for item, note in chain.outcomes if item.at >= period.start]
    return tuple(pull_of(item.at, note) for item, note in found[-CAP:])


def pull_of(at: datetime, note: OutcomeNote) -> Pull:
    return Pull(
        at=at,
        endpoint=note.endpoint,
        new=note.new,
        seen=note.seen,
        server_count=note.server_count,
        outcome=note.outcome,
        missing=note.missing,
    )
