"""A shell that loads the script completes commands and options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_its_script(run, shell, tmp_path):
    """Checked by the shell itself where it is installed."""
    done = run("completion", shell)
    assert done.exit_code == 0
    assert "_AUDITLENS_COMPLETE" in done.stdout
    assert f"{shell}_complete" in done.stdout
    if shell != "powershell" and (program := shutil.which(shell)):
        script = tmp_path / "script"
        script.write_text(done.stdout)
        checked = subprocess.run([program, "-n", str(script)], capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(not shutil.which("bash"), reason="asks a real bash")
@pytest.mark.parametrize(
    ("line", "offered"), [("auditlens doc", "doctor"), ("auditlens sync --arch", "--archive")]
)
def test_bash_completes_with_it(run, tmp_path, line, offered):
    """The function that the script defines, called as bash calls it."""
    script = tmp_path / "script"
    script.write_text(run("completion", "bash").stdout)
    program = tmp_path / "auditlens"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom auditlens.cli import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    words = line.split()
    asked = (
        f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        'COMP_LINE="$_line"; _auditlens_completion auditlens; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        ["bash", "-c", asked], capture_output=True, text=True, check=True,
        env=os.environ | {"PATH": path, "PYTHONPATH": root},
    )  # fmt: skip
    assert offered in done.stdout.split()


def asked_by_powershell(*words: str, word: str = "") -> list[str]:
    """What the program answers to the words and the word that PowerShell's script hands over."""
    told = {"_AUDITLENS_COMPLETE": "powershell_complete", "_COMPLETE_WORDS": "\n".join(words),
            "_COMPLETE_WORD": word}  # fmt: skip
    code = "import sys; sys.argv[0] = 'auditlens'; from auditlens.cli import main; main()"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | told | {"PYTHONPATH": root},
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "word", "offered"),
    [
        (("auditlens", "doc"), "doc", "doctor\tCheck API key, connection,"),
        (("auditlens",), "", "check\t"),
        (("auditlens", "rules", "ba"), "ba", "backtest\t"),
        (("auditlens", "sync", "--arch"), "--arch", "--archive\t"),
        (("auditlens", "completion", "'po"), "'po", None),
        (("auditlens", "init", "--schedule"), "", "cron"),
        (("auditlens", "check", "--fail-on", "'high'", "--quie"), "--quie", "--quiet\t"),
    ],
)
def test_powershell_is_offered_what_fits(words, word, offered):
    """The value, a tab and what it is: one line each, by the environment alone."""
    lines = asked_by_powershell(*words, word=word)
    assert any(line.startswith(offered) for line in lines) if offered else lines == []


def test_powershell_completes_file_names_itself():
    """Nothing is printed for them, and PowerShell then offers its own."""
    assert asked_by_powershell("auditlens", "check", "--archive", word="") == []


def test_the_powershell_script_hands_over_words_and_cleans_up(run):
    """It names the variables the program reads, and removes each of them again."""
    script = run("completion", "powershell").stdout
    removed = script.split("Remove-Item")[1]
    for name in ("_COMPLETE_WORDS", "_COMPLETE_WORD", "_AUDITLENS_COMPLETE"):
        assert f"$env:{name} =" in script
        assert f"Env:{name}" in removed
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")
    assert "-CommandName auditlens " in script
    assert "%" not in script


def test_the_help_shows_how_each_shell_loads_it(run):
    """One line a shell, as it is to be typed."""
    lines = run("completion", "--help").stdout.splitlines()
    assert [line.split(":")[0].strip() for line in lines if ":  " in line] == list(SHELLS)
    assert "\\b" not in "".join(lines)
