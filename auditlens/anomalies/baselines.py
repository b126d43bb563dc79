"""Baselines from earlier days alone: a subject's trailing days, windows of days, a group's weeks.

Medians and spreads are robust: MAD is the median absolute deviation, times 1.4826 the spread of a
normal distribution (Hampel 1974).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies._arrays import Floats, Ints, Sparse
from auditlens.anomalies.encode import week_of

__all__ = [
    "BASELINE_DAYS", "ENOUGH_DAYS", "FORTNIGHT", "WINDOW", "WORKWEEK", "TrailingBaseline",
    "WeeklyQuantile", "anscombe", "highest_count", "log_counts", "log_ratio_to_before",
    "poisson_z", "recent_mean", "robust_deviation", "trailing_baseline", "trailing_baselines",
    "window_poisson_z", "window_starts", "window_sums",
]  # fmt: skip

WINDOW = 28
"""How many earlier active days make a baseline."""

ENOUGH_DAYS = 5
"""Below so many earlier active days there is no own baseline."""

SETTLED_DAYS = 10
"""From so many days on the highest of them means something."""

CHUNK = 20_000
SLACK = 0.25
"""Added to every spread: a person who never varied may still do one thing more."""


@dataclass(frozen=True)
class TrailingBaseline:
    """Per row, over the subject's last WINDOW active days before it.

    ``days`` counts them; ``median`` and ``mad`` describe the levels, ``high`` is the level that
    nine in ten of them do not exceed and ``highest`` the level that none exceeds.
    """

    days: Ints
    median: Floats
    mad: Floats
    high: Floats
    highest: Floats

    def take(self, rows: Ints | slice) -> TrailingBaseline:
        """The baselines of some rows."""
        return TrailingBaseline(*(column[rows] for column in vars(self).values()))

    def spread_out(self, rows: NDArray[np.bool_]) -> TrailingBaseline:
        """Baselines of more rows: these are of ``rows``; the others get zeros, and no days."""
        wide = TrailingBaseline(
            *(np.zeros(len(rows), dtype) for dtype in (np.int64, *[np.float64] * 4))
        )
        for name, column in vars(self).items():
            getattr(wide, name)[rows] = column
        return wide


def log_counts(values: Ints) -> Floats:
    """``log1p`` of counts: most are small, so each number's logarithm is taken once."""
    highest = int(values.max(initial=0))
    if highest > len(values):
        return np.log1p(values)
    return np.asarray(np.log1p(np.arange(highest + 1))[values], np.float64)


def trailing_baseline(
    levels: Floats, first: Ints, *, rows: Ints | None = None, window: int = WINDOW
) -> TrailingBaseline:
    """What levels were over the days of the same subject before some rows.

    Args:
        levels: One level a subject and active day, sorted by subject and day.
        first: Per row, the first row of its subject.
        rows: The rows that get a baseline; None: every row.
        window: How many active days before a row count.

    Returns:
        One baseline for each of ``rows``.
    """
    if rows is None:
        rows = np.arange(len(levels), dtype=np.int64)
    days = np.minimum(rows - first[rows], window)
    median, mad, high, highest = (np.zeros(len(rows)) for _ in range(4))
    padded = np.r_[np.full(window, np.inf), levels]
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        count = days[part]
        inside = np.arange(window)[None, :] >= window - count[:, None]
        ordered = np.sort(np.where(inside, windows[rows[part]], np.inf), axis=1)
        median[part] = row_medians(ordered, count)
        high[part] = order_statistic(ordered, count, np.ceil(0.9 * count).astype(np.int64) - 1)
        highest[part] = order_statistic(ordered, count, count - 1)
        with np.errstate(invalid="ignore"):
            away = np.where(np.isfinite(ordered), np.abs(ordered - median[part, None]), np.inf)
        mad[part] = row_medians(np.sort(away, axis=1), count)
    return TrailingBaseline(days, median, mad, high, highest)


def trailing_baselines(
    columns: Sequence[Floats], first: Ints, rows: Sequence[Ints]
) -> list[TrailingBaseline]:
    """``trailing_baseline`` of each column at once: for few rows, calls cost more than the work."""
    starts = len(first) * np.arange(len(columns))
    baseline = trailing_baseline(
        np.concatenate(columns),
        (first + starts[:, None]).ravel(),
        rows=np.concatenate([start + each for start, each in zip(starts, rows, strict=True)]),
    )
    ends = np.cumsum([0, *map(len, rows)]).tolist()
    return [baseline.take(slice(*span)) for span in pairwise(ends)]


