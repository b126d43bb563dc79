"""Whether a rule's own tests see each of its tests both true and false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.rules.condition import leaves
from auditlens.rules.english import leaf_words
from auditlens.rules.rule import Detection, Rule, RuleSet
from auditlens.rules.scan import Scan
from auditlens.rules.sidecar import read_cases, sidecar_path
from auditlens.rules.testrun import filled_rules

__all__ = ["LeafCover", "leaf_cover"]


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


def leaf_cover(rules: RuleSet, rule: Rule) -> tuple[LeafCover, ...]:
    """Count, over the events of a rule's tests, how often each of its tests was true and false."""
    if not isinstance(rule.body, Detection) or not sidecar_path(rule.path).is_file():
        return ()
    cases = read_cases(sidecar_path(rule.path))
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
