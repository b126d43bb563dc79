"""Slow change: sums over two weeks, for what is small every single day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditlens.anomalies.windows import Floats, Ints, surge, trail

__all__ = [
    "FORTNIGHT", "WORKWEEK", "log_ratio_to_before", "recent_mean", "sum_of_days", "surge_of_days",
]  # fmt: skip

FORTNIGHT = 14
WORKWEEK = 5
EARLIER = 10


def sum_of_days(values: Ints, subject: Ints, day: Ints, *, days: int = FORTNIGHT) -> Ints:
    """Per row, the sum over the same subject's last ``days`` calendar days, this one included."""
    line = subject * 1_000_000 + day
    total = np.r_[0, np.cumsum(values)]
    start = np.searchsorted(line, line - days + 1)
    return np.asarray(total[1:] - total[start], np.int64)


def log_ratio_to_before(values: Ints, sums: Ints, subject: Ints, day: Ints, first: Ints) -> Floats:
    """Log ratio of a fortnight's sum to what the ten active days before it promise."""
    rows = np.arange(len(values))
    line = subject * 1_000_000 + day
    start = np.searchsorted(line, line - FORTNIGHT + 1)
    low = np.maximum(start - EARLIER, first)
    total = np.r_[0, np.cumsum(values)]
    before, days = total[start] - total[low], start - low
    active = rows - start + 1
    expected = before * active / np.maximum(days, 1)
    ratio = np.log((sums + 1.0) / (expected + 1.0))
    return np.asarray(np.where(days >= 5, ratio, 0.0), np.float64)


def recent_mean(z: Floats, first: Ints, *, days: int = 5) -> Floats:
    """Mean of the last ``days`` active days' deviations, each clipped to 0..5."""
    steps = np.round(np.clip(z, 0, 5) * 1000).astype(np.int64)
    total = np.r_[0, np.cumsum(steps)]
    rows = np.arange(len(z))
    start = np.maximum(rows - days + 1, first)
    return np.asarray((total[rows + 1] - total[start]) / (1000.0 * days), np.float64)


def surge_of_days(
    values: Ints, subject: Ints, day: Ints, first: Ints, *, only: NDArray[np.bool_] | None = None
) -> Floats:
    """How far the last five days' sum lies above the highest such sum before those days.

    In spreads of a Poisson count; zero where fewer than ten active days came before. ``only``
    marks the rows that need an answer.
    """
    line = subject * 1_000_000 + day
    start = np.searchsorted(line, line - WORKWEEK + 1)
    sums = sum_of_days(values, subject, day, days=WORKWEEK)
    needed = np.zeros(len(values), np.bool_)
    needed[start if only is None else start[only]] = True
    return surge(sums, trail(np.log1p(sums), first, only=needed).at(start))
