"""Rows of the simulated log as exact record bytes, and one generation said in the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import polars as pl

__all__ = ["legacy_records", "to_current"]

ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder()
QUOTE = pl.lit('"')

LEGACY = (
    ("id", "id"),
    ("created_at", "created_at"),
    ("resource_id", "resource_id"),
    ("resource_title", "resource_title"),
    ("resource_type", "resource_type"),
    ("event", "event"),
    ("content", "content"),
    ("sender", None),
    ("metadata", None),
    ("short_summary", "summary"),
    ("short_summary_markdown", "summary_markdown"),
    ("subject", "subject"),
    ("entity_type", "entity_type"),
    ("entity_id", "entity_id"),
    ("entity_snapshot_key", "snapshot_key"),
)
MACHINES = ("Automation", "Monitor")


def legacy_records(events: pl.DataFrame, senders: pl.DataFrame) -> list[bytes]:
    """Render each row as a legacy record (compact JSON), in the order of the rows.

    The simulated words hold no quote, backslash or control character, so their text is put in
    quotes as it is.
    """
    named = senders.select(pl.col("id").alias("sender_id"), sender_json().alias("sender"))
    stamp = pl.col("created_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    wide = events.join(named, on="sender_id", how="left", maintain_order="left").with_columns(
        stamp.alias("created_at"), markdown().alias("summary_markdown")
    )
    parts: list[pl.Expr] = []
    for place, (name, column) in enumerate(LEGACY):
        parts.append(pl.lit(("," if place else "{") + f'"{name}":'))
        parts.append(quoted(column) if column else pl.col(name).fill_null("null"))
    text = pl.concat_str([*parts, pl.lit("}")])
    return wide.select(text.cast(pl.Binary).alias("record"))["record"].to_list()


def quoted(column: str) -> pl.Expr:
    return pl.concat_str(QUOTE, pl.col(column), QUOTE).fill_null("null")


def sender_json() -> pl.Expr:
    """The ``sender`` object of an account; what is no account has an id and a name only."""
    names = ("id", "email", "first_name", "last_name")
    members = [pl.concat_str(pl.lit(f'"{name}":'), quoted(name)) for name in names]
    joined = pl.concat_str(members, separator=",")
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))


def markdown() -> pl.Expr:
    bold = pl.concat_str(pl.lit("**"), pl.col("sender_name"), pl.lit("**"))
    return pl.concat_str(bold, "content", separator=" ", ignore_nulls=True)


def to_current(records: Iterable[bytes]) -> list[bytes]:
    """Say legacy records in the current generation, in order.

    Id, time, kind, sender, resource, other side, summary and metadata are the same in both. The
    tail of the real current record is not documented; ``metadata`` stands there, so that nothing
    of the legacy record's is lost. A record that names nobody gets the performer type SYSTEM.
    """
    return [ENCODER.encode(current(DECODER.decode(record))) for record in records]


def current(old: dict[str, Any]) -> dict[str, Any]:
    """The current form of one decoded legacy record."""
    sender = old.get("sender") or {}
    metadata = old.get("metadata")
    resource = old.get("resource_id")
    new: dict[str, Any] = {
        "id": old.get("id"),
        "parent_id": None,
        "activity_type": old.get("event"),
        "performer_id": sender.get("id"),
        "performer_type": performer_type(sender, metadata),
        "performer_metadata": {**sender, "name": full_name(sender)} if sender else None,
        "resource_id": resource,
        "resource_type": old.get("resource_type"),
        "resource_metadata": {
            "id": resource,
            "title": old.get("resource_title"),
            "name": old.get("resource_title"),
            "type": old.get("resource_type"),
        },
        "related_resource_ids": [] if old.get("entity_id") is None else [old["entity_id"]],
        "related_resource_type": old.get("entity_type"),
        "event_blocks": blocks(old),
        "logged_at": old.get("created_at"),
        "created_at": old.get("created_at"),
        "updated_at": old.get("created_at"),
        "is_legacy": False,
        "version_history_id": old.get("entity_snapshot_key"),
        "metadata": metadata,
    }
    return new


def performer_type(sender: dict[str, Any], metadata: Any) -> str:
    if isinstance(metadata, dict) and isinstance(metadata.get("performer_type"), str):
        return str(metadata["performer_type"])
    if not sender:
        return "SYSTEM"
    if sender.get("email") is None and sender.get("first_name") in MACHINES:
        return str(sender["first_name"]).upper()
    return "USER"


def full_name(sender: dict[str, Any]) -> str:
    return " ".join(part for part in (sender.get("first_name"), sender.get("last_name")) if part)


def blocks(old: dict[str, Any]) -> list[dict[str, Any]]:
    """The summary in pieces; joined again they are the summary."""
    summary = old.get("short_summary") or old.get("content") or ""
    title = old.get("resource_title")
    if not title or title not in summary:
        return [{"type": "text", "style": "normal", "value": summary}]
    before, _, after = summary.partition(title)
    pieces = (("normal", before), ("bold", title), ("normal", after))
    return [{"type": "text", "style": style, "value": value} for style, value in pieces if value]
