"""Options of the commands about rules, and the rules they resolve to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.options import settings_of
from auditlens.errors import UsageError

if TYPE_CHECKING:
    from auditlens.rules import RuleSet

__all__ = ["known", "loaded", "path_argument", "product_option"]

PRODUCTS = ("secoda", "cloudtrail")

path_argument = click.argument(
    "path", required=False, type=click.Path(path_type=Path), metavar="[PATH]"
)
product_option = click.option(
    "--product",
    type=click.Choice(PRODUCTS),
    default="secoda",
    show_default=True,
    help="Whose shipped rules, when no PATH is given.",
)


def loaded(path: Path | None, product: str, *, skip_broken: bool = False) -> RuleSet:
    """The rules of PATH, of the settings, or the shipped ones of a product."""
    from auditlens.rules import load_rules, rule_roots

    settings = settings_of()
    roots = rule_roots(settings, path, products=(product,))
    return load_rules(
        roots, placeholders=settings.placeholders, skip_broken=skip_broken or settings.skip_broken
    )


def known(found: RuleSet, name: str) -> str:
    """``name`` when it is a rule's name or id. Raises UsageError with the nearest otherwise."""
    import difflib

    names = [rule.name for rule in found.rules]
    if name in names or name in {rule.id for rule in found.rules}:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    fix = f"Did you mean '{near[0]}'?" if near else "See 'auditlens rules list'"
    raise UsageError(f"No rule is called {name!r}", fix=fix)
