"""Peers: who works on the same resources, learnt anew each week from earlier weeks alone.

Where a directory is known, those of the same rare role or group are nearer to each other. Each
sender-day is compared with what peers had before, with the days of peers and with the profiles
(resources and containers of twelve weeks) of everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies._arrays import Floats, Ints, Sparse
from auditlens.anomalies.baselines import WeeklyQuantile
from auditlens.anomalies.encode import MISSING, EncodedEvents, History, week_of

__all__ = [
    "PEERS", "PEER_COUNTS", "PROFILE_WEEKS", "TOP_COUNTS", "PeerComparison", "compare_with_peers",
    "peer_weeks",
]  # fmt: skip

PEERS = 10
FEWEST_PEERS = 5
"""With fewer peers than this, a sender is not compared with peers."""

SHARED_BY = 80
"""A resource touched by more senders says little about who works together."""

PROFILE_WEEKS = 12
"""Weeks before a week that make its peers and profiles."""

CIRCLE_WEIGHT = 0.5
"""Weight of a shared role or group beside shared resources: it decides where these say little."""

PEER_COUNTS = ("events", "resources", "export", "share", "delete", "risky")
"""Counts compared with the peers' 95 % day."""

TOP_COUNTS = ("delete", "permission", "admin", "share")
"""Counts whose leap must also pass what hardly a day of anyone reaches: others clean up too."""

TOP_SHARE = 1 - 1 / 300

FOLDER_PRIOR = 5.0
"""Days of everyone that stand beside the days of the sender or of the peers."""

LIKENESS = ("sender", "day", "own_likeness", "other_likeness", "most_alike")
DAY_SPAN = 100_000


@dataclass(frozen=True)
class PeerWeek:
    """The peers and profiles of one week, from the PROFILE_WEEKS before it.

    Attributes:
        number: Of the week.
        peers: Senders x senders, zeros and ones.
        profile: Senders x things (resources, then containers): rows of length one, weighted by
            rarity.
        comparable: Senders with enough peers.
        rarity: By thing; 0 where it is too common to tell anybody apart.
        days: Senders x things: on how many days each touched it.
    """

    number: int
    peers: Sparse
    profile: Sparse
    comparable: NDArray[np.bool_]
    rarity: Floats
    days: Sparse


