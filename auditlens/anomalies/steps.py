"""How unusual the order of a sender's events is: each kind of event given the one before it."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import earlier
from auditlens.anomalies.surprise import STEPS
from auditlens.anomalies.windows import Ints

__all__ = ["step_surprise"]

PRIOR = 5.0


def step_surprise(ledger: Ledger) -> pl.DataFrame:
    """Surprise of the steps from one kind of event to the next, by ``s`` and ``d``.

    Gives ``step_mean`` and ``step_max`` (thousandths of -log probability given the kind before,
    from earlier days, smoothed with everyone's steps) and ``strange_steps``, those the sender
    never took before.
    """
    pairs = day_steps(ledger)
    size = len(ledger.kinds) + 1
    s, d, step, n = (pairs[name].to_numpy().astype(np.int64) for name in ("s", "d", "step", "n"))
    before, kind = np.divmod(step, size)
    own = earlier(s * size * size + step, d, n)
    own_all = earlier(s * size + before, d, n)
    crowd, crowd_all = earlier(step, d, n), earlier(before, d, n)
    kinds, everything = earlier(kind, d, n), earlier(np.zeros_like(d), d, n)
    any_time = (kinds + 1) / (everything + size)
    everyone = (crowd + PRIOR * any_time) / (crowd_all + PRIOR)
    mine = (own + PRIOR * everyone) / (own_all + PRIOR)
    x: Ints = np.round(-np.log(mine) * STEPS).astype(np.int64)
    count = pl.col("n")
    return (
        pairs.select("s", "d", "n", pl.Series("x", x), new=pl.Series(own == 0))
        .group_by("s", "d")
        .agg(
            step_mean=(pl.col("x") * count).sum() // count.sum(),
            step_max=pl.col("x").max(),
            strange_steps=count.filter("new").sum(),
        )
    )


def day_steps(ledger: Ledger) -> pl.DataFrame:
    """``s``, ``d``, ``step``, ``n``: how often each step was taken that day; sorted."""
    size = len(ledger.kinds) + 1
    kind = pl.col("e").cast(pl.Int64)
    opening = (pl.col("s") != pl.col("s").shift()) | (pl.col("d") != pl.col("d").shift())
    before = pl.when(opening.fill_null(value=True)).then(size - 1).otherwise(kind.shift())
    return (
        ledger.rows.lazy()
        .select("s", "d", step=before * size + kind)
        .group_by("s", "d", "step")
        .agg(n=pl.len().cast(pl.Int64))
        .sort("s", "d", "step")
        .collect()
    )
