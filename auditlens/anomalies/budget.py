"""Which sender-days become findings: a number a person can read, not a share of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["Candidates", "daily_places", "within_budget"]


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
    """Choose entries of one kind of subject.

    The highest days of each day get an entry. A subject gets one entry a week: its later days join
    that and leave their place to others.

    Args:
        models: The candidates of each model; the first model's come before the next one's.
        a_day: Entries a day.
        a_month: How many of the highest entries of each month stay.

    Returns:
        The key, ``day`` (the worst), ``days`` (list), ``score``, ``model``; first model first,
        highest score first.
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
    once = ranked(lead).unique([key, "day"], keep="first", maintain_order=True)
    once = once.sort("day", maintain_order=True)
    entries = (
        once.filter(daily_places(once, key, a_day))
        .sort("order", "score", key, "day", descending=[False, True, False, False])
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


def daily_places(days: pl.DataFrame, key: str, a_day: int) -> pl.Series:
    """Which rows of ``days`` (sorted by ``day``, then most unusual first) are shown.

    Each day has ``a_day`` places for subjects that have no entry in the week (from Monday) yet;
    a subject that has one joins it, if it stands before the last place is taken.
    """
    shown = np.zeros(len(days), np.bool_)
    subjects = days[key].to_list()
    runs = days.select(pl.col("day").dt.truncate("1w").alias("week"), "day").group_by(
        "week", "day", maintain_order=True
    )
    start, this_week, entered = 0, None, set[str]()
    for week, _, count in runs.len().iter_rows():
        if week != this_week:
            this_week, entered = week, set()
        places = a_day
        for row in range(start, start + count):
            if subjects[row] not in entered:
                if not places:
                    break
                places -= 1
                entered.add(subjects[row])
            shown[row] = True
        start += count
    return pl.Series("shown", shown)


def ranked(entries: pl.DataFrame) -> pl.DataFrame:
    """First model first, then by score; subject and day break ties."""
    return entries.sort(
        "order", "score", entries.columns[0], "day", descending=[False, True, False, False]
    )
