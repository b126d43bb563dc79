"""Records of the simulated workspace: exact bytes, both generations, one truth."""

import gzip
import json

import polars as pl
import pytest
import zstandard

from auditlens.errors import UsageError
from auditlens.events import conform, decode_records
from auditlens.simulator import Workspace, simulate, to_current

LEGACY_FIELDS = [
    "id", "created_at", "resource_id", "resource_title", "resource_type", "event", "content",
    "sender", "metadata", "short_summary", "short_summary_markdown", "subject", "entity_type",
    "entity_id", "entity_snapshot_key",
]  # fmt: skip
SHARED = [
    "id", "created_at", "event", "sender_id", "sender_email", "sender_name", "resource_id",
    "resource_title", "resource_type", "entity_type", "entity_id", "related_ids", "summary",
    "parent_id", "snapshot_key",
]  # fmt: skip
FOREIGN = {
    "id": "r-1",
    "created_at": "2024-02-29T23:59:59.123456Z",
    "resource_id": "t-1",
    "resource_title": 'Ünï "quoted" \\ title',
    "resource_type": "table",
    "event": "tag_removed",
    "content": "removed",
    "sender": {"id": "p-1", "email": "p@example.org", "first_name": "Jo", "last_name": None},
    "metadata": {"container": "c-1", "depth": 1.10},
    "short_summary": 'Jo removed a tag from Ünï "quoted" \\ title',
    "short_summary_markdown": "x",
    "subject": "Tag removed",
    "entity_type": "tag",
    "entity_id": "g-1",
    "entity_snapshot_key": "s-1",
}


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return simulate(8, people=30, services=2, resources=200, teams=3, days=50, events_per_day=8)


def encoded(**changes) -> bytes:
    return json.dumps({**FOREIGN, **changes}, ensure_ascii=False).encode()


def test_legacy_records_are_json_with_the_documented_fields(workspace):
    """Each record is an object with the fields of the fact sheet, in its order."""
    for record in workspace.records("legacy")[:500]:
        assert list(json.loads(record)) == LEGACY_FIELDS


def test_records_decode_without_refusal(workspace):
    """The event table reads every record of both generations."""
    for generation in ("legacy", "current"):
        decoded = decode_records(workspace.records(generation))
        assert not decoded.rejected
        assert set(decoded.events["generation"]) == {generation}


def test_both_generations_say_the_same_as_the_frame(workspace):
    """Legacy, current and the workspace's own frame agree on every shared column."""
    frame = conform(workspace.events)
    for generation in ("legacy", "current"):
        events = decode_records(workspace.records(generation)).events
        assert events.select(SHARED).equals(frame.select(SHARED))
        assert place(events).equals(place(frame))


def place(events: pl.DataFrame) -> pl.DataFrame:
    """What rules and the model read out of metadata."""
    paths = ("container", "pii", "role.to", "requester")
    return events.select(
        pl.col("metadata").str.json_path_match(f"$.{path}").alias(path) for path in paths
    )


def test_sender_kinds_agree_except_that_legacy_cannot_tell_the_api(workspace):
    """A legacy record has no performer type; every other sender kind is the same in both."""
    frame = workspace.events["sender_kind"]
    current = decode_records(workspace.records("current")).events["sender_kind"]
    legacy = decode_records(workspace.records("legacy")).events["sender_kind"]
    assert current.equals(frame)
    assert legacy.to_list() == frame.replace("api", "user").to_list()


def test_a_foreign_record_is_converted_faithfully():
    """Ids, time, kind, people, titles, summary and metadata of any legacy record are kept."""
    record = encoded()
    old = decode_records([record]).events
    new = decode_records(to_current([record])).events
    assert new.select(SHARED).equals(old.select(SHARED))
    assert new["generation"].to_list() == ["current"]
    current = json.loads(to_current([record])[0])
    assert current["metadata"] == FOREIGN["metadata"]
    assert current["logged_at"] == FOREIGN["created_at"]
    assert b"1.1" in to_current([record])[0]


@pytest.mark.parametrize(
    ("changes", "performer"),
    [
        ({"sender": None}, "SYSTEM"),
        ({"sender": {"id": "m", "email": None, "first_name": "Monitor"}}, "MONITOR"),
        ({"metadata": {"performer_type": "API"}}, "API"),
        ({"metadata": None}, "USER"),
    ],
)
def test_performer_types_follow_the_sender(changes, performer):
    """Nobody, machines, API keys and people get their own performer type."""
    current = json.loads(to_current([encoded(**changes)])[0])
    assert current["performer_type"] == performer


def test_fields_beyond_the_documented_ones_are_kept():
    """A record with more fields, or fewer, loses nothing and does not fail."""
    more = json.loads(to_current([encoded(ip_address="192.0.2.7")])[0])
    assert more["ip_address"] == "192.0.2.7"
    fewer = json.loads(to_current([b'{"id":"a","created_at":"2024-01-01T00:00:00Z"}'])[0])
    assert fewer["id"] == "a"
    assert fewer["related_resource_ids"] == []


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("log.ndjson", bytes),
        ("log.ndjson.gz", gzip.decompress),
        ("log.ndjson.zst", lambda raw: zstandard.ZstdDecompressor().decompress(raw)),
    ],
)
def test_the_log_is_written_one_record_a_line(workspace, tmp_path, name, opened):
    """A file holds the exact records, compressed as its name says, the same bytes each time."""
    path = workspace.write_ndjson(tmp_path / name)
    again = workspace.write_ndjson(tmp_path / f"again-{name}")
    assert opened(path.read_bytes()).splitlines() == workspace.records("legacy")
    assert path.read_bytes() == again.read_bytes()


def test_an_unknown_generation_is_refused(workspace):
    """Only legacy and current exist."""
    with pytest.raises(UsageError, match="third"):
        workspace.records("third")


def test_an_unwritable_path_is_a_usage_error(workspace, tmp_path):
    """A folder that is not there is named in one line."""
    with pytest.raises(UsageError, match="Cannot write"):
        workspace.write_ndjson(tmp_path / "none" / "log.ndjson")
