"""Surprise: minus the logarithm of how probable a thing was, from earlier days only.

Every surprise is a whole number of thousandths, so sums do not depend on the order of adding.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.ledger import NOTHING, Ledger
from auditlens.anomalies.windows import Ints

__all__ = ["day_pairs", "hour_surprise", "own_surprise", "summarise"]

STEPS = 1000
PRIOR = 2.0


def day_pairs(ledger: Ledger, key: str) -> pl.DataFrame:
    """One row a sender, day and value of ``key``: ``s``, ``d``, ``key``, ``n`` and the past.

    ``own`` and ``crowd`` count the value's earlier events by the sender and by everyone,
    ``own_all`` and ``crowd_all`` all their earlier events; ``first`` says the sender never had
    the value before. Sorted by the first three.
    """
    rows = ledger.rows.lazy().filter(pl.col(key) != NOTHING)
    pairs = rows.group_by("s", "d", key).agg(n=pl.len().cast(pl.Int64))
    crowd = pairs.group_by("d", key).agg(m=pl.col("n").sum()).sort(key, "d")
    days = pairs.group_by("s", "d").agg(m=pl.col("n").sum()).sort("s", "d")
    dates = pairs.group_by("d").agg(m=pl.col("n").sum()).sort("d")
    m = pl.col("m")
    joined = (
        pairs.sort("s", key, "d")
        .with_columns(own=pl.col("n").cum_sum().over("s", key) - pl.col("n"))
        .join(crowd.with_columns(crowd=m.cum_sum().over(key) - m).drop("m"), on=["d", key])
        .join(days.with_columns(own_all=m.cum_sum().over("s") - m).drop("m"), on=["s", "d"])
        .join(dates.with_columns(crowd_all=m.cum_sum() - m).drop("m"), on="d")
        .with_columns(first=pl.col("own") == 0)
        .sort("s", "d", key)
    )
    return joined.collect()


def own_surprise(pairs: pl.DataFrame, size: int) -> pl.Series:
    """-log P(value | sender), smoothed with everyone's habit; ``size`` values are known."""
    crowd = (pl.col("crowd") + 1) / (pl.col("crowd_all") + size + 1)
    own = (pl.col("own") + PRIOR * crowd) / (pl.col("own_all") + PRIOR)
    return pairs.select(x=(-own.log() * STEPS).round().cast(pl.Int64)).to_series()


def summarise(pairs: pl.DataFrame, surprise: pl.Series, name: str) -> pl.DataFrame:
    """Mean by event (``<name>_mean``) and largest (``<name>_max``) surprise a sender-day."""
    x = surprise.alias("x")
    return (
        pairs.select("s", "d", "n", x)
        .group_by("s", "d")
        .agg(
            (pl.col("x") * pl.col("n")).sum().floordiv(pl.col("n").sum()).alias(f"{name}_mean"),
            pl.col("x").max().alias(f"{name}_max"),
        )
    )


def hour_surprise(ledger: Ledger) -> pl.DataFrame:
    """How unusual the hours of each sender-day are.

    Gives ``s``, ``d``, ``hour_mean``, ``hour_max`` and ``odd_hour_events``: those in hours
    present on under 6 % of own earlier days.
    An hour counts as present with half the weight of its neighbours, so 9:59 and 10:01 are
    not strangers; working days and weekends are kept apart.
    """
    slot = pl.col("w") * 24 + pl.col("h")
    cells = ledger.rows.group_by("s", "d", slot=slot).agg(n=pl.len().cast(pl.Int64)).sort("s", "d")
    days = ledger.sender_days.with_row_index("row")
    at = cells.join(days, on=["s", "d"], maintain_order="left")
    row, column, n = (at[name].to_numpy() for name in ("row", "slot", "n"))
    if not len(days):
        return days.drop("row", "events").with_columns(
            hour_mean=pl.lit(0), hour_max=pl.lit(0), odd_hour_events=pl.lit(0)
        )
    present: Ints = np.zeros((len(days), 48), np.int64)
    present[row, column] = 4
    week = present.reshape(-1, 2, 24)
    week = week // 2 + np.roll(week, 1, axis=2) // 4 + np.roll(week, -1, axis=2) // 4
    active = week.any(axis=2).astype(np.int64)
    senders: Ints = days["s"].to_numpy().astype(np.int64)
    habit = earlier_sums(week.reshape(-1, 48), senders)[row, column]
    seen = earlier_sums(np.asarray(active, np.int64), senders)[row, column // 24]
    crowd = (week.reshape(-1, 48).sum(axis=0) + 1) / (2 * active.sum(axis=0).repeat(24) + 48)
    share = (habit / 2 + PRIOR * crowd[column]) / (seen + PRIOR)
    x = np.round(-np.log(np.minimum(share, 1)) * STEPS).astype(np.int64)
    odd = np.where(habit / 2 < 0.06 * seen, n, 0)
    return (
        pl.DataFrame({"row": row, "n": n, "x": x, "odd": odd})
        .group_by("row")
        .agg(
            hour_mean=(pl.col("x") * pl.col("n")).sum().floordiv(pl.col("n").sum()),
            hour_max=pl.col("x").max(),
            odd_hour_events=pl.col("odd").sum(),
        )
        .join(days.select("row", "s", "d"), on="row")
        .drop("row")
    )


def earlier_sums(values: Ints, groups: Ints) -> Ints:
    """Per column, the sum over the earlier rows of the same group (rows sorted by group)."""
    total: Ints = np.cumsum(values, axis=0) - values
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    before: Ints = np.repeat(total[starts], np.diff(np.r_[starts, len(groups)]), axis=0)
    return total - before
