"""The index of what was seen: ids and contents held, small enough for memory during a sync."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from auditlens.archive.segment import Places, places_of
from auditlens.events import EARLIEST, content_hash, micros

__all__ = [
    "CHANGED",
    "KNOWN",
    "NEW",
    "UNTIMED",
    "Keys",
    "SeenIndex",
    "SeenKeys",
    "Times",
    "halves",
    "keys_of",
    "moment",
    "standing",
    "times_of",
]

NEW, KNOWN, CHANGED = 0, 1, 2
"""What the seen_index says of a record: not held, held with this content, held with another."""

UNTIMED = int(np.iinfo(np.int64).min)
"""The time of a record that has none, or none that it can have happened at."""

Keys = npt.NDArray[np.uint64]
Times = npt.NDArray[np.int64]


def keys_of(ids: pl.Series) -> Keys:
    """64-bit keys of ids; equal within one process only."""
    return ids.hash().to_numpy()


def moment(at: int) -> datetime:
    """The time (UTC) that is so many microseconds after 1970."""
    return EARLIEST + timedelta(microseconds=at)


def times_of(moments: pl.Series, dated: pl.Series | None = None) -> Times:
    """Times of events in microseconds; UNTIMED for those that do not belong to their date."""
    times: Times = moments.to_physical().to_numpy()
    return times if dated is None else np.where(dated.to_numpy(), times, UNTIMED)


@dataclass
class SortedRuns:
    """Columns in a few sorted runs: cheap to add to, cheap to look up, compact to keep.

    Each run is sorted by its first column. A run is merged with the one before it when that is
    less than twice as long, so their number grows with the logarithm of the rows.
    """

    runs: list[tuple[npt.NDArray[Any], ...]] = field(default_factory=list)

    def add(self, *columns: npt.NDArray[Any]) -> None:
        self.runs.append(in_order(columns))
        while len(self.runs) > 1 and self.runs[-2][0].size < 2 * self.runs[-1][0].size:
            pairs = zip(self.runs.pop(-2), self.runs.pop(-1), strict=True)
            self.runs.append(in_order([np.concatenate(pair) for pair in pairs]))

    def column(self, number: int) -> npt.NDArray[Any]:
        """One column of all rows."""
        return np.concatenate([run[number] for run in self.runs])


def in_order(columns: Sequence[npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], ...]:
    order = np.argsort(columns[0], kind="stable")
    return tuple(column[order] for column in columns)


@dataclass
class SeenIndex:
    """Ids, places, exact bytes and times of all records held; grows while pages come in.

    A record counts as held when 128 bits of the SHA-256 of its bytes are, or its id's 64-bit key
    with the same content, which is then read from the evidence: most ids never return in
    other bytes.
    """

    ids: SortedRuns = field(default_factory=SortedRuns)
    leaves: SortedRuns = field(default_factory=SortedRuns)

    @classmethod
    def of(
        cls,
        held: pl.DataFrame,
        quarantined: Mapping[str, int] | None = None,
        dated: pl.Series | None = None,
    ) -> SeenIndex:
        """From ``id``, ``created_at``, ``leaf`` and place of all rows; places of refused leaves.

        ``dated`` says of each row whether it belongs to its date (default: all do).
        """
        seen_index = cls()
        keys, times = keys_of(held["id"]), times_of(held["created_at"], dated)
        seen_index.hold(keys, places_of(held), times)
        seen_index.meet(held["leaf"].to_list(), keys, times)
        refused = quarantined or {}
        keys = keys_of(pl.Series(list(refused), dtype=pl.String))
        times = np.full(len(refused), UNTIMED)
        seen_index.hold(keys, np.array(list(refused.values()), np.int64), times)
        seen_index.meet([bytes.fromhex(leaf) for leaf in refused], keys, times)
        return seen_index

    def find(self, leaves: Sequence[bytes]) -> tuple[npt.NDArray[np.bool_], Keys, Times]:
        """Of each record: whether it is held byte for byte, and then its id key and time."""
        found = np.zeros(len(leaves), np.bool_)
        keys, times = np.zeros(len(leaves), np.uint64), np.full(len(leaves), UNTIMED)
        high, low = halves(leaves)
        # Sorted needles walk through a run in one direction, which the processor's cache rewards.
        order = np.argsort(high)
        high, low = high[order], low[order]
        for run in self.leaves.runs:
            if run[0].size:
                place = np.minimum(np.searchsorted(run[0], high), run[0].size - 1)
                here = (run[0][place] == high) & (run[1][place] == low)
                rows, place = order[here], place[here]
                keys[rows], times[rows], found[rows] = run[2][place], run[3][place], True
        return found, keys, times

    def hold(self, ids: Keys, places: Places, times: Times) -> None:
        """Add records that are stored, by id, with their place in the evidence."""
        self.ids.add(ids, places, times)

    def meet(self, leaves: Sequence[bytes], ids: Keys, times: Times) -> None:
        """Add the exact bytes of records, so that ``find`` knows them again."""
        self.leaves.add(*halves(leaves), ids, times)

    def states(
        self, ids: Keys, own: Callable[[int], bytes], held: Callable[[int], bytes]
    ) -> npt.NDArray[np.int8]:
        """Say of each record, in order: NEW, KNOWN or CHANGED.

        ``own`` gives the bytes of a record by its row, ``held`` of one by its place; both are
        asked only where an id is held already or stands twice.
        """
        states = np.full(ids.size, NEW, np.int8)
        contents: dict[int, set[bytes]] = {}
        for row, places in self.others(ids).items():
            key = int(ids[row])
            if key not in contents:
                contents[key] = {content_hash(held(place)) for place in places}
            known, content = contents[key], content_hash(own(row))
            states[row] = KNOWN if content in known else CHANGED if known else NEW
            known.add(content)
        return states

    def others(self, ids: Keys) -> dict[int, list[int]]:
        """For each row whose id is held or stands twice: the places where the id is held."""
        once, inverse, times = np.unique(ids, return_inverse=True, return_counts=True)
        spans, busy = [], times > 1
        for run in self.ids.runs:
            first = np.searchsorted(run[0], once, "left")
            after, held = first.copy(), standing(run[0], once, first)
            after[held] = np.searchsorted(run[0], once[held], "right")
            busy |= held
            spans.append((run[1], first, after))
        found = {}
        for row in np.flatnonzero(busy[inverse]).tolist():
            at = int(inverse[row])
            found[row] = [int(p) for run, first, after in spans for p in run[first[at] : after[at]]]
        return found

    def within(self, first: datetime | None, last: datetime) -> tuple[Keys, Times]:
        """Ids held with a time from ``first`` to ``last``, both included; each once.

        Records without a readable time always count.
        """
        ids, times = self.ids.column(0), self.ids.column(2)
        low = UNTIMED if first is None else micros(first)
        inside = (times >= low) & (times <= micros(last)) | (times == UNTIMED)
        ids, times = in_order((ids[inside], times[inside]))
        once = first_of_each(ids)
        return ids[once], times[once]


def standing(run: Keys, keys: Keys, places: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Whether each key stands in a sorted run at the place where a search put it."""
    if not run.size:
        return np.zeros(keys.size, np.bool_)
    return np.asarray(run[np.minimum(places, run.size - 1)] == keys)


@dataclass
class SeenKeys:
    """64-bit keys met so far; ``count`` is how many different ones."""

    runs: SortedRuns = field(default_factory=SortedRuns)
    count: int = 0

    def add(self, keys: Keys) -> int:
        """Add keys and say how many of them, each counted once, were not met before."""
        ordered = np.sort(keys)
        once = ordered[first_of_each(ordered)]
        fresh = np.ones(once.size, np.bool_)
        for (run,) in self.runs.runs:
            fresh &= ~standing(run, once, np.searchsorted(run, once))
        new = once[fresh]
        if new.size:
            self.runs.add(new)
            self.count += new.size
        return int(new.size)


def first_of_each(ordered: Keys) -> npt.NDArray[np.bool_]:
    """Where each value of a sorted array stands for the first time.

    ``np.unique`` builds a hash table since NumPy 2.3, which costs ten times the sort.
    """
    first = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def halves(leaves: Sequence[bytes]) -> tuple[Keys, Keys]:
    """The first and the second 64 bits of each hash; all are of one length, 16 bytes or more."""
    if not leaves:
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    words = np.frombuffer(b"".join(leaves), dtype="<u8").reshape(len(leaves), -1)
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)
