"""Which sender-days become findings: a number a person can read, not a share of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

__all__ = ["Candidates", "within_budget"]


@dataclass(frozen=True)
class Candidates:
    """Scored days of one model: ``subject`` (named by ``key``), ``day``, ``score``; and its gate.

    Days below ``gate`` are never shown, so a quiet month may show nothing.
    """

    model: str
    key: str
    days: pl.DataFrame
    gate: float


def within_budget(models: Sequence[Candidates], *, a_day: int, a_month: int) -> pl.DataFrame:
    """Choose entries from ``models`` of one kind of subject, the first model's before the next.

    The ``a_day`` highest of each day stay, a subject gets one entry a week with its days merged,
    and the ``a_month`` highest entries of each month stay. Returns the key, ``day`` (the worst),
    ``days`` (list), ``score``, ``model``; first model first, highest score first.
    """
    key = models[0].key
    lead = pl.concat(
        [
            each.days.filter(pl.col("score") >= each.gate)
            .select(key, "day", "score")
            .with_columns(order=pl.lit(number), model=pl.lit(each.model))
            for number, each in enumerate(models)
        ]
    )
    entries = (
        ranked(lead)
        .unique([key, "day"], keep="first", maintain_order=True)
        .filter(pl.int_range(pl.len()).over("day") < a_day)
        .with_columns(week=pl.col("day").dt.truncate("1w"))
        .group_by(key, "week", maintain_order=True)
        .agg(
            pl.col("day", "score", "order", "model").first(),
            days=pl.col("day").sort(),
        )
    )
    return (
        ranked(entries)
        .filter(pl.int_range(pl.len()).over(pl.col("day").dt.truncate("1mo")) < a_month)
        .select(key, "day", "days", "score", "model")
    )


def ranked(entries: pl.DataFrame) -> pl.DataFrame:
    """First model first, then by score; subject and day break ties."""
    return entries.sort(
        "order", "score", entries.columns[0], "day", descending=[False, True, False, False]
    )
