"""Records of JSON files: one a line, or the elements of one document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from auditlens.errors import UsageError
from auditlens.sources.elements import array_elements, object_members, split
from auditlens.sources.forms import BOM, LISTS

__all__ = ["MAX_RECORD", "Numbered", "batched_lines", "document_records"]

MAX_RECORD = 1 << 20
MAX_DOCUMENT = 1 << 29
LIST = re.compile(rb'"(?:' + "|".join(LISTS).encode() + rb')"\s*:\s*\[')
Numbered = tuple[list[int], list[bytes]]
"""Line numbers (or, in a document, positions) from 1, and the records at them."""


def batched_lines(parts: Iterable[bytes], size: int) -> Iterator[Numbered]:
    """Yield batches of at most ``size`` lines that are not blank, with their numbers.

    A line longer than 1 MiB is cut a little past that, which no reader takes for a record.
    """
    lines = numbered(parts)
    while batch := list(islice(lines, size)):
        numbers, records = zip(*batch, strict=True)
        yield list(numbers), list(records)


def numbered(parts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    number, rest = 0, b""
    for part in parts:
        found = (rest + part).split(b"\n")
        # What passes the bound is dropped as it comes, so that an endless line needs no memory.
        rest = found.pop()[: MAX_RECORD + 1]
        for line in found:
            number += 1
            if number == 1:
                line = line.removeprefix(BOM)  # noqa: PLW2901
            if record := line.strip():
                yield number, record
    if record := (rest if number else rest.removeprefix(BOM)).strip():
        yield number + 1, record


def document_records(parts: Iterable[bytes], name: str) -> tuple[list[bytes], str]:
    """The records of a document: an array, an object with a list of them, or one object alone.

    Returns them and a note on what is wrong with the document, empty when it is whole. Raises
    UsageError when it is larger than 512 MiB.
    """
    held, size = [], 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size > MAX_DOCUMENT:
            raise UsageError(
                f"{name} is one JSON document of more than {MAX_DOCUMENT >> 20} MiB",
                fix="Convert it to one record a line: jq -c '.[]' FILE > FILE.ndjson",
            )
    text = b"".join(held).removeprefix(BOM).strip()
    try:
        return whole_document(text), ""
    except (ValueError, RecursionError):
        return salvaged(text)


def whole_document(text: bytes) -> list[bytes]:
    if text.startswith(b"["):
        return list(array_elements(text))
    members = object_members(text, unchecked=LISTS)
    for name in LISTS:
        if members.get(name, b"").startswith(b"["):
            return list(array_elements(members[name]))
    return [text]


def salvaged(text: bytes) -> tuple[list[bytes], str]:
    """What brackets and lines still tell of a document that is not valid JSON."""
    pieces = split(text)
    if text.startswith(b"{"):
        listed = next((part for part in pieces.parts if LIST.match(part)), None)
        if listed is None:
            return [text], ""
        pieces = split(listed)
    records = list(pieces.parts)
    if pieces.whole:
        return records, ""
    rest = [line.strip().rstrip(b",").rstrip() for line in records.pop().split(b"\n")]
    if sum(line.startswith(b"{") and line.endswith(b"}") for line in rest) > 1:
        records += [line for line in rest if line.strip(b"[]{}")]
    else:
        records += [b" ".join(rest)]
    return records, "the document is cut off, or a bracket in it is missing"
