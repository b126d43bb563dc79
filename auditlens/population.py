"""The population of an audit: every event it looks at, and how complete that is."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import timedelta

import polars as pl

from auditlens.actions import classify
from auditlens.archive import Archive
from auditlens.coverage import Coverage
from auditlens.events import conform
from auditlens.period import Period
from auditlens.settings import Settings
from auditlens.sources import Log

__all__ = ["draw_events", "draw_population", "input_digest", "within"]

DIGEST_ROWS = 100_000
"""Lines joined and hashed at a time."""

FRAME = "The events came as a frame, so nothing can say what the server held."


def draw_population(
    source: Archive | Log | pl.DataFrame, period: Period, settings: Settings
) -> tuple[pl.DataFrame, Coverage]:
    """Return the events of the period and of the history before it, and their coverage.

    Events are classified, sorted by time, id and leaf, and end with the period; the history is
    ``settings.history_days`` long. Raises UsageError for a frame without the needed columns.
    """
    events = draw_events(source, period, settings)
    if isinstance(source, Archive):
        coverage = source.coverage(period)
    elif isinstance(source, Log):
        coverage = source.coverage
    else:
        coverage = Coverage("unprovable", FRAME, source="frame", events_held=source.height)
    held = within(events, period)
    return events, dataclasses.replace(
        coverage,
        events_in_period=held.height,
        unclassified=held["action"].null_count(),
        input_digest=input_digest(events),
    )


def draw_events(
    source: Archive | Log | pl.DataFrame, period: Period, settings: Settings
) -> pl.DataFrame:
    """The events of the period and of the history before it, classified and sorted."""
    window = history(period, settings)
    if isinstance(source, Archive):
        events = source.events(window)
    elif isinstance(source, Log):
        events = source.events
    else:
        events = classified(conform(source))
    return within(events, window).sort("created_at", "id", "leaf")


def history(period: Period, settings: Settings) -> Period:
    """The period and the days before it that form its baselines."""
    start = period.start - timedelta(days=settings.history_days)
    return dataclasses.replace(period, start=start)


def within(events: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The events that happened in ``[start, end)`` of the period."""
    moment = pl.col("created_at")
    return events.filter((moment >= period.start) & (moment < period.end))


def classified(events: pl.DataFrame) -> pl.DataFrame:
    """Classify a frame that brought no actions of its own."""
    return classify(events) if events["action"].null_count() == events.height else events


def input_digest(events: pl.DataFrame) -> str:
    """SHA-256 (hex) over the sorted ids and leaves, so that equal input has an equal digest."""
    lines = events.select(pl.concat_str("id", pl.lit(" "), pl.col("leaf").bin.encode("hex")))
    ordered = lines.to_series().sort()
    digest = hashlib.sha256()
    for part in ordered.to_frame().iter_slices(DIGEST_ROWS):
        digest.update("\n".join([*part.to_series(), ""]).encode())
    return digest.hexdigest()
