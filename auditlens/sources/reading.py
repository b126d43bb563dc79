"""One file, whatever its form, as rows of the event table and the records that are none."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import polars as pl

from auditlens.coverage import Quarantined
from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA, Profile, decode_records, detect_profile, shipped_profiles
from auditlens.sources.folders import LogFile
from auditlens.sources.forms import CSV, DOCUMENT, PARQUET, delimiter, form_of, header_of
from auditlens.sources.lines import MAX_RECORD, batched_lines, document_records
from auditlens.sources.tables import (
    as_records,
    csv_rows,
    event_rows,
    is_event_table,
    parquet_frames,
)
from auditlens.sources.unpack import DamagedError, unpacked

__all__ = ["BATCH", "Quarantine", "read_file"]

BATCH = 20_000
HEAD = 1 << 16
LONGEST_HEAD = 1 << 26
MAX_PARQUET = 1 << 29
KEPT = 100
EXCERPT = 80
LONG = f"longer than {MAX_RECORD >> 20} MiB"
# Fields by which a table is known as a log, beside the columns of the event table.
FIELDS = frozenset({*EVENT_SCHEMA, "activity_type", "logged_at", "sender.id", "performer_id"})


@dataclass
class Quarantine:
    """Records that are no events: the first hundred, and the count of all."""

    kept: list[Quarantined] = field(default_factory=list)
    count: int = 0

    def add(self, source: str, line: int, reason: str, excerpt: str = "") -> None:
        """Note one record; ``line`` counts from 1, in documents it is the position."""
        self.count += 1
        if len(self.kept) < KEPT:
            self.kept.append(Quarantined(source, line, reason, excerpt))


@dataclass
class FileReader:
    """Reads one file; ``damage`` says how its packed data end too early, if they do."""

    file: LogFile
    profile: Profile | None
    quarantine: Quarantine
    damage: str = ""
    last: int = 0

    def parts(self) -> Iterator[bytes]:
        """The content in pieces; damaged data end it and are noted."""
        try:
            yield from unpacked(self.file.path)
        except DamagedError as error:
            self.damage = str(error)

    @staticmethod
    def head(parts: Iterator[bytes]) -> bytes:
        """The beginning of the content: enough to know its form, with one whole line."""
        held: list[bytes] = []
        size, line_ends = 0, False
        for part in parts:
            held.append(part)
            size += len(part)
            line_ends = line_ends or b"\n" in part
            if size >= (HEAD if line_ends else LONGEST_HEAD):
                break
        return b"".join(held)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Frames of EVENT_SCHEMA, in the order of the file."""
        parts = self.parts()
        head = self.head(parts)
        if self.profile:
            known = FIELDS.union(*self.profile.columns.values())
        else:
            known = FIELDS.union(*(profile.detect for profile in shipped_profiles()))
        form = form_of(head, self.file.name, known)
        whole = chain([head], parts)
        if form == PARQUET:
            yield from self.parquet(whole)
        elif form == CSV:
            yield from self.table(whole, head)
        elif form == DOCUMENT:
            yield from self.document(whole)
        else:
            for numbers, records in batched_lines(whole, BATCH):
                yield self.decoded(numbers, records)
        if self.damage:
            note = f"{self.damage}; what follows here is lost, and the last records may be altered"
            self.quarantine.add(self.file.name, self.last + 1, note)

    def document(self, parts: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        records, note = document_records(parts, self.file.name)
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            yield self.decoded(range(start + 1, start + len(batch) + 1), batch)
        if note:
            self.quarantine.add(self.file.name, len(records), note)

    def table(self, parts: Iterable[bytes], head: bytes) -> Iterator[pl.DataFrame]:
        columns = header_of(head)
        separator = delimiter(head.split(b"\n", 1)[0].decode("utf-8", "replace"))
        for numbers, rows, refused in csv_rows(parts, separator, len(columns), BATCH):
            for line, reason, start in refused:
                self.quarantine.add(self.file.name, line, reason, ascii(start[:EXCERPT])[1:-1])
            if is_event_table(columns):
                cells = [[cell or None for cell in row] for row in rows]
                schema = dict.fromkeys(columns, pl.String)
                yield self.events(pl.DataFrame(cells, schema=schema, orient="row"), numbers)
            else:
                yield self.decoded(numbers, as_records(columns, rows))

    def parquet(self, parts: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        content = self.unpacked_parquet(parts)
        start = 1
        for frame in parquet_frames(content, self.file.name, BATCH):
            numbers = range(start, start + frame.height)
            start += frame.height
            if is_event_table(frame.columns):
                yield self.events(frame, numbers)
            else:
                yield self.decoded(numbers, as_records(frame.columns, frame.iter_rows()))

    def unpacked_parquet(self, parts: Iterable[bytes]) -> Path | io.BytesIO:
        """The file itself, or its unpacked content when it is packed once more."""
        with self.file.path.open("rb") as stream:
            if stream.read(4) == b"PAR1":
                return self.file.path
        content = io.BytesIO()
        for part in parts:
            if content.write(part) and content.tell() > MAX_PARQUET:
                raise UsageError(
                    f"{self.file.name} unpacks to more than {MAX_PARQUET >> 20} MiB",
                    fix="Unpack it first: Parquet is packed already",
                )
        content.seek(0)
        return content

    def events(self, frame: pl.DataFrame, numbers: Sequence[int]) -> pl.DataFrame:
        """Rows that are events already; those without a time are refused."""
        events, untimed = event_rows(frame, self.file.name)
        for row in untimed:
            reason = "no readable time of the event (created_at)"
            self.quarantine.add(self.file.name, numbers[row], reason)
        return events

    def decoded(self, numbers: Sequence[int], records: list[bytes]) -> pl.DataFrame:
        """Records as events; those that are none are refused with their reason."""
        if self.profile is None:
            self.profile = detect_profile(records)
        if numbers:
            self.last = numbers[-1]
        wrong = {place: why for place, why in enumerate(map(unfit, records)) if why}
        if wrong:
            numbers, records = self.without(wrong, numbers, records)
        decoded = decode_records(records, source=self.file.name, profile=self.profile)
        for each in decoded.rejected:
            self.quarantine.add(self.file.name, numbers[each.index], each.reason, each.excerpt)
        return decoded.events

    def without(
        self, wrong: Mapping[int, str], numbers: Sequence[int], records: list[bytes]
    ) -> tuple[list[int], list[bytes]]:
        """Refuse the records at the places in ``wrong``; return the others."""
        for place, why in wrong.items():
            start = ascii(records[place][:EXCERPT].decode("utf-8", "replace"))[1:-1]
            self.quarantine.add(self.file.name, numbers[place], why, start)
        kept = [place for place in range(len(records)) if place not in wrong]
        return [numbers[place] for place in kept], [records[place] for place in kept]


def unfit(record: bytes) -> str:
    """Why a record is not even looked at; empty when it is."""
    if len(record) > MAX_RECORD:
        return LONG
    if record.isascii():
        return ""
    try:
        record.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 text (byte {error.start + 1})"
    return ""


def read_file(file: LogFile, profile: Profile | None, quarantine: Quarantine) -> list[pl.DataFrame]:
    """Read one file into frames of EVENT_SCHEMA; without a profile, it is found by content.

    Raises UsageError when the file is no log, and when the user named it and it holds no
    readable event at all.
    """
    before = quarantine.count
    reader = FileReader(file, profile, quarantine)
    frames = [frame for frame in reader.frames() if frame.height]
    if not frames and file.named:
        reason = "it holds no record"
        if quarantine.count > before:
            first = next((each for each in quarantine.kept if each.source == file.name), None)
            reason = f"line {first.line}: {first.reason}" if first else "none can be read"
        raise UsageError(
            f"{file.path} holds no readable event ({reason})",
            fix="Check that it is an audit log; for logs of other products give --profile",
        )
    return frames
