"""A month that version 0.1 signed stays verifiable; its archive is upgraded by what comes next.

``data/month-signed-by-0.1.zip`` was made by 0.1.0: archive with a directory, rules, journal,
report folder and the seal of May 2026 with an Ed25519 and an SSH signature.
"""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlens.archive import Archive
from auditlens.cli import auditlens
from auditlens.files import lock

DATA = Path(__file__).parent / "data" / "month-signed-by-0.1.zip"
HEAD = "a0f698e64a2128a9079829aa9b1d9c8ba48dd820f3ebe4b39489f0210f3b5908"
LATER = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def month(tmp_path, monkeypatch):
    """The month as 0.1 left it, and the working folder."""
    with zipfile.ZipFile(DATA) as packed:
        packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def upgraded(month):
    """The same after the first write of this version."""
    archive = Archive("archive")
    with lock(archive.path):
        archive.cover(LATER)
    return month


def verify(*arguments: str):
    return CliRunner().invoke(auditlens, ["verify", "-q", "--archive", "archive", *arguments])


def test_its_sealed_bytes_are_intact_and_its_page_is_not_drawn_anew(month):
    """The seal binds the bytes; another version promises neither the same page nor findings."""
    done = verify("--report", "out", "--rules", "rules")
    assert done.exit_code == 0, done.output
    assert "sealed bytes intact" in done.stdout
    assert "page made by auditlens 0.1.0, not re-drawn by this version" in done.stdout
    assert "2 of its 2 findings are found again" in done.stderr


@pytest.mark.parametrize("file", ["report.html", "findings.json", "record.json", "seal.json",
                                  "manifest.json", "rules.csv", "seal.json.ed25519"])  # fmt: skip
def test_an_edit_of_it_is_still_found(month, file):
    """Page, data, record, seal or signature."""
    path = month / "out" / file
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    done = verify("--report", "out", "--rules", "rules")
    assert done.exit_code == 5
    assert file in done.stderr


def test_a_draft_of_another_version_is_not_called_good(month):
    """Nothing seals it, and this version cannot draw it: not judged, exit 3."""
    for name in ("seal.json", "seal.json.sig", "seal.json.ed25519"):
        (month / "out" / name).unlink()
    record = json.loads((month / "out" / "record.json").read_bytes())
    record["making"] |= {"reviewer": "", "signed_at": None}
    from auditlens.review import with_record
    from auditlens.seals import canonical

    files = {one.name: one.read_bytes() for one in (month / "out").iterdir()}
    listed = json.loads(files["manifest.json"])
    listed["files"] = [one for one in listed["files"] if one["name"] != "record.json"]
    files["manifest.json"] = json.dumps(listed).encode()
    for name, data in with_record(files, canonical(record)).items():
        (month / "out" / name).write_bytes(data)
    done = verify("--report", "out", "--rules", "rules")
    assert done.exit_code == 3, done.output
    assert "not judged" in done.stdout


def test_an_archive_of_0_1_says_what_its_head_covers(month):
    """Before anything is written: the log alone."""
    done = verify("--against", HEAD)
    assert done.exit_code == 0
    assert "intact: 634 records, 1 snapshots of the directory, 1 sign-offs" in done.stdout
    assert "covers the log alone" in done.stderr


def test_the_first_write_seals_directory_and_sign_offs(upgraded):
    """The head of 0.1 stays valid, and verify says from when the one head covers all."""
    archive = Archive("archive")
    assert archive.head != HEAD
    done = verify("--against", HEAD)
    assert done.exit_code == 0
    assert "sealed by auditlens 0.1.0 and covers the log alone" in done.stderr
    assert "since 2026-07-01 00:00 UTC (manifest 3)" in done.stderr
    assert verify("--against", archive.head).exit_code == 0
    assert verify("--report", "out", "--rules", "rules").exit_code == 0


@pytest.mark.parametrize(
    "file",
    [
        "archive/directory/000001.json",
        "archive/directory/head",
        "signed/2026-05.json",
        "signed/2026-05.findings.json",
    ],
)
def test_after_that_a_removed_file_is_missed(upgraded, file):
    """Of the directory and of the sign-offs."""
    (upgraded / file).unlink()
    if file.endswith("head"):
        (upgraded / file).write_text("1 " + "0" * 64 + "\n")
    done = verify()
    assert done.exit_code == 5
    assert Path(file).name in done.stderr
