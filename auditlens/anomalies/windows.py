"""Trailing baselines: what the last active days of the same subject looked like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENOUGH", "WINDOW", "Floats", "Ints", "Trail", "deviation", "first_rows", "trail"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WINDOW = 28
"""How many earlier active days make a baseline."""

ENOUGH = 5
"""Below so many earlier active days there is no own baseline."""

SLACK = 0.25
"""Added to every spread: a person who never varied may still do one thing more."""


@dataclass(frozen=True)
class Trail:
    """Per row, over the subject's last WINDOW active days before it.

    ``days`` counts them; ``median`` and ``mad`` describe the levels, ``high`` is the level that
    nine in ten of them do not exceed.
    """

    days: Ints
    median: Floats
    mad: Floats
    high: Floats


def first_rows(subjects: Ints) -> Ints:
    """For rows sorted by subject: the index of each row's subject's first row."""
    if not len(subjects):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, subjects[1:] != subjects[:-1]])
    return np.repeat(starts, np.diff(np.r_[starts, len(subjects)])).astype(np.int64)


def trail(levels: Floats, first: Ints, *, window: int = WINDOW) -> Trail:
    """Median and spread of ``levels`` over the subject's rows before each row."""
    rows = np.arange(len(levels), dtype=np.int64)
    days = np.minimum(rows - first, window)
    median, mad, high = (np.zeros(len(levels)) for _ in range(3))
    padded = np.r_[np.full(window, np.inf), levels]
    for chunk in np.array_split(rows, max(1, len(rows) // 20_000)):
        held = np.arange(window)[None, :] >= window - days[chunk, None]
        back = np.lib.stride_tricks.sliding_window_view(padded, window)[chunk]
        ordered = np.sort(np.where(held, back, np.inf), axis=1)
        median[chunk] = middle(ordered, days[chunk])
        high[chunk] = nearly_highest(ordered, days[chunk])
        with np.errstate(invalid="ignore"):
            away = np.where(held, np.abs(back - median[chunk, None]), np.inf)
        mad[chunk] = middle(np.sort(away, axis=1), days[chunk])
    return Trail(days, median, mad, high)


def middle(ordered: Floats, count: Ints) -> Floats:
    """Median of the ``count`` finite values of each row; 0 where there is none."""
    rows = np.arange(len(ordered))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, ordered.shape[1] - 1)]
    return np.where(count > 0, (low + np.where(count > 0, high, low)) / 2, 0.0)


def nearly_highest(ordered: Floats, count: Ints) -> Floats:
    """The value that nine in ten of the first ``count`` of each row do not exceed."""
    rows = np.arange(len(ordered))
    place = np.maximum(np.ceil(0.9 * count).astype(np.int64) - 1, 0)
    return np.where(count > 0, ordered[rows, place], 0.0)


def deviation(levels: Floats, baseline: Trail) -> Floats:
    """How far each level lies above what the subject nearly never exceeds, in robust spreads.

    Measured from the high days, not from the median: weekly jobs and month ends are no news.
    Zero where there is no baseline.
    """
    away = (levels - baseline.high) / (1.4826 * baseline.mad + SLACK)
    return np.where(baseline.days >= ENOUGH, away, 0.0)
