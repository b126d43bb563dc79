"""When the power goes, only what was flushed is sure to be there; the rest may be torn or gone.

A run's file-system calls are recorded. A disk after a power cut at some call is then made up by
the rules: a file's bytes are sure after its fsync, a folder's entries after the folder's; all
else may have reached the disk or not, in any order, and a file may be cut short or hold zeros.
"""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from auditlens import files as disk
from auditlens.archive import Archive


class RecordingOs:
    """The operating system, noting every call that changes the disk."""

    def __init__(self):
        self.calls = []
        self.paths = {}

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, flags, mode=0o777):
        number = os.open(path, flags, mode)
        self.paths[number] = str(path)
        if flags & os.O_CREAT:
            self.calls.append(("create", str(path)))
        return number

    def write(self, number, data):
        self.calls.append(("write", self.paths[number], bytes(data)))
        return os.write(number, data)

    def fsync(self, number):
        os.fsync(number)
        self.calls.append(("fsync", self.paths[number]))

    def link(self, source, target):
        os.link(source, target)
        self.calls.append(("link", str(source), str(target)))

    def replace(self, source, target):
        os.replace(source, target)  # noqa: PTH105
        self.calls.append(("replace", str(source), str(target)))

    def unlink(self, path):
        os.unlink(path)  # noqa: PTH108
        self.calls.append(("unlink", str(path)))

    def mkdir(self, path, mode=0o777):
        os.mkdir(path, mode)  # noqa: PTH102
        self.calls.append(("mkdir", str(path)))


class Disk:
    """A disk that keeps apart what is sure and what is not."""

    def __init__(self, root):
        self.files = {}  # number -> [bytes, bytes that are sure]
        self.entries = {}  # path -> number, or None for a folder: as a running system sees it
        self.sure = {}  # the same: as it is after a power cut, at least
        self.waiting = {}  # folder -> changes of its entries that are not flushed
        for path in sorted(root.rglob("*")):
            number = None if path.is_dir() else self.add(path.read_bytes(), sure=True)
            self.entries[str(path)] = self.sure[str(path)] = number

    def add(self, data, *, sure):
        self.files[len(self.files)] = [data, data if sure else None]
        return len(self.files) - 1

    def change(self, path, number, *, gone=False):
        if gone:
            self.entries.pop(path)
        else:
            self.entries[path] = number
        self.waiting.setdefault(os.path.dirname(path), []).append((path, number, gone))  # noqa: PTH120

    def play(self, call):
        kind, path, *rest = call
        if kind == "create":
            self.change(path, self.add(b"", sure=False))
        elif kind == "write":
            self.files[self.entries[path]][0] += rest[0]
        elif kind == "fsync" and self.entries.get(path) is not None:
            file = self.files[self.entries[path]]
            file[1] = file[0]
        elif kind == "fsync":
            for entry in self.waiting.pop(path, []):
                self.settle(*entry)
        elif kind == "link":
            self.change(rest[0], self.entries[path])
        elif kind == "replace":
            self.change(rest[0], self.entries[path])
            self.change(path, None, gone=True)
        elif kind == "unlink":
            self.change(path, None, gone=True)
        elif kind == "mkdir":
            self.change(path, None)

    def settle(self, path, number, gone):
        if gone:
            self.sure.pop(path, None)
        else:
            self.sure[path] = number

    def cut(self, chance, old, new):
        """Write the disk as it may be found after a power cut."""
        for entries in self.waiting.values():
            for entry in entries:
                if chance.random() < 0.5:
                    self.settle(*entry)
        for path in sorted(self.sure):
            place = Path(path.replace(str(old), str(new), 1))
            number = self.sure[path]
            if number is None:
                place.mkdir(exist_ok=True)
            elif place.parent.is_dir():
                place.write_bytes(self.content(number, chance))

    def content(self, number, chance):
        data, sure = self.files[number]
        if sure is not None:
            return sure
        torn = data[: chance.randrange(len(data) + 1)]
        return chance.choice([data, b"", torn, bytes(len(data))])


@pytest.fixture
def recorded(make_workspace, monkeypatch):
    """A folder with an archive, its calls during one more sync, and the workspace."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shm) as name:
        folder = Path(name) / "archive"
        workspace = make_workspace(15)
        Archive(folder).sync(workspace)
        shutil.copytree(folder, folder.with_name("before"))
        workspace.arrive(12)
        recorder = RecordingOs()
        with monkeypatch.context() as patch:
            patch.setattr(disk, "os", recorder)
            Archive(folder).sync(workspace)
        yield folder, recorder.calls, workspace


def cut_and_check(recorded, runs, seed):
    folder, calls, workspace = recorded
    chance = random.Random(seed)
    for number in range(runs):
        moment = number % (len(calls) + 1) if runs > len(calls) else chance.randrange(len(calls))
        found = folder.with_name(f"found-{number}")
        shutil.copytree(folder.with_name("before"), found)
        remains = Disk(folder.with_name("before"))
        before, after = str(folder.with_name("before")), str(folder)
        for call in calls[:moment]:
            remains.play([str(part).replace(after, before, 1) if isinstance(part, str) else part
                          for part in call])  # fmt: skip
        shutil.rmtree(found)
        found.mkdir()
        remains.cut(chance, before, found)
        check(Archive(found), workspace, f"seed {seed}, run {number}, call {moment}")
        shutil.rmtree(found)


def check(archive, workspace, where):
    problems = archive.verify().problems
    assert not problems, (where, problems)
    assert archive.events().height >= 15, where
    assert archive.sync(workspace).outcome == "complete", where
    assert set(archive.events()["id"]) == workspace.ids(), where
    assert archive.verify().ok, where


def test_power_cut_at_any_call_loses_nothing_sealed(recorded):
    """One cut after each call of a sync, with unflushed changes kept, lost or torn by chance."""
    calls = recorded[1]
    assert len(calls) > 30
    cut_and_check(recorded, len(calls) + 1, 1)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_ten_thousand_power_cuts(recorded):
    """The same, many times over."""
    cut_and_check(recorded, 10_000, 2)
