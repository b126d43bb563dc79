"""``auditlens status``: archive coverage, gaps and retention risk."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import archive_option, json_option, opened, settings_of
from auditlens.cli.terminal import moment
from auditlens.text import count

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
    """Show archive coverage: time span, gaps, last sync and retention risk."""
    from auditlens.cli.terminal import print_json, visible

    settings = settings_of(archive=archive)
    found = status_now(opened(settings), settings)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    for name, text in (
        ("source", found.source or "-"),
        (
            "events",
            f"{count(found.events, 'event')}, {moment(found.first_at)} to {moment(found.last_at)}",
        ),
        ("last pull", f"{moment(found.last_pull_at)}, {found.last_outcome or '-'}"),
        ("", found.statement),
        ("complete", complete_told(found)),
        ("gaps", gaps_told(found)),
        ("quarantined", count(found.quarantined, "record")),
        ("misdated", misdated_told(found.misdated)),
        ("retention", risk_told(found)),
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
    """Up to when completed syncs prove the archive complete, whatever became of the last one."""
    if found.complete_until is None:
        return "no sync has completed yet"
    return f"up to {moment(found.complete_until)}, except the gaps"


def misdated_told(misdated: int) -> str:
    """How many events are kept although they do not belong to their date."""
    if not misdated:
        return "none"
    return f"{count(misdated, 'event')} dated before 1970 or after the sync"


def gaps_told(found: ArchiveStatus) -> str:
    """Stretches between syncs in which events may have been lost."""
    return ", ".join(f"{moment(a)} to {moment(b)}" for a, b in found.gaps) or "none"


def risk_told(found: ArchiveStatus) -> str:
    """Within how many days the next sync is needed."""
    if found.days_until_loss is None:
        return "Retention risk: unknown"
    days = count(found.days_until_loss, "day")
    return f"Sync within {days}; older events may be deleted at the source."
