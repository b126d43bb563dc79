"""Features of every sender on every active day, from the coded events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.anomalies.counts import day_counts, pair_counts
from auditlens.anomalies.hours import hour_surprise
from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.likeness import compare_with_others
from auditlens.anomalies.pairs import day_pairs
from auditlens.anomalies.past import lines
from auditlens.anomalies.relative import with_baselines
from auditlens.anomalies.steps import step_surprise
from auditlens.anomalies.surprise import per_day, surprises
from auditlens.anomalies.windows import Ints

__all__ = ["Comparison", "compare", "sender_features"]


@dataclass(frozen=True)
class Comparison:
    """Who touched what on which day, and how surprising it was.

    ``pairs`` by key: resource ``r``, container ``c``, event kind ``e``, entity type ``k``; ``had``:
    how many peers had the value before; ``surprise``: thousandths by pair, given own, crowd, peers;
    ``away``: how remote the folder of each pair of ``c`` is; ``week``: peers and high days of the
    last week.
    """

    counts: pl.DataFrame
    pairs: dict[str, pl.DataFrame]
    days: pl.DataFrame
    had: dict[str, Ints]
    surprise: dict[str, dict[str, Ints]]
    away: Ints
    week: dict[str, pl.DataFrame]


def compare(ledger: Ledger) -> Comparison:
    """Do the shared work of sender and resource features."""
    pairs = {key: day_pairs(ledger, key) for key in ("r", "c", "e", "k")}
    counts = day_counts(ledger)
    days, had, away, week = compare_with_others(ledger, pairs, counts)
    surprise = {key: surprises(pairs[key], peers) for key, peers in had.items()}
    return Comparison(counts, pairs, days, had, surprise, away, week)


def sender_features(ledger: Ledger, seen: Comparison) -> pl.DataFrame:
    """One row a sender and active day: ``s``, ``d``, counts and relative features, sorted.

    ``days_before`` is the number of earlier active days; ``usual_<count>`` the peers' 95 % day
    (-1 without peers) and ``like`` the code of the sender the day resembles most.
    """
    pairs = seen.pairs
    r, c, e = (seen.surprise[key] for key in ("r", "c", "e"))
    parts = [
        seen.days,
        hour_surprise(ledger),
        step_surprise(ledger),
        *pair_counts(pairs, seen.had, seen.away),
        per_day(pairs["e"], kind=e["own"], peer_kind=e["peer"], kind_llr=e["own"] - e["crowd"]),
        per_day(
            pairs["c"],
            container=c["own"],
            container_llr=c["own"] - c["crowd"],
            peer_container=c["peer"],
        ),
        per_day(pairs["r"], peer_resource=r["peer"]),
    ]
    kept = ledger.past.tables.get("sender_days")
    return with_baselines(side_by_side(seen.counts, parts), kept)


def side_by_side(days: pl.DataFrame, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """``days``, sorted, with the columns of each part; 0 where a part has no such day."""
    columns = []
    for part in parts:
        before, now = lines(days, part, ["s", "d"])
        at = np.searchsorted(before, now)
        for name in part.columns:
            if name not in ("s", "d"):
                values = part[name].to_numpy()
                column = np.zeros(len(days), values.dtype)
                column[at] = values
                columns.append(pl.Series(name, column))
    return days.with_columns(columns)
