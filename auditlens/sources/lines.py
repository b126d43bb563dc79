"""The lines of a text, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditlens.sources.documents import MAX_RECORD
from auditlens.sources.forms import BOM

__all__ = ["BATCH", "Numbered", "line_batches"]

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
