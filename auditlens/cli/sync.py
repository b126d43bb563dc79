"""``auditlens sync``: pull the audit log into the archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.options import archive_option, json_option, opened, quiet_option, settings_of

if TYPE_CHECKING:
    from auditlens.archive import SyncOutcome

__all__ = ["sync"]


@click.command()
@archive_option
@click.option("--api", type=click.Choice(("auto", "current", "legacy")), help="API generation.")
@click.option("--url", "api_url", help="Address of the API (default: SECODA_API_URL).")
@json_option
@quiet_option
@click.pass_context
def sync(ctx: click.Context, /, as_json: bool, quiet: bool, **given: Any) -> None:
    """Pull the audit log into the archive; safe to stop at any moment and to repeat.

    The key comes from SECODA_API_KEY, never from the command line.
    """
    outcome = pull(quiet=quiet, **given)
    tell(outcome, as_json=as_json)
    ctx.exit(3 if outcome.outcome == "incomplete" else 0)


def pull(*, quiet: bool, archive: Path | None, api: str | None, api_url: str | None) -> SyncOutcome:
    """Open source and archive and join them, until done or told to stop."""
    from auditlens.archive import stop_on_signal
    from auditlens.cli.terminal import progress
    from auditlens.sources import SecodaSource

    settings = settings_of(archive=archive, api=api, api_url=api_url)
    source = SecodaSource(settings.api_url or None, api=settings.api)
    store = opened(settings, must_exist=False)
    with progress("pulling the audit log", quiet=quiet) as say, stop_on_signal(source.stop) as stop:
        return store.sync(source, progress=lambda told: say(str(told)), stop=stop)


def tell(outcome: SyncOutcome, *, as_json: bool) -> None:
    import dataclasses

    from auditlens.cli.terminal import moment, print_json, visible

    if as_json:
        print_json(dataclasses.asdict(outcome))
        return
    click.echo(
        f"{outcome.new:,} new, {outcome.seen:,} seen before, {outcome.changed:,} changed, "
        f"{outcome.late:,} late, {outcome.quarantined:,} quarantined in {outcome.pages:,} pages"
    )
    click.echo(f"read: {moment(outcome.oldest)} to {moment(outcome.newest)}")
    click.echo(visible(outcome.statement))
