"""What a person saved is read whole: documents in any number and layout, and what is damaged."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.sources import read_log

# Documents cut into pieces anywhere; a file is cut at a megabyte.
from auditlens.sources.documents import read_documents
from tests.sources.test_read_log import LINES, RECORDS

PAGES = [
    {"count": 40, "next": None, "results": RECORDS[start : start + 10]} for start in (0, 10, 20, 30)
]
FLAT = [json.dumps(page).encode() for page in PAGES]
PRETTY = [json.dumps(page, indent=2).encode() for page in PAGES]
ARRAYS = [json.dumps(RECORDS[start : start + 20]).encode() for start in (0, 20)]
EACH = LINES.splitlines()
SAVED: dict[str, bytes] = {
    "pages side by side": b"".join(FLAT),
    "one page a line": b"\n".join(FLAT) + b"\n",
    "one page a line, Windows, each with its own mark": b"".join(
        b"\xef\xbb\xbf" + page + b"\r\n" for page in FLAT
    ),
    "pretty pages": b"\n".join(PRETTY),
    "pretty pages side by side": b"".join(PRETTY),
    "pages and commas": b",\n".join(PRETTY),
    "one array of pages": b"[" + b",".join(FLAT) + b"]",
    "a pretty array of pages": json.dumps(PAGES, indent=1).encode(),
    "page, then lines": FLAT[0] + b"\n" + b"\n".join(EACH[10:]),
    "pretty page, then lines": PRETTY[0] + b"\n" + b"\n".join(EACH[10:]),
    "lines, then page": b"\n".join(EACH[:30]) + b"\n" + FLAT[3],
    "lines, then pretty page": b"\n".join(EACH[:30]) + b"\n" + PRETTY[3] + b"\n",
    "lines, page, lines": b"\n".join([*EACH[:10], FLAT[1], *EACH[20:]]),
    "lines, array, lines": b"\n".join([*EACH[:10], json.dumps(RECORDS[10:20]).encode(),
                                       *EACH[20:]]),
    "lines, pretty record, lines": b"\n".join(
        [*EACH[:10], json.dumps(RECORDS[10], indent=2).encode(), *EACH[11:]]
    ),
    "][": b"".join(ARRAYS),
    "] [": b"\n".join(ARRAYS),
    "pretty ][": b"".join(json.dumps(json.loads(one), indent=4).encode() for one in ARRAYS),
    "array of arrays": b"[" + b",".join(ARRAYS) + b"]",
    "array, then lines": ARRAYS[0] + b"\n" + b"\n".join(EACH[20:]),
    "array and line on one line": ARRAYS[0] + b"".join(EACH[20:]),
    "records side by side": b"".join(EACH),
    "two records a line": b"\n".join(a + b for a, b in zip(EACH[::2], EACH[1::2], strict=True)),
    "lines with commas": b",\n".join(EACH),
    "pretty records": b"\n".join(json.dumps(one, indent=2).encode() for one in RECORDS),
    "a JSON text sequence": b"".join(b"\x1e" + line + b"\n" for line in EACH),
    "list after other members": json.dumps(
        {"meta": {"results": "no"}, "note": "\"results\": [", "results": RECORDS}
    ).encode(),
    "list before other members": json.dumps(
        {"results": RECORDS, "meta": {"results": [1, 2]}, "links": ["x"]}
    ).encode(),
    "lines, empty page, lines": b"\n".join([*EACH[:9], b'{"count":0,"results":[]}', *EACH[9:]]),
    "empty pages between": b'{"results":[]}'.join([b"", *FLAT, b""]),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAVED)
def test_every_record_of_every_document_is_read(written, kind):
    """None is lost after the first document, and nothing is said to be wrong."""
    log = read_log(written(SAVED[kind], "saved.json"))
    assert set(log.events["id"]) == {one["id"] for one in RECORDS}
    assert log.coverage.quarantined_count == 0


@pytest.mark.parametrize("kind", ["pages side by side", "][", "lines, then pretty page", "] ["])
@pytest.mark.parametrize("seed", range(2))
def test_gzip_members_may_part_documents_anywhere(written, kind, seed):
    """The same bytes in several gzip members are the same log."""
    data = SAVED[kind]
    cuts = sorted(random.Random(seed).sample(range(1, len(data)), 3))
    members = [gzip.compress(data[a:b]) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    log = read_log(written(b"".join(members), "saved.json.gz"))
    assert log.events.height == 40
    assert log.coverage.quarantined_count == 0


def trail(number: int) -> dict[str, object]:
    return {
        "eventVersion": "1.08", "eventID": f"e-{number}", "eventTime": "2026-10-05T10:00:00Z",
        "eventSource": "s3.amazonaws.com", "eventName": "DeleteBucket", "awsRegion": "eu-west-1",
        "userIdentity": {"type": "IAMUser", "userName": "ana"},
        "requestParameters": {"Records": [{"x": 1}], "results": [1]},
    }  # fmt: skip


TRAILS = [json.dumps({"Records": [trail(n), trail(n + 1)]}).encode() for n in (0, 2, 4)]


@pytest.mark.parametrize(
    "saved",
    [b"".join(TRAILS), b"\n".join(TRAILS), b"[" + b",".join(TRAILS) + b"]",
     b"\n".join(json.dumps(json.loads(one), indent=2).encode() for one in TRAILS),
     TRAILS[0] + b"".join(json.dumps(trail(n)).encode() + b"\n" for n in (2, 3, 4, 5)),
     b"".join(json.dumps(trail(n)).encode() + b"\n" for n in (0, 1, 2, 3)) + TRAILS[2]],
    ids=["side by side", "a line each", "array", "pretty", "then lines", "after lines"],
)  # fmt: skip
def test_cloudtrail_files_put_together_are_read_whole(written, saved):
    """A list inside a record is no list of records."""
    log = read_log(written(saved, "trail.json"))
    assert sorted(log.events["id"]) == [f"e-{n}" for n in range(6)]
    assert log.coverage.quarantined_count == 0


LOST: dict[str, Callable[[bytes], bytes]] = {
    "its last bracket": lambda line: line[:-1],
    "its first bracket": lambda line: line[1:],
    "a quote": lambda line: line.replace(b'"e7"', b'"e7', 1),
    "the quote of a name": lambda line: line.replace(b'"event"', b'event"', 1),
    "its second half": lambda line: line[: len(line) // 2],
    "the end of its last text": lambda line: line[: line.index(b'"e7"') + 2],
    "a colon": lambda line: line.replace(b'"id":', b'"id"', 1),
}
LAYOUTS: dict[str, Callable[[list[bytes]], bytes]] = {
    "lines": b"\n".join,
    "array over lines": lambda each: b"[\n" + b",\n".join(each) + b"\n]\n",
    "array on one line": lambda each: b"[" + b", ".join(each) + b"]",
    "page over lines": lambda each: b'{"results": [\n' + b",\n".join(each) + b'\n], "count": 3}',
    "side by side": b" ".join,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fault", LOST)
def test_a_record_that_lost_something_takes_no_other_with_it(written, layout, fault):
    """All 39 others are read, and the damaged one is told."""
    each = [LOST[fault](line) if place == 7 else line for place, line in enumerate(EACH)]
    log = read_log(written(LAYOUTS[layout](each), "saved.json"))
    assert set(log.events["id"]) >= {one["id"] for one in RECORDS if one["id"] != "e7"}
    assert log.coverage.quarantined_count >= 1


@pytest.mark.parametrize(
    "between", [b"HTTP/2 200\r\nserver: x\r\n\r\n", b"-- next --", b"null", b"7"]
)
def test_what_stands_between_documents_is_told(written, between):
    """Headers saved with ``curl -i`` cost no record, and are not passed over."""
    log = read_log(written(between.join(PRETTY), "saved.json"))
    assert log.events.height == 40
    assert log.coverage.quarantined_count >= 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=4), max_size=4),
    st.integers(1, 40),
    st.booleans(),
    st.data(),
)
def test_any_documents_in_any_pieces_give_their_elements(documents, step, is_ascii, data):
    """Arrays and pages of anything, cut anywhere as they come, give exactly their elements."""
    saved, wanted = b"", []
    for elements in documents:
        page = data.draw(st.booleans())
        indent = data.draw(st.sampled_from([None, 1]))
        value = {"count": 1, "results": elements, "next": "]}"} if page else elements
        text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
        saved += text.encode("utf-8", "replace")
        wanted += elements
    parts = [saved[start : start + step] for start in range(0, len(saved), step)]
    found = [piece for pieces, wrong in read_documents(parts) for piece in pieces]
    told = [each for _, wrong in read_documents(parts) for each in wrong]
    assert len(found) == len(wanted)
    assert not told
    if is_ascii:
        assert [json.loads(piece) for piece in found] == wanted


def test_real_pages_are_the_same_in_one_document_or_many(shared_data: Path, tmp_path: Path):
    """Saved cases of the field give their whole number of events."""
    cases = shared_data / "cases"
    counts = {
        name: read_log(cases / name).events.height
        for name in ("saved-pages.json", "page-then-lines.json", "saved-cloudtrail.json")
    }
    assert list(counts.values()) == [6, 6, 3]
