"""Every error has a code of its own, and the page of errors a section for it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import auditlens
from auditlens.errors import AuditLensError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"


def tree(kind: type[AuditLensError] = AuditLensError) -> list[type[AuditLensError]]:
    """An error and all below it."""
    return [kind, *(one for below in kind.__subclasses__() for one in tree(below))]


def errors() -> list[type[AuditLensError]]:
    """Every error of the package, once all its modules are loaded."""
    for module in walk_packages(auditlens.__path__, "auditlens."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    return [one for one in tree() if one.__module__.startswith("auditlens.")]


def test_each_error_has_a_code_and_a_section():
    """None inherits another's, and no section is about a code that is gone."""
    codes = {one.__name__: vars(one).get("code") for one in errors()}
    assert all(codes.values()), codes
    assert len(set(codes.values())) == len(codes)
    heads = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert heads == sorted(codes.values())


def test_a_code_begins_with_its_exit_code():
    """Who reads one knows the other."""
    for one in errors():
        digits = one.code.removeprefix("AL-")
        assert str(one.exit_code) in (digits, digits[0]), one


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--period", "Mars"], "AL-201"),
        (["chek"], "AL-201"),
        (["report"], "AL-201"),
        (["check", "--perid", "last"], "AL-201"),
        (["check", "--period", "2026-10", "--rules", "nowhere"], "AL-2"),
    ],
)
def test_the_code_ends_the_message(tmp_path, arguments, code):
    """Whoever finds the fault: the library or the command line."""
    done = subprocess.run(
        [sys.executable, "-m", "auditlens", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.search(rf" \[{code}\d*\]$", done.stderr.strip()), done.stderr
