"""What peers did before, and whom a day resembles: the weekly half of the features."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies.high_days import HighDays
from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import week_of
from auditlens.anomalies.past import NOTHING, Past
from auditlens.anomalies.peers import Sparse, Week, unit_rows, weeks
from auditlens.anomalies.remote import remoteness
from auditlens.anomalies.windows import Floats, Ints

__all__ = ["PEER_COUNTS", "TOP_COUNTS", "compare_with_others"]

PEER_COUNTS = ("events", "resources", "export", "share", "delete", "risky")
"""Counts compared with the peers' 95 % day."""

TOP_COUNTS = ("delete", "permission", "admin", "share")
"""Counts whose leap must also pass what hardly a day of anyone reaches: others clean up too."""

TOP = 1 - 1 / 300

DAYS = ("s", "d", "own_likeness", "other_likeness", "like")
DAY_SPAN = 100_000


def compare_with_others(
    ledger: Ledger, pairs: dict[str, pl.DataFrame], counts: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, Ints], Ints, dict[str, pl.DataFrame]]:
    """Compare each sender-day with the peers and the profiles of the weeks before it.

    ``pairs`` are the day pairs of ``r``, ``c`` and ``e``, ``counts`` the sender-days. Returns a
    row a sender-day: ``s``, ``d``, ``usual_<count>`` (the peers' 95 % day, -1 without peers),
    ``top_<count>`` (what one in 300 of the days of all people, or all services, exceeds),
    ``own_likeness`` and ``other_likeness`` (cosines in thousandths) and ``like`` (the sender most
    alike); and per kind of pair how many peers had the value before the week (-1 without peers);
    how remote the folder of each pair of ``c`` is; and what later days of the last week need of it.
    """
    size = len(ledger.resources) + len(ledger.containers)
    folders = pl.col("c") + len(ledger.resources)
    touched = pl.concat(
        [pairs["r"].select("s", "d", "n", x="r"), pairs["c"].select("s", "d", "n", x=folders)]
    )
    places = {key: Places(pairs[key], key) for key in ("r", "c", "e")}
    seen = {key: Seen(pairs[key], ledger.past, key) for key in places}
    had = {key: np.full(len(pairs[key]), -1, np.int64) for key in places}
    things = Places(touched.sort("s", "d", "x"), "x")
    earlier = ledger.past.tables.get("sender_days", counts.clear())
    usual = HighDays(counts, earlier, "s", PEER_COUNTS, kept=ledger.this_week.get("usual"))
    peers = pl.DataFrame()
    away = np.zeros(len(pairs["c"]), np.int64)
    alike = [pl.DataFrame(schema=dict.fromkeys(DAYS, pl.Int64))]
    for week in weeks(ledger, touched, size, before=touched_before(ledger)):
        for key, place in places.items():
            rows = place.rows(week.number)
            past = seen[key].before(week.number, len(ledger.senders), place.k[rows])
            before = week.peers @ past
            found = np.asarray(before[place.s[rows], place.k[rows]]).ravel()
            had[key][rows] = np.where(week.known[place.s[rows]], found, -1)
        here = places["c"].rows(week.number)
        folder = places["c"].k[here]
        away[here] = remoteness(week, places["c"].s[here], folder, len(ledger.resources))
        usual.read(week.number, week.peers, week.known)
        alike.append(resembled(week, things, size))
        s, peer = week.peers.nonzero()
        peers = pl.DataFrame({"s": s.astype(np.int32), "peer": peer.astype(np.int32)})
    top = top_days(ledger, counts, earlier)
    typical = [pl.Series(f"usual_{name}", found) for name, found in usual.found.items()]
    typical += [pl.Series(f"top_{name}", found) for name, found in top.found.items()]
    likeness = pl.concat(alike).with_columns(pl.col("s", "d").cast(pl.Int32))
    days = counts.select("s", "d", *typical).join(likeness, on=["s", "d"], how="left")
    kept = {"peers": peers, "circles": ledger.circles, "usual": usual.last, "top": top.last}
    return days, had, away, kept


