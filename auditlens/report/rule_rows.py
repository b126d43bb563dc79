"""All rules: those that hit, stayed quiet, were off, or could not run."""

from __future__ import annotations

from typing import Any

from auditlens.report.facts import STRONGEST_FIRST, Facts
from auditlens.report.sections import RuleRow
from auditlens.report.wording import percent

__all__ = ["RAN", "rule_rows"]

HEALTH_ORDER = ("failed", "partial", "hit", "quiet", "idle", "off")
RAN = ("partial", "hit", "quiet", "idle")
"""The health of rules that ran; ``idle`` had no event of their kind to examine."""


def rule_rows(facts: Facts) -> tuple[RuleRow, ...]:
    """Every rule; a rule that could not run comes first, since it is not a pass."""
    loaded = {rule.id: rule for rule in facts.rules}
    rows = [rule_row(row, loaded.get(row["rule_id"])) for row in facts.health.iter_rows(named=True)]
    return tuple(sorted(rows, key=order))


def order(row: RuleRow) -> tuple[int, int, str]:
    level = STRONGEST_FIRST.index(row.level) if row.level in STRONGEST_FIRST else 9
    return HEALTH_ORDER.index(row.health), level, row.title + row.rule_id


def rule_row(row: dict[str, Any], rule: Any) -> RuleRow:
    precision = row.get("precision")
    logic = getattr(rule, "description", "") or "" if rule is not None else ""
    return RuleRow(
        rule_id=row["rule_id"],
        name=row["name"] or "",
        title=row["title"] or "",
        level=row["level"] or "",
        kind=row["kind"] or "rule",
        status=row["status"] or "",
        health=health(row, rule),
        reason_off=row["reason_off"] or "",
        logic=" ".join(logic.split()),
        digest=(getattr(rule, "digest", "") or "")[:12],
        examined=row["examined"] or 0,
        hits=row["hits"] or 0,
        findings=row["findings"] or 0,
        decided=row.get("decided") or 0,
        precision_percent=None if precision is None else percent(precision, 1),
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
