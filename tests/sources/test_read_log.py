"""Files of every form become the same events; what is no event is told, and nothing else lost."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import zstandard

from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA
from auditlens.sources import read_events, read_log


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "created_at": f"2026-10-{number % 28 + 1:02d}T09:00:00.000Z",
        "event": "tag_added",
        "sender": {"id": "s1", "email": "s@example.org", "first_name": "S", "last_name": "T"},
        "metadata": {"n": number},
        **more,
    }


MAX_RECORD = 32 << 20
RECORDS = [record(number) for number in range(40)]
LINES = "\n".join(json.dumps(each) for each in RECORDS).encode() + b"\n"
FORMS: dict[str, bytes] = {
    "lines": LINES,
    "lines, Windows, BOM, blank lines": b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n\r\n"),
    "lines, no last end": LINES.rstrip(),
    "array": b"[" + LINES.replace(b"\n", b", ").rstrip(b", ") + b"]",
    "array over lines": b"[\n" + LINES.replace(b"\n", b",\n").rstrip(b",\n") + b"\n]\n",
    "plain envelope": b'{"count": 40, "results": [' + LINES.replace(b"\n", b",")[:-1] + b"]}",
    "modern envelope over lines": b'{\n  "results": [\n'
    + LINES.replace(b"\n", b",\n")[:-2]
    + b'\n],\n "meta": {"page": 1}}\n',
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
    # The name may lie: the content decides.
    ".txt": gzip.compress,
}


def same(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    return left.drop("source").equals(right.drop("source"))


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_events(written, form, packer):
    """JSON by line, array or envelope, packed or not: the same rows, leaves included."""
    expected = read_events(written(LINES))
    log = read_log(written(PACKERS[packer](FORMS[form]), f"other.json{packer}"))
    assert same(log.events, expected)
    assert dict(log.events.schema) == EVENT_SCHEMA
    assert log.events.height == 40
    assert log.coverage.quarantined_count == 0


def test_a_log_from_files_is_unprovable_and_says_so(written):
    """A file cannot prove what the server held; the span and days without events are stated."""
    lines = [json.dumps(record(n)) for n in (0, 1, 5)]
    coverage = read_log(written("\n".join(lines).encode())).coverage
    assert coverage.outcome == "unprovable"
    assert "cannot prove" in coverage.statement
    assert coverage.events_held == 3
    assert [str(day) for gap in coverage.gaps for day in gap] == ["2026-10-03", "2026-10-05"]


def test_events_are_classified_and_sorted(written):
    """Rows come by time, id and leaf, whatever the order of the file, with their action."""
    shuffled = LINES.splitlines()[::-1]
    events = read_events(written(b"\n".join(shuffled)))
    assert events.equals(events.sort("created_at", "id", "leaf"))
    assert events["action_group"].null_count() == 0


BROKEN = {
    "truncated": b'{"id": "x", "created_at": "2026-1',
    "not JSON": b"{'id': 1}",
    "no time": b'{"id": "x"}',
    "no time, deep": b'{"id": "x", "metadata": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a word": b'{"id": "x", "created_at": "2026-10-01T00:00:00Z", "n": maybe}',
    "a number": b"42",
}


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_quarantined_and_its_neighbours_kept(written, kind, where):
    """Its file, line and reason are told; the 40 others are events."""
    lines = LINES.splitlines()
    place = {"first": 0, "middle": 20, "last": 40}[where]
    lines.insert(place, BROKEN[kind])
    log = read_log(written(b"\n".join(lines)))
    assert log.events.height == 40
    assert log.coverage.quarantined_count == 1
    [refused] = log.coverage.quarantined
    assert (refused.source, refused.line) == ("log.ndjson", place + 1)
    assert refused.reason
    assert refused.excerpt.isascii()


@pytest.mark.parametrize("kind", [name for name in BROKEN if name != "truncated"])
def test_a_broken_element_of_a_document_is_quarantined(written, kind):
    """One bad record does not spoil the array it stands in."""
    elements = LINES.splitlines()
    elements.insert(7, BROKEN[kind].replace(b"'", b'"'))
    elements[7] = elements[7].replace(b'{"id": 1}', b'{"id" 1}')
    log = read_log(written(b"[" + b",".join(elements) + b"]", "log.json"))
    assert log.events.height == 40
    assert [each.line for each in log.coverage.quarantined] == [8]


@pytest.mark.parametrize("over_lines", [True, False])
def test_a_cut_document_keeps_what_came_before(written, over_lines):
    """An array without its end gives its whole records, and a note."""
    text = b"[" + LINES.replace(b"\n", b",\n" if over_lines else b",")
    cut = text[: text.index(b'"e30"') + 20]
    log = read_log(written(cut, "log.json"))
    assert log.events.height == 30
    assert any("cut off" in each.reason for each in log.coverage.quarantined)


def test_an_array_with_an_open_bracket_is_read_by_its_lines(written):
    """A record that lost its bracket takes no other record of its file with it."""
    lines = LINES.splitlines()
    lines[5] = lines[5][:-1]
    log = read_log(written(b"[\n" + b",\n".join(lines) + b"\n]\n", "log.json"))
    assert log.events.height == 39


@pytest.mark.parametrize("packer", [".gz", ".zst"])
@pytest.mark.parametrize("fault", ["cut", "flipped"])
def test_damaged_packing_keeps_what_could_be_read(written, packer, fault):
    """The loss is told; it never passes for the end of the log."""
    many = b"".join(
        json.dumps(record(n, content=f"{n * 7919 % 104729:x}" * 40)).encode() + b"\n"
        for n in range(3000)
    )
    data = bytearray(PACKERS[packer](many))
    if fault == "cut":
        del data[len(data) * 9 // 10 :]
    else:
        data[-2] ^= 1
        data[len(data) * 9 // 10] ^= 0x10
    path = written(bytes(data), f"log.ndjson{packer}")
    log = read_log(path)
    assert 0 < log.events.height < 3000 or fault == "flipped"
    assert any("data are" in each.reason for each in log.coverage.quarantined)


def test_repeats_are_dropped_and_changes_kept(written):
    """Same content twice is one event; another content under the same id is told of."""
    again = json.dumps(RECORDS[3], separators=(",", ":"), sort_keys=True)
    other = json.dumps(record(4, content="edited later"))
    path = written(LINES + again.encode() + b"\n" + other.encode() + b"\n" + LINES[:400])
    log = read_log([path, path])
    assert log.events.height == 41
    assert log.coverage.changed_ids == ("e4",)
    assert log.coverage.changed_count == 1
    assert log.coverage.duplicates > 40


def test_the_first_file_names_a_repeated_event(written):
    """Of the same event in two files, the first given is kept, whatever their order."""
    one, two = written(LINES, "one.ndjson"), written(LINES, "two.ndjson")
    assert set(read_events([one, two])["source"]) == {"one.ndjson"}
    assert set(read_events([two, one])["source"]) == {"two.ndjson"}


@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_record_longer_than_32_mib_is_told_and_its_neighbours_are_read(written, form):
    """One of a little less is an event like any other."""
    long = json.dumps(record(90, content="a" * (MAX_RECORD - 1000))).encode()
    longer = json.dumps(record(91, content="a" * (MAX_RECORD + 1000))).encode()
    each = [*LINES.splitlines(), long, longer, json.dumps(record(92)).encode()]
    text = b"\n".join(each) if form == "lines" else b"[" + b",".join(each) + b"]"
    log = read_log(written(gzip.compress(text, 1), "log.json.gz"))
    assert log.events.height == 42
    assert [one.reason for one in log.coverage.quarantined] == ["longer than 32 MiB"]


def test_an_endless_line_takes_bounded_memory(written):
    """It is cut a little past the bound as it comes, and what follows is read."""
    path = written(gzip.compress(LINES + b"a" * (160 << 20) + b"\n" + LINES, 1), "log.ndjson.gz")
    tracemalloc.start()
    log = read_log(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (log.events.height, log.coverage.quarantined_count) == (40, 1)
    assert peak < 4 * MAX_RECORD, peak


def test_folders_are_searched_in_order_for_logs_alone(written, tmp_path):
    """Files of known suffixes, at any depth; hidden and other files are left out."""
    written(LINES, "in/b/part.ndjson")
    written(gzip.compress(LINES.replace(b'"e', b'"f')), "in/a/part.jsonl.gz")
    written(b"notes", "in/readme.txt")
    written(b"{}", "in/.hidden/part.json")
    events = read_events(tmp_path / "in")
    assert events.height == 80
    assert set(events["source"]) == {"b/part.ndjson", "a/part.jsonl.gz"}


def test_csv_of_records_is_read(written):
    """Dots in names are nested fields, JSON in cells is kept, quotes and separators are read."""
    text = (
        "id;created_at;event;content;sender.id;sender.email;metadata\r\n"
        'e1;2026-10-01T09:00:00Z;tag_added;"a ""b""; c\nd";s1;s@example.org;"{""n"": 1}"\r\n'
        "e2;2026-10-02T09:00:00Z;tag_added\r\n"
        "e3;never;tag_added;;s1;;\r\n"
    )
    log = read_log(written(text.encode(), "log.csv"))
    [row] = log.events.to_dicts()
    assert row["content"] == 'a "b"; c\nd'
    assert row["sender_email"] == "s@example.org"
    assert json.loads(row["metadata"]) == {"n": 1}
    assert sorted(each.line for each in log.coverage.quarantined) == [4, 5]


def test_our_own_table_comes_back_from_parquet(written, tmp_path):
    """Writing the event table as Parquet and reading it gives the same table."""
    events = read_events(written(LINES))
    events.write_parquet(tmp_path / "events.parquet")
    assert read_events(tmp_path / "events.parquet").equals(events)
    packed = gzip.compress((tmp_path / "events.parquet").read_bytes())
    assert read_events(written(packed, "packed.parquet.gz")).equals(events)


def test_our_own_table_comes_back_from_csv(written, tmp_path):
    """Lists as JSON and leaves as hexadecimal: the CSV of the event table is read back."""
    events = read_events(written(LINES))
    flat = events.with_columns(
        pl.col("leaf").bin.encode("hex"),
        pl.lit(None, pl.String).alias("related_ids"),
        pl.col("created_at").dt.to_string("iso"),
    )
    flat.write_csv(tmp_path / "events.csv")
    assert read_events(tmp_path / "events.csv").equals(events)


def test_parquet_of_records_is_read(tmp_path):
    """Nested columns of another tool's Parquet are records like any other."""
    pl.DataFrame(RECORDS).write_parquet(tmp_path / "records.parquet")
    events = read_events(tmp_path / "records.parquet")
    assert events.height == 40
    assert set(events["sender_email"]) == {"s@example.org"}


