"""JSON documents, one after another in any layout, read element by element as they come.

A file may hold an array of records, pages (objects with a list of records), records alone, and
any number of these side by side, as ``curl >>`` and ``jq`` leave them. The scanner finds where each
record starts and ends by brackets and quotes alone, and holds no more than one record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from auditlens.events import JSON_ERRORS, repair_json
from auditlens.sources.formats import BOM, LISTS

__all__ = [
    "BATCH",
    "LISTED",
    "LONG",
    "MAX_RECORD",
    "Numbered",
    "Wrong",
    "apart",
    "line_batches",
    "read_documents",
    "within",
]

MAX_RECORD = 32 << 20
"""Bytes of one record: those of the largest page that a server may send."""

STEP = 1 << 20
MEMBER = 256
TRIES = 16
"""Faults in one document after which what follows is read line by line."""

OPEN, CLOSE, COMMA, QUOTE, BACKSLASH = b"[{", b"]}", 44, 34, 92
KIND = np.zeros(256, np.int8)
KIND[list(OPEN)], KIND[list(CLOSE)], KIND[COMMA] = 1, -1, 2
LIST = re.compile(rb'"(?:' + "|".join(LISTS).encode() + rb')"\s*:\s*\[\Z')
LISTED = tuple(f'"{name}"'.encode() for name in LISTS)
NAMED = frozenset({"id", "event", "activity_type", "eventID", "eventName"})
"""Members that a record has, and a page of records has not."""

NEXT = re.compile(rb'[^:\s\[{]\s*+(?=\{\s*")|\n\s*(?=[\[{])')
"""Where a record may start again after one that is damaged: at no member's value."""

MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
VALUE = msgspec.json.Decoder(msgspec.Raw)
BETWEEN = b" \t\r\n,]}\x00\x1e\xef\xbb\xbf"
"""Bytes between documents that say nothing."""

CUT = "the document is cut off, or a bracket or quote in it is missing"
STRAY = "no JSON stands here"
LONG = f"longer than {MAX_RECORD >> 20} MiB"

Places = npt.NDArray[np.intp]
Wrong = tuple[bytes, str]
"""A text that is no record, and why."""


