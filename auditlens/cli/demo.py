"""``auditlens demo``: the whole path on a sample workspace, without key or network."""

from __future__ import annotations

from pathlib import Path

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import quiet_option
from auditlens.errors import UsageError
from auditlens.text import count

__all__ = ["demo"]

MARK = "made-by-auditlens-demo"


@examples(
    "demo",
    "demo --out tour --seed 7",
)
@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True,
    help="Folder for the archive and the report.",
)  # fmt: skip
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the sample workspace."
)
@quiet_option
def demo(out: Path, seed: int, quiet: bool) -> None:
    """Sync a sample workspace over HTTP, and write last month's report.

    All data is simulated. Nothing leaves this machine.
    """
    from auditlens.archive import Archive
    from auditlens.audit import run_audit
    from auditlens.cli.check import print_audit
    from auditlens.cli.terminal import note, progress
    from auditlens.period import run_time
    from auditlens.review import ReportOptions, write_report
    from auditlens.rules import roots_read
    from auditlens.simulator import demo_workspace, serve
    from auditlens.sources import SecodaSource

    prepare(out)
    today = run_time().date()
    with progress("generating a sample workspace", quiet=quiet) as say:
        workspace = demo_workspace(seed, today=today)
        with serve(workspace, page_size=500) as server:
            say("pulling its audit log over HTTP")
            archive = Archive(out / "archive")
            outcome = archive.sync(
                SecodaSource(server.url, server.key),
                progress=lambda told: say(str(told)),
                now=run_time,
            )
        say("checking last month against rules and model")
        from auditlens.period import Period

        audit = run_audit(archive, period=Period.parse("last", today=today))
        say("writing the report")
        write_report(
            audit, out / "report", ReportOptions(), roots_read(audit.rules, audit.settings)
        )
    print_audit(audit)
    note(f"\n{count(outcome.new, 'simulated event')} pulled; {outcome.outcome}.", quiet=quiet)
    click.echo(f"Report: {out / 'report' / 'report.html'}")
    note(
        "Next:\n"
        f"  auditlens verify --archive {out / 'archive'} --report {out / 'report'}\n"
        f"  auditlens check  --archive {out / 'archive'} --period {audit.period}\n"
        "  auditlens init      to set up your own workspace",
        quiet=quiet,
    )


def prepare(out: Path) -> None:
    """Make the demo's folder anew; a folder that is not a demo's is left alone."""
    import shutil

    if out.exists():
        if not out.is_dir() or (any(out.iterdir()) and not (out / MARK).is_file()):
            raise UsageError(
                f"{out} contains files that are not an earlier demo",
                fix="Name another folder with --out",
            )
        shutil.rmtree(out)
    try:
        out.mkdir(parents=True)
        (out / MARK).write_text("This folder is overwritten by every 'auditlens demo'.\n")
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written ({error.strerror})", fix="Name another folder with --out"
        ) from None
