"""``auditlens sign-off``: a reviewer signs a month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    audit_options,
    json_option,
    make_audit,
    quiet_option,
    report_options,
    report_options_of,
    settings_of,
)
from auditlens.errors import UsageError
from auditlens.settings import LEVELS

if TYPE_CHECKING:
    from auditlens.seals import Ed25519Key, SshKey

__all__ = ["sign_off"]


@examples(
    "sign-off --period 2026-10 --reviewer 'Rita Quill' --out reports/2026-10",
)
@click.command("sign-off")
@audit_options
@click.option("--reviewer", help="Who signs: a name, or 'Name <address>' (default: settings).")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the signed report; a signed one is never overwritten.",
)
@click.option("--statement", help="The reviewer's statement; one line.")
@click.option(
    "--open-below",
    "level",
    type=click.Choice(LEVELS),
    default="medium",
    show_default=True,
    help="Cases of this level or above need a disposition.",
)
@click.option(
    "--despite",
    default="",
    metavar="REASON",
    help="Sign with cases to decide or an incomplete log; the reason is recorded.",
)
@click.option(
    "--amend",
    default="",
    metavar="REASON",
    help="Sign a signed month again; the reason is recorded.",
)
@report_options
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path),
    help="Ed25519 private key (PEM, 0600) to sign with; needs the extra 'sign'.",
)
@click.option(
    "--ssh-key",
    type=click.Path(path_type=Path),
    help="SSH key that your own ssh-keygen signs with.",
)
@json_option
@quiet_option
def sign_off(
    *, reviewer: str | None, out: Path, statement: str | None, level: str, despite: str,
    amend: str, key_file: Path | None, ssh_key: Path | None,
    as_json: bool, allow_gaps: bool, **options: Any,  # noqa: ARG001 - --despite says it, and is recorded
) -> None:  # fmt: skip
    """Sign a month: record reviewer, statement, time and hashes of all evidence.

    Writes the report with its seal, and the seal beside the archive in signed/. Refused while
    cases are to decide or the log is incomplete, unless --despite gives a reason; and always if the
    reviewer is the subject of an open finding.
    """
    from auditlens.archive import Archive
    from auditlens.cli.terminal import print_json
    from auditlens.review import STATEMENT, SignOffOptions
    from auditlens.review import sign_off as sign
    from auditlens.rules import roots_read
    from auditlens.seals import signers_of

    settings = settings_of()
    reviewer = reviewer or settings.reviewer
    if not reviewer:
        raise UsageError("A sign-off needs a reviewer", fix="Name one with --reviewer")
    if options["files"]:
        raise UsageError(
            "Only a period of an archive can be signed", fix="Leave the files out, use --archive"
        )
    wanted = report_options_of(options)
    keys = keys_of(key_file, ssh_key)
    for key in keys:
        key.public()
    audit = make_audit(**options)
    roots = roots_read(audit.rules, audit.settings, options["rules_path"])
    seal = sign(
        audit, roots, out,
        SignOffOptions(reviewer, statement or STATEMENT, level, despite, amend, wanted, keys),
    )  # fmt: skip
    chain = audit.source.chain() if isinstance(audit.source, Archive) else None
    covered = chain and chain.covers and chain.covers.signed.hash == seal.hash
    head = chain.head if chain and covered else None
    listed = chain.listed_for(seal.number) if chain else ()
    signers = [one.text for one in signers_of(seal, listed)]
    if as_json:
        told = {"label": seal.label, "reviewer": reviewer, "seal": seal.hash, "path": seal.path}
        print_json({**told, "report": out, "head": head, "signers": signers})
        return
    click.echo(f"{seal.label} is signed off: {seal.path}")
    for text in signers:
        click.echo(f"sign-off {text}")
    click.echo(f"Report: {out / 'report.html'}")
    click.echo(f"Seal {seal.hash}; verify it with: auditlens verify --report {out}")
    if head:
        click.echo(
            f"Head {head} covers log, directory and sign-offs. Store this hash outside this folder."
        )
    else:
        click.echo("No write permission for the archive: the next sync seals the sign-off there")


def keys_of(key_file: Path | None, ssh_key: Path | None) -> list[Ed25519Key | SshKey]:
    from auditlens.seals import Ed25519Key, SshKey

    keys: list[Ed25519Key | SshKey] = []
    if key_file:
        keys.append(Ed25519Key(key_file))
    if ssh_key:
        keys.append(SshKey(ssh_key))
    return keys
