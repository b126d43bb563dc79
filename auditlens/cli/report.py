"""``auditlens report``: the report folder of a period."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    audit_options,
    exit_code,
    json_option,
    make_audit,
    quiet_option,
    report_options,
    report_options_of,
)

__all__ = ["report"]


@examples(
    "report --period last --out out",
    "report october.ndjson --period 2026-10 --out out --also pdf",
)
@click.command()
@audit_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@report_options
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    help="Folder of your own templates, run in a sandbox.",
)
@click.option(
    "--replace", is_flag=True, help="Replace a draft of another period or archive in --out too."
)
@json_option
@quiet_option
@click.pass_context
def report(
    ctx: click.Context, /, out: Path, templates: Path | None, replace: bool, allow_gaps: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Write the report of a period: page, cases and findings as JSON, CSV and Parquet, manifest."""
    from auditlens.cli.terminal import print_json
    from auditlens.report import read_templates
    from auditlens.review import write_report
    from auditlens.rules import roots_read

    own = read_templates(templates) if templates else None
    wanted = report_options_of(options)
    audit = make_audit(**options)
    roots = roots_read(audit.rules, audit.settings, options["rules_path"])
    written = write_report(audit, out, wanted, roots, own, replace_other=replace)
    paths = [out / path.name for path in written]
    if as_json:
        told = {
            "cases": audit.cases.height,
            "findings": audit.findings.height,
            "outcome": audit.coverage.outcome,
        }
        print_json({"period": audit.period.label, "files": paths, **told})
    for path in () if as_json else paths:
        click.echo(path)
    ctx.exit(exit_code(audit, allow_gaps=allow_gaps))
