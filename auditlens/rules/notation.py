"""How rules look: the table of a set, for the command line and for a notebook cell."""

from __future__ import annotations

from html import escape

import polars as pl

from auditlens.rules.rule import RuleSet

__all__ = ["html_table", "rule_table"]


def rule_table(rules: RuleSet) -> pl.DataFrame:
    """Return one row a rule: name, level, kind, status, on or off and why, title, id, file."""
    return pl.DataFrame(
        {
            "name": [rule.name for rule in rules.rules],
            "title": [rule.title for rule in rules.rules],
            "level": [rule.level for rule in rules.rules],
            "kind": [rule.kind for rule in rules.rules],
            "status": [rule.status for rule in rules.rules],
            "enabled": [rule.enabled for rule in rules.rules],
            "reason_off": [rule.reason_off for rule in rules.rules],
            "rule_id": [rule.id for rule in rules.rules],
            "file": [rule.path.name for rule in rules.rules],
        },
        schema_overrides={"enabled": pl.Boolean},
    )


def html_table(rules: RuleSet) -> str:
    """Return an HTML table of the set; every text is escaped."""
    head = "".join(f"<th>{name}</th>" for name in ("Rule", "Level", "Kind", "State"))
    rows = "".join(
        "<tr>"
        f"<td>{escape(rule.title)}</td><td>{escape(rule.level)}</td><td>{rule.kind}</td>"
        f"<td>{'on' if rule.enabled else 'off: ' + escape(rule.reason_off)}</td>"
        "</tr>"
        for rule in rules.rules
    )
    caption = f"{len(rules.rules)} rules, digest {rules.digest[:12]}"
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"
