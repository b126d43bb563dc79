"""Tests beside rules: ``<rule>.test.yml``, run by the real engine on a fresh frame each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.actions import Classifier, classify, load_classifier
from auditlens.documents import Document, read_documents
from auditlens.errors import DocumentError
from auditlens.events.columns import EVENT_SCHEMA
from auditlens.period import Period
from auditlens.rules.correlation import span_seconds
from auditlens.rules.evaluate import evaluate
from auditlens.rules.load import load_rules
from auditlens.rules.rule import RuleSet
from auditlens.rules.trace import trace

__all__ = [
    "Case",
    "TestResult",
    "explain_failure",
    "filled_rules",
    "read_cases",
    "run_case",
    "run_tests",
    "sidecar_path",
]

START = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
"""When offset 0 is: a Wednesday morning."""

TRACED_EVENTS = 3

KEYS = frozenset({"rule", "placeholders", "tests"})
CASE_KEYS = frozenset({"name", "expect", "findings", "group", "metric", "start", "period", "events",
                       "case"})  # fmt: skip
EVENT_KEYS = frozenset({"offset", "repeat", "every", "event"})
COLUMNS = frozenset(EVENT_SCHEMA) - {"leaf"}


@dataclass(frozen=True)
class Case:
    """One test of a sidecar: events in, and what must come out."""

    rule: str
    name: str
    expect: str
    findings: int | None
    group: Mapping[str, str]
    metric: float | None
    events: pl.DataFrame
    path: Path
    line: int
    kind: str = ""
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class TestResult:
    """What became of one case: ``passed``, and in words what was found instead.

    ``detail`` says, for the first events of a failed case, which test of the rule was true.
    """

    __test__ = False

    rule: str
    name: str
    passed: bool
    message: str
    path: Path
    line: int
    detail: str = ""


def sidecar_path(rule_path: Path) -> Path:
    """Return where a rule's tests are: beside it, ``.test.yml`` in place of ``.yml``."""
    return rule_path.with_name(rule_path.stem + ".test.yml")


def read_cases(
    path: Path, *, classifier: Classifier | None = None, classified: bool = True
) -> tuple[Case, ...]:
    """Read a sidecar. Raises DocumentError at a fault, an impossible event included.

    Events without an action get theirs from ``classifier`` (None = the shipped one), unless
    only the shape of the tests is wanted.
    """
    found: list[Case] = []
    for document in read_documents(path):
        data = document.data
        if not isinstance(data, dict) or not isinstance(data.get("tests"), list):
            raise document.error("a test file has 'rule' and a list 'tests'")
        check(document, data, KEYS)
        for number, test in enumerate(data["tests"]):
            found.append(case(document, data, test, number))
    return with_actions(found, classifier) if classified else tuple(found)


def with_actions(cases: Sequence[Case], classifier: Classifier | None) -> tuple[Case, ...]:
    """Classify the events of all cases in one go; an action that a test gives stays."""
    if not cases:
        return ()
    frame = pl.concat([one.events for one in cases])
    if frame.get_column("action").null_count():
        known = classify(frame, classifier)
        frame = frame.with_columns(
            pl.coalesce(frame.get_column(name), known.get_column(name)).alias(name)
            for name in ("action", "action_group")
        )
    ends = list(accumulate(one.events.height for one in cases))
    return tuple(
        replace(one, events=frame.slice(end - one.events.height, one.events.height))
        for one, end in zip(cases, ends, strict=True)
    )


def check(document: Document, data: Mapping[str, Any], known: frozenset[str], *where: Any) -> None:
    for key in data:
        if key not in known:
            raise document.error(f"the key '{key}' is not known here", *where, key,
                                 fix=f"Known: {', '.join(sorted(known))}")  # fmt: skip


def case(document: Document, data: Mapping[str, Any], test: Any, number: int) -> Case:
    where = ("tests", number)
    if not isinstance(test, dict):
        raise document.error("a test is a mapping", *where)
    check(document, test, CASE_KEYS, *where)
    if test.get("expect") not in ("match", "no_match", "learning"):
        raise document.error("'expect' is match, no_match or learning", *where)
    metric = test.get("metric")
    return Case(
        rule=str(data.get("rule") or document.path.name.split(".")[0]),
        name=str(test.get("name") or f"test {number + 1}"),
        expect=test["expect"],
        findings=test.get("findings"),
        group={str(key): str(value) for key, value in (test.get("group") or {}).items()},
        metric=None if metric is None else float(metric),
        events=event_frame(document, test.get("events") or [], where),
        path=document.path,
        line=document.marks.get(where, (1, 1))[0],
        kind=str(test.get("case") or ""),
        placeholders=filled(document, data.get("placeholders") or {}),
    )


