"""Mutation: change a rule in one place at a time and demand that some test of its own fails.

A change that no test notices is a part of the rule that nothing proves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditlens.rules.condition import And, Bound, Match, Moment, Node, Not, Or, leaves
from auditlens.rules.english import leaf_words
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule, RuleSet
from auditlens.rules.sidecar import Case, read_cases, sidecar_path
from auditlens.rules.testrun import filled_rules, run_case

__all__ = ["Mutant", "mutants", "mutate"]

STEPS: dict[str, tuple[str, ...]] = {
    "first_seen": ("history", "min-history"),
    "dormant_return": ("idle",),
    "off_hours": ("min-days", "min-history"),
    "deviation": ("at-least", "min-buckets"),
    "silence": ("for",),
}
"""The thresholds of a behaviour that its tests must hold from both sides."""


@dataclass(frozen=True)
class Mutant:
    """One change, and whether a test of the rule failed because of it."""

    rule: str
    change: str
    killed: bool


def mutate(rules: RuleSet, rule: Rule) -> tuple[Mutant, ...]:
    """Try every change of one rule against the tests beside it.

    A rule without tests kills nothing. Rules below it are changed by their own tests, not here.
    """
    path = sidecar_path(rule.path)
    cases = read_cases(path) if path.is_file() else ()
    mine = [case for case in cases if rules[case.rule].id == rule.id]
    if mine:
        rules, _ = filled_rules(rules, mine[0])
        mine = [replace(case, placeholders={}) for case in mine]
    return tuple(
        Mutant(rule.name, change, fails(rules, changed, mine))
        for change, changed in mutants(rules[rule.id])
    )


def fails(rules: RuleSet, changed: Rule, cases: Sequence[Case]) -> bool:
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
        for change, habit in changed_habits(body):
            yield change, replace(rule, body=habit)


def changed_trees(condition: Node) -> Iterator[tuple[str, Node]]:
    """Negate each test once, and move each numeric limit by one."""
    for n, leaf in enumerate(leaves(condition)):
        yield f"negated: {leaf_words(leaf)}", swapped(condition, n, Not(leaf))
        if isinstance(leaf, Match) and isinstance(leaf.value, Bound | Moment):
            for step in (-1, 1):
                value = replace(leaf.value, value=leaf.value.value + step)
                moved = Match(leaf.field, value)
                yield f"moved by {step:+d}: {leaf_words(leaf)}", swapped(condition, n, moved)


def swapped(node: Node, number: int, new: Node) -> Node:
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


def changed_habits(body: Behaviour) -> Iterator[tuple[str, Behaviour]]:
    """Move each threshold by one step, and drop the groups."""
    for key in STEPS[body.type]:
        value: Any = body.settings[key]
        for step in (-1, 1):
            if value + step > 0:
                settings = {**body.settings, key: value + step}
                yield f"{key} {step:+d}", replace(body, settings=settings)
    if body.group_by:
        yield f"not grouped by {', '.join(body.group_by)}", replace(body, group_by=())
