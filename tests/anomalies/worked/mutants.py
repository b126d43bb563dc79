"""Break the code of the features, one small change at a time, and list what no table notices.

    python -m tests.anomalies.worked.mutants [MODULE ...] [--whole] [--tests FILE ...]

Each comparison becomes its neighbour (``==`` and ``!=``, ``<`` and ``<=``, ``>`` and ``>=``), each
minimum a maximum and back, each number one more and one less. MODULE is the name of a module of
``auditlens/anomalies``; without one, those that make features. With ``--tests``, these test files
are run in place of the tables. A change that the tables see, or that fails in any way, is killed;
survivors are printed, and those that KNOWN explains are marked.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

PACKAGE = "auditlens.anomalies"
MODULES = (
    "_arrays", "encode", "baselines", "counts", "peers", "surprisal", "features",
)  # fmt: skip
NEIGHBOURS = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}  # fmt: skip
OPPOSITES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Every small change to ``source``: what it is, and the changed tree."""
    tree = ast.parse(source)
    for place, node in enumerate(ast.walk(tree)):
        for change, what in enumerate(changes(node)):
            twin = copy.deepcopy(tree)
            same = next(each for at, each in enumerate(ast.walk(twin)) if at == place)
            apply(same, change)
            yield f"line {node.lineno}: {what}: {ast.unparse(statement(tree, node))}", twin


def statement(tree: ast.Module, node: ast.AST) -> ast.AST:
    """The smallest statement or expression around ``node`` that says something."""
    around = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.Compare | ast.Call | ast.BinOp | ast.Assign | ast.Subscript)
        and any(inner is node for inner in ast.walk(each))
    ]
    return around[-1] if around else node


def changes(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Compare):
        return [type(op).__name__ for op in node.ops[:1] if type(op) in NEIGHBOURS]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return [f"{node.value} + 1", f"{node.value} - 1"]
    if isinstance(node, ast.Attribute) and node.attr in OPPOSITES:
        return [node.attr]
    if isinstance(node, ast.Name) and node.id in OPPOSITES:
        return [node.id]
    return []


def apply(node: ast.AST, change: int) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = NEIGHBOURS[type(node.ops[0])]()
    elif isinstance(node, ast.Constant):
        node.value += 1 - 2 * change
    elif isinstance(node, ast.Attribute):
        node.attr = OPPOSITES[node.attr]
    elif isinstance(node, ast.Name):
        node.id = OPPOSITES[node.id]


KNOWN = {
    "only of use to an empty log, where nothing is counted": (
        "counts line > 0",
        "np.zeros(0, np.int64)",
        "np.zeros(1, int)",
        "max(initial=0)",
        "max(initial=-1)",
    ),
    "room or distance to spare: any larger number serves": (
        "counts int(time.max() - time.min()) + SESSION_PAUSE + 1",
        "counts time.min()",
        "len(encoded.kinds) + 1",
        "baselines subject * 1000000",
        "peers int(circle.max()) + 1",
        "_arrays table[key].to_numpy().astype(np.int64) + 1",
        "_arrays max(int(group.max()), int(wanted.max())) - low + 1",
        "DAY_SPAN = 100000",
        "int(self.value.max(initial=0)) + 1",
        "counts int(kept_value.max(initial=0))",
        "features int(types.max(initial=0)) + 1",
        "features max(then.max(initial=0), now.max(initial=0))",
        "baselines highest + 1",
        "features int(sender.max(initial=0)) + 1",
        "surprisal day.max(initial=-1) + 1",
        "features kept[sender] - WORKWEEK",
    ),
    "how many rows are worked at once": ("CHUNK = 20000", "baselines highest > len(values)"),
    "either way gives the same sums": (
        "_arrays groups <= len(group)",
        "_arrays np.diff(group) < 0",
    ),
    "no feature: test_state.py or test_detect.py holds it": (
        "encode date(1970, 1, 1)",
        "encode first <= history.end",
        "encode pl.col('created_at') >= since",
    ),
    "weights that keep sums apart, doubled": (
        "surprisal total(0, 1, 0)",
        "surprisal total(0, 0, 1)",
        "surprisal total(0, size, 1)",
    ),
    "before the first row; the day begins a stretch, too": (
        "surprisal np.diff(sender, prepend=-1)",
        "surprisal np.diff(day, prepend=-1)",
        "peers np.diff(row[hit], prepend=-1)",
    ),
    "NumPy infers any negative length": ("surprisal week.reshape", "surprisal present.reshape"),
    "never reached: every thing has a folder, every day an event, a share is at most one": (
        "counts pl.col('remoteness').fill_null(0)",
        "features np.maximum(now['events'], 1)",
        "surprisal np.minimum(share, 1)",
    ),
    "fewer than five days give nothing, whatever stands there": (
        "baselines np.maximum(days, 1)",
        "baselines np.where(count > 0",
        "baselines count > 0",
        "baselines np.maximum(at, 0)",
    ),
    "no leap is larger than that above nothing": ("features top >= 0",),
    "a sum of nothing lies above no other": ("baselines sums[rows] > 0",),
    "only its square counts": ("peers 0.5 - 1: CIRCLE_WEIGHT = 0.5",),
    "any negative number says that there are no peers": (
        "peers np.full(len(pairs[key]), -1",
        "peers np.where(week.comparable[sender], with_value",
    ),
    "rows of the next week are written twice, the second time right": ("peers week + 1",),
    "tells apart only people whose likenesses differ by less than a thousandth": (
        "peers np.round(cosine.data, 3)",
    ),
}
"""Why a change is none: beginnings or parts of what is changed, of a module where one is named."""


