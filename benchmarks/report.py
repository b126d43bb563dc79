"""How large and how quick the report is, on made-up audits of any size."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from auditlens import run_audit
from auditlens.report import Report
from benchmarks import Row

SPECIMENS = Path(__file__).resolve().parents[1] / "tests" / "report" / "specimens.py"
GOALS = {500: 0.3, 5_000: 1.0, 20_000: 4.0}
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ROUNDS = 3


def specimens() -> ModuleType:
    spec = importlib.util.spec_from_file_location("specimens", SPECIMENS)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def quickest(work: Callable[[], Any]) -> float:
    """Seconds of the quickest of a few rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        rounds.append(time.perf_counter() - started)
    return min(rounds)


def kilobytes(text: bytes) -> float:
    return len(text) / 1000


def sizes(made: ModuleType) -> Iterator[Row]:
    quiet = run_audit(made.make_events(made.Period.parse("2026-10"), 200), period="2026-10")
    quiet = replace(quiet, findings=quiet.findings.clear())
    brief = Report(quiet, edition="brief").html().encode()
    yield Row("page without findings, brief edition", kilobytes(brief), "KB", 48)
    full = Report(quiet).html().encode()
    note = f"all {quiet.rule_health.height} rules; {kilobytes(gzip.compress(full)):.0f} KB gzipped"
    yield Row("page without findings, full edition", kilobytes(full), "KB", 48, note=note)
    empty = Report(run_audit(made.make_events(made.Period.parse("2026-10"), 0), period="2026-10"))
    yield Row("page of a month without events", kilobytes(empty.html().encode()), "KB", 48)
    page = Report(made.make_audit(500, 2000)).html().encode()
    yield Row("page of 500 findings", kilobytes(page), "KB", 500)
    yield Row("the same, gzipped", kilobytes(gzip.compress(page, mtime=0)), "KB", 60)


def rendering(made: ModuleType) -> Iterator[Row]:
    Report(made.make_audit(1, 10)).html()
    for count, goal in GOALS.items():
        audit = made.make_audit(count, 2000)
        for rows in sorted({min(count, 1_000), count}):
            report = Report(audit, max_rows=rows)
            report.content()
            note = "" if rows == count else "all of them in the files"
            yield Row(f"render {count:,} findings, {rows:,} on the page",
                      quickest(report.html), "s", goal, note=note)  # fmt: skip


def pdf(made: ModuleType) -> Iterator[Row]:
    if importlib.util.find_spec("weasyprint") is None:
        return
    for count in (10, 500):
        report = Report(made.make_audit(count, 2000))
        report.content()
        started, cpu = time.perf_counter(), time.process_time()
        pages = report.pdf()
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        yield Row(f"brief PDF of {count} findings", took, "s", 10,
                  note=f"{cpu:.1f} s of processor, {kilobytes(pages):.0f} KB")  # fmt: skip


def opening(made: ModuleType) -> Iterator[Row]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        for rows in (1_000, 5_000):
            path = Path(folder) / f"{rows}.html"
            html = Report(made.make_audit(5_000, 2000), max_rows=rows).html()
            path.write_text(html, encoding="utf-8")
            took = quickest(lambda path=path: opened(browser, path))
            yield Row(f"open 5,000 findings, {rows:,} on the page", took, "s", 1.5)
        browser.close()


def opened(browser: Any, path: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    page.locator("#conclusion").wait_for()
    page.close()


def run() -> list[Row]:
    """Sizes of the page, seconds to render, to print and to open it."""
    made = specimens()
    return [row for part in (sizes, rendering, pdf, opening) for row in part(made)]


if __name__ == "__main__":
    for row in run():
        print(f"{row.what}: {row.seen:.2f} {row.unit}, goal {row.goal} {row.note}")
