"""``auditlens verify``: re-check every byte of the archive."""

from __future__ import annotations

from pathlib import Path

import click

from auditlens.cli.options import archive_option, json_option, opened, quiet_option, settings_of

__all__ = ["verify"]


@click.command()
@archive_option
@click.option("--against", metavar="HASH", help="A head hash noted earlier, e.g. in a report.")
@json_option
@quiet_option
@click.pass_context
def verify(
    ctx: click.Context, /, archive: Path | None, against: str | None, as_json: bool, quiet: bool
) -> None:
    """Re-check the archive: chain, segments, every record, and the event table."""
    import dataclasses

    from auditlens.cli.terminal import note, print_json, progress, visible

    store = opened(settings_of(archive=archive))
    with progress("verifying the archive", quiet=quiet):
        found = store.verify(against=against)
    if as_json:
        print_json({"ok": found.ok, **dataclasses.asdict(found)})
    elif found.ok:
        click.echo(f"intact: {found.records:,} records, head {found.head}")
        for file in found.leftovers:
            note(
                f"{file}: left by a run that was stopped, and no part of the archive; "
                "the next sync removes it",
                quiet=quiet,
            )
    else:
        for problem in found.problems:
            place = (
                f"{problem.file}, records {problem.records}" if problem.records else problem.file
            )
            click.echo(f"auditlens: {visible(place)}: {visible(problem.text)}", err=True)
    ctx.exit(0 if found.ok else 5)