def reason(module: str, what: str) -> str:
    """Why nobody can notice; empty where somebody should."""
    for why, parts in KNOWN.items():
        for part in parts:
            first, _, rest = part.partition(" ")
            if (module == first and rest in what) or part in what:
                return why
    return ""


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def create_module(self, _: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: object) -> None:
        code = compile(ast.fix_missing_locations(self.tree), str(self.path), "exec")
        exec(code, vars(module))


GOES: list[tuple[int, ...]] = []
LAST: list[tuple[str, tuple[int, ...]]] = []
KILLED: dict[tuple[str, tuple[int, ...]], int] = {}
"""Cases, whole or in goes, and when one noticed a change last."""


def forget() -> None:
    for name in list(sys.modules):
        if name.startswith((PACKAGE, "tests.anomalies")) and name != __name__:
            del sys.modules[name]


def noticed(tests: Sequence[str]) -> str:
    """What notices the change that is loaded; empty when nothing does."""
    forget()
    try:
        if tests:
            return run_tests(tests)
        worked = importlib.import_module("tests.anomalies.worked")
        log = importlib.import_module("tests.anomalies.worked.log")
        cases = {case.name: case for case in worked.ALL}
        # What noticed the last changes will mostly notice the next one.
        for name, cuts in sorted(product(cases, GOES), key=lambda it: -KILLED.get(it, 0)):
            LAST[:] = [(name, cuts)]
            senders, resources = cases[name].frames(cuts=cuts)
            seen = log.wrong(cases[name].senders, senders, "sender_id")
            seen |= log.wrong(cases[name].resources, resources, "resource_id")
            if seen:
                return ", ".join(seen)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return type(error).__name__
    return ""


def run_tests(files: Sequence[str]) -> str:
    import pytest

    options = ["-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return "a test" if pytest.main([*options, *files]) else ""


def known_line(module: str, what: str, lines: Sequence[str]) -> bool:
    return any(line.split("  (")[0] == f"SURVIVES {module} {what}" for line in lines)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--tests", nargs="+", default=[])
    parser.add_argument("--whole", action="store_true", help="count each log in one go only")
    parser.add_argument("--again", type=Path, help="only what survived in this earlier output")
    parser.add_argument("--every", type=int, default=1, help="only every n-th change")
    wanted = parser.parse_args(arguments)
    folder = Path(importlib.util.find_spec(PACKAGE).origin).parent
    warnings.simplefilter("error")
    GOES[:] = [()] if wanted.whole else [(), (5, 8)]
    before = noticed(wanted.tests)
    assert not before, before
    total = survived = known = 0
    for module in wanted.modules or MODULES:
        path = folder / f"{module}.py"
        here = list(mutants(path.read_text(encoding="utf-8")))[:: wanted.every]
        if wanted.again:
            before = wanted.again.read_text(encoding="utf-8").splitlines()
            here = [each for each in here if known_line(module, each[0], before)]
        left = 0
        for what, tree in here:
            finder = Changed(f"{PACKAGE}.{module}", path, tree)
            sys.meta_path.insert(0, finder)
            seen = noticed(wanted.tests)
            sys.meta_path.remove(finder)
            if seen:
                KILLED.update(dict.fromkeys(LAST, max(KILLED.values(), default=0) + 1))
            else:
                left += 1
                why = reason(module, what)
                known += bool(why)
                say(f"SURVIVES {module} {what}" + (f"  ({why})" if why else ""))
        say(f"{module}: {len(here) - left} of {len(here)} killed")
        total, survived = total + len(here), survived + left
    say(f"{total - survived} of {total} killed; of {survived} survivors {known} change nothing")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    sys.exit(main())
