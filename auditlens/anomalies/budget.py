"""Which sender-days become findings: a number a person can read, not a share of all rows."""

from __future__ import annotations

import polars as pl

__all__ = ["within_budget"]


def within_budget(
    days: pl.DataFrame, subject: str, *, gate: float, a_day: int, a_month: int
) -> pl.DataFrame:
    """Choose entries from scored ``days`` (``subject``, ``day``, ``score``).

    Candidates are the ``a_day`` highest scores of each day that reach ``gate``; a subject gets
    one entry a week with its days merged; the ``a_month`` highest entries of each month stay.
    Returns ``subject``, ``day`` (the worst), ``days`` (list), ``score``, highest score first.
    """
    candidates = (
        days.filter(pl.col("score") >= gate)
        .sort("day", "score", subject, descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("day") < a_day)
        .sort("score", "day", descending=[True, False], maintain_order=True)
    )
    return (
        candidates.with_columns(week=pl.col("day").dt.truncate("1w"))
        .group_by(subject, "week", maintain_order=True)
        .agg(pl.col("day").first(), days=pl.col("day").sort(), score=pl.col("score").first())
        .sort("score", subject, "day", descending=[True, False, False])
        .filter(pl.int_range(pl.len()).over(pl.col("day").dt.truncate("1mo")) < a_month)
        .drop("week")
    )
