"""How much is told of people at work: ``python -m benchmarks.noise [audits]``.

Reads the activity streams in $AUDITLENS_STREAMS, the last 28 spans of 28 days of each, and prints
for every rule the findings per 100 active accounts and month; with ``audits`` whole audits, rules
and model, month by month: findings, cases and cases to decide. Streams have no labels: counted is
everything, also what a reviewer might want to see.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl

from auditlens.audit import run_audit
from auditlens.cases import is_to_decide
from auditlens.period import Period
from auditlens.rules import evaluate, load_rules
from auditlens.sources import read_log

HISTORY = timedelta(days=120)
MONTH = timedelta(days=28)
MONTHS = 28


def months(events: pl.DataFrame) -> list[Period]:
    """The last 28-day spans of a stream, oldest first."""
    last = events["created_at"].dt.truncate("1d").max()
    assert last is not None
    ends = [last - n * MONTH for n in reversed(range(MONTHS))]  # type: ignore[operator]
    return [Period(end - MONTH, end, f"{end:%Y-%m-%d}") for end in ends]


def audits() -> None:
    """Print a line a month: active accounts, findings, cases, cases to decide; then the sums."""
    totals: dict[str, Counter[str]] = {}
    print("stream  month  accounts  findings  of the model  cases  to decide")
    for stream in sorted(Path(os.environ["AUDITLENS_STREAMS"]).glob("*.ndjson.gz")):
        log = read_log(stream)
        total = totals.setdefault(stream.name, Counter())
        for period in months(log.events):
            audit = run_audit(log, period=period)
            month = Counter(
                accounts=audit.events["sender_id"].n_unique(),
                findings=audit.findings.height,
                model=audit.findings.filter(kind="anomaly").height,
                cases=audit.cases.height,
                decide=audit.cases.filter(is_to_decide()).height,
            )
            total += month
            print(stream.name, period, *month.values(), sep="  ", flush=True)
    totals["all"] = sum(totals.values(), Counter[str]())
    for name, total in totals.items():
        rates = (f"{100 * total[key] / total['accounts']:.1f} {key}" for key in list(total)[1:])
        print(f"{name}: {total['accounts']} account-months, per 100: {', '.join(rates)}")


def main() -> None:
    """Print a table: a line a rule, a column a stream."""
    rules = load_rules()
    found: Counter[tuple[str, str]] = Counter()
    active: Counter[str] = Counter()
    streams = sorted(Path(os.environ["AUDITLENS_STREAMS"]).glob("*.ndjson.gz"))
    moment = pl.col("created_at")
    for stream in streams:
        events = read_log(stream).events
        for period in months(events):
            seen = events.filter(moment >= period.start - HISTORY, moment < period.end)
            earlier = events.filter(moment < period.start - HISTORY)
            outcome = evaluate(rules, seen, period, earlier=earlier)
            inside = seen.filter(moment >= period.start)
            active[stream.name] += inside["sender_id"].n_unique()
            found.update((name, stream.name) for name in outcome.episodes["rule_id"])
    names = {rule.id: rule.name for rule in rules}
    totals = Counter[str]()
    for (rule, _), count in found.items():
        totals[rule] += count
    people = sum(active.values())
    print(f"{len(streams) * MONTHS} months, {people} accounts and months: findings, per 100")
    for rule, count in totals.most_common():
        each = "  ".join(
            f"{100 * found[rule, stream.name] / active[stream.name]:5.1f}" for stream in streams
        )
        print(f"{100 * count / people:6.1f}  {each}  {count:5}  {names[rule]}")
    print(f"{100 * sum(totals.values()) / people:6.1f}  all {sum(totals.values())}")


if __name__ == "__main__":
    audits() if "audits" in sys.argv[1:] else main()
