"""Peers: who works on the same resources, learnt anew each week from earlier weeks alone.

Where a directory is known, those of the same rare role or group are nearer to each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import week_of
from auditlens.anomalies.windows import Floats

__all__ = ["FEWEST_PEERS", "PEERS", "Sparse", "Week", "unit_rows", "weeks"]

Sparse = Any
"""A SciPy sparse matrix; SciPy is loaded only where one is built."""

PEERS = 10
FEWEST_PEERS = 5
"""With fewer peers than this, a sender is not compared with peers."""

SHARED_BY = 80
"""A resource touched by more senders says little about who works together."""

MEMORY_WEEKS = 12

CIRCLES = 0.5
"""Weight of a shared role or group beside shared resources: it decides where these say little."""


@dataclass(frozen=True)
class Week:
    """The peers of one week: ``peers`` is a senders x senders matrix of zeros and ones.

    ``profile`` is senders x things (resources and containers): rows of length one, weighted by
    rarity, over the MEMORY_WEEKS before the week; ``days`` says on how many days each touched it.
    ``known`` marks senders with enough peers.
    """

    number: int
    peers: Sparse
    profile: Sparse
    known: NDArray[np.bool_]
    rarity: Floats
    days: Sparse


def weeks(
    ledger: Ledger, touched: pl.DataFrame, size: int, *, before: pl.DataFrame | None = None
) -> Iterator[Week]:
    """Yield the peers of every week that is touched, oldest first.

    ``touched`` has ``s``, ``d``, ``x`` (a thing's code below ``size``); ``before`` holds earlier
    ``days`` by ``week``, ``s``, ``x``.
    """
    from scipy.sparse import csr_matrix

    everyone = len(ledger.senders)
    since = ledger.senders.select(week_of(pl.col("since"))).to_series().to_numpy()
    circles = circle_rows(ledger)
    pairs = touched.group_by("s", "x", week=week_of(pl.col("d"))).agg(days=pl.len().cast(pl.Int64))
    now = pairs["week"].unique().sort().to_list()
    if before is not None:
        pairs = pl.concat([pairs, before.select(pairs.columns)])
    week, s, x = (pairs[name].to_numpy().astype(np.int64) for name in ("week", "s", "x"))
    days = pairs["days"].to_numpy().astype(np.float64)
    for number in now:
        then = (week >= number - MEMORY_WEEKS) & (week < number)
        people = int((since < number).sum())
        held = csr_matrix((days[then], (s[then], x[then])), shape=(everyone, size))
        held.sum_duplicates()
        shared = np.bincount(held.indices, minlength=size)
        # What a quarter of everyone touches tells nobody apart and would compare all with all.
        common = shared > max(SHARED_BY, people // 4)
        rarity = np.where(common, 0.0, np.log((people + 1) / (shared + 1)))
        profile = unit_rows(held.log1p().multiply(rarity[None, :]).tocsr())
        profile.eliminate_zeros()
        peers = kept_peers(ledger) if number == now[0] else None
        if peers is None:
            linking = np.where(shared <= SHARED_BY, 1.0, 0.0)
            linked = unit_rows(profile.multiply(linking[None, :]).tocsr())
            if circles is not None:
                linked = beside(linked, circles, since < number)
            peers = closest(linked)
        known = np.asarray(peers.sum(axis=1)).ravel() >= FEWEST_PEERS
        yield Week(number, peers, profile, known, rarity, held)


def kept_peers(ledger: Ledger) -> Sparse | None:
    """The peers of the first week, where earlier days of it were counted: nothing changes them."""
    from scipy.sparse import csr_matrix

    kept = ledger.this_week.get("peers")
    if kept is None:
        return None
    rows, people = (kept["s"].to_numpy(), kept["peer"].to_numpy()), len(ledger.senders)
    return csr_matrix((np.ones(len(kept), np.int64), rows), shape=(people, people))


def circle_rows(ledger: Ledger) -> Sparse | None:
    """Senders x circles: rows of length one, by rarity; None without a directory."""
    from scipy.sparse import csr_matrix

    if ledger.circles.is_empty():
        return None
    s, q, rarity = (ledger.circles[name].to_numpy() for name in ("s", "q", "rarity"))
    return unit_rows(csr_matrix((rarity, (s, q)), shape=(len(ledger.senders), int(q.max()) + 1)))


def beside(linked: Sparse, circles: Sparse, there: NDArray[np.bool_]) -> Sparse:
    """Resources and circles in one profile: rows of length one.

    Only of senders who were ``there`` before the week: later ones are nobody's peers yet.
    """
    from scipy.sparse import diags, hstack

    return unit_rows(hstack([linked, diags(CIRCLES * there) @ circles]).tocsr())


def unit_rows(matrix: Sparse) -> Sparse:
    """Scale each row to length one; empty rows stay empty."""
    from scipy.sparse import diags

    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (diags(np.where(length > 0, 1 / np.where(length > 0, length, 1), 0)) @ matrix).tocsr()


def closest(profile: Sparse) -> Sparse:
    """The PEERS most alike others of each row, as a matrix of zeros and ones."""
    from scipy.sparse import csr_matrix

    alike = (profile @ profile.T).tocoo()
    other = (alike.row != alike.col) & (alike.data > 0.01)
    row, col, like = alike.row[other], alike.col[other], np.round(alike.data[other], 6)
    order = np.lexsort((col, -like, row))
    row, col = row[order], col[order]
    place = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    keep = place < PEERS
    return csr_matrix((np.ones(keep.sum(), np.int64), (row[keep], col[keep])), shape=alike.shape)
