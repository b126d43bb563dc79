"""All rules: those that hit, stayed quiet, were off, or could not run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from auditlens.report.facts import STRONGEST_FIRST, Facts
from auditlens.report.rulebook import RuleRow, RuleSummary
from auditlens.report.wording import percent
from auditlens.rules import NO_SAMPLES, Samples

__all__ = ["RAN", "RULES_FILE", "rule_rows", "rule_summary"]

HEALTH_ORDER = ("failed", "partial", "hit", "quiet", "idle", "off", "elsewhere")
RULES_FILE = "rules.csv"
"""The file that has every rule whole."""
RAN = ("partial", "hit", "quiet", "idle")
"""The health of rules that ran; ``idle`` had no event of their kind to examine."""


def rule_rows(facts: Facts) -> tuple[RuleRow, ...]:
    """Every rule; a rule that could not run comes first, since it is not a pass."""
    loaded = {rule.id: rule for rule in facts.rules}
    rows = [
        rule_row(row, loaded.get(row["rule_id"]), facts.samples.get(row["name"], NO_SAMPLES))
        for row in facts.health.iter_rows(named=True)
    ]
    if not facts.events.height:
        # No event means no field either: that a rule lacks one cannot be told from nothing.
        rows = [replace(row, health="idle") if row.health == "failed" else row for row in rows]
    return tuple(sorted(rows, key=order))


def order(row: RuleRow) -> tuple[int, int, str]:
    level = STRONGEST_FIRST.index(row.level) if row.level in STRONGEST_FIRST else 9
    return HEALTH_ORDER.index(row.health), level, row.title + row.rule_id


def rule_row(row: dict[str, Any], rule: Any, samples: Samples) -> RuleRow:
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
        tests_match=samples.match,
        tests_other=samples.other,
        tests_digest=samples.digest[:12],
    )


def rule_summary(facts: Facts, rows: tuple[RuleRow, ...]) -> RuleSummary:
    """All rules together."""
    health = Counter(row.health for row in rows)
    tried = Counter(row.status for row in rows if row.status)
    return RuleSummary(
        total=len(rows),
        health=tuple((word, health[word]) for word in HEALTH_ORDER if health[word]),
        tried=tuple(sorted(tried.items())),
        tests_match=sum(row.tests_match for row in rows),
        tests_other=sum(row.tests_other for row in rows),
        untested=tuple(row.title for row in rows if not row.tests_match + row.tests_other),
        skipped=facts.skipped,
        digest=facts.rules_digest,
        file=RULES_FILE,
    )


def health(row: dict[str, Any], rule: Any) -> str:
    """One word: off, elsewhere, failed or partial (blind to what it reads), or how it went."""
    if not row["enabled"]:
        return "off"
    if row.get("applies") is False:
        return "elsewhere"
    missing = set(row["fields_missing"] or ())
    fields = set(getattr(rule, "fields", ()) or missing)
    if row["findings"] or row["hits"]:
        return "hit"
    if not row["examined"]:
        return "failed" if fields and fields <= missing else "idle"
    if missing:
        return "failed" if fields <= missing else "partial"
    return "quiet"
