"""Where a run reads its rules: shipped ones or others, and one's own beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditlens.errors import UsageError
from auditlens.rules.rule import RuleSet
from auditlens.settings import Settings
from auditlens.shipped import rules_folder

__all__ = ["roots_read", "rule_roots"]


def rule_roots(
    settings: Settings, given: Path | None = None, *, products: Sequence[str] = ("secoda",)
) -> tuple[Path, ...]:
    """The files or folders to read rules from: ``given`` alone, else what the settings say.

    These are ``rules`` (without it the shipped rules of ``products``, if there are any) and
    then ``own_rules``. Raises UsageError for a setting that names what is not there.
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
    first = settings.rules or shipped_root(products)
    return tuple(one for one in (first, settings.own_rules) if one)


def shipped_root(products: Sequence[str]) -> Path | None:
    """The shipped rules of these products as one root: that of all, where several have some."""
    held = [one for one in products if one and (rules_folder() / one).is_dir()]
    if len(held) > 1:
        return rules_folder()
    return rules_folder() / held[0] if held else None


def roots_read(rules: RuleSet, settings: Settings, given: Path | None = None) -> tuple[Path, ...]:
    """The roots these rules were read from, whichever products' shipped ones are among them."""
    home = rules_folder()
    products = {
        rule.path.relative_to(home).parts[0]
        for rule in rules.rules
        if rule.path.is_relative_to(home)
    }
    return rule_roots(settings, given, products=sorted(products))
