"""Every row of the event table knows where its bytes are sealed."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from auditlens.archive import Archive
from auditlens.errors import IntegrityError


@pytest.fixture
def archive(tmp_path):
    """An empty archive."""
    return Archive(tmp_path / "archive")


def sealed_hashes(archive):
    """The leaf of each row, and the hash of the bytes at its place, both in order."""
    events = archive.events()
    records = archive.records(events["id"].unique().to_list())["record"]
    return sorted(events["leaf"]), sorted(hashlib.sha256(each).digest() for each in records)


@pytest.mark.parametrize("anew", [False, True], ids=["as synced", "rebuilt"])
def test_the_bytes_at_a_row_s_place_are_its_own(archive, make_workspace, make_record, anew):
    """Broken, repeated and changed records before a row do not move its place."""
    workspace = make_workspace(12)
    archive.sync(workspace)
    workspace.arrive(40)
    workspace.events[20] = (workspace.events[20][0], b"broken")
    workspace.events[100] = workspace.events[30]
    at = workspace.events[8][0]
    workspace.events[8] = (at, make_record(8, at, content="rewritten"))
    archive.sync(workspace)
    if anew:
        archive.rebuild()
    leaves, found = sealed_hashes(archive)
    assert len(leaves) >= 52
    assert found == leaves


@pytest.mark.parametrize("size", [50, 2], ids=["in one page", "pages apart"])
def test_a_second_spelling_of_a_record_that_waits_to_be_sealed_is_known(
    archive, make_workspace, size
):
    """It is compared with the first one's bytes in memory; a changed one is told from it."""
    workspace = make_workspace(4, size=size)
    archive.sync(workspace)
    workspace.arrive(9)
    at, raw = workspace.events[11]
    turned = json.dumps(dict(reversed(json.loads(raw).items()))).encode()
    workspace.events[100] = (at - timedelta(minutes=60), turned)
    outcome = archive.sync(workspace)
    assert (outcome.new, outcome.changed, archive.events().height) == (9, 0, 13)


def test_records_gives_each_version_of_an_event_byte_for_byte(archive, make_workspace, make_record):
    """With the file and row that seal it; an id that is not held has no record."""
    workspace = make_workspace(8)
    archive.sync(workspace)
    at, first = workspace.events[5]
    second = make_record(5, at, content="rewritten")
    workspace.events[5] = (at, second)
    archive.sync(workspace)
    found = archive.records(["event-000005", "nobody's"])
    assert sorted(found["record"]) == sorted([first, second])
    assert found["sha256"].to_list() == [hashlib.sha256(r).hexdigest() for r in found["record"]]
    assert all((archive.path / name).is_file() for name in found["file"])


def test_records_of_damaged_evidence_are_refused(archive, make_workspace):
    """Nothing is shown as a record whose bytes are not those that were sealed."""
    archive.sync(make_workspace(8))
    (path,) = (archive.path / "evidence").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="records 1 to 8"):
        archive.records(["event-000005"])
