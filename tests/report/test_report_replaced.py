"""A draft is replaced by the draft of the same month and archive, and by no other unasked."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace

import pytest

from auditlens.errors import IntegrityError, UsageError
from auditlens.report import MANIFEST, Report, manifest_bytes, write_folder

HEADS = {"one": "a" * 64, "other": "b" * 64, "files": ""}


def files(period: str, head: str) -> dict[str, bytes]:
    """The least a report folder can hold."""
    page = {"report.html": f"{period} {head}".encode()}
    return {**page, MANIFEST: manifest_bytes(page, {"period": period, "archive_head": head})}


@pytest.mark.parametrize(
    ("held", "now", "told"),
    [
        (("2026-09", "one"), ("2026-10", "one"), "the report of 2026-09"),
        (("2026-10", "one"), ("2026-11", "one"), "the report of 2026-10"),
        (("2026-10", "other"), ("2026-10", "one"), "made from another archive"),
        (("2026-09", "other"), ("2026-10", "one"), "2026-09, made from another archive"),
        (("2026-10", "files"), ("2026-10", "one"), "made from files"),
        (("2026-10", "one"), ("2026-10", "files"), "made from another archive"),
        (("2026-10-01..2026-10-07", "one"), ("2026-10", "one"), "2026-10-01..2026-10-07"),
    ],
)
def test_another_report_stays_until_replace_is_said(tmp_path, held, now, told):
    """Another month, another archive, files instead of one: told what stands there, unharmed."""
    out = tmp_path / "out"
    write_folder(out, files(held[0], HEADS[held[1]]))
    before = (out / "report.html").read_bytes()
    with pytest.raises(UsageError, match=told) as refused:
        write_folder(out, files(now[0], HEADS[now[1]]))
    assert "--replace" in str(refused.value)
    assert (out / "report.html").read_bytes() == before
    write_folder(out, files(now[0], HEADS[now[1]]), replace=True)
    assert (out / "report.html").read_bytes() != before


@pytest.mark.parametrize("held", ["one", "files"])
def test_a_later_draft_of_the_same_month_and_archive_replaces_it(tmp_path, held):
    """The archive has grown since: its chain still holds the head of the earlier draft."""
    write_folder(tmp_path / "out", files("2026-10", HEADS[held]))
    now = HEADS["other"] if held == "one" else ""
    write_folder(tmp_path / "out", files("2026-10", now), heads=lambda: set(HEADS.values()))
    assert json.loads((tmp_path / "out" / MANIFEST).read_bytes())["archive_head"] == now


def test_the_python_door_asks_too(make_audit, tmp_path):
    """Report.write has the same manners as the command."""
    audit, other = make_audit(3), make_audit(3)
    Report(audit).write(tmp_path / "out")
    other.coverage = replace(other.coverage, head="c" * 64)
    with pytest.raises(UsageError, match="--replace"):
        Report(other).write(tmp_path / "out")
    Report(other).write(tmp_path / "out", replace=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_report_is_for_its_owner_alone(make_audit, tmp_path):
    """Folders 0700 with those above that were made for it, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        paths = Report(make_audit()).write(tmp_path / "year" / "2026-10")
    finally:
        os.umask(before)
    for folder in (tmp_path / "year", tmp_path / "year" / "2026-10"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_a_link_in_place_of_a_report_is_not_followed(make_audit, tmp_path):
    """Neither the folder nor its manifest may be one."""
    Report(make_audit()).write(tmp_path / "real")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="symbolic link"):
        Report(make_audit()).write(tmp_path / "out")
    (tmp_path / "real" / MANIFEST).rename(tmp_path / "elsewhere.json")
    (tmp_path / "real" / MANIFEST).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(IntegrityError, match="symbolic link"):
        Report(make_audit()).write(tmp_path / "real")
