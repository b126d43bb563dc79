"""What the archive holds, by id and content, small enough to keep in memory during a sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["CHANGED", "KNOWN", "NEW", "Ledger", "canonical", "keys_of", "micros"]

NEW, KNOWN, CHANGED = 0, 1, 2
"""What the ledger says of a record: not held, held with this content, held with another."""

MERGE_AT = 50_000

Keys = npt.NDArray[np.uint64]
Times = npt.NDArray[np.int64]

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


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return int(pl.Series([at], dtype=pl.Datetime("us", "UTC")).to_physical()[0])


@dataclass
class Ledger:
    """Ids, contents and times of all records held; grows while pages come in.

    A record counts as held when both its id's 64-bit key and 64 bits of its content's SHA-256
    are: telling two records apart wrongly would take both to collide.
    """

    ids: Keys
    contents: Keys
    times: Times

    @classmethod
    def of(cls, held: pl.DataFrame, quarantined: Sequence[str]) -> Ledger:
        """From ``id``, ``canonical`` and ``created_at`` of the table and quarantined leaves."""
        none = np.empty(0, np.uint64)
        ledger = cls(none, none, np.empty(0, np.int64))
        times = held["created_at"].to_physical().to_numpy()
        ledger.merge(keys_of(held["id"]), contents_of(held["canonical"].to_list()), times)
        leaves = pl.Series(quarantined, dtype=pl.String)
        contents = contents_of([bytes.fromhex(leaf)[:16] for leaf in quarantined])
        ledger.merge(keys_of(leaves), contents, np.full(len(leaves), UNTIMED))
        return ledger

    def __post_init__(self) -> None:
        self.recent: dict[int, list[tuple[int, int]]] = {}
        self.added = 0

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

    def take(self, ids: Keys, contents: Keys, times: Times) -> list[int]:
        """Add one page's records and say of each, in order: NEW, KNOWN or CHANGED."""
        low = np.searchsorted(self.ids, ids, side="left").tolist()
        high = np.searchsorted(self.ids, ids, side="right").tolist()
        found = []
        rows = zip(ids.tolist(), contents.tolist(), times.tolist(), low, high, strict=True)
        for key, content, at, first, after in rows:
            pairs = self.recent.get(key, ())
            held = {content for content, _ in pairs} | set(self.contents[first:after].tolist())
            state = KNOWN if content in held else CHANGED if held else NEW
            if state != KNOWN:
                self.recent.setdefault(key, []).append((content, at))
                self.added += 1
            found.append(state)
        if self.added >= MERGE_AT:
            self.settle()
        return found

    def between(self, first: datetime | None, last: datetime) -> int:
        """Number of ids held with a time from ``first`` to ``last``, both included.

        Records without a readable time always count.
        """
        self.settle()
        low = UNTIMED if first is None else micros(first)
        within = (self.times >= low) & (self.times <= micros(last)) | (self.times == UNTIMED)
        return int(np.unique(self.ids[within]).size)


UNTIMED = int(np.iinfo(np.int64).min)


def contents_of(hashes: Sequence[bytes]) -> Keys:
    """64-bit keys of canonical hashes."""
    return np.frombuffer(b"".join(item[:8] for item in hashes), dtype="<u8").astype(np.uint64)
