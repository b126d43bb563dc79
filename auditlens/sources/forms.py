"""What a file is, told by its first bytes: a suffix may lie."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import msgspec

from auditlens.errors import UsageError
from auditlens.events.lenient import NO_JSON, mended
from auditlens.sources.folders import FORMS

__all__ = [
    "BOM",
    "CSV",
    "DOCUMENT",
    "LINES",
    "LISTS",
    "PARQUET",
    "begins_document",
    "delimiter",
    "form_of",
    "header_of",
]

LINES, DOCUMENT, CSV, PARQUET = "lines", "document", "csv", "parquet"
LISTS = ("results", "Records")
BOM = b"\xef\xbb\xbf"
OTHERS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or Office document",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"<": "a web page or XML",
}


def form_of(head: bytes, name: str, known: AbstractSet[str]) -> str:
    """The form of a file from the first bytes of its content, unpacked.

    ``known`` are the column names that make a table a log. Raises UsageError, with what it
    looks like instead, for anything that is no log.
    """
    if head.startswith(b"PAR1"):
        return PARQUET
    for magic, what in OTHERS.items():
        if head.startswith(magic):
            raise UsageError(f"{name} is {what}, not a log", fix=FORMS)
    text = head.removeprefix(BOM).lstrip(b" \t\r\n\x1e")
    if not text:
        raise UsageError(f"{name} is empty", fix="Export the log again; " + FORMS.lower())
    if b"\0" in text[:4096]:
        raise UsageError(f"{name} is a binary file, not a log", fix=FORMS)
    if text.startswith(b"["):
        return DOCUMENT
    if text.startswith(b"{"):
        return LINES if one_record_a_line(text) else DOCUMENT
    if known & set(header_of(head)):
        return CSV
    if any(line.startswith(b"{") for line in text.split(b"\n", 16)[1:16]):
        return LINES
    raise UsageError(f"{name} is no log: it is neither JSON nor a table of events", fix=FORMS)


def one_record_a_line(text: bytes) -> bool:
    """Whether JSON that starts with an object is one record a line, rather than one document."""
    lines = [line for line in text.split(b"\n", 64)[:64] if line.strip()]
    for first in (lines[0], mended(lines[0])):
        try:
            members = msgspec.json.decode(first, type=dict[str, msgspec.Raw])
        except NO_JSON:
            continue
        return not any(bytes(members.get(name, b"")).startswith(b"[") for name in LISTS)
    # A document spread over lines goes on with a key; a broken record is followed by another.
    return len(lines) > 1 and lines[1].startswith(b"{") and begins_document(lines[:1]) is None


def begins_document(lines: Sequence[bytes]) -> int | None:
    """The place of the first line that begins a document and does not end it, if any does."""
    for place, line in enumerate(lines):
        if line[-1] != 125 and line[:1] in (b"[", b"{") and line[-1:] in (b"[", b"{", b","):
            inner = line.rstrip(b", \t")
            if not (line[:1] == b"{" and inner[-1:] == b"}"):
                return place
    return None


def header_of(head: bytes) -> list[str]:
    """The column names of a table of text: its first line, at its most frequent separator."""
    line = head.removeprefix(BOM).split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r")
    try:
        return next(csv.reader([line], delimiter=delimiter(line)), [])
    except csv.Error:
        return []


def delimiter(line: str) -> str:
    return max(",;\t", key=line.count)
