"""One file, whatever its form, as rows of the event table and the records that are none."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import polars as pl

from auditlens.coverage import Quarantined
from auditlens.errors import UsageError
from auditlens.events import (
    EVENT_SCHEMA,
    NO_OBJECT,
    UNTIMED,
    Profile,
    Rejected,
    decode_records,
    detect_profile,
    shipped_profiles,
)
from auditlens.sources.documents import (
    BATCH,
    BATCH_BYTES,
    LISTED,
    LONG,
    MAX_RECORD,
    Wrong,
    apart,
    line_batches,
    read_documents,
    within,
)
from auditlens.sources.formats import (
    BOM,
    CSV,
    DOCUMENT,
    PARQUET,
    DamagedError,
    LogFile,
    begins_document,
    delimiter,
    form_of,
    header_of,
    unpacked,
)
from auditlens.sources.tables import (
    as_records,
    csv_rows,
    event_rows,
    is_event_table,
    parquet_frames,
)

__all__ = ["Quarantine", "read_file"]

HEAD = 1 << 16
LONGEST_HEAD = 1 << 25
SEEN = 20
NESTED = 4
"""Lists within lists, as of pages, that are looked into."""

MAX_PARQUET = 1 << 29
KEPT = 10_000
EXCERPT = 80
# Fields by which a table is known as a log, beside the columns of the event table.
FIELDS = frozenset({*EVENT_SCHEMA, "activity_type", "logged_at", "sender.id", "performer_id"})


@dataclass
class Quarantine:
    """Records that are no events: the first ten thousand, and the count of all.

    ``repaired`` counts records that are events although their text was damaged, ``files`` files of
    which nothing could be read; each of these counts as one record.
    """

    kept: list[Quarantined] = field(default_factory=list)
    count: int = 0
    repaired: int = 0
    files: int = 0

    def add(self, source: str, line: int, reason: str, excerpt: str = "") -> None:
        """Note one record; ``line`` counts from 1, in documents it is the position."""
        self.count += 1
        if len(self.kept) < KEPT:
            self.kept.append(Quarantined(source, line, reason, excerpt))

    def add_many(self, times: int, source: str, line: int, reason: str, excerpt: str) -> None:
        """Note the same record so many times, ``line`` being that of the first."""
        for _ in range(min(times, KEPT - len(self.kept))):
            self.kept.append(Quarantined(source, line, reason, excerpt))
        self.count += times


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
            array = held[0].lstrip(BOM + b" \t\r\n").startswith(b"[")
            if size >= (HEAD if line_ends or array else LONGEST_HEAD):
                break
        return b"".join(held)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Frames of EVENT_SCHEMA, in the order of the file."""
        parts = self.parts()
        head = self.head(parts)
        if b"\r" in head and b"\n" not in head and not head.startswith(b"PAR1"):
            # Lines that end as on old Macs.
            parts = (part.replace(b"\r", b"\n") for part in parts)
            head = head.replace(b"\r", b"\n")
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
            yield from self.lines(whole)
        if self.damage:
            note = f"{self.damage}; what follows here is lost, and the last records may be altered"
            self.quarantine.add(self.file.name, self.last + 1, note)

    def lines(self, parts: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        """One record a line, until a line begins a document that goes on in the next."""
        batches = line_batches(parts)
        for numbers, records in batches:
            start = begins_document(records)
            yield from self.decoded(numbers[:start], records[:start])
            if start is not None:
                rest = chain([records[start:]], (more for _, more in batches))
                yield from self.document(b"\n".join([*each, b""]) for each in rest)

    def document(self, parts: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        """Documents, one after another; numbers are the records' positions in the file."""
        waiting: list[bytes] = []
        size = 0
        for pieces, wrong in read_documents(parts):
            if empty := pieces.count(b"{}"):
                self.quarantine.add_many(empty, self.file.name, self.last + 1, UNTIMED, "{}")
                self.last += empty
                pieces = [piece for piece in pieces if piece != b"{}"]  # noqa: PLW2901
            waiting += pieces
            size += sum(map(len, pieces))
            if len(waiting) >= BATCH or size > BATCH_BYTES or wrong:
                yield from self.positioned(waiting)
                waiting, size = [], 0
            self.last += len(wrong)
            self.refuse(self.last, wrong)
        yield from self.positioned(waiting)

    def positioned(self, records: list[bytes]) -> Iterator[pl.DataFrame]:
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            yield from self.decoded(range(self.last + 1, self.last + len(batch) + 1), batch)

    def refuse(self, number: int, wrong: Iterable[Wrong]) -> None:
        for text, reason in wrong:
            self.quarantine.add(self.file.name, number, reason, start_of(text))

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
                yield from self.decoded(numbers, as_records(columns, rows))

    def parquet(self, parts: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        content = self.unpacked_parquet(parts)
        start = 1
        for frame in parquet_frames(content, self.file.name, BATCH):
            numbers = range(start, start + frame.height)
            start += frame.height
            if is_event_table(frame.columns):
                yield self.events(frame, numbers)
            else:
                yield from self.decoded(numbers, as_records(frame.columns, frame.iter_rows()))

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
            self.quarantine.add(self.file.name, numbers[row], UNTIMED)
        return events

    def decoded(
        self, numbers: Sequence[int], records: list[bytes], depth: int = 0
    ) -> Iterator[pl.DataFrame]:
        """Records as events; those that are none are refused with their reason.

        A text that holds several records, as a page does, is read record by record.
        """
        if not records:
            return
        self.last = max(self.last, numbers[-1])
        if max(map(len, records)) > MAX_RECORD:
            numbers, records = self.short(numbers, records)
        if self.profile is None and records:
            self.profile = detect_profile([one for text in records[:SEEN] for one in apart(text)])
        decoded = decode_records(records, source=self.file.name, profile=self.profile)
        self.quarantine.repaired += decoded.repaired
        events, inner = decoded.events, []
        refused = {each.index: each for each in decoded.rejected}
        pages = pages_among(events, refused, records) if depth < NESTED else {}
        for place, each in refused.items():
            if place not in pages:
                inner += self.salvage(numbers[place], records[place], each, again=depth < NESTED)
        if taken := pages.keys() - refused.keys():
            kept = [place for place in range(len(records)) if place not in refused]
            events = events.filter(pl.Series([place not in taken for place in kept]))
        yield events
        inner += [(numbers[place], pieces) for place, pieces in pages.items()]
        for number, pieces in inner:
            yield from self.decoded([number] * len(pieces), pieces, depth + 1)

    def short(self, numbers: Sequence[int], records: list[bytes]) -> tuple[list[int], list[bytes]]:
        """Refuse the records that are too long; return the others."""
        kept = []
        for place, text in enumerate(records):
            if len(text) > MAX_RECORD:
                self.refuse(numbers[place], [(text, LONG)])
            else:
                kept.append(place)
        return [numbers[place] for place in kept], [records[place] for place in kept]

    def salvage(
        self, number: int, text: bytes, refused: Rejected, *, again: bool
    ) -> list[tuple[int, list[bytes]]]:
        """The records within a text that is none, with its number; what is none is refused."""
        if again and refused.reason.startswith(NO_OBJECT):
            pieces, wrong = within(text)
            if pieces:
                self.refuse(number, wrong)
                return [(number, pieces)]
        self.quarantine.add(self.file.name, number, refused.reason, refused.excerpt)
        return []


def pages_among(
    events: pl.DataFrame, refused: Collection[int], records: Sequence[bytes]
) -> dict[int, list[bytes]]:
    """The records of those texts that are pages of records, by place.

    A page is refused for want of a time, or its list became metadata of an event.
    """
    places = [place for place in refused if any(name in records[place] for name in LISTED)]
    listed = events["metadata"].str.contains_any([name.decode() for name in LISTED])
    if listed.any():
        kept = [place for place in range(len(records)) if place not in refused]
        places += [kept[row] for row in listed.fill_null(value=False).arg_true().to_list()]
    found = {place: apart(records[place]) for place in places}
    return {place: pieces for place, pieces in found.items() if pieces != [records[place]]}


def start_of(text: bytes) -> str:
    """The beginning of a text, as it is shown."""
    return ascii(text[:EXCERPT].decode("utf-8", "replace"))[1:-1]


def read_file(file: LogFile, profile: Profile | None, quarantine: Quarantine) -> list[pl.DataFrame]:
    """Read one file into frames of EVENT_SCHEMA; without a profile, it is found by content.

    Raises UsageError when the file is no log, and when the user named it and it holds no
    readable event at all.
    """
    before = quarantine.count
    reader = FileReader(file, profile, quarantine)
    frames: list[pl.DataFrame] = []
    if file.problem:
        quarantine.add(file.name, 1, file.problem)
        quarantine.files += 1
        return frames
    try:
        frames.extend(frame for frame in reader.frames() if frame.height)
    except UsageError as error:
        if file.named:
            raise
        quarantine.add(file.name, reader.last + 1, error.message)
        quarantine.files += not frames
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
