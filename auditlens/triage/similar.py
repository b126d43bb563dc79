"""What became of findings like this one: decided before, or seen in a signed month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from auditlens.triage.change import SealedMonth
from auditlens.triage.journal import Journal

__all__ = ["Similar", "similar_findings"]

BOTH, SUBJECT, RULE = "same rule and subject", "same subject", "same rule"
CLOSENESS = {BOTH: 0, SUBJECT: 1, RULE: 2}


@dataclass(frozen=True)
class Similar:
    """An earlier finding: in what it is alike, when, and what was decided (empty: nothing)."""

    finding: str
    about: str
    at: datetime
    verdict: str = ""
    reviewer: str = ""
    reason: str = ""


def similar_findings(
    finding: Mapping[str, Any], journal: Journal, earlier: Sequence[SealedMonth], count: int
) -> tuple[Similar, ...]:
    """The ``count`` earlier findings most alike, closest first and then latest first.

    Alike are rule (or model) and subject. What the journal says of a finding counts; one of a
    signed month that it says nothing of is told as undecided, when both are the same.
    """
    rule, subject = finding["rule_id"], finding["subject_id"]
    found = {
        one.finding: Similar(
            one.finding, likeness(one.rule == rule, one.subject == subject), one.at,
            one.verdict, one.reviewer, one.reason,
        )
        for one in journal.latest.values()
        if (one.rule and one.rule == rule) or (one.subject and one.subject == subject)
    }  # fmt: skip
    for month in earlier:
        same = month.findings.filter(
            pl.col("rule_id").eq_missing(pl.lit(rule)) & pl.col("subject_id").eq(subject)
        )
        for name in same["finding_id"]:
            found.setdefault(name, Similar(name, BOTH, month.end))
    found.pop(finding["finding_id"], None)
    order = sorted(found.values(), key=lambda one: one.finding)
    order.sort(key=lambda one: one.at, reverse=True)
    order.sort(key=lambda one: CLOSENESS[one.about])
    return tuple(order[:count])


def likeness(rule: bool, subject: bool) -> str:
    return BOTH if rule and subject else SUBJECT if subject else RULE
