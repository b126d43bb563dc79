"""Rows of the simulated log as exact record bytes, and one generation said in the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import polars as pl
from msgspec import Raw

__all__ = ["legacy_records", "to_current"]

ENCODER = msgspec.json.Encoder()
FIELDS = msgspec.json.Decoder(dict[str, Raw])
NULL = Raw(b"null")
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
DOCUMENTED = len(LEGACY)
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
    """Say legacy records in the current generation.

    Id, time, kind, sender, resource, other side, summary and metadata are the same in both. The
    tail of the real current record is not documented; ``metadata`` stands there, and so does any
    field a legacy record has beyond the documented ones. A record that names nobody gets the
    performer type SYSTEM. Values that are only passed on keep their exact text.

    Args:
        records: Exact bytes of legacy records.

    Returns:
        Exact bytes of current records, in the same order.

    Raises:
        msgspec.MsgspecError: A record is no JSON object.
    """
    people: dict[bytes, tuple[Raw, Raw, str]] = {}
    return [ENCODER.encode(current(FIELDS.decode(record), people)) for record in records]


def current(old: dict[str, Raw], people: dict[bytes, tuple[Raw, Raw, str]]) -> dict[str, Any]:
    """The current form of one legacy record; ``people`` remembers senders already said."""
    get = old.get
    sender = get("sender", NULL)
    if (person := people.get(bytes(sender))) is None:
        person = people[bytes(sender)] = performer(sender)
    resource, title, entity = (
        get("resource_id", NULL),
        get("resource_title", NULL),
        get("entity_id"),
    )
    thing = {"id": resource, "title": title, "name": title, "type": get("resource_type", NULL)}
    stamp, metadata = get("created_at", NULL), get("metadata", NULL)
    new = {
        "id": get("id", NULL),
        "parent_id": None,
        "activity_type": get("event", NULL),
        "performer_id": person[0],
        "performer_type": stated_performer(metadata) or person[2],
        "performer_metadata": person[1],
        "resource_id": resource,
        "resource_type": get("resource_type", NULL),
        "resource_metadata": thing,
        "related_resource_ids": [] if entity in (None, NULL) else [entity],
        "related_resource_type": get("entity_type", NULL),
        "event_blocks": blocks(get("short_summary", NULL), get("content", NULL), title),
        "logged_at": stamp,
        "created_at": stamp,
        "updated_at": stamp,
        "is_legacy": False,
        "version_history_id": get("entity_snapshot_key", NULL),
        "metadata": metadata,
    }
    return new if len(old) == DOCUMENTED else {**new, **undocumented_fields(old)}


def undocumented_fields(old: dict[str, Raw]) -> dict[str, Raw]:
    """Fields of a legacy record that are not documented."""
    known = {name for name, _ in LEGACY}
    return {name: value for name, value in old.items() if name not in known}


def performer(sender: Raw) -> tuple[Raw, Raw, str]:
    """Id, ``performer_metadata`` and performer type of a ``sender`` object."""
    if sender in (NULL, b"{}"):
        return NULL, NULL, "SYSTEM"
    fields = FIELDS.decode(sender)
    first, last = (text(fields.get(name, NULL)) for name in ("first_name", "last_name"))
    name = " ".join(part for part in (first, last) if part)
    machine = fields.get("email", NULL) == NULL and first in MACHINES
    metadata = Raw(ENCODER.encode({**fields, "name": name}))
    return fields.get("id", NULL), metadata, first.upper() if machine else "USER"


def stated_performer(metadata: Raw) -> str:
    """The performer type that simulated metadata states, if it does."""
    if b'"performer_type"' not in bytes(metadata) or not bytes(metadata).startswith(b"{"):
        return ""
    return text(FIELDS.decode(metadata).get("performer_type", NULL))


def text(raw: Raw) -> str:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, str) else ""


def blocks(summary: Raw, content: Raw, title: Raw) -> list[dict[str, str]]:
    """The summary in pieces; joined again they are the summary."""
    whole, name = text(summary) or text(content), text(title)
    before, found, after = whole.partition(name) if name else (whole, "", "")
    pieces = (("normal", before), ("bold", found), ("normal", after))
    return [{"type": "text", "style": style, "value": value} for style, value in pieces if value]
