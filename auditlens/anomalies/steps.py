"""How unusual the order of a sender's events is: each kind of event given the one before it."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import earlier, known_before
from auditlens.anomalies.past import NOTHING, carried
from auditlens.anomalies.surprise import STEPS
from auditlens.anomalies.windows import Ints

__all__ = ["day_steps", "step_surprise"]

PRIOR = 5.0


def step_surprise(ledger: Ledger) -> pl.DataFrame:
    """Surprise of the steps from one kind of event to the next, by ``s`` and ``d``.

    Gives ``step_mean`` (thousandths of -log probability given the kind before, from earlier days,
    smoothed with everyone's steps) and ``strange_steps``, those the sender never took before.
    """
    taken, days = day_steps(ledger)
    row, s, d, b, e, n = (taken[name].to_numpy() for name in ("row", "s", "d", "b", "e", "n"))
    kept = ledger.past.tables["steps"]
    old = [kept[name].to_numpy().astype(np.int64) for name in ("s", "b", "e", "n")]
    size = len(ledger.kinds) + 1

    def total(of_s: int, of_b: int, of_e: int) -> Ints:
        """Per step, how often any step with the same weighted sum was taken on earlier days."""
        now, then = (of_s * each[0] + of_b * each[1] + of_e * each[2] for each in ((s, b, e), old))
        return earlier(now, d, n) + carried(then, old[3], now)

    own, own_all = total(size * size, size, 1), total(size, 1, 0)
    crowd, crowd_all = total(0, size, 1), total(0, 1, 0)
    kinds, everything = total(0, 0, 1), total(0, 0, 0)
    known = known_before(e, d, kinds) + len(ledger.past.names["e"])
    any_time = (kinds + 1) / (everything + known + 1)
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


def day_steps(ledger: Ledger) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How often (``n``) each step from kind ``b`` to kind ``e`` was taken, and the sender-days.

    ``row`` numbers the sender-day ``s``, ``d``; the first event of a day comes from NOTHING.
    Events stand by sender and time, so each sender-day is one stretch of them.
    """
    days = ledger.rows.select("s", "d")
    s, d, e = (ledger.rows[name].to_numpy().astype(np.int64) for name in ("s", "d", "e"))
    size = len(ledger.kinds) + 1
    opening = np.diff(s, prepend=-1) != 0
    opening |= np.diff(d, prepend=-1) != 0
    before = np.where(opening, NOTHING, np.roll(e, 1)) + 1
    line = ((np.cumsum(opening) - 1) * size + before) * size + e
    found, n = np.unique(line, return_counts=True)
    row, step = np.divmod(found, size * size)
    taken = {"row": row, "s": s[opening][row], "d": d[opening][row]}
    taken |= {"b": step // size + NOTHING, "e": step % size, "n": n.astype(np.int64)}
    return pl.DataFrame(taken), days.filter(pl.Series(opening))
