"""What the archive holds, by id and content, small enough to keep in memory during a sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "CHANGED",
    "KNOWN",
    "NEW",
    "UNTIMED",
    "Keys",
    "Ledger",
    "Times",
    "canonical",
    "contents_of",
    "keys_of",
    "micros",
    "moment",
]

NEW, KNOWN, CHANGED = 0, 1, 2
"""What the ledger says of a record: not held, held with this content, held with another."""

UNTIMED = int(np.iinfo(np.int64).min)
"""The time of a record that has no readable one."""

MERGE_AT = 50_000

Keys = npt.NDArray[np.uint64]
Times = npt.NDArray[np.int64]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Numbers keep the text they were written in: two texts of one float are two contents.
DECODER = msgspec.json.Decoder(float_hook=lambda text: ["number", text])


def canonical(record: bytes) -> bytes:
    """Hash of a record's content, whatever the order of its keys: 16 bytes.

    What is no JSON, or nested too deep, counts by its exact bytes.
    """
    try:
        text = msgspec.json.encode(DECODER.decode(record), order="sorted")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        text = record
    return sha256(text).digest()[:16]


def keys_of(ids: pl.Series) -> Keys:
    """64-bit keys of ids; equal within one process only."""
    return ids.hash().to_numpy()


def contents_of(hashes: Sequence[bytes]) -> Keys:
    """64-bit keys of canonical hashes."""
    return np.frombuffer(b"".join(item[:8] for item in hashes), dtype="<u8").astype(np.uint64)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The time (UTC) that is so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=at)


@dataclass
class Leaves:
    """Exact bytes held, by the first 128 bits of their hash: id key and time of each record.

    A record found here needs no decoding.
    """

    high: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    low: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    keys: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    times: Times = field(default_factory=lambda: np.empty(0, np.int64))
    recent: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def merge(self, leaves: Sequence[bytes], keys: Keys, times: Times) -> None:
        high, low = halves(leaves)
        high = np.concatenate([self.high, high])
        order = np.argsort(high, kind="stable")
        self.high = high[order]
        self.low = np.concatenate([self.low, low])[order]
        self.keys = np.concatenate([self.keys, keys])[order]
        self.times = np.concatenate([self.times, times])[order]

    def settle(self) -> None:
        """Move the recent leaves into the sorted arrays."""
        keys = np.array([key for key, _ in self.recent.values()], np.uint64)
        times = np.array([at for _, at in self.recent.values()], np.int64)
        self.merge(list(self.recent), keys, times)
        self.recent = {}

    def find(self, leaves: Sequence[bytes]) -> list[tuple[int, int] | None]:
        """Id key and time of each record that is held byte for byte, else None."""
        found = [self.recent.get(leaf[:16]) for leaf in leaves]
        if self.high.size and leaves:
            high, low = halves(leaves)
            place = np.minimum(np.searchsorted(self.high, high), self.high.size - 1)
            for row in np.flatnonzero((self.high[place] == high) & (self.low[place] == low)):
                found[row] = int(self.keys[place[row]]), int(self.times[place[row]])
        return found


def halves(leaves: Sequence[bytes]) -> tuple[Keys, Keys]:
    """The first and the second 64 bits of each leaf."""
    words = np.frombuffer(b"".join(leaf[:16] for leaf in leaves), dtype="<u8").reshape(-1, 2)
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


@dataclass
class Ledger:
    """Ids, contents and times of all records held; grows while pages come in.

    A record counts as held when both its id's 64-bit key and 64 bits of its content's SHA-256
    are: telling two records apart wrongly would take both to collide.
    """

    ids: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    contents: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    times: Times = field(default_factory=lambda: np.empty(0, np.int64))
    leaves: Leaves = field(default_factory=Leaves)
    recent: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    added: int = 0

    @classmethod
    def of(cls, held: pl.DataFrame, quarantined: Sequence[str]) -> Ledger:
        """From ``id``, ``canonical``, ``created_at``, ``leaf`` of all rows and refused leaves."""
        ledger = cls()
        keys, times = keys_of(held["id"]), held["created_at"].to_physical().to_numpy()
        ledger.merge(keys, contents_of(held["canonical"].to_list()), times)
        ledger.leaves.merge(held["leaf"].to_list(), keys, times)
        leaves = [bytes.fromhex(leaf) for leaf in quarantined]
        keys = keys_of(pl.Series(quarantined, dtype=pl.String))
        times = np.full(len(leaves), UNTIMED)
        ledger.merge(keys, contents_of(leaves), times)
        ledger.leaves.merge(leaves, keys, times)
        return ledger

    def merge(self, ids: Keys, contents: Keys, times: Times) -> None:
        """Add records to the sorted arrays."""
        ids = np.concatenate([self.ids, ids])
        order = np.argsort(ids, kind="stable")
        self.ids = ids[order]
        self.contents = np.concatenate([self.contents, contents])[order]
        self.times = np.concatenate([self.times, times])[order]

    def settle(self) -> None:
        """Move the recent records into the sorted arrays."""
        rows = [(key, *pair) for key, pairs in self.recent.items() for pair in pairs]
        self.recent, self.added = {}, 0
        if rows:
            self.merge(
                np.array([row[0] for row in rows], np.uint64),
                np.array([row[1] for row in rows], np.uint64),
                np.array([row[2] for row in rows], np.int64),
            )
            self.leaves.settle()

    def take(
        self, ids: Keys, contents: Keys, times: Times, leaves: Sequence[bytes] = ()
    ) -> list[int]:
        """Add records and say of each, in order: NEW, KNOWN or CHANGED."""
        low = np.searchsorted(self.ids, ids, side="left").tolist()
        high = np.searchsorted(self.ids, ids, side="right").tolist()
        found = []
        rows = zip(ids.tolist(), contents.tolist(), times.tolist(), low, high, strict=True)
        for key, content, at, first, after in rows:
            held = {content for content, _ in self.recent.get(key, ())}
            if after > first:
                held.update(self.contents[first:after].tolist())
            state = KNOWN if content in held else CHANGED if held else NEW
            if state != KNOWN:
                self.recent.setdefault(key, []).append((content, at))
                self.added += 1
            found.append(state)
        for leaf, key, at in zip(leaves, ids.tolist(), times.tolist(), strict=False):
            self.leaves.recent[leaf[:16]] = key, at
        if self.added >= MERGE_AT:
            self.settle()
        return found

    def within(self, first: datetime | None, last: datetime) -> tuple[Keys, Times]:
        """Ids held with a time from ``first`` to ``last``, both included; each once.

        Records without a readable time always count.
        """
        self.settle()
        low = UNTIMED if first is None else micros(first)
        inside = (self.times >= low) & (self.times <= micros(last)) | (self.times == UNTIMED)
        ids, place = np.unique(self.ids[inside], return_index=True)
        return ids, self.times[inside][place]
