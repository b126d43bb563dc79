"""Pages come in, records are told apart, and what is new is sealed in batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from auditlens.archive import chain as log
from auditlens.archive.chain import Chain
from auditlens.archive.disk import put
from auditlens.archive.ledger import (
    CHANGED,
    KNOWN,
    UNTIMED,
    Keys,
    Ledger,
    Times,
    canonical,
    contents_of,
    keys_of,
)
from auditlens.archive.manifest import OutcomeNote, PageNote, QuarantineNote, SegmentNote
from auditlens.archive.segment import FOLDER, pack
from auditlens.archive.table import CHUNK_ROWS, Index, Table
from auditlens.events.decode import Decoded, decode_records
from auditlens.pages import Page

__all__ = ["Intake", "Taken", "Tally"]

BATCH_ROWS = 1000
BATCH_SECONDS = 1.0


@dataclass(frozen=True)
class Taken:
    """What one page held: a key and a time (µs) for each record, and what was known of it."""

    keys: Keys
    times: Times
    states: tuple[int, ...]
    newest: datetime | None
    oldest: datetime | None

    @property
    def known(self) -> bool:
        """Whether every record was held already."""
        return all(state == KNOWN for state in self.states)


@dataclass
class Tally:
    """Counts of one sync. ``new`` is all that was stored: changed, late and quarantined too."""

    new: int = 0
    seen: int = 0
    changed: int = 0
    late: int = 0
    quarantined: int = 0
    pages: int = 0
    newest: datetime | None = None
    oldest: datetime | None = None


@dataclass
class Batch:
    """Records waiting to be sealed, the rows decoded from them, and the pages they came from."""

    records: list[bytes] = field(default_factory=list)
    rows: list[pl.DataFrame] = field(default_factory=list)
    quarantined: list[QuarantineNote] = field(default_factory=list)
    pages: list[PageNote] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        return len(self.records) >= BATCH_ROWS or time.monotonic() - self.since > BATCH_SECONDS


class Intake:
    """Takes pages for the holder of the lock. The chain never names what is not on disk."""

    def __init__(
        self, folder: Path, chain: Chain, table: Table, index: Index, source: str, pull: str
    ) -> None:
        self.folder = folder
        self.chain = chain
        self.table = table
        self.index = index
        self.source = source
        self.pull = pull
        self.watermark = chain.watermark
        quarantined = [item.leaf for _, note in chain.segments for item in note.quarantined]
        held = table.held(index)
        self.held_since: datetime | None = held["created_at"].min()  # type: ignore[assignment]
        self.ledger = Ledger.of(held, quarantined)
        self.tally = Tally()
        self.batch = Batch()
        self.pending: list[pl.DataFrame] = []
        self.read: set[int] = set()

    def take(self, page: Page) -> Taken:
        """Tell the records of a page apart and queue what is new; nothing is written yet."""
        result = decode_records(page.records, source=self.source)
        refused = {item.index for item in result.rejected}
        kept = [row for row in range(len(page.records)) if row not in refused]
        hashes = {row: sha256(page.records[row]).hexdigest() for row in refused}
        ids = dict(zip(kept, result.events["id"].to_list(), strict=True)) | hashes
        contents = {row: canonical(page.records[row]) for row in kept}
        contents |= {row: bytes.fromhex(leaf)[:16] for row, leaf in hashes.items()}
        times = np.full(len(page.records), UNTIMED)
        times[kept] = result.events["created_at"].to_physical().to_numpy()
        rows = range(len(page.records))
        keys = keys_of(pl.Series([ids[row] for row in rows], dtype=pl.String))
        states = self.ledger.take(keys, contents_of([contents[row] for row in rows]), times)
        self.queue(page, result, states, hashes, [contents[row] for row in kept])
        taken = Taken(keys, times, tuple(states), *span(result.events))
        self.count(taken)
        return taken

    def queue(
        self,
        page: Page,
        result: Decoded,
        states: Sequence[int],
        hashes: dict[int, str],
        contents: Sequence[bytes],
    ) -> None:
        """Put the records that are new into the batch."""
        batch = self.batch
        place = {}
        for row, state in enumerate(states):
            if state != KNOWN:
                place[row] = len(batch.records)
                batch.records.append(page.records[row])
        for item in result.rejected:
            if item.index in place:
                leaf = hashes[item.index]
                note = QuarantineNote(place[item.index], leaf, item.reason, item.excerpt)
                batch.quarantined.append(note)
                self.tally.quarantined += 1
        kept = [row for row in range(len(states)) if row not in hashes]
        fresh = pl.Series([row in place for row in kept], dtype=pl.Boolean)
        rows = result.events.with_columns(pl.Series("canonical", contents, pl.Binary))
        batch.rows.append(rows.filter(fresh))
        batch.pages.append(page_note(page, len(place)))

    def count(self, taken: Taken) -> None:
        """Add a page to the tally; what this sync itself stored is not 'seen' when read again."""
        tally = self.tally
        tally.pages += 1
        limit = UNTIMED if self.watermark is None else timestamp(self.watermark)
        rows = zip(taken.keys.tolist(), taken.times.tolist(), taken.states, strict=True)
        for key, at, state in rows:
            if state == KNOWN:
                tally.seen += key not in self.read
            else:
                tally.new += 1
                tally.changed += state == CHANGED
                tally.late += state != CHANGED and UNTIMED < at <= limit
            self.read.add(key)
        tally.newest = max(filter(None, (tally.newest, taken.newest)), default=None)
        tally.oldest = min(filter(None, (tally.oldest, taken.oldest)), default=None)

    def seal(self, at: datetime, *, force: bool = False) -> None:
        """Write the batch as a segment and its manifest, if it is due or ``force`` is given."""
        batch = self.batch
        if not batch.records or not (force or batch.due):
            return
        packed = pack(batch.records)
        number = len(self.chain.links) + 1
        name = f"{number:06d}-{packed.sha256[:12]}.ndjson.zst"
        rows = pl.concat(batch.rows).with_columns(pl.lit(number, pl.Int32).alias("segment"))
        oldest, newest = span(rows)[::-1]
        note = SegmentNote(
            file=name,
            sha256=packed.sha256,
            rows=packed.rows,
            root=packed.root,
            blocks=packed.blocks,
            multiline=packed.multiline,
            first_at=oldest,
            last_at=newest,
            watermark=self.watermark,
            pages=tuple(batch.pages),
            quarantined=tuple(batch.quarantined),
        )
        put(self.folder / FOLDER / name, packed.data, exclusive=True)
        self.extend(at, note)
        self.batch = Batch()
        self.pending.append(rows)
        if sum(frame.height for frame in self.pending) >= CHUNK_ROWS:
            self.tabulate()

    def extend(self, at: datetime, note: SegmentNote | OutcomeNote) -> None:
        self.chain = log.extend(
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
        self.extend(at, note)
        log.set_head(self.folder, self.chain)
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


def span(events: pl.DataFrame) -> tuple[datetime | None, datetime | None]:
    """Newest and oldest time of events; None for both when there are none."""
    times = events["created_at"]
    return times.max(), times.min()  # type: ignore[return-value]


def timestamp(at: datetime) -> int:
    return int(pl.Series([at], dtype=pl.Datetime("us", "UTC")).to_physical()[0])
