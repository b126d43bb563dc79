"""All rules: those that hit, stayed quiet, were off, or could not run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from auditlens.report.facts import STRONGEST_FIRST, Facts
from auditlens.report.sections import RuleRow
from auditlens.report.wording import percent

__all__ = ["RAN", "rule_rows"]

TRUE, FALSE = {"true positive", "needs work", "accepted risk"}, {"benign", "false positive"}
HEALTH_ORDER = ("failed", "partial", "hit", "quiet", "idle", "off")
RAN = ("partial", "hit", "quiet", "idle")
"""The health of rules that ran; ``idle`` had no event of their kind to examine."""


def rule_rows(facts: Facts) -> tuple[RuleRow, ...]:
    """Every rule; a rule that could not run comes first, since it is not a pass."""
    loaded = {rule.id: rule for rule in facts.rules}
    precision = precisions(facts)
    rows = [
        rule_row(row, loaded.get(row["rule_id"]), precision.get(row["rule_id"]))
        for row in facts.health.iter_rows(named=True)
    ]
    return tuple(sorted(rows, key=order))


def order(row: RuleRow) -> tuple[int, int, str]:
    level = STRONGEST_FIRST.index(row.level) if row.level in STRONGEST_FIRST else 9
    return HEALTH_ORDER.index(row.health), level, row.title + row.rule_id


def rule_row(row: dict[str, Any], rule: Any, precision: float | None) -> RuleRow:
    logic = getattr(rule, "description", "") or "" if rule is not None else ""
    return RuleRow(
        rule_id=row["rule_id"],
        name=row["name"] or "",
        title=row["title"] or "",
        level=row["level"] or "",
        kind=row["kind"] or "rule",
        health=health(row, rule),
        reason_off=row["reason_off"] or "",
        logic=" ".join(logic.split()),
        digest=(getattr(rule, "digest", "") or "")[:12],
        examined=row["examined"] or 0,
        hits=row["hits"] or 0,
        findings=row["findings"] or 0,
        precision_percent=precision,
        fields_missing=tuple(row["fields_missing"] or ()),
    )


def health(row: dict[str, Any], rule: Any) -> str:
    """One word: off, failed (blind to all it reads), partial (to some of it), or how it went."""
    if not row["enabled"]:
        return "off"
    missing = set(row["fields_missing"] or ())
    fields = set(getattr(rule, "fields", ()) or missing)
    if row["findings"] or row["hits"]:
        return "hit"
    if not row["examined"]:
        return "failed" if fields and fields <= missing else "idle"
    if missing:
        return "failed" if fields <= missing else "partial"
    return "quiet"


def precisions(facts: Facts) -> dict[str, float]:
    """Share of each rule's decided findings that were right, in percent."""
    if "precision" in facts.health.columns:
        known = facts.health.select("rule_id", "precision").drop_nulls()
        return {rule: percent(share, 1) for rule, share in known.iter_rows()}
    rule_of = dict(facts.findings.select("finding_id", "rule_id").iter_rows())
    right: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for entry in facts.review.dispositions:
        rule = rule_of.get(entry.finding_id)
        if rule and entry.decision in TRUE | FALSE:
            decided[rule] += 1
            right[rule] += entry.decision in TRUE
    return {rule: percent(right[rule], n) for rule, n in decided.items()}
