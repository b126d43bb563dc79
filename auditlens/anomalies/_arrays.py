"""Sums over groups of rows in NumPy arrays, exact because they are of whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "Floats", "Ints", "Sparse", "distinct_before", "first_rows", "row_keys", "sums_before",
    "sums_by_group",
]  # fmt: skip

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Sparse = Any
"""A SciPy sparse matrix; SciPy is loaded only where one is built."""


def first_rows(subjects: Ints) -> Ints:
    """For rows sorted by subject: the index of each row's subject's first row."""
    if not len(subjects):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, subjects[1:] != subjects[:-1]])
    return np.repeat(starts, np.diff(np.r_[starts, len(subjects)])).astype(np.int64)


def sums_before(group: Ints, day: Ints, count: Ints) -> Ints:
    """Per row, the sum of ``count`` over rows of the same group on earlier days."""
    if not len(group):
        return np.zeros(0, np.int64)
    line = (group - group.min()) * (int(day.max()) + 1) + day
    order = np.argsort(line, kind="stable")
    ordered, total = line[order], np.r_[0, np.cumsum(count[order])]
    floor = (group[order] - group.min()) * (int(day.max()) + 1)
    here = np.searchsorted(ordered, ordered, side="left")
    start = np.searchsorted(ordered, floor, side="left")
    sums = np.empty(len(group), np.int64)
    sums[order] = total[here] - total[start]
    return sums


def sums_by_group(group: Ints, count: Ints, wanted: Ints) -> Ints:
    """Per wanted group, the sum of ``count`` over the rows of that group."""
    if not len(group) or not len(wanted):
        return np.zeros(len(wanted), np.int64)
    low = min(int(group.min()), int(wanted.min()))
    groups = max(int(group.max()), int(wanted.max())) - low + 1
    if groups <= len(group):
        # Sums of whole numbers are exact in floats, up to 2 ** 53.
        sums = np.bincount(group - low, weights=count, minlength=groups)
        return np.asarray(sums[wanted - low], np.int64)
    if (np.diff(group) < 0).any():
        order = np.argsort(group, kind="stable")
        group, count = group[order], count[order]
    total = np.r_[0, np.cumsum(count)]
    start, end = (np.searchsorted(group, wanted, side=side) for side in ("left", "right"))
    return np.asarray(total[end] - total[start], np.int64)


def distinct_before(value: Ints, day: Ints, crowd: Ints) -> Ints:
    """Per row, how many different values anyone had on earlier days.

    ``crowd`` counts the value's events on earlier days: nobody had a value on the day it is 0.
    """
    debut = crowd == 0
    _, at = np.unique(value[debut], return_index=True)
    return np.searchsorted(np.sort(day[debut][at]), day).astype(np.int64)


def row_keys(old: pl.DataFrame, new: pl.DataFrame, keys: list[str]) -> tuple[Ints, Ints]:
    """The keys of each table as one number a row, in the order of the keys."""
    lines = [np.zeros(len(table), np.int64) for table in (old, new)]
    for key in keys:
        columns = [table[key].to_numpy().astype(np.int64) + 1 for table in (old, new)]
        width = max(int(column.max(initial=0)) for column in columns) + 1
        lines = [line * width + column for line, column in zip(lines, columns, strict=True)]
    return lines[0], lines[1]
