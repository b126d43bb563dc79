"""An archive that somebody sealed anew, hashes and all, still disagrees with its own records.

Every chain here is whole and its head fits: only what a manifest says of its records is wrong.
"""

import json
from datetime import UTC, datetime

import pytest

from auditlens.archive import Archive
from auditlens.pages import Listing
from tests.archive.sealing import seal_anew


@pytest.fixture
def archive(tmp_path, make_workspace) -> Archive:
    found = Archive(tmp_path / "archive")
    found.sync(make_workspace(60))
    return found


def test_sealing_anew_without_a_change_is_no_fault(archive):
    """The forger of these tests leaves nothing wrong but what a test asks for."""
    head = seal_anew(archive.path / "log", lambda _: None)
    assert (archive.path / "head").read_bytes() == head
    assert archive.verify().ok


@pytest.mark.parametrize(
    ("field", "text"),
    [("sha256", "not those that were sealed"), ("root", "do not lead to the sealed root")],
)
def test_a_segment_whose_hash_or_root_is_another_is_found(archive, field, text):
    """The hash of the whole file and the root of the tree are each held against the records."""

    def change(manifest):
        if manifest.get("segment"):
            manifest["segment"][field] = "ab" * 32

    (archive.path / "head").write_bytes(seal_anew(archive.path / "log", change))
    found = archive.verify().problems
    assert any(one.file.startswith("evidence/") and text in one.text for one in found)


def test_a_file_that_is_none_of_the_archives_is_found(archive):
    """What stands beside the chain, the evidence and the table is named."""
    (archive.path / "notes.txt").write_text("mine")
    assert [one.file for one in archive.verify().problems] == ["notes.txt"]


class Directory:
    """A directory of one user, whose name is the number of the pull."""

    name = "workspace-one"
    pulls = 0

    def listings(self):
        self.pulls += 1
        record = json.dumps({"id": "u-1", "name": str(self.pulls)}).encode()
        return (Listing("users", "/users", (record,), None, ""),)


@pytest.fixture
def with_directory(archive) -> Archive:
    directory = Directory()
    for day in (1, 2, 3):
        archive.pull_directory(directory, now=lambda day=day: datetime(2026, 10, day, tzinfo=UTC))
    return archive


@pytest.mark.parametrize("field", ["sha256", "root"])
def test_a_listing_whose_hash_or_root_is_another_is_found(with_directory, field):
    """A snapshot's parts are held against their records as a segment is."""

    def change(manifest):
        for part in manifest["parts"]:
            if part["segment"]:
                part["segment"][field] = "ab" * 32

    place = with_directory.path / "directory"
    (place / "head").write_bytes(seal_anew(place, change))
    found = with_directory.verify().problems
    assert any("not those that were sealed" in one.text for one in found), found


def test_snapshots_in_another_order_are_found(with_directory):
    """Two snapshots that changed places break the order, with every byte of both as sealed."""
    place = with_directory.path / "directory"
    second, third = (place / f"{number:06d}.json" for number in (2, 3))
    kept = second.read_bytes()
    second.write_bytes(third.read_bytes())
    third.write_bytes(kept)
    found = {one.file: one.text for one in with_directory.verify().problems}
    assert found["directory/000002.json"] == "does not follow the snapshot before it"
