"""Init asks four things at most, and nothing where nobody could answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from auditlens.cli import auditlens
from auditlens.settings import load_settings


def test_without_a_terminal_the_defaults_are_taken(run, tmp_path):
    """And the file is one that every command reads."""
    done = run("init")
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path)
    assert (settings.api_url, settings.timezone) == ("https://api.secoda.co", "UTC")
    assert "auditlens.env" in (tmp_path / ".gitignore").read_text().splitlines()


@pytest.mark.skipif(os.name == "nt", reason="closes stdin as a POSIX shell does")
def test_with_stdin_closed_nothing_is_asked(tmp_path):
    """No half a prompt, no traceback."""
    command = f"exec {sys.executable} -m auditlens init <&-"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Address" not in done.stdout + done.stderr


def test_four_questions_are_asked_on_a_terminal(run, tmp_path, monkeypatch):
    """Each has a default; what a flag said is not asked."""
    asked = []

    def answer(question, default, **_):
        asked.append(question)
        return {"Reviewer (Enter: set later)": 'Ana "A" Birch'}.get(question, default)

    monkeypatch.setattr("click.prompt", answer)
    from click.testing import CliRunner

    monkeypatch.setattr("auditlens.cli.init.sys", Terminal)
    done = CliRunner().invoke(auditlens, ["init", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert len(asked) == 4
    assert load_settings(tmp_path).reviewer == 'Ana "A" Birch'


def test_a_wrong_answer_is_asked_for_again(run, tmp_path, monkeypatch):
    """What is wrong is told at once, and no other answer is lost."""
    from click.testing import CliRunner

    monkeypatch.setattr("auditlens.cli.init.sys", Terminal)
    typed = "http://x.test\nhttps://x.test\nMars\nEurope/Paris\nRita\nsometimes\ncron\n"
    done = CliRunner().invoke(auditlens, ["init", "--folder", str(tmp_path)], input=typed)
    assert done.exit_code == 0, done.output
    for told in ("Use https://", "Unknown time zone 'Mars'", "schedule 'sometimes'"):
        assert told in done.output
    settings = load_settings(tmp_path)
    assert (settings.api_url, settings.timezone) == ("https://x.test", "Europe/Paris")
    assert settings.reviewer == "Rita"
    assert (tmp_path / "auditlens.cron").is_file()


class Terminal:
    """Stands for a module with a stdin that somebody sits at, and for that stdin."""

    @staticmethod
    def isatty() -> bool:
        return True


Terminal.stdin = Terminal


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--api-url", "http://workspace.test"], "https"),
        (["--api-url", "x"], "Not an address"),
        (["--timezone", "Mars"], "Unknown time zone"),
        (["--reviewer", "a\nb"], "one line"),
    ],
)
def test_a_wrong_answer_writes_nothing(run, tmp_path, flags, told):
    """It is refused before the file is there."""
    done = run("init", *flags)
    assert told in str(done.exception)
    assert list(tmp_path.glob("*.toml")) == []


def test_settings_that_are_there_stay(run, tmp_path):
    """And the message names them."""
    (tmp_path / "auditlens.toml").write_text("# mine\n")
    done = run("init")
    assert "exists already" in str(done.exception)
    assert (tmp_path / "auditlens.toml").read_text() == "# mine\n"


def test_a_rule_and_a_journal_come_to_start_from(run, tmp_path):
    """The rule is sound, tested, off, and read beside the shipped ones; the journal is empty."""
    from auditlens.rules import load_rules, rule_roots, run_tests
    from auditlens.triage import read_journal

    done = run("init")
    assert "rules/our_night_deletion.yml" in done.stdout.splitlines()
    found = load_rules(rule_roots(load_settings(tmp_path)))
    assert len(found.rules) == len(load_rules().rules) + 1
    assert not found["our_night_deletion"].enabled
    own = load_rules(tmp_path / "rules")
    assert [one.passed for one in run_tests(own)] == [True, True, True]
    assert "1 rule, 0 problems" in run("rules", "check", "rules", "--fail-on", "note").stdout
    assert f"{len(found.rules)} rules" in run("rules", "list").stdout
    assert read_journal(tmp_path / "triage.yml").texts == {}


def test_the_exception_shown_in_the_journal_is_one(run, tmp_path):
    """Whoever takes its comment sign away has an entry that every command reads."""
    from auditlens.triage import read_journal

    run("init")
    path = tmp_path / "triage.yml"
    path.write_text(path.read_text().replace("# - {", "- {"))
    assert [one.id for one in read_journal(path).exceptions] == ["X-1"]


def test_what_is_there_is_left_alone(run, tmp_path):
    """A folder called rules that holds something else is neither filled nor read."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "linting.yml").write_text("no: rule\n")
    for name in ("triage.yml", ".gitignore"):
        (tmp_path / name).write_text("# mine\n")
    assert run("init").stdout == "auditlens.toml\n"
    assert [one.name for one in (tmp_path / "rules").iterdir()] == ["linting.yml"]
    assert (tmp_path / "triage.yml").read_text() == "# mine\n"
    assert load_settings(tmp_path).own_rules is None
    assert run("rules", "list").exit_code == 0


def test_settings_in_a_project_file_count_as_settings(run, tmp_path):
    """No second file beside them; a schedule still joins them."""
    (tmp_path / "pyproject.toml").write_text("[tool.auditlens]\nseed = 1\n")
    assert "has settings already" in str(run("init").exception)
    assert run("init", "--schedule", "cron").stdout == "auditlens.cron\n"
    assert not (tmp_path / "auditlens.toml").exists()
