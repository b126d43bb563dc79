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

ABSENT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Trail:
    """Per row, over the subject's last WINDOW active days before it.

    ``days`` counts them; ``median`` and ``mad`` are of log(1 + value).
    """

    days: Ints
    median: Floats
    mad: Floats


def first_rows(subjects: Ints) -> Ints:
    """For rows sorted by subject: the index of each row's subject's first row."""
    if not len(subjects):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, subjects[1:] != subjects[:-1]])
    return np.repeat(starts, np.diff(np.r_[starts, len(subjects)])).astype(np.int64)


def trail(values: Ints, first: Ints, *, window: int = WINDOW) -> Trail:
    """Median and spread of whole numbers ``values`` over the rows before each row."""
    rows = np.arange(len(values), dtype=np.int64)
    days = np.minimum(rows - first, window)
    median, mad = np.zeros(len(values)), np.zeros(len(values))
    padded = np.r_[np.full(window, ABSENT), values]
    for chunk in np.array_split(rows, max(1, len(rows) // 20_000)):
        held = np.arange(window)[None, :] >= window - days[chunk, None]
        back = np.lib.stride_tricks.sliding_window_view(padded, window)[chunk]
        logs = np.where(held, np.log1p(np.where(held, back, 0)), np.inf)
        median[chunk] = middle(logs, days[chunk])
        away = np.where(held, np.abs(logs - median[chunk, None]), np.inf)
        mad[chunk] = middle(away, days[chunk])
    return Trail(days, median, mad)


def middle(values: Floats, count: Ints) -> Floats:
    """Median of the ``count`` finite values of each row; 0 where there is none."""
    if not len(values):
        return np.zeros(0)
    ordered = np.sort(values, axis=1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    return np.where(count > 0, (low + np.where(count > 0, high, low)) / 2, 0.0)


def deviation(values: Ints, baseline: Trail) -> Floats:
    """How far log(1 + value) lies above its own baseline, in robust spreads; 0 without one."""
    away = (np.log1p(values) - baseline.median) / (1.4826 * baseline.mad + 0.25)
    return np.where(baseline.days >= ENOUGH, away, 0.0)
