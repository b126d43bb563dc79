"""High days: what nearly all days of the closest colleagues, or of a kind of resource, reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditlens.anomalies.peers import Sparse
from auditlens.anomalies.windows import Ints

__all__ = ["BASELINE_DAYS", "HighDays"]

BASELINE_DAYS = 28
HIGH = 0.95


def edges() -> Ints:
    """Whole numbers up to 32 one by one, then steps of 12 %."""
    wide = np.round(32 * 1.12 ** np.arange(1, 120)).astype(np.int64)
    return np.concatenate([np.arange(33, dtype=np.int64), wide])


EDGES = edges()


class HighDays:
    """Histograms of days by who had them, read week by week.

    ``s`` and ``d`` code subject and day, ``counts`` has one array a count, in the same order;
    ``found`` holds each count's high day, which ``share`` of the days do not exceed; -1 where
    there is none.
    """

    def __init__(self, s: Ints, d: Ints, counts: dict[str, Ints], *, share: float = HIGH) -> None:
        self.share = share
        self.order = np.argsort(d, kind="stable")
        self.s, self.d = s[self.order], d[self.order]
        self.bins = {
            name: np.searchsorted(EDGES, values[self.order], side="right") - 1
            for name, values in counts.items()
        }
        self.found = {name: np.full(len(s), -1, np.int64) for name in counts}

    def read(self, week: int, linked: Sparse, known: NDArray[np.bool_]) -> None:
        """Fill in the high day for the days of ``week``.

        ``linked`` is a matrix of zeros and ones: whose earlier four weeks count for whom.
        """
        people = len(known)
        start = week * 7 - 3
        low, here, after = np.searchsorted(self.d, [start - BASELINE_DAYS, start, start + 7])
        width = len(EDGES)
        now = self.s[here:after]
        for name, bins in self.bins.items():
            cell = self.s[low:here] * width + bins[low:here]
            days = np.bincount(cell, minlength=people * width).reshape(people, width)
            pooled = np.cumsum(linked @ days, axis=1)
            high = (pooled < np.ceil(self.share * pooled[:, -1:])).sum(axis=1)
            values = np.where(known & (pooled[:, -1] > 0), EDGES[np.minimum(high, width - 1)], -1)
            self.found[name][self.order[here:after]] = values[now]
