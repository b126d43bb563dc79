"""Measure and rebuild the anomaly models: ``python benchmarks/anomalies.py COMMAND``.

Commands: ``evaluate`` writes docs/evaluation.md (half an hour of CPU; needs the activity streams in
``$AUDITLENS_STREAMS`` for the identity switch, and the group ``bench`` for other detectors and
SHAP); with seeds it only prints. ``stability``, ``clean``, ``switched`` and ``spikes`` are parts of
it. ``prior`` and ``docs``, and ``month``, ``speed``, ``year`` and ``days``, which ``run`` calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import Row  # noqa: E402 - the path comes first


def prior() -> None:
    """Fit the models that come with AuditLens; the same versions give the same bytes."""
    import polars as pl

    from auditlens.anomalies import (
        MODELS,
        day_tables,
        encode_events,
        fit_days,
        prior_folder,
        save_model,
    )
    from auditlens.events import classify, conform
    from auditlens.simulator import simulate

    # A seed of its own: neither a design seed nor one whose results are reported.
    workspace = simulate(100, people=150, resources=3000)
    events = classify(conform(workspace.events))
    senders, resources = day_tables(encode_events(events, until=workspace.end))
    for spec in MODELS:
        table = senders if spec.subject == "sender_id" else resources
        known = table.filter(pl.col("state") == "scored").sort(spec.subject, "day")
        model = fit_days(known, spec.features, seed=0, trees=200, mad_multiple=spec.mad_multiple)
        path = save_model(model, prior_folder() / spec.name)
        print(path.relative_to(ROOT), path.stat().st_size)


def docs() -> None:
    from auditlens.anomalies import feature_page

    (ROOT / "docs" / "features.md").write_text(feature_page(), "utf-8")


def evaluate(*seeds: str) -> None:
    from auditlens.evaluate import REPORTED_SEEDS
    from benchmarks._evaluation import lacking, whole_page

    chosen = chosen_seeds(seeds)
    if chosen == REPORTED_SEEDS and lacking():
        sys.exit(f"The page would have holes; missing: {', '.join(lacking())}")
    page = whole_page(chosen)
    if chosen == REPORTED_SEEDS:
        (ROOT / "docs" / "evaluation.md").write_text(page, "utf-8")
    print(page)


def chosen_seeds(seeds: Sequence[str]) -> tuple[int, ...]:
    from auditlens.evaluate import REPORTED_SEEDS

    return tuple(map(int, seeds)) or REPORTED_SEEDS


def stability(*seeds: str) -> None:
    from benchmarks._evaluation import reasons_and_detectors

    print(reasons_and_detectors(chosen_seeds(seeds)[0]))


def clean(*seeds: str) -> None:
    from benchmarks._evaluation import clean_table

    print(clean_table(chosen_seeds(seeds)))


def switched(first: str = "20", number: str = "8") -> None:
    from benchmarks._evaluation import switch_alerts

    print(switch_alerts(range(int(first), int(first) + int(number))))


def spikes(first: str = "100", number: str = "100") -> None:
    from benchmarks._evaluation import spike_table

    print(spike_table(range(int(first), int(first) + int(number))))


def speed(log: str, period: str) -> None:
    """In a process of its own, so that its peak of memory is nobody else's."""
    import resource

    import polars as pl

    from auditlens.anomalies import MODELS, day_tables, detect, encode_events, fit_days
    from auditlens.period import Period

    def since(begun: tuple[float, float]) -> dict[str, float]:
        now = time.process_time(), time.perf_counter()
        return {"cpu": now[0] - begun[0], "wall": now[1] - begun[1]}

    events = pl.read_parquet(log)
    told: dict[str, dict[str, float]] = {"events": {"count": len(events)}}
    begun = time.process_time(), time.perf_counter()
    detect(events, Period.parse(period))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told["detect"] = since(begun) | {"peak": peak / (2**20 if sys.platform == "darwin" else 2**10)}
    begun = time.process_time(), time.perf_counter()
    days = day_tables(encode_events(events, until=Period.parse(period).end))[0]
    told["features"] = since(begun)
    few = days.filter(pl.col("state") == "scored").sort("sender_id", "day").head(10_000)
    begun = time.process_time(), time.perf_counter()
    senders = MODELS[0]
    model = fit_days(few, senders.features, seed=0, trees=senders.trees)
    model.scores(few)
    told["model"] = since(begun) | {"rows": len(few)}
    begun = time.process_time(), time.perf_counter()
    model.credit(few.head(1000))
    told["credit"] = since(begun)
    print(json.dumps(told))


