"""Rows of CSV and Parquet files: an event table of ours, or records spread over columns.

A row of any other table becomes a record: a name with a dot is a field of an object
(``sender.email``), and JSON objects and lists in a cell are kept as such.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA, conform, parse_timestamps
from auditlens.sources.documents import MAX_RECORD

__all__ = [
    "Rows",
    "as_records",
    "csv_rows",
    "event_rows",
    "is_event_table",
    "panics_only_raised",
    "parquet_frames",
]

STDERR = 2


@contextmanager
def panics_only_raised() -> Iterator[None]:
    """Hold what is written to standard error back; drop it after a panic, else write it."""
    try:
        terminal = os.dup(STDERR)
    except OSError:  # a service may run without standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), STDERR)
        panicked = False
        try:
            yield
        except pl.exceptions.PanicException:
            panicked = True
            raise
        finally:
            os.dup2(terminal, STDERR)
            os.close(terminal)
            held.seek(0)
            text = b"" if panicked else held.read()
            while text:
                text = text[os.write(STDERR, text) :]


MARKS = frozenset({"leaf", "sender_kind", "sender_email", "sender_name", "generation"})
LEAF = "^[0-9a-f]{64}$"
OPEN = "a quote is opened here and not closed where its cell ends"
HIDING = "a quoted cell runs from here to line {} over lines that read as rows; check its quotes"
DATED = re.compile(r"\d{4}-\d\d-\d\d|\d{10}")
Rows = tuple[list[int], list[list[str]], list[tuple[int, str, str]]]
"""Line numbers, the cells at them, and refusals: line, reason, beginning."""


def is_event_table(columns: Iterable[str]) -> bool:
    """Whether these columns are our event table's, rather than the fields of records."""
    names = set(columns)
    return {"id", "created_at"} <= names and bool(names & MARKS) and "sender" not in names


def csv_rows(parts: Iterable[bytes], separator: str, width: int, size: int) -> Iterator[Rows]:
    """Yield batches of rows below the header; rows of another width are refused.

    A quote that opens a cell and is not closed, or is closed in the middle of a later cell, costs
    its own line: the lines after it are read as if it were not there.
    """
    cells = quoted_rows(parts, separator, width)
    with long_cells():
        next(cells, None)
    while True:
        with long_cells():
            batch = list(islice(cells, size))
        if not batch:
            return
        good = [(line, row) for line, row, wrong in batch if not wrong]
        refused = [(line, wrong, separator.join(row)) for line, row, wrong in batch if wrong]
        yield [line for line, _ in good], [row for _, row in good], refused


class Lines:
    """The lines of a text, each with its end, some of which can be handed back to be read again."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.coming = text_lines(parts)
        self.again: list[str] = []
        self.taken: list[str] = []
        self.size = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.size > MAX_RECORD:
            raise StopIteration
        line = self.again.pop() if self.again else next(self.coming)
        self.taken.append(line)
        self.size += len(line)
        return line

    def keep(self, count: int) -> None:
        """Be done with the first lines of those taken; the others come again."""
        self.number += count
        self.again += reversed(self.taken[count:])
        self.taken, self.size = [], 0


def text_lines(parts: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for part in parts:
        *found, rest = (rest + part).split(b"\n")
        for line in found:
            yield line.decode("utf-8", "replace") + "\n"
        if len(rest) > MAX_RECORD:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")


def quoted_rows(
    parts: Iterable[bytes], separator: str, width: int
) -> Iterator[tuple[int, list[str], str]]:
    """Each row with its first line's number, its cells, and why it is none, if it is none."""
    lines = Lines(parts)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        first = lines.number + 1
        try:
            row = next(reader)
            wrong = "" if len(row) == width else f"{len(row)} cells where the header has {width}"
        except StopIteration:
            if not lines.taken:
                return
            row, wrong = [], OPEN
        except csv.Error as error:
            row, wrong = [], f"not a row of CSV ({error})"
        count = len(lines.taken)
        if wrong and count == 1:
            row, wrong = forgiving(lines.taken[0], separator, width, wrong)
        elif wrong:
            row, wrong, count = [lines.taken[0].rstrip("\r\n")], OPEN, 1
        elif count > 1 and hides_rows(lines.taken, separator, width):
            yield first, [lines.taken[0].rstrip("\r\n")], HIDING.format(first + count - 1)
        lines.keep(count)
        if any(cell.strip() for cell in row):
            yield first, row, wrong


