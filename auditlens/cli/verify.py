"""``auditlens verify``: verify every byte of the archive, or reproduce a report and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    archive_option,
    json_option,
    log_of,
    opened,
    quiet_option,
    settings_of,
)
from auditlens.errors import UsageError
from auditlens.text import count

if TYPE_CHECKING:
    from auditlens.review import ReportVerification
    from auditlens.seals import ListedKey
    from auditlens.settings import Settings

__all__ = ["verify"]

SHOWN = 20


@examples(
    "verify",
    "verify --report reports/2026-10 --archive archive",
)
@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@archive_option
@click.option(
    "--against",
    metavar="HASH",
    help="Head of the archive (with --report: or the seal) stored earlier.",
)
@click.option(
    "--report",
    "report",
    type=click.Path(path_type=Path),
    help="Folder of a report to reproduce from the archive and compare.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="Review journal (default: triage.yml beside the archive).",
)
@click.option(
    "--rules",
    "rules_path",
    type=click.Path(path_type=Path),
    help="The rules to compare with (default: settings, shipped rules).",
)
@click.option(
    "--sealed-rules",
    is_flag=True,
    help="Use the rules in the report; do not compare them with those of today.",
)
@click.option(
    "--allowed-signers",
    type=click.Path(path_type=Path),
    help="Your own file of who may sign with which key, as OpenSSH's allowed_signers.",
)
@json_option
@quiet_option
@click.pass_context
def verify(
    ctx: click.Context, /, *, files: tuple[Path, ...], archive: Path | None, against: str | None,
    report: Path | None, journal: Path | None, rules_path: Path | None, sealed_rules: bool,
    allowed_signers: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Verify the archive: chain, segments, every record, and the event table.

    With --report, reproduce a report from the archive: identical bytes, or the first difference.
    """
    settings = settings_of(archive=archive, journal=journal, allowed_signers=allowed_signers)
    if report is not None:
        code = judge(settings, report, files, rules_path, sealed_rules=sealed_rules,
                   against=against or "", as_json=as_json, quiet=quiet)  # fmt: skip
    elif files:
        raise UsageError(
            "FILE is for --report", fix="A report generated from files needs them again"
        )
    else:
        code = check_archive(settings, against, as_json=as_json, quiet=quiet)
    ctx.exit(code)


def check_archive(settings: Settings, against: str | None, *, as_json: bool, quiet: bool) -> int:
    """Check the archive; return 5 on a fault, 3 when a signature could not be checked, else 0."""
    import dataclasses

    from auditlens.cli.terminal import print_json, progress, visible

    store = opened(settings)
    with progress("verifying the archive", quiet=quiet):
        found = store.verify(against, allowed=allowed_of(settings))
    code = 5 if not found.ok else 3 if found.unchecked else 0
    if as_json:
        print_json({"ok": found.ok, **dataclasses.asdict(found)})
        return code
    if found.ok:
        held = (
            count(found.records, "record"),
            count(found.snapshots, "directory snapshot") if found.snapshots else "",
            count(found.signed, "sign-off") if found.signed else "",
            f"head {found.head}",
        )
        click.echo(f"Verified: {', '.join(filter(None, held))}")
        for told in found.sign_offs:
            click.echo(f"sign-off {visible(told)}")
    for problem in found.problems:
        click.echo(f"auditlens: {visible(problem)}", err=True)
    for told in found.notes:
        click.echo(f"note: {visible(told)}", err=True)
    for told in found.unchecked:
        click.echo(f"not checked: {visible(told)}", err=True)
    return code


def judge(
    settings: Settings, report: Path, files: tuple[Path, ...], rules_path: Path | None, *,
    sealed_rules: bool, against: str, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Do a report again, say whether it holds, and return the exit code."""
    import dataclasses

    from auditlens.cli.terminal import print_json, progress, visible
    from auditlens.review import LocalInputs, verify_report

    originals = LocalInputs(settings, settings.journal_path, rules_path)
    with progress("reproducing the report", quiet=quiet):
        source = log_of(files, "auto", settings)
        found = verify_report(
            report, source, originals, sealed_rules=sealed_rules, against=against,
            allowed=allowed_of(settings),
        )  # fmt: skip
    code = 5 if not found.ok else 3 if found.unjudged else 0
    if as_json:
        print_json({"ok": found.ok, **dataclasses.asdict(found)})
        return code
    if found.ok and found.made_by:
        click.echo(made_elsewhere(found))
    elif found.ok:
        signed = f", seal {found.seal}" if found.seal else ""
        click.echo(f"Verified: {matching(found)} match{signed}")
    else:
        click.echo(f"auditlens: first difference: {visible(found.differences[0])}", err=True)
        for one in found.differences[1:SHOWN]:
            click.echo(f"auditlens: {visible(one)}", err=True)
        if len(found.differences) > SHOWN:
            click.echo(f"auditlens: and {len(found.differences) - SHOWN} more", err=True)
    for told in found.signers if found.ok else ():
        click.echo(f"sign-off {visible(told)}")
    for told in found.notes:
        click.echo(f"note: {visible(told)}", err=True)
    return code


def matching(found: ReportVerification) -> str:
    """What was compared and is the same: ``25 findings and 10 files``."""
    return f"{count(found.findings, 'finding')} and {count(found.files, 'file')}"


def allowed_of(settings: Settings) -> tuple[ListedKey, ...] | None:
    """The verifier's own list of who may sign with which key, if there is one."""
    from auditlens.seals import read_allowed
    from auditlens.settings import require_trusted

    require_trusted(settings.withheld, ("allowed_signers",))
    return read_allowed(settings.allowed_signers) if settings.allowed_signers else None


def made_elsewhere(found: ReportVerification) -> str:
    """What holds of a report that another version made."""
    from auditlens.cli.terminal import visible

    made = f"page generated by auditlens {visible(found.made_by)}, not reproduced by this version"
    if found.unjudged:
        return (
            f"Not compared: {count(found.files, 'file')} match the manifest; {made}. "
            "It is an unsigned draft: verify it with the version that generated it"
        )
    return (
        f"Verified: sealed bytes of {count(found.files, 'file')} match, seal {found.seal}; {made}"
    )
