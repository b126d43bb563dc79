"""Segments: the exact bytes of records, one a line, compressed in blocks that check alone.

A record's leaf is the SHA-256 of its exact bytes. A Merkle tree (RFC 6962) stands over the 32-byte
leaves of a segment, with the RFC's prefixes: 0x00 before a leaf, 0x01 before a pair of nodes.
Sealed records are found again by their place: segment and row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from auditlens.archive.manifest import Manifest, PageNote, QuarantineNote, SegmentNote
from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import read

__all__ = [
    "BLOCK_ROWS",
    "EVIDENCE",
    "Block",
    "Evidence",
    "Packed",
    "Places",
    "blocks",
    "leaves_of",
    "pack",
    "place_of",
    "places_of",
    "records_at",
    "records_of",
    "root_of",
]


def leaves_of(records: Iterable[bytes]) -> list[bytes]:
    """SHA-256 of each record, 32 bytes each."""
    return [sha256(record).digest() for record in records]


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree, 32 bytes; of no leaves, the SHA-256 of nothing."""
    if not leaves:
        return sha256(b"").digest()
    level = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        level = next_level(level)
    return level[0]


def next_level(level: list[bytes]) -> list[bytes]:
    # An odd last node moves up unchanged: this yields the RFC's split at a power of two.
    above = [
        sha256(b"\x01" + left + right).digest()
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) % 2:
        above.append(level[-1])
    return above


Span = tuple[datetime | None, datetime | None]

EVIDENCE = "evidence"
BLOCK_ROWS = 256
"""Records in one block: a damaged block names its records to this precision."""


@dataclass(frozen=True)
class Packed:
    """The bytes of a segment file and what its manifest says of them."""

    data: bytes
    sha256: str
    rows: int
    root: str
    blocks: tuple[tuple[int, int, str, int], ...]
    multiline: tuple[tuple[int, int], ...]

    def note(
        self,
        file: str,
        span: Span = (None, None),
        watermark: datetime | None = None,
        pages: tuple[PageNote, ...] = (),
        quarantined: tuple[QuarantineNote, ...] = (),
    ) -> SegmentNote:
        """What a manifest says of this segment; ``span`` is its oldest and newest event."""
        first_at, last_at = span
        return SegmentNote(
            file=file,
            sha256=self.sha256,
            rows=self.rows,
            root=self.root,
            blocks=self.blocks,
            multiline=self.multiline,
            first_at=first_at,
            last_at=last_at,
            watermark=watermark,
            pages=pages,
            quarantined=quarantined,
        )


@dataclass(frozen=True)
class Block:
    """One block of a segment: the rows ``first`` to ``last`` (from 0, both included)."""

    first: int
    last: int
    records: tuple[bytes, ...] | None
    fault: str = ""


def pack(records: Sequence[bytes], leaves: Sequence[bytes]) -> Packed:
    """Compress records, each followed by a line feed; line feeds inside one are counted."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
    parts, notes = [], []
    multiline: list[tuple[int, int]] = []
    for start in range(0, len(records), BLOCK_ROWS):
        some = records[start : start + BLOCK_ROWS]
        raw = b"\n".join(some) + b"\n"
        part = compressor.compress(raw)
        parts.append(part)
        notes.append((len(some), len(part), sha256_hex(part), len(raw)))
        if raw.count(b"\n") > len(some):
            counts = enumerate((record.count(b"\n") for record in some), start)
            multiline.extend((row, breaks) for row, breaks in counts if breaks)
    data = b"".join(parts)
    return Packed(
        data=data,
        sha256=sha256_hex(data),
        rows=len(records),
        root=root_of(leaves).hex(),
        blocks=tuple(notes),
        multiline=tuple(multiline),
    )


def blocks(note: SegmentNote, data: bytes) -> Iterator[Block]:
    """Check and unpack each block; nothing is unpacked from one whose hash does not match."""
    row = place = 0
    breaks = dict(note.multiline)
    for rows, size, digest, raw_size in note.blocks:
        part = data[place : place + size]
        last = row + rows - 1
        if len(part) != size:
            yield Block(row, last, None, "the file is cut short")
        elif sha256_hex(part) != digest:
            yield Block(row, last, None, "the bytes are not those that were sealed")
        else:
            found = lines(unpack(part, raw_size), rows, row, breaks)
            yield Block(row, last, found, "" if found else "the lines do not match the manifest")
        row, place = last + 1, place + size
    if place != len(data):
        yield Block(row, row, None, "bytes were added after the last record")


def unpack(part: bytes, size: int) -> bytes:
    import zstandard

    try:
        found: bytes = zstandard.ZstdDecompressor().decompress(part, max_output_size=size)
    except zstandard.ZstdError:
        return b""
    return found


def lines(raw: bytes, rows: int, first: int, breaks: dict[int, int]) -> tuple[bytes, ...] | None:
    """Split a block into its records, joining again those that hold line feeds."""
    pieces = raw.split(b"\n")
    if pieces.pop() != b"":
        return None
    if not any(first <= row < first + rows for row in breaks):
        return tuple(pieces) if len(pieces) == rows else None
    found, place = [], 0
    for row in range(first, first + rows):
        after = place + 1 + breaks.get(row, 0)
        found.append(b"\n".join(pieces[place:after]))
        place = after
    return tuple(found) if place == len(pieces) else None


def records_of(folder: Path, note: SegmentNote) -> tuple[bytes, ...]:
    """All records of a segment. Raises IntegrityError naming the file and the records."""
    return records_at(folder / EVIDENCE / note.file, note)


def records_at(path: Path, note: SegmentNote) -> tuple[bytes, ...]:
    """All records of the file at ``path``, which ``note`` describes. Raises IntegrityError."""
    try:
        data = read(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", fix=RESTORE) from None
    found: list[bytes] = []
    for block in blocks(note, data):
        if block.records is None:
            raise IntegrityError(
                f"{path}, records {block.first + 1} to {block.last + 1}: {block.fault}", fix=RESTORE
            )
        found.extend(block.records)
    return tuple(found)


RESTORE = "Restore the file from a copy, then run 'auditlens verify'"


Places = npt.NDArray[np.int64]

ROW_BITS = 32
KEPT = 8
"""Segments whose records stay in memory, as ids return in the order they came."""


def place_of(segment: int, row: int) -> int:
    """One number for a row (from 0) of a segment, in the order of the archive."""
    return segment << ROW_BITS | row


def places_of(rows: pl.DataFrame) -> Places:
    """The place of each row in the evidence, from its columns ``segment`` and ``row``."""
    segments: Places = rows["segment"].to_numpy().astype(np.int64)
    return np.asarray(segments << ROW_BITS | rows["row"].to_numpy())


@dataclass
class Evidence:
    """Reads records from the segments of an archive. Raises IntegrityError for damaged ones."""

    folder: Path
    notes: dict[int, SegmentNote]
    kept: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, segments: Iterable[tuple[Manifest, SegmentNote]]) -> Evidence:
        return cls(folder, {manifest.sequence: note for manifest, note in segments})

    def record(self, place: int) -> bytes:
        segment, row = place >> ROW_BITS, place & (1 << ROW_BITS) - 1
        if segment not in self.kept:
            while len(self.kept) >= KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[segment] = records_of(self.folder, self.notes[segment])
        return self.kept[segment][row]