def forgiving(line: str, separator: str, width: int, wrong: str) -> tuple[list[str], str]:
    """One line as a reader has it that forgives text after a closing quote."""
    reader = csv.reader([line, "\n"], delimiter=separator)
    try:
        row = next(reader, [])
    except csv.Error:
        return [line.rstrip("\r\n")], wrong
    if reader.line_num > 1:
        return [line.rstrip("\r\n")], OPEN
    if len(row) == width:
        return row, ""
    return row, f"{len(row)} cells where the header has {width}"


def hides_rows(taken: list[str], separator: str, width: int) -> bool:
    """Whether lines after the first, which a quoted cell runs over, read as rows themselves."""
    return any(line.count(separator) == width - 1 and DATED.search(line) for line in taken[1:])


@contextmanager
def long_cells() -> Iterator[None]:
    """Allow cells as long as a record; the limit is the process's, and is put back."""
    before = csv.field_size_limit(MAX_RECORD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def parquet_frames(file: Path | io.BytesIO, name: str, size: int) -> Iterator[pl.DataFrame]:
    """Yield a Parquet file in frames of at most ``size`` rows. Raises UsageError."""
    try:
        with panics_only_raised():
            table = pl.read_parquet(file, use_statistics=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise UsageError(
            f"{name} is not a readable Parquet file ({reason})", fix="Write or export it again"
        ) from None
    yield from table.iter_slices(size)


def event_rows(frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, list[int]]:
    """An event table of ours as EVENT_SCHEMA, and the positions of rows without a time."""
    frame = frame.select(column for column in frame.columns if column in EVENT_SCHEMA)
    if frame.schema["created_at"] == pl.String:
        frame = frame.with_columns(parse_timestamps(frame["created_at"]).alias("created_at"))
    if "leaf" in frame.columns and frame.schema["leaf"] == pl.String:
        held = frame["leaf"].str.contains(LEAF).all(ignore_nulls=False)
        frame = frame if held else frame.drop("leaf")
    if "source" not in frame.columns:
        frame = frame.with_columns(pl.lit(name).alias("source"))
    untimed = frame["created_at"].is_null()
    try:
        events = conform(frame.filter(~untimed))
    except (pl.exceptions.PolarsError, UsageError) as error:
        raise UsageError(
            f"{name} is not an event table of ours ({str(error).splitlines()[0][:80]})",
            fix="Write it again from read_events",
        ) from None
    return events, untimed.arg_true().to_list()


def as_records(columns: list[str], rows: Iterable[Iterable[Any]]) -> list[bytes]:
    """Each row as the JSON text of a record; empty cells are left out."""
    paths = [column.split(".") for column in columns]
    encode = msgspec.json.Encoder(enc_hook=str).encode
    return [encode(nested(paths, row)) for row in rows]


def nested(paths: list[list[str]], row: Iterable[Any]) -> dict[str, Any]:
    """One record, with an object for each name that has a dot."""
    record: dict[str, Any] = {}
    for path, value in zip(paths, row, strict=True):
        if value is None or value == "":
            continue
        place = record
        for step in path[:-1]:
            inner = place.setdefault(step, {})
            place = inner if isinstance(inner, dict) else place
        place[path[-1]] = cell(value)
    return record


def cell(value: Any) -> Any:
    """A cell's value: JSON objects and lists written as text are what they say."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return value
        return msgspec.Raw(value.encode())
    return value
