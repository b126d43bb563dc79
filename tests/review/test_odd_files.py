"""A pipe, device, folder, link or huge file in place of any file of ours: told at once."""

from __future__ import annotations

import os
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlens.archive import Archive
from auditlens.cli import auditlens
from auditlens.errors import AuditLensError
from auditlens.files import lock

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such files"),
    pytest.mark.timeout(30),
]

DATA = Path(__file__).parent / "data" / "month-signed-by-0.1.zip"
SPARSE = 200 << 30


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, SPARSE)


KINDS = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "dangling": lambda path: path.symlink_to("/nowhere/at/all"),
    "huge": huge,
}
FILES = [
    "archive/head", "archive/lock", "archive/log/000001.json", "archive/log",
    "archive/evidence/*.zst", "archive/evidence", "archive/table/index.json",
    "archive/table/2026-05/*.parquet", "archive/table/2026-05", "archive/directory/000001.json",
    "archive/directory/head", "archive/directory/*.zst", "archive/directory",
    "signed/2026-05.json", "signed/2026-05.findings.json", "signed/2026-05.json.sig",
    "signed/lock", "signed",
]  # fmt: skip
OF_THE_REPORT = ["out/manifest.json", "out/record.json", "out/seal.json", "out/report.html",
                 "out/findings.parquet", "out/seal.json.ed25519", "triage.yml"]  # fmt: skip
COMMANDS = {
    "status": ["status"],
    "check": ["check", "--period", "2026-05", "-q"],
    "report": ["report", "--period", "2026-05", "--out", "new", "-q"],
    "triage": ["triage", "--period", "2026-05"],
    "sync": ["sync", "-q"],
    "sign-off": ["sign-off", "--period", "2026-05", "--reviewer", "Rita", "--despite", "x",
                 "--amend", "y", "--out", "new", "-q"],
    "verify": ["verify", "-q"],
    "verify --report": ["verify", "--report", "out", "-q"],
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    with zipfile.ZipFile(DATA) as packed:
        packed.extractall(folder)
    archive = Archive(folder / "archive")
    with lock(archive.path):
        archive.cover(datetime(2026, 7, 1, tzinfo=UTC))
    archive.events()
    (folder / "signed" / "lock").touch()
    return folder


@pytest.fixture
def place(kept, tmp_path, monkeypatch):
    for name, value in {"SECODA_API_URL": "http://127.0.0.1:9", "AUDITLENS_RETRY_BUDGET": "0",
                        "SECODA_API_KEY": "a-key-of-nobody", "AUDITLENS_RULES": "rules",
                        "SOURCE_DATE_EPOCH": "1790000000"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    shutil.copytree(kept, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def replaced(place: Path, file: str, kind: str) -> Path:
    (path, *_) = sorted(place.glob(file))
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    KINDS[kind](path)
    return path


def code(*command: str) -> int:
    """Exit code of a command; anything but an error of ours is a failure."""
    done = CliRunner().invoke(auditlens, command)
    if isinstance(done.exception, AuditLensError):
        return done.exception.exit_code
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code


@pytest.mark.parametrize("kind", ["pipe", "huge"])
@pytest.mark.parametrize("file", FILES)
def test_verify_names_what_is_no_file(place, file, kind):
    """Exit 5 (2 for what a person named), at once."""
    replaced(place, file, kind)
    assert code("verify", "-q") in (2, 5)


@pytest.mark.parametrize("file", OF_THE_REPORT)
def test_a_report_with_what_is_no_file_does_not_hold(place, file):
    """The same of a report's folder and of the journal."""
    replaced(place, file, "pipe")
    assert code("verify", "--report", "out", "-q") in (2, 5)


@pytest.mark.parametrize("file", ["archive/log", "archive/directory", "archive/evidence", "signed"])
@pytest.mark.parametrize("command", ["verify", "status", "check"])
def test_no_link_is_followed_in_an_archive(place, file, command):
    """A folder moved away and linked to is not that of the archive."""
    (place / file).rename(place / "elsewhere")
    (place / file).symlink_to(place / "elsewhere")
    expected = (2, 5) if command != "status" or file != "signed" else (0,)
    assert code(*COMMANDS[command]) in expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES + OF_THE_REPORT)
def test_no_command_hangs_or_falls(place, kept, tmp_path, monkeypatch, file, kind):
    """Each command ends at once: with 5 or 2, or as ever where it does not need the file."""
    for number, (name, command) in enumerate(COMMANDS.items()):
        again = tmp_path / str(number)
        shutil.copytree(kept, again)
        monkeypatch.chdir(again)
        replaced(again, file, kind)
        ended = code(*command)
        wanted = name == "verify --report" or (name == "verify" and file in FILES)
        if wanted and not (kind == "folder" and file == "archive/table/2026-05"):
            assert ended in (2, 5), name
        assert ended != 70, name
