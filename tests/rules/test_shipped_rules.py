"""Every shipped rule is a test subject."""

import pytest

from auditlens.rules import load_rules
from auditlens.rules.sidecar import run_tests, sidecar_path

RULES = load_rules()


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)
def test_shipped_rule_has_tests_beside_it(rule):
    """A rule without a sidecar proves nothing."""
    assert sidecar_path(rule.path).is_file()


def test_every_sidecar_test_of_the_shipped_rules_passes():
    """The real engine gives every shipped test its expected outcome."""
    failed = [result for result in run_tests(RULES) if not result.passed]
    assert failed == []
