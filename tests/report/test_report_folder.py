"""The report folder: whole or absent, the same bytes again, never over someone's files."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.report import Report

NAMES = ["report.html", "cases.json", "cases.csv", "cases.parquet", "findings.json",
         "findings.csv", "findings.parquet", "rules.csv", "controls.csv", "collection.json",
         "manifest.json"]  # fmt: skip


def test_writes_its_files(make_audit, tmp_path):
    """The folder holds page, cases, findings, rules, clauses, pulls and manifest."""
    paths = Report(make_audit()).write(tmp_path / "out")
    assert [path.name for path in paths] == NAMES
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(NAMES)


def test_every_file_is_described():
    """The reference has a line for each file of a report."""
    reference = Path(__file__).parents[2] / "docs" / "reference.md"
    described = reference.read_text(encoding="utf-8").partition("## Files of a report")[2]
    assert [name for name in [*NAMES, "record.json"] if f"| `{name}` |" not in described] == []


def test_manifest_has_every_hash(make_audit, tmp_path):
    """The manifest's SHA-256 of each file is that of the bytes on disk."""
    Report(make_audit()).write(tmp_path / "out")
    listed = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["files"]
    for entry in listed:
        data = (tmp_path / "out" / entry["name"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert {entry["name"] for entry in listed} == set(NAMES) - {"manifest.json"}


def test_same_audit_same_bytes(make_audit):
    """Two reports of one audit are equal in every byte."""
    assert Report(make_audit()).files() == Report(make_audit()).files()


def test_replaces_its_own_report(make_audit, tmp_path):
    """An earlier report of ours in the folder is replaced whole."""
    Report(make_audit(3)).write(tmp_path)
    Report(make_audit(7)).write(tmp_path)
    assert pl.read_parquet(tmp_path / "findings.parquet").height == 7


def test_refuses_a_folder_with_other_files(make_audit, tmp_path):
    """A folder that holds somebody's file is left as it was."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        Report(make_audit()).write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_refuses_a_foreign_manifest(make_audit, tmp_path):
    """A manifest.json that is not ours does not make a folder ours."""
    (tmp_path / "manifest.json").write_text('{"format": "other", "files": []}')
    with pytest.raises(UsageError):
        Report(make_audit()).write(tmp_path)


def test_file_in_place_of_a_folder_is_told(make_audit, tmp_path):
    """A path that is a file gives one clear error."""
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        Report(make_audit()).write(tmp_path / "out")


def test_folder_below_a_file_is_told(make_audit, tmp_path):
    """A folder that cannot be made gives one clear error and leaves nothing."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Report(make_audit()).write(tmp_path / "file" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_old_report_stays_when_writing_fails(make_audit, tmp_path, monkeypatch):
    """A write that fails half-way leaves the earlier report whole and nothing beside it."""
    out = tmp_path / "out"
    Report(make_audit(3)).write(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    calls = []

    def failing(path, data):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr("auditlens.report.folder.write_whole", failing)
    with pytest.raises(UsageError, match="No space left"):
        Report(make_audit(7)).write(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_unknown_edition_is_told(make_audit):
    """An edition that does not exist names those that do."""
    with pytest.raises(UsageError, match="brief or full"):
        Report(make_audit(), edition="long")
