"""``auditlens config show``: which settings hold here, and where each comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.examples import examples
from auditlens.cli.options import json_option, settings_of

if TYPE_CHECKING:
    from auditlens.settings import Settings, Target

__all__ = ["config"]

HEARTBEATS = ("heartbeat", "heartbeat_start", "heartbeat_fail")


@examples(
    "config show --origin",
)
@click.group()
def config() -> None:
    """Show which settings hold here."""


@examples(
    "config show --origin",
    "config show --json",
)
@config.command()
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@json_option
def show(origin: bool, as_json: bool) -> None:
    """Print every setting as it holds in this folder; secrets are never printed.

    The origin is 'default', a file with its line, or an environment variable.
    """
    from auditlens.cli.terminal import print_json, table

    settings = settings_of()
    rows = shown_settings(settings)
    if as_json:
        beside = {"key": key_place(settings), "warnings": list(settings.unknown)}
        print_json({"settings": rows, "file": settings.path, **beside})
        return
    columns = ("setting", "value", "from") if origin else ("setting", "value")
    lines = [(name, written(row["value"]), row["origin"]) for name, row in rows.items()]
    lines.append(("(the key)", "not shown", key_place(settings)))
    table(columns, [line[: len(columns)] for line in lines])


def shown_settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """Value and origin of each setting, in plain values and without what may be secret."""
    from auditlens.settings import NAMES

    return {
        name: {
            "value": plain(name, getattr(settings, name)),
            "origin": settings.origins.get(name, "default"),
        }
        for name in NAMES
    }


def plain(name: str, value: Any) -> Any:
    """A value as JSON has it. Of a heartbeat the host, of a command the program is shown."""
    if name in HEARTBEATS:
        return veiled(str(value))
    if name == "key_command":
        return [*value[:1], *["…"] * (len(value) > 1)]
    if name == "notify":
        return {one: target_row(target) for one, target in value.items()}
    if name == "api_url":
        return without_user(str(value))
    if isinstance(value, Mapping):
        return {one: list(texts) for one, texts in value.items()}
    if isinstance(value, tuple):
        return [one.isoformat() if isinstance(one, date) else one for one in value]
    return str(value) if isinstance(value, Path) else value


def veiled(url: str) -> str:
    """The address of a monitor without its path and query, which are often the secret."""
    scheme, found, rest = without_user(url).partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}/…" if found else url and "…"


def without_user(url: str) -> str:
    """An address without the name and password that some write into it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def target_row(target: Target) -> dict[str, Any]:
    """A receiver: no table holds a secret, only the names of variables that do."""
    row = {"kind": target.kind, "tell": target.tell, "level": target.level}
    return {key: value for key, value in row.items() if value} | {
        "allow": list(target.allow),
        "options": sorted(target.options),
    }


def key_place(settings: Settings) -> str:
    """Where the key would be taken from; neither command nor file is tried."""
    if os.environ.get("SECODA_API_KEY"):
        return "SECODA_API_KEY"
    if settings.key_command:
        return "key_command"
    return "key_file" if settings.key_file else "nowhere: set SECODA_API_KEY"


def written(value: Any) -> str:
    """A value on one line; a dash for nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if value in ("", None, [], {}):
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{name}: {written(one)}" for name, one in value.items())
    return str(value)
