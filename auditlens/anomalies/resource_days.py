"""Features of every resource on every day it was touched."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.ledger import NOTHING, Ledger
from auditlens.anomalies.windows import deviation, first_rows, trail

__all__ = ["resource_features"]

RISKY = ("export", "share", "permission", "delete")
SELF_COUNTS = ("events", "senders", "delete", "export", "permission", "share", "new_senders")


def resource_features(ledger: Ledger) -> pl.DataFrame:
    """One row a resource and day: ``r``, ``d``, counts and relative features, sorted."""
    rows = ledger.rows.lazy().filter(pl.col("r") != NOTHING)
    since = rows.group_by("r", "s").agg(since=pl.col("d").min())
    groups = {name: (pl.col("g") == ACTION_GROUPS.index(name)).sum() for name in RISKY}
    risky = pl.col("g").is_in([ACTION_GROUPS.index(name) for name in RISKY])
    newcomer = pl.col("d") == pl.col("since")
    table = (
        rows.join(since, on=["r", "s"])
        .group_by("r", "d")
        .agg(
            events=pl.len(),
            senders=pl.col("s").n_unique(),
            new_senders=pl.col("s").filter(newcomer).n_unique(),
            newcomer_risk=(risky & newcomer).sum(),
            **groups,
        )
        .with_columns(pl.exclude("r", "d").cast(pl.Int64))
        .sort("r", "d")
        .collect()
    )
    first = first_rows(table["r"].to_numpy())
    added = [pl.Series("days_before", np.arange(len(table)) - first)]
    for count in SELF_COUNTS:
        values = table[count].to_numpy()
        added.append(pl.Series(f"{count}_z", np.round(deviation(values, trail(values, first)), 6)))
    return table.with_columns(added)