def month(log: str) -> None:
    """Write a month and a half of a workspace of 780 people, about a million events."""
    from auditlens.events import classify, conform
    from auditlens.simulator import simulate

    workspace = simulate(1, people=780, resources=13_000, days=45, events_per_day=45.0)
    classify(conform(workspace.events)).write_parquet(log)


def year(log: str) -> None:
    """Write a year of a workspace of 200 people, about a million events."""
    from auditlens.events import classify, conform
    from auditlens.simulator import simulate

    workspace = simulate(1, people=200, resources=5000, days=365, events_per_day=19.0)
    classify(conform(workspace.events)).write_parquet(log)


def days(log: str) -> None:
    """The features of a year at once, and of each day of its last week added by itself."""
    import polars as pl

    from auditlens.anomalies import (
        FeatureState,
        day_tables,
        encode_events,
        load_state,
        save_state,
    )

    def best(work: Callable[[], Any]) -> tuple[float, Any]:
        """CPU seconds of the best of three runs, and what the last one gave."""
        seconds = []
        for _ in range(3):
            begun = time.process_time()
            given = work()
            seconds.append(time.process_time() - begun)
        return min(seconds), given

    events = pl.read_parquet(log).with_columns(day=pl.col("created_at").dt.date())
    before = pl.col("day") <= events["day"].max() - timedelta(days=7)
    whole, _ = best(lambda: day_tables(encode_events(events, until=None)))
    state, path = FeatureState().advance(events.filter(before)).state, Path(log).with_name("kept")
    added, filed = [], []
    for part in events.filter(~before).partition_by("day"):
        seconds, new = best(partial(state.advance, part))
        added.append(seconds)
        state = new.state
        filed.append(best(partial(save_state, state, path))[0])
        filed[-1] += best(partial(load_state, path))[0]
    told = {"events": len(events), "year": whole, "day": sum(added) / 7, "file": sum(filed) / 7}
    print(json.dumps(told | {"bytes": path.stat().st_size}))


def run() -> list[Row]:
    """Speed and memory of a month with about a million events."""
    with tempfile.TemporaryDirectory(prefix="auditlens-bench-") as folder:
        log = str(Path(folder) / "log.parquet")
        # A child begins with the peak of its parent, so the parent stays small.
        printed = [
            subprocess.run([sys.executable, __file__, *step], check=True, capture_output=True)
            for step in (("month", log), ("speed", log, "2026-06"), ("year", log), ("days", log))
        ]
    told, kept = (json.loads(printed[step].stdout) for step in (1, 3))
    events, seen, size = told["events"]["count"], told["detect"], f"{told['model']['rows']:,} rows"
    note = f"{events:,} events, 45 days"
    share, held = 100 * kept["day"] / kept["year"], f"{kept['events']:,} events, 365 days"
    return [
        Row("features", events / told["features"]["wall"], "events/s", 150_000, "more", note),
        Row("fit and score", told["model"]["wall"], "s", 2.0, note=size),
        Row("detect in a month", seen["wall"], "s", 15.0, note=note),
        Row("detect in a month, CPU", seen["cpu"], "s"),
        Row("detect in a month, peak memory", seen["peak"], "MB", 1536),
        Row("features of one more day of a year, CPU", share, "% of the year's", 2.0, note=held),
        Row("features of one more day, CPU", kept["day"], "s", note="mean of a week"),
        Row("write and read what is kept of the year, CPU", kept["file"], "s"),
        Row("size of what is kept of the year", kept["bytes"] / 2**20, "MB"),
        Row("path credit", told["credit"]["cpu"], "ms a row", 0.1, note="1,000 rows"),
    ]


if __name__ == "__main__":
    commands = (evaluate, stability, spikes, clean, switched, prior, docs, month, speed, year, days)
    {command.__name__: command for command in commands}[sys.argv[1]](*sys.argv[2:])
