"""Hours of the day or of the week: which of them hold hardly any of an account's activity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Calendar", "hour_tails", "with_slots"]

Reals = NDArray[np.float64]

HOLIDAY = 7 * 24
"""Slot of the first hour of holidays, after those of the week."""

TIE = 1e-9
"""Shares of hours that differ by less, in proportion, are equally likely."""


@dataclass(frozen=True)
class Calendar:
    """Whose hours and days count: an IANA zone, and the days in it without ordinary work."""

    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()

    @property
    def local(self) -> pl.Expr:
        """The local time of the column ``time`` (microseconds since 1970)."""
        instant = pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC")
        return instant.dt.convert_time_zone(self.timezone)

    @property
    def day(self) -> pl.Expr:
        """The local ``day`` of the column ``time``."""
        return self.local.dt.date().alias("day")


def with_slots(table: pl.DataFrame, calendar: Calendar, *, weekly: bool) -> pl.DataFrame:
    """Add the local ``day`` and the ``slot``: the hour, by weekday when ``weekly``.

    Hours of holidays are slots of their own: no ordinary day makes them usual.
    """
    local = calendar.local
    slot = local.dt.hour().cast(pl.Int64)
    if weekly:
        slot = slot + (local.dt.weekday().cast(pl.Int64) - 1) * 24
    table = table.with_columns(slot.alias("slot"), calendar.day)
    if not calendar.holidays:
        return table
    free = pl.col("day").is_in(sorted(calendar.holidays))
    return table.with_columns(pl.when(free).then(pl.col("slot") % 24 + HOLIDAY).otherwise("slot"))


def hour_tails(
    active: pl.DataFrame,
    asked: pl.DataFrame,
    groups: list[str],
    *,
    weekly: bool,
    history: int | None,
    spread: float,
    weight: float,
) -> pl.DataFrame:
    """How much of a group's activity falls into an hour and all those that are no likelier.

    The profile is of distinct days and hours before the day in question, smoothed by a circular
    Gaussian kernel and shrunk to everyone's profile: with counts c, kernel K and everyone's
    shares q, the shares are (cK + weight q) / (sum(c) + weight).

    Args:
        active: Distinct ``day`` and ``slot`` of every group (columns ``groups``).
        asked: The same columns: the days and slots to judge.
        groups: Names of the key columns; none = everything is one group.
        weekly: Slots are hours of the week, else of the day.
        history: Days that count, in days before the day; None = all before it.
        spread: Standard deviation of the kernel in hours.
        weight: How many slots of the own profile weigh as much as everyone's profile.

    Returns:
        ``asked`` with ``tail`` (Float64, 0 to 1), in another order.
    """
    free = bool((active.get_column("slot") >= HOLIDAY).any())
    rings = [HOLIDAY if weekly else 24, *([24] if free else [])]
    slots = [*range(rings[0]), *range(HOLIDAY, HOLIDAY + 24 * free)]
    pairs = asked.select(*groups, "day").unique().sort(*groups, "day")
    pairs = pairs.with_row_index("pair").with_columns(pl.col("pair").cast(pl.Int64))
    kernel = circular_kernels(rings, spread)
    own = counts_before(active, pairs, groups, slots, history)
    total = own.sum(axis=1, keepdims=True)
    crowd = counts_before(active, pairs, [], slots, history)
    everyone = (crowd @ kernel + 1e-12) / (crowd @ kernel + 1e-12).sum(axis=1, keepdims=True)
    shares = (own @ kernel + weight * everyone) / (total + weight)
    questions = asked.join(pairs, on=[*groups, "day"], maintain_order="left")
    at = np.searchsorted(np.array(slots), questions.get_column("slot").to_numpy())
    which = questions.get_column("pair").to_numpy()
    mine = shares[which, at][:, None]
    rows = shares[which]
    tail = np.where(rows <= mine * (1 + TIE), rows, 0.0).sum(axis=1)
    return questions.drop("pair").with_columns(pl.Series("tail", tail, pl.Float64))


def circular_kernels(rings: Sequence[int], spread: float) -> Reals:
    """A matrix that smooths counts around each ring of slots; its rows sum to one."""
    whole = np.zeros((sum(rings), sum(rings)))
    start = 0
    for size in rings:
        steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        steps = np.minimum(steps, size - steps)
        one = np.exp(-0.5 * (steps / spread) ** 2)
        whole[start : start + size, start : start + size] = one / one.sum(axis=1, keepdims=True)
        start += size
    return whole


def counts_before(
    active: pl.DataFrame,
    pairs: pl.DataFrame,
    groups: list[str],
    slots: Sequence[int],
    history: int | None,
) -> Reals:
    """Active days (of any group, without ``groups`` summed over all) by pair and slot."""
    keys = [*groups, "slot"]
    daily = active.group_by(*keys, "day").agg(pl.len().cast(pl.Int64).alias("count"))
    daily = daily.sort(*keys, "day").with_columns(pl.col("count").cum_sum().over(keys))
    daily = daily.sort("day")
    cells = pairs.join(pl.DataFrame({"slot": slots}), how="cross")

    def until(days_back: int) -> Reals:
        # Up to the day before: the asof join takes the last day that is not later.
        last = pl.col("day") - pl.duration(days=1 + days_back)
        found = (
            cells.with_columns(last)
            .sort("day", "pair", "slot")
            .join_asof(daily, on="day", by=keys, check_sortedness=False)
        )
        counts = found.sort("pair", "slot").get_column("count").fill_null(0)
        return counts.to_numpy().astype(np.float64).reshape(pairs.height, len(slots))

    return until(0) if history is None else until(0) - until(history)
