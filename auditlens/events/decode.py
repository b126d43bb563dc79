"""From exact record bytes to rows of the event table, with a reason for each one refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from auditlens.events.columns import EVENT_SCHEMA, empty_events
from auditlens.events.profile import Profile
from auditlens.events.secoda import secoda_rows
from auditlens.events.sender import sender_kind
from auditlens.events.timestamps import parse_timestamps

__all__ = ["Decoded", "Rejected", "decode_records"]

EXCERPT = 80


@dataclass(frozen=True)
class Rejected:
    """A record that is no row: its position in the input, why, and its first characters."""

    index: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Decoded:
    """Rows (EVENT_SCHEMA, ``action`` and ``action_group`` null, input order) and refusals."""

    events: pl.DataFrame
    rejected: tuple[Rejected, ...]


def decode_records(
    records: Sequence[bytes],
    *,
    source: str = "",
    profile: Profile | None = None,
    leaves: Sequence[bytes] | None = None,
) -> Decoded:
    """Decode records of a Secoda log (both generations), or of another log by its profile.

    ``source`` fills the column of that name; ``leaves`` are the SHA-256 of each record, where
    the caller has them already. A record that is no JSON object or has no readable time is
    refused with its reason; its neighbours are kept. A record without id gets ``sha256:`` and
    the hash of its bytes. Never raises on what a record holds.
    """
    if profile is not None and profile.columns:
        kept, frame, refused = profile.rows(records)
    else:
        kept, frame, refused = secoda_rows(records)
    if not kept:
        return Decoded(empty_events(), refusals(records, refused))
    if leaves is None:
        leaves = [hashlib.sha256(record).digest() for record in records]
    if len(kept) < len(records):
        leaves = [leaves[index] for index in kept]
    frame = frame.with_columns(
        parse_timestamps(frame["created_at"]).alias("created_at"),
        pl.Series("leaf", leaves, dtype=pl.Binary),
        pl.lit(source).alias("source"),
    )
    unread = frame["created_at"].is_null()
    for row in unread.arg_true().to_list():
        refused[kept[row]] = "no readable time of the event (created_at)"
    if unread.any():
        frame = frame.filter(~unread)
    if frame["id"].null_count():
        named = pl.lit("sha256:") + pl.col("leaf").bin.encode("hex")
        frame = frame.with_columns(pl.coalesce("id", named).alias("id"))
    frame = frame.with_columns(
        sender_kind().alias("sender_kind"),
        pl.lit(None, pl.String).alias("action"),
        pl.lit(None, pl.String).alias("action_group"),
    )
    table = frame.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())
    return Decoded(table, refusals(records, refused))


def refusals(records: Sequence[bytes], refused: dict[int, str]) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(index, reason, ascii(records[index][:EXCERPT].decode("utf-8", "replace"))[1:-1])
        for index, reason in sorted(refused.items())
    )
