"""Plain data of the rules: each one, and all together. The conventions are those of ``content``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RuleRow", "RuleSummary"]


@dataclass(frozen=True)
class RuleRow:
    """One rule, hit or not. ``health``: hit, quiet, idle, partial, failed, off or elsewhere.

    ``elsewhere`` is a rule made for another log source than the log's.
    ``status`` is the rule's own word for how tried it is.
    ``precision_percent`` is the share of its findings ``decided`` in any period that were right.
    ``tests_match`` and ``tests_other`` count the samples beside the rule that must match and those
    that must not; ``tests_digest`` names their file as it was.
    """

    rule_id: str
    name: str
    title: str
    level: str
    kind: str
    status: str
    health: str
    reason_off: str
    logic: str
    digest: str
    examined: int
    hits: int
    findings: int
    decided: int
    precision_percent: float | None
    fields_missing: tuple[str, ...]
    tests_match: int
    tests_other: int
    tests_digest: str

    @property
    def told(self) -> bool:
        """Whether the page has a row for it: it has findings, or could not run."""
        return self.health == "failed" or bool(self.findings)


@dataclass(frozen=True)
class RuleSummary:
    """The rules together: how many in each health, and the samples they come with.

    ``skipped`` are the faults of what could not be read and was left out on request.
    """

    total: int
    health: tuple[tuple[str, int], ...]
    tried: tuple[tuple[str, int], ...]
    tests_match: int
    tests_other: int
    untested: tuple[str, ...]
    skipped: tuple[str, ...]
    digest: str
    file: str
