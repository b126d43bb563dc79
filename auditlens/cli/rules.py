"""``auditlens rules``: list, show, check and test rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.options import json_option, settings_of

if TYPE_CHECKING:
    from auditlens.rules import RuleSet

__all__ = ["rules"]

paths_argument = click.argument(
    "path", required=False, type=click.Path(path_type=Path), metavar="[PATH]"
)


@click.group()
def rules() -> None:
    """List, show, check and test rules."""


@rules.command("list")
@paths_argument
@json_option
def list_rules(path: Path | None, as_json: bool) -> None:
    """List the shipped rules, or those of PATH."""
    from auditlens.cli.terminal import print_json, table

    found = loaded(path)
    names = ("id", "name", "level", "kind", "enabled", "title", "tags", "controls")
    rows = [{name: getattr(rule, name) for name in names} for rule in found.rules]
    if as_json:
        print_json({"rules": rows, "digest": found.digest})
        return
    on = {True: "yes", False: "no"}
    table(
        ("name", "level", "kind", "on", "title"),
        [(r["name"], r["level"], r["kind"], on[r["enabled"]], r["title"]) for r in rows],
    )
    click.echo(f"{len(rows)} rules")


@rules.command("show")
@click.argument("name")
@paths_argument
def show_rule(name: str, path: Path | None) -> None:
    """Print the rule called NAME (or with that id) as it is written."""
    from auditlens.errors import UsageError

    found = [rule for rule in loaded(path).rules if name in (rule.name, rule.id)]
    if not found:
        raise UsageError(f"No rule is called {name!r}", fix="See 'auditlens rules list'")
    click.echo(found[0].path.read_text(encoding="utf-8"), nl=False)


@rules.command("test")
@paths_argument
@json_option
@click.pass_context
def test_rules(ctx: click.Context, /, path: Path | None, as_json: bool) -> None:
    """Run the tests that stand beside the rules, with the real engine."""
    from dataclasses import asdict

    from auditlens.cli.terminal import print_json, visible
    from auditlens.rules.sidecar import run_tests

    results = run_tests(loaded(path))
    failed = [result for result in results if not result.passed]
    if as_json:
        print_json({"tests": [asdict(result) for result in results], "failed": len(failed)})
    else:
        for result in failed:
            where = f"{result.path}:{result.line}: {result.rule}: {result.name}"
            click.echo(f"{visible(where)}: {visible(result.message)}")
        click.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    ctx.exit(1 if failed else 0)


def loaded(path: Path | None) -> RuleSet:
    """The rules of PATH, of the settings, or the shipped ones."""
    from auditlens.rules import load_rules

    settings = settings_of()
    return load_rules(path or settings.rules, placeholders=settings.placeholders)
