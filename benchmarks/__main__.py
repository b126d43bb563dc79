"""Run every benchmark of this folder, print its figures and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from benchmarks import Row

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
HEAD = ("what", "seen", "goal", "of goal", "met")
INTRODUCTION = """\
Written by `python3 dev bench`. "Of goal" is seen ÷ goal. Seconds are those of one machine; what
compares two ways in one run (unit `x`) holds on others too.
"""
LIBRARIES = ("polars", "scikit-learn", "numpy")


def names() -> list[str]:
    """Every module beside this one that has figures to give."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def measure(name: str) -> list[Row]:
    """Run one benchmark module; a module without ``run`` has no figures."""
    run = getattr(import_module(f"benchmarks.{name}"), "run", None)
    return list(run()) if run else []


def number(value: float) -> str:
    """A figure with three digits that matter, and thousands told apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """One row of the printed table; ``of goal`` is a ratio, the part that travels."""
    what = f"{row.what} ({row.note})" if row.note else row.what
    if row.goal is None:
        return (what, f"{number(row.seen)} {row.unit}", "", "", "")
    sign = "≤" if row.better == "less" else "≥"
    goal = f"{sign} {number(row.goal)} {row.unit}"
    ratio = f"{row.seen / row.goal:.2f}" if row.goal else ""
    return (what, f"{number(row.seen)} {row.unit}", goal, ratio, "yes" if row.met else "**no**")


def machine() -> str:
    """What the figures were measured on."""
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = f", {size / 2**30:.0f} GiB"
    # A busy machine makes every figure worse; whoever reads it should know.
    if hasattr(os, "getloadavg"):
        memory += f", load {os.getloadavg()[0]:.1f}"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{memory}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def page(results: dict[str, list[Row]]) -> str:
    """The figures as Markdown."""
    parts = [
        "# Benchmarks\n",
        INTRODUCTION,
        f"Measured on: {machine()}.\n",
    ]
    for name, rows in results.items():
        table = [HEAD, ("---", "---:", "---:", "---:", "---"), *map(cells, rows)]
        lines = ["| " + " | ".join(row) + " |" for row in table]
        parts.append(f"## {name}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Measure what was asked for; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python3 dev bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"one or more of {', '.join(names())}; all if none")
    chosen = parser.parse_args(arguments).name or names()
    if unknown := set(chosen) - set(names()):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    results = {}
    for name in chosen:
        begun = time.perf_counter()
        if rows := measure(name):
            results[name] = rows
            print(f"\n{name} ({time.perf_counter() - begun:.0f} s)")
            for row in rows:
                what, seen, goal, _, met = cells(row)
                print(f"  {what:<58} {seen:>18} {goal:>20} {met.strip('*'):>4}", flush=True)
    print(f"\n{machine()}")
    if chosen == names():
        PAGE.write_text(page(results), encoding="utf-8")
        print(f"written: {PAGE.relative_to(FOLDER.parent)}")
    return int(any(row.met is False for rows in results.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
