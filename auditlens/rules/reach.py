"""``rules coverage``: which techniques and which clauses the rules speak to."""

from __future__ import annotations

from typing import Any

import polars as pl

from auditlens.rules.attack import ATTACK_VERSION, TECHNIQUES
from auditlens.rules.rule import RuleSet

__all__ = ["attack_map", "framework_map", "navigator_layer"]

WEIGHT = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}


def attack_map(rules: RuleSet) -> pl.DataFrame:
    """Return one row a technique: id, name, tactics, and how many enabled rules carry its tag."""
    rows: dict[str, list[str]] = {}
    for rule in rules.rules:
        for tag in rule.tags if rule.enabled else ():
            name = tag.removeprefix("attack.").lower()
            if name in TECHNIQUES:
                rows.setdefault(name, []).append(rule.name)
    return pl.DataFrame(
        [
            {
                "technique": name.upper(),
                "name": TECHNIQUES[name][0],
                "tactics": list(TECHNIQUES[name][1]),
                "rules": sorted(found),
            }
            for name, found in sorted(rows.items())
        ],
        schema={
            "technique": pl.String,
            "name": pl.String,
            "tactics": pl.List(pl.String),
            "rules": pl.List(pl.String),
        },
    )


def framework_map(rules: RuleSet) -> pl.DataFrame:
    """Return one row a clause: framework, clause, the ``rules`` citing it, and those ``off``."""
    rows: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for rule in rules.rules:
        for control in rule.controls:
            framework, _, clause = control.partition(":")
            on, off = rows.setdefault((framework, clause), ([], []))
            (on if rule.enabled else off).append(rule.name)
    return pl.DataFrame(
        [
            {"framework": key[0], "clause": key[1], "rules": sorted(on), "off": sorted(off)}
            for key, (on, off) in sorted(rows.items())
        ],
        schema={
            "framework": pl.String,
            "clause": pl.String,
            "rules": pl.List(pl.String),
            "off": pl.List(pl.String),
        },
    )


def navigator_layer(rules: RuleSet, *, name: str = "AuditLens rules") -> dict[str, Any]:
    """Return an ATT&CK Navigator layer: a technique's score is that of its gravest rule."""
    techniques = []
    for row in attack_map(rules).iter_rows(named=True):
        found = [rules[one] for one in row["rules"]]
        techniques.append(
            {
                "techniqueID": row["technique"],
                "score": max(WEIGHT[rule.level] for rule in found),
                "comment": "; ".join(rule.title for rule in found),
                "enabled": True,
            }
        )
    return {
        "name": name,
        "versions": {"attack": ATTACK_VERSION, "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"{len(rules)} rules, digest {rules.digest[:12]}",
        "techniques": techniques,
        "gradient": {"colors": ["#d9e8f5", "#08519c"], "minValue": 1, "maxValue": 5},
    }
