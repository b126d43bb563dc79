"""From features in their own units to numbers a forest can compare, people and services apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditlens.anomalies.windows import Floats

__all__ = ["FEWEST", "Scaler", "fit_scaler"]

CLIP = 50.0
FEWEST = 50
"""A population with fewer rows is scaled together with everyone."""


@dataclass(frozen=True)
class Scaler:
    """Median and spread a feature, for people (row 0) and services (row 1)."""

    median: Floats
    spread: Floats

    def deviations(self, raw: Floats, service: NDArray[np.bool_]) -> Floats:
        """Robust deviations, clipped at ±50; ``raw`` is rows x features."""
        which = service.astype(np.int64)
        away = (raw - self.median[which]) / self.spread[which]
        return np.clip(away, -CLIP, CLIP)

    def scaled(self, raw: Floats, service: NDArray[np.bool_]) -> NDArray[np.float32]:
        """log1p of the deviations above the median: what the forest splits on.

        Below the median everything is zero: doing less than usual is no finding, and a forest
        that can split there finds quiet days unusual.
        """
        return np.log1p(np.maximum(self.deviations(raw, service), 0)).astype(np.float32)


def fit_scaler(raw: Floats, service: NDArray[np.bool_]) -> Scaler:
    """Learn median and spread of each population; rows must be in canonical order."""
    median = np.empty((2, raw.shape[1]))
    spread = np.empty((2, raw.shape[1]))
    for which in (0, 1):
        rows = raw[service == bool(which)]
        rows = rows if len(rows) >= FEWEST else raw
        median[which], spread[which] = centre(rows)
    # Schedules vary so little that a handful of services would make any change look extreme.
    spread[1] = np.maximum(spread[1], spread[0])
    return Scaler(np.round(median, 6), np.round(spread, 6))


def centre(rows: Floats) -> tuple[Floats, Floats]:
    """Median and 1.4826·MAD by column.

    Most novelty counts are zero on most days, so their MAD is zero; their mean deviation
    stands in, and a constant column gets a spread of one.
    """
    median = np.median(rows, axis=0)
    away = np.abs(rows - median)
    spread = 1.4826 * np.median(away, axis=0)
    spread = np.where(spread > 0, spread, 1.2533 * away.mean(axis=0))
    return median, np.where(spread > 1e-9, spread, 1.0)