def test_cloudtrail_is_recognised(written):
    """The ``Records`` envelope of CloudTrail is read by its own profile."""
    records = [
        {
            "eventVersion": "1.08",
            "eventTime": "2023-07-10T11:42:18Z",
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateUser",
            "eventID": "e-1",
            "userIdentity": {"type": "IAMUser", "userName": "u"},
        }
    ]
    path = written(json.dumps({"Records": records}).encode(), "trail.json")
    for profile in ("auto", "cloudtrail"):
        [row] = read_events(path, profile=profile).to_dicts()
        assert (row["generation"], row["event"], row["id"]) == ("cloudtrail", "CreateUser", "e-1")


def test_cloudtrail_is_recognised_in_a_table(written):
    """A CSV export is known by its header, without being told the profile."""
    header = "eventID,eventTime,eventName,eventSource,userIdentity"
    row = """e-1,2023-07-10T11:42:18Z,CreateUser,iam.amazonaws.com,"{""userName"": ""u""}\""""
    path = written(f"{header}\n{row}\n".encode(), "trail.csv")
    [event] = read_events(path).to_dicts()
    assert (event["generation"], event["event"], event["id"]) == ("cloudtrail", "CreateUser", "e-1")


NO_LOGS = {
    "empty": b"",
    "blank": b" \n\n ",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "prose": b"Dear auditor,\nplease find enclosed\n",
    "web page": b"<!DOCTYPE html><html></html>",
    "UTF-16 of no event": '{"id": "1"}'.encode("utf-16"),
    "binary": b"\x00\x01\x02" * 100,
    "Parquet in name": b"PAR1 but no more",
    "a number": b"42\n",
    "an empty array": b"[]",
    "no event": b'{"hello": "world"}\n',
    "cut at once": b'[{"id": "1", "created_at": "2026-1',
    "a header alone": b"id,created_at,event\n",
    "cut gzip": gzip.compress(LINES)[:15],
    "cut zstd": zstandard.ZstdCompressor().compress(LINES)[:15],
}


