"""Rows of CSV and Parquet files: an event table of ours, or records spread over columns.

A row of any other table becomes a record: a name with a dot is a field of an object
(``sender.email``), and JSON objects and lists in a cell are kept as such.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA, conform, parse_timestamps
from auditlens.sources.panic import panics_only_raised

__all__ = ["Rows", "as_records", "csv_rows", "event_rows", "is_event_table", "parquet_frames"]

MARKS = frozenset({"leaf", "sender_kind", "sender_email", "sender_name", "generation"})
LEAF = "^[0-9a-f]{64}$"
Rows = tuple[list[int], list[list[str]], list[tuple[int, str, str]]]
"""Line numbers, the cells at them, and refusals: line, reason, beginning."""


class Stream(io.RawIOBase):
    """Pieces of bytes as a stream to read from."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts = iter(parts)
        self.held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.held:
            part = next(self.parts, None)
            if part is None:
                return 0
            self.held = part
        size = min(len(buffer), len(self.held))
        buffer[:size], self.held = self.held[:size], self.held[size:]
        return size


def is_event_table(columns: Iterable[str]) -> bool:
    """Whether these columns are our event table's, rather than the fields of records."""
    names = set(columns)
    return {"id", "created_at"} <= names and bool(names & MARKS) and "sender" not in names


def csv_rows(parts: Iterable[bytes], separator: str, width: int, size: int) -> Iterator[Rows]:
    """Yield batches of rows below the header; rows of another width are refused."""
    raw = io.BufferedReader(Stream(parts))
    text = io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=separator)
    next(reader, None)
    cells = numbered_rows(reader)
    while batch := list(islice(cells, size)):
        good = [(line, row) for line, row, wrong in batch if not wrong and len(row) == width]
        refused = [
            (line, wrong or f"{len(row)} cells where the header has {width}", separator.join(row))
            for line, row, wrong in batch
            if wrong or len(row) != width
        ]
        yield [line for line, _ in good], [row for _, row in good], refused


def numbered_rows(reader: Any) -> Iterator[tuple[int, list[str], str]]:
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, [], f"not a row of CSV ({error})"
            continue
        if any(cell.strip() for cell in row):
            wrong = "" if all(map(encodable, row)) else "not UTF-8 text"
            yield line, row, wrong


def encodable(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in cell)


def parquet_frames(file: Path | io.BytesIO, name: str, size: int) -> Iterator[pl.DataFrame]:
    """Yield a Parquet file in frames of at most ``size`` rows. Raises UsageError."""
    try:
        with panics_only_raised():
            table = pl.read_parquet(file, use_statistics=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise UsageError(
            f"{name} is no readable Parquet file ({reason})", fix="Write or export it again"
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
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"{name} is no event table of ours ({str(error).splitlines()[0][:80]})",
            fix="Write it again from read_events",
        ) from None
    named = pl.coalesce("id", pl.lit("sha256:") + pl.col("leaf").bin.encode("hex"))
    return events.with_columns(named.alias("id")), untimed.arg_true().to_list()


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
