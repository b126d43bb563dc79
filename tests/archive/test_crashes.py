"""Whatever stops a run, what was sealed stays and the next run goes on from it."""

import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from auditlens import files as disk
from auditlens.archive import Archive
from auditlens.errors import AuditLensError, IntegrityError, LockHeld, SourceError, UsageError

CALLS = ("open", "write", "fsync", "close", "link", "replace", "unlink", "mkdir", "listdir")
CHILD = Path(__file__).with_name("syncing_child.py")


class FaultyOs:
    """The operating system, failing at its n-th call from the files module."""

    def __init__(self, fail_at, error, calls=CALLS):
        self.fail_at, self.error, self.calls = fail_at, error, calls
        self.count = 0

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in self.calls:
            return real

        def call(*args, **options):
            self.count += 1
            dead = isinstance(self.error, Crash) and self.count > self.fail_at
            if dead or self.count == self.fail_at:
                if name == "close":
                    real(*args, **options)
                raise self.error
            return real(*args, **options)

        return call


class Crash(BaseException):
    """The process is gone: nothing after this runs."""


@pytest.fixture
def swift():
    """A folder in memory where there is one: these tests flush thousands of files."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


@pytest.fixture
def prepared(make_workspace, swift):
    """An archive of one sync, and the workspace grown since."""
    workspace = make_workspace(25)
    archive = Archive(swift / "archive")
    archive.sync(workspace)
    workspace.arrive(12)
    return archive, workspace


def run_with_fault(archive, workspace, fault, monkeypatch):
    """Sync once with a fault; returns the error, if one came out."""
    with monkeypatch.context() as patch:
        patch.setattr(disk, "os", fault)
        try:
            archive.sync(workspace)
        except (AuditLensError, Crash) as error:
            return error
    return None


def check_recovery(archive, workspace, before):
    """Sound at once, nothing lost; whole after one more sync, nothing doubled."""
    found = archive.verify()
    assert found.ok, found.problems
    assert before <= set(archive.events()["id"])
    assert archive.sync(workspace).outcome == "complete"
    held = archive.events()
    assert set(held["id"]) == workspace.ids()
    assert held["id"].is_duplicated().sum() == 0
    assert archive.verify().ok
    assert archive.verify().leftovers == ()
    assert not [p for p in archive.path.rglob("*") if p.name.startswith(disk.TEMPORARY)]


def faults_at_every_call(prepared, monkeypatch, make_error, **options):
    """Fail at call 1, 2, 3 ... until no call is left to fail; returns the errors seen."""
    archive, workspace = prepared
    before = set(archive.events()["id"])
    errors = []
    for number in range(1, 10_000):
        copy = Archive(archive.path.with_name(f"copy-{number}"))
        shutil.copytree(archive.path, copy.path)
        fault = FaultyOs(number, make_error(), **options)
        errors.append(run_with_fault(copy, workspace, fault, monkeypatch))
        check_recovery(copy, workspace, before)
        shutil.rmtree(copy.path)
        if fault.count < number:
            return errors
    raise AssertionError("the run never came to its end")


def test_process_death_at_every_file_system_call(prepared, monkeypatch):
    """Dying at any call leaves a sound archive, and the next sync completes it."""
    errors = faults_at_every_call(prepared, monkeypatch, Crash)
    assert len(errors) > 40
    assert errors[-1] is None


def test_full_disk_at_every_write(prepared, monkeypatch):
    """A full disk is one clear error, and what was sealed before is intact."""

    def full():
        return OSError(errno.ENOSPC, "No space left on device")

    calls = ("write", "fsync", "link", "mkdir")
    errors = faults_at_every_call(prepared, monkeypatch, full, calls=calls)
    seen = [error for error in errors if error]
    assert all(isinstance(error, SourceError) for error in seen)
    assert "The disk is full" in str(seen[0])


def test_first_sync_dying_anywhere_can_be_gone_on_with(monkeypatch, make_workspace, swift):
    """Also while the folders are being made."""
    workspace = make_workspace(12)
    for number in range(1, 500):
        archive = Archive(swift / f"archive-{number}")
        fault = FaultyOs(number, Crash())
        error = run_with_fault(archive, workspace, fault, monkeypatch)
        assert archive.sync(workspace).outcome == "complete"
        assert archive.verify().ok
        assert archive.events().height == 12
        if error is None:
            return
    raise AssertionError("the run never came to its end")


def test_read_only_folder_is_a_clear_error(prepared, monkeypatch):
    """Not being allowed to write is told as that, with the folder's name."""
    archive, workspace = prepared
    fault = FaultyOs(1, PermissionError(errno.EACCES, "Permission denied"), calls=("link",))
    error = run_with_fault(archive, workspace, fault, monkeypatch)
    assert isinstance(error, UsageError)
    assert "cannot be written" in str(error)


