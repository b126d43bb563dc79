"""From exact record bytes to rows of the event table, with a reason for each one refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from auditlens.events.dates import parse_timestamps
from auditlens.events.json_repair import MAX_DEPTH, repair_json, within_limits
from auditlens.events.profile import Profile
from auditlens.events.schema import EVENT_SCHEMA, empty_events, sender_kind
from auditlens.events.secoda import secoda_rows

__all__ = ["NO_OBJECT", "UNTIMED", "Decoded", "Rejected", "decode_records"]

EXCERPT = 80
NO_OBJECT = "not a JSON object"
"""How the reason begins for a record that is no JSON object."""

UNTIMED = "no readable time of the event (created_at)"
"""The reason for a record without a time."""

Rows = tuple[list[int], pl.DataFrame, dict[int, str]]
"""Positions kept, their columns, and why the others are not."""


@dataclass(frozen=True)
class Rejected:
    """A record that is no row.

    Attributes:
        index: Its position in the input.
        reason: Why it is none.
        excerpt: Its first characters, in ASCII.
    """

    index: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Decoded:
    """What records became.

    Attributes:
        events: Rows in the order of the input (EVENT_SCHEMA), not classified yet.
        rejected: Records that are no rows.
        repaired: How many rows had damaged text, which is read as ``repair_json`` says.
    """

    events: pl.DataFrame
    rejected: tuple[Rejected, ...]
    repaired: int = 0


def decode_records(
    records: Sequence[bytes],
    *,
    source: str = "",
    profile: Profile | None = None,
    leaves: Sequence[bytes] | None = None,
) -> Decoded:
    """Decode records of a Secoda log (both generations), or of another log by its profile.

    Never raises on what a record holds. A damaged record is repaired and read; its leaf is that
    of the bytes as given. A record without id gets ``sha256:`` and the hash of its bytes.

    Args:
        records: The exact bytes of each record.
        source: Fills the column of that name.
        profile: The profile of another log; None or one without columns reads Secoda's.
        leaves: The SHA-256 (32 bytes) of each record, where the caller has them already.

    Returns:
        The rows, and each record that is no JSON object or has no readable time, with its reason.
    """
    kept, frame, refused = rows_of(records, profile)
    some = 0
    if refused:
        kept, frame, refused, some = with_repaired(records, profile, (kept, frame, refused))
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
        refused[kept[row]] = UNTIMED
    if unread.any():
        frame = frame.filter(~unread)
    if frame["id"].null_count():
        named = pl.lit("sha256:") + pl.col("leaf").bin.encode("hex")
        frame = frame.with_columns(pl.coalesce("id", named).alias("id"))
    frame = frame.with_columns(
        sender_kind().alias("sender_kind"),
        pl.lit(None, pl.String).alias("action"),
        pl.lit(None, pl.String).alias("action_group"),
        pl.lit(None, pl.String).alias("action_basis"),
    )
    table = frame.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())
    return Decoded(table, refusals(records, refused), some)


def rows_of(records: Sequence[bytes], profile: Profile | None) -> Rows:
    """Positions kept, columns, and reasons, of records as they are."""
    if profile is not None and profile.columns:
        return profile.rows(records)
    kept, frame, refused = secoda_rows(records)
    metadata = within_limits(frame["metadata"], MAX_DEPTH - 1)
    return kept, frame.with_columns(metadata), refused


def with_repaired(
    records: Sequence[bytes], profile: Profile | None, read: Rows
) -> tuple[list[int], pl.DataFrame, dict[int, str], int]:
    """The rows read, joined by those that can be read once repaired, in input order."""
    kept, frame, refused = read
    bad = list(refused)
    again, more, _ = rows_of([repair_json(records[index]) for index in bad], profile)
    if not again:
        return kept, frame, refused, 0
    found = [bad[index] for index in again]
    for index in found:
        del refused[index]
    whole = [*kept, *found]
    order = sorted(range(len(whole)), key=whole.__getitem__)
    joined = pl.concat([frame, more])[order] if kept else more
    return [whole[place] for place in order], joined, refused, len(found)


def refusals(records: Sequence[bytes], refused: dict[int, str]) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(index, reason, ascii(records[index][:EXCERPT].decode("utf-8", "replace"))[1:-1])
        for index, reason in sorted(refused.items())
    )
