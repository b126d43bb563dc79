"""The listings of a directory as frames: exact columns whatever the server wrote.

The vendor's samples write null and false as the words *None* and *False*, and hold ids sometimes
as text and sometimes as objects; here each column has one type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from auditlens.events.timestamps import parse_timestamps

__all__ = ["LISTINGS", "read_listing"]

NOTHING = ("", "none", "null")
MOMENT = pl.Datetime("us", "UTC")
TEXTS = pl.List(pl.String)
LONGEST = 2_000


def text(value: Any) -> str | None:
    """Text or a number as text; the vendor's *None* is no text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return None if str(value).strip().lower() in NOTHING else str(value)[:LONGEST]


def lowered(value: Any) -> str | None:
    found = text(value)
    return None if found is None else found.strip().lower()


def flag(value: Any) -> bool | None:
    """A truth, also when it is written as a word or as 0 or 1; None for anything else."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())


def idents(value: Any) -> list[str]:
    """Ids of a list whose members are ids or objects with one, sorted, each once."""
    members = value if isinstance(value, list) else []
    found = (text(one.get("id") if isinstance(one, dict) else one) for one in members)
    return sorted({one for one in found if one is not None})


LISTINGS: Mapping[str, Mapping[str, tuple[pl.DataType, str, Callable[[Any], Any]]]] = {
    "users": {
        "id": (pl.String(), "id", text),
        "email": (pl.String(), "email", text),
        "first_name": (pl.String(), "first_name", text),
        "last_name": (pl.String(), "last_name", text),
        "role": (pl.String(), "role", lowered),
        "pending": (pl.Boolean(), "pending", flag),
        "disabled": (pl.Boolean(), "disabled", flag),
        "last_login": (MOMENT, "last_login", text),
        "is_service_account": (pl.Boolean(), "is_service_account", flag),
        "groups": (TEXTS, "user_groups", idents),
    },
    "groups": {
        "id": (pl.String(), "id", text),
        "name": (pl.String(), "name", text),
        "description": (pl.String(), "description", text),
        "users": (TEXTS, "users", idents),
    },
    "teams": {
        "id": (pl.String(), "id", text),
        "name": (pl.String(), "name", text),
        "type": (pl.String(), "type", lowered),
        "archived": (pl.Boolean(), "archived", flag),
    },
    "tags": {
        "id": (pl.String(), "id", text),
        "name": (pl.String(), "name", text),
        "description": (pl.String(), "description", text),
    },
    "resources": {
        "id": (pl.String(), "id", text),
        "title": (pl.String(), "title", text),
        "entity_type": (pl.String(), "entity_type", lowered),
        "native_type": (pl.String(), "native_type", lowered),
        "parent_id": (pl.String(), "parent_id", text),
        "integration_id": (pl.String(), "integration_id", text),
        "pii": (pl.Boolean(), "pii", flag),
        "verified": (pl.Boolean(), "verified", flag),
        "published": (pl.Boolean(), "published", flag),
        "archived": (pl.Boolean(), "archived", flag),
        "owners": (TEXTS, "owners", idents),
        "tags": (TEXTS, "tags", idents),
        "teams": (TEXTS, "teams", idents),
    },
}
"""Of each listing its columns: type, the record's field, and how that is read."""


def read_listing(name: str, records: Sequence[bytes]) -> pl.DataFrame:
    """The records of one listing as a frame, one row an id, sorted by it.

    A record that is no object or has no id is left out: a directory adds to the log, and nothing
    rests on it alone. Of records that share an id the last counts.
    """
    columns = LISTINGS[name]
    rows: dict[str, tuple[Any, ...]] = {}
    for record in records:
        try:
            found = msgspec.json.decode(record)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        ident = text(found.get("id")) if isinstance(found, dict) else None
        if ident is not None:
            rows[ident] = tuple(read(found.get(field)) for _, field, read in columns.values())
    raw = {
        column: pl.String() if dtype == MOMENT else dtype for column, (dtype, *_) in columns.items()
    }
    frame = pl.DataFrame([rows[ident] for ident in sorted(rows)], schema=raw, orient="row")
    moments = [column for column, (dtype, *_) in columns.items() if dtype == MOMENT]
    return frame.with_columns(parse_timestamps(frame[column]) for column in moments)
