"""Writes segments: pages come in, records are told apart, and what is new is sealed in batches."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from auditlens.archive.chain import Chain, extend, set_head
from auditlens.archive.dedup import (
    CHANGED,
    KNOWN,
    NEW,
    UNTIMED,
    Keys,
    SeenIndex,
    SeenKeys,
    Times,
    keys_of,
    moment,
    times_of,
)
from auditlens.archive.manifest import OutcomeNote, PageNote, QuarantineNote, SegmentNote
from auditlens.archive.segment import EVIDENCE, Evidence, leaves_of, pack, place_of
from auditlens.archive.table import CHUNK_ROWS, Index, Table, dated_rows
from auditlens.events import Rejected, dated_ticks, decode_records, micros
from auditlens.files import put
from auditlens.pages import Page

__all__ = ["PageResult", "SegmentWriter", "Tally"]

BATCH_ROWS = 5000
BATCH_SECONDS = 1.0


@dataclass(frozen=True)
class PageResult:
    """What one page held: a key and a time (µs) for each record, and what was known of it."""

    keys: Keys
    times: Times
    states: npt.NDArray[np.int8]

    @property
    def known(self) -> bool:
        """Whether every record was held already."""
        return bool((self.states == KNOWN).all())

    def older_and_known(self, until: datetime) -> bool:
        """Whether every record was held already and is older than ``until``."""
        newest = self.newest
        return self.known and newest is not None and newest < until

    @property
    def again(self) -> PageResult:
        """The same records, when they come once more."""
        return PageResult(self.keys, self.times, np.full(self.keys.size, KNOWN, np.int8))

    @property
    def newest(self) -> datetime | None:
        timed = self.times[self.times > UNTIMED]
        return moment(int(timed.max())) if timed.size else None

    @property
    def oldest(self) -> datetime | None:
        timed = self.times[self.times > UNTIMED]
        return moment(int(timed.min())) if timed.size else None


@dataclass(frozen=True)
class Waiting:
    """A page that is queued: the leaves of its records, or what they were when it came before."""

    page: Page
    leaves: list[bytes]
    key: int
    before: PageResult | None


@dataclass
class Tally:
    """Counts of one sync. ``new`` is all that was stored: changed, late and quarantined too."""

    new: int = 0
    seen: int = 0
    changed: int = 0
    late: int = 0
    quarantined: int = 0
    pages: int = 0


@dataclass
class Batch:
    """Records waiting to be sealed, the rows decoded from them, and the pages they came from."""

    records: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    rows: list[pl.DataFrame] = field(default_factory=list)
    quarantined: list[QuarantineNote] = field(default_factory=list)
    pages: list[PageNote] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)


class SegmentWriter:
    """Takes pages for the holder of the lock. The chain never names what is not on disk."""

    def __init__(
        self, folder: Path, chain: Chain, table: Table, index: Index, source: str, pull: str,
        pulled: datetime,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.chain = chain
        self.table = table
        self.index = index
        self.source = source
        self.pull = pull
        self.pulled = pulled
        self.watermark = chain.watermark
        self.evidence = Evidence.of(folder, chain.segments)
        quarantined = {
            item.leaf: place_of(manifest.sequence, item.row)
            for manifest, note in chain.segments
            for item in note.quarantined
        }
        held = table.held(index)
        own = dated_rows(held, chain.segments)
        self.held_since: datetime | None = held.filter(own)["created_at"].min()  # type: ignore[assignment]
        self.seen_index = SeenIndex.of(held, quarantined, own)
        self.tally = Tally()
        self.batch = Batch()
        self.pending: list[pl.DataFrame] = []
        self.waiting: list[Waiting] = []
        self.read = SeenKeys()
        self.stored: list[Keys] = []
        self.pages: dict[int, PageResult] = {}

    def queue(self, page: Page) -> Waiting:
        """Queue a page without telling its records apart.

        A page that came before, the same to the byte, is known by a 64-bit hash that is keyed
        anew in each process: hashing its records once more would cost a tenth of a sync.
        """
        key = hash(page.records)
        before = self.pages.get(key)
        leaves = leaves_of(page.records) if before is None else []
        waiting = Waiting(page, leaves, key, before)
        self.waiting.append(waiting)
        return waiting

    @property
    def due(self) -> bool:
        """Whether so much is queued that it is time to settle and seal."""
        rows = sum(len(one.leaves) for one in self.waiting) + len(self.batch.records)
        return rows >= BATCH_ROWS or time.monotonic() - self.batch.since > BATCH_SECONDS

    def settle(self) -> list[PageResult]:
        """Tell the records of the queued pages apart; what is new waits to be sealed."""
        waiting, self.waiting = self.waiting, []
        records = [record for one in waiting if one.before is None for record in one.page.records]
        leaves = [leaf for one in waiting for leaf in one.leaves]
        whole = self.told_apart(records, leaves)
        found, start = [], 0
        for one in waiting:
            part = slice(start, start + len(one.leaves))
            start = part.stop
            taken = (
                PageResult(whole.keys[part], whole.times[part], whole.states[part])
                if one.before is None
                else one.before.again
            )
            found.append(taken)
            self.pages.setdefault(one.key, taken)
            self.tally.pages += 1
            new = 0 if one.before else self.count(taken)
            self.batch.pages.append(page_note(one.page, new))
        return found

    def told_apart(self, records: list[bytes], leaves: list[bytes]) -> PageResult:
        """Look records up; decode, and add to the batch, those not held byte for byte."""
        held, keys, times = self.seen_index.find(leaves)
        states = np.full(len(records), KNOWN, np.int8)
        rows = np.flatnonzero(~held)
        if rows.size:
            picked = rows.tolist()
            some = self.decoded([records[row] for row in picked], [leaves[row] for row in picked])
            keys[rows], times[rows], states[rows] = some.keys, some.times, some.states
        return PageResult(keys, times, states)

    def decoded(self, records: list[bytes], leaves: list[bytes]) -> PageResult:
        """Decode records, ask the seen_index, and put those that are new into the batch."""
        result = decode_records(records, source=self.source, leaves=leaves)
        refused = {item.index: item for item in result.rejected}
        kept = np.delete(np.arange(len(records)), list(refused))
        keys, times = np.empty(len(records), np.uint64), np.full(len(records), UNTIMED)
        keys[kept] = keys_of(result.events["id"])
        read = times_of(result.events["created_at"])
        times[kept] = np.where(dated_ticks(read, self.pulled), read, UNTIMED)
        if refused:
            bad = [leaves[row] for row in refused]
            keys[list(refused)] = keys_of(pl.Series([leaf.hex() for leaf in bad]))
        states = self.seen_index.states(keys, records.__getitem__, self.record)
        self.seen_index.meet(leaves, keys, times)
        batch, new = self.batch, states != KNOWN
        rows = len(batch.records) + np.cumsum(new) - 1
        self.seen_index.hold(keys[new], place_of(self.segment, 0) + rows[new], times[new])
        for row in sorted(refused):
            if new[row]:
                self.quarantine(refused[row], int(rows[row]), leaves[row])
        events = result.events.with_columns(pl.Series("row", rows[kept], pl.Int32))
        if not new.all():
            stored = np.flatnonzero(new).tolist()
            records, leaves = [records[row] for row in stored], [leaves[row] for row in stored]
            events = events.filter(pl.Series(new[kept], dtype=pl.Boolean))
        batch.records.extend(records)
        batch.leaves.extend(leaves)
        batch.rows.append(events)
        return PageResult(keys, times, states)

    @property
    def segment(self) -> int:
        """The number of the segment that the batch will be."""
        return len(self.chain.links) + 1

    def record(self, place: int) -> bytes:
        """The bytes of a record that is sealed or waits in the batch."""
        first = place_of(self.segment, 0)
        return self.evidence.record(place) if place < first else self.batch.records[place - first]

    def quarantine(self, refused: Rejected, place: int, leaf: bytes) -> None:
        """Note the record at ``place`` of the batch as one that is no event."""
        note = QuarantineNote(place, leaf.hex(), refused.reason, refused.excerpt)
        self.batch.quarantined.append(note)
        self.tally.quarantined += 1

    def count(self, taken: PageResult) -> int:
        """Add a page to the tally, and return how many of its records were stored.

        What this sync itself stored is not 'seen' when it is read again.
        """
        tally = self.tally
        limit = UNTIMED if self.watermark is None else micros(self.watermark)
        new = taken.states == NEW
        tally.changed += int((taken.states == CHANGED).sum())
        stored = int((taken.states != KNOWN).sum())
        tally.new += stored
        tally.late += int((new & (taken.times > UNTIMED) & (taken.times <= limit)).sum())
        known = taken.states == KNOWN
        if known.any():
            self.read.add(np.concatenate([*self.stored, taken.keys[:0]]))
            self.stored = []
            tally.seen += self.read.add(taken.keys[known])
        self.stored.append(taken.keys[~known])
        return stored

    def seal(self, at: datetime, *, force: bool = False) -> None:
        """Write the batch as a segment and its manifest, if it is due or ``force`` is given."""
        batch = self.batch
        if not (force or self.due):
            return
        if not batch.records:
            self.batch = Batch()
            return
        packed = pack(batch.records, batch.leaves)
        number = self.segment
        name = f"{number:06d}-{packed.sha256[:12]}.ndjson.zst"
        rows = pl.concat(batch.rows).with_columns(pl.lit(number, pl.Int32).alias("segment"))
        times = times_of(rows["created_at"])
        times = times[dated_ticks(times, at)]
        note = packed.note(
            name,
            (moment(int(times.min())), moment(int(times.max()))) if times.size else (None, None),
            self.watermark,
            pages=tuple(batch.pages),
            quarantined=tuple(batch.quarantined),
        )
        put(self.folder / EVIDENCE / name, packed.data, exclusive=True)
        self.extend(at, note)
        self.evidence.notes[number] = note
        self.batch = Batch()
        self.pending.append(rows)
        if sum(frame.height for frame in self.pending) >= CHUNK_ROWS:
            self.tabulate()

    def extend(self, at: datetime, note: SegmentNote | OutcomeNote) -> None:
        self.chain = extend(
            self.folder, self.chain, pull=self.pull, at=at, source=self.source, note=note
        )

    def tabulate(self) -> None:
        """Add the rows of the sealed segments to the table."""
        if self.pending:
            rows = pl.concat(self.pending)
            self.index = self.table.append(self.index, self.chain, rows, len(self.chain.links))
            self.pending = []

    def conclude(self, at: datetime, note: OutcomeNote) -> None:
        """Seal the outcome and bring table and head up to it."""
        self.tabulate()
        self.extend(at, replace(note, table=self.index.digest))
        set_head(self.folder, self.chain)
        self.table.tidy(self.index)


def page_note(page: Page, new: int) -> PageNote:
    return PageNote(
        number=page.number,
        rows=len(page.records),
        new=new,
        count=page.count,
        total_pages=page.total_pages,
        endpoint=page.endpoint,
        request=dict(page.request),
        server_time=page.server_time,
    )
