"""``auditlens explain``: why one finding was made, with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.options import audit_options, json_option, make_audit, quiet_option
from auditlens.errors import UsageError

if TYPE_CHECKING:
    from auditlens.audit import Audit

__all__ = ["explain"]


@click.command()
@click.argument("finding_id", metavar="F-…")
@audit_options
@json_option
@quiet_option
def explain(finding_id: str, as_json: bool, allow_gaps: bool, **options: Any) -> None:  # noqa: ARG001 - shared options
    """Show why the finding F-… was made: its reasons, and the events it rests on."""
    from auditlens.cli.terminal import print_json

    audit = make_audit(**options)
    found = [row for row in audit.findings.iter_rows(named=True) if row["finding_id"] == finding_id]
    if not found:
        raise UsageError(
            f"No finding {finding_id!r} in {audit.period}",
            fix="Run 'auditlens check' with the same log and period for their ids",
        )
    events = evidence(audit, found[0])
    if as_json:
        print_json({"finding": found[0], "events": events})
    else:
        tell(found[0], events)


def evidence(audit: Audit, finding: dict[str, Any]) -> list[dict[str, Any]]:
    """The listed events of a finding that lie in the period, in order of time."""
    held = audit.events.filter(audit.events["id"].is_in(finding["event_ids"]))
    return held.drop("leaf").to_dicts()


def tell(finding: dict[str, Any], events: list[dict[str, Any]]) -> None:
    from auditlens.cli.terminal import moment, table, visible

    who = visible(finding["subject_label"] or finding["subject_id"] or "-")
    click.echo(f"{finding['finding_id']}  {finding['level']}  {visible(finding['title'])}")
    click.echo(f"{finding['subject_kind']}: {who} ({visible(finding['subject_id'])})")
    click.echo(f"{moment(finding['first_at'])} to {moment(finding['last_at'])}")
    if finding["score_rank"]:
        click.echo(
            f"rank {finding['score_rank']}, above {finding['score_percentile']:.1f} % "
            "of reference days; unusual does not mean wrong"
        )
    for number, reason in enumerate(finding["reasons"], 1):
        click.echo(f"{number}. {visible(reason['text'])}")
    click.echo(f"\n{finding['event_count']:,} events, {len(events)} shown")
    rows = [
        (moment(e["created_at"]), e["event"] or "-", e["resource_title"] or e["resource_id"] or "-",
         e["summary"] or "-", e["id"])
        for e in events
    ]  # fmt: skip
    table(("when", "event", "resource", "what", "event id"), rows)
