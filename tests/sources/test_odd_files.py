"""Open quotes, foreign encodings, odd packing and odd folders: read, or told with their place."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import struct
from pathlib import Path

import pytest
import zstandard

from auditlens.errors import UsageError
from auditlens.sources import read_log
from tests.sources.test_read_log import LINES, RECORDS

HEAD = ["id", "created_at", "event", "resource_title", "content"]
ROWS = [[f"e{n}", "2026-10-05T11:00:00Z", "Deleted table", f"t{n}", "ok"] for n in range(300)]


def table(rows: list[list[str]], separator: str = ",", end: str = "\n") -> bytes:
    """A CSV file whose cells are written as they stand."""
    return end.join(separator.join(row) for row in [HEAD, *rows]).encode() + end.encode()


def with_cells(**cells: str) -> list[list[str]]:
    """ROWS with some cells replaced: ``r5_3`` is cell 3 of row 5."""
    rows = [list(row) for row in ROWS]
    for name, text in cells.items():
        row, cell = map(int, name[1:].split("_"))
        rows[row][cell] = text
    return rows


OPEN = {
    "last cell": {"r4_4": '"19 inch'},
    "middle cell": {"r4_3": '"19 inch'},
    "first cell": {"r4_0": '"e4'},
    "two of them": {"r4_4": '"19 inch', "r200_4": '"20 inch'},
    "two in adjacent lines": {"r4_3": '"19 inch', "r5_3": '"20 inch'},
    "three of them": {"r4_4": '"a', "r90_3": '"b', "r91_0": '"c'},
    "last line": {"r299_4": '"19 inch'},
    "first line": {"r0_3": '"19 inch'},
    "before a quoted cell": {"r4_4": '"19 inch', "r9_4": '"a ""good"" one, too"'},
    "before an empty quoted cell": {"r4_4": '"19 inch', "r9_4": '""'},
    "before a cell of two lines": {"r4_4": '"19 inch', "r9_4": '"one\ntwo"'},
}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("kind", OPEN)
def test_an_open_quote_costs_its_own_line_alone(written, kind, separator):
    """Every other line is read, and each open quote is told with its line."""
    cells = OPEN[kind]
    wrong = [int(name[1:].split("_")[0]) for name, text in cells.items() if text.count('"') % 2]
    rows = with_cells(**cells)
    log = read_log(written(table(rows, separator), "log.csv"))
    assert set(log.events["id"]) == {f"e{n}" for n in range(300) if n not in wrong}
    assert [each.line for each in log.coverage.quarantined] == [row + 2 for row in wrong]


def test_quoted_cells_may_hold_lines_separators_and_quotes(written):
    """What a proper writer writes comes back as it was, in any dialect and end of line."""
    texts = ["one\ntwo", 'a "b", c', "\n\n\n", "x;y\tz", "l\r\nm", '"', "ä 😀", "a,b,c,d"]
    rows = [[*row[:4], texts[n % len(texts)]] for n, row in enumerate(ROWS)]
    for dialect in ("excel", "unix", "excel-tab"):
        text = io.StringIO()
        csv.writer(text, dialect).writerows([HEAD, *rows])
        log = read_log(written(gzip.compress(text.getvalue().encode()), "log.csv.gz"))
        events = {row["id"]: row["content"] for row in log.events.to_dicts()}
        assert events == {row[0]: row[4] for row in rows}
        assert log.coverage.quarantined_count == 0


def test_a_quoted_cell_that_holds_rows_is_read_as_it_stands_and_told(written):
    """Text in a cell never becomes events; two open quotes that look like one cell are told."""
    inner = "\n".join(",".join(row) for row in ROWS[50:60])
    log = read_log(written(table(with_cells(r4_3=f'"x\n{inner}\ny"')), "log.csv"))
    assert log.events.height == 300
    [told] = log.coverage.quarantined
    assert (told.line, "line 17" in told.reason) == (6, True)


@pytest.mark.parametrize("size", [200_000, 2_000_000])
def test_long_cells_are_read(written, size):
    """A cell of 2 MB is a cell like any other."""
    log = read_log(written(table(with_cells(r4_4="a" * size)), "log.csv"))
    assert log.events.height == 300
    assert log.events["content"].str.len_bytes().max() == size


def test_a_latin_1_byte_in_a_table_costs_one_character(written):
    """The row is read, with U+FFFD for the byte."""
    data = table(with_cells(r4_3="caf#")).replace(b"caf#", b"caf\xe9")
    log = read_log(written(data, "log.csv"))
    assert log.events.height == 300
    assert log.events.filter(log.events["id"] == "e4")["resource_title"].item() == "caf\ufffd"


PRETTY = json.dumps(RECORDS, indent=2)
ENCODED = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"]
FORMS = {"lines": LINES.decode(), "document": PRETTY, "table": table(ROWS[:40]).decode()}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("form", FORMS)
def test_text_of_powershell_and_excel_is_read(written, form, encoding, end):
    """UTF-16, UTF-32 and UTF-8 with a mark give the same events as plain UTF-8."""
    text = FORMS[form].replace("\n", end)
    mark = "\ufeff" if encoding.endswith("e") else ""
    log = read_log(written((mark + text).encode(encoding), "log.txt"))
    assert set(log.events["id"]) == {f"e{n}" for n in range(40)}
    assert log.coverage.quarantined_count == 0


def test_lines_that_end_as_on_old_macs_are_read(written):
    """A carriage return alone ends a line."""
    log = read_log(written(table(ROWS, end="\r"), "log.csv"))
    assert log.events.height == 300


def skippable(size: int, kind: int = 0) -> bytes:
    return struct.pack("<II", 0x184D2A50 + kind, size) + b"n" * size


ZSTD, HALF = zstandard.ZstdCompressor().compress, len(LINES) // 2
PACKED = {
    "gzip and a line feed": gzip.compress(LINES) + b"\n",
    "gzip and CR LF": gzip.compress(LINES) + b"\r\n",
    "gzip and zeros": gzip.compress(LINES) + bytes(5000),
    "gzip, line feed, gzip": gzip.compress(LINES[:HALF]) + b"\n" + gzip.compress(LINES[HALF:]),
    "an empty member between": gzip.compress(LINES[:HALF]) + gzip.compress(b"")
    + gzip.compress(LINES[HALF:]),
    "a skippable frame first": skippable(9) + ZSTD(LINES),
    "skippable frames all over": skippable(0, 15) + ZSTD(LINES[:HALF]) + skippable(70_000, 3)
    + skippable(1) + ZSTD(LINES[HALF:]) + skippable(3000, 7),
    "two frames and a line feed": ZSTD(LINES[:HALF]) + ZSTD(LINES[HALF:]) + b"\n",
    "an empty frame between": ZSTD(LINES[:HALF]) + ZSTD(b"") + ZSTD(LINES[HALF:]),
}  # fmt: skip


@pytest.mark.parametrize("kind", PACKED)
def test_odd_packing_that_lacks_nothing_is_whole(written, kind):
    """No byte of content is missing, so nothing is said to be."""
    log = read_log(written(PACKED[kind], "log.packed"))
    assert log.events.height == 40
    assert log.coverage.quarantined_count == 0


@pytest.mark.parametrize(
    "data",
    [gzip.compress(LINES) + b"more", gzip.compress(LINES) + gzip.compress(LINES)[:9],
     ZSTD(LINES) + b"more than that", ZSTD(LINES) + skippable(50)[:20],
     ZSTD(LINES) + ZSTD(LINES)[:7]],
    ids=["gzip, text", "gzip, half a head", "zstd, text", "half a skippable", "half a frame"],
)  # fmt: skip
def test_packing_that_lacks_something_is_told(written, data):
    """What came before is read."""
    log = read_log(written(data, "log.packed"))
    assert log.events.height == 40
    assert log.coverage.quarantined_count == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good log."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.ndjson").write_bytes(LINES)
    return tmp_path / "in"


FOREIGN = {
    "empty": b"", "blank": b"\n \n", "settings": b'{"name": "x", "version": 1}',
    "binary": bytes(99),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(64), "no Parquet": b"PAR1 but no more",
    "prose": b"Dear auditor,\nplease find enclosed", "an empty array": b"[]",
    "another table": b"a,b,c\n1,2,3\n", "cut": gzip.compress(LINES)[:15],
}  # fmt: skip


@pytest.mark.parametrize("name", ["a.json", "z.parquet"])
@pytest.mark.parametrize("kind", [each for each in FOREIGN if each != "an empty array"])
def test_a_foreign_file_does_not_stop_a_folder(folder, kind, name):
    """The good one is read; the other is counted and told by its name."""
    (folder / name).write_bytes(FOREIGN[kind])
    log = read_log(folder)
    assert log.events.height == 40
    assert [each.source for each in log.coverage.quarantined] == [name]
    assert "1 file" in log.coverage.statement or "1 unreadable record" in log.coverage.statement


def test_links_are_followed_once_or_told(folder, tmp_path):
    """A linked folder is part of the log; a circle ends; a link to nothing is told."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "more.ndjson").write_bytes(LINES.replace(b'"e', b'"f'))
    for name, target in (
        ("linked", outside),
        ("circle", folder),
        ("again", outside),
        ("gone.json", tmp_path / "nothing"),
        ("file.json", outside / "more.ndjson"),
    ):
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.json")
    log = read_log(folder)
    assert log.events.height == 80
    told = {each.source: each.reason for each in log.coverage.quarantined}
    assert told.keys() == {"gone.json", "pipe.json"}
    assert "link to nothing" in told["gone.json"]


def test_a_folder_in_which_nothing_can_be_read_is_told(tmp_path):
    """No event and every file counted: nothing passes for an empty log."""
    for name in ("a.json", "b.json", "c.csv"):
        (tmp_path / name).write_bytes(b'{"name": "x"}')
    log = read_log(tmp_path)
    assert log.events.is_empty()
    assert log.coverage.quarantined_count == 3


def test_a_link_to_nothing_by_name_is_refused(tmp_path):
    """Named by the user, it is a usage error."""
    (tmp_path / "gone.json").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError):
        read_log(tmp_path / "gone.json")
