"""Accounts whose days, added up over a month, match another account rather than themselves.

A single day seldom tells one person from another; many days that lean the same way do.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Floats

__all__ = ["REFERENCE", "SPAN", "THRESHOLD", "day_deviations", "identity_entries", "summed_days"]

REFERENCE = 90
"""Days before a day with whose identity scores its own is compared."""

SPAN = 30
"""Days over which deviations are added up, and for which an account that was told stays quiet."""

LEAST_DAYS = 3
"""Fewer scored days within SPAN say nothing."""

THRESHOLD = 2.5
"""Sum over the root of its number of days from which an account is told.

On three real streams 132 accounts were switched with another for 30 days each: 68 % reach 2.5 and
75 % reach 2.2. In months without a switch .6 and 1.0 findings per 100 account-days come of it; with
those of single days 2.7 and 3.1, and 3 is what a reader is promised at most."""

LOWEST, HIGHEST = -2.0, 3.5
"""Bounds of one day's deviation, so that no single day makes the sum."""

EVIDENCE = 1.0
"""Deviation above which a day is shown as evidence."""


def day_deviations(days: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """How far each day's identity score lies from the middle of all days before it.

    The place of the score among the reference days of the 90 days before (ties count half), as a
    quantile of the standard normal distribution, clipped to -2..3.5.

    Args:
        days: ``sender_id``, ``day`` and ``identity_score`` of the days to judge.
        reference: The same columns of the days to compare with, of all accounts.

    Returns:
        ``days`` sorted by ``sender_id`` and ``day`` with ``z`` (Float64, six decimals); null where
        there are fewer than three reference days.
    """
    from scipy.special import ndtri  # heavy: loaded where needed

    ordered = reference.sort("day", "identity_score")
    when = ordered["day"].to_numpy()
    scores = ordered["identity_score"].to_numpy()
    judged = days.sort("sender_id", "day")
    place = np.full(len(judged), np.nan)
    at, own = judged["day"].to_numpy(), judged["identity_score"].to_numpy()
    for day in np.unique(at):
        low, high = np.searchsorted(when, [day - np.timedelta64(REFERENCE, "D"), day])
        before = np.sort(scores[low:high])
        if len(before) >= LEAST_DAYS:
            rows = at == day
            place[rows] = middle_place(before, own[rows])
    z = np.round(np.clip(ndtri(place), LOWEST, HIGHEST), 6)
    return judged.with_columns(z=pl.Series(z).fill_nan(None))


def middle_place(before: Floats, scores: Floats) -> Floats:
    """Place of each score among sorted ones, in 0..1 and never at an end; ties count half."""
    low = np.searchsorted(before, scores, side="left")
    high = np.searchsorted(before, scores, side="right")
    place: Floats = ((low + high) / 2 + 0.5) / (len(before) + 1)
    return place


def summed_days(judged: pl.DataFrame) -> pl.DataFrame:
    """The sum of an account's deviations over 30 days, by the root of their number.

    Args:
        judged: ``sender_id``, ``day``, ``z``, sorted by these.

    Returns:
        One row a day with a deviation: ``sender_id``, ``day``, ``sum`` (null below three days),
        ``scored`` (days in the span), ``evidence`` (days above EVIDENCE, else the highest) and
        ``worst`` (the highest).
    """
    z, on = pl.col("z"), pl.col("on")
    worst = on.filter(z == z.max()).first()
    evidence = on.filter(z > EVIDENCE)
    return (
        judged.filter(z.is_not_null())
        .with_columns(on="day")
        .rolling("day", period=f"{SPAN}d", group_by="sender_id")
        .agg(
            pl.when(pl.len() >= LEAST_DAYS).then((z.sum() / pl.len().sqrt()).round(6)).alias("sum"),
            scored=pl.len().cast(pl.Int64),
            evidence=evidence,
            worst=worst,
        )
        .with_columns(
            evidence=pl.when(pl.col("evidence").list.len() > 0)
            .then("evidence")
            .otherwise(pl.concat_list("worst"))
        )
    )


def identity_entries(judged: pl.DataFrame, first: date, *, a_month: int) -> pl.DataFrame:
    """Choose the accounts that are told: once an account and 30 days, the highest sums first.

    Args:
        judged: ``sender_id``, ``day``, ``z``, from SPAN days before ``first`` and the SPAN before
            those on: an account told of then stays quiet in the period's first days.
        first: First day of the period.
        a_month: Entries a month at most.

    Returns:
        ``sender_id``, ``day`` (the evidence day that deviates most), ``days`` (the evidence),
        ``score`` (the sum), ``scored`` (days added up) and ``until`` (the last of them); highest
        sum first.
    """
    reached = summed_days(judged).filter(
        pl.col("sum") >= THRESHOLD, pl.col("day") >= first - timedelta(days=SPAN)
    )
    told, last = [], dict[str, date]()
    for sender, day in reached.select("sender_id", "day").iter_rows():
        quiet = sender in last and day < last[sender] + timedelta(days=SPAN)
        told.append(not quiet)
        if not quiet:
            last[sender] = day
    entries = reached.filter(pl.Series(told, dtype=pl.Boolean)).filter(pl.col("day") >= first)
    entries = entries.sort("sum", "sender_id", "day", descending=[True, False, False])
    month = pl.col("day").dt.truncate("1mo")
    return entries.filter(pl.int_range(pl.len()).over(month) < a_month).select(
        "sender_id",
        day="worst",
        days="evidence",
        score="sum",
        scored="scored",
        until="day",
    )
