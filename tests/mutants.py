"""Break the package in one small place at a time, and list what its tests do not notice.

    python -m tests.mutants COPY [--count 150] [--seed 0] [--only room] [--part 1/2]
                            [--results FILE]

Places are drawn by a seed, weighted by lines: a module first, then one of its changes. Each change
is written into COPY, another checkout of this project with its own environment, and the tests of
the module's own room run there, then the acceptance tests. What fails or does not end is killed;
one line of JSON tells each outcome, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 900
ROOMS = {
    "archive": ("archive", "directory"),
    "directory": ("directory",),
    "audit": ("audit",),
    "loading": ("audit",),
    "plots": ("plots", "docs/test_notebook.py"),
    "seals": ("review",),
    "errors": ("cli",),
    "canonical": ("files", "archive", "review"),
    "coverage": ("archive", "sources", "audit"),
    "pages": ("archive", "sources"),
    "cli": ("cli", "triage/test_triage_command.py"),
    "cases": ("audit/test_cases.py", "triage/test_ledger.py"),
    "accounts": ("audit",),
    "findings": ("audit", "triage", "report"),
    "finding_columns": ("audit", "rules", "anomalies"),
    "explanation": ("audit", "cli/test_explain.py"),
    "period": ("settings",),
}
"""Where the tests of a room or module stand, if not in the folder of its name."""

SWAPPED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add,
}  # fmt: skip
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any", "filter": "select"}


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    """Each small change of one node: what it is, and what makes it in a copy of the node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        other = SWAPPED[type(node.ops[0])]
        yield (
            f"{type(node.ops[0]).__name__} -> {other.__name__}",
            lambda n: n.ops.__setitem__(0, other()),
        )
    if isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in SWAPPED:
        other = SWAPPED[type(node.op)]
        yield f"{type(node.op).__name__} -> {other.__name__}", lambda n: setattr(n, "op", other())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield f"{node.value} -> {node.value + 1}", lambda n: setattr(n, "value", n.value + 1)
        yield f"{node.value} -> {node.value - 1}", lambda n: setattr(n, "value", n.value - 1)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", lambda n: setattr(n, "value", not n.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not is dropped", lambda n: setattr(n, "op", ast.UAdd()) or wrap(n)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield (
            "the condition is turned round",
            lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test)),
        )
    if isinstance(node, ast.Attribute) and node.attr in OPPOSITES:
        yield (
            f"{node.attr} -> {OPPOSITES[node.attr]}",
            lambda n: setattr(n, "attr", OPPOSITES[n.attr]),
        )
    if isinstance(node, ast.Raise):
        yield "the error is not raised", lambda n: setattr(n, "drop", True)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "the call is left out", lambda n: setattr(n, "drop", True)


def wrap(node: ast.AST) -> None:
    """``+(x)`` would not hold for all values: ``bool(x)`` says what ``not`` denied."""
    node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)


class Dropping(ast.NodeTransformer):
    """Puts ``pass`` in the place of a statement that is left out."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if getattr(node, "drop", False):
            return ast.copy_location(ast.Pass(), node)
        return super().generic_visit(node)


def sites(tree: ast.Module) -> list[tuple[int, int, str]]:
    """Every change of a module that a run can meet: place in the walk, number, and words."""
    found = []
    for place, node in enumerate(ast.walk(tree)):
        for number, (what, _) in enumerate(changes(node)):
            found.append((place, number, f"line {node.lineno}: {what}"))
    return found


def changed(source: str, place: int, number: int) -> str:
    """The source with one change made."""
    tree = copy.deepcopy(ast.parse(source))
    node = next(each for at, each in enumerate(ast.walk(tree)) if at == place)
    list(changes(node))[number][1](node)
    return ast.unparse(ast.fix_missing_locations(Dropping().visit(tree)))


def drawn(root: Path, seed: int, count: int) -> list[tuple[str, int, int, str]]:
    """``count`` changes: module, place, number and words."""
    chance = random.Random(seed)
    paths = sorted(p for p in (root / "auditlens").rglob("*.py") if p.stat().st_size)
    texts = {path.relative_to(root).as_posix(): path.read_text() for path in paths}
    found = {name: sites(ast.parse(text)) for name, text in texts.items()}
    names = [name for name in texts if found[name]]
    lines = [texts[name].count("\n") for name in names]
    picked: list[tuple[str, int, int, str]] = []
    while len(picked) < count:
        name = chance.choices(names, lines)[0]
        one = (name, *chance.choice(found[name]))
        if one not in picked:
            picked.append(one)
    return picked


def tests_of(root: Path, module: str) -> list[str]:
    """The test paths of a module's own room."""
    room = Path(module).parts[1].removesuffix(".py")
    places = ROOMS.get(room, (room,))
    return [f"tests/{place}" for place in places if (root / "tests" / place).exists()]


def killed_by(root: Path, module: str, only: str) -> str:
    """Which tests notice: those of the ``room``, ``acceptance``, or none (an empty text)."""
    for word, paths in (("room", tests_of(root, module)), ("acceptance", ["tests/acceptance"])):
        if not paths or only not in ("", word):
            continue
        command = [str(root / ".venv/bin/python"), "-m", "pytest", "-x", "-q", "-n", "0",
                   "-p", "no:cacheprovider", *paths]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=root, capture_output=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{word}, by time"
        if done.returncode:
            return word
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; ends with 0, whatever survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("copy", type=Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("room", "acceptance"), default="",
                        help="run these tests alone, such as those of the room first")  # fmt: skip
    parser.add_argument("--part", default="1/1", help="which of so many parts of the changes")
    parser.add_argument("--results", type=Path, default=Path("mutants.ndjson"))
    given = parser.parse_args(arguments)
    if given.copy.resolve() == ROOT:
        parser.error("COPY must be another checkout: its files are changed")
    part, parts = map(int, given.part.split("/"))
    done = {}
    if given.results.exists():
        rows = map(json.loads, given.results.read_text().splitlines())
        done = {(row["module"], row["change"], row["place"]): row for row in rows}
    for module, place, number, what in drawn(given.copy, given.seed, given.count)[
        part - 1 :: parts
    ]:
        if (module, what, place) in done:
            continue
        path = given.copy / module
        source = path.read_text()
        path.write_text(changed(source, place, number))
        try:
            by = killed_by(given.copy, module, given.only)
        finally:
            path.write_text(source)
        row = {"module": module, "place": place, "change": what, "killed": by}
        with given.results.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        sys.stdout.write(f"{by or 'SURVIVES':12} {module} {what}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