@dataclass
class Scanner:
    """Finds the records of documents fed to it in pieces of any size.

    ``level`` is the depth at which records stand: 0 outside any list, 1 in an array, 2 in the list
    of a page. ``held`` is the text from the start of the record in hand, ``dropped`` the beginning
    of one that is too long to hold, ``wrong`` what is no record.
    """

    held: bytes = b""
    level: int = 0
    depth: int = 0
    quoted: bool = False
    escaped: bool = False
    inside: bool = False
    page: bool = False
    dropped: bytes = b""
    wrong: list[Wrong] = field(default_factory=list)

    def feed(self, text: bytes) -> list[bytes]:
        """The records that end in ``text``."""
        found: list[bytes] = []
        for start in range(0, len(text), STEP):
            found += self.step(text[start : start + STEP])
        return found

    def step(self, chunk: bytes) -> list[bytes]:
        text = self.held + chunk
        found: list[bytes] = []
        start, offset = 0, len(self.held)
        places, marks, depths = self.marks(chunk)
        at = 0
        while at < places.size:
            if self.level == 0:
                start = self.outside(
                    text, start, int(places[at]) + offset, int(marks[at]), int(depths[at]), found
                )
                at += 1
                continue
            # All elements up to the end of the list, or of what has come of it, at once.
            over = np.flatnonzero((depths[at:] < self.level) & (marks[at:] != COMMA))
            until = at + int(over[0]) if over.size else places.size
            here = slice(at, until)
            commas = places[here][(marks[here] == COMMA) & (depths[here] == self.level)] + offset
            for place in commas.tolist():
                self.end(text[start:place], found)
                start = place + 1
            at = until
            if over.size:
                place = int(places[until]) + offset
                self.end(text[start:place], found)
                start, self.level, at = place + 1, 0, until + 1
        self.held = text[start:]
        if self.level == 0 and not (self.inside and not self.page):
            # What a page says beside its list is not held; its end may still name another list.
            self.held = self.held[-MEMBER:]
        return found

    def outside(
        self, text: bytes, start: int, place: int, mark: int, depth: int, found: list[bytes]
    ) -> int:
        """Take a mark that stands in no list; returns where the text in hand starts from here."""
        if not self.inside and mark in OPEN:
            self.between(text[start:place])
            self.inside, self.page = mark == OPEN[1], False
            self.level = int(mark == OPEN[0])
            return place + self.level
        if not self.inside or depth == 1:
            return start
        if mark in CLOSE and depth == 0:
            if not self.page:
                self.end(text[start : place + 1], found)
            self.inside = False
            return place + 1
        if mark == OPEN[0] and holds_list(text[start : place + 1]):
            self.level, self.page = 2, True
            return place + 1
        if mark == OPEN[1] and self.page and text[start:place].rstrip()[-1:] != b":":
            # No member of the page, but a record of a list that a stray bracket seemed to end.
            self.level = 1
            return place
        return start

    def end(self, text: bytes, found: list[bytes]) -> None:
        """Take the record that ends here."""
        if self.dropped:
            self.wrong.append((self.dropped, LONG))
            self.dropped = b""
        elif piece := text.strip():
            found.append(piece)

    def drop(self) -> None:
        """Give up the record in hand, and keep its place."""
        self.dropped, self.held = self.dropped or self.held[:STEP], b""

    def marks(self, chunk: bytes) -> tuple[Places, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Brackets and commas that may start or end a record: place, byte, and depth after it."""
        text = np.frombuffer(chunk, np.uint8)
        quotes = np.flatnonzero(text == QUOTE)
        quotes = self.real_quotes(text, quotes)
        kinds = KIND[text]
        places = np.flatnonzero(kinds)
        outside = (np.searchsorted(quotes, places) + self.quoted) % 2 == 0
        places = places[outside]
        kinds = kinds[places]
        steps = np.where(kinds == 2, 0, kinds).astype(np.int64)
        depths = self.depth + np.cumsum(steps)
        if depths.size:
            # A bracket closed once too often outside any document closes nothing.
            depths -= np.minimum(np.minimum.accumulate(depths), 0)
            self.depth = int(depths[-1])
        self.quoted = bool((quotes.size + self.quoted) % 2)
        near = depths <= 2
        return places[near], text[places[near]], depths[near]

    def real_quotes(self, text: npt.NDArray[np.uint8], quotes: Places) -> Places:
        """The quotes that no backslash escapes."""
        slashes = text == BACKSLASH
        if not (self.escaped or slashes.any()):
            return quotes
        others = np.flatnonzero(~slashes)
        first = -2 if self.escaped else -1
        at = np.searchsorted(others, quotes)
        before = np.where(at > 0, others[np.maximum(at - 1, 0)], first) if others.size else at
        run = quotes - before - 1
        last = int(others[-1]) if others.size else first
        self.escaped = (text.size - last - 1) % 2 == 1
        real: Places = quotes[run % 2 == 0]
        return real

    def between(self, text: bytes) -> None:
        if said := text.strip(BETWEEN):
            self.wrong.append((said, STRAY))

    @property
    def rest(self) -> bytes:
        """What is left of a record, or of a page, that did not end."""
        if self.level or self.inside:
            return self.held.strip() or b"["
        return self.held.strip(BETWEEN)


def holds_list(text: bytes) -> bool:
    """Whether an object's text, up to an opening bracket, makes it a page of records."""
    match = LIST.search(text)
    if match is None:
        return False
    try:
        names = MEMBERS.decode(
            repair_json(text[: match.start()].rstrip().rstrip(b",") + b"}")
        ).keys()
    except JSON_ERRORS:
        return True
    return not names & NAMED


def read_documents(parts: Iterable[bytes]) -> Iterator[tuple[list[bytes], list[Wrong]]]:
    """Yield records as they come, and texts that are none, each with the reason.

    Never holds more than a few MiB beyond one record of 32 MiB. After a fault, records are looked
    for again where one may start; after many faults, line by line.
    """
    scanner, faults = Scanner(), 0
    for part in parts:
        pieces = scanner.feed(part)
        wrong, scanner.wrong = scanner.wrong, []
        if len(scanner.held) > MAX_RECORD:
            faults += 1
            point = NEXT.search(scanner.held, 1)
            if point is None or faults > TRIES:
                scanner.drop()
            else:
                text, scanner = scanner.held, Scanner()
                wrong.append((text[: point.end()], LONG))
                pieces += scanner.feed(text[point.end() :])
        yield pieces, wrong
    if rest := scanner.rest:
        yield salvaged(rest)


def apart(text: bytes) -> list[bytes]:
    """The records of a page, of an array or of several documents; any other text is one itself."""
    scanner = Scanner()
    pieces = scanner.feed(text)
    return [text] if scanner.rest or scanner.wrong else pieces


def within(text: bytes) -> tuple[list[bytes], list[Wrong]]:
    """Records within one text: a page, an array, several documents, or what is left of such."""
    scanner = Scanner()
    pieces = scanner.feed(text)
    if scanner.rest or not pieces or pieces == [text]:
        return salvaged(text)
    return pieces, scanner.wrong


def salvaged(text: bytes) -> tuple[list[bytes], list[Wrong]]:
    """Records within a text that is no JSON as a whole, and what is none, with the reason."""
    whole: list[bytes] = []
    wrong: list[Wrong] = []
    waiting, tries = [text], 0
    while waiting:
        damaged = waiting.pop()
        point = NEXT.search(damaged, 1)
        if point is None:
            wrong.append((damaged, CUT))
            continue
        wrong.append((damaged[: point.end()].rstrip(), CUT))
        tries += 1
        if tries > TRIES:
            by_line(damaged[point.end() :], whole, wrong)
            continue
        scanner = Scanner()
        for piece in scanner.feed(damaged[point.end() :]):
            (whole if readable(piece) else waiting).append(piece)
        wrong += scanner.wrong
        if rest := scanner.rest:
            waiting.append(rest)
    return whole, wrong


def by_line(text: bytes, whole: list[bytes], wrong: list[tuple[bytes, str]]) -> None:
    """Take each line that is a record by itself."""
    for line in text.split(b"\n"):
        record = line.strip().rstrip(b",").rstrip()
        if record.startswith(b"{") and record.endswith(b"}") and readable(record):
            whole.append(record)
        elif record.strip(BETWEEN + b"[{"):
            wrong.append((record, CUT))


def readable(text: bytes) -> bool:
    """Whether a text is one JSON value, repaired where it must be."""
    for each in (text, repair_json(text)):
        try:
            VALUE.decode(each)
        except JSON_ERRORS:
            continue
        return True
    return False


BATCH = 20_000
BATCH_BYTES = 16 << 20

Numbered = tuple[list[int], list[bytes]]
"""Line numbers from 1, and the lines at them."""


def line_batches(parts: Iterable[bytes]) -> Iterator[Numbered]:
    """Yield the lines that are not blank, stripped, with their numbers.

    Files put one after another may have a byte order mark in the middle: at any line's start.
    A batch holds 20,000 lines or a little more than 16 MiB. A line longer than 32 MiB loses what
    is in the middle of it, and no reader takes the rest for a record.
    """
    number, size = 1, 0
    rest: list[bytes] = []
    numbers: list[int] = []
    records: list[bytes] = []
    for part in parts:
        if b"\n" not in part:
            if sum(map(len, rest)) <= MAX_RECORD:
                rest.append(part)
            continue
        text = b"".join([*rest, part])
        *found, last = text.split(b"\n")
        rest, marked = [last], BOM in text
        for line in found:
            if record := line.removeprefix(BOM).strip() if marked else line.strip():
                numbers.append(number)
                records.append(record)
            number += 1
        size += len(part)
        while len(records) > BATCH:
            yield numbers[:BATCH], records[:BATCH]
            numbers, records = numbers[BATCH:], records[BATCH:]
        if size > BATCH_BYTES and records:
            yield numbers, records
            numbers, records, size = [], [], 0
    if record := b"".join(rest).removeprefix(BOM).strip():
        numbers.append(number)
        records.append(record)
    if records:
        yield numbers, records
