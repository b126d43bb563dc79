"""Which test of a rule was true and which was false: for one event, and over all of its tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.rules.condition import leaves
from auditlens.rules.english import leaf_words
from auditlens.rules.rule import Detection, Rule, RuleSet
from auditlens.rules.scan import Scan
from auditlens.rules.sidecar import Case, filled_rules, read_cases, sidecar_path

__all__ = ["LeafCover", "LeafTruth", "explain_failure", "leaf_cover", "trace"]


@dataclass(frozen=True)
class LeafTruth:
    """One test of a rule and whether it held for one event."""

    rule: str
    words: str
    held: bool


@dataclass(frozen=True)
class LeafCover:
    """How often a rule's test was true and false over the events of its own tests."""

    rule: str
    words: str
    times_true: int
    times_false: int

    @property
    def covered(self) -> bool:
        """Both answers were seen, so a test stands on either side."""
        return self.times_true > 0 and self.times_false > 0


def detections_of(rules: RuleSet, key: str) -> list[tuple[Rule, Detection]]:
    """Return the detections a rule is built on, itself included."""
    return [(one, one.body) for one in rules.only(key).rules if isinstance(one.body, Detection)]


def trace(rules: RuleSet, key: str, frame: pl.DataFrame, row: int = 0) -> tuple[LeafTruth, ...]:
    """Say of every test of a rule (and of the rules below it) whether it holds for one event.

    ``frame`` holds the event at position ``row``. Raises KeyError for an unknown rule.
    """
    scan = Scan(frame[[row]])
    only = np.zeros(1, dtype=np.int64)
    return tuple(
        LeafTruth(rule.name, leaf_words(leaf), bool(scan.leaf(leaf, only)[0]))
        for rule, body in detections_of(rules, key)
        for leaf in leaves(body.condition)
    )


def explain_failure(rules: RuleSet, case: Case) -> str:
    """Write, for each of a failed test's first events, which leaf was true and which was not."""
    lines = []
    for row in range(min(3, case.events.height)):
        lines.append(f"event {row + 1} ({case.events['id'][row]}):")
        lines.extend(
            f"  {'true ' if one.held else 'false'}  {one.rule}: {one.words}"
            for one in trace(rules, case.rule, case.events, row)
        )
    return "\n".join(lines)


def leaf_cover(rules: RuleSet, rule: Rule) -> tuple[LeafCover, ...]:
    """Count, over the events of a rule's tests, how often each of its tests was true and false."""
    if not isinstance(rule.body, Detection) or not sidecar_path(rule.path).is_file():
        return ()
    cases: Sequence[Case] = read_cases(sidecar_path(rule.path))
    mine = [case for case in cases if rules[case.rule].id == rule.id]
    if not mine:
        return ()
    body = filled_rules(rules, mine[0])[0][rule.id].body
    assert isinstance(body, Detection)
    events = pl.concat([case.events for case in mine])
    scan, every = Scan(events), np.arange(events.height)
    found = []
    for leaf in dict.fromkeys(leaves(body.condition)):
        held = int(scan.leaf(leaf, every).sum())
        found.append(LeafCover(rule.name, leaf_words(leaf), held, events.height - held))
    return tuple(found)
