"""``auditlens doctor``: ten ticked lines in five seconds, each failure with its fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import SERVER, archive_option, json_option, settings_of
from auditlens.errors import AuditLensError
from auditlens.text import count

if TYPE_CHECKING:
    from auditlens.settings import Settings
    from auditlens.sources import SecodaSource
    from auditlens.sources.probe import Probe

__all__ = ["doctor"]

SECONDS = 4.0
"""For server and archive together; what has not answered by then is told so."""

PAGE_SECONDS = 3.0
FIRST = "Fix the failed checks first"
ANSWERS = ("TLS", "reachable", "role", "API", "page cap", "oldest event", "clock")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Line:
    """One thing looked at; ``code`` is the exit code of its failure."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    code: int = 2


@examples(
    "doctor",
    "doctor --json",
    "doctor --shape answers.json",
)
@click.command()
@archive_option
@click.option(
    "--shape",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the structure of the server's answers, without any value.",
)
@click.option("--kinds", is_flag=True, help="In --shape, write kinds of event instead of hashes.")
@json_option
@click.pass_context
def doctor(
    ctx: click.Context, /, archive: Path | None, shape: Path | None, kinds: bool, as_json: bool
) -> None:
    """Check API key, connection, archive and settings, with a fix for each failure."""
    from importlib.metadata import version

    from auditlens.cli.terminal import print_json, visible

    settings = settings_of(needs=SERVER, archive=archive)
    if shape is not None:
        write_shape(settings, shape, kinds=kinds)
        return
    lines = examined(settings)
    code = max((line.code for line in lines if not line.ok), default=0)
    here = {
        "version": f"auditlens {version('auditlens')}",
        "settings": str(
            near(settings.path) if settings.path else "none; defaults and environment are used"
        ),
    }
    if as_json:
        checks = [
            {key: value for key, value in asdict(line).items() if key != "code"} for line in lines
        ]
        print_json({"checks": checks, "exit_code": code, **here})
        ctx.exit(code)
    for line in lines:
        click.echo(f"{'✓' if line.ok else '✗'} {line.name:<13} {visible(line.found)}")
        if not line.ok and line.fix:
            click.echo(f"  {'':<13} {visible(line.fix)}")
    click.echo(f"{here['version']}, settings: {visible(here['settings'])}")
    ctx.exit(code)


def write_shape(settings: Settings, path: Path, *, kinds: bool) -> None:
    """Ask the server and write what its answers look like. Raises UsageError and SourceError."""
    from auditlens.canonical import json_document
    from auditlens.files import put
    from auditlens.settings import find_key
    from auditlens.sources import SecodaSource, answer_shapes

    key, _ = find_key(settings)
    source = SecodaSource(settings.api_url or None, key or None, api=settings.api)
    found = answer_shapes(source, kinds=kinds)
    put(path, json_document(found))
    answers = found["answers"]
    good = sum(one.get("status") == 200 for one in answers)
    click.echo(
        f"{path}: structure of {count(len(answers), 'answer')}, {good} with records; "
        "contains no values. Read it before you send it."
    )


def examined(settings: Settings) -> list[Line]:
    """All ten lines; server and archive are asked side by side and given up together."""
    secret, key = key_line(settings)
    ask = begin(lambda: server_lines(settings, secret)) if key.ok else None
    look = begin(lambda: archive_line(settings))
    if ask is None:
        server = [Line(name, ok=False, found="not checked", fix="Set the API key first")
                  for name in ANSWERS]  # fmt: skip
    else:
        late = Line("reachable", ok=False, found=f"nothing within {SECONDS:g} s",
                    fix="Check the network and SECODA_API_URL", code=3)  # fmt: skip
        server = ask() or with_unknown([late])
    slow = Line("archive", ok=False, found="no answer in time", fix="Run 'auditlens status'")
    return [key, *server, look() or slow, zone_line(settings)]


def begin(call: Callable[[], Result]) -> Callable[[], Result | None]:
    """Start a call; what is given back waits for its result, a few seconds at most."""
    from time import monotonic

    found: list[Result] = []
    started = monotonic()
    # A daemon: a resolver or a connection that hangs must not keep the program from ending.
    worker = Thread(target=lambda: found.append(call()), daemon=True)
    worker.start()

    def wait() -> Result | None:
        worker.join(max(0.0, SECONDS - (monotonic() - started)))
        return found[0] if found else None

    return wait


