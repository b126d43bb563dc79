"""``auditlens report``: the report folder of a period."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditlens.cli.options import audit_options, exit_code, make_audit, quiet_option

__all__ = ["report"]


@click.command()
@audit_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option(
    "--edition",
    type=click.Choice(("full", "brief")),
    default="full",
    show_default=True,
    help="How much of it.",
)
@click.option(
    "--identity",
    type=click.Choice(("full", "pseudonymous", "aggregate")),
    default="full",
    show_default=True,
    help="How people are named.",
)
@click.option(
    "--also",
    type=click.Choice(("ndjson", "ocsf", "oscal", "pdf")),
    multiple=True,
    help="A further form to write; may be given more than once.",
)
@quiet_option
@click.pass_context
def report(
    ctx: click.Context,
    /,
    out: Path,
    edition: str,
    identity: str,
    also: tuple[str, ...],
    allow_gaps: bool,
    **options: Any,
) -> None:
    """Write the report of a period: report.html, findings as JSON, CSV and Parquet, manifest."""
    from auditlens.cli.sign_off import rules_root
    from auditlens.signoff.making import Making, write_report

    audit = make_audit(**options)
    root = rules_root(audit, options["rules_path"])
    for path in write_report(audit, out, Making(edition, identity, also), root):
        click.echo(out / path.name)
    ctx.exit(exit_code(audit, allow_gaps=allow_gaps))
