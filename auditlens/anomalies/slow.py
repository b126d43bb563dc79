"""Slow change: sums over two weeks, for what is small every single day."""

from __future__ import annotations

import numpy as np

from auditlens.anomalies.windows import Floats, Ints, log_counts, surge, trail

__all__ = [
    "FORTNIGHT", "WORKWEEK", "log_ratio_to_before", "recent_mean", "stretch_starts",
    "sum_of_days", "surge_of_days",
]  # fmt: skip

FORTNIGHT = 14
WORKWEEK = 5
EARLIER = 10


def stretch_starts(subject: Ints, day: Ints, *, days: int) -> Ints:
    """Per row, the first row of the same subject's last ``days`` calendar days."""
    line = subject * 1_000_000 + day
    return np.searchsorted(line, line - days + 1).astype(np.int64)


def sum_of_days(values: Ints, start: Ints) -> Ints:
    """Per row, the sum over the rows from ``start`` to it."""
    total = np.r_[0, np.cumsum(values)]
    return np.asarray(total[1:] - total[start], np.int64)


def log_ratio_to_before(values: Ints, sums: Ints, start: Ints, first: Ints, rows: Ints) -> Floats:
    """Log ratio of a fortnight's sum to what the ten active days before it promise, of ``rows``."""
    start = start[rows]
    low = np.maximum(start - EARLIER, first[rows])
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


def surge_of_days(sums: Ints, start: Ints, first: Ints, rows: Ints) -> Floats:
    """How far a row's sum of five days lies above the highest such sum before those days.

    In spreads of a Poisson count, for each of ``rows``; zero where fewer than ten active days came
    before. ``sums`` and ``start``, where the five days begin, are of all rows.
    """
    found = np.zeros(len(rows))
    # A sum of nothing is no surge, whatever came before.
    some = sums[rows] > 0
    before = trail(log_counts(sums), first, rows=start[rows[some]])
    found[some] = surge(sums[rows[some]], before)
    return found
