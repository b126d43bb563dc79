"""SigmaHQ's validators as remarks, without those that need a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from auditlens.documents import Document
from auditlens.rules.rule import Behaviour, Correlation, Rule

__all__ = ["sigmahq_remarks"]

NEED_NETWORK = frozenset(
    {"attacktag", "d3_fendtag", "sigmahq_category_event_id",
     "sigmahq_category_windows_provider_name", "sigmahq_fieldname_cast", "sigmahq_filename_prefix",
     "sigmahq_invalid_fieldname", "sigmahq_logsource_unknown", "sigmahq_redundant_field",
     "sigmahq_tags_techniques_without_tactics"}
)  # fmt: skip
NOT_OURS = frozenset(
    {"sigmahq_unknown_field", "tlptag", "tlpv1_tag", "tlpv2_tag", "invalid_related_type",
     "sigmahq_filename_convention", "sigmahq_fieldname_with_space", "duplicate_references",
     "sigmahq_author_existence", "specific_instead_of_generic_logsource"}
)  # fmt: skip
"""Left out: rules of one repository's own house, and our one added key."""


def sigmahq_remarks(document: Document, rule: Rule) -> Iterator[tuple[str, str, str]]:
    """Yield (severity, code, message) of every validator's remark on a document."""
    from sigma.exceptions import SigmaError

    if isinstance(rule.body, Behaviour):
        return
    try:
        parsed = parsed_rule(document, rule)
    except SigmaError as error:
        yield "warning", "sigma", str(error)
        return
    for name, validator in offline_validators():
        for issue in validator.validate(parsed):
            severity = "warning" if issue.severity.name == "HIGH" else "note"
            yield severity, name.replace("_", "-"), message(issue)


def parsed_rule(document: Document, rule: Rule) -> Any:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

    data = {key: value for key, value in document.data.items() if key != "auditlens"}
    if isinstance(rule.body, Correlation):
        return SigmaCorrelationRule.from_dict(data)
    return SigmaRule.from_dict(data)


def offline_validators() -> list[tuple[str, Any]]:
    """Make every installed validator that needs no network, sorted by name."""
    from sigma.validators.core import validators as core

    found = dict(core)
    if find_spec("sigma.validators.sigmahq"):
        from sigma.validators.sigmahq import validators as sigmahq

        found |= sigmahq
    left_out = NEED_NETWORK | NOT_OURS
    return [(name, found[name]()) for name in sorted(found) if name not in left_out]


def message(issue: Any) -> str:
    """Put a validator's description and its own fields in one line."""
    shown = {
        name: value
        for name, value in vars(issue).items()
        if name not in ("rules", "severity", "description") and isinstance(value, str | int)
    }
    detail = ", ".join(f"{name} {value}" for name, value in sorted(shown.items()))
    text = re.sub(r"\s+", " ", str(issue.description)).strip().rstrip(".")
    return f"{text} ({detail})" if detail else text
