"""A sender's month: what its days add up to, and how unusual the month was."""

from __future__ import annotations

import polars as pl

__all__ = ["MONTH_COLUMNS", "MONTH_COUNTS", "sender_months", "unusual_month"]

MONTH_COUNTS = (
    "events", "read", "write", "export", "share", "permission", "delete", "admin", "risky",
    "sensitive", "sensitive_new", "sensitive_export", "new_resources", "new_containers",
    "new_kinds", "foreign_resources", "alien_resources", "odd_hour_events", "removed",
)  # fmt: skip
"""Counts of days that are added up over the month."""

MONTH_COLUMNS = {
    "score": "mean of the highest score of a day and the mean of the three highest",
    "rank": "1 is the most unusual sender of the month",
    "active": "active days",
    "high_days": "days that score above the 95 % day of all senders of the month",
    "score_max": "highest score of a day",
    "score_mean": "mean score of the days",
    "identity_max": "highest identity score of a day",
}
"""Column to definition; the sums of MONTH_COUNTS stand beside them."""

HIGH = 0.95
HIGHEST_DAYS = 3


def unusual_month(scores: pl.Expr) -> pl.Expr:
    """How unusual a month is: its worst day, and whether there were more like it."""
    highest = scores.sort(descending=True).head(HIGHEST_DAYS)
    return (highest.max() + highest.mean()) / 2


def sender_months(sender_days: pl.DataFrame) -> pl.DataFrame:
    """One row a sender and calendar month of ``AnomalyOutcome.sender_days``.

    ``month`` (its first day), ``sender_id``, the columns of MONTH_COLUMNS and the sums of
    MONTH_COUNTS. Only scored days give scores; a month without one has null. Sorted by month and
    sender.
    """
    score = pl.when(pl.col("state") == "scored").then(pl.col("score"))
    days = sender_days.with_columns(month=pl.col("day").dt.truncate("1mo"), score=score)
    high = pl.col("score") > pl.col("score").quantile(HIGH, "higher").over("month")
    months = (
        days.with_columns(high=high)
        .group_by("month", "sender_id")
        .agg(
            unusual_month(pl.col("score").drop_nulls()).round(6).alias("score"),
            active=pl.len().cast(pl.Int64),
            high_days=pl.col("high").sum().cast(pl.Int64),
            score_max=pl.col("score").max(),
            score_mean=pl.col("score").drop_nulls().sort().mean().round(6),
            identity_max=pl.col("identity_score").max(),
            **{name: pl.col(name).sum() for name in MONTH_COUNTS if name in days.columns},
        )
    )
    order = ["month", "score", "sender_id"]
    placed = months.sort(order, descending=[False, True, False], nulls_last=True).with_columns(
        rank=pl.when(pl.col("score").is_not_null()).then(
            pl.int_range(1, pl.len() + 1).over("month")
        )
    )
    lead = ("month", "sender_id", "score", "rank")
    return placed.select(*lead, pl.exclude(*lead)).sort("month", "sender_id")
