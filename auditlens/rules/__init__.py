"""Rules: Sigma documents and behaviours, loaded strictly, run on Polars frames."""

from auditlens.rules.evaluate import RuleOutcome, evaluate
from auditlens.rules.load import load_rules
from auditlens.rules.rule import Rule, RuleSet

__all__ = ["Rule", "RuleOutcome", "RuleSet", "evaluate", "load_rules"]
