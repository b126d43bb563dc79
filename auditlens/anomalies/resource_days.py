"""Features of every resource on every day it was touched."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.counts import foreign_folders
from auditlens.anomalies.high_days import HighDays
from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import week_of
from auditlens.anomalies.past import with_tail
from auditlens.anomalies.sender_days import Comparison
from auditlens.anomalies.windows import (
    ENOUGH,
    Floats,
    Ints,
    deviation,
    first_rows,
    highest_count,
    log_counts,
    stabilised,
    trail,
)

__all__ = ["OWN_COUNTS", "READ", "TYPE_COUNTS", "resource_features"]

OWN_COUNTS = (
    "events", "senders", "top_events", "read", "delete", "export", "permission", "share", "risky",
    "new_senders", "strangers",
)  # fmt: skip
"""Counts compared with the resource's own days."""

SCARCE = ("delete", "export", "permission", "share", "risky", "strangers")

TYPE_COUNTS = (
    "events", "senders", "top_events", "delete", "export", "permission", "share", "risky",
    "new_senders", "strangers",
)  # fmt: skip
"""Counts compared with the 95 % day of resources of the same type."""

READ = (*dict.fromkeys((*OWN_COUNTS, *TYPE_COUNTS)), "audience_mean", "type")
"""Columns of a resource's days that relative features read."""

YOUNG = 0.5
"""Spread of a log count among resources of a type: the stand-in until there are own days."""


def resource_features(ledger: Ledger, seen: Comparison) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row a resource and day: ``r``, ``d``, ``type``, counts and relative features, sorted.

    A resource without enough earlier days is compared with the days of its type; their high days
    in the last week come second.
    """
    table = visits(seen)
    kept = ledger.past.tables.get("resource_days")
    days = with_tail(table, kept_of(table, kept), "r", READ)
    first, new = first_rows(days["r"]), np.flatnonzero(days["fresh"])
    table = table.with_columns(pl.Series("type", latest_types(days["type"], first)[new], pl.Int64))
    before = new - first[new] + days["days_before"][first[new]]
    high_days = type_days(ledger, table)
    usual = high_days.found
    made: dict[str, Ints | Floats] = {
        "days_before": before,
        "idle_days": np.where(before > 0, days["d"][new] - days["d"][new - 1], 0),
    }
    made |= {f"usual_{name}": high for name, high in usual.items()}
    for count in OWN_COUNTS:
        values = days[count][new]
        # One of something, or none, is never more than usual; most resource-days are that.
        several = values > (0 if count in SCARCE else 1)
        own = trail(log_counts(days[count]), first, rows=new[several]).among(several)
        z = deviation(np.log1p(values), own)
        if count in usual:
            high = np.maximum(usual[count], 0)
            ratio = np.where(usual[count] >= 0, np.log((values + 1) / (high + 1)), 0.0)
            made[f"type_{count}"] = ratio
            z = np.where((before < ENOUGH) & several, ratio / YOUNG, z)
            level, highest = stabilised(values), stabilised(highest_count(own))
            made[f"{count}_leap"] = np.minimum(
                np.maximum(level - stabilised(high), 0.0),
                np.where(own.days >= ENOUGH, level - highest, np.inf),
            )
        made[f"{count}_z"] = z
    unusual = days["audience_mean"] / 1000.0
    visited = days["new_senders"][new] > 0
    baseline = trail(unusual, first, rows=new[visited]).among(visited)
    made["audience_self"] = deviation(unusual[new], baseline)
    table = table.with_columns(
        pl.Series(name, np.round(column, 6) if column.dtype.kind == "f" else column)
        for name, column in made.items()
    )
    return table, high_days.last


def latest_types(types: Ints, first: Ints) -> Ints:
    """A resource's type is the last by name that its events so far bore."""
    line = first * (int(types.max(initial=0)) + 1) + types
    return np.asarray(np.maximum.accumulate(line) - (line - types), np.int64)


def kept_of(table: pl.DataFrame, kept: pl.DataFrame | None) -> pl.DataFrame | None:
    """The kept days of the table's resources."""
    if kept is None:
        return None
    r, codes = kept["r"].to_numpy(), table["r"].to_numpy()
    touched = np.zeros(max(r.max(initial=0), codes.max(initial=0)) + 1, np.bool_)
    touched[codes] = True
    return kept.filter(pl.Series(touched[r]))


def visits(seen: Comparison) -> pl.DataFrame:
    """Counts of a resource's day, from who touched it."""
    n, risky = pl.col("n"), pl.col("risky")
    surprise = seen.surprise["r"]["peer"]
    pairs = seen.pairs["r"].with_columns(
        pl.Series("had", seen.had["r"]),
        pl.Series("odd", surprise),
    )
    pairs = pairs.join(
        foreign_folders(seen.pairs["c"], seen.had["c"]),
        on=["s", "d", "folder"],
        how="left",
        maintain_order="left",
    )
    alien = pl.col("first") & pl.col("alien").fill_null(value=False)
    # Everyone is new to a resource on its first day; there only its folder tells strangers.
    newcomer = (pl.col("first") & (pl.col("crowd") > 0)) | alien
    stranger = (newcomer & (pl.col("had") == 0)) | alien
    table = pairs.group_by("r", "d").agg(
        n.sum().alias("events"),
        pl.col("read", "write", "delete", "export", "permission", "share", "risky", "p").sum(),
        type=pl.col("type").max(),
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


def type_days(ledger: Ledger, table: pl.DataFrame) -> HighDays:
    """The 95 % day of each type over the four weeks before; -1 where there is none."""
    from scipy.sparse import identity

    types = len(ledger.types)
    before = ledger.past.tables.get("resource_days", table.clear())
    usual = HighDays(table, before, "type", TYPE_COUNTS, kept=ledger.this_week.get("types"))
    same = identity(types, dtype=np.int64, format="csr")
    # Weeks in which nobody touched a resource are read too, so that the last one is known.
    for week in week_of(ledger.sender_days["d"]).unique().sort().to_list():
        usual.read(week, same, np.ones(types, np.bool_))
    return usual
