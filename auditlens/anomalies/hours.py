"""How unusual the hours of a sender-day are, by the sender's own hour-of-week habit."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.surprise import STEPS
from auditlens.anomalies.windows import Floats, Ints, first_rows

__all__ = ["SLOTS", "hour_cells", "hour_surprise", "presence"]

SLOTS = 48
PRIOR = 2.0
RARELY = 0.06


def hour_surprise(ledger: Ledger) -> pl.DataFrame:
    """Mean and largest surprise of the hours of each sender-day, and events at odd hours.

    Gives ``s``, ``d``, ``hour_mean``, ``hour_max`` and ``odd_hour_events``: those in hours
    present on under 6 % of own earlier days. An hour counts with half the weight of its
    neighbours, so 9:59 and 10:01 are not strangers; working days and weekends are kept apart.
    """
    row, slot, n = hour_cells(ledger)
    habit, seen, crowd = habits(ledger, row, slot)
    share = (habit[row, slot] / 4 + PRIOR * crowd) / (seen[row, slot // 24] + PRIOR)
    x = np.round(-np.log(np.minimum(share, 1)) * STEPS).astype(np.int64)
    odd = np.where(habit[row, slot] / 4 < RARELY * seen[row, slot // 24], n, 0)
    each = pl.DataFrame({"row": row.astype(np.uint32), "n": n, "x": x, "odd": odd})
    return (
        each.group_by("row")
        .agg(
            hour_mean=(pl.col("x") * pl.col("n")).sum() // pl.col("n").sum(),
            hour_max=pl.col("x").max(),
            odd_hour_events=pl.col("odd").sum(),
        )
        .join(ledger.sender_days.with_row_index("row").select("row", "s", "d"), on="row")
        .drop("row")
    )


def hour_cells(ledger: Ledger) -> tuple[Ints, Ints, Ints]:
    """Row of the sender-day, slot (hour of a workday or of a weekend day), and events in it."""
    cells = (
        ledger.rows.group_by("s", "d", slot=pl.col("w") * 24 + pl.col("h"))
        .agg(n=pl.len().cast(pl.Int64))
        .join(ledger.sender_days.with_row_index("row").select("row", "s", "d"), on=["s", "d"])
        .sort("row", "slot")
    )
    row, slot, n = (cells[name].to_numpy().astype(np.int64) for name in ("row", "slot", "n"))
    return row, slot, n


def habits(ledger: Ledger, row: Ints, slot: Ints) -> tuple[Ints, Ints, Floats]:
    """Earlier presence by slot (in quarters of a day), earlier days by kind of day.

    And of each pair of ``row`` and ``slot``, how much of earlier days everyone was present then.
    """
    days = presence(ledger.sender_days, row, slot)
    kept = ledger.past.tables["hours"]
    old = np.zeros((len(ledger.senders), SLOTS + 2), np.int64)
    old[kept["s"].to_numpy(), kept["slot"].to_numpy()] = kept["quarters"].to_numpy()
    senders, day = (ledger.sender_days[name].to_numpy() for name in ("s", "d"))
    own = earlier_sums(days, senders) + old[senders]
    at = np.unique(day, return_inverse=True)[1]
    everyone = daily_sums(days, at) + old.sum(axis=0)
    present, active = everyone[at[row], slot], everyone[at[row], SLOTS + slot // 24]
    return own[:, :SLOTS], own[:, SLOTS:] // 4, (present / 4 + 1) / (active / 4 + SLOTS)


def presence(days: pl.DataFrame, row: Ints, slot: Ints) -> Ints:
    """Per sender-day, quarters of presence in each slot, and 4 if it was a workday or weekend."""
    present = np.zeros((len(days), SLOTS), np.int64)
    present[row, slot] = 4
    week = present.reshape(-1, 2, 24)
    near = np.maximum(np.roll(week, 1, axis=2), np.roll(week, -1, axis=2)) // 2
    week = np.maximum(week, near)
    active = 4 * week.any(axis=2).astype(np.int64)
    return np.hstack([week.reshape(-1, SLOTS), active])


def daily_sums(values: Ints, day: Ints) -> Ints:
    """Per day (numbered from 0) and column, the sum over the rows of earlier days."""
    order = np.argsort(day, kind="stable")
    total = np.vstack([np.zeros_like(values[:1]), np.cumsum(values[order], axis=0)])
    return np.asarray(total[np.searchsorted(day[order], np.arange(day.max(initial=-1) + 1))])


def earlier_sums(values: Ints, senders: Ints) -> Ints:
    """Per column, the sum over the sender's earlier rows (rows sorted by sender)."""
    total = np.cumsum(values, axis=0) - values
    before: Ints = total[first_rows(senders)] if len(total) else total
    return np.asarray(total - before, np.int64)
