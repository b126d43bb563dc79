"""What a reader needs to see of senders: days, hours, bands of the usual, and months."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from auditlens.anomalies.baselines import WINDOW
from auditlens.anomalies.counts import day_counts
from auditlens.anomalies.encode import encode_events
from auditlens.errors import UsageError
from auditlens.events import ACTION_GROUPS

__all__ = [
    "BAND_COUNTS", "MONTH_COLUMNS", "MONTH_COUNTS", "baseline_bands", "hour_grid",
    "sender_months", "sender_timeline", "unusual_month",
]  # fmt: skip

BAND_COUNTS = ("events", "resources", "containers", "burst", "risky", *ACTION_GROUPS)
"""Counts of a day that have a band."""


def events_of_sender(events: pl.DataFrame, sender_id: str) -> pl.DataFrame:
    mine = events.filter(pl.col("sender_id") == sender_id)
    if not len(mine):
        raise UsageError(f"No event has the sender {sender_id!r}", fix="Use an id of sender_days")
    return mine


def sender_timeline(events: pl.DataFrame, sender_id: str, *, timezone: str = "UTC") -> pl.DataFrame:
    """Count a sender's events by day and group of action.

    Args:
        events: Event table (EVENT_SCHEMA, classified).
        sender_id: One of its senders.
        timezone: IANA name of the zone whose days and hours count.

    Returns:
        One row a local day and group: ``day``, ``action_group``, ``events``, sorted.

    Raises:
        UsageError: No event has that sender.
    """
    local = pl.col("created_at").dt.convert_time_zone(timezone).dt.date()
    return (
        events_of_sender(events, sender_id)
        .group_by(day=local, action_group=pl.col("action_group").fill_null("unclassified"))
        .agg(events=pl.len().cast(pl.Int64))
        .sort("day", "action_group")
    )


def hour_grid(
    events: pl.DataFrame, sender_id: str, days: list[date], *, timezone: str = "UTC"
) -> pl.DataFrame:
    """Count a sender's events by hour of the week, before some days and on them.

    Args:
        events: Event table (EVENT_SCHEMA, classified).
        sender_id: One of its senders.
        days: The days that are looked at.
        timezone: IANA name of the zone whose days and hours count.

    Returns:
        All 168 hours: ``weekday`` (1: Monday), ``hour``, ``usual`` (events before the first of
        ``days``), ``now`` (events on them).

    Raises:
        UsageError: No event has that sender.
    """
    local = pl.col("created_at").dt.convert_time_zone(timezone)
    placed = events_of_sender(events, sender_id).select(
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

    Args:
        events: Event table (EVENT_SCHEMA, classified).
        sender_id: One of its senders.
        count: One of BAND_COUNTS.
        timezone: IANA name of the zone whose days and hours count.

    Returns:
        ``day``, ``value``, ``low`` (10 % quantile), ``typical`` (median), ``high`` (90 %
        quantile); the band is null on the first day.

    Raises:
        UsageError: No event has that sender, or no count that name.
    """
    if count not in BAND_COUNTS:
        raise UsageError(
            f"No count is called {count!r}", fix=f"Use one of {', '.join(BAND_COUNTS)}"
        )
    mine = events_of_sender(events, sender_id)
    until = mine["created_at"].dt.offset_by("1us").max()
    assert until is not None
    days = day_counts(encode_events(mine, until=until, timezone=timezone))  # type: ignore[arg-type]
    values = days[count].to_numpy()
    bands = [band(values[max(0, at - WINDOW) : at]) for at in range(len(values))]
    return days.select(day=pl.col("day").cast(pl.Date), value=pl.col(count)).with_columns(
        pl.DataFrame(
            bands, schema=dict.fromkeys(("low", "typical", "high"), pl.Float64), orient="row"
        )
    )


def band(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    if not len(values):
        return None, None, None
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    return float(low), float(median), float(high)


MONTH_COUNTS = (
    "events", "read", "write", "export", "share", "permission", "delete", "admin", "risky",
    "sensitive", "sensitive_new", "sensitive_export", "new_resources", "new_containers",
    "new_kinds", "foreign_resources", "alien_resources", "odd_hour_events", "removed",
)  # fmt: skip
"""Counts of days that are added up over the month."""

MONTH_COLUMNS = {
    "score": "Risk score of the month: mean of its highest day and of its three highest days.",
    "rank": "Place among all accounts of the month; 1 is the most unusual.",
    "active": "Days with activity.",
    "high_days": "Days above the 95th percentile of all account-days of the month.",
    "score_max": "Highest daily score.",
    "score_mean": "Average daily score.",
    "identity_max": 'Highest "match with another account" score.',
}
"""Column to definition; the sums of MONTH_COUNTS stand beside them."""

HIGH_SHARE = 0.95
HIGHEST_DAYS = 3


def unusual_month(scores: pl.Expr) -> pl.Expr:
    """How unusual a month is: its worst day, and whether there were more like it.

    Args:
        scores: Scores of the days of one subject in one month.

    Returns:
        One number a group: the mean of the highest score and of the mean of the HIGHEST_DAYS
        highest.
    """
    highest = scores.sort(descending=True).head(HIGHEST_DAYS)
    return (highest.max() + highest.mean()) / 2


def sender_months(sender_days: pl.DataFrame) -> pl.DataFrame:
    """Add days up to calendar months.

    Args:
        sender_days: As in ``AnomalyOutcome``.

    Returns:
        One row a month and sender, sorted: ``month`` (its first day), ``sender_id``, the columns
        of MONTH_COLUMNS and the sums of MONTH_COUNTS. Only scored days give scores; a month without
        one has null.
    """
    score = pl.when(pl.col("state") == "scored").then(pl.col("score"))
    days = sender_days.with_columns(month=pl.col("day").dt.truncate("1mo"), score=score)
    high = pl.col("score") > pl.col("score").quantile(HIGH_SHARE, "higher").over("month")
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
    ranked = months.sort(order, descending=[False, True, False], nulls_last=True).with_columns(
        rank=pl.when(pl.col("score").is_not_null()).then(
            pl.int_range(1, pl.len() + 1).over("month")
        )
    )
    lead = ("month", "sender_id", "score", "rank")
    return ranked.select(*lead, pl.exclude(*lead)).sort("month", "sender_id")
