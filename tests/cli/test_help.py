"""Every command explains itself, quickly and without loading what it does not need."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from auditlens.cli import auditlens


@pytest.mark.parametrize("name", sorted(auditlens.list_commands(None)))
def test_every_command_has_help(run, name):
    """Help names the command's purpose and its options."""
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "--help" in done.output


def test_the_list_of_commands_is_complete(run):
    """The first screen lists every command and the exit codes."""
    shown = run("--help").output
    assert all(name in shown for name in auditlens.list_commands(None))
    assert "5 integrity failure" in " ".join(shown.split())


def test_errors_have_no_traceback_and_the_right_code():
    """As a process: one line on stderr, nothing on stdout, exit code 2."""
    command = [sys.executable, "-m", "auditlens", "check", "missing.ndjson", "--period", "2026-06"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("auditlens: ")
    assert len(done.stderr.splitlines()) == 1


def every_command(command: click.Command = auditlens, path: str = "auditlens") -> Iterator[tuple]:
    """Path and command of the group, of each command and each subcommand."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), f"{path} {name}")


EVERY = dict(every_command())


@pytest.mark.parametrize("path", EVERY)
def test_help_begins_with_examples_that_can_be_typed(run, path):
    """After the first sentence, before any option; each is a command line that would be taken."""
    told = run(*path.split()[1:], "--help").output
    shown = re.findall(r"^ +(auditlens .*)$", told.partition("Options:")[0], re.MULTILINE)
    assert told.index("Examples:") < told.index("Options:")
    assert shown
    for line in shown:
        words = shlex.split(line.partition(" >")[0].partition("   ")[0])
        name = max((one for one in EVERY if f"{' '.join(words)} ".startswith(f"{one} ")), key=len)
        assert name.startswith(path)
        EVERY[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize(
    ("flags", "variable", "plain"), [([], "", False), (["--no-color"], "", True), ([], "1", True)]
)
def test_no_color_is_heard_by_flag_and_variable(
    run, log_file, terminal, monkeypatch, flags, variable, plain
):
    """By whatever writes to the terminal."""
    terminal(160, "xterm")
    monkeypatch.setenv("NO_COLOR", variable)
    shown = run(*flags, "check", log_file, "--period", "2020-01").output
    assert "\x1b[" in shown
    assert ("\x1b[32m" in shown) is not plain
