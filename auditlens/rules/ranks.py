"""Order statistics over ranges of an array: how many are smaller, and which is the k-th.

A wavelet matrix: one pass a bit, every question answered at once, exact at any size. It counts
distinct values in sliding windows (how many last occurred before the window) and finds
percentiles, in place of a loop over windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RangeRanks", "previous_same"]

Ints = NDArray[np.int64]


class RangeRanks:
    """Questions about ranges ``[low, high)`` of ``values`` (integers from 0)."""

    def __init__(self, values: Ints) -> None:
        self.bits = max(1, int(values.max(initial=0)).bit_length())
        self.levels: list[tuple[int, Ints]] = []
        for bit in reversed(range(self.bits)):
            ones = ((values >> bit) & 1).astype(np.bool_)
            self.levels.append((bit, np.concatenate([[0], np.cumsum(~ones)])))
            values = np.concatenate([values[~ones], values[ones]])

    def smaller(self, low: Ints, high: Ints, bound: Ints) -> Ints:
        """Count values below ``bound`` in each range."""
        found = np.where(bound >= 1 << self.bits, high - low, 0)
        bound = np.where(bound >= 1 << self.bits, 0, bound)
        for bit, zeros in self.levels:
            low0, high0 = zeros[low], zeros[high]
            one = (bound >> bit) & 1 == 1
            found = found + np.where(one, high0 - low0, 0)
            low = np.where(one, zeros[-1] + low - low0, low0)
            high = np.where(one, zeros[-1] + high - high0, high0)
        return found

    def nth(self, low: Ints, high: Ints, n: Ints) -> Ints:
        """Return the n-th smallest value (from 0) of each range; ``n`` must lie within it."""
        found = np.zeros_like(low)
        for bit, zeros in self.levels:
            low0, high0 = zeros[low], zeros[high]
            one = n >= high0 - low0
            found = found | (one.astype(np.int64) << bit)
            n = np.where(one, n - (high0 - low0), n)
            low = np.where(one, zeros[-1] + low - low0, low0)
            high = np.where(one, zeros[-1] + high - high0, high0)
        return found


def previous_same(codes: Ints) -> Ints:
    """Return for each position the last earlier one with the same code, or -1."""
    order = np.argsort(codes, kind="stable")
    same = codes[order][1:] == codes[order][:-1]
    found = np.full(len(codes), -1, dtype=np.int64)
    found[order[1:][same]] = order[:-1][same]
    return found
