"""``auditlens sync``: pull the audit log, and if asked the directory, into the archive."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    SERVER,
    archive_option,
    json_option,
    opened,
    quiet_option,
    settings_of,
)

if TYPE_CHECKING:
    from auditlens.archive import Archive, ArchiveStatus, Progress, SyncOutcome
    from auditlens.pages import Page
    from auditlens.sources import SecodaSource

__all__ = ["sync"]

FEW_PAGES = 3
MINUTE = 60.0


@examples(
    "sync",
    "sync --directory --archive archive",
)
@click.command()
@archive_option
@click.option("--api", type=click.Choice(("auto", "current", "legacy")), help="API generation.")
@click.option("--url", "api_url", help="Address of the API (default: SECODA_API_URL).")
@click.option("--directory", is_flag=True,
              help="Also pull users, groups, teams, tags and catalog resources.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Print one line on stderr per page.")
@json_option
@quiet_option
@click.pass_context
def sync(
    ctx: click.Context, /, *, directory: bool, verbose: bool, as_json: bool, quiet: bool,
    archive: Path | None, api: str | None, api_url: str | None,
) -> None:  # fmt: skip
    """Pull the audit log into the archive; safe to interrupt and to repeat.

    The key comes from SECODA_API_KEY, key_command or key_file, never from the command line.
    """
    from auditlens.cli.status import status_now
    from auditlens.settings import find_key
    from auditlens.sources import SecodaSource

    settings = settings_of(needs=SERVER, archive=archive, api=api, api_url=api_url)
    key, _ = find_key(settings)
    source = SecodaSource(settings.api_url or None, key or None, api=settings.api)
    store = opened(settings, must_exist=False)
    outcome = pull(store, source, verbose=verbose, quiet=quiet)
    listings = pull_directory(store, source, quiet=quiet) if directory else None
    tell(outcome, status_now(store, settings), listings, as_json=as_json)
    lacking = outcome.outcome == "incomplete" or bool(listings and listings["problems"])
    lacking |= outcome.quarantined > 0
    ctx.exit(3 if lacking else 0)


def pull(store: Archive, source: SecodaSource, *, verbose: bool, quiet: bool) -> SyncOutcome:
    """Join source and archive, until done or told to stop."""
    from auditlens.archive import stop_on_signal
    from auditlens.cli.terminal import progress
    from auditlens.period import run_time

    if verbose:
        pages = Pages(source)
        with stop_on_signal(source.stop) as stop:
            return store.sync(pages, progress=pages.tell, stop=stop, now=run_time)
    start = perf_counter()
    with progress("pulling the audit log", quiet=quiet) as say, stop_on_signal(source.stop) as stop:
        return store.sync(
            source,
            progress=lambda told: say(f"{told}{time_left(told, perf_counter() - start)}"),
            stop=stop,
            now=run_time,
        )


def time_left(progress: Progress, seconds: float) -> str:
    """How long the pages that are left take at most, once a few were read."""
    if not progress.total_pages or progress.page < FEW_PAGES or progress.again:
        return ""
    left = seconds / progress.page * (progress.total_pages - progress.page)
    return f", ~{left / 60:.0f} min at most" if left >= MINUTE else f", ~{left:.0f} s at most"


class Pages:
    """A source that tells of each page it hands on: never of its key, nor of what a page holds."""

    def __init__(self, source: SecodaSource) -> None:
        self.source = source
        self.waiting: list[tuple[Page, float]] = []

    @property
    def name(self) -> str:
        return self.source.name

    def page(self, number: int) -> Page:
        start = perf_counter()
        page = self.source.page(number)
        self.waiting.append((page, perf_counter() - start))
        return page

    def tell(self, progress: Progress) -> None:
        """One line for each page since the last call; ``new`` counts the whole sync."""
        from auditlens.cli.terminal import note
        from auditlens.text import count

        for page, seconds in self.waiting:
            total = f" of {page.total_pages:,}" if page.total_pages else ""
            note(
                f"page {page.number:,}{total}: {count(len(page.records), 'record')}, "
                f"{page.endpoint} API, {seconds * 1000:.0f} ms; {progress.new:,} new so far"
            )
        self.waiting.clear()


def pull_directory(store: Archive, source: SecodaSource, *, quiet: bool) -> dict[str, Any]:
    """Pull the directory; what fails is told, and the log is kept all the same."""
    from auditlens.archive import stop_on_signal
    from auditlens.cli.terminal import note, progress
    from auditlens.monthly import directory_problems
    from auditlens.monthly import pull_directory as pull

    with progress("pulling the directory", quiet=quiet), stop_on_signal(source.stop):
        told = pull(store, source.directory())
    if line := directory_problems(told):
        note(line, quiet=quiet)
    return told


def tell(
    outcome: SyncOutcome, held: ArchiveStatus, directory: dict[str, Any] | None, *, as_json: bool
) -> None:
    """What was pulled, what is missing, and when the next sync is needed."""
    import dataclasses

    from auditlens.cli.status import gaps_told, misdated_told, risk_told
    from auditlens.cli.terminal import moment, print_json, visible
    from auditlens.monthly import directory_line
    from auditlens.text import count

    if as_json:
        beside: dict[str, Any] = {} if directory is None else {"directory": directory}
        beside |= {"gaps": held.gaps, "days_until_loss": held.days_until_loss, "head": held.head}
        print_json({**dataclasses.asdict(outcome), **beside})
        return
    click.echo(
        f"{outcome.new:,} new, {outcome.seen:,} seen before, {outcome.changed:,} changed, "
        f"{outcome.late:,} late, {outcome.quarantined:,} quarantined in "
        f"{count(outcome.pages, 'page')}"
    )
    if outcome.quarantined:
        click.echo(
            f"{count(outcome.quarantined, 'unreadable record')}: stored, not evaluated; "
            "'auditlens exceptions unread' lists them"
        )
    if held.misdated:
        click.echo(f"misdated: {misdated_told(held.misdated)}; stored, but not part of any period")
    click.echo(f"read: {moment(outcome.oldest)} to {moment(outcome.newest)}")
    click.echo(visible(outcome.statement))
    click.echo(f"gaps: {gaps_told(held)}; {risk_told(held)}")
    if directory is not None and (line := directory_line(directory)):
        click.echo(line)