def test_reader_without_right_to_write_still_reads(prepared, monkeypatch):
    """Without table and without the lock, events come straight from the evidence."""
    archive, _ = prepared
    before = archive.events()
    shutil.rmtree(archive.table.folder)

    def refuse(*_args, **_options):
        raise PermissionError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "put", refuse)
        patch.setattr(disk.os, "mkdir", refuse)
        assert archive.events().equals(before)


def test_zero_length_manifest_is_reported(prepared):
    """A disk that lost what it had promised is named, not read past."""
    archive, _ = prepared
    last = max((archive.path / "log").iterdir())
    last.write_bytes(b"")
    assert archive.verify().problems[0].file == f"log/{last.name}"
    with pytest.raises(IntegrityError, match=last.name):
        archive.events()


def test_second_writer_is_refused_at_once(prepared, make_workspace):
    """While one sync runs, another ends within the second, and a reader sees the last state."""
    archive, workspace = prepared
    height = archive.events().height
    seen = []

    def second(_progress):
        if seen:
            return
        started = time.monotonic()
        with pytest.raises(LockHeld):
            Archive(archive.path).sync(workspace)
        seen.append(time.monotonic() - started)
        assert Archive(archive.path).events().height >= height

    archive.sync(workspace, progress=second)
    assert seen[0] < 1.0


def start_child(folder, seed):
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_at_random(folder, kills, seed):
    """Kill a syncing process again and again at random moments, checking after each."""
    chance = random.Random(seed)
    archive = Archive(folder)
    held = set()
    for number in range(kills):
        with start_child(folder, number) as child:
            assert child.stdout.readline() == "ready\n"
            time.sleep(chance.random() * 0.4)
            child.kill()
        found = archive.verify()
        assert found.ok, found.problems
        now = archive.events()
        assert held <= set(now["id"])
        assert now["id"].is_duplicated().sum() == 0
        held = set(now["id"])
    return archive


def killed_and_completed(tmp_path, kills, seed, make_workspace):
    archive = kill_at_random(tmp_path / "archive", kills, seed)
    workspace = make_workspace(600 + 40 * kills, size=20)
    assert archive.sync(workspace).outcome == "complete"
    assert set(archive.events()["id"]) == workspace.ids()


def test_killed_runs_lose_and_double_nothing(tmp_path, make_workspace):
    """kill -9 at random moments of sync, then resume."""
    killed_and_completed(tmp_path, 12, 1, make_workspace)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_hundred_killed_runs_lose_and_double_nothing(tmp_path, make_workspace):
    """The same, a hundred times."""
    killed_and_completed(tmp_path, 100, 2, make_workspace)


def test_racing_writers_leave_one_sound_archive(tmp_path):
    """Two processes that sync at once: one may be refused, nothing is doubled."""
    folder = tmp_path / "archive"
    with start_child(folder, 3) as one, start_child(folder, 3) as two:
        said = one.communicate()[0] + two.communicate()[0]
    assert "complete" in said
    archive = Archive(folder)
    assert archive.verify().ok
    assert archive.events()["id"].is_duplicated().sum() == 0
