"""Times as sources write them, and which events belong to their date.

``created_at`` is the source's claim, not our clock.
An event dated from 1970-01-01 to a day after it was pulled (clocks differ) belongs to its date.
Any other is kept, listed with its date, and takes part in nothing that reckons with time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "EARLIEST",
    "FIRST_TIME",
    "LAST_TIME",
    "SKEW",
    "believable",
    "bounded",
    "dated",
    "dated_ticks",
    "latest",
    "micros",
    "parse_timestamps",
    "saturated",
]

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
SKEW = timedelta(days=1)
"""How far the clock of a source may be ahead of ours."""

FIRST_TIME = datetime.min.replace(tzinfo=UTC)
LAST_TIME = datetime.max.replace(tzinfo=UTC)
"""The first and the last time a ``created_at`` can hold; what lies beyond becomes one of them."""


def latest(pulled: datetime) -> datetime:
    """The latest date that an event of a pull can have happened at.

    Args:
        pulled: When it was pulled, in UTC.

    Returns:
        A day later, for clocks that are ahead of ours; LAST_TIME at most.
    """
    return LAST_TIME if pulled > LAST_TIME - SKEW else pulled + SKEW


def dated(pulled: datetime | pl.Expr) -> pl.Expr:
    """Whether an event belongs to its date.

    Args:
        pulled: When the event was pulled, or the log read: one time (UTC), or one of each row.

    Returns:
        A condition on ``created_at``, never null.
    """
    last = pl.lit(latest(pulled)) if isinstance(pulled, datetime) else pulled + SKEW
    moment = pl.col("created_at")
    return ((moment >= EARLIEST) & (moment <= last)).fill_null(value=False)


def dated_ticks(ticks: npt.NDArray[np.int64], pulled: datetime) -> npt.NDArray[np.bool_]:
    """The condition of :func:`dated` for times in microseconds, without a query for each page.

    Args:
        ticks: Microseconds since 1970 (UTC).
        pulled: When the events were pulled, in UTC.

    Returns:
        A mask of the same length.
    """
    return (ticks >= micros(EARLIEST)) & (ticks <= micros(latest(pulled)))


def believable(at: datetime, pulled: datetime) -> bool:
    """Whether one time of an event pulled at ``pulled`` is a date it can have happened at."""
    return EARLIEST <= at <= latest(pulled)


def bounded(at: datetime | None, pulled: datetime) -> datetime | None:
    """A time that an event of a pull can have, else None.

    Args:
        at: The time the event bears; None stays None.
        pulled: When the event was pulled, in UTC.

    Returns:
        ``at`` when it is from 1970 to a day after ``pulled``.
    """
    return at if at is not None and believable(at, pulled) else None


def saturated(moments: pl.Series) -> pl.Series:
    """The same times (any unit) in microseconds, those beyond the years 1 to 9999 at the edge."""
    assert isinstance(moments.dtype, pl.Datetime)
    unit, zone = moments.dtype.time_unit, moments.dtype.time_zone
    scale = 1000 if unit == "ms" else 1
    ticks = moments.to_physical()
    if unit == "ns":
        ticks = ticks // 1000
    low, high = micros(FIRST_TIME), micros(LAST_TIME)
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
    """Microseconds since 1970.

    Args:
        at: An aware time.

    Returns:
        Whole microseconds, negative before 1970.
    """
    return (at - EARLIEST) // timedelta(microseconds=1)


ISO = "%Y-%m-%dT%H:%M:%S%.f%#z"
NO_ZONE = "%Y-%m-%dT%H:%M:%S%.f"
ODD = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
EPOCH = re.compile(r"-?\d{9,19}(\.\d{1,9})?", re.ASCII)
BEYOND = re.compile(
    r"([+-]?)\d{4,9}-\d{2}-\d{2}([T ][\d:.,]*)?\s*(Z|[+-][\d:]+)?", re.IGNORECASE | re.ASCII
)


def parse_timestamps(texts: pl.Series) -> pl.Series:
    """Read timestamps as sources write them.

    Args:
        texts: RFC 3339 with Z, an offset or none (then UTC), a space for the T, a comma for the
            point, up to nine decimals (cut to six), leap seconds, 24:00, days alone, and epoch
            numbers in seconds, milliseconds, microseconds or nanoseconds.

    Returns:
        Datetime(us, UTC), null where a text is no time. A time outside the years 1 to 9999 is
        FIRST_TIME or LAST_TIME.
    """
    found = texts.str.to_datetime(ISO, time_unit="us", strict=False)
    if found.null_count() == texts.null_count():
        return saturated(found)
    plain = texts.str.strip_chars().str.replace(" ", "T", literal=True)
    found = plain.str.to_datetime(ISO, time_unit="us", strict=False)
    if found.null_count():
        zoneless = plain.str.to_datetime(NO_ZONE, time_unit="us", strict=False)
        found = found.fill_null(zoneless.dt.replace_time_zone("UTC"))
    odd = texts.filter(found.is_null() & texts.is_not_null()).unique()
    found = saturated(found)
    if odd.is_empty():
        return found
    read = pl.Series([parse_odd(text) for text in odd.to_list()], dtype=found.dtype)
    return found.fill_null(texts.replace_strict(odd, read, default=None, return_dtype=found.dtype))


def parse_odd(text: str) -> datetime | None:
    """Read one timestamp of a rarer form; None when it is none."""
    text = text.strip()
    try:
        if EPOCH.fullmatch(text):
            return parse_epoch(text)
        if match := ODD.fullmatch(text):
            return parse_parts(*match.groups())
    except OverflowError:
        return FIRST_TIME if text.startswith(("0", "-")) else LAST_TIME
    except ValueError:
        pass
    return parse_beyond(text)


def parse_beyond(text: str) -> datetime | None:
    """Read a day of no year from 1 to 9999 as the first or the last time; None for any other."""
    match = BEYOND.fullmatch(text)
    year = int(match[0].lstrip("+-").partition("-")[0]) if match else 1
    if not match or (not match[1] and 1 <= year <= 9999):
        return None
    return LAST_TIME if match[1] != "-" and year > 9999 else FIRST_TIME


def parse_epoch(text: str) -> datetime | None:
    """Read seconds (up to 11 digits), milliseconds (15), microseconds (17) or nanoseconds."""
    sign = -1 if text.startswith("-") else 1
    whole, _, decimals = text.lstrip("-").partition(".")
    digits = len(whole)
    unit = 10**9 if digits <= 11 else 10**6 if digits <= 15 else 10**3 if digits <= 17 else 1
    fraction = int(decimals.ljust(9, "0")[:9]) * unit // 10**9
    nanoseconds = int(whole) * unit + fraction
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=sign * nanoseconds // 1000)


def parse_parts(
    year: str, month: str, day: str, hour: str | None, minute: str | None,
    second: str | None, decimals: str | None, offset: str | None,
) -> datetime | None:  # fmt: skip
    """Put matched parts together; 24:00 and second 60 run over into the next day or minute."""
    date = datetime(int(year), int(month), int(day), tzinfo=UTC)
    h, m, s = int(hour or 0), int(minute or 0), int(second or 0)
    if h > 24 or m > 59 or s > 60 or (h == 24 and (m or s)):
        return None
    micro = int((decimals or "").ljust(6, "0")[:6])
    moment = date + timedelta(hours=h, minutes=m, seconds=s, microseconds=micro)
    if offset and offset[0] in "+-":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment = moment - shift if offset[0] == "+" else moment + shift
    return moment
