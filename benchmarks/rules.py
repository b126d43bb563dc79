"""How fast rules run; ``python -m benchmarks.rules`` prints the figures alone.

1,000,000 made-up events; rules of which each names events that are at most 5 % of the rows; the
shipped pack; and the same rules by the SQLite backend of pySigma, a row store.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import polars as pl

from auditlens.events import EVENT_SCHEMA
from auditlens.period import Period
from auditlens.rules import RuleSet, evaluate, load_rules
from benchmarks import Row

EVENTS = 1_000_000
RULES = 100

COMMON = ["viewed", "searched", "queried", "monitor_ran", "job_completed", "automation_triggered"]
RARE = [
    "resource_deleted", "archived", "tag_removed", "role_changed", "team_changed",
    "pii_removed", "lineage_deleted", "integration_changed", "policy_deleted", "made_public",
]  # fmt: skip
PERIOD = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "2026")


def made_up_events(count: int, rare: float = 0.05) -> pl.DataFrame:
    """Events over a year: few kinds, many people, text that repeats little."""
    rng = np.random.default_rng(0)
    kinds = np.array(COMMON + RARE)
    odds = [(1 - rare) / len(COMMON)] * len(COMMON) + [rare / len(RARE)] * len(RARE)
    action = kinds[rng.choice(len(kinds), count, p=odds)]
    start = int(PERIOD.start.timestamp() * 1e6)
    times = np.sort(rng.integers(start, start + 365 * 86_400 * 10**6, count))
    people = rng.zipf(1.3, count) % 800
    resources = rng.integers(0, 40_000, count)
    frame = pl.DataFrame(
        {"n": np.arange(count), "a": action, "p": people, "r": resources, "t": times}
    )
    person, resource = pl.col("p").cast(pl.String), pl.col("r").cast(pl.String)
    made = frame.select(
        pl.format("e{}", pl.col("n")).alias("id"),
        pl.from_epoch("t", time_unit="us").dt.replace_time_zone("UTC").alias("created_at"),
        pl.col("a").alias("event"),
        pl.col("a").alias("action"),
        pl.format("u{}", person).alias("sender_id"),
        pl.format("person{}@example.com", person).alias("sender_email"),
        pl.format("Person {}", person).alias("sender_name"),
        pl.lit("user").alias("sender_kind"),
        pl.format("r{}", resource).alias("resource_id"),
        pl.format("Table number {}", resource).alias("resource_title"),
        pl.lit("table").alias("resource_type"),
        pl.format("Person {} did {} to Table number {}", person, pl.col("a"), resource)
        .alias("summary"),
        pl.concat_str(pl.lit('{"role":{"to":"viewer"},"n":'), pl.col("n"), pl.lit("}"))
        .alias("metadata"),
    )  # fmt: skip
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in EVENT_SCHEMA.items()
               if name not in made.columns]  # fmt: skip
    return made.with_columns(missing).select(list(EVENT_SCHEMA))


WORDS = ["number 1", "number 22", "person 3", "did", "7", "table", "99 ", "person 12", "0", "to"]


def made_up_rules(count: int) -> list[str]:
    """Documents that each name one rare action and some texts, as most rules do."""
    rng = np.random.default_rng(1)
    texts = []
    for n in range(count):
        words = [WORDS[k] for k in rng.choice(len(WORDS), 3, replace=False)]
        detection = {
            "selection": {"action": [str(rng.choice(RARE)), str(rng.choice(RARE))]},
            "selection_text": {"summary|contains": words[:2]},
            "filter": {"sender_email|startswith": f"{words[2].replace(' ', '')}"},
            "condition": "selection and selection_text and not filter",
        }
        texts.append(json.dumps({
            "title": f"Made up {n}", "name": f"made_up_{n}", "level": "low",
            "logsource": {"product": "benchmark"}, "detection": detection,
        }))  # fmt: skip
    return texts


def rule_set(texts: list[str]) -> RuleSet:
    with tempfile.TemporaryDirectory() as folder:
        for n, text in enumerate(texts):
            Path(folder, f"r{n:03d}.yml").write_text(text, encoding="utf-8")
        return load_rules(folder)


def timed(run: Callable[[], object], times: int = 3) -> tuple[float, float]:
    """Return the best of some runs: seconds, and seconds of processor time."""
    best = (float("inf"), float("inf"))
    for _ in range(times):
        wall, cpu = perf_counter(), process_time()
        run()
        best = min(best, (perf_counter() - wall, process_time() - cpu))
    return best


def row_store(path: Path, texts: list[str]) -> tuple[float, float]:
    """Processor seconds of the SQLite backend: loading the events, and running the rules."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    start = process_time()
    frame = pl.read_parquet(path, columns=["action", "summary", "sender_email"])
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE logs (action TEXT COLLATE NOCASE, summary TEXT COLLATE NOCASE,"
                       " sender_email TEXT COLLATE NOCASE)")  # fmt: skip
    connection.executemany("INSERT INTO logs VALUES (?, ?, ?)", frame.iter_rows())
    loaded = process_time()
    for text in texts:
        for query in sqliteBackend().convert(SigmaCollection.from_yaml(text)):
            connection.execute(query.replace("*", "rowid", 1)).fetchall()
    return loaded - start, process_time() - loaded


def run() -> list[Row]:
    """Measure everything; ratios are of processor time, which a busy machine does not change."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "events.parquet")
        made_up_events(EVENTS).write_parquet(path)
        texts = made_up_rules(RULES)
        one, many, pack = rule_set(texts[:1]), rule_set(texts), load_rules()
        frame = pl.read_parquet(path)
        columns = ["action", "summary", "sender_email"]
        single = timed(lambda: one.match(frame), 7)
        full = timed(lambda: many.match(frame), 7)
        from_file = timed(lambda: many.match(pl.read_parquet(path, columns=columns)))
        shipped = timed(lambda: evaluate(pack, frame, PERIOD))
        loading, running = row_store(path, texts)
    return [
        Row(f"{RULES} rules over 1M events against one rule (their events 5 % of rows)",
            full[1] / single[1], "x", 2.0),
        Row(f"one rule over 1M events, seconds {single[0]:.2f}; {RULES} rules", full[0], "s"),
        Row(f"shipped pack ({len(pack)} rules) over 1M events", shipped[0], "s", 5.0, "less",
            f"processor time {shipped[1]:.2f} s"),
        Row("SQLite row store against ours, Parquet in, processor time",
            (loading + running) / from_file[1], "x", 20.0, "more",
            f"without its loading of rows {running / from_file[1]:.0f} x"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(f"{row.what}: {row.seen:.2f} {row.unit}, goal {row.goal} {row.note}")
