"""The event table: one schema for every generation of record and every other log."""

from __future__ import annotations

import polars as pl

__all__ = ["EVENT_SCHEMA", "SENDER_KINDS", "empty_events"]

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
    """An event table without rows."""
    return pl.DataFrame(schema=EVENT_SCHEMA)
