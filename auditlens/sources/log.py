"""Reading logs from files: events, and what can be said of their completeness."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from auditlens.coverage import Coverage, misdated_note, misdated_of
from auditlens.events import EVENT_SCHEMA, Profile, classify, dated, empty_events, load_profile
from auditlens.period import run_time, zone
from auditlens.sources.formats import LogFile, log_files
from auditlens.sources.reading import Quarantine, read_file
from auditlens.text import count

__all__ = ["Log", "read_events", "read_log"]

CHANGED_SHOWN = 100
OURS = ("leaf", "source", "generation", "action", "action_group", "action_basis")
CONTENT = [name for name in EVENT_SCHEMA if name not in OURS]


@dataclass(frozen=True, eq=False)
class Log:
    """Events read from files, and what can be said of their completeness.

    Attributes:
        events: EVENT_SCHEMA, classified, sorted by ``created_at``, ``id`` and ``leaf``. Events that
            do not belong to their date (dated before 1970 or more than a day after ``read_at``) are
            in it, and in no period.
        coverage: The completeness statement, always ``unprovable``.
        read_at: When the files were read, in UTC.
        profile: The profile they were read by; None where each file's was found by its content.
    """

    events: pl.DataFrame
    coverage: Coverage
    read_at: datetime
    profile: Profile | None = None


def read_events(
    paths: str | Path | Iterable[str | Path], *, profile: str | Path = "auto"
) -> pl.DataFrame:
    """Read events from files as a DataFrame (EVENT_SCHEMA), classified, without duplicates.

    Args:
        paths: Files or folders: NDJSON, JSON, CSV, Parquet, also ``.gz`` and ``.zst``, told by
            content.
        profile: ``auto``, the name of a shipped profile, or the path of your own.

    Returns:
        One row an event, sorted by ``created_at``, ``id`` and ``leaf``. Records that are no events
        are left out; :func:`read_log` tells of them.

    Raises:
        UsageError: A path that cannot be used.
    """
    return read_log(paths, profile=profile).events


def read_log(
    paths: str | Path | Iterable[str | Path],
    *,
    profile: str | Path = "auto",
    timezone: str = "UTC",
    now: datetime | None = None,
) -> Log:
    """Read events from files as :func:`read_events` does, with their coverage.

    Args:
        paths: As in :func:`read_events`.
        profile: As in :func:`read_events`.
        timezone: IANA name of the zone in which days without events are counted.
        now: When the log is read; default: SOURCE_DATE_EPOCH, else the clock.

    Returns:
        Events and coverage, which is ``unprovable``: a file cannot prove what the server held.

    Raises:
        UsageError: A path that cannot be used, or an unknown zone.
    """
    zone(timezone)
    read_at = run_time(now)
    chosen = None if profile == "auto" else load_profile(profile)
    files = log_files(paths)
    quarantine = Quarantine()
    frames = [frame for file in files for frame in read_file(file, chosen, quarantine)]
    count = sum(frame.height for frame in frames)
    events, changed = without_duplicates(pl.concat([empty_events(), *frames]))
    # A long log is held once, not once more in the pieces it was read in.
    del frames
    events = classify(events).sort("created_at", "id", "leaf")
    own = events.select(dated(read_at)).to_series()
    odd, whole = events.filter(~own), events.filter(own)
    coverage = Coverage(
        outcome="unprovable",
        statement=statement(events, files, quarantine) + misdated_note(odd.height),
        source=", ".join(file.name for file in files[:3]) + ", ..." * (len(files) > 3),
        first_at=whole["created_at"].min(),  # type: ignore[arg-type]
        last_at=whole["created_at"].max(),  # type: ignore[arg-type]
        events_held=events.height,
        events_in_period=whole.height,
        unclassified=events["action"].null_count(),
        quarantined=tuple(quarantine.kept),
        quarantined_count=quarantine.count,
        misdated=misdated_of(odd, ", ".join(file.name for file in files[:3])),
        misdated_count=odd.height,
        duplicates=count - events.height,
        changed_ids=tuple(changed[:CHANGED_SHOWN]),
        changed_count=len(changed),
        gaps=days_without_events(whole, timezone),
    )
    return Log(events, coverage, read_at, chosen)


def without_duplicates(events: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Drop repeated events; return the rest, and ids that stand for different contents.

    The same bytes under the same id are one event; so is the same content in other bytes
    (spacing, order of keys).
    """
    if events["id"].n_unique() == events.height:
        return events, []
    once = events.unique(["id", "leaf"], keep="first", maintain_order=True)
    if not once["id"].is_duplicated().any():
        return once, []
    once = once.with_row_index("place")
    again = once.filter(pl.col("id").is_duplicated())
    contents = [canonical(row) for row in again.select(CONTENT).iter_rows()]
    versions = again.select("place", "id", pl.Series("content", contents, dtype=pl.Binary))
    kept = versions.unique(["id", "content"], keep="first", maintain_order=True)
    repeated = versions.join(kept, on="place", how="anti")
    once = once.join(repeated, on="place", how="anti", maintain_order="left").drop("place")
    return once, kept.filter(pl.col("id").is_duplicated())["id"].unique().sort().to_list()


def canonical(row: tuple[Any, ...]) -> bytes:
    """A row's content, independent of the spacing and key order of its metadata."""
    place = CONTENT.index("metadata")
    values = list(row)
    with suppress(msgspec.MsgspecError, RecursionError):
        values[place] = msgspec.json.decode(row[place] or "null")
    return msgspec.json.encode(values, order="sorted")


def statement(events: pl.DataFrame, files: tuple[LogFile, ...], told: Quarantine) -> str:
    from_files = count(len(files), "file") if len(files) > 1 else f"the file {files[0].name}"
    read = f"{count(events.height, 'event')} read from {from_files}"
    parts = [f"{read}; a file cannot prove that the log is complete."]
    if records := told.count - told.files:
        parts.append(f"{count(records, 'unreadable record')} left out.")
    if told.files:
        parts.append(f"{count(told.files, 'file')} could not be read at all.")
    if told.repaired:
        parts.append(f"{count(told.repaired, 'record')} read with damaged text replaced.")
    return " ".join(parts)


def days_without_events(events: pl.DataFrame, timezone: str) -> tuple[tuple[date, date], ...]:
    """First and last day of each stretch without events, between the first and last event."""
    days = events["created_at"].dt.convert_time_zone(timezone).dt.date().unique().sort().to_list()
    return tuple(
        (before + timedelta(days=1), after - timedelta(days=1))
        for before, after in pairwise(days)
        if (after - before).days > 1
    )
