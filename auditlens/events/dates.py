"""Which events belong to their date. ``created_at`` is the source's claim, not our clock.

An event dated from 1970-01-01 to a day after it was pulled (clocks differ) belongs to its date.
Any other is kept, listed with its date, and takes part in nothing that reckons with time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

__all__ = [
    "EARLIEST", "FIRST", "LAST", "SKEW", "believable", "bounded", "dated", "latest", "saturated",
]  # fmt: skip

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
SKEW = timedelta(days=1)
"""How far the clock of a source may be ahead of ours."""

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
"""The first and the last time a ``created_at`` can hold; what lies beyond becomes one of them."""


def latest(pulled: datetime) -> datetime:
    """The latest date (UTC) that an event pulled at ``pulled`` can have happened at."""
    return LAST if pulled > LAST - SKEW else pulled + SKEW


def dated(pulled: datetime | pl.Expr) -> pl.Expr:
    """Whether an event belongs to its date: a condition on ``created_at``, never null.

    ``pulled`` is when the event was pulled, or the log read: one time (UTC), or one of each row.
    """
    last = pl.lit(latest(pulled)) if isinstance(pulled, datetime) else pulled + SKEW
    moment = pl.col("created_at")
    return ((moment >= EARLIEST) & (moment <= last)).fill_null(value=False)


def believable(at: datetime, pulled: datetime) -> bool:
    """Whether one time of an event pulled at ``pulled`` is a date it can have happened at."""
    return EARLIEST <= at <= latest(pulled)


def bounded(at: datetime | None, pulled: datetime) -> datetime | None:
    """A time that is believable, else None."""
    return at if at is not None and believable(at, pulled) else None


def saturated(moments: pl.Series) -> pl.Series:
    """The same times (any unit) in microseconds, those beyond the years 1 to 9999 at the edge."""
    assert isinstance(moments.dtype, pl.Datetime)
    unit, zone = moments.dtype.time_unit, moments.dtype.time_zone
    scale = 1000 if unit == "ms" else 1
    ticks = moments.to_physical()
    if unit == "ns":
        ticks = ticks // 1000
    low, high = micros(FIRST), micros(LAST)
    if ticks.null_count() < len(ticks) and (
        ticks.min() < -(-low // scale) or ticks.max() > high // scale  # type: ignore[operator]
    ):
        ticks = ticks.clip(-(-low // scale), high // scale)
    elif unit == "us":
        return moments
    found = (ticks * scale).cast(pl.Datetime("us"))
    if zone is None:
        return found
    return found.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EARLIEST) // timedelta(microseconds=1)
