"""What a manifest says, and how it is sealed so that no bit of it can change unseen.

A manifest's file is canonical JSON (sorted keys) whose last member is the SHA-256 of all before
it. Each manifest names the hash of the one before: the chain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, TypeVar

import msgspec

from auditlens.canonical import json_compact, sha256_hex
from auditlens.errors import UsageError
from auditlens.events import bounded

__all__ = [
    "FORMAT",
    "START",
    "ChainHead",
    "Covers",
    "Manifest",
    "OutcomeNote",
    "PageNote",
    "QuarantineNote",
    "ReviewerNote",
    "SegmentNote",
    "opened",
    "parsed",
    "sealed",
    "tool",
]

FORMAT = 1
START = "0" * 64
"""What the first manifest names as the one before it."""

SUFFIX = len(b',"hash":""}\n') + 64

T = TypeVar("T")


@dataclass(frozen=True)
class PageNote:
    """One page that was read: what was asked, what came, how much of it was new."""

    number: int
    rows: int
    new: int
    count: int | None
    total_pages: int | None
    endpoint: str
    request: dict[str, str]
    server_time: datetime | None


@dataclass(frozen=True)
class QuarantineNote:
    """A record that could not be decoded: its row in the segment (from 0), leaf and reason."""

    row: int
    leaf: str
    reason: str
    excerpt: str


@dataclass(frozen=True)
class SegmentNote:
    """A segment: its file, and what must be true of it.

    ``blocks`` are the parts that are compressed (and can be checked) on their own: rows, bytes
    in the file, SHA-256 of those bytes, bytes when unpacked. ``multiline`` lists records that
    hold line feeds: row and how many. ``watermark`` is up to when the archive was complete
    before this pull: older events in the segment came late.
    """

    file: str
    sha256: str
    rows: int
    root: str
    blocks: tuple[tuple[int, int, str, int], ...]
    multiline: tuple[tuple[int, int], ...]
    first_at: datetime | None
    last_at: datetime | None
    watermark: datetime | None
    pages: tuple[PageNote, ...]
    quarantined: tuple[QuarantineNote, ...]


@dataclass(frozen=True)
class OutcomeNote:
    """How a sync ended.

    ``walked`` is true when the pages were read to the planned end, ``whole`` when that end was
    the last page. ``anchor`` is the newest event of the first answer, ``reached`` the oldest
    event the walk came to, ``server_oldest`` the oldest event the source still lists. ``gone``
    are the times of events held that a walk to the last page did not meet: the source removed
    them (None: they are too many to list). ``table`` is the digest of the event table as the
    sync left it. ``vouched_until`` is our clock when the walk began, or the server's when that
    was earlier (None in archives of version 0.1). ``moved`` is true when events were removed or
    came late around the moment that was proven, so that the next walk must go to the last page.
    """

    outcome: Literal["complete", "incomplete", "unprovable", "saturated"]
    missing: int | None
    walked: bool
    whole: bool
    anchor: datetime | None
    reached: datetime | None
    server_oldest: datetime | None
    server_count: int | None
    gone: tuple[datetime, ...] | None
    endpoint: str
    new: int
    seen: int
    changed: int
    late: int
    quarantined: int
    pages: int
    rounds: int
    statement: str
    table: str | None = None
    vouched_until: datetime | None = None
    moved: bool = False

    @property
    def advances(self) -> bool:
        """Whether nothing newer than ``anchor``'s past is left to be fetched again."""
        return self.walked and self.outcome != "incomplete"


@dataclass(frozen=True)
class ChainHead:
    """How far another chain went: its length, its last hash (START for none) and that file."""

    count: int = 0
    hash: str = START
    file: str = ""


@dataclass(frozen=True)
class Covers:
    """The heads of the chains beside the log, so that the log's head seals them too."""

    directory: ChainHead = ChainHead()
    signed: ChainHead = ChainHead()


@dataclass(frozen=True)
class ReviewerNote:
    """A reviewer's key that is listed from here on, or not any more: an SSH line, no comment."""

    action: Literal["add", "remove"]
    name: str
    key: str


@dataclass(frozen=True)
class Manifest:
    """One link of the chain: a segment, the outcome of a sync, or neither.

    ``covers`` is None in what version 0.1 wrote: its head seals the log alone. A manifest with
    neither segment nor outcome was sealed for what it covers, or for a change of the list of
    reviewers' keys.
    """

    format: int
    sequence: int
    previous: str
    pull: str
    at: datetime
    tool: str
    source: str
    segment: SegmentNote | None = None
    outcome: OutcomeNote | None = None
    covers: Covers | None = None
    reviewer: ReviewerNote | None = None

    @property
    def of_a_sync(self) -> bool:
        """Whether a sync sealed it, rather than a pull of the directory or a sign-off."""
        return self.segment is not None or self.outcome is not None

    @property
    def believable_segment(self) -> SegmentNote | None:
        """The segment, without times that no event pulled then can have.

        Version 0.1 took the source's dates as they were, and sealed what followed from them.
        """
        note = self.segment
        return note and replace(
            note,
            first_at=bounded(note.first_at, self.at),
            last_at=bounded(note.last_at, self.at),
            watermark=bounded(note.watermark, self.at),
        )

    @property
    def believable_outcome(self) -> OutcomeNote | None:
        """The outcome, without times that no event pulled then can have."""
        note = self.outcome
        if note is None:
            return None
        anchor, statement = bounded(note.anchor, self.at), note.statement
        if note.anchor and not anchor:
            statement = statement.replace(f" up to {note.anchor:%Y-%m-%d %H:%M:%S} UTC", "")
        return replace(
            note,
            anchor=anchor,
            statement=statement,
            reached=bounded(note.reached, self.at),
            server_oldest=bounded(note.server_oldest, self.at),
            gone=None
            if note.gone is None
            else tuple(at for at in note.gone if bounded(at, self.at)),
        )


def tool() -> str:
    """Name and version of this program, as written into manifests."""
    try:
        return f"auditlens {version('auditlens')}"
    except PackageNotFoundError:
        return "auditlens"


def sealed(value: object) -> tuple[bytes, str]:
    """The bytes of a sealed file, and the hash in it."""
    body = json_compact(value)
    digest = sha256_hex(body)
    return body[:-1] + f',"hash":"{digest}"}}\n'.encode(), digest


def opened(data: bytes) -> tuple[bytes, str] | None:
    """Body and hash of a sealed file, or None when any bit of it changed."""
    body = data[:-SUFFIX] + b"}"
    digest = sha256_hex(body)
    if data[-SUFFIX:] != f',"hash":"{digest}"}}\n'.encode():
        return None
    return body, digest


def parsed(body: bytes, kind: type[T], name: str) -> T:
    """Decode the body of a sealed file.

    Raises UsageError when a newer AuditLens wrote it, msgspec.DecodeError for another shape.
    """
    written = msgspec.json.decode(body, type=Version).format
    if written > FORMAT:
        raise UsageError(
            f"{name} is of archive format {written}, this AuditLens knows up to {FORMAT}",
            fix="Install a newer AuditLens to read this archive",
        )
    return msgspec.json.decode(body, type=kind)


@dataclass(frozen=True)
class Version:
    """The one member that every format has."""

    format: int