def filled(document: Document, given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not all(isinstance(one, list) for one in given.values()):
        raise document.error("'placeholders' maps names to lists", "placeholders")
    return {name: tuple(str(one) for one in values) for name, values in given.items()}


def event_frame(document: Document, entries: Sequence[Any], where: tuple[Any, ...]) -> pl.DataFrame:
    """Write the events out: repeats, offsets from START, nested names to columns."""
    rows: list[dict[str, Any]] = []
    for number, entry in enumerate(entries):
        place = (*where, "events", number)
        if not isinstance(entry, dict):
            raise document.error("an entry of 'events' is a mapping", *place)
        check(document, entry, EVENT_KEYS, *place)
        first = offset(document, entry.get("offset", "0s"), *place)
        every = offset(document, entry.get("every", "0s"), *place)
        for n in range(int(entry.get("repeat", 1))):
            row = columns(document, entry.get("event") or {}, n, place)
            row.setdefault("id", f"e-{len(rows):05d}")
            row["created_at"] = START + timedelta(seconds=first + n * every)
            rows.append(row)
    frame = pl.DataFrame(rows, schema={n: t for n, t in EVENT_SCHEMA.items() if n != "leaf"})
    return frame.with_columns(pl.col("id").cast(pl.Binary).alias("leaf")).select(list(EVENT_SCHEMA))


def offset(document: Document, value: Any, *where: Any) -> float:
    """Read ``90s``, ``-2d`` or ``0s`` in seconds; fractions of a second as ``0.5s``."""
    text = str(value)
    if re.fullmatch(r"-?\d+(\.\d+)?s", text):
        return float(text[:-1])
    sign = -1 if text.startswith("-") else 1
    return sign * span_seconds(document, text.lstrip("-"), *where)


def columns(
    document: Document, event: Mapping[str, Any], n: int, where: tuple[Any, ...]
) -> dict[str, Any]:
    """Turn one event of a test into columns; ``{n}`` in a text counts the repeats."""
    import json

    row: dict[str, Any] = {}
    for name, value in flattened(event):
        column = name.replace(".", "_")
        if column not in COLUMNS:
            raise document.error(f"no event has the field '{name}'", *where,
                                 fix="Put fields of your own under 'metadata'")  # fmt: skip
        row[column] = numbered(value, n)
    if isinstance(row.get("metadata"), dict | list):
        row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False, sort_keys=True)
    return row


def flattened(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in event.items():
        if isinstance(value, dict) and name != "metadata":
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield name, value


def numbered(value: Any, n: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, list):
        return [numbered(one, n) for one in value]
    if isinstance(value, dict):
        return {key: numbered(one, n) for key, one in value.items()}
    return value


def explain_failure(rules: RuleSet, one: Case) -> str:
    """Write, for each of a case's first events, which test of the rule was true or false."""
    lines = []
    for row in range(min(TRACED_EVENTS, one.events.height)):
        lines.append(f"event {row + 1} ({one.events['id'][row]}):")
        lines.extend(
            f"  {'true ' if truth.held else 'false'}  {truth.rule}: {truth.words}"
            for truth in trace(rules, one.rule, one.events, row)
        )
    return "\n".join(lines)


def filled_rules(rules: RuleSet, one: Case) -> tuple[RuleSet, Case]:
    """Load the rules again with the placeholders a test gives; the test then needs none."""
    if not one.placeholders:
        return rules, one
    placeholders = {**rules.placeholders, **one.placeholders}
    return load_rules(rules.files, placeholders=placeholders), replace(one, placeholders={})


def run_case(rules: RuleSet, one: Case, *, timezone: str = "UTC") -> TestResult:
    """Run one case with the real engine; only the named rule is looked at."""
    rules, one = filled_rules(rules, one)
    try:
        chosen = rules.only(one.rule)
    except KeyError:
        return TestResult(one.rule, one.name, False, f"no rule is called {one.rule}", one.path,
                          one.line)  # fmt: skip
    rule = chosen[one.rule]
    days = one.events.get_column("created_at")
    start = days.min() or START
    period = Period(start, (days.max() or START) + timedelta(days=1), "test")  # type: ignore[operator,arg-type]
    outcome = evaluate(chosen, one.events, period, timezone=timezone)
    mine = pl.col("rule_id") == rule.id
    learning = outcome.health.filter(mine).get_column("learning").sum()
    message = verdict(one, outcome.episodes.filter(mine), int(learning))
    detail = explain_failure(rules, one) if message else ""
    return TestResult(one.rule, one.name, not message, message, one.path, one.line, detail)


def verdict(one: Case, found: pl.DataFrame, learning: int = 0) -> str:
    """Say in words how the outcome differs from what was expected; empty when it does not."""
    if one.expect == "match" and not found.height:
        return "expected a match, nothing matched"
    if one.expect != "match" and found.height:
        return f"expected no match, found {found.height}: {found['reason'][0]}"
    if one.expect == "learning" and not learning:
        return "expected learning, but nothing waited for more history"
    if one.findings is not None and one.expect == "match" and found.height != one.findings:
        return f"expected {one.findings} finding(s), found {found.height}"
    if one.metric is not None and one.metric not in found["value"].to_list():
        return f"expected the metric {one.metric:g}, found {found['value'].to_list()}"
    subjects = set(found["subject_id"].to_list())
    for name, value in one.group.items():
        if value not in subjects:
            return f"expected a finding with {name} {value}, found {sorted(subjects)}"
    return ""


def run_tests(rules: RuleSet, *, timezone: str = "UTC") -> tuple[TestResult, ...]:
    """Run the sidecars of every rule of the set that has one, in the order of the rules."""
    results: list[TestResult] = []
    classifier = load_classifier()
    seen: set[Path] = set()
    for rule in rules.rules:
        path = sidecar_path(rule.path)
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        try:
            cases = read_cases(path, classifier=classifier)
            results.extend(run_case(rules, one, timezone=timezone) for one in cases)
        except DocumentError as error:
            results.append(TestResult(rule.name, "", False, str(error), path, error.line))
    return tuple(results)
