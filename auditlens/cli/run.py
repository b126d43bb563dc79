"""``auditlens run``: the monthly job, to be started daily."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    archive_option,
    json_option,
    quiet_option,
    settings_of,
    skip_broken_option,
)
from auditlens.errors import UsageError
from auditlens.settings import FORMS, GUARDED, IDENTITIES, LEVELS

if TYPE_CHECKING:
    from auditlens.monthly import LastRun
    from auditlens.settings import Settings

__all__ = ["run"]


@examples(
    "run",
    "run --period 2026-10 --no-sync",
    "run --quiet --heartbeat https://monitor.example/ping",
)
@click.command()
@archive_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of all reports, one folder a month (default: settings, reports-out).",
)
@click.option(
    "--period",
    default="last",
    show_default=True,
    help="last: every month due without a report; or one month, 2026-10.",
)
@click.option(
    "--directory",
    is_flag=True,
    default=None,
    help="Also pull users, groups, teams, tags and catalog resources (default: settings).",
)
@click.option("--no-sync", is_flag=True, help="Do not sync; report from the archive as it is.")
@click.option(
    "--grace-days",
    type=click.IntRange(0, 60),
    help="Days to wait for late events before a report (default: settings, 3).",
)
@click.option("--timezone", help="IANA zone of the months (default: settings, UTC).")
@click.option(
    "--rules", type=click.Path(path_type=Path), help="Rules (default: settings, shipped rules)."
)
@skip_broken_option
@click.option(
    "--journal", type=click.Path(path_type=Path), help="Review journal (default: settings)."
)
@click.option(
    "--identity",
    type=click.Choice(IDENTITIES),
    help="How reports identify accounts (default: settings, full).",
)
@click.option(
    "--also",
    type=click.Choice(FORMS),
    multiple=True,
    help="Additional format of each report; repeatable (default: settings).",
)
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS),
    help="Exit 1 if a report written now has findings of this level or above.",
)
@click.option(
    "--heartbeat",
    metavar="URL",
    help="Address called once after a run that exits 0 or 1 (default: settings).",
)
@json_option
@quiet_option
@click.pass_context
def run(
    ctx: click.Context, /, *, out: Path | None, period: str, no_sync: bool, also: tuple[str, ...],
    as_json: bool, quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Sync, verify, write the report of each month due, once, and notify its receivers.

    Safe to repeat, to interrupt and to run late: missed months are reported, a report is never
    overwritten, and one that late events change is amended (2026-10.a1). Writes last-run.json.
    """
    from auditlens.cli.terminal import note
    from auditlens.monthly import check_heartbeat

    if period != "last" and not re.fullmatch(r"\d{4}-\d{2}", period, re.ASCII):
        raise UsageError(f"Invalid month {period!r}", fix="Use 2026-10 or last")
    settings = settings_of(needs=GUARDED, reports=out, also=also or None, **given)
    if given["rules"] is not None:
        settings = replace(settings, own_rules=None)
    for url in (settings.heartbeat, settings.heartbeat_start, settings.heartbeat_fail):
        if url:
            check_heartbeat(url)
    ping(settings.heartbeat_start)
    ended_well = False
    try:
        done = worked(settings, period, no_sync=no_sync, quiet=quiet)
        ended_well = done.exit_code <= 1
    finally:
        ping(settings.heartbeat if ended_well else settings.heartbeat_fail)
    tell(done, as_json=as_json, settings=settings)
    if done.error:
        note(f"auditlens: {done.error}")
    ctx.exit(done.exit_code)


def ping(url: str) -> None:
    """Ask a monitor's address, if there is one; a failure is a warning."""
    from auditlens.cli.terminal import note
    from auditlens.monthly import send_heartbeat

    if url and (fault := send_heartbeat(url)):
        note(f"warning: the heartbeat failed: {fault}")


def worked(settings: Settings, period: str, *, no_sync: bool, quiet: bool) -> LastRun:
    """Do the job, and hear the first signal to stop between its steps."""
    from functools import partial

    from auditlens.archive import stop_on_signal
    from auditlens.cli.terminal import note
    from auditlens.monthly import Job, run_job
    from auditlens.settings import find_key
    from auditlens.sources import SecodaSource

    opened: list[SecodaSource] = []

    def source() -> SecodaSource:
        key, _ = find_key(settings)
        opened.append(SecodaSource(settings.api_url or None, key or None, api=settings.api))
        return opened[0]

    def hush() -> None:
        for one in opened:
            one.stop()

    with stop_on_signal(hush) as stop:
        return run_job(
            Job(
                settings=settings,
                out=settings.reports_path,
                source=None if no_sync else source,
                period=period,
                tell=partial(note, quiet=quiet),
                stop=stop,
            )
        )


def tell(done: LastRun, *, as_json: bool, settings: Settings) -> None:
    """The folders that were written, one a line; or everything as JSON."""
    import dataclasses

    from auditlens.cli.terminal import print_json

    if as_json:
        print_json(dataclasses.asdict(done))
        return
    for name in done.months:
        click.echo(settings.reports_path / name)
