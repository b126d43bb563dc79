"""Features of every resource on every day it was touched."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies.high_days import HighDays
from auditlens.anomalies.ledger import NOTHING, Ledger
from auditlens.anomalies.sender_days import Comparison
from auditlens.anomalies.windows import Floats, Ints, deviation, first_rows, trail

__all__ = ["OWN_COUNTS", "TYPE_COUNTS", "resource_features"]

OWN_COUNTS = (
    "events", "senders", "top_events", "read", "delete", "export", "permission", "share", "risky",
    "new_senders", "strangers",
)  # fmt: skip
"""Counts compared with the resource's own days."""

SCARCE = ("delete", "export", "permission", "share", "risky", "strangers")

TYPE_COUNTS = (
    "events", "senders", "top_events", "export", "permission", "risky", "new_senders", "strangers",
)  # fmt: skip
"""Counts compared with the 95 % day of resources of the same type."""


def resource_features(ledger: Ledger, seen: Comparison) -> pl.DataFrame:
    """One row a resource and day: ``r``, ``d``, counts and relative features, sorted."""
    table = visits(seen)
    r, d = (table[name].to_numpy().astype(np.int64) for name in ("r", "d"))
    first = first_rows(r)
    made = [
        pl.Series("days_before", np.arange(len(r)) - first),
        pl.Series("idle_days", np.where(np.arange(len(r)) > first, d - np.roll(d, 1), 0)),
    ]
    for count in OWN_COUNTS:
        values = table[count].to_numpy()
        # One of something, or none, is never more than usual; most resource-days are that.
        several = values > (0 if count in SCARCE else 1)
        made.append(own_deviation(f"{count}_z", np.log1p(values), first, several))
    made += type_excess(table, ledger, r, d)
    unusual = table["audience_mean"].to_numpy() / 1000.0
    visited = table["new_senders"].to_numpy() > 0
    made.append(own_deviation("audience_self", unusual, first, visited))
    return table.with_columns(made)


def own_deviation(name: str, levels: Floats, first: Ints, only: NDArray[np.bool_]) -> pl.Series:
    """Deviation from the resource's own days, for the rows of ``only``; 0 elsewhere."""
    return pl.Series(name, np.round(deviation(levels, trail(levels, first, only=only)), 6))


def visits(seen: Comparison) -> pl.DataFrame:
    """Counts of a resource's day, from who touched it."""
    n, risky = pl.col("n"), pl.col("risky")
    surprise = seen.surprise["r"]["peer"]
    pairs = seen.pairs["r"].with_columns(
        pl.Series("had", seen.had["r"]),
        pl.Series("odd", surprise),
        # Everyone is a newcomer on the day a resource first appears.
        newcomer=pl.col("first") & (pl.col("crowd") > 0),
    )
    newcomer = pl.col("newcomer")
    stranger = newcomer & (pl.col("had") == 0)
    table = pairs.group_by("r", "d").agg(
        n.sum().alias("events"),
        pl.col("read", "write", "delete", "export", "permission", "share", "risky", "p").sum(),
        senders=pl.len(),
        top_events=n.max(),
        new_senders=newcomer.sum(),
        strangers=stranger.sum(),
        newcomer_risk=risky.filter(newcomer).sum(),
        stranger_events=n.filter(stranger).sum(),
        audience_mean=pl.col("odd").sum() // pl.len(),
        audience_sum=pl.col("odd").filter(newcomer).sum(),
    )
    return table.with_columns(pl.exclude("r", "d").cast(pl.Int64)).sort("r", "d")


def type_excess(table: pl.DataFrame, ledger: Ledger, r: Ints, d: Ints) -> list[pl.Series]:
    """Log ratio of each count to the 95 % day of the type over the four weeks before."""
    from scipy.sparse import identity

    kind = np.zeros(len(ledger.resources), np.int64)
    kinds = ledger.rows.filter(pl.col("r") != NOTHING).group_by("r").agg(pl.col("k").max())
    kind[kinds["r"].to_numpy()] = kinds["k"].to_numpy()
    counts = {name: table[name].to_numpy() for name in TYPE_COUNTS}
    usual = HighDays(kind[r], d, counts)
    same = identity(len(ledger.types), dtype=np.int64, format="csr")
    for week in np.unique((d + 3) // 7).tolist():
        usual.read(week, same, np.ones(len(ledger.types), np.bool_))
    made = []
    for name, values in counts.items():
        high = usual.found[name]
        ratio = np.log((values + 1) / (np.maximum(high, 0) + 1))
        made.append(pl.Series(f"type_{name}", np.round(np.where(high >= 0, ratio, 0.0), 6)))
        made.append(pl.Series(f"usual_{name}", high))
    return made
