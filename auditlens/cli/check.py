"""``auditlens check``: findings of a period, on the terminal or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.options import audit_options, exit_code, json_option, make_audit, quiet_option

if TYPE_CHECKING:
    from auditlens.audit import Audit

__all__ = ["check"]


@click.command()
@audit_options
@json_option
@quiet_option
@click.pass_context
def check(ctx: click.Context, /, as_json: bool, allow_gaps: bool, **options: Any) -> None:
    """Check a period of the archive, or of log FILEs, against rules and model."""
    audit = make_audit(**options)
    if as_json:
        print_document(audit)
    else:
        print_findings(audit)
    ctx.exit(exit_code(audit, allow_gaps=allow_gaps))


def print_document(audit: Audit) -> None:
    import dataclasses

    from auditlens.cli.terminal import print_json

    health = audit.rule_health.drop("seconds", strict=False)
    print_json(
        {
            "period": {
                "label": audit.period.label,
                "start": audit.period.start,
                "end": audit.period.end,
                "timezone": audit.period.timezone,
            },
            "findings": audit.findings.to_dicts(),
            "coverage": dataclasses.asdict(audit.coverage),
            "rules": health.to_dicts(),
            "model": dict(audit.model),
            "provenance": dict(audit.provenance),
            "run_at": audit.run_at,
        }
    )


def print_findings(audit: Audit) -> None:
    """A short table: level, what, who, when, why; then what it rests on."""
    from auditlens.cli.terminal import moment, table, visible

    rows = [
        (
            row["finding_id"],
            row["level"],
            row["title"],
            row["subject_label"] or row["subject_id"] or "-",
            moment(row["first_at"]),
            row["event_count"],
            row["reasons"][0]["text"] if row["reasons"] else "",
        )
        for row in audit.findings.iter_rows(named=True)
    ]
    if rows:
        table(("finding", "level", "what", "who or what", "first", "events", "why"), rows)
    health = audit.rule_health
    held = audit.coverage
    click.echo(
        f"{len(rows)} findings in {audit.period} ({audit.period.timezone}): "
        f"{held.events_in_period:,} events, {health.height} rules, "
        f"{held.unclassified:,} events unclassified, {held.quarantined_count:,} records quarantined"
    )
    click.echo(visible(held.statement))
    for told in audit.model.get("notes", ()):
        click.echo(f"Model: {visible(told)}")
