"""Running the tests beside rules: the real engine, on a fresh frame for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from auditlens.actions import load_classifier
from auditlens.errors import DocumentError
from auditlens.period import Period
from auditlens.rules.evaluate import evaluate
from auditlens.rules.failure import explain_failure
from auditlens.rules.load import load_rules
from auditlens.rules.rule import Rule, RuleSet
from auditlens.rules.sidecar import START, Case, read_cases, sidecar_path

__all__ = ["TestResult", "filled_rules", "run_case", "run_tests", "sidecars"]


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
    whole = Period(start, (days.max() or START) + timedelta(days=1), "test")  # type: ignore[operator,arg-type]
    outcome = evaluate(chosen, one.events, one.period or whole, timezone=timezone)
    mine = pl.col("rule_id") == rule.id
    learning = outcome.health.filter(mine).get_column("learning").sum()
    message = verdict(one, outcome.episodes.filter(mine), int(learning))
    detail = explain_failure(rules, one, timezone=timezone) if message else ""
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
        noun = "finding" if one.findings == 1 else "findings"
        return f"expected {one.findings} {noun}, found {found.height}"
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
    for rule, cases in sidecars(rules):
        if isinstance(cases, DocumentError):
            results.append(
                TestResult(rule.name, "", False, str(cases), sidecar_path(rule.path), cases.line)
            )
        else:
            results.extend(run_case(rules, one, timezone=timezone) for one in cases)
    return tuple(results)


def sidecars(rules: RuleSet) -> Iterator[tuple[Rule, tuple[Case, ...] | DocumentError]]:
    """Yield each rule that has a sidecar with its cases, or with what is wrong with the file."""
    classifier = load_classifier()
    seen: set[Path] = set()
    for rule in rules.rules:
        path = sidecar_path(rule.path)
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        try:
            yield rule, read_cases(path, classifier=classifier)
        except DocumentError as error:
            yield rule, error
