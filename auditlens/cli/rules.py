"""``auditlens rules``: list, show, check and test rules."""

from __future__ import annotations

from pathlib import Path

import click

from auditlens.cli.options import json_option, settings_of

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
    from auditlens.rules import load_rules

    settings = settings_of()
    found = load_rules(path or settings.rules, placeholders=settings.placeholders)
    rows = [
        {"id": r.id, "name": r.name, "level": r.level, "kind": r.kind, "enabled": r.enabled,
         "title": r.title, "tags": list(r.tags)}
        for r in found.rules
    ]  # fmt: skip
    if as_json:
        print_json({"rules": rows, "digest": found.digest})
        return
    table(
        ("name", "level", "kind", "on", "title"),
        [(r["name"], r["level"], r["kind"], "yes" if r["enabled"] else "no", r["title"])
         for r in rows],
    )  # fmt: skip
    click.echo(f"{len(rows)} rules")