def top_days(ledger: Ledger, counts: pl.DataFrame, before: pl.DataFrame) -> HighDays:
    """What all but one in 300 of the days of all people, and of all services, reach."""
    from scipy.sparse import identity

    service = ledger.senders["service"].cast(pl.Int32)
    days, earlier = (
        each.with_columns(service.gather(each["s"]).alias("service")) for each in (counts, before)
    )
    kept = ledger.this_week.get("top")
    top = HighDays(days, earlier, "service", TOP_COUNTS, share=TOP, kept=kept)
    same, both = identity(2, dtype=np.int64, format="csr"), np.ones(2, np.bool_)
    for week in week_of(counts["d"]).unique().sort().to_list():
        top.read(week, same, both)
    return top


def touched_before(ledger: Ledger) -> pl.DataFrame:
    """Days on which a thing was touched, by week and sender: what is kept of earlier weeks."""
    tables, folders = ledger.past.tables, pl.col("c") + len(ledger.resources)
    return pl.concat(
        [
            tables["touched_r"].select("week", "s", "days", x="r"),
            tables["touched_c"].select("week", "s", "days", x=folders),
        ]
    )


class Places:
    """Pairs by week: where the rows of one week are."""

    def __init__(self, pairs: pl.DataFrame, key: str) -> None:
        week = pairs.select(week_of(pl.col("d"))).to_series().to_numpy()
        self.order = np.argsort(week, kind="stable")
        self.week = week[self.order]
        self.s, self.d, self.k, self.n = (
            pairs[name].to_numpy().astype(np.int64) for name in ("s", "d", key, "n")
        )

    def rows(self, week: int) -> Ints:
        low, high = np.searchsorted(self.week, [week, week + 1])
        return self.order[low:high]


class Seen:
    """Which values each sender had before a week."""

    def __init__(self, pairs: pl.DataFrame, past: Past, key: str) -> None:
        firsts = pairs.filter("first").select("s", key, since="d")
        both = pl.concat([past.tables[key].select("s", key, "since"), firsts])
        self.s, self.k, since = (
            both[name].to_numpy().astype(np.int64) for name in ("s", key, "since")
        )
        self.week = (since + 3) // 7
        self.size = int(self.k.max(initial=0)) + 1

    def before(self, week: int, people: int, values: Ints) -> Sparse:
        """A senders x values matrix of zeros and ones; only ``values`` are looked at."""
        from scipy.sparse import csr_matrix

        wanted = np.zeros(self.size, np.bool_)
        wanted[values] = True
        held = (self.week < week) & wanted[self.k]
        ones = np.ones(int(held.sum()), np.int64)
        return csr_matrix((ones, (self.s[held], self.k[held])), shape=(people, self.size))


def resembled(week: Week, things: Places, size: int) -> pl.DataFrame:
    """Own likeness, the best other likeness and whose it is, for each sender-day of a week."""
    from scipy.sparse import csr_matrix

    rows = things.rows(week.number)
    line = things.s[rows] * DAY_SPAN + things.d[rows]
    day, at = np.unique(line, return_inverse=True)
    weight = np.log1p(things.n[rows]) * week.rarity[things.k[rows]]
    vectors = unit_rows(csr_matrix((weight, (at, things.k[rows])), shape=(len(day), size)))
    vectors.eliminate_zeros()
    alike = (vectors @ week.profile.T).tocsr()
    mine = day // DAY_SPAN
    own = np.asarray(alike[np.arange(len(day)), mine]).ravel()
    best, who = best_other(alike, mine)
    thousandths = [np.round(1000 * each).astype(np.int64) for each in (own, best)]
    return pl.DataFrame(dict(zip(DAYS, (mine, day % DAY_SPAN, *thousandths, who), strict=True)))


def best_other(alike: Sparse, mine: Ints) -> tuple[Floats, Ints]:
    """By row, the highest value outside the own column, and its column; of equals the first."""
    alike.sort_indices()
    row = np.repeat(np.arange(len(mine)), np.diff(alike.indptr))
    like = np.where(alike.indices == mine[row], 0.0, np.round(alike.data, 3))
    best, who = np.zeros(len(mine)), np.full(len(mine), NOTHING, np.int64)
    some = np.flatnonzero(np.diff(alike.indptr))
    if len(some):
        best[some] = np.maximum.reduceat(like, alike.indptr[some])
        hit = np.flatnonzero((like == best[row]) & (like > 0))
        first = hit[np.flatnonzero(np.diff(row[hit], prepend=-1))]
        who[row[first]] = alike.indices[first]
    return best, who