def peer_weeks(
    encoded: EncodedEvents, touched: pl.DataFrame, size: int, *, before: pl.DataFrame | None = None
) -> Iterator[PeerWeek]:
    """Yield the peers of every week in which something was touched, oldest first.

    Args:
        encoded: The events.
        touched: ``sender``, ``day``, ``thing``: what was touched when.
        size: Number of things; their codes are below it.
        before: ``week``, ``sender``, ``thing``, ``days``: how often in earlier weeks.

    Yields:
        One week after the other.
    """
    from scipy.sparse import csr_matrix

    senders = len(encoded.senders)
    since = encoded.senders.select(week_of(pl.col("since"))).to_series().to_numpy()
    circles = circle_profiles(encoded)
    weekly = touched.group_by("sender", "thing", week=week_of(pl.col("day"))).agg(
        days=pl.len().cast(pl.Int64)
    )
    numbers = weekly["week"].unique().sort().to_list()
    if before is not None:
        weekly = pl.concat([weekly, before.select(weekly.columns)])
    week, sender, thing = (
        weekly[name].to_numpy().astype(np.int64) for name in ("week", "sender", "thing")
    )
    days = weekly["days"].to_numpy().astype(np.float64)
    for number in numbers:
        then = (week >= number - PROFILE_WEEKS) & (week < number)
        people = int((since < number).sum())
        by_thing = csr_matrix((days[then], (sender[then], thing[then])), shape=(senders, size))
        by_thing.sum_duplicates()
        shared = np.bincount(by_thing.indices, minlength=size)
        # What a quarter of everyone touches tells nobody apart and would compare all with all.
        common = shared > max(SHARED_BY, people // 4)
        rarity = np.where(common, 0.0, np.log((people + 1) / (shared + 1)))
        profile = unit_rows(by_thing.log1p().multiply(rarity[None, :]).tocsr())
        profile.eliminate_zeros()
        peers = kept_peers(encoded) if number == numbers[0] else None
        if peers is None:
            linking = np.where(shared <= SHARED_BY, 1.0, 0.0)
            linked = unit_rows(profile.multiply(linking[None, :]).tocsr())
            if circles is not None:
                linked = with_circles(linked, circles, since < number)
            peers = nearest_peers(linked)
        comparable = np.asarray(peers.sum(axis=1)).ravel() >= FEWEST_PEERS
        yield PeerWeek(number, peers, profile, comparable, rarity, by_thing)


def kept_peers(encoded: EncodedEvents) -> Sparse | None:
    """The peers of the first week, where earlier days of it were counted: nothing changes them."""
    from scipy.sparse import csr_matrix

    kept = encoded.kept_week.get("peers")
    if kept is None:
        return None
    cells, size = (kept["sender"].to_numpy(), kept["peer"].to_numpy()), len(encoded.senders)
    return csr_matrix((np.ones(len(kept), np.int64), cells), shape=(size, size))


def circle_profiles(encoded: EncodedEvents) -> Sparse | None:
    """Senders x circles: rows of length one, by rarity; None without a directory."""
    from scipy.sparse import csr_matrix

    if encoded.circles.is_empty():
        return None
    sender, circle, rarity = (
        encoded.circles[name].to_numpy() for name in ("sender", "circle", "rarity")
    )
    shape = (len(encoded.senders), int(circle.max()) + 1)
    return unit_rows(csr_matrix((rarity, (sender, circle)), shape=shape))


def with_circles(linked: Sparse, circles: Sparse, there: NDArray[np.bool_]) -> Sparse:
    """Resources and circles in one profile: rows of length one.

    Only of senders who were ``there`` before the week: later ones are nobody's peers yet.
    """
    from scipy.sparse import diags, hstack

    return unit_rows(hstack([linked, diags(CIRCLE_WEIGHT * there) @ circles]).tocsr())


def unit_rows(matrix: Sparse) -> Sparse:
    """Scale each row to length one; empty rows stay empty."""
    from scipy.sparse import diags

    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (diags(np.where(length > 0, 1 / np.where(length > 0, length, 1), 0)) @ matrix).tocsr()


def nearest_peers(profile: Sparse) -> Sparse:
    """The PEERS most alike others of each row, as a matrix of zeros and ones."""
    from scipy.sparse import csr_matrix

    cosine = (profile @ profile.T).tocoo()
    other = (cosine.row != cosine.col) & (cosine.data > 0.01)
    row, col, like = cosine.row[other], cosine.col[other], np.round(cosine.data[other], 6)
    order = np.lexsort((col, -like, row))
    row, col = row[order], col[order]
    place = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    keep = place < PEERS
    return csr_matrix((np.ones(keep.sum(), np.int64), (row[keep], col[keep])), shape=cosine.shape)


@dataclass(frozen=True)
class PeerComparison:
    """Sender-days beside the peers and the profiles of the weeks before.

    Attributes:
        days: One row a sender-day: ``sender``, ``day``, ``usual_<count>`` (the peers' 95 % day, -1
            without peers), ``top_<count>`` (what one in 300 of the days of all people, or all
            services, exceeds), ``own_likeness`` and ``other_likeness`` (cosines in thousandths)
            and ``most_alike`` (code of the other sender most alike).
        peers_with: For each row of the pairs of ``resource``, ``container`` and ``kind``, how many
            peers had the value before the week; -1 without peers.
        remoteness: For each pair of ``container``, how remote the folder is (thousandths).
        kept: What later days of the last week need.
    """

    days: pl.DataFrame
    peers_with: dict[str, Ints]
    remoteness: Ints
    kept: dict[str, pl.DataFrame]


def compare_with_peers(
    encoded: EncodedEvents, pairs: dict[str, pl.DataFrame], counts: pl.DataFrame
) -> PeerComparison:
    """Compare each sender-day with the peers and the profiles of the weeks before it.

    Args:
        encoded: The events.
        pairs: ``day_pairs`` of ``resource``, ``container`` and ``kind``.
        counts: ``day_counts``: one row a sender-day.

    Returns:
        The comparison, its days in the order of ``counts``.
    """
    resources, senders = len(encoded.resources), len(encoded.senders)
    size = resources + len(encoded.containers)
    folder = pl.col("container") + resources
    touched = pl.concat(
        [
            pairs["resource"].select("sender", "day", "events", thing="resource"),
            pairs["container"].select("sender", "day", "events", thing=folder),
        ]
    )
    by_week = {key: WeekRows(pairs[key], key) for key in ("resource", "container", "kind")}
    firsts = {key: FirstUses(pairs[key], encoded.history, key) for key in by_week}
    peers_with = {key: np.full(len(pairs[key]), -1, np.int64) for key in by_week}
    things = WeekRows(touched.sort("sender", "day", "thing"), "thing")
    earlier = encoded.history.tables.get("sender_days", counts.clear())
    kept_usual = encoded.kept_week.get("usual")
    usual = WeeklyQuantile(counts, earlier, "sender", PEER_COUNTS, kept=kept_usual)
    peers = pl.DataFrame()
    remoteness = np.zeros(len(pairs["container"]), np.int64)
    likeness = [pl.DataFrame(schema=dict.fromkeys(LIKENESS, pl.Int64))]
    for week in peer_weeks(encoded, touched, size, before=touched_before(encoded)):
        for key, place in by_week.items():
            rows = place.rows(week.number)
            sender, value = place.sender[rows], place.value[rows]
            before = week.peers @ firsts[key].before(week.number, senders, value)
            with_value = np.asarray(before[sender, value]).ravel()
            peers_with[key][rows] = np.where(week.comparable[sender], with_value, -1)
        place = by_week["container"]
        rows = place.rows(week.number)
        remoteness[rows] = folder_remoteness(week, place.sender[rows], place.value[rows], resources)
        usual.fill_week(week.number, week.peers, week.comparable)
        likeness.append(cosine_to_profiles(week, things, size))
        sender, peer = week.peers.nonzero()
        peers = pl.DataFrame({"sender": sender.astype(np.int32), "peer": peer.astype(np.int32)})
    top = everyones_quantile(encoded, counts, earlier)
    columns = [pl.Series(f"usual_{name}", values) for name, values in usual.values.items()]
    columns += [pl.Series(f"top_{name}", values) for name, values in top.values.items()]
    alike = pl.concat(likeness).with_columns(pl.col("sender", "day").cast(pl.Int32))
    days = counts.select("sender", "day", *columns).join(alike, on=["sender", "day"], how="left")
    kept = {
        "peers": peers,
        "circles": encoded.circles,
        "usual": usual.last_week,
        "top": top.last_week,
    }
    return PeerComparison(days, peers_with, remoteness, kept)


def everyones_quantile(
    encoded: EncodedEvents, counts: pl.DataFrame, before: pl.DataFrame
) -> WeeklyQuantile:
    """What all but one in 300 of the days of all people, and of all services, reach."""
    from scipy.sparse import identity

    service = encoded.senders["service"].cast(pl.Int32)
    days, earlier = (
        each.with_columns(service.gather(each["sender"]).alias("service"))
        for each in (counts, before)
    )
    kept = encoded.kept_week.get("top")
    top = WeeklyQuantile(days, earlier, "service", TOP_COUNTS, share=TOP_SHARE, kept=kept)
    same, both = identity(2, dtype=np.int64, format="csr"), np.ones(2, np.bool_)
    for week in week_of(counts["day"]).unique().sort().to_list():
        top.fill_week(week, same, both)
    return top


def touched_before(encoded: EncodedEvents) -> pl.DataFrame:
    """Days on which a thing was touched, by week and sender: what is kept of earlier weeks."""
    tables, folder = encoded.history.tables, pl.col("container") + len(encoded.resources)
    return pl.concat(
        [
            tables["touched_resource"].select("week", "sender", "days", thing="resource"),
            tables["touched_container"].select("week", "sender", "days", thing=folder),
        ]
    )


class WeekRows:
    """Pairs by week: where the rows of one week are."""

    def __init__(self, pairs: pl.DataFrame, key: str) -> None:
        week = pairs.select(week_of(pl.col("day"))).to_series().to_numpy()
        self.order = np.argsort(week, kind="stable")
        self.week = week[self.order]
        self.sender, self.day, self.value, self.events = (
            pairs[name].to_numpy().astype(np.int64) for name in ("sender", "day", key, "events")
        )

    def rows(self, week: int) -> Ints:
        low, high = np.searchsorted(self.week, [week, week + 1])
        return self.order[low:high]


class FirstUses:
    """Which values each sender had before a week."""

    def __init__(self, pairs: pl.DataFrame, history: History, key: str) -> None:
        firsts = pairs.filter("first").select("sender", key, since="day")
        both = pl.concat([history.tables[key].select("sender", key, "since"), firsts])
        self.sender, self.value, since = (
            both[name].to_numpy().astype(np.int64) for name in ("sender", key, "since")
        )
        self.week = week_of(since)
        self.size = int(self.value.max(initial=0)) + 1

    def before(self, week: int, senders: int, values: Ints) -> Sparse:
        """A senders x values matrix of zeros and ones; only ``values`` are looked at."""
        from scipy.sparse import csr_matrix

        wanted = np.zeros(self.size, np.bool_)
        wanted[values] = True
        had = (self.week < week) & wanted[self.value]
        ones = np.ones(int(had.sum()), np.int64)
        return csr_matrix((ones, (self.sender[had], self.value[had])), shape=(senders, self.size))


def cosine_to_profiles(week: PeerWeek, things: WeekRows, size: int) -> pl.DataFrame:
    """Own likeness, the best other likeness and whose it is, for each sender-day of a week."""
    from scipy.sparse import csr_matrix

    rows = things.rows(week.number)
    line = things.sender[rows] * DAY_SPAN + things.day[rows]
    sender_day, at = np.unique(line, return_inverse=True)
    weight = np.log1p(things.events[rows]) * week.rarity[things.value[rows]]
    cells = (at, things.value[rows])
    vectors = unit_rows(csr_matrix((weight, cells), shape=(len(sender_day), size)))
    vectors.eliminate_zeros()
    cosine = (vectors @ week.profile.T).tocsr()
    sender = sender_day // DAY_SPAN
    own = np.asarray(cosine[np.arange(len(sender_day)), sender]).ravel()
    best, who = best_other(cosine, sender)
    thousandths = [np.round(1000 * each).astype(np.int64) for each in (own, best)]
    columns = (sender, sender_day % DAY_SPAN, *thousandths, who)
    return pl.DataFrame(dict(zip(LIKENESS, columns, strict=True)))


def best_other(cosine: Sparse, own: Ints) -> tuple[Floats, Ints]:
    """By row, the highest value outside the own column, and its column; of equals the first."""
    cosine.sort_indices()
    row = np.repeat(np.arange(len(own)), np.diff(cosine.indptr))
    like = np.where(cosine.indices == own[row], 0.0, np.round(cosine.data, 3))
    best, who = np.zeros(len(own)), np.full(len(own), MISSING, np.int64)
    some = np.flatnonzero(np.diff(cosine.indptr))
    if len(some):
        best[some] = np.maximum.reduceat(like, cosine.indptr[some])
        hit = np.flatnonzero((like == best[row]) & (like > 0))
        first = hit[np.flatnonzero(np.diff(row[hit], prepend=-1))]
        who[row[first]] = cosine.indices[first]
    return best, who


def folder_remoteness(week: PeerWeek, sender: Ints, folder: Ints, first: int) -> Ints:
    """Thousandths of the log ratio of everyone's share of a folder to the nearest share.

    The nearest share is that of the sender's days or of the peers', whichever is larger, in the
    weeks before, both smoothed with everyone's. Folders stand from ``first`` on among the things of
    the week. Zero without peers, and where the nearest share is larger.
    """
    if not len(sender):
        return np.zeros(0, np.int64)
    own = week.days[:, first:]
    crowd = np.asarray(own.sum(axis=0)).ravel()
    # Folders of later days are coded too, but nobody has touched them yet.
    everyone = (crowd + 1) / (crowd.sum() + np.count_nonzero(crowd) + 1)
    nearest = np.maximum(
        *(smoothed_shares(days, sender, folder, everyone) for days in (own, week.peers @ own))
    )
    remoteness = np.round(1000 * np.log(everyone[folder] / nearest)).astype(np.int64)
    return np.where(week.comparable[sender], np.maximum(remoteness, 0), 0)


def smoothed_shares(days: Sparse, sender: Ints, folder: Ints, everyone: Floats) -> Floats:
    """Of all ``days`` (senders x folders) of each sender, the share of each folder."""
    total = np.asarray(days.sum(axis=1)).ravel()[sender]
    count = np.asarray(days[sender, folder]).ravel()
    share = (count + FOLDER_PRIOR * everyone[folder]) / (total + FOLDER_PRIOR)
    return np.asarray(share, np.float64)
