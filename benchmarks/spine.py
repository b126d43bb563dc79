"""The whole path: ingest with evidence, verify, check of a large log, start-up and the demo.

``BENCH_EVENTS`` (default 1,000,000) sets the size of the simulated log.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import Row

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
PERIOD = "2026-06"
RUNS = 5
STARTS = 9


@dataclass(frozen=True)
class Spent:
    """What one child process took: wall seconds, CPU seconds, peak resident megabytes."""

    wall: float
    cpu: float
    peak: float
    printed: str


def spent(*arguments: str | Path) -> Spent:
    """Run a Python module as a child and account for it alone."""
    command = [sys.executable, "-m", *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as out:
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read()
    if child.returncode:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale, printed)


def step(*arguments: str | Path) -> tuple[dict[str, float], Spent]:
    """Run one measured step; returns what it told of itself, and of its whole process."""
    whole = spent("benchmarks._spine_steps", *arguments)
    return json.loads(whole.printed), whole


def best_of(*arguments: str | Path, anew: Path | None = None) -> tuple[dict[str, float], Spent]:
    """The run that took the least CPU of RUNS: what disturbs a run only ever slows it.

    ``anew`` is a folder that is removed before each.
    """
    runs = []
    for _ in range(RUNS):
        if anew:
            shutil.rmtree(anew, ignore_errors=True)
        runs.append(step(*arguments))
    return min(runs, key=lambda run: run[0]["cpu"])


def rate(told: dict[str, float]) -> float:
    """Events a second of one core."""
    return told["events"] / told["cpu"]


def log_rows(folder: Path) -> list[Row]:
    """Ingest, verify and check one large simulated log."""
    log, archive = folder / "log.ndjson", folder / "archive"
    step("simulate", log, str(EVENTS))
    floor, _ = best_of("seal", log)
    ingest, ingest_process = best_of("ingest", log, archive, anew=archive)
    verify, verify_process = best_of("verify", archive)
    check = spent("auditlens", "check", "--archive", archive, "--period", PERIOD, "--json", "-q")
    size = f"{ingest['events']:,.0f} events, best of {RUNS}"
    limit = 20.0 * max(1.0, ingest["events"] / 1e6)
    return [
        Row("ingest with evidence", rate(ingest), "events/s a core", 50_000, "more", size),
        Row("ingest, CPU beside hash and zstd alone", ingest["cpu"] / floor["cpu"], "x"),
        Row("ingest, peak memory", ingest_process.peak, "MB", note="with the log itself in memory"),
        Row("verify", rate(verify), "records/s a core", 250_000, "more", size),
        Row("verify, wall", verify["events"] / verify["wall"], "records/s"),
        Row("verify, peak memory", verify_process.peak, "MB"),
        Row(
            "check from the archive", check.wall, "s", limit, note=f"{ingest['events']:,.0f} events"
        ),
        Row("check, CPU", check.cpu, "s"),
        Row("check, peak memory", check.peak, "MB", 2048),
        Row("archive on disk", disk(archive) / ingest["events"], "bytes an event"),
        Row("archive beside the plain log", disk(archive) / log.stat().st_size, "x"),
    ]


def disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def start_rows(folder: Path) -> list[Row]:
    """How soon the command line answers, and the demo ends."""
    starts = [spent("auditlens", "--help").wall for _ in range(STARTS)]
    demo = spent("auditlens", "demo", "-q", "--out", folder / "demo")
    return [
        Row("auditlens --help", statistics.median(starts), "s", 0.3, note=f"median of {STARTS}"),
        Row("auditlens demo", demo.wall, "s", 15.0),
        Row("auditlens demo, CPU", demo.cpu, "s"),
        Row("auditlens demo, peak memory", demo.peak, "MB"),
    ]


def run() -> list[Row]:
    """Measure all of it in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="auditlens-bench-") as name:
        return [*start_rows(Path(name)), *log_rows(Path(name))]
