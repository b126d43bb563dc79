"""Features of every sender on every active day, from the coded events."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.ledger import NOTHING, Ledger
from auditlens.anomalies.surprise import day_pairs, hour_surprise, own_surprise, summarise
from auditlens.anomalies.windows import WINDOW, deviation, first_rows, trail

__all__ = ["SELF_COUNTS", "sender_features"]

BURST = 5 * 60 * 1_000_000
SELF_COUNTS = (
    "events", "resources", "containers", "read", "write", "export", "share", "permission",
    "delete", "admin", "burst", "new_resources", "new_containers",
)  # fmt: skip


def sender_features(ledger: Ledger) -> pl.DataFrame:
    """One row a sender and active day: ``s``, ``d``, counts and relative features, sorted.

    ``days_before`` is the number of earlier active days.
    """
    pairs = {key: day_pairs(ledger, key) for key in ("r", "e", "c")}
    parts = [day_counts(ledger), novelty(pairs), hour_surprise(ledger)]
    for key, name, known in (("e", "kind", ledger.kinds), ("c", "container", ledger.containers)):
        parts.append(summarise(pairs[key], own_surprise(pairs[key], len(known)), name))
    table = ledger.sender_days.lazy().drop("events")
    for part in parts:
        table = table.join(part.lazy(), on=["s", "d"], how="left")
    table = table.sort("s", "d").with_columns(pl.exclude("s", "d").fill_null(0))
    return with_baselines(table.collect())


def day_counts(ledger: Ledger) -> pl.DataFrame:
    groups = {name: (pl.col("g") == code).sum() for code, name in enumerate(ACTION_GROUPS)}
    counts = (
        ledger.rows.with_columns(burst=burst(ledger))
        .group_by("s", "d")
        .agg(
            events=pl.len(),
            resources=pl.col("r").filter(pl.col("r") != NOTHING).n_unique(),
            containers=pl.col("c").n_unique(),
            hours=pl.col("h").n_unique(),
            burst=pl.col("burst").max(),
            sensitive=pl.col("p").sum(),
            **groups,
        )
    )
    return counts.with_columns(pl.exclude("s", "d").cast(pl.Int64))


def burst(ledger: Ledger) -> pl.Series:
    """Per event: the sender's events in the five minutes that end with it."""
    t = ledger.rows["t"].to_numpy()
    s = ledger.rows["s"].to_numpy().astype(np.int64)
    if not len(t):
        return pl.Series(dtype=pl.Int64)
    span = int(t.max() - t.min()) + BURST + 1
    line = s * span + (t - t.min())
    return pl.Series(np.arange(len(t)) - np.searchsorted(line, line - BURST) + 1)


def novelty(pairs: dict[str, pl.DataFrame]) -> pl.DataFrame:
    first = pl.col("first")
    n = pl.col("n")
    parts = [
        pairs["r"]
        .group_by("s", "d")
        .agg(
            new_resources=first.sum().cast(pl.Int64),
            new_resource_share=first.sum().cast(pl.Int64) * 1000 // pl.len().cast(pl.Int64),
        ),
        pairs["e"]
        .group_by("s", "d")
        .agg(
            new_kinds=first.sum().cast(pl.Int64),
            rare_kinds=n.filter(pl.col("own") * 50 < pl.col("own_all")).sum(),
        ),
        pairs["c"]
        .group_by("s", "d")
        .agg(
            new_containers=first.sum().cast(pl.Int64),
            strange_container_events=n.filter(first).sum(),
        ),
    ]
    table = parts[2]
    for part in parts[:2]:
        table = table.join(part, on=["s", "d"], how="left")
    return table


def with_baselines(table: pl.DataFrame) -> pl.DataFrame:
    """Add the own-baseline features; ``table`` is sorted by sender and day."""
    first = first_rows(table["s"].to_numpy())
    day = table["d"].to_numpy().astype(np.int64)
    before = np.arange(len(day)) - first
    gap = np.where(before > 0, day - np.roll(day, 1), 0)
    added = [pl.Series("days_before", before), pl.Series("gap_days", gap)]
    for count in SELF_COUNTS:
        values = table[count].to_numpy()
        z = deviation(values, trail(values, first, window=WINDOW))
        added.append(pl.Series(f"{count}_z", np.round(z, 6)))
    return table.with_columns(added)
