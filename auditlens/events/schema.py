"""The event table: its columns, the kinds of sender, and the hash of a record's content."""

from __future__ import annotations

import re
from hashlib import sha256

import msgspec
import polars as pl

from auditlens.events.json_repair import JSON_ERRORS

__all__ = [
    "EVENT_SCHEMA",
    "SENDER_KINDS",
    "VENDOR_DOMAINS",
    "content_hash",
    "empty_events",
    "sender_kind",
]

EVENT_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "created_at": pl.Datetime("us", "UTC"),
    "event": pl.String(),
    "action": pl.String(),
    "action_group": pl.String(),
    "action_basis": pl.String(),
    "sender_id": pl.String(),
    "sender_email": pl.String(),
    "sender_name": pl.String(),
    "sender_kind": pl.String(),
    "resource_id": pl.String(),
    "resource_title": pl.String(),
    "resource_type": pl.String(),
    "entity_type": pl.String(),
    "entity_id": pl.String(),
    "related_ids": pl.List(pl.String()),
    "content": pl.String(),
    "summary": pl.String(),
    "subject": pl.String(),
    "metadata": pl.String(),
    "parent_id": pl.String(),
    "snapshot_key": pl.String(),
    "generation": pl.String(),
    "source": pl.String(),
    "leaf": pl.Binary(),
}
"""Column name to dtype, in order. ``id``, ``created_at`` and ``leaf`` are never null.

``created_at`` is when it happened, in UTC, to the microsecond. ``event`` is the source's own
kind of event; ``action`` and ``action_group`` are ours (null = unclassified), ``action_basis`` is
how the action was found (profile, specific, entity, content, generic, unknown). ``metadata`` is
JSON text, byte for byte as it was sent; top-level fields of a record that no column holds are
added to it. ``leaf`` is the SHA-256 (32 bytes) of the exact record bytes.
"""

SENDER_KINDS = ("user", "api", "system", "automation", "monitor", "integration", "unknown")
"""Every value of ``sender_kind``."""


def empty_events() -> pl.DataFrame:
    """An event table without rows.

    Returns:
        The columns of EVENT_SCHEMA, of their dtypes.
    """
    return pl.DataFrame(schema=EVENT_SCHEMA)


VENDOR_DOMAINS = ("secoda.co", "secoda.com")
"""Mail domains of the vendor, whose scheduler appears as an ordinary viewer."""

VENDOR = rf"(?i)@({'|'.join(map(re.escape, VENDOR_DOMAINS))})\s*$"

PERFORMERS = {
    "user": "user",
    "api": "api",
    "api_key": "api",
    "system": "system",
    "scheduler": "system",
    "automation": "automation",
    "monitor": "monitor",
    "integration": "integration",
    "extension": "integration",
}
NAMES = ("system", "automation", "monitor", "integration", "api")


def sender_kind() -> pl.Expr:
    """Kind of sender (SENDER_KINDS) of a frame with sender columns and ``performer_type``.

    The vendor's own addresses and rows that name nobody are ``system``; the performer type
    decides next; a sender without address that is called Automation or Monitor is one; who has
    an address or an id is a ``user``.
    """
    vendor = pl.col("sender_email").str.contains(VENDOR)
    performer = pl.col("performer_type").str.to_lowercase()
    name = pl.col("sender_name").str.to_lowercase().str.strip_chars()
    nobody = pl.all_horizontal(
        pl.col("sender_id", "sender_email", "sender_name", "performer_type").is_null()
    )
    return (
        pl.when(nobody | vendor)
        .then(pl.lit("system"))
        .when(performer.is_not_null())
        .then(performer.replace_strict(PERFORMERS, default="unknown", return_dtype=pl.String))
        .when(pl.col("sender_email").is_null() & name.is_in(NAMES))
        .then(name)
        .when(pl.col("sender_email").is_not_null() | pl.col("sender_id").is_not_null())
        .then(pl.lit("user"))
        .otherwise(pl.lit("unknown"))
    )


# Numbers keep the text they were written in: two texts of one float are two contents.
DECODER = msgspec.json.Decoder(float_hook=lambda text: ["number", text])
ENCODER = msgspec.json.Encoder(order="sorted")


def content_hash(raw: bytes) -> bytes:
    """Hash of what a record says, the same for other spacing and order of its keys.

    Args:
        raw: Exact bytes of the record. What is no JSON, or nested too deep, counts by these bytes.

    Returns:
        16 bytes of a SHA-256. An absent field and null give the same.
    """
    try:
        said = DECODER.decode(raw)
        if isinstance(said, dict):
            said = {name: value for name, value in said.items() if value is not None}
        text = ENCODER.encode(said)
    except JSON_ERRORS:
        text = raw
    return sha256(text).digest()[:16]
