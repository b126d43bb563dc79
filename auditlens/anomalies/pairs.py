"""What a sender touched on a day, with everything known about it from earlier days."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import polars as pl

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.past import NOTHING, carried
from auditlens.anomalies.windows import Ints

__all__ = ["RISKY", "day_pairs", "earlier", "known_before", "week_of"]

RISKY = ("export", "share", "permission", "delete", "admin")
"""Groups of actions that can do harm."""

Day = TypeVar("Day", pl.Expr, pl.Series)


def week_of(day: Day) -> Day:
    """Number of the Monday-based week of a day number (day 0 was a Thursday)."""
    return (day + 3) // 7


def day_pairs(ledger: Ledger, key: str) -> pl.DataFrame:
    """One row a sender, day and value of ``key``: ``s``, ``d``, ``key``, ``n`` and the past.

    ``risky`` and ``p`` count the events that are risky and sensitive, ``export_p`` the sensitive
    exports; for resources, one column a group counts its events, and ``folder`` is the container,
    ``type`` the entity type.
    ``own`` and ``crowd`` count the value's earlier events by the sender and by everyone,
    ``own_all`` and ``crowd_all`` all their earlier events; ``first`` says that the sender never
    had the value before, ``known`` how many values anyone had. Sorted by sender, day and value.
    """
    pairs = (
        ledger.rows.lazy()
        .filter(pl.col(key) != NOTHING)
        .group_by("s", "d", key)
        .agg(n=pl.len().cast(pl.Int64), **sums(key))
        .sort("s", "d", key)
        .collect()
    )
    s, d, k = (pairs[name].to_numpy().astype(np.int64) for name in ("s", "d", key))
    count = pairs["n"].to_numpy()
    old = ledger.past.tables[key]
    s_old, k_old, n_old = (old[name].to_numpy().astype(np.int64) for name in ("s", key, "n"))
    width = max(int(k.max(initial=0)), int(k_old.max(initial=0))) + 1
    own = earlier(s * width + k, d, count) + carried(s_old * width + k_old, n_old, s * width + k)
    crowd = earlier(k, d, count) + carried(k_old, n_old, k)
    return pairs.with_columns(
        pl.Series("own", own),
        pl.Series("own_all", earlier(s, d, count) + carried(s_old, n_old, s)),
        pl.Series("crowd", crowd),
        pl.Series("crowd_all", earlier(np.zeros_like(d), d, count) + n_old.sum()),
        pl.Series("known", known_before(k, d, crowd) + len(ledger.past.names[key])),
        pl.Series("first", own == 0),
    )


def sums(key: str) -> dict[str, pl.Expr]:
    groups = ACTION_GROUPS if key == "r" else ("export",)
    risky = pl.col("g").is_in([ACTION_GROUPS.index(name) for name in RISKY])
    export = pl.col("g") == ACTION_GROUPS.index("export")
    p = pl.col("p")
    each = {name: pl.col("g") == ACTION_GROUPS.index(name) for name in groups}
    each |= {"risky": risky, "p": p == 1, "export_p": export & (p == 1)}
    folder = {"folder": pl.col("c").max(), "type": pl.col("k").max()} if key == "r" else {}
    return {name: mark.cast(pl.Int64).sum() for name, mark in each.items()} | folder


def known_before(value: Ints, day: Ints, crowd: Ints) -> Ints:
    """Per row, how many different values anyone had on earlier days.

    ``crowd`` counts the value's events on earlier days: nobody had a value on the day it is 0.
    """
    debut = crowd == 0
    _, at = np.unique(value[debut], return_index=True)
    return np.searchsorted(np.sort(day[debut][at]), day).astype(np.int64)


def earlier(group: Ints, day: Ints, count: Ints) -> Ints:
    """Per row, the sum of ``count`` over rows of the same group on earlier days."""
    if not len(group):
        return np.zeros(0, np.int64)
    line = (group - group.min()) * (int(day.max()) + 1) + day
    order = np.argsort(line, kind="stable")
    ordered, total = line[order], np.r_[0, np.cumsum(count[order])]
    floor = (group[order] - group.min()) * (int(day.max()) + 1)
    here = np.searchsorted(ordered, ordered, side="left")
    start = np.searchsorted(ordered, floor, side="left")
    found = np.empty(len(group), np.int64)
    found[order] = total[here] - total[start]
    return found
