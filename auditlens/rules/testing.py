"""Tries rules: the tests beside them, why one failed, mutants, leaf coverage, and backtests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from auditlens.errors import DocumentErrors
from auditlens.events import load_classifier
from auditlens.period import Period
from auditlens.rules.budget import findings_rates
from auditlens.rules.condition import And, Bound, Match, Moment, Node, Not, Or, leaves
from auditlens.rules.dictionary import Rows, text_of
from auditlens.rules.engine import Evaluation, evaluate, one_per_instant, run
from auditlens.rules.explain import leaf_words, span_words
from auditlens.rules.hours import Calendar
from auditlens.rules.matching import Matcher
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule
from auditlens.rules.ruleset import RuleSet, load_rules
from auditlens.rules.sidecar import START, Case, read_cases, sidecar_path, with_actions
from auditlens.rules.windows import build_timeline, window_metrics
from auditlens.text import count

__all__ = [
    "Backtest",
    "LeafCoverage",
    "LeafTruth",
    "Mutant",
    "TestResult",
    "backtest",
    "explain_failure",
    "leaf_coverage",
    "mutate",
    "run_case",
    "run_tests",
    "trace",
]


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


def with_placeholders(rules: RuleSet, case: Case) -> tuple[RuleSet, Case]:
    """Load the rules again with the placeholders a test gives; the test then needs none."""
    if not case.placeholders:
        return rules, case
    placeholders = {**rules.placeholders, **case.placeholders}
    return load_rules(rules.files, placeholders=placeholders), replace(case, placeholders={})


def run_case(rules: RuleSet, case: Case, *, timezone: str = "UTC") -> TestResult:
    """Run one test with the real engine; only the named rule is looked at.

    Args:
        rules: The set that holds the rule.
        case: The test.
        timezone: IANA zone in which parts of a time are read.

    Returns:
        Whether it passed, and otherwise what was found instead and why.
    """
    rules, case = with_placeholders(rules, case)
    try:
        chosen = rules.only(case.rule)
    except KeyError:
        return TestResult(case.rule, case.name, False, f"no rule is called {case.rule}", case.path,
                          case.line)  # fmt: skip
    rule = chosen[case.rule]
    days = case.events.get_column("created_at")
    start = days.min() or START
    default_period = Period(start, (days.max() or START) + timedelta(days=1), "test")  # type: ignore[operator,arg-type]
    outcome = evaluate(chosen, case.events, case.period or default_period, timezone=timezone)
    mine = pl.col("rule_id") == rule.id
    learning = outcome.health.filter(mine).get_column("learning").sum()
    message = verdict(case, outcome.episodes.filter(mine), int(learning))
    detail = explain_failure(rules, case, timezone=timezone) if message else ""
    return TestResult(case.rule, case.name, not message, message, case.path, case.line, detail)


def verdict(case: Case, episodes: pl.DataFrame, learning: int = 0) -> str:
    """Say in words how the outcome differs from what was expected; empty when it does not."""
    if case.expect == "match" and not episodes.height:
        return "expected a match, nothing matched"
    if case.expect != "match" and episodes.height:
        return f"expected no match, found {episodes.height}: {episodes['reason'][0]}"
    if case.expect == "learning" and not learning:
        return "expected learning, but nothing waited for more history"
    if case.findings is not None and case.expect == "match" and episodes.height != case.findings:
        return f"expected {count(case.findings, 'finding')}, found {episodes.height}"
    if case.metric is not None and case.metric not in episodes["value"].to_list():
        return f"expected the metric {case.metric:g}, found {episodes['value'].to_list()}"
    subjects = set(episodes["subject_id"].to_list())
    for name, value in case.group.items():
        if value not in subjects:
            return f"expected a finding with {name} {value}, found {sorted(subjects)}"
    return ""


def run_tests(rules: RuleSet, *, timezone: str = "UTC") -> tuple[TestResult, ...]:
    """Run the tests beside every rule of the set, in the order of the rules.

    Args:
        rules: The rules; ``<rule>.test.yml`` is looked for beside the file of each.
        timezone: IANA zone in which parts of a time (the hour, the weekday) are read.

    Returns:
        One result a test. A file that cannot be read is one failed test.
    """
    files: dict[Path, tuple[Case, ...] | DocumentErrors] = {}
    names: dict[Path, str] = {}
    for rule in rules:
        path = sidecar_path(rule.path)
        if path in files or not path.is_file():
            continue
        names[path] = rule.name
        try:
            files[path] = read_cases(path, classified=False)
        except DocumentErrors as faults:
            files[path] = faults
    read = [one for cases in files.values() if isinstance(cases, tuple) for one in cases]
    classified = with_actions(tuple(read), load_classifier())
    matching = one_pass(rules, classified, timezone)
    results = iter(
        TestResult(one.rule, one.name, True, "", one.path, one.line)
        if n in matching and matching[n] == (one.expect == "match")
        else run_case(rules, one, timezone=timezone)
        for n, one in enumerate(classified)
    )
    results_in_order: list[TestResult] = []
    for path, cases in files.items():
        if isinstance(cases, DocumentErrors):
            line = cases.errors[0].line
            results_in_order.append(TestResult(names[path], "", False, str(cases), path, line))
        else:
            results_in_order.extend(islice(results, len(cases)))
    return tuple(results_in_order)


def one_pass(rules: RuleSet, cases: Sequence[Case], timezone: str) -> dict[int, bool]:
    """Whether the events of a case match its rule, for all cases where that decides the test.

    That is so for rules on single events, whose hits do not depend on other events: they are
    tried on the events of all cases at once. Keys are positions in ``cases``.
    """
    plain = {n: one for n, one in enumerate(cases) if decided_by_hits(rules, one)}
    if not plain:
        return {}
    frame = pl.concat([one.events for one in plain.values()])
    case_of_row = np.repeat(list(plain), [one.events.height for one in plain.values()])
    chosen = rules.only(*{one.rule for one in plain.values()})
    done = run(chosen.rules, frame, time=None, calendar=Calendar(timezone))
    matching = {
        rule_id: frozenset(case_of_row[rows].tolist()) for rule_id, rows in done.hits.items()
    }
    ids = {n: rules[one.rule].id for n, one in plain.items()}
    return {n: n in matching[rule_id] for n, rule_id in ids.items() if rule_id not in done.stopped}


def decided_by_hits(rules: RuleSet, case: Case) -> bool:
    """Whether a test asks nothing but if some event matches."""
    if case.placeholders or case.period or case.group or case.expect == "learning":
        return False
    if case.findings is not None or case.metric is not None:
        return False
    names = {name for rule in rules for name in (rule.id, rule.name, rule.title)}
    return case.rule in names and isinstance(rules[case.rule].body, Detection)


TRACED_EVENTS = 3
LISTED_EVENTS = 12
SHOWN_GROUPS = 5


def explain_failure(rules: RuleSet, case: Case, *, timezone: str = "UTC") -> str:
    """Write what each rule matched, how far each window got, and each test event by event.

    Events are numbered from 1, as the test lists them, repeats written out. Every test of the
    rule, and of the rules below it, is shown for the first events.

    Args:
        rules: The set that holds the rule and those below it.
        case: The case that failed.
        timezone: IANA name of the zone in which hours and days are taken; default: UTC.

    Returns:
        Lines of plain text.
    """
    chosen = rules.only(case.rule)
    done = run(chosen.rules, case.events, time="created_at", calendar=Calendar(timezone))
    lines = [
        line for rule in dependencies_first(chosen) for line in matched_lines(rule, chosen, done)
    ]
    for row in range(min(TRACED_EVENTS, case.events.height)):
        lines.append(f"event {row + 1} ({case.events['id'][row]}):")
        lines.extend(
            f"  {'true ' if truth.held else 'false'}  {truth.rule}: {truth.words}"
            for truth in trace(rules, case.rule, case.events, row)
        )
    return "\n".join(lines)


def dependencies_first(rules: RuleSet) -> list[Rule]:
    """Order rules so that each comes after those it is built on."""
    order: dict[str, Rule] = {}

    def add(rule: Rule) -> None:
        for ref in rule.references_to:
            add(rules[ref])
        order.setdefault(rule.id, rule)

    for rule in rules.rules:
        add(rule)
    return list(order.values())


def matched_lines(rule: Rule, rules: RuleSet, done: Evaluation) -> Iterator[str]:
    """Yield what one rule matched, and for a window or a behaviour how far it got."""
    if rule.id not in done.hits:
        yield f"{rule.name}: not run, it is off ({rule.reason_off})"
        return
    height, rows = done.frame.height, done.hits[rule.id]
    word = "matches" if isinstance(rule.body, Detection) else "fires at"
    yield f"{rule.name}: {word} {event_numbers(rows)} of {height}"
    if isinstance(rule.body, Correlation):
        yield from window_lines(rule.body, rules, done)
    elif isinstance(rule.body, Behaviour):
        waiting = len(done.learning[rule.id])
        yield f"  {rule.body.type}: {waiting} of {done.examined[rule.id]} still learning"


def event_numbers(rows: Sequence[int] | Rows) -> str:
    """Name events by their numbers, the first of them if there are many."""
    if not len(rows):
        return "no event"
    names = ", ".join(str(row + 1) for row in rows[:LISTED_EVENTS])
    more = f" and {len(rows) - LISTED_EVENTS} more" if len(rows) > LISTED_EVENTS else ""
    return f"event{'' if len(rows) == 1 else 's'} {names}{more}"


def window_lines(body: Correlation, rules: RuleSet, done: Evaluation) -> Iterator[str]:
    """Yield for each group which rules occurred, and the most that a window reached."""
    assert done.times is not None
    inputs = [one_per_instant(done, ref, done.hits[ref]) for ref in body.rules]
    horizon = int(done.times.max() or 0)  # type: ignore[arg-type]
    line, lost = build_timeline(body, done.frame, done.times, inputs, horizon)
    if lost:
        yield f"  {lost} without a value for {', '.join(body.group_by)}, left out"
    groups, first = np.unique(line.group, return_index=True)
    for group, at in list(zip(groups, first, strict=True))[:SHOWN_GROUPS]:
        inside = line.group == group
        name = group_label(body, done.frame, int(line.row[at]))
        if body.type.startswith("temporal"):
            for slot, ref in enumerate(body.rules):
                rows = line.row[inside & (line.slot == slot)]
                yield f"  {name}: {rules[ref].name} occurs at {event_numbers(rows)}"
        else:
            metric, valid = window_metrics(body, line)
            best = metric[inside & valid].max(initial=0.0)
            assert body.threshold is not None
            limit = f"{body.threshold.op} {body.threshold.value:g}"
            yield f"  {name}: at most {best:g} within {span_words(body.seconds)}, wanted {limit}"
    if len(groups) > SHOWN_GROUPS:
        yield f"  and {len(groups) - SHOWN_GROUPS} more groups"


def group_label(body: Correlation, frame: pl.DataFrame, row: int) -> str:
    """Name a group by the values of one of its events."""
    if not body.group_by:
        return "all events"
    one = frame[[row]]
    return ", ".join(f"{name} {text_of(one, name)[0]}" for name in body.group_by)


@dataclass(frozen=True)
class LeafTruth:
    """One test of a rule and whether it held for one event."""

    rule: str
    words: str
    held: bool


def detections_of(rules: RuleSet, key: str) -> list[tuple[Rule, Detection]]:
    """Return the detections a rule is built on, itself included."""
    return [(one, one.body) for one in rules.only(key).rules if isinstance(one.body, Detection)]


def trace(rules: RuleSet, key: str, frame: pl.DataFrame, row: int = 0) -> tuple[LeafTruth, ...]:
    """Say of every test of a rule, and of the rules below it, whether it holds for one event.

    Args:
        rules: The set the rule stands in.
        key: Its id, name or title.
        frame: Events.
        row: Position of the event in ``frame``.

    Returns:
        One entry a leaf of the condition, from left to right.

    Raises:
        KeyError: For a rule that is not in the set.
    """
    scan = Matcher(frame[[row]])
    only = np.zeros(1, dtype=np.int64)
    return tuple(
        LeafTruth(rule.name, leaf_words(leaf), bool(scan.leaf(leaf, only)[0]))
        for rule, body in detections_of(rules, key)
        for leaf in leaves(body.condition)
    )


@dataclass(frozen=True)
class LeafCoverage:
    """How often a rule's test was true and false over the events of its own tests."""

    rule: str
    words: str
    times_true: int
    times_false: int

    @property
    def covered(self) -> bool:
        """Both answers were seen, so a test stands on either side."""
        return self.times_true > 0 and self.times_false > 0


