"""``auditlens doctor``: ticked lines, each failure with its fix."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.options import archive_option, json_option, settings_of
from auditlens.errors import AuditLensError

if TYPE_CHECKING:
    from auditlens.settings import Settings

__all__ = ["doctor"]


@dataclass(frozen=True)
class Line:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    fix: str = ""


@click.command()
@archive_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, /, archive: Path | None, as_json: bool) -> None:
    """Test settings, key, server and archive; say what to do about each failure."""
    from auditlens.cli.terminal import print_json, visible

    settings = settings_of(archive=archive)
    lines = [*setup_lines(settings)]
    code, server = server_lines(settings)
    lines += server
    lines.append(archive_line(settings))
    if as_json:
        print_json({"checks": [asdict(line) for line in lines], "exit_code": code})
    else:
        for line in lines:
            click.echo(f"{'✓' if line.ok else '✗'} {line.name:<12} {visible(line.found)}")
            if not line.ok and line.fix:
                click.echo(f"  {'':<12} {visible(line.fix)}")
    failed = not all(line.ok for line in lines)
    ctx.exit(code or (2 if failed else 0))


def setup_lines(settings: Settings) -> Iterator[Line]:
    """Settings file, time zones and versions."""
    from importlib.metadata import version

    from auditlens.period import zone

    found = str(settings.path) if settings.path else "none; defaults and environment are used"
    yield Line("settings", ok=True, found=found)
    try:
        zone(settings.timezone)
        zone("Europe/Paris")
        yield Line("time zones", ok=True, found=f"report zone {settings.timezone}")
    except AuditLensError as error:
        yield Line("time zones", ok=False, found=error.message, fix="pip install tzdata")
    yield Line("version", ok=True, found=f"auditlens {version('auditlens')}")
    key = os.environ.get("SECODA_API_KEY")
    yield Line(
        "key",
        ok=bool(key),
        found="SECODA_API_KEY is set" if key else "SECODA_API_KEY is not set",
        fix="" if key else "Make a key in Secoda under Settings > API and export it",
    )


def server_lines(settings: Settings) -> tuple[int, list[Line]]:
    """Ask the server once; needs a key and an address."""
    from auditlens.sources import SecodaSource

    if not os.environ.get("SECODA_API_KEY"):
        return 0, [Line("server", ok=False, found="not asked", fix="Set the key first")]
    try:
        probe = SecodaSource(settings.api_url or None, api=settings.api).probe()
    except AuditLensError as error:
        return error.exit_code, [Line("server", ok=False, found=error.message, fix=error.fix)]
    return probe.exit_code, [Line(c.name, c.ok, c.found, c.fix) for c in probe.checks]


def archive_line(settings: Settings) -> Line:
    from auditlens.archive import Archive
    from auditlens.provenance import run_time

    if not settings.archive.is_dir():
        found = f"none yet at {settings.archive}; 'auditlens sync' makes it"
        return Line("archive", ok=True, found=found)
    try:
        status = Archive(settings.archive).status(now=run_time())
    except AuditLensError as error:
        return Line("archive", ok=False, found=error.message, fix=error.fix)
    return Line("archive", ok=True, found=f"{status.events:,} events at {settings.archive}")
