"""Surprise: minus the logarithm of how probable a thing was, from earlier days only.

Every surprise is a whole number of thousandths, so sums do not depend on the order of adding.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.peers import PEERS
from auditlens.anomalies.windows import Floats, Ints

__all__ = ["STEPS", "per_day", "surprises"]

STEPS = 1000
"""Surprises are counted in thousandths."""

PRIOR = 2.0


def surprises(pairs: pl.DataFrame, peers: Ints) -> dict[str, Ints]:
    """Surprise of each pair in thousandths, each smoothed with everyone's habit.

    ``own``: given the sender's earlier events. ``crowd``: given everyone's. ``peer``: given how
    many of the peers had it before (0 without peers).
    """
    own, own_all, crowd, crowd_all, known = (
        pairs[name].to_numpy().astype(np.float64)
        for name in ("own", "own_all", "crowd", "crowd_all", "known")
    )
    everyone = (crowd + 1) / (crowd_all + known + 1)
    mine = (own + PRIOR * everyone) / (own_all + PRIOR)
    theirs = (np.maximum(peers, 0) + everyone) / (PEERS + 1)
    return {
        "own": thousandths(-np.log(mine)),
        "crowd": thousandths(-np.log(everyone)),
        "peer": np.where(peers >= 0, thousandths(-np.log(theirs)), 0),
    }


def thousandths(values: Floats) -> Ints:
    return np.round(values * STEPS).astype(np.int64)


def per_day(pairs: pl.DataFrame, **surprises: Ints) -> pl.DataFrame:
    """Mean by event (``<name>_mean``) and largest (``<name>_max``) surprise a sender-day."""
    n = pl.col("n")
    facts = [
        fact
        for name in surprises
        for fact in (
            ((pl.col(name) * n).sum() // n.sum()).alias(f"{name}_mean"),
            pl.col(name).max().alias(f"{name}_max"),
        )
    ]
    table = pairs.select("s", "d", "n", **{name: pl.Series(x) for name, x in surprises.items()})
    return table.group_by("s", "d").agg(facts)
