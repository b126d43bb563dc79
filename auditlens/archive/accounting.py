"""What the archive can say of itself: its status, and the coverage of a period."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import polars as pl

from auditlens.archive.chain import Chain
from auditlens.archive.manifest import OutcomeNote
from auditlens.archive.rows import dated_rows, in_period
from auditlens.archive.vouching import days_until_loss, gap_days, until, vouched
from auditlens.coverage import Coverage, Pull, Quarantined, misdated_note, misdated_of, unread_id
from auditlens.period import Period

__all__ = ["COLUMNS", "ArchiveStatus", "coverage_of", "status_of"]

CAP = 100
"""How many entries a list of a coverage has at most."""

COLUMNS = ("id", "created_at", "action", "leaf", "segment")
"""The columns of the table that a coverage is counted from."""


@dataclass(frozen=True)
class ArchiveStatus:
    """An archive at a moment: what it holds, and how long the next sync may wait.

    ``first_at`` and ``last_at`` span the events held that belong to their date, ``misdated`` is
    how many others are held (dated before 1970 or after they were pulled).
    ``complete_until`` is up to when syncs
    vouch for it, ``gaps`` are stretches between syncs in which events may have been lost (all
    UTC). ``days_until_loss`` is None before a sync came to its end. ``size`` is in bytes.
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
        return "incomplete", None, "No sync has come to its end yet."
    last = chain.outcomes[-1][1]
    vouching = vouching_for(chain, period)
    if not gaps and vouching:
        return vouching.outcome, vouching.missing, vouching.statement
    if last.outcome == "incomplete":
        return last.outcome, last.missing, last.statement
    days = sum((end - start).days + 1 for start, end in gaps)
    text = f"Incomplete: no sync can vouch for {days:,} days of the period."
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
