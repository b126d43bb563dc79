"""``auditlens init``: a settings file to start from, and a schedule. Neither holds the key."""

from __future__ import annotations

from pathlib import Path

import click

from auditlens.errors import UsageError

__all__ = ["init"]

SCHEDULES = ("cron", "systemd", "github", "airflow", "container", "windows")

TEMPLATE = """\
# AuditLens settings. Flags and AUDITLENS_* variables stand above this file.
# The key is not written here: export SECODA_API_KEY.

api_url = "{api_url}"
archive = "archive"
timezone = "{timezone}"

# What your rules call %approved_domains% and so on.
[placeholders]
approved_domains = []
provisioning_accounts = []
"""


@click.command()
@click.option(
    "--api-url",
    help="https://api.secoda.co, https://eapi.secoda.co, https://aapi.secoda.co or yours.",
)
@click.option("--timezone", help="Time zone of your reports, an IANA name: Europe/Paris.")
@click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    help="Also write what starts 'auditlens run' daily.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(), help="Where (default: here)."
)
def init(api_url: str | None, timezone: str | None, schedule: str | None, folder: Path) -> None:
    """Write auditlens.toml into this folder; an existing one is left alone.

    What is not said is asked for. With --schedule, a folder that has its settings gets the
    schedule only.
    """
    from auditlens.settings import FILE_NAME

    path = folder / FILE_NAME
    if not (schedule and path.exists()):
        write_new(path, settings_text(api_url, timezone).encode())
        click.echo("Next: export SECODA_API_KEY, then run 'auditlens doctor'", err=True)
    if schedule:
        write_schedule(schedule, folder)


def settings_text(api_url: str | None, timezone: str | None) -> str:
    """The settings file, with what was said or is now asked for."""
    from auditlens.period import zone

    if api_url is None:
        api_url = str(click.prompt("Address of the API", default="https://api.secoda.co"))
    if timezone is None:
        timezone = str(click.prompt("Time zone of your reports", default="UTC"))
    zone(timezone)
    if '"' in api_url or "\\" in api_url or not api_url.isprintable():
        raise UsageError(f"{api_url!r} is no address", fix="Write https://api.secoda.co")
    return TEMPLATE.format(api_url=api_url, timezone=timezone)


def write_schedule(kind: str, folder: Path) -> None:
    """Write the files of one schedule; none when one of them is there already."""
    from auditlens.monthly.schedules import schedule_files

    files = schedule_files(kind, folder)
    for name in files:
        if (folder / name).exists():
            raise UsageError(f"{folder / name} exists already", fix="Edit it, or remove it first")
    for name, data in files.items():
        write_new(folder / name, data)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, and say where."""
    try:
        if path.parent.name == "workflows":
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
