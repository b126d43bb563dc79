"""High days: what nearly all days of the closest colleagues, or of a kind of resource, reach."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies.pairs import week_of
from auditlens.anomalies.peers import Sparse
from auditlens.anomalies.windows import Ints

__all__ = ["BASELINE_DAYS", "HighDays"]

BASELINE_DAYS = 28
HIGH = 0.95


SINGLE = 32
"""Up to this number every value has a bin of its own."""


def edges() -> Ints:
    """Whole numbers one by one, then steps of 12 %."""
    wide = np.round(SINGLE * 1.12 ** np.arange(1, 120)).astype(np.int64)
    return np.concatenate([np.arange(SINGLE + 1, dtype=np.int64), wide])


EDGES = edges()


class HighDays:
    """The high days of subjects, week by week: what ``share`` of earlier days do not exceed.

    ``days`` has codes of the ``subject``, ``d`` and ``counts``; ``before`` has the same of earlier
    days. ``kept`` holds the high days of the first week that is read, where they are known: a row
    a subject. ``found`` has each count's high day by row of ``days``, and ``last`` those of the
    last week by subject; -1 where there is none.
    """

    def __init__(
        self,
        days: pl.DataFrame,
        before: pl.DataFrame,
        subject: str,
        counts: tuple[str, ...],
        *,
        share: float = HIGH,
        kept: pl.DataFrame | None = None,
    ) -> None:
        self.days, self.before, self.subject, self.share = days, before, subject, share
        self.kept, self.last = kept, pl.DataFrame()
        week = week_of(days["d"]).to_numpy()
        self.order = np.argsort(week, kind="stable")
        self.week = week[self.order]
        self.found = {name: np.full(len(days), -1, np.int64) for name in counts}

    def read(self, week: int, linked: Sparse, known: NDArray[np.bool_]) -> None:
        """Fill in the high day for the days of ``week``.

        ``linked`` is a matrix of zeros and ones: whose earlier four weeks count for whom.
        """
        if self.kept is None:
            high = self.levels(week, linked, known)
        else:
            high = {name: np.full(len(known), -1, np.int64) for name in self.found}
            for name, levels in high.items():
                levels[self.kept[self.subject].to_numpy()] = self.kept[name].to_numpy()
        low, after = np.searchsorted(self.week, [week, week + 1])
        rows = self.order[low:after]
        subjects = self.days[self.subject].to_numpy()[rows]
        for name, levels in high.items():
            self.found[name][rows] = levels[subjects]
        self.kept = None
        self.last = pl.DataFrame({self.subject: np.arange(len(known), dtype=np.int32), **high})

    def levels(self, week: int, linked: Sparse, known: NDArray[np.bool_]) -> dict[str, Ints]:
        """The high day of each count in ``week``, by subject."""
        subjects, days, bins = self.histogram
        start = week * 7 - 3
        low, here = np.searchsorted(days, [start - BASELINE_DAYS, start])
        size, width = len(known), len(EDGES)
        high = {}
        for name in self.found:
            cell = subjects[low:here] * width + bins[name][low:here]
            held = np.bincount(cell, minlength=size * width).reshape(size, width)
            pooled = np.cumsum(linked @ held, axis=1)
            at = (pooled < np.ceil(self.share * pooled[:, -1:])).sum(axis=1)
            some = known & (pooled[:, -1] > 0)
            high[name] = np.where(some, EDGES[np.minimum(at, width - 1)], -1)
        return high

    @cached_property
    def histogram(self) -> tuple[Ints, Ints, dict[str, Ints]]:
        """Subject, day and bins of all days, in the order of days."""
        columns = (self.subject, "d", *self.found)
        # Reached only where a week is not known, and then few kept days are read.
        since = 7 * int(self.week.min(initial=0)) - 3 - BASELINE_DAYS
        before = self.before.filter(pl.col("d") >= since)
        both = pl.concat([before.select(columns), self.days.select(columns)])
        subject, d = (both[name].to_numpy().astype(np.int64) for name in (self.subject, "d"))
        order = np.argsort(d, kind="stable")
        bins = {name: bins_of(both[name].to_numpy())[order] for name in self.found}
        return subject[order], d[order], bins


def bins_of(values: Ints) -> Ints:
    """The place of the last edge that is not above each value; most values are edges."""
    bins, many = values.astype(np.int64), np.flatnonzero(values > SINGLE)
    bins[many] = np.searchsorted(EDGES, values[many], side="right") - 1
    return bins
