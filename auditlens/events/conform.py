"""Any frame with event columns, made an event table."""

from __future__ import annotations

import hashlib

import polars as pl

from auditlens.errors import UsageError
from auditlens.events.columns import EVENT_SCHEMA
from auditlens.events.sender import sender_kind
from auditlens.events.timestamps import parse_timestamps

__all__ = ["conform"]


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` as an event table (EVENT_SCHEMA); other columns are dropped.

    Needs ``id`` and ``created_at``. Missing columns become null, ``sender_kind`` is derived,
    and a missing ``leaf`` is the hash of the row's JSON text. Raises UsageError when a needed
    column is missing or a time cannot be read.
    """
    for name in ("id", "created_at"):
        if name not in frame.columns:
            raise UsageError(
                f"The frame has no column '{name}'",
                fix="Rename your columns to those of the event table (docs/reference.md)",
            )
    frame = frame.with_columns(times(frame["created_at"]))
    if unread := frame["created_at"].null_count():
        raise UsageError(f"{unread} rows have no readable created_at", fix="Use RFC 3339 times")
    missing = [name for name in (*EVENT_SCHEMA, "performer_type") if name not in frame.columns]
    filled = frame.with_columns(
        pl.lit(None, EVENT_SCHEMA.get(name, pl.String())).alias(name) for name in missing
    ).with_columns(related(frame))
    filled = filled.with_columns(
        pl.col("sender_kind").fill_null(sender_kind()),
        pl.col("generation").fill_null("frame"),
        pl.col("source").fill_null(""),
        pl.col("id").cast(pl.String),
    )
    filled = filled.with_columns(leaves(filled))
    return filled.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())


def times(column: pl.Series) -> pl.Series:
    """Read the time column, whatever it holds."""
    if column.dtype == pl.String:
        return parse_timestamps(column).alias("created_at")
    if isinstance(column.dtype, pl.Datetime):
        zoned = column.dt.replace_time_zone("UTC") if column.dtype.time_zone is None else column
        return zoned.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    if column.dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if column.dtype.is_numeric():
        return parse_timestamps(column.cast(pl.String)).alias("created_at")
    raise UsageError(f"created_at is {column.dtype}, which is no time", fix="Use RFC 3339 times")


def related(frame: pl.DataFrame) -> pl.Expr:
    """The related ids as a list; a CSV holds them as JSON text."""
    dtype = pl.List(pl.String)
    if "related_ids" not in frame.columns:
        return pl.lit(None, dtype).alias("related_ids")
    if frame.schema["related_ids"] == pl.String:
        return pl.col("related_ids").str.json_decode(dtype)
    return pl.col("related_ids").cast(dtype)


def leaves(frame: pl.DataFrame) -> pl.Series:
    """The leaf of each row: as given (binary or hexadecimal), else the hash of its JSON text."""
    column = frame["leaf"]
    if column.dtype == pl.Binary and not column.null_count():
        return column
    if column.dtype == pl.String and not column.null_count():
        return column.str.decode("hex", strict=False).alias("leaf")
    names = [name for name in EVENT_SCHEMA if name not in ("leaf", "action", "action_group")]
    rows = frame.select(pl.struct(names).struct.json_encode().alias("row"))["row"]
    digests = [hashlib.sha256(row.encode()).digest() for row in rows.to_list()]
    return pl.Series("leaf", digests, dtype=pl.Binary)
