"""How often each rule was right, from what reviewers decided, and when to tune it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from auditlens.triage.append import entry_line, exception_id
from auditlens.triage.journal import Journal

__all__ = ["FALSE_ALARMS", "Tuning", "rule_precision", "tuning_hints", "with_precision"]

FALSE_ALARMS = 5
"""So many findings of one rule decided benign call for tuning it."""

DAYS = 90
COUNTED = {"true_positive": True, "accepted_risk": True, "benign": False}
SCHEMA = {
    "rule_id": pl.String(),
    "decided": pl.Int64(),
    "false_alarms": pl.Int64(),
    "precision": pl.Float64(),
}


@dataclass(frozen=True)
class Tuning:
    """A rule that keeps being wrong, and a line for the journal that only lacks its approver."""

    rule_id: str
    decided: int
    false_alarms: int
    subject: str
    line: str


def decided(findings: pl.DataFrame, journal: Journal) -> list[tuple[str, str, str, bool]]:
    """Rule, subject, its kind and whether it was right, of each decision that counts.

    What a finding of this period was about is taken from the finding; of any other period
    from what the journal noted beside the decision.
    """
    columns = ("finding_id", "rule_id", "subject_id", "subject_kind")
    about = {row[0]: row[1:] for row in findings.select(columns).iter_rows()}
    found = []
    for name, one in sorted(journal.latest.items()):
        rule, subject, kind = about.get(name, (one.rule, one.subject, ""))
        if rule and one.verdict in COUNTED:
            found.append((rule, subject or "", kind or "", COUNTED[one.verdict]))
    return found


def rule_precision(findings: pl.DataFrame, journal: Journal) -> pl.DataFrame:
    """Per rule (or model): ``decided`` findings, ``false_alarms`` and ``precision``.

    ``precision`` is the share of decided findings, of every period in the journal, that were
    true positives or accepted risks. Duplicates and open work are not counted.
    """
    all_of: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for rule, _, _, right in decided(findings, journal):
        all_of[rule] += 1
        wrong[rule] += not right
    rows = [(rule, n, wrong[rule], round(1 - wrong[rule] / n, 6)) for rule, n in all_of.items()]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("rule_id")


def with_precision(health: pl.DataFrame, precision: pl.DataFrame) -> pl.DataFrame:
    """Rule health with ``decided``, ``false_alarms`` and ``precision`` (null: none decided)."""
    bare = health.drop("decided", "false_alarms", "precision", strict=False)
    return bare.join(precision, on="rule_id", how="left", maintain_order="left").with_columns(
        pl.col("decided", "false_alarms").fill_null(0)
    )


def tuning_hints(findings: pl.DataFrame, journal: Journal, now: datetime) -> tuple[Tuning, ...]:
    """A hint for each rule with FALSE_ALARMS benign decisions or more.

    When one subject caused most of them the exception names it, else the rule alone.
    """
    wrong: dict[str, list[tuple[str, str]]] = {}
    all_of: Counter[str] = Counter()
    for rule, subject, kind, right in decided(findings, journal):
        all_of[rule] += 1
        if not right:
            wrong.setdefault(rule, []).append((subject, kind))
    return tuple(
        hint(rule, all_of[rule], alarms, journal, now)
        for rule, alarms in sorted(wrong.items())
        if len(alarms) >= FALSE_ALARMS
    )


def hint(
    rule: str, count: int, alarms: list[tuple[str, str]], journal: Journal, now: datetime
) -> Tuning:
    (subject, times), *_ = sorted(
        Counter(subject for subject, _ in alarms).items(), key=lambda item: (-item[1], item[0])
    )
    kinds = {kind for one, kind in alarms if one == subject and kind in ("sender", "resource")}
    match = {"rule": rule}
    if subject and kinds and times * 2 > len(alarms):
        match[min(kinds)] = subject
    last = max(journal.dispositions, key=lambda one: one.at)
    entry = {
        "exception": exception_id(match, now),
        **match,
        "owner": last.reviewer,
        "reason": f"{len(alarms)} of {count} decided findings were benign",
        "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{(now + timedelta(days=DAYS)).date()}",
    }
    # Without an approver the journal refuses the line: somebody has to put a name there.
    line = entry_line(entry).rstrip().replace(', reason: "', ', approver: "", reason: "', 1)
    return Tuning(rule, count, len(alarms), match.get("sender", ""), line)
