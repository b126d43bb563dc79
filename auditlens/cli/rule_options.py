"""Options of the commands about rules, and the rules they resolve to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.options import settings_of
from auditlens.errors import UsageError

if TYPE_CHECKING:
    from auditlens.rules import Rule, RuleSet

__all__ = ["loaded", "path_argument", "product_option", "rule_named", "rules_option"]

PRODUCTS = ("secoda", "cloudtrail")

path_argument = click.argument(
    "path", required=False, type=click.Path(path_type=Path), metavar="[PATH]"
)
rules_option = click.option(
    "--rules",
    "rules_path",
    type=click.Path(path_type=Path),
    help="These rules alone, a file or folder (default: settings, shipped).",
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


def rule_named(
    name: str, path: Path | None, rules_path: Path | None, product: str
) -> tuple[RuleSet, Rule]:
    """The rule with this name, id or title, and the set it stands in.

    ``path`` is the place as it was given up to version 0.1, after the name. Raises UsageError with
    the nearest name, or with the place of a rule that was not read.
    """
    import difflib

    if path is not None:
        click.echo("A PATH after NAME is deprecated: write --rules PATH", err=True)
    found = loaded(rules_path or path, product)
    try:
        return found, found[name]
    except KeyError:
        near = difflib.get_close_matches(name, [rule.name for rule in found], n=1)
    fix = f"Did you mean '{near[0]}'?" if near else "See 'auditlens rules list'"
    if stands_in(Path("rules"), name):
        fix = "It stands in the folder rules: add --rules rules, or name it in the settings"
    raise UsageError(f"No rule is called {name!r}", fix=fix)


def stands_in(folder: Path, name: str) -> bool:
    """Whether a file of the folder is called as the rule."""
    from auditlens.rules import rule_files

    return folder.is_dir() and any(file.name.split(".")[0] == name for file in rule_files([folder]))
