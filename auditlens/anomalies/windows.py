"""Trailing baselines: what the last active days of the same subject looked like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ENOUGH", "WINDOW", "Floats", "Ints", "Trail", "deviation", "first_rows", "highest_count",
    "log_counts", "stabilised", "surge", "trail", "trails",
]  # fmt: skip

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WINDOW = 28
"""How many earlier active days make a baseline."""

ENOUGH = 5
"""Below so many earlier active days there is no own baseline."""

SETTLED = 10
"""From so many days on the highest of them means something."""

CHUNK = 20_000
SLACK = 0.25
"""Added to every spread: a person who never varied may still do one thing more."""


@dataclass(frozen=True)
class Trail:
    """Per row, over the subject's last WINDOW active days before it.

    ``days`` counts them; ``median`` and ``mad`` describe the levels, ``high`` is the level that
    nine in ten of them do not exceed and ``highest`` the level that none exceeds.
    """

    days: Ints
    median: Floats
    mad: Floats
    high: Floats
    highest: Floats

    def at(self, rows: Ints | slice) -> Trail:
        """The same of some rows."""
        return Trail(
            self.days[rows], self.median[rows], self.mad[rows], self.high[rows], self.highest[rows]
        )

    def among(self, mine: NDArray[np.bool_]) -> Trail:
        """The same of more rows, of which these are ``mine``; the others get zeros, and no days."""
        found = Trail(*(np.zeros(len(mine), dtype) for dtype in (np.int64, *[np.float64] * 4)))
        for name, column in vars(self).items():
            getattr(found, name)[mine] = column
        return found


def first_rows(subjects: Ints) -> Ints:
    """For rows sorted by subject: the index of each row's subject's first row."""
    if not len(subjects):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, subjects[1:] != subjects[:-1]])
    return np.repeat(starts, np.diff(np.r_[starts, len(subjects)])).astype(np.int64)


def log_counts(values: Ints) -> Floats:
    """``log1p`` of counts: most are small, so each number's logarithm is taken once."""
    highest = int(values.max(initial=0))
    if highest > len(values):
        return np.log1p(values)
    return np.asarray(np.log1p(np.arange(highest + 1))[values], np.float64)


def trail(levels: Floats, first: Ints, *, rows: Ints | None = None, window: int = WINDOW) -> Trail:
    """What ``levels`` were over the subject's rows before each of ``rows`` (of every row)."""
    if rows is None:
        rows = np.arange(len(levels), dtype=np.int64)
    days = np.minimum(rows - first[rows], window)
    median, mad, high, highest = (np.zeros(len(rows)) for _ in range(4))
    padded = np.r_[np.full(window, np.inf), levels]
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        count = days[part]
        held = np.arange(window)[None, :] >= window - count[:, None]
        ordered = np.sort(np.where(held, windows[rows[part]], np.inf), axis=1)
        median[part] = middle(ordered, count)
        high[part] = place(ordered, count, np.ceil(0.9 * count).astype(np.int64) - 1)
        highest[part] = place(ordered, count, count - 1)
        with np.errstate(invalid="ignore"):
            away = np.where(np.isfinite(ordered), np.abs(ordered - median[part, None]), np.inf)
        mad[part] = middle(np.sort(away, axis=1), count)
    return Trail(days, median, mad, high, highest)


def trails(columns: Sequence[Floats], first: Ints, rows: Sequence[Ints]) -> list[Trail]:
    """``trail`` of each column, all at once: for few rows, the calls cost more than the work."""
    starts = len(first) * np.arange(len(columns))
    found = trail(
        np.concatenate(columns),
        (first + starts[:, None]).ravel(),
        rows=np.concatenate([start + each for start, each in zip(starts, rows, strict=True)]),
    )
    ends = np.cumsum([0, *map(len, rows)]).tolist()
    return [found.at(slice(*span)) for span in pairwise(ends)]


def place(ordered: Floats, count: Ints, at: Ints) -> Floats:
    """The value at place ``at`` of each row; 0 where the row counts nothing."""
    rows = np.arange(len(ordered))
    return np.where(count > 0, ordered[rows, np.maximum(at, 0)], 0.0)


def middle(ordered: Floats, count: Ints) -> Floats:
    """Median of the first ``count`` values of each row; 0 where there is none."""
    low = place(ordered, count, (count - 1) // 2)
    return (low + place(ordered, count, count // 2)) / 2


def deviation(levels: Floats, baseline: Trail) -> Floats:
    """How far each level lies above what the subject nearly never exceeds, in robust spreads.

    Measured from the high days, not from the median: weekly jobs and month ends are no news.
    Zero where there is no baseline.
    """
    away = (levels - baseline.high) / (1.4826 * baseline.mad + SLACK)
    return np.where(baseline.days >= ENOUGH, away, 0.0)


def surge(values: Ints, baseline: Trail) -> Floats:
    """How far a count lies above the highest baseline day, in spreads of a Poisson count.

    ``baseline`` is of ``log1p`` counts. Zero below SETTLED days.
    """
    over = stabilised(values) - stabilised(highest_count(baseline))
    return np.where(baseline.days >= SETTLED, np.maximum(over, 0.0), 0.0)


def highest_count(baseline: Trail) -> Ints:
    """The highest count of a baseline of ``log1p`` counts."""
    return np.round(np.expm1(baseline.highest)).astype(np.int64)


def stabilised(values: Ints) -> Floats:
    """Counts on the scale where a Poisson count has a spread of one, whatever its mean."""
    return np.asarray(2 * np.sqrt(values + 0.375), np.float64)
