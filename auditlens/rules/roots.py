"""Where a run reads its rules: shipped ones or others, and one's own beside them."""

from __future__ import annotations

from pathlib import Path

from auditlens.errors import UsageError
from auditlens.rules.rule import RuleSet
from auditlens.settings import Settings
from auditlens.shipped import rules_folder

__all__ = ["roots_read", "rule_roots"]


def rule_roots(
    settings: Settings, given: Path | None = None, *, product: str = "secoda"
) -> tuple[Path, ...]:
    """The files or folders to read rules from: ``given`` alone, else what the settings say.

    These are ``rules`` (without it the shipped rules of ``product``) and then ``own_rules``.
    Raises UsageError for a setting that names what is not there.
    """
    if given is not None:
        return (given,)
    for name in ("rules", "own_rules"):
        path = getattr(settings, name)
        if path is not None and not path.exists():
            where = settings.origins.get(name, "the settings")
            raise UsageError(
                f"{where}: '{name}' names {path}, which is not there",
                fix="Write the path of your rules, relative to that file, or take the setting out",
            )
    first = settings.rules or rules_folder() / product
    return (first, settings.own_rules) if settings.own_rules else (first,)


def roots_read(rules: RuleSet, settings: Settings, given: Path | None = None) -> tuple[Path, ...]:
    """The roots these rules were read from, whichever product's shipped ones are among them."""
    home = rules_folder()
    products = {
        rule.path.relative_to(home).parts[0]
        for rule in rules.rules
        if rule.path.is_relative_to(home)
    }
    return rule_roots(settings, given, product=min(products, default="secoda"))
