"""``auditlens init``: a settings file to start from. It never holds the key."""

from __future__ import annotations

from pathlib import Path

import click

from auditlens.errors import UsageError

__all__ = ["init"]

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
    prompt="Address of the API",
    default="https://api.secoda.co",
    help="https://api.secoda.co, https://eapi.secoda.co, https://aapi.secoda.co or yours.",
)
@click.option(
    "--timezone", prompt="Time zone of your reports", default="UTC", help="IANA name: Europe/Paris."
)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(), help="Where (default: here)."
)
def init(api_url: str, timezone: str, folder: Path) -> None:
    """Write auditlens.toml into this folder; an existing one is left alone."""
    from auditlens.period import zone
    from auditlens.settings import FILE_NAME

    zone(timezone)
    if '"' in api_url or "\\" in api_url or not api_url.isprintable():
        raise UsageError(f"{api_url!r} is no address", fix="Write https://api.secoda.co")
    path = folder / FILE_NAME
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(TEMPLATE.format(api_url=api_url, timezone=timezone))
    except FileExistsError:
        raise UsageError(f"{path} exists already", fix="Edit it, or remove it first") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", fix="Name a folder with --folder"
        ) from None
    click.echo(path)
    click.echo("Next: export SECODA_API_KEY, then run 'auditlens doctor'", err=True)
