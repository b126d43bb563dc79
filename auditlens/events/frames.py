"""Any frame with event columns, made an event table."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec
import polars as pl

from auditlens.errors import UsageError
from auditlens.events.dates import parse_timestamps, saturated
from auditlens.events.schema import EVENT_SCHEMA, sender_kind
from auditlens.text import count

__all__ = ["conform"]

PARTS = msgspec.json.Encoder(enc_hook=str)

OURS = ("action", "action_group", "action_basis")
"""What is made of an event later is no part of it."""


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Make an event table of a frame with event columns.

    Args:
        frame: Needs ``id`` and ``created_at`` (a time, a date, RFC 3339 text or an epoch number);
            ``performer_type`` is read where it is given. Structs and lists in a column of text
            become JSON text with their keys.

    Returns:
        The rows in the same order with the columns of EVENT_SCHEMA; other columns are dropped and
        missing ones null. ``sender_kind`` is derived, a missing ``leaf`` is the hash of the row's
        JSON text, and a row without id is named by its leaf.

    Raises:
        UsageError: A column is missing or of a type that cannot be read; it names the column.
    """
    if lacking := [name for name in ("id", "created_at") if name not in frame.columns]:
        raise UsageError(
            f"The frame has no column {' and no column '.join(map(repr, lacking))}",
            fix="Rename your columns to those of the event table (docs/reference.md)",
        )
    frame = frame.with_columns(times(frame["created_at"]))
    if unread := frame["created_at"].null_count():
        raise UsageError(
            f"{count(unread, 'row')} without a readable created_at", fix="Use RFC 3339 times"
        )
    texts = [name for name in frame.columns if name == "performer_type" or is_text(name)]
    frame = frame.with_columns(text(frame[name]) for name in texts)
    missing = [name for name in (*EVENT_SCHEMA, "performer_type") if name not in frame.columns]
    filled = frame.with_columns(
        pl.lit(None, EVENT_SCHEMA.get(name, pl.String())).alias(name) for name in missing
    ).with_columns(related(frame))
    filled = filled.with_columns(
        pl.col("sender_kind").fill_null(sender_kind()),
        pl.col("generation").fill_null("frame"),
        pl.col("source").fill_null(""),
    )
    filled = filled.with_columns(leaves(filled))
    named = pl.lit("sha256:") + pl.col("leaf").bin.encode("hex")
    filled = filled.with_columns(pl.coalesce("id", named).alias("id"))
    return filled.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())


def is_text(name: str) -> bool:
    return EVENT_SCHEMA.get(name) == pl.String()


def text(column: pl.Series) -> pl.Series:
    """A column of text, whatever it came as. Raises UsageError with its name."""
    if column.dtype == pl.String:
        return column
    if column.dtype.is_nested() or column.dtype == pl.Object:
        return pl.Series(column.name, [json_text(value) for value in column.to_list()], pl.String)
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise unreadable(column, "text") from None


def json_text(value: Any) -> str | None:
    """One value as text: a text as it is, what is built of parts as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict | list | tuple):
        return PARTS.encode(value).decode("utf-8", "replace")
    return str(value)


def unreadable(column: pl.Series, wanted: str) -> UsageError:
    return UsageError(
        f"The column '{column.name}' is {column.dtype} and cannot be read as {wanted}",
        fix=f"Convert it to {wanted}, or leave it out",
    )


def times(column: pl.Series) -> pl.Series:
    """Read the time column, whatever it holds."""
    if column.dtype == pl.Object:
        column = text(column)
    if column.dtype == pl.String:
        return parse_timestamps(column).alias("created_at")
    if isinstance(column.dtype, pl.Datetime):
        held = saturated(column)
        zoned = held.dt.replace_time_zone("UTC") if column.dtype.time_zone is None else held
        return zoned.dt.convert_time_zone("UTC")
    if column.dtype == pl.Date:
        seconds = column.to_physical().cast(pl.Int64) * 86_400_000
        return saturated(seconds.cast(pl.Datetime("ms", "UTC")))
    if column.dtype.is_numeric():
        return parse_timestamps(column.cast(pl.String)).alias("created_at")
    raise UsageError(f"created_at is {column.dtype}, which is not a time", fix="Use RFC 3339 times")


def related(frame: pl.DataFrame) -> pl.Expr:
    """The related ids as a list; a CSV holds them as JSON text."""
    dtype = pl.List(pl.String)
    if "related_ids" not in frame.columns:
        return pl.lit(None, dtype).alias("related_ids")
    column = frame["related_ids"]
    if column.dtype == pl.Object:
        column = text(column)
    if column.dtype == pl.String:
        lists = [listed(value) for value in column.to_list()]
        return pl.lit(pl.Series("related_ids", lists, dtype))
    try:
        return pl.lit(column.cast(dtype))
    except pl.exceptions.PolarsError:
        raise unreadable(column, "a list of texts") from None


def listed(value: str | None) -> list[str] | None:
    """A list of ids from its JSON text; any other text is one id."""
    if value is None:
        return None
    try:
        found = msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return [value]
    if not isinstance(found, list):
        return None if found is None else [value]
    return [one for one in map(json_text, found) if one is not None]


def leaves(frame: pl.DataFrame) -> pl.Series:
    """The leaf of each row: as given (binary or hexadecimal), else the hash of its JSON text."""
    column = frame["leaf"]
    if column.dtype == pl.Binary and not column.null_count():
        return column
    if column.dtype == pl.String:
        read = column.str.decode("hex", strict=False).alias("leaf")
        if not read.null_count():
            return read
    names = [name for name in EVENT_SCHEMA if name not in ("leaf", *OURS)]
    rows = frame.select(pl.struct(names).struct.json_encode().alias("row"))["row"]
    digests = [hashlib.sha256(row.encode()).digest() for row in rows.to_list()]
    return pl.Series("leaf", digests, dtype=pl.Binary)