@pytest.mark.parametrize("kind", NO_LOGS)
def test_a_file_without_events_is_named_in_one_line(written, kind):
    """What is no log is a usage error with the file's name and the fix."""
    path = written(NO_LOGS[kind], "input.dat")
    with pytest.raises(UsageError) as caught:
        read_log(path)
    assert "input.dat" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.fix


def test_missing_paths_and_bare_folders_are_refused(tmp_path):
    """A path that is not there, a folder without logs, and no path at all."""
    for paths in (tmp_path / "missing.ndjson", tmp_path, [], "\0"):
        with pytest.raises((UsageError, ValueError)):
            read_log(paths)


def test_unknown_profile_and_zone_are_refused(written):
    """A typing error in a name is a usage error."""
    path = written(LINES)
    with pytest.raises(UsageError):
        read_log(path, profile="okta2")
    with pytest.raises(UsageError):
        read_log(path, timezone="Europe/Atlantis")


def test_the_quarantine_is_capped_but_counted(written):
    """A file of rubbish among events takes no memory for each of its lines."""
    log = read_log(written(LINES + b"rubbish\n" * 15_000))
    assert log.coverage.quarantined_count == 15_000
    assert len(log.coverage.quarantined) == 10_000


@pytest.mark.parametrize(
    ("name", "count"),
    [("workspace-a", 47392), ("workspace-b", 24789), ("workspace-c", 54799)],
)
@pytest.mark.slow
def test_real_activity_is_read_whole(shared_data, name, count):
    """Every line of the real streams is an event, with a sender and an action."""
    log = read_log(shared_data / "activity" / f"{name}.ndjson.gz")
    assert log.events.height + log.coverage.duplicates == count
    assert log.coverage.quarantined_count == 0


def test_real_cloudtrail_is_read_whole(shared_data):
    """2,900 real events, each with a time, a name and a sender."""
    log = read_log(shared_data / "cloudtrail")
    assert log.events.height == 2900
    assert log.events.select("event", "sender_id").null_count().row(0) == (0, 0)


def test_an_archive_is_not_read_as_a_folder_of_logs(written, tmp_path):
    """Its segments are evidence to be verified first; the fix says how to open it."""
    written(zstandard.ZstdCompressor().compress(LINES), "archive/evidence/000001.ndjson.zst")
    with pytest.raises(UsageError, match="archive"):
        read_log(tmp_path / "archive")