def leaf_coverage(rules: RuleSet, rule: Rule) -> tuple[LeafCoverage, ...]:
    """Count how often each test of a rule was true and false over the events beside it.

    Args:
        rules: The set the rule stands in.
        rule: A rule on single events; others have no leaves.

    Returns:
        One entry a leaf; none for a rule without tests.
    """
    if not isinstance(rule.body, Detection) or not sidecar_path(rule.path).is_file():
        return ()
    cases = read_cases(sidecar_path(rule.path))
    mine = [case for case in cases if rules[case.rule].id == rule.id]
    if not mine:
        return ()
    body = with_placeholders(rules, mine[0])[0][rule.id].body
    assert isinstance(body, Detection)
    events = pl.concat([case.events for case in mine])
    scan, every = Matcher(events), np.arange(events.height)
    found = []
    for leaf in dict.fromkeys(leaves(body.condition)):
        held = int(scan.leaf(leaf, every).sum())
        found.append(LeafCoverage(rule.name, leaf_words(leaf), held, events.height - held))
    return tuple(found)


STEPS: dict[str, tuple[str, ...]] = {
    "first_seen": ("history", "min-history", "active-days"),
    "dormant_return": ("idle", "active-days"),
    "off_hours": ("history", "min-history", "active-days"),
    "deviation": ("at-least", "min-buckets"),
    "silence": ("for", "min-intervals"),
}
"""The thresholds of a behaviour that its tests must hold from both sides."""


