"""Init asks four things at most, and nothing where nobody could answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from auditlens.settings import load_settings


def test_without_a_terminal_the_defaults_are_taken(run, tmp_path):
    """And the file is one that every command reads."""
    done = run("init")
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path, {})
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
        return {"Who reviews (Enter: say it later)": 'Ana "A" Birch'}.get(question, default)

    monkeypatch.setattr("click.prompt", answer)
    from click.testing import CliRunner

    from auditlens.cli.init import init

    monkeypatch.setattr("auditlens.cli.init.sys", Terminal)
    done = CliRunner().invoke(init, ["--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert len(asked) == 4
    assert load_settings(tmp_path, {}).reviewer == 'Ana "A" Birch'


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
        (["--timezone", "Mars"], "No time zone"),
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
