"""Draft events: who did which kind of thing to what and when, as numbers, before any wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

__all__ = ["DRAFT_SCHEMA", "draft", "join_drafts"]

DRAFT_SCHEMA: dict[str, pl.DataType] = {
    "at": pl.Int64(),
    "sender": pl.Int32(),
    "kind": pl.Int16(),
    "resource": pl.Int32(),
    "entity": pl.Int32(),
    "extra": pl.String(),
    "api": pl.Boolean(),
    "incident": pl.Int32(),
}
"""``at`` in microseconds of UTC; ``sender``, ``kind``, ``resource`` and ``entity`` are rows of the
cast, the vocabulary and the catalog's things (null: none); ``extra`` further members of the
record's ``metadata`` as JSON text without braces; ``incident`` the number of a planted incident."""


def draft(
    at: np.ndarray,
    sender: Any,
    kind: Any,
    resource: Any,
    *,
    entity: Any = -1,
    extra: str | Sequence[str] | None = None,
    api: Any = False,
    incident: int | None = None,
) -> pl.DataFrame:
    """Build draft events, one for each of ``at``; single values are repeated, -1 means none."""
    size = len(at)

    def rows(values: Any, dtype: pl.DataType) -> pl.Series:
        series = pl.Series(np.ascontiguousarray(np.broadcast_to(values, size))).cast(dtype)
        return series.set(series < 0, None) if size else series

    texts = [extra] * size if isinstance(extra, str) or extra is None else list(extra)
    return pl.DataFrame(
        {
            "at": pl.Series(np.asarray(at), dtype=pl.Int64),
            "sender": rows(sender, pl.Int32()),
            "kind": rows(kind, pl.Int16()),
            "resource": rows(resource, pl.Int32()),
            "entity": rows(entity, pl.Int32()),
            "extra": pl.Series(texts, dtype=pl.String),
            "api": pl.Series(np.ascontiguousarray(np.broadcast_to(api, size)), dtype=pl.Boolean),
            "incident": pl.Series([incident], dtype=pl.Int32).new_from_index(0, size),
        },
        schema=DRAFT_SCHEMA,
    )


def join_drafts(drafts: Sequence[pl.DataFrame], *, start: int, end: int) -> pl.DataFrame:
    """All drafts in order of time, cut to ``[start, end)`` (microseconds of UTC)."""
    whole = pl.concat(drafts) if drafts else pl.DataFrame(schema=DRAFT_SCHEMA)
    return whole.filter(pl.col("at").is_between(start, end, closed="left")).sort(
        "at", "sender", "kind", "resource", "entity", "extra", maintain_order=True
    )