@dataclass(frozen=True)
class Mutant:
    """One change, and whether a test of the rule failed because of it."""

    rule: str
    change: str
    killed: bool


def mutate(rules: RuleSet, rule: Rule) -> tuple[Mutant, ...]:
    """Change a rule in one place at a time and run the tests beside it.

    A change that no test notices is a part of the rule that nothing proves. Rules below it are
    changed by their own tests, not here.

    Args:
        rules: The set the rule stands in.
        rule: The rule to change.

    Returns:
        Every change, and whether a test failed because of it; a rule without tests kills nothing.
    """
    path = sidecar_path(rule.path)
    cases = read_cases(path) if path.is_file() else ()
    mine = [case for case in cases if rules[case.rule].id == rule.id]
    if mine:
        rules, _ = with_placeholders(rules, mine[0])
        mine = [replace(case, placeholders={}) for case in mine]
    return tuple(
        Mutant(rule.name, change, is_killed(rules, changed, mine))
        for change, changed in mutants(rules[rule.id])
    )


def is_killed(rules: RuleSet, changed: Rule, cases: Sequence[Case]) -> bool:
    swapped = tuple(changed if one.id == changed.id else one for one in rules.rules)
    other = replace(rules, rules=swapped)
    return any(not run_case(other, case).passed for case in cases)


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield every changed rule with the change in words."""
    body = rule.body
    if isinstance(body, Detection):
        for change, tree in changed_trees(body.condition):
            yield change, replace(rule, body=replace(body, condition=tree))
    elif isinstance(body, Correlation):
        for change, one in changed_windows(body):
            yield change, replace(rule, body=one)
    else:
        for change, behaviour in changed_behaviours(body):
            yield change, replace(rule, body=behaviour)


def changed_trees(condition: Node) -> Iterator[tuple[str, Node]]:
    """Negate each test once, and move each numeric limit by one."""
    for n, leaf in enumerate(leaves(condition)):
        yield f"negated: {leaf_words(leaf)}", with_leaf(condition, n, Not(leaf))
        if isinstance(leaf, Match) and isinstance(leaf.value, Bound | Moment):
            for step in (-1, 1):
                value = replace(leaf.value, value=leaf.value.value + step)
                moved = Match(leaf.field, value)
                yield f"moved by {step:+d}: {leaf_words(leaf)}", with_leaf(condition, n, moved)


def with_leaf(node: Node, number: int, new: Node) -> Node:
    """Return the tree with its n-th leaf replaced."""
    counter = iter(range(1 << 30))

    def walk(one: Node) -> Node:
        if isinstance(one, And | Or):
            return type(one)(tuple(walk(child) for child in one.children))
        if isinstance(one, Not):
            return Not(walk(one.child))
        return new if next(counter) == number else one

    return walk(node)


def changed_windows(body: Correlation) -> Iterator[tuple[str, Correlation]]:
    """Move the threshold and the span by one, and drop the groups and the order."""
    if body.threshold is not None and not default_count(body):
        for step in (-1, 1):
            moved = replace(body.threshold, value=body.threshold.value + step)
            yield f"threshold {step:+d}", replace(body, threshold=moved)
    for step in (-1, 1):
        if body.seconds + step > 0:
            yield f"time span {step:+d} second", replace(body, seconds=body.seconds + step)
    for name in body.group_by:
        rest = tuple(one for one in body.group_by if one != name)
        yield f"not grouped by {name}", replace(body, group_by=rest)
    if body.type == "temporal_ordered":
        yield "in any order", replace(body, type="temporal")


def default_count(body: Correlation) -> bool:
    """All rules must occur: there is no number in the rule to move upwards."""
    assert body.threshold is not None
    return body.type.startswith("temporal") and body.threshold.value == len(body.rules)


def changed_behaviours(body: Behaviour) -> Iterator[tuple[str, Behaviour]]:
    """Move each threshold by one step, and drop the groups."""
    for key in STEPS[body.type]:
        value: Any = body.settings[key]
        for step in (-1, 1):
            # A span of nothing is one that the rule does not name.
            if value and value + step > 0:
                settings = {**body.settings, key: value + step}
                yield f"{key} {step:+d}", replace(body, settings=settings)
    if body.group_by:
        yield f"not grouped by {', '.join(body.group_by)}", replace(body, group_by=())


Suppress = Callable[[pl.DataFrame], pl.Series]


@dataclass(frozen=True)
class Backtest:
    """What rules would have found.

    Attributes:
        weeks: rule_id, title, level, week (Date, its Monday), episodes, suppressed, events.
        senders: rule_id, title, subject_id, subject_label, episodes, events; the most frequent
            first within each rule.
        rates: rule_id, title, level, findings, and per_100: findings for 100 accounts that are
            active in a month, on average over the months of the period.
        health: As RuleOutcome.health.
    """

    weeks: pl.DataFrame
    senders: pl.DataFrame
    rates: pl.DataFrame
    health: pl.DataFrame


def backtest(
    rules: RuleSet,
    events: pl.DataFrame | pl.LazyFrame,
    since: datetime,
    *,
    until: datetime | None = None,
    timezone: str = "UTC",
    holidays: Iterable[date] = (),
    suppress: Suppress | None = None,
    top: int = 5,
) -> Backtest:
    """Run the rules over a log from ``since`` on; what came before is history.

    Args:
        rules: The rules.
        events: As for ``evaluate``.
        since: First instant of the period.
        until: End of the period; None = just after the last event.
        timezone: IANA zone of hours, days and weeks.
        holidays: As for ``evaluate``.
        suppress: Answers for each episode whether an exception held at that time (a Boolean column
            of the episodes' height); such episodes are counted apart.
        top: How many subjects are listed for each rule.

    Returns:
        Episodes by rule and week, and the subjects with most of them.
    """
    frame = events.collect() if isinstance(events, pl.LazyFrame) else events
    end = until or last_instant(frame) or since
    period = Period(since, max(end, since), f"since {since:%Y-%m-%d}", timezone)
    outcome = evaluate(rules, frame, period, timezone=timezone, holidays=holidays)
    episodes = outcome.episodes
    held = suppress(episodes) if suppress else pl.Series([False]).new_from_index(0, episodes.height)
    episodes = episodes.with_columns(held.cast(pl.Boolean).fill_null(False).alias("suppressed"))
    local = pl.col("first_at").dt.convert_time_zone(timezone).dt.date()
    rule = ["rule_id", "title", "level"]
    counted = [
        (~pl.col("suppressed")).sum().cast(pl.Int64).alias("episodes"),
        pl.col("suppressed").sum().cast(pl.Int64).alias("suppressed"),
        pl.col("event_count").sum().alias("events"),
    ]
    weeks = episodes.group_by(*rule, local.dt.truncate("1w").alias("week")).agg(counted)
    subject = ["rule_id", "title", "subject_id", "subject_label"]
    senders = (
        episodes.filter(~pl.col("suppressed"))
        .group_by(subject)
        .agg(pl.len().cast(pl.Int64).alias("episodes"), pl.col("event_count").sum().alias("events"))
        .sort("rule_id", "episodes", "events", "subject_id", descending=[False, True, True, False])
        .group_by("rule_id", maintain_order=True)
        .head(top)
    )
    rates = findings_rates(episodes.filter(~pl.col("suppressed")), frame, period)
    return Backtest(weeks.sort("week", "rule_id"), senders, rates, outcome.health)


def last_instant(frame: pl.DataFrame) -> datetime | None:
    """Return a moment just after the last event."""
    last = frame.get_column("created_at").dt.offset_by("1us").max()
    return last if isinstance(last, datetime) else None
