"""Every command explains itself, quickly and without loading what it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from auditlens.cli.commands import COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(run, name):
    """Help names the command's purpose and its options."""
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "--help" in done.output


def test_the_list_of_commands_is_complete(run):
    """The first screen lists every command and the exit codes."""
    shown = run("--help").output
    assert all(name in shown for name in COMMANDS)
    assert "5 integrity failure" in " ".join(shown.split())


def test_errors_have_no_traceback_and_the_right_code():
    """As a process: one line on stderr, nothing on stdout, exit code 2."""
    command = [sys.executable, "-m", "auditlens", "check", "missing.ndjson", "--period", "2026-06"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("auditlens: ")
    assert len(done.stderr.splitlines()) == 1
