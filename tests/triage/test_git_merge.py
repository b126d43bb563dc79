"""Two people add lines on two branches; git joins them without a conflict."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from auditlens.triage import add_entry, read_journal

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def entry(finding: str, by: str) -> dict[str, str]:
    return {"finding": finding, "as": "benign", "by": by, "reason": f"seen by {by}",
            "at": "2026-11-02T09:00:00Z"}  # fmt: skip


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Decide")


@pytest.mark.parametrize("started", [True, False])
def test_additions_on_two_branches_merge(tmp_path: Path, started: bool):
    """Whether the journal was there before or both made it; every line arrives, each once."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "readme").write_text("x\n")
    path = tmp_path / "triage.yml"
    if started:
        add_entry(path, entry("F-AAAAAAAAAA", "ana"))
    else:
        (tmp_path / ".gitattributes").write_text("triage.yml merge=union\n")
    commit(tmp_path)
    git(tmp_path, "switch", "-q", "-c", "bo")
    for name in ("F-BBBBBBBBBB", "F-CCCCCCCCCC"):
        add_entry(path, entry(name, "bo"))
    commit(tmp_path)
    git(tmp_path, "switch", "-q", "main")
    for name in ("F-DDDDDDDDDD", "F-CCCCCCCCCC"):
        add_entry(path, entry(name, "ana"))
    commit(tmp_path)
    git(tmp_path, "merge", "-q", "--no-edit", "bo")
    journal = read_journal(path)
    assert len(journal.history("F-CCCCCCCCCC")) == 2
    assert {one.finding[2] for one in journal.dispositions} >= set("BCD")
    assert "merge: union" in git(tmp_path, "check-attr", "merge", "triage.yml")


def test_the_attribute_is_written_once(tmp_path: Path):
    """Beside what else stands in .gitattributes."""
    git(tmp_path, "init", "-q", "-b", "main")
    attributes = tmp_path / ".gitattributes"
    attributes.write_text("*.png binary")
    for name in ("F-AAAAAAAAAA", "F-BBBBBBBBBB"):
        add_entry(tmp_path / "triage.yml", entry(name, "ana"))
    assert attributes.read_text() == "*.png binary\ntriage.yml merge=union\n"


def test_outside_git_nothing_else_is_written(tmp_path: Path):
    """A folder that is no work tree gets its journal and no more."""
    add_entry(tmp_path / "triage.yml", entry("F-AAAAAAAAAA", "ana"))
    assert [one.name for one in tmp_path.iterdir()] == ["triage.yml"]
