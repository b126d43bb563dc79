"""``auditlens status``: what the archive holds, and what is at risk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from auditlens.cli.options import archive_option, json_option, opened, settings_of

__all__ = ["status"]


@click.command()
@archive_option
@json_option
def status(archive: Path | None, as_json: bool) -> None:
    """Say what the archive holds: span, gaps, last pull, days until events may be lost."""
    from auditlens.cli.terminal import moment, print_json, visible
    from auditlens.provenance import run_time

    settings = settings_of(archive=archive)
    found = opened(settings).status(now=run_time())
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    click.echo(f"events       {found.events:,}, {moment(found.oldest)} to {moment(found.newest)}")
    click.echo(f"last pull    {moment(found.last_pull)}  {visible(found.outcome or '-')}")
    gaps = ", ".join(f"{first} to {last}" for first, last in found.gaps) or "none"
    click.echo(f"gaps         {gaps}")
    click.echo(f"quarantined  {found.quarantined:,} records")
    left = "-" if found.days_until_loss is None else f"{found.days_until_loss} days"
    click.echo(f"at risk      {left} until the source may drop events that are not saved")
    click.echo(f"head         {found.head or '-'}")
