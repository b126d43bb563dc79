"""Rules: Sigma documents and behaviours, loaded strictly, run on Polars frames.

What other rooms, tests and tools may use stands here; everything else is the room's own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from auditlens.rules.budget import findings_rates, within_budget
from auditlens.rules.engine import HEALTH_SCHEMA, RuleOutcome, columns_of_record, evaluate
from auditlens.rules.episodes import EPISODE_SCHEMA
from auditlens.rules.logsource import LogSource, Scope, log_sources, origins
from auditlens.rules.parse import DATE_KEYS, STRICT_KEYS
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule, Threshold
from auditlens.rules.ruleset import (
    RuleSet,
    load_documents,
    load_rules,
    roots_read,
    rule_files,
    rule_roots,
    rule_source,
)

if TYPE_CHECKING:
    from auditlens.rules.coverage import attack_map, framework_map, navigator_layer
    from auditlens.rules.draft import draft_rule
    from auditlens.rules.explain import explain_rule
    from auditlens.rules.lint import check_rules
    from auditlens.rules.sidecar import NO_SAMPLES, Samples, read_cases, samples_of, sidecar_path
    from auditlens.rules.testing import (
        backtest,
        explain_failure,
        leaf_coverage,
        mutate,
        run_case,
        run_tests,
        trace,
    )

__all__ = [
    "DATE_KEYS",
    "EPISODE_SCHEMA",
    "HEALTH_SCHEMA",
    "NO_SAMPLES",
    "STRICT_KEYS",
    "Behaviour",
    "Correlation",
    "Detection",
    "LogSource",
    "Rule",
    "RuleOutcome",
    "RuleSet",
    "Samples",
    "Scope",
    "Threshold",
    "attack_map",
    "backtest",
    "check_rules",
    "columns_of_record",
    "draft_rule",
    "evaluate",
    "explain_failure",
    "explain_rule",
    "findings_rates",
    "framework_map",
    "leaf_coverage",
    "load_documents",
    "load_rules",
    "log_sources",
    "mutate",
    "navigator_layer",
    "origins",
    "read_cases",
    "roots_read",
    "rule_files",
    "rule_roots",
    "rule_source",
    "run_case",
    "run_tests",
    "samples_of",
    "sidecar_path",
    "trace",
    "within_budget",
]

TOOLS = {
    "coverage": ("attack_map", "framework_map", "navigator_layer"),
    "draft": ("draft_rule",),
    "explain": ("explain_rule",),
    "lint": ("check_rules",),
    "sidecar": ("NO_SAMPLES", "Samples", "read_cases", "samples_of", "sidecar_path"),
    "testing": ("backtest", "explain_failure", "leaf_coverage", "mutate", "run_case", "run_tests",
                "trace"),
}  # fmt: skip
"""Modules for authors of rules, which an audit does not need: loaded at their first use."""


def __getattr__(name: str) -> Any:
    for module, names in TOOLS.items():
        if name in names:
            return getattr(import_module(f"auditlens.rules.{module}"), name)
    raise AttributeError(f"module 'auditlens.rules' has no attribute {name!r}")
