"""``auditlens config``: which settings hold here, and which files may move a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import json_option, settings_of
from auditlens.cli.terminal import visible
from auditlens.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from auditlens.settings import Settings, Target

__all__ = ["config"]

HEARTBEATS = ("heartbeat", "heartbeat_start", "heartbeat_fail")


@examples(
    "config show --origin",
    "config trust",
)
@click.group()
def config() -> None:
    """Show which settings hold here, and trust a settings file."""


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
        beside["not_trusted"] = sorted(settings.withheld)
        print_json({"settings": rows, "file": settings.path, **beside})
        return
    columns = ("setting", "value", "from") if origin else ("setting", "value")
    lines = [(name, written(row["value"]), row["origin"]) for name, row in rows.items()]
    lines.append(("(the key)", "not shown", key_place(settings)))
    table(columns, [line[: len(columns)] for line in lines])


@examples(
    "config trust",
    "config trust ../auditlens.toml",
    "config trust --list",
)
@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--list", "as_list", is_flag=True, help="Show the files that you have trusted.")
@json_option
def trust(file: Path | None, as_list: bool, as_json: bool) -> None:
    """Let a settings file say where secrets go and what is run; by default the nearest.

    What is trusted are its bytes: a file that changes has to be trusted again. The list stands
    in your own folder of settings.
    """
    from auditlens.cli.terminal import print_json
    from auditlens.settings import SettingsFile, is_own, trust_file

    if as_list:
        list_trusted(as_json=as_json)
        return
    path = named(file)
    found = SettingsFile(path)
    guarded = guarded_told(found.values())
    if is_own(path, os.environ):
        raise UsageError(f"{path} is your own file, which needs no trust")
    made = trust_file(path, found.sha256, os.environ)
    if as_json:
        told = {"file": made.path, "sha256": made.sha256, "trusted_at": made.trusted_at}
        print_json({**told, "settings": guarded})
        return
    click.echo(f"{made.sha256}  {made.path}")
    for line in guarded or ["It sets nothing that moves a secret."]:
        click.echo(f"  {visible(line)}")


@examples(
    "config untrust ../auditlens.toml",
)
@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def untrust(file: Path | None) -> None:
    """Take a settings file, by default the nearest, off the list of those you trust."""
    from auditlens.settings import forget_file

    path = named(file)
    if not forget_file(path, os.environ):
        raise UsageError(f"{path} is not on the list", fix="See 'auditlens config trust --list'")
    click.echo(path)


def named(file: Path | None) -> Path:
    """The settings file meant: the one given, else the nearest."""
    from auditlens.settings import FILE_NAME, find_file

    path = file or find_file(Path.cwd())
    if path is None:
        raise UsageError("There is no settings file here", fix="Name one, or run 'auditlens init'")
    if path.name not in (FILE_NAME, "pyproject.toml"):
        raise UsageError(f"No settings are read from {path}", fix=f"Name an {FILE_NAME}")
    return path


def list_trusted(*, as_json: bool) -> None:
    """Each file with the time it was trusted, and whether it still is as it was then."""
    from auditlens.cli.terminal import moment, print_json, table
    from auditlens.settings import SettingsFile, trusted_files

    rows = []
    for path, one in sorted(trusted_files(os.environ).items()):
        try:
            state = "trusted" if SettingsFile(path).sha256 == one.sha256 else "changed since"
        except DocumentError:
            state = "not readable"
        rows.append((path, one.sha256, one.trusted_at, state))
    if as_json:
        names = ("file", "sha256", "trusted_at", "state")
        print_json({"files": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    shown = [(moment(at), state, sha256[:12], path) for path, sha256, at, state in rows]
    table(("trusted at", "state", "sha256", "file"), shown, whole=("file",))


def guarded_told(values: Mapping[str, Any]) -> list[str]:
    """Each setting of a file that moves a secret, with where to; no secret is among them."""
    from auditlens.settings import GUARDED

    told = []
    for name in sorted(values.keys() & GUARDED.keys()):
        if name == "notify":
            told += [f"notify.{one.name}: {receiver(one)}" for one in values[name].values()]
        else:
            told.append(f"{name}: {written(plain(name, values[name]))}")
    return told


def receiver(target: Target) -> str:
    """A receiver's kind, addresses and names of variables."""
    parts = [target.kind]
    for key, value in sorted(target.options.items()):
        shown = ", ".join(value) if isinstance(value, tuple) else str(value)
        parts.append(f"{key} {veiled(shown) if key == 'url' else shown}")
    return "; ".join(parts)


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
    if settings.key_file:
        return "key_file"
    if settings.withheld.keys() & {"key_command", "key_file"}:
        return "nowhere: the file that names it is not trusted"
    return "nowhere: set SECODA_API_KEY"


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
