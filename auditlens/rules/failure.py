"""Why a test beside a rule failed: what each rule below it matched, and which of its tests held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from auditlens.rules.english import span_words
from auditlens.rules.evaluate import Pass, one_an_instant, run
from auditlens.rules.habits import Calendar
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule, RuleSet
from auditlens.rules.timeline import text_of, timeline
from auditlens.rules.trace import trace
from auditlens.rules.vocabulary import Rows
from auditlens.rules.windows import reached

if TYPE_CHECKING:
    from auditlens.rules.sidecar import Case

__all__ = ["explain_failure"]

TRACED_EVENTS = 3
LISTED_EVENTS = 12
SHOWN_GROUPS = 5


def explain_failure(rules: RuleSet, one: Case, *, timezone: str = "UTC") -> str:
    """Write what each rule matched, how far each window got, and each test event by event.

    Events are numbered from 1, as the test lists them, repeats written out. Every test of the
    rule, and of the rules below it, is shown for the first events.
    """
    chosen = rules.only(one.rule)
    done = run(chosen, one.events, time="created_at", calendar=Calendar(timezone))
    lines = [line for rule in from_below(chosen) for line in matched(rule, chosen, done)]
    for row in range(min(TRACED_EVENTS, one.events.height)):
        lines.append(f"event {row + 1} ({one.events['id'][row]}):")
        lines.extend(
            f"  {'true ' if truth.held else 'false'}  {truth.rule}: {truth.words}"
            for truth in trace(rules, one.rule, one.events, row)
        )
    return "\n".join(lines)


def from_below(rules: RuleSet) -> list[Rule]:
    """Order rules so that each comes after those it is built on."""
    order: dict[str, Rule] = {}

    def add(rule: Rule) -> None:
        for ref in rule.references_to:
            add(rules[ref])
        order.setdefault(rule.id, rule)

    for rule in rules.rules:
        add(rule)
    return list(order.values())


def matched(rule: Rule, rules: RuleSet, done: Pass) -> Iterator[str]:
    """Yield what one rule matched, and for a window or a behaviour how far it got."""
    if rule.id not in done.hits:
        yield f"{rule.name}: not run, it is off ({rule.reason_off})"
        return
    height, rows = done.frame.height, done.hits[rule.id]
    word = "matches" if isinstance(rule.body, Detection) else "fires at"
    yield f"{rule.name}: {word} {listed(rows)} of {height}"
    if isinstance(rule.body, Correlation):
        yield from windows(rule.body, rules, done)
    elif isinstance(rule.body, Behaviour):
        waiting = done.learning.get(rule.id, 0)
        yield f"  {rule.body.type}: {waiting} of {done.examined[rule.id]} still learning"


def listed(rows: Sequence[int] | Rows) -> str:
    """Name events by their numbers, the first of them if there are many."""
    if not len(rows):
        return "no event"
    names = ", ".join(str(row + 1) for row in rows[:LISTED_EVENTS])
    more = f" and {len(rows) - LISTED_EVENTS} more" if len(rows) > LISTED_EVENTS else ""
    return f"event{'' if len(rows) == 1 else 's'} {names}{more}"


def windows(body: Correlation, rules: RuleSet, done: Pass) -> Iterator[str]:
    """Yield for each group which rules occurred, and the most that a window reached."""
    assert done.times is not None
    inputs = [one_an_instant(done, ref, done.hits[ref]) for ref in body.rules]
    horizon = int(done.times.max() or 0)  # type: ignore[arg-type]
    line, lost = timeline(body, done.frame, done.times, inputs, horizon)
    if lost:
        yield f"  {lost} without a value for {', '.join(body.group_by)}, left out"
    groups, first = np.unique(line.group, return_index=True)
    for group, at in list(zip(groups, first, strict=True))[:SHOWN_GROUPS]:
        inside = line.group == group
        name = label(body, done.frame, int(line.row[at]))
        if body.type.startswith("temporal"):
            for slot, ref in enumerate(body.rules):
                rows = line.row[inside & (line.slot == slot)]
                yield f"  {name}: {rules[ref].name} occurs at {listed(rows)}"
        else:
            metric, valid = reached(body, line)
            best = metric[inside & valid].max(initial=0.0)
            assert body.threshold is not None
            limit = f"{body.threshold.op} {body.threshold.value:g}"
            yield f"  {name}: at most {best:g} within {span_words(body.seconds)}, wanted {limit}"
    if len(groups) > SHOWN_GROUPS:
        yield f"  and {len(groups) - SHOWN_GROUPS} more groups"


def label(body: Correlation, frame: pl.DataFrame, row: int) -> str:
    """Name a group by the values of one of its events."""
    if not body.group_by:
        return "all events"
    one = frame[[row]]
    return ", ".join(f"{name} {text_of(one, name)[0]}" for name in body.group_by)
