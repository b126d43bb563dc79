"""How unusual the order of a sender's events is: each kind of event given the one before it."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import earlier, known_before
from auditlens.anomalies.surprise import STEPS
from auditlens.anomalies.windows import Ints

__all__ = ["step_surprise"]

PRIOR = 5.0


def step_surprise(ledger: Ledger) -> pl.DataFrame:
    """Surprise of the steps from one kind of event to the next, by ``s`` and ``d``.

    Gives ``step_mean`` (thousandths of -log probability given the kind before, from earlier days,
    smoothed with everyone's steps) and ``strange_steps``, those the sender never took before.
    """
    row, step, n, days = day_steps(ledger)
    size = len(ledger.kinds) + 1
    s, d = (days[name].to_numpy()[row].astype(np.int64) for name in ("s", "d"))
    before, kind = np.divmod(step, size)
    own = earlier(s * size * size + step, d, n)
    own_all = earlier(s * size + before, d, n)
    crowd, crowd_all = earlier(step, d, n), earlier(before, d, n)
    kinds, everything = earlier(kind, d, n), earlier(np.zeros_like(d), d, n)
    any_time = (kinds + 1) / (everything + known_before(kind, d, kinds) + 1)
    everyone = (crowd + PRIOR * any_time) / (crowd_all + PRIOR)
    mine = (own + PRIOR * everyone) / (own_all + PRIOR)
    x: Ints = np.round(-np.log(mine) * STEPS).astype(np.int64)
    start = np.searchsorted(row, np.arange(len(days)))
    mean = per_stretch(x * n, start) // per_stretch(n, start)
    strange = per_stretch(np.where(own == 0, n, 0), start)
    return days.with_columns(pl.Series("step_mean", mean), pl.Series("strange_steps", strange))


def per_stretch(values: Ints, start: Ints) -> Ints:
    """Sums from each start to the next."""
    return np.add.reduceat(values, start) if len(start) else np.zeros(0, np.int64)


def day_steps(ledger: Ledger) -> tuple[Ints, Ints, Ints, pl.DataFrame]:
    """Number of the sender-day, step, and how often it was taken that day; and the sender-days.

    Events stand by sender and time, so each sender-day is one stretch of them.
    """
    days = ledger.rows.select("s", "d")
    s, d, e = (ledger.rows[name].to_numpy().astype(np.int64) for name in ("s", "d", "e"))
    size = len(ledger.kinds) + 1
    opening = np.diff(s, prepend=-1) != 0
    opening |= np.diff(d, prepend=-1) != 0
    before = np.where(opening, size - 1, np.roll(e, 1))
    line = (np.cumsum(opening) - 1) * size * size + before * size + e
    found, n = np.unique(line, return_counts=True)
    row, step = np.divmod(found, size * size)
    return row, step, n.astype(np.int64), days.filter(pl.Series(opening))
