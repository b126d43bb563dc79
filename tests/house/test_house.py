"""The house rules: what is public, what loads, and which module may know which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import auditlens
from auditlens.cli import auditlens as program

PACKAGE = Path(auditlens.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("sklearn", "httpx", "sigma", "jinja2", "scipy", "stamina", "rich", "polars")
COMMANDS = set(program.list_commands(click.Context(program)))
TEXTS = {".py", ".yml", ".html", ".tmpl"}
PLURAL = re.compile(r"[a-z]+\((?:s|es|ies)\)(?!\()")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager"}


def test_public_names_are_exactly_those_listed():
    """Every name in __all__ exists, is sorted, and has a docstring."""
    assert list(auditlens.__all__) == sorted(auditlens.__all__)
    assert len(auditlens.__all__) <= 14
    for name in auditlens.__all__:
        assert getattr(auditlens, name).__doc__, f"{name} has no docstring"
    assert set(dir(auditlens)) == set(auditlens.__all__)


def test_importing_the_package_loads_nothing_heavy():
    """A notebook's first line, and every command's start, stay quick."""
    code = (
        f"import sys, auditlens, auditlens.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_one_noun(path: Path):
    """No drawer for odds and ends."""
    assert not FORBIDDEN_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)


def test_no_model_or_rule_is_ever_unpickled_or_evaluated():
    """Nothing that could run code from a file is imported or called."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                assert not names & {"pickle", "joblib", "dill", "marshal", "shelve"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path


def test_no_plural_is_left_to_the_reader():
    """No text says event(s): the package, the rules and the templates count in words."""
    roots = [PACKAGE, PACKAGE.parent / "rules", PACKAGE.parent / "reports"]
    files = [path for root in roots for path in root.rglob("*") if path.suffix in TEXTS]
    assert len(files) > len(MODULES)
    told = {path: PLURAL.findall(path.read_text(encoding="utf-8")) for path in files}
    assert {path: found for path, found in told.items() if found} == {}


def test_no_handler_swallows_everything():
    """A broad except can hide a lost finding; one that raises again, or ends the program, not."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                last = node.body[-1]
                if isinstance(last, ast.Raise) and last.exc is None:
                    continue
                if ast.unparse(last) == "crashed(error)" and path.parent.name == "cli":
                    continue
                assert caught not in {"everything", "Exception", "BaseException"}, path


def name_of(path: Path) -> str:
    """The dotted name of a module or package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, known: set[str]) -> set[str]:
    """Every module of ours that a module imports, in functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & known
            if not inner <= known:
                found.add(str(node.module))
    return found & known - {name_of(path)}


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import one another, straight or through others."""
    reached = {name: set(targets) for name, targets in imports.items()}
    for middle in imports:
        for targets in reached.values():
            if middle in targets:
                targets.update(reached[middle])
    return sorted(
        sorted(other for other in targets if name in reached[other])
        for name, targets in reached.items()
        if name in targets and name == min(o for o in targets if name in reached[o])
    )


def test_no_modules_import_one_another():
    """No circle, counting what is imported in functions and for type checkers.

    So no module of a room imports its room's door, which imports it. The package's own door is
    lazy, and loads nothing of what it names.
    """
    known = {name_of(path) for path in MODULES} - {"auditlens"}
    imports = {name_of(path): imported(path, known) for path in MODULES}
    assert sum(map(len, imports.values())) > len(known)
    assert circles(imports) == []


def test_a_circle_is_found():
    """Of two modules, and of three through one another."""
    imports = {"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"e"}, "e": {"c"}, "f": {"a", "c"}}
    assert circles(imports) == [["a", "b"], ["c", "d", "e"]]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_called_as_its_module(path: Path):
    """``import room.thing`` gives a module, whatever the room's door hands on.

    A command is the one thing of its module, is loaded by that name, and no door hands it on.
    """
    body = ast.parse(path.read_text(encoding="utf-8")).body
    named = [one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    for one in named:
        is_command = path.parent.name == "cli" and path.stem.replace("_", "-") in COMMANDS
        assert is_command or one.name != path.stem, f"{one.name} is called as its module"
