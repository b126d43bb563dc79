"""How large and how quick the report is: one table, figures beside their goals.

Run with ``python benchmarks/report.py``; ``--pdf`` and ``--browser`` measure those too.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from auditlens.report import Report

SPECIMENS = Path(__file__).resolve().parents[1] / "tests" / "report" / "specimens.py"
Make = Callable[[int, int], Any]
GOALS = {500: 0.3, 5_000: 1.0, 20_000: 4.0}
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


def specimens() -> ModuleType:
    spec = importlib.util.spec_from_file_location("specimens", SPECIMENS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def line(what: str, seen: str, goal: str) -> None:
    print(f"{what:<44}{seen:>16}   goal {goal}")


def sizes(make: Make) -> None:
    quiet, busy = make(0, 200), make(500, 2000)
    brief = len(Report(quiet, edition="brief").html().encode())
    line("no findings, brief edition", f"{brief / 1000:.1f} KB", "40 KB")
    full = len(Report(quiet).html().encode())
    line("no findings, full edition", f"{full / 1000:.1f} KB", "40 KB")
    page = Report(busy).html().encode()
    line("500 findings, data inside", f"{len(page) / 1000:.1f} KB", "500 KB")
    packed = len(gzip.compress(page, mtime=0))
    line("500 findings, gzip", f"{packed / 1000:.1f} KB", "60 KB")


def rendering(make: Make) -> None:
    Report(make(1, 10)).html()
    for count, goal in GOALS.items():
        audit = make(count, 2000)
        for rows in sorted({1_000, count}):
            report = Report(audit, max_rows=rows)
            report.content()
            started = time.perf_counter()
            size = len(report.html().encode())
            took = time.perf_counter() - started
            shown = min(rows, count)
            line(f"render {count:,} findings, {shown:,} on the page ({size / 1e6:.2f} MB)",
                 f"{took:.2f} s", f"{goal} s")  # fmt: skip
        started = time.perf_counter()
        Report(audit).files(also=("ndjson", "ocsf", "oscal"))
        line(f"every file of {count:,} findings", f"{time.perf_counter() - started:.2f} s", "none")


def pdf(make: Make) -> None:
    for count in (10, 50, 500):
        report = Report(make(count, 2000))
        report.content()
        started = time.perf_counter()
        size = len(report.pdf())
        line(f"PDF, brief, {count} findings ({size / 1000:.0f} KB)",
             f"{time.perf_counter() - started:.1f} s", "10 s")  # fmt: skip


def opening(make: Make) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or sys.exit("no Chromium here")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        for rows in (1_000, 5_000):
            path = Path(folder) / f"{rows}.html"
            html = Report(make(5_000, 2000), max_rows=rows).html()
            path.write_text(html, encoding="utf-8")
            best = min(opened(browser, path) for _ in range(3))
            line(f"open 5,000 findings, {rows:,} on the page", f"{best:.2f} s", "1.5 s")
        browser.close()


def opened(browser: Any, path: Path) -> float:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    started = time.perf_counter()
    page.goto(path.as_uri())
    page.locator("#conclusion").wait_for()
    took = time.perf_counter() - started
    page.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pdf", action="store_true")
    parser.add_argument("--browser", action="store_true")
    chosen = parser.parse_args()
    make = specimens().make_audit
    sizes(make)
    rendering(make)
    if chosen.pdf:
        pdf(make)
    if chosen.browser:
        opening(make)


if __name__ == "__main__":
    main()
