"""``auditlens status``: what the archive holds, and what is at risk."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import archive_option, json_option, opened, settings_of
from auditlens.cli.terminal import moment

if TYPE_CHECKING:
    from auditlens.archive import Archive, ArchiveStatus
    from auditlens.settings import Settings

__all__ = ["gaps_told", "misdated_told", "risk_told", "status", "status_now"]


@examples(
    "status",
    "status --archive archive --json",
)
@click.command()
@archive_option
@json_option
def status(archive: Path | None, as_json: bool) -> None:
    """Say what the archive holds: span, gaps, last pull, days until events may be lost."""
    from auditlens.cli.terminal import print_json, visible

    settings = settings_of(archive=archive)
    found = status_now(opened(settings), settings)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    for name, text in (
        ("source", found.source or "-"),
        ("events", f"{found.events:,}, {moment(found.first_at)} to {moment(found.last_at)}"),
        ("last pull", f"{moment(found.last_pull_at)}, {found.last_outcome or '-'}"),
        ("", found.statement),
        ("complete", complete_told(found)),
        ("gaps", gaps_told(found)),
        ("quarantined", f"{found.quarantined:,} records"),
        ("misdated", misdated_told(found.misdated)),
        ("at risk", risk_told(found)),
        ("head", found.head or "-"),
    ):
        click.echo(f"{name:<12} {visible(text)}")


def status_now(store: Archive, settings: Settings) -> ArchiveStatus:
    """The status at the time of the run, by the retention that the settings know of."""
    from auditlens.period import run_time

    now = run_time()
    found = store.status(now=now)
    if "retention_days" not in settings.origins or found.complete_until is None:
        return found
    left = found.complete_until + timedelta(days=settings.retention_days) - now
    return dataclasses.replace(found, days_until_loss=max(0, left.days))


def complete_told(found: ArchiveStatus) -> str:
    """Up to when syncs vouch for what is held, whatever became of the last one."""
    if found.complete_until is None:
        return "no sync that came to its end vouches for anything"
    return f"syncs vouch for everything up to {moment(found.complete_until)}, less the gaps"


def misdated_told(count: int) -> str:
    """How many events are kept although they do not belong to their date."""
    if not count:
        return "none"
    return f"{count:,} event{'s' if count != 1 else ''} dated before 1970 or after the pull"


def gaps_told(found: ArchiveStatus) -> str:
    """Stretches between syncs in which events may have been lost."""
    return ", ".join(f"{moment(a)} to {moment(b)}" for a, b in found.gaps) or "none"


def risk_told(found: ArchiveStatus) -> str:
    """How long the next sync may wait."""
    left = "unknown" if found.days_until_loss is None else f"{found.days_until_loss} days"
    return f"{left} until the source may drop events that are not saved"
