"""The listings of a directory as frames: exact columns whatever the server wrote.

The vendor's samples write null and false as the words *None* and *False*, and hold ids sometimes
as text and sometimes as objects; here each column has one type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from auditlens.events import parse_timestamps

__all__ = ["LISTINGS", "read_listing"]

NOTHING = ("", "none", "null")
MOMENT = pl.Datetime("us", "UTC")
TEXTS = pl.List(pl.String)
LONGEST = 2_000
BETWEEN = "\x1f"
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


DECODER = msgspec.json.Decoder()


def text(value: Any) -> str | None:
    """Text or a number as text; the vendor's *None* is no text."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    said = str(value)
    # No longer text can be one of the short words.
    return None if len(said) < 9 and said.strip().lower() in NOTHING else said[:LONGEST]


def lowered(value: Any) -> str | None:
    found = text(value)
    return None if found is None else found.strip().lower()


def flag(value: Any) -> bool | None:
    """A truth, also when it is written as a word or as 0 or 1; None for anything else."""
    if value is None or isinstance(value, bool):
        return value
    return TRUTHS.get(str(value).strip().lower())


def idents(value: Any) -> str | None:
    """Ids of a list whose members are ids or objects with one, sorted, each once, as one text.

    A column of lists is split from texts in one go; made of lists it takes ten times as long.
    """
    if not value or not isinstance(value, list):
        return None
    found = (text(one.get("id") if isinstance(one, dict) else one) for one in value)
    return BETWEEN.join(sorted({one.replace(BETWEEN, " ") for one in found if one is not None}))


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
    """The records of one listing as a frame.

    A record that is no object or has no id is left out: a directory adds to the log, and nothing
    rests on it alone. Of records that share an id the last counts.

    Args:
        name: A key of LISTINGS.
        records: Exact bytes (JSON) of each record.

    Returns:
        One row an id, sorted by it, with the columns and dtypes of ``LISTINGS[name]``; what a
        record lacks is null.
    """
    columns = LISTINGS[name]
    readers = [(field, read) for _, field, read in columns.values()]
    rows: dict[str, tuple[Any, ...]] = {}
    for record in records:
        try:
            found = DECODER.decode(record)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        ident = text(found.get("id")) if isinstance(found, dict) else None
        if ident is not None:
            rows[ident] = tuple([read(found.get(field)) for field, read in readers])
    # By column: Polars builds a frame of rows several times slower.
    found_columns = zip(*(rows[ident] for ident in sorted(rows)), strict=True)
    values = dict(zip(columns, found_columns, strict=True)) if rows else {}
    return pl.DataFrame(
        [column_of(name, values.get(name, ()), dtype) for name, (dtype, *_) in columns.items()]
    )


def column_of(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """A column in its type, from what its reader gave."""
    if dtype == MOMENT:
        return parse_timestamps(pl.Series(name, values, pl.String))
    if dtype != TEXTS:
        return pl.Series(name, values, dtype)
    joined = pl.Series(name, values, pl.String).to_frame()
    nothing = pl.lit([], TEXTS)
    held = pl.when(pl.col(name) != "").then(pl.col(name).str.split(BETWEEN)).otherwise(nothing)
    return joined.select(held).to_series()
