"""Which test of a rule was true for one event, and which was false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.rules.condition import leaves
from auditlens.rules.english import leaf_words
from auditlens.rules.rule import Detection, Rule, RuleSet
from auditlens.rules.scan import Scan

__all__ = ["LeafTruth", "trace"]


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
