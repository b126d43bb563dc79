"""``auditlens run``: the monthly job, to be started daily."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.options import archive_option, json_option, quiet_option, settings_of
from auditlens.errors import UsageError
from auditlens.settings import LEVELS

if TYPE_CHECKING:
    from auditlens.monthly.last_run import LastRun
    from auditlens.settings import Settings

__all__ = ["run"]


@click.command()
@archive_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of all reports, one folder a month (default: reports-out beside the archive).",
)
@click.option(
    "--period",
    default="last",
    show_default=True,
    help="last: every month that is due and has no report; or one month, 2026-10.",
)
@click.option("--no-sync", is_flag=True, help="Pull nothing; report what the archive holds.")
@click.option(
    "--grace-days",
    type=click.IntRange(0, 60),
    default=3,
    show_default=True,
    help="Days a report waits after its month for events that come late.",
)
@click.option("--timezone", help="IANA zone of the months (default: settings, UTC).")
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS),
    help="Exit 1 when a report written now has findings of this level or above.",
)
@click.option(
    "--heartbeat",
    metavar="URL",
    help="Asked once after a run that exits 0 or 1; a failure is a warning.",
)
@json_option
@quiet_option
@click.pass_context
def run(
    ctx: click.Context, /, *, archive: Path | None, out: Path | None, period: str, no_sync: bool,
    grace_days: int, timezone: str | None, fail_on: str | None, heartbeat: str | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Sync, verify, and write the report of each month that is due, once.

    Safe to repeat, to stop and to run late: months that were missed come out, a report is never
    overwritten, and one that late events change is amended (2026-10.a1). Leaves last-run.json.
    """
    from auditlens.cli.terminal import note
    from auditlens.monthly.heartbeat import beat, check_heartbeat

    if heartbeat is not None:
        check_heartbeat(heartbeat)
    if period != "last" and not re.fullmatch(r"\d{4}-\d{2}", period, re.ASCII):
        raise UsageError(f"{period!r} is no month", fix="Write 2026-10, or last")
    settings = settings_of(archive=archive, timezone=timezone, fail_on=fail_on)
    out = out or settings.archive.absolute().parent / "reports-out"
    done = worked(settings, out, period, grace_days, no_sync=no_sync, quiet=quiet)
    tell(done, out, as_json=as_json)
    if done.error:
        note(f"auditlens: {done.error}")
    if heartbeat is not None and done.exit_code <= 1 and (fault := beat(heartbeat)):
        note(f"warning: the heartbeat failed: {fault}")
    ctx.exit(done.exit_code)


def worked(
    settings: Settings, out: Path, period: str, grace_days: int, *, no_sync: bool, quiet: bool
) -> LastRun:
    """Do the job, and hear the first signal to stop between its steps."""
    from functools import partial

    from auditlens.archive import stop_on_signal
    from auditlens.cli.terminal import note
    from auditlens.monthly.job import Job, run_job
    from auditlens.sources import SecodaSource

    opened: list[SecodaSource] = []

    def source() -> SecodaSource:
        opened.append(SecodaSource(settings.api_url or None, api=settings.api))
        return opened[0]

    def hush() -> None:
        for one in opened:
            one.stop()

    with stop_on_signal(hush) as stop:
        return run_job(
            Job(
                settings=settings,
                out=out,
                source=None if no_sync else source,
                period=period,
                grace_days=grace_days,
                tell=partial(note, quiet=quiet),
                stop=stop,
            )
        )


def tell(done: LastRun, out: Path, *, as_json: bool) -> None:
    """The folders that were written, one a line; or everything as JSON."""
    import dataclasses

    from auditlens.cli.terminal import print_json

    if as_json:
        print_json(dataclasses.asdict(done))
        return
    for name in done.months:
        click.echo(out / name)
