"""The population of an audit: every event it looks at, and how complete that is."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.archive import Archive
from auditlens.coverage import Coverage, misdated_note, misdated_of
from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA, FIRST_TIME, LAST_TIME, classify, conform, dated
from auditlens.period import Period
from auditlens.settings import Settings
from auditlens.sources import Log, read_log

__all__ = [
    "EventSource",
    "dated_events",
    "history",
    "load_earlier",
    "load_events",
    "load_population",
    "open_source",
    "within",
]

VERB_ONLY_SHOWN = 20
"""How many kinds that only their verb names are listed."""
LINE = ("id", "leaf")
"""What the digest of the input says of each event."""
DIGEST_ROWS = 100_000
"""Lines joined and hashed at a time."""

ALL = Period(FIRST_TIME, LAST_TIME, "all")
"""Every date there is."""

FRAME = "The events came as a frame, so nothing can say what the server held."


EventSource = Archive | Log | pl.DataFrame
"""What an audit reads its events from."""


def open_source(source: object, settings: Settings, run_at: datetime) -> EventSource:
    """The log behind whatever a caller hands over.

    Args:
        source: An Archive or Log, the path of an archive, of a file or folder of logs (or several
            such paths), or a table with event columns: a frame of Polars (lazy too), pandas or
            PyArrow, a DuckDB relation, or another that Narwhals knows.
        settings: Their time zone is that in which a log's days without events are counted.
        run_at: When files are read (UTC): no event of theirs can have happened much later.

    Returns:
        An Archive, a Log or a Polars frame; columns of a frame are checked when it is read.

    Raises:
        UsageError: ``source`` is nothing of these, or cannot be read.
    """
    if isinstance(source, Archive | Log | pl.DataFrame):
        return source
    if isinstance(source, str | Path):
        if Path(source, "evidence").is_dir():
            return Archive(source)
        return read_log(source, timezone=settings.timezone, now=run_at)
    if isinstance(source, list | tuple) and all(isinstance(one, str | Path) for one in source):
        return read_log(source, timezone=settings.timezone, now=run_at)
    return polars_frame(source)


def polars_frame(source: object) -> pl.DataFrame:
    """A table of any library as a Polars frame."""
    import narwhals as nw

    try:
        frame = nw.from_native(source)  # type: ignore[call-overload]
    except TypeError:
        raise UsageError(
            f"No log can be read from a {type(source).__name__}",
            fix="Give an Archive, a path, or a frame of Polars, pandas, PyArrow or DuckDB",
        ) from None
    try:
        table = frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
        # A column of Python objects, as pandas has them, may mix what no other column can.
        loose = [name for name, dtype in table.schema.items() if dtype == nw.Object]
        objects = [pl.Series(name, table[name].to_list(), pl.Object) for name in loose]
        whole: pl.DataFrame = table.drop(loose).to_polars().with_columns(objects)
    except (pl.exceptions.PolarsError, nw.exceptions.NarwhalsError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UsageError(f"The frame cannot be read ({reason})", fix="Collect it first") from None
    return whole.select(name for name in table.columns)


def load_population(
    source: EventSource,
    period: Period,
    settings: Settings,
    run_at: datetime,
    acknowledged: Collection[str] = (),
) -> tuple[pl.DataFrame, Coverage]:
    """The events of a period and of the history before it, and how complete they are.

    Args:
        source: What the events come from.
        period: The period audited.
        settings: Their ``history_days`` say where the history begins.
        run_at: When a frame was pulled, in UTC.
        acknowledged: Ids of records that could not be read and that a person looked at.

    Returns:
        EVENT_SCHEMA, classified, sorted by ``created_at``, ``id`` and ``leaf``; and the coverage of
        the period. Its ``input_digest`` is of the whole record up to the end of the period: rules
        compare with all of it.

    Raises:
        UsageError: A frame lacks a column, or one is of a type that cannot be read.
    """
    if isinstance(source, pl.DataFrame):
        source = with_actions(conform(source))
        events = cut_to(source.filter(dated(run_at)), history(period, settings))
    else:
        events = load_events(source, period, settings, run_at)
    earlier = load_earlier(source, period, settings, run_at, LINE)
    if isinstance(source, Archive):
        coverage = source.coverage(period, acknowledged)
    elif isinstance(source, Log):
        known = sum(one.id in acknowledged for one in source.coverage.quarantined)
        coverage = dataclasses.replace(source.coverage, acknowledged_count=known)
    else:
        odd = source.filter(~dated(run_at))
        coverage = Coverage(
            "unprovable",
            FRAME + misdated_note(odd.height),
            source="frame",
            events_held=source.height,
            misdated=misdated_of(odd, "frame"),
            misdated_count=odd.height,
        )
    held = within(events, period)
    return events, dataclasses.replace(
        coverage,
        events_in_period=held.height,
        unclassified=held["action"].null_count(),
        **classification_counts(held),
        input_digest=input_digest(pl.concat([earlier.select(LINE), events.select(LINE)])),
    )


def classification_counts(events: pl.DataFrame) -> dict[str, Any]:
    """How many events each basis named, and the kinds that only their verb names, or nothing."""
    basis = pl.col("action_basis").fill_null("unknown")
    bases = events.group_by(basis).len().sort("action_basis")
    kinds = (
        events.filter(basis.is_in(["generic", "unknown"]))
        .group_by(pl.coalesce("event", pl.lit("(no kind)")).alias("event"))
        .agg(pl.len().cast(pl.Int64).alias("events"))
        .sort("events", "event", descending=[True, False])
    )
    return {
        "bases": dict(bases.iter_rows()),
        "verb_only": tuple(kinds.head(VERB_ONLY_SHOWN).iter_rows()),
        "verb_only_kinds": kinds.height,
    }


def load_events(
    source: EventSource, period: Period, settings: Settings, run_at: datetime
) -> pl.DataFrame:
    """The events of a period and of the history before it.

    Args:
        source: What the events come from.
        period: The period audited.
        settings: Their ``history_days`` say where the history begins.
        run_at: When a frame was pulled, in UTC.

    Returns:
        EVENT_SCHEMA, classified, sorted by ``created_at``, ``id`` and ``leaf``.
    """
    window = history(period, settings)
    if isinstance(source, Archive):
        return cut_to(source.events(window), window)
    return cut_to(dated_events(source, run_at), window)


def load_earlier(
    source: EventSource,
    period: Period,
    settings: Settings,
    run_at: datetime,
    columns: Collection[str],
) -> pl.DataFrame:
    """Every event on record before the history of a period, with which habits are compared.

    Args:
        source: What the events come from.
        period: The period audited.
        settings: Their ``history_days`` say where the history begins.
        run_at: When a frame was pulled, in UTC.
        columns: Those wanted of EVENT_SCHEMA; of an archive no others are read.

    Returns:
        The events, classified and sorted by time, id and leaf; ``columns`` and those of the order.
    """
    start = history(period, settings).start
    before = dataclasses.replace(period, start=FIRST_TIME, end=start)
    wanted = [name for name in EVENT_SCHEMA if name in {*columns, *LINE, "created_at"}]
    if isinstance(source, Archive):
        return source.events(before, wanted)
    return cut_to(dated_events(source, run_at), before).select(wanted)


def cut_to(events: pl.DataFrame, window: Period) -> pl.DataFrame:
    return within(events, window).sort("created_at", "id", "leaf")


def dated_events(source: EventSource, run_at: datetime) -> pl.DataFrame:
    """All events that belong to their date, of any period.

    Args:
        source: What the events come from.
        run_at: When a frame was pulled, in UTC; an archive and a log know this themselves.

    Returns:
        EVENT_SCHEMA, classified; those of an archive are sorted by ``created_at``, ``id`` and
        ``leaf``.
    """
    if isinstance(source, Archive):
        return source.events(ALL)
    if isinstance(source, Log):
        return source.events.filter(dated(source.read_at))
    return with_actions(conform(source)).filter(dated(run_at))


def history(period: Period, settings: Settings) -> Period:
    """The period and the days before it that form its baselines.

    Args:
        period: The period audited.
        settings: Their ``history_days`` are added before it.

    Returns:
        One period with the label and the zone of the given one.
    """
    reach = timedelta(days=settings.history_days)
    start = FIRST_TIME if period.start - FIRST_TIME < reach else period.start - reach
    return dataclasses.replace(period, start=start)


def within(events: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The events that happened in ``[start, end)`` of a period.

    Args:
        events: Needs ``created_at`` (Datetime, UTC).
        period: The period.

    Returns:
        Those rows, in the same order.
    """
    moment = pl.col("created_at")
    return events.filter((moment >= period.start) & (moment < period.end))


def with_actions(events: pl.DataFrame) -> pl.DataFrame:
    """Classify a frame that brought no actions of its own."""
    if events["action"].null_count() == events.height:
        return classify(events)
    given = pl.when(pl.col("action").is_null()).then(pl.lit("unknown")).otherwise(pl.lit("profile"))
    return events.with_columns(pl.col("action_basis").fill_null(given))


def input_digest(events: pl.DataFrame) -> str:
    """SHA-256 (hex) over the sorted ids and leaves, so that equal input has an equal digest."""
    lines = events.select(pl.concat_str("id", pl.lit(" "), pl.col("leaf").bin.encode("hex")))
    ordered = lines.to_series().sort()
    digest = hashlib.sha256()
    for part in ordered.to_frame().iter_slices(DIGEST_ROWS):
        digest.update("\n".join([*part.to_series(), ""]).encode())
    return digest.hexdigest()
