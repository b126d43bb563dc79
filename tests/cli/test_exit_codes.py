"""How the program ends when something unexpected happens: a fault of ours, a pipe, a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from auditlens.cli import main

POSIX = pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
HARMFUL = "ana@example.org deleted it"


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["auditlens", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def raising(error: BaseException):
    """A function that raises ``error`` whatever it is given."""

    def broken(*_, **__):
        raise error

    return broken


def endless(*_, **__):
    """Recurse until Python gives up."""
    return endless()


FAULTS = {
    "ValueError": raising(ValueError(HARMFUL)),
    "KeyError": raising(KeyError(HARMFUL)),
    "AssertionError": raising(AssertionError(HARMFUL)),
    "MemoryError": raising(MemoryError(HARMFUL)),
    "RecursionError": endless,
    "EOFError": raising(EOFError(HARMFUL)),
    "OSError": raising(OSError(28, HARMFUL)),
    "ComputeError": raising(pl.exceptions.ComputeError(HARMFUL)),
    "PanicException": raising(pl.exceptions.PanicException(HARMFUL)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_our_own_exits_70_with_its_place_and_no_value(
    monkeypatch, tmp_path, capsys, name
):
    """One line with type, place and where to report; nothing that the error says itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("auditlens.cli.options.load_settings", FAULTS[name])
    assert ended(monkeypatch, "status") == 70
    out, told = capsys.readouterr()
    told = told.lstrip()  # click ends the line of a prompt
    assert out == ""
    assert told.startswith(f"auditlens: A fault of AuditLens itself: {name} at auditlens/cli/")
    assert len(told.splitlines()) == 1
    assert "AUDITLENS_TRACEBACK=1" in told
    assert "[AL-70]" in told
    assert HARMFUL not in told


def test_the_whole_traceback_comes_when_it_is_asked_for(monkeypatch, tmp_path, capsys):
    """With the variable that the message names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITLENS_TRACEBACK", "1")
    monkeypatch.setattr("auditlens.cli.options.load_settings", FAULTS["ValueError"])
    assert ended(monkeypatch, "status") == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert f"ValueError: {HARMFUL}" in told
    assert "nknown setting" not in told


@pytest.mark.parametrize("where", ["load_settings", "replace"])
def test_an_interrupt_exits_130(monkeypatch, tmp_path, capsys, where):
    """At whatever moment it comes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"auditlens.cli.options.{where}", raising(KeyboardInterrupt()))
    assert ended(monkeypatch, "status") == 130
    assert capsys.readouterr().err.split() == ["auditlens:", "interrupted", "[AL-130]"]


def test_an_interrupt_while_modules_load_exits_130(tmp_path):
    """Not even then is there a traceback."""
    code = (
        "import sys, builtins\n"
        "held = builtins.__import__\n"
        "def load(name, *more):\n"
        "    if name == 'click': raise KeyboardInterrupt\n"
        "    return held(name, *more)\n"
        "builtins.__import__ = load\n"
        "from auditlens.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("arguments", [[], ["rules"], ["config"]])
def test_a_command_that_needs_another_prints_its_help(monkeypatch, capsys, arguments):
    """On standard output: nothing went wrong."""
    assert ended(monkeypatch, *arguments) == 0
    out, told = capsys.readouterr()
    assert out.startswith("Usage: ")
    assert told == ""


@pytest.mark.parametrize("arguments", [["--bad"], ["chek"], ["status", "--bad"], ["rules", "x"]])
def test_a_wrong_command_line_stays_2(monkeypatch, capsys, arguments):
    """With how it would be right."""
    assert ended(monkeypatch, *arguments) == 2
    assert "[AL-201]" in capsys.readouterr().err


SHOWING = [
    ["--version"],
    ["--help"],
    [],
    ["check", "--help"],
    ["completion", "bash"],
    ["config", "show"],
    ["config", "show", "--json"],
    ["rules", "list"],
]


def started(arguments: list[str], folder: Path, unbuffered: str, **streams) -> tuple[int, str]:
    """Exit code and messages of a command of its own process."""
    environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        [sys.executable, "-m", "auditlens", *arguments],
        cwd=folder, env=environ, check=False, stdin=subprocess.DEVNULL,
        **{"stderr": subprocess.PIPE, **streams},
    )  # fmt: skip
    return done.returncode, (done.stderr or b"").decode()


@POSIX
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", SHOWING, ids=" ".join)
def test_a_broken_pipe_exits_141_and_says_nothing(tmp_path, arguments, unbuffered):
    """As ``auditlens … | head -0`` has it, whether it is written at once or at the end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert started(arguments, tmp_path, unbuffered, stdout=writer) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--version"], ["rules"], ["config", "show"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_said(tmp_path, arguments, unbuffered):
    """One sentence and exit code 2."""
    with Path("/dev/full").open("w") as full:
        code, told = started(arguments, tmp_path, unbuffered, stdout=full)
    assert code == 2
    assert told.startswith("auditlens: The output could not be written (No space left")
    assert len(told.splitlines()) == 1


@POSIX
@pytest.mark.parametrize(
    ("closing", "code"), [("<&-", 0), (">&-", 2), ("2>&-", 0), (">&- 2>&-", 2), ("2>/dev/full", 0)]
)
def test_a_closed_stream_is_no_traceback(tmp_path, closing, code):
    """Without a place for its output a command does not even begin."""
    command = f"exec {sys.executable} -m auditlens config show {closing}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@POSIX
@pytest.mark.parametrize("closing", ["2>&-", "2>/dev/full"])
def test_an_error_keeps_its_code_when_nobody_can_read_it(tmp_path, closing):
    """A lost message changes nothing."""
    command = f"exec {sys.executable} -m auditlens rules show nothing {closing}"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=False)
    assert done.returncode == 2
