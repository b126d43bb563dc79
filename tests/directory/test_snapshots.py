"""Snapshots of the directory are sealed like evidence: whole, in order, and never changed."""

import json
from datetime import timedelta

import pytest
import zstandard

from auditlens import files as disk
from auditlens.errors import IntegrityError, LockHeld, SourceError, UsageError
from tests.directory.conftest import START


def files(archive):
    return sorted(path.name for path in (archive.path / "directory").iterdir())


def test_each_pull_adds_and_none_changes_what_was(archive, rooms, pull):
    """The bytes of the first snapshot stay while a second one names its hash."""
    first = pull(0)
    before = {path: path.read_bytes() for path in (archive.path / "directory").glob("000001*")}
    rooms.rows["users"] = rooms.rows["users"][:1]
    second = pull(1)
    assert second.snapshot.previous == first.hash
    assert all(path.read_bytes() == data for path, data in before.items())
    assert archive.verify().ok
    assert [one.users.height for one in archive.directory().pulls] == [2, 1]


def test_every_changed_byte_is_found_and_its_file_named(archive, pull):
    """One bit anywhere in the folder, at the front, middle or end of any file."""
    pull(0)
    pull(1)
    for path in sorted((archive.path / "directory").iterdir()):
        data = path.read_bytes()
        for place in {0, len(data) // 2, len(data) - 1} if data else {0}:
            bit = bytes([data[place] ^ 1]) if data else b"x"
            path.write_bytes(data[:place] + bit + data[place + 1 :])
            found = archive.verify()
            assert [one.file for one in found.problems if path.name in one.file], (path, place)
            with pytest.raises(IntegrityError, match="directory"):
                archive.directory()
        path.write_bytes(data)
    assert archive.verify().ok


@pytest.mark.parametrize("lost", ["000001.json", "000002.json", "000001-users.ndjson.zst", "head"])
def test_a_lost_file_is_found(archive, pull, lost):
    """A cut tail shows by the head, a cut middle by the chain."""
    pull(0)
    pull(1)
    (archive.path / "directory" / lost).unlink()
    assert any("directory/" in problem.file for problem in archive.verify().problems)


def test_a_stranger_in_the_folder_is_found(archive, pull):
    """A file no manifest names is not read and not silently kept."""
    pull(0)
    (archive.path / "directory" / "notes.txt").write_text("hello")
    assert [one.file for one in archive.verify().problems] == ["directory/notes.txt"]


def test_a_pull_killed_at_any_write_leaves_the_state_before(archive, rooms, pull, monkeypatch):
    """Whichever file fails, the chain is whole and the next pull goes on."""
    pull(0)
    real = disk.put
    for fatal in range(7):
        calls = []

        def failing(path, data, *, exclusive=False, calls=calls, fatal=fatal):
            if len(calls) == fatal:
                raise SourceError("the power failed")
            calls.append(path)
            real(path, data, exclusive=exclusive)

        monkeypatch.setattr("auditlens.archive.snapshots.put", failing)
        with pytest.raises(SourceError):
            pull(1)
        found = archive.verify()
        assert found.ok, found.problems
        # Only the head may lag: then the manifest stands and counts.
        assert len(archive.directory().pulls) == (2 if fatal == 6 else 1)
        monkeypatch.setattr("auditlens.archive.snapshots.put", real)
    pull(2)
    assert archive.verify().leftovers == ()
    assert len(archive.directory().pulls) == 3


def test_what_a_killed_pull_left_is_removed_by_the_next(archive, rooms, pull, monkeypatch):
    """Also the file of a listing that does not come this time."""
    pull(0)

    def failing(path, data, **how):
        disk.put(path, data, **how)
        if "tags" in path.name:
            raise SourceError("the power failed")

    monkeypatch.setattr("auditlens.archive.snapshots.put", failing)
    with pytest.raises(SourceError):
        pull(1)
    assert "directory/000002-tags.ndjson.zst" in archive.verify().leftovers
    monkeypatch.setattr("auditlens.archive.snapshots.put", disk.put)
    rooms.rows["tags"] = None
    pull(2)
    assert archive.verify().ok
    assert "000002-tags.ndjson.zst" not in files(archive)


def test_nothing_came_seals_nothing(archive, rooms, pull):
    """An empty answer and a refused one are told apart."""
    rooms.rows = dict.fromkeys(("users", "groups", "teams", "tags", "resources"))
    assert pull(0) is None
    assert not archive.path.exists()


def test_a_listing_that_did_not_come_is_that_of_the_pull_before(archive, rooms, pull):
    """A refused listing does not make everybody unknown."""
    pull(0)
    rooms.rows["users"] = None
    pull(1)
    last = archive.directory().pulls[-1]
    assert last.users.height == 2
    assert last.came == {"groups", "teams", "tags", "resources"}


def test_another_workspace_is_refused(archive, rooms, pull):
    """One archive, one workspace, for the directory too."""
    pull(0)
    rooms.name = "workspace-two"
    with pytest.raises(UsageError, match="belongs to workspace-one"):
        pull(1)


def test_a_running_writer_is_waited_for_by_nobody(archive, pull):
    """The archive's one lock holds for the directory."""
    from auditlens.files import lock

    pull(0)
    with lock(archive.path), pytest.raises(LockHeld):
        pull(1)


def test_a_record_keeps_its_bytes_whatever_they_are(archive, rooms, pull):
    """Line feeds, odd spacing and unknown fields come back as they were."""
    from auditlens.pages import Listing

    odd = b'{"id": "u-1",\n "new": [1,\n2]}'
    rooms.listings = lambda: (Listing("users", "/user", (odd, b'{"id":"u-2"}')),)
    pull(0)
    with (archive.path / "directory" / "000001-users.ndjson.zst").open("rb") as file:
        unpacked = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert unpacked.read() == odd + b'\n{"id":"u-2"}\n'
    assert archive.verify().ok
    assert archive.directory().pulls[0].users["id"].to_list() == ["u-1", "u-2"]


def test_what_is_known_can_be_asked_as_of_a_moment_and_up_to_a_seal(archive, pull):
    """A later pull changes no earlier view."""
    archive.path.mkdir()
    assert not archive.directory()
    seals = [pull(day).hash for day in (0, 5, 10)]
    whole = archive.directory()
    assert whole.at(START - timedelta(seconds=1)) is None
    assert whole.at(START + timedelta(days=7)).digest == seals[1]
    assert [one.digest for one in archive.directory(until=seals[1]).pulls] == seals[:2]
    before = archive.directory(before=START + timedelta(days=10))
    assert [one.digest for one in before.pulls] == seals[:2]
    since = archive.directory(since=START + timedelta(days=6))
    assert [one.digest for one in since.pulls] == seals[1:]
    with pytest.raises(IntegrityError):
        archive.directory(until="0" * 64)


def test_a_view_that_begins_late_still_knows_what_came_before(archive, rooms, pull):
    """A listing that did not come in the first pull read is that of an earlier one."""
    pull(0)
    rooms.rows["users"] = None
    pull(5)
    (late,) = archive.directory(since=START + timedelta(days=6)).pulls
    assert late.users.height == 2


def test_a_manifest_holds_what_was_asked_and_no_key(archive, pull):
    """A reader of the folder finds endpoint, rows and problem of each listing."""
    pull(0)
    held = json.loads((archive.path / "directory" / "000001.json").read_bytes())
    assert [(part["name"], part["segment"]["rows"]) for part in held["parts"]] == [
        ("users", 2), ("groups", 1), ("teams", 0), ("tags", 1), ("resources", 2),
    ]  # fmt: skip