def key_line(settings: Settings) -> tuple[str, Line]:
    """The key, and what is told of it: where it came from."""
    from auditlens.settings import find_key
    from auditlens.sources.address import read_key

    try:
        key, origin = find_key(settings)
        read_key(key)
    except AuditLensError as error:
        return "", Line("key", ok=False, found=error.message, fix=error.fix)
    return key, Line("key", ok=True, found=origin)


def server_lines(settings: Settings, secret: str) -> list[Line]:
    """What two requests show: the first page, and the last, which has the oldest event."""
    from auditlens.sources import SecodaSource, probe_source

    try:
        source = SecodaSource(
            settings.api_url or None,
            secret,
            api=settings.api,
            retry_budget=0.0,
            page_deadline=PAGE_SECONDS,
        )
        probe = probe_source(source)
    except AuditLensError as error:
        bad = Line("reachable", ok=False, found=error.message, fix=error.fix, code=error.exit_code)
        return with_unknown([bad])
    if probe.exit_code:
        return failed(probe)
    secure = "certificate checked" if probe.url.startswith("https") else "none: this machine alone"
    answers = [
        Line("TLS", ok=True, found=secure),
        Line("reachable", ok=True, found=probe.url),
        Line("role", ok=True, found="the key may read the audit log"),
        Line("API", ok=True, found=f"the {probe.endpoint} generation"),
        cap_line(probe),
        oldest_line(source, probe),
    ]
    clock = next(check for check in probe.checks if check.name == "clock")
    return [*answers, Line("clock", clock.ok, clock.found, clock.fix)]


def failed(probe: Probe) -> list[Line]:
    """A failed request: which of TLS, reachable and role it is about."""
    bad = next(check for check in probe.checks if not check.ok)
    wrong = Line("reachable", ok=False, found=bad.found, fix=bad.fix, code=probe.exit_code)
    if bad.name == "key":
        told = "certificate checked" if probe.url.startswith("https") else "none: this machine"
        return with_unknown([
            Line("TLS", ok=True, found=told),
            Line("reachable", ok=True, found=probe.url),
            Line("role", ok=False, found=bad.found, fix=bad.fix, code=probe.exit_code),
        ])  # fmt: skip
    if "certificate" in bad.found:
        return with_unknown(
            [Line("TLS", ok=False, found=bad.found, fix=bad.fix, code=probe.exit_code)]
        )
    return with_unknown([wrong])


def with_unknown(known: list[Line]) -> list[Line]:
    """All lines about the server; what could not be looked at says so."""
    found = {line.name: line for line in known}
    return [found.get(name) or Line(name, ok=False, found="not known", code=0) for name in ANSWERS]


def cap_line(probe: Probe) -> Line:
    records = next(check for check in probe.checks if check.name == "records")
    return Line("page cap", records.ok, records.found, records.fix)


def oldest_line(source: SecodaSource, probe: Probe) -> Line:
    """When the oldest event happened that the server still lists."""
    from auditlens.cli.terminal import moment
    from auditlens.events import decode_records
    from auditlens.period import run_time

    if not probe.count or not probe.page_size:
        told = "the log is empty" if probe.count == 0 else "the server gives no count to find it by"
        return Line("oldest event", ok=True, found=told)
    try:
        page = source.page(-(-probe.count // probe.page_size))
    except AuditLensError as error:
        return Line("oldest event", ok=False, found=error.message, fix=error.fix, code=3)
    oldest = decode_records(page.records).events["created_at"].min()
    if not isinstance(oldest, datetime):
        return Line("oldest event", ok=True, found="not on the last page")
    days = (run_time() - oldest).days
    return Line("oldest event", ok=True, found=f"{moment(oldest)}, {count(days, 'day')} ago")


def archive_line(settings: Settings) -> Line:
    from auditlens.archive import Archive
    from auditlens.period import run_time

    if not settings.archive.is_dir():
        found = f"none yet in {near(settings.archive)}; 'auditlens sync' creates it"
        return Line("archive", ok=True, found=found)
    try:
        status = Archive(settings.archive).status(now=run_time())
    except AuditLensError as error:
        return Line("archive", ok=False, found=error.message, fix=error.fix, code=error.exit_code)
    return Line(
        "archive", ok=True, found=f"{count(status.events, 'event')} in {near(settings.archive)}"
    )


def near(path: Path) -> Path:
    """A path as seen from the working folder, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def zone_line(settings: Settings) -> Line:
    from auditlens.period import zone

    try:
        zone(settings.timezone)
        zone("Europe/Paris")
    except AuditLensError as error:
        return Line("time zones", ok=False, found=error.message, fix="pip install tzdata")
    return Line("time zones", ok=True, found=f"report zone {settings.timezone}")
