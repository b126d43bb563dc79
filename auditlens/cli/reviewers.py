"""``auditlens reviewers``: who may sign with which key, sealed into the archive's log."""

from __future__ import annotations

from pathlib import Path

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import archive_option, json_option, opened, settings_of
from auditlens.errors import UsageError

__all__ = ["reviewers"]


@examples("reviewers list", "reviewers add 'Rita Quill' --ssh ~/.ssh/id_ed25519.pub")
@click.group()
def reviewers() -> None:
    """Say who may sign with which key: a list sealed into the archive's log.

    A key that is removed stays valid for what was signed before.
    """


@examples(
    "reviewers add 'Rita Quill' --ssh ~/.ssh/id_ed25519.pub",
    "reviewers add 'Rita Quill <rita@example.org>' --key reviewer.pem",
)
@reviewers.command()
@click.argument("name")
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path),
    help="Ed25519 key (PEM, public or private) of the reviewer.",
)
@click.option(
    "--ssh", "ssh_key", type=click.Path(path_type=Path), help="SSH key of the reviewer (.pub)."
)
@archive_option
@json_option
def add(
    name: str, key_file: Path | None, ssh_key: Path | None, archive: Path | None, as_json: bool
) -> None:
    """List a reviewer's key."""
    from auditlens.period import run_time
    from auditlens.seals import SshKey, public_line

    if (key_file is None) == (ssh_key is None):
        raise UsageError("One key is listed at a time", fix="Give --key FILE or --ssh FILE")
    line = public_line(key_file) if key_file else SshKey(ssh_key or Path()).public()
    store = opened(settings_of(archive=archive))
    told(as_json, "listed", [store.add_reviewer(name, line, run_time())], store.head or "")


@examples("reviewers list", "reviewers list --json")
@reviewers.command("list")
@archive_option
@json_option
def list_(archive: Path | None, as_json: bool) -> None:
    """Show who may sign with which key, and which were removed."""
    import dataclasses

    from auditlens.cli.terminal import print_json, visible

    found = opened(settings_of(archive=archive)).chain().reviewers
    if as_json:
        print_json({"reviewers": [dataclasses.asdict(one) for one in found]})
        return
    for one in found:
        until = f", removed {one.removed_at:%Y-%m-%d}" if one.removed_at else ""
        click.echo(f"{visible(one.name)}: {one.fingerprint}, since {one.added_at:%Y-%m-%d}{until}")
    if not found:
        click.echo("No reviewer's key is listed: no signature shows who signed")


@examples("reviewers remove 'Rita Quill'")
@reviewers.command()
@click.argument("name")
@click.option("--fingerprint", metavar="SHA256:…", help="Only this key (default: all of NAME).")
@archive_option
@json_option
def remove(name: str, fingerprint: str | None, archive: Path | None, as_json: bool) -> None:
    """End the listing of a reviewer's keys; earlier signatures stay valid."""
    from auditlens.period import run_time

    store = opened(settings_of(archive=archive))
    ended = store.remove_reviewer(name, fingerprint or "", run_time())
    told(as_json, "removed", ended, store.head or "")


def told(as_json: bool, verb: str, lines: list[tuple[str, str]], head: str) -> None:
    from auditlens.cli.terminal import print_json, visible

    if as_json:
        found = [{"name": name, "fingerprint": digest} for name, digest in lines]
        print_json({verb: found, "head": head})
        return
    for name, digest in lines:
        click.echo(f"{verb}: {visible(name)} with key {digest}")
    click.echo(f"Head {head} covers the list. Store this hash outside this folder.")
