"""Which scored days become findings: a number a person can read, not a share of all rows."""

from __future__ import annotations

import polars as pl

__all__ = ["within_budget"]


def within_budget(days: pl.DataFrame, gate: float, *, a_week: int, a_month: int) -> pl.DataFrame:
    """Choose entries of one kind of subject.

    Days below the gate are never shown, so a quiet month may show nothing. A subject has one entry
    a week (Monday to Sunday) with all its days above the gate. Of each week the highest entries
    stay, of those the highest of each month.

    Args:
        days: The subject's column, ``day`` and ``score``.
        gate: The score a day must reach.
        a_week: Entries a week at most.
        a_month: Entries a month at most.

    Returns:
        The subject's column, ``day`` (the worst), ``days`` (list) and ``score``; highest first.
    """
    subject = days.columns[0]
    entries = (
        days.filter(pl.col("score") >= gate)
        .sort("score", "day", descending=[True, False])
        .group_by(subject, pl.col("day").dt.truncate("1w").alias("week"), maintain_order=True)
        .agg(pl.col("day", "score").first(), days=pl.col("day").sort())
        .sort("score", subject, "day", descending=[True, False, False])
    )
    place = pl.int_range(pl.len())
    pooled = entries.filter(place.over("week") < a_week)
    return pooled.filter(place.over(pl.col("day").dt.truncate("1mo")) < a_month).select(
        subject, "day", "days", "score"
    )