def order_statistic(ordered: Floats, count: Ints, at: Ints) -> Floats:
    """The value at place ``at`` of each sorted row; 0 where the row counts nothing."""
    rows = np.arange(len(ordered))
    return np.where(count > 0, ordered[rows, np.maximum(at, 0)], 0.0)


def row_medians(ordered: Floats, count: Ints) -> Floats:
    """Median of the first ``count`` values of each sorted row; 0 where there is none."""
    low = order_statistic(ordered, count, (count - 1) // 2)
    return (low + order_statistic(ordered, count, count // 2)) / 2


def robust_deviation(levels: Floats, baseline: TrailingBaseline) -> Floats:
    """How far each level lies above what the subject nearly never exceeds, in robust spreads.

    Measured from the high days, not from the median: weekly jobs and month ends are no news.
    Zero where there is no baseline.
    """
    away = (levels - baseline.high) / (1.4826 * baseline.mad + SLACK)
    return np.where(baseline.days >= ENOUGH_DAYS, away, 0.0)


def poisson_z(values: Ints, baseline: TrailingBaseline) -> Floats:
    """How far a count lies above the highest baseline day, in spreads of a Poisson count.

    ``baseline`` is of ``log1p`` counts. Zero below SETTLED_DAYS days.
    """
    over = anscombe(values) - anscombe(highest_count(baseline))
    return np.where(baseline.days >= SETTLED_DAYS, np.maximum(over, 0.0), 0.0)


def highest_count(baseline: TrailingBaseline) -> Ints:
    """The highest count of a baseline of ``log1p`` counts."""
    return np.round(np.expm1(baseline.highest)).astype(np.int64)


def anscombe(values: Ints) -> Floats:
    """Counts on the scale where a Poisson count has a spread of one, whatever its mean.

    The variance-stabilising transform of Anscombe (1948).
    """
    return np.asarray(2 * np.sqrt(values + 0.375), np.float64)


FORTNIGHT = 14
"""Calendar days over which what is small every single day adds up."""

WORKWEEK = 5
DAYS_BEFORE = 10
"""Active days before a fortnight that say what it promised."""


def window_starts(subject: Ints, day: Ints, *, days: int) -> Ints:
    """Per row, the first row of the same subject's last ``days`` calendar days."""
    line = subject * 1_000_000 + day
    return np.searchsorted(line, line - days + 1).astype(np.int64)


def window_sums(values: Ints, start: Ints) -> Ints:
    """Per row, the sum over the rows from ``start`` to it."""
    total = np.r_[0, np.cumsum(values)]
    return np.asarray(total[1:] - total[start], np.int64)


def log_ratio_to_before(values: Ints, sums: Ints, start: Ints, first: Ints, rows: Ints) -> Floats:
    """Log ratio of a fortnight's sum to what the ten active days before it promise, of ``rows``."""
    start = start[rows]
    low = np.maximum(start - DAYS_BEFORE, first[rows])
    total = np.r_[0, np.cumsum(values)]
    before, days = total[start] - total[low], start - low
    active = rows - start + 1
    expected = before * active / np.maximum(days, 1)
    ratio = np.log((sums[rows] + 1.0) / (expected + 1.0))
    return np.asarray(np.where(days >= 5, ratio, 0.0), np.float64)


def recent_mean(z: Floats, first: Ints, *, days: int = 5) -> Floats:
    """Mean of the last ``days`` active days' deviations, each clipped to 0..5."""
    steps = np.round(np.clip(z, 0, 5) * 1000).astype(np.int64)
    total = np.r_[0, np.cumsum(steps)]
    rows = np.arange(len(z))
    start = np.maximum(rows - days + 1, first)
    return np.asarray((total[rows + 1] - total[start]) / (1000.0 * days), np.float64)


def window_poisson_z(sums: Ints, start: Ints, first: Ints, rows: Ints) -> Floats:
    """How far a row's sum of five days lies above the highest such sum before those days.

    In spreads of a Poisson count, for each of ``rows``; zero where fewer than ten active days came
    before. ``sums`` and ``start``, where the five days begin, are of all rows.
    """
    z = np.zeros(len(rows))
    # A sum of nothing is no surge, whatever came before.
    some = sums[rows] > 0
    before = trailing_baseline(log_counts(sums), first, rows=start[rows[some]])
    z[some] = poisson_z(sums[rows[some]], before)
    return z


BASELINE_DAYS = 28
"""Calendar days before a week whose days make its quantile."""

HIGH_SHARE = 0.95
SINGLE_BINS = 32
"""Up to this number every value has a bin of its own."""


def bin_edges() -> Ints:
    """Whole numbers one by one, then steps of 12 %."""
    wide = np.round(SINGLE_BINS * 1.12 ** np.arange(1, 120)).astype(np.int64)
    return np.concatenate([np.arange(SINGLE_BINS + 1, dtype=np.int64), wide])


BIN_EDGES = bin_edges()


class WeeklyQuantile:
    """The high day of groups of subjects, week by week: what ``share`` of earlier days reach.

    Args:
        days: Code of the ``subject``, ``day`` and ``counts`` of the days that are compared.
        before: The same of earlier days.
        subject: Name of the subject's column.
        counts: Names of the counts.
        share: Share of earlier days that do not exceed the quantile.
        kept: The quantiles of the first week that is filled, where they are known: a row a
            subject.

    Attributes:
        values: By count, the quantile for each row of ``days``; -1 where there is none.
        last_week: The quantiles of the last week that was filled, a row a subject.
    """

    def __init__(
        self,
        days: pl.DataFrame,
        before: pl.DataFrame,
        subject: str,
        counts: tuple[str, ...],
        *,
        share: float = HIGH_SHARE,
        kept: pl.DataFrame | None = None,
    ) -> None:
        self.days, self.before, self.subject, self.share = days, before, subject, share
        self.kept, self.last_week = kept, pl.DataFrame()
        week = week_of(days["day"]).to_numpy()
        self.order = np.argsort(week, kind="stable")
        self.week = week[self.order]
        self.values = {name: np.full(len(days), -1, np.int64) for name in counts}

    def fill_week(self, week: int, linked: Sparse, eligible: NDArray[np.bool_]) -> None:
        """Fill in the quantile for the days of ``week``.

        ``linked`` is a matrix of zeros and ones: whose earlier four weeks count for whom.
        Subjects that are not ``eligible`` get none.
        """
        if self.kept is None:
            high = self.quantiles_of(week, linked, eligible)
        else:
            high = {name: np.full(len(eligible), -1, np.int64) for name in self.values}
            for name, levels in high.items():
                levels[self.kept[self.subject].to_numpy()] = self.kept[name].to_numpy()
        low, after = np.searchsorted(self.week, [week, week + 1])
        rows = self.order[low:after]
        subjects = self.days[self.subject].to_numpy()[rows]
        for name, levels in high.items():
            self.values[name][rows] = levels[subjects]
        self.kept = None
        codes = np.arange(len(eligible), dtype=np.int32)
        self.last_week = pl.DataFrame({self.subject: codes, **high})

    def quantiles_of(
        self, week: int, linked: Sparse, eligible: NDArray[np.bool_]
    ) -> dict[str, Ints]:
        """The quantile of each count in ``week``, by subject."""
        subjects, days, bins = self.histogram
        start = week * 7 - 3
        low, here = np.searchsorted(days, [start - BASELINE_DAYS, start])
        size, width = len(eligible), len(BIN_EDGES)
        high = {}
        for name in self.values:
            cell = subjects[low:here] * width + bins[name][low:here]
            own = np.bincount(cell, minlength=size * width).reshape(size, width)
            pooled = np.cumsum(linked @ own, axis=1)
            at = (pooled < np.ceil(self.share * pooled[:, -1:])).sum(axis=1)
            some = eligible & (pooled[:, -1] > 0)
            high[name] = np.where(some, BIN_EDGES[np.minimum(at, width - 1)], -1)
        return high

    @cached_property
    def histogram(self) -> tuple[Ints, Ints, dict[str, Ints]]:
        """Subject, day and bins of all days, in the order of days."""
        columns = (self.subject, "day", *self.values)
        # Reached only where a week is not known, and then few kept days are read.
        since = 7 * int(self.week.min(initial=0)) - 3 - BASELINE_DAYS
        before = self.before.filter(pl.col("day") >= since)
        both = pl.concat([before.select(columns), self.days.select(columns)])
        subject, day = (both[name].to_numpy().astype(np.int64) for name in (self.subject, "day"))
        order = np.argsort(day, kind="stable")
        bins = {name: bin_numbers(both[name].to_numpy())[order] for name in self.values}
        return subject[order], day[order], bins


def bin_numbers(values: Ints) -> Ints:
    """The place of the last edge that is not above each value; most values are edges."""
    bins, many = values.astype(np.int64), np.flatnonzero(values > SINGLE_BINS)
    bins[many] = np.searchsorted(BIN_EDGES, values[many], side="right") - 1
    return bins
