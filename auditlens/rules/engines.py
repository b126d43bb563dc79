"""The tests beside rules on another engine: DuckDB or Spark must select what Polars selects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import polars as pl

from auditlens.errors import DocumentError, UsageError
from auditlens.rules.portable import PORTABLE, match_portable, portability
from auditlens.rules.rule import Detection, RuleSet
from auditlens.rules.sidecar import Case
from auditlens.rules.testrun import TestResult, faulty, filled_rules, sidecars

__all__ = ["ENGINES", "run_tests_on"]

ENGINES = ("duckdb", "spark")

Place = Callable[[pl.DataFrame], Any]


def run_tests_on(rules: RuleSet, engine: str) -> tuple[TestResult, ...]:
    """Run the sidecars of portable rules on an engine; those of other rules are skipped.

    A case passes when the engine selects the same events as Polars, and some or none as the case
    expects. How hits become findings is the same code everywhere and is not tried here. Raises
    UsageError when the engine is not installed.
    """
    place = placer(engine)
    results: list[TestResult] = []
    for rule, cases in sidecars(rules):
        if isinstance(cases, DocumentError):
            results.append(faulty(rule, cases))
            continue
        for name in dict.fromkeys(case.rule for case in cases):
            mine = [case for case in cases if case.rule == name]
            results.extend(judged(rules, mine, engine, place))
    return tuple(results)


def placer(engine: str) -> Place:
    """Return what puts a frame into the engine."""
    return {"duckdb": duckdb_frame, "spark": spark_frames}[engine]()


def installed(name: str, fix: str) -> Any:
    """Import an engine that is no dependency of ours."""
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name.partition('.')[0]} is not installed here", fix=fix) from None


def duckdb_frame() -> Place:
    connection = installed("duckdb", "pip install duckdb pyarrow").connect()
    connection.execute("SET TimeZone = 'UTC'")
    return lambda frame: connection.from_arrow(frame.to_arrow())


def spark_frames() -> Place:
    from shutil import which

    sql = installed("pyspark.sql", "pip install 'auditlens[spark]'")
    if not which("java"):
        raise UsageError("Spark needs Java, which is not here", fix="Install Java 17 or later")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    kinds = {pl.String: "string", pl.Int64: "bigint", pl.Boolean: "boolean", pl.Float64: "double"}

    def place(frame: pl.DataFrame) -> Any:
        columns = ", ".join(
            f"`{name}` {kinds.get(dtype.base_type(), 'timestamp')}"
            for name, dtype in frame.schema.items()
        )
        return session.createDataFrame(frame.rows(), schema=columns)

    return place


def judged(
    rules: RuleSet, cases: Sequence[Case], engine: str, place: Place
) -> Iterator[TestResult]:
    """Yield the result of each case of one rule."""
    first = cases[0]
    held, _ = filled_rules(rules, first)
    try:
        chosen = held.only(first.rule)
    except KeyError:
        where = f"no rule is called {first.rule}"
        yield from (result(case, where, skipped=False) for case in cases)
        return
    where = portability(chosen, chosen[first.rule])
    if where != PORTABLE:
        yield from (result(case, where, skipped=True) for case in cases)
        return
    for case, (native, foreign) in zip(cases, selected(chosen, cases, place), strict=True):
        message = ""
        if foreign != native:
            message = f"{engine} selects {foreign}, Polars {native}"
        elif case.period is None and bool(foreign) != (case.expect == "match"):
            message = f"expected {case.expect}, {engine} selects {foreign}"
        yield result(case, message, skipped=False)


def result(case: Case, message: str, *, skipped: bool) -> TestResult:
    return TestResult(case.rule, case.name, skipped or not message, message, case.path, case.line,
                      skipped=skipped)  # fmt: skip


def selected(
    rules: RuleSet, cases: Sequence[Case], place: Place
) -> list[tuple[list[str], list[str]]]:
    """Return for each case the ids that Polars selects, and those the engine selects.

    The cases of a rule on single events are tried in one go.
    """
    rule = rules[cases[0].rule]
    frames = [portable_frame(case, number) for number, case in enumerate(cases)]
    batches = [pl.concat(frames)] if isinstance(rule.body, Detection) else frames
    native: list[str] = []
    foreign: list[str] = []
    for frame in batches:
        hits = rules.match(frame).filter(pl.col("rule_id") == rule.id)
        native.extend(frame["id"].gather(hits["row"]))
        foreign.extend(match_portable(rules, place(frame))[rule.id] if frame.height else [])
    return [(of_case(native, number), of_case(foreign, number)) for number in range(len(cases))]


def of_case(ids: Sequence[str], number: int) -> list[str]:
    mine = (one.partition("|") for one in ids)
    return sorted(rest for case, _, rest in mine if case == str(number))


def portable_frame(case: Case, number: int) -> pl.DataFrame:
    """Return a case's events with ids of their own, without what no portable rule reads."""
    plain = [
        name for name, dtype in case.events.schema.items() if not dtype.is_nested()
        and dtype != pl.Binary
    ]  # fmt: skip
    return case.events.select(plain).with_columns(
        pl.concat_str(pl.lit(f"{number}|"), "id").alias("id")
    )
