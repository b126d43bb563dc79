"""Measure and rebuild the anomaly models: ``python benchmarks/anomalies.py prior|speed|docs``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def prior() -> None:
    from auditlens.evaluate.prior import build_prior

    for path in build_prior():
        print(path.relative_to(ROOT), path.stat().st_size)


def docs() -> None:
    from auditlens.anomalies.feature_docs import feature_page

    (ROOT / "docs" / "features.md").write_text(feature_page(), "utf-8")


def speed() -> None:
    import resource

    from auditlens.actions import classify
    from auditlens.anomalies import detect
    from auditlens.anomalies.ledger import open_ledger
    from auditlens.anomalies.tables import day_tables
    from auditlens.events import conform
    from auditlens.period import Period
    from auditlens.simulator import simulate

    workspace = simulate(1, people=700, resources=12_000, days=45, events_per_day=45.0)
    events = classify(conform(workspace.events))
    start = time.process_time(), time.perf_counter()
    day_tables(open_ledger(events, until=workspace.end))
    done = time.process_time(), time.perf_counter()
    report("features", len(events), start, done)
    start = done
    detect(events, Period.parse("2026-06"))
    report("detect", len(events), start, (time.process_time(), time.perf_counter()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process, simulation included: {peak:.0f} MB")


def report(what: str, events: int, start: tuple[float, float], done: tuple[float, float]) -> None:
    cpu, wall = (after - before for before, after in zip(start, done, strict=True))
    print(f"{what}: {events} events, {cpu:.1f} s CPU, {wall:.1f} s, {events / wall:.0f} events/s")


if __name__ == "__main__":
    {"prior": prior, "docs": docs, "speed": speed}[sys.argv[1]]()
