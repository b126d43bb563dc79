"""``auditlens init``: a settings file to start from, and a schedule. Neither holds the key."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from auditlens.cli.examples import examples
from auditlens.cli.starters import RULES, SETTINGS, starter_files
from auditlens.errors import AuditLensError, UsageError

__all__ = ["init"]

SCHEDULES = ("cron", "systemd", "github", "airflow", "container", "windows")

ADDRESS = "https://api.secoda.co"


@examples(
    "init",
    "init --api-url https://api.secoda.co --timezone Europe/Paris --no-input",
    "init --schedule systemd",
)
@click.command()
@click.option(
    "--api-url",
    help="https://api.secoda.co, https://eapi.secoda.co, https://aapi.secoda.co or yours.",
)
@click.option("--timezone", help="Time zone of your reports, an IANA name: Europe/Paris.")
@click.option("--reviewer", help="Who decides and signs: a name, or 'Name <address>'.")
@click.option(
    "--schedule",
    type=click.Choice((*SCHEDULES, "none")),
    help="Also write what starts 'auditlens run' daily.",
)
@click.option("--no-input", is_flag=True, help="Never ask; what is not said gets its default.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(), help="Where (default: here)."
)
def init(
    api_url: str | None, timezone: str | None, reviewer: str | None, schedule: str | None,
    no_input: bool, folder: Path,
) -> None:  # fmt: skip
    """Write auditlens.toml into this folder, an example of a rule, and an empty journal.

    What exists is left alone. On a terminal, what is not said is asked for: four questions at
    most. Elsewhere the defaults are taken. With --schedule, a folder that has its settings gets
    the schedule only.
    """
    from auditlens.settings import FILE_NAME, has_table

    path = folder / FILE_NAME
    if not (schedule and (path.exists() or has_table(folder))):
        if path.exists():
            raise UsageError(f"{path} exists already", fix="Edit it, or remove it first")
        if has_table(folder):
            raise UsageError(
                f"{folder / 'pyproject.toml'} has settings already", fix="Edit [tool.auditlens]"
            )
        asks = not no_input and sys.stdin is not None and sys.stdin.isatty()
        api_url = said(api_url, "Address of the API", ADDRESS, an_address, asks=asks)
        timezone = said(timezone, "Time zone of your reports", "UTC", a_zone, asks=asks)
        reviewer = said(reviewer, "Who reviews (Enter: say it later)", "", a_name, asks=asks)
        schedule = said(
            schedule, f"Daily run by ({', '.join(SCHEDULES)}, none)", "none", a_schedule, asks=asks
        )
        files, own_rules = starter_files(folder)
        files[FILE_NAME] = settings_text(api_url, timezone, reviewer, own_rules=own_rules)
        for name, text in files.items():
            write_new(folder / name, text.encode())
        trusted(path)
        click.echo("Next: export SECODA_API_KEY, then run 'auditlens doctor'", err=True)
    if schedule and schedule != "none":
        write_schedule(schedule, folder)


def trusted(path: Path) -> None:
    """Trust the settings just written; where no list can be kept, say what will be asked for."""
    from auditlens.settings import SettingsFile, trust_file

    try:
        trust_file(path, SettingsFile(path).sha256, os.environ)
    except AuditLensError as error:
        click.echo(f"warning: {path} is not trusted yet: {error}", err=True)


def said(
    given: str | None, question: str, default: str, checked: Callable[[str], str], *, asks: bool
) -> str:
    """What a flag said, else what a person answers, else the default; ``checked`` in any case."""
    if given is not None or not asks:
        return checked(default if given is None else given)

    def again(text: str) -> str:
        """A wrong answer is told, and the question comes once more."""
        try:
            return checked(text)
        except UsageError as error:
            raise click.UsageError(str(error)) from None

    return str(
        click.prompt(question, default=default, value_proc=again, show_default=bool(default))
    )


def an_address(text: str) -> str:
    from auditlens.sources.address import read_address

    read_address(text)
    return text


def a_zone(text: str) -> str:
    from auditlens.period import zone

    zone(text)
    return text


def a_name(text: str) -> str:
    if not text.isprintable():
        raise UsageError("The reviewer holds a control character", fix="Write a name on one line")
    return text


def a_schedule(text: str) -> str:
    if text not in (*SCHEDULES, "none"):
        raise UsageError(f"No schedule is called {text!r}", fix=f"Use {', '.join(SCHEDULES)}, none")
    return text


def settings_text(api_url: str, timezone: str, reviewer: str, *, own_rules: bool) -> str:
    """The settings file with these answers, each quoted."""
    import json

    # JSON's quoting of text is TOML's.
    quoted = {"api_url": api_url, "timezone": timezone, "reviewer": reviewer}
    return SETTINGS.format(
        own_rules=f'{"" if own_rules else "# "}own_rules = "{RULES}"\n',
        **{name: json.dumps(text, ensure_ascii=False) for name, text in quoted.items()},
    )


def write_schedule(kind: str, folder: Path) -> None:
    """Write the files of one schedule; none when one of them is there already."""
    from auditlens.monthly import schedule_files

    files = schedule_files(kind, folder, trust=trusted_hash(folder))
    for name in files:
        if (folder / name).exists():
            raise UsageError(f"{folder / name} exists already", fix="Edit it, or remove it first")
    for name, data in files.items():
        write_new(folder / name, data)


def trusted_hash(folder: Path) -> str:
    """The hash of the folder's settings file; empty when it moves no secret.

    Raises UntrustedError when it does and the user has not trusted it.
    """
    from auditlens.settings import (
        GUARDED,
        TRUST_VARIABLE,
        SettingsFile,
        load_settings,
        require_trusted,
    )

    # Only what the file itself says counts here: a variable of today's shell is not there at night.
    kept = {name: text for name, text in os.environ.items() if name == TRUST_VARIABLE
            or not name.startswith(("AUDITLENS_", "SECODA_"))}  # fmt: skip
    held = load_settings(folder, kept)
    if held.path is None:
        return ""
    file = SettingsFile(held.path)
    guarded = file.values().keys() & GUARDED.keys()
    require_trusted({name: one for name, one in held.withheld.items() if one.path == held.path})
    return file.sha256 if guarded else ""


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, and say where."""
    try:
        if path.parent.name in ("workflows", RULES):
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise UsageError(f"{path} exists already", fix="Edit it, or remove it first") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", fix="Name a folder with --folder"
        ) from None
    click.echo(path)
