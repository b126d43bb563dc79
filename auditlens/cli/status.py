"""``auditlens status``: what the archive holds, and what is at risk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from auditlens.cli.examples import examples
from auditlens.cli.options import archive_option, json_option, opened, settings_of

__all__ = ["status"]


@examples(
    "status",
    "status --archive archive --json",
)
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
    gaps = ", ".join(f"{moment(a)} to {moment(b)}" for a, b in found.gaps) or "none"
    left = "unknown" if found.days_until_loss is None else f"{found.days_until_loss} days"
    for name, text in (
        ("source", found.source or "-"),
        ("events", f"{found.events:,}, {moment(found.first_at)} to {moment(found.last_at)}"),
        ("last pull", f"{moment(found.last_pull_at)}, {found.last_outcome or '-'}"),
        ("", found.statement),
        ("gaps", gaps),
        ("quarantined", f"{found.quarantined:,} records"),
        ("at risk", f"{left} until the source may drop events that are not saved"),
        ("head", found.head or "-"),
    ):
        click.echo(f"{name:<12} {visible(text)}")
