"""A shell that loads the script completes commands and options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = ("bash", "zsh", "fish")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_its_script(run, shell, tmp_path):
    """Checked by the shell itself where it is installed."""
    done = run("completion", shell)
    assert done.exit_code == 0
    assert f"_AUDITLENS_COMPLETE={shell}_complete" in done.stdout
    if program := shutil.which(shell):
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
