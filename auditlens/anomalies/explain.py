"""What a reader needs to see of one sender: days, hours and the bands of the usual."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.counts import day_counts
from auditlens.anomalies.ledger import open_ledger
from auditlens.anomalies.windows import WINDOW
from auditlens.errors import UsageError

__all__ = ["baseline_bands", "hour_grid", "sender_timeline"]

COUNTS = ("events", "resources", "containers", "burst", "risky", *ACTION_GROUPS)


def of_sender(events: pl.DataFrame, sender_id: str) -> pl.DataFrame:
    held = events.filter(pl.col("sender_id") == sender_id)
    if not len(held):
        raise UsageError(f"No event has the sender {sender_id!r}", fix="Use an id of sender_days")
    return held


def sender_timeline(events: pl.DataFrame, sender_id: str, *, timezone: str = "UTC") -> pl.DataFrame:
    """One row a local day and group of action: ``day``, ``action_group``, ``events``, sorted."""
    local = pl.col("created_at").dt.convert_time_zone(timezone).dt.date()
    return (
        of_sender(events, sender_id)
        .group_by(day=local, action_group=pl.col("action_group").fill_null("unclassified"))
        .agg(events=pl.len().cast(pl.Int64))
        .sort("day", "action_group")
    )


def hour_grid(
    events: pl.DataFrame, sender_id: str, days: list[date], *, timezone: str = "UTC"
) -> pl.DataFrame:
    """All 168 hours of the week: ``weekday`` (1 = Monday), ``hour``, ``usual``, ``now``.

    ``usual`` counts the sender's events before the first of ``days``, ``now`` those on them.
    """
    local = pl.col("created_at").dt.convert_time_zone(timezone)
    placed = of_sender(events, sender_id).select(
        day=local.dt.date(), weekday=local.dt.weekday(), hour=local.dt.hour()
    )
    counted = placed.group_by("weekday", "hour").agg(
        usual=(pl.col("day") < min(days)).sum().cast(pl.Int64),
        now=pl.col("day").is_in(days).sum().cast(pl.Int64),
    )
    hours = pl.DataFrame({"hour": pl.int_range(24, dtype=pl.Int8, eager=True)})
    week = pl.DataFrame({"weekday": pl.int_range(1, 8, dtype=pl.Int8, eager=True)})
    grid = week.join(hours, how="cross").join(counted, on=["weekday", "hour"], how="left")
    return grid.fill_null(0).sort("weekday", "hour")


def baseline_bands(
    events: pl.DataFrame, sender_id: str, count: str = "events", *, timezone: str = "UTC"
) -> pl.DataFrame:
    """A count by active day, with the band of the 28 active days before it.

    Gives ``day``, ``value``, ``low`` (tenth part), ``typical`` (median), ``high`` (nine in ten);
    the band is null on the first day. ``count`` is events, resources, containers, burst, risky or
    a group of actions. Raises UsageError for an unknown sender or count.
    """
    if count not in COUNTS:
        raise UsageError(f"No count is called {count!r}", fix=f"Use one of {', '.join(COUNTS)}")
    held = of_sender(events, sender_id)
    until = held["created_at"].dt.offset_by("1us").max()
    assert until is not None
    days = day_counts(open_ledger(held, until=until, timezone=timezone))  # type: ignore[arg-type]
    values = days[count].to_numpy()
    bands = [band(values[max(0, at - WINDOW) : at]) for at in range(len(values))]
    return days.select(day=pl.col("d").cast(pl.Date), value=pl.col(count)).with_columns(
        pl.DataFrame(
            bands, schema=dict.fromkeys(("low", "typical", "high"), pl.Float64), orient="row"
        )
    )


def band(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    if not len(values):
        return None, None, None
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return float(low), float(middle), float(high)
