"""``auditlens check``: findings of a period, on the terminal or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import audit_options, exit_code, json_option, make_audit, quiet_option

if TYPE_CHECKING:
    from polars import DataFrame

    from auditlens.audit import Audit
    from auditlens.rules import RuleSet

__all__ = ["check"]

KINDS_SHOWN = 5
"""Kinds told by their verb only that the first screen lists; the report has more."""
MISDATED_SHOWN = 5
"""Events that do not belong to their date listed on the terminal."""
SKIPPED_SHOWN = 10
"""Broken rules that the first screen lists; JSON has all."""
SHORT = 9
"""Characters of a record's id in the table; 'explain' has all of them."""


@examples(
    "check --period last",
    "check --new --fail-on high",
    "check october.ndjson --period 2026-10 --json",
)
@click.command()
@audit_options
@click.option(
    "--new",
    "only_new",
    is_flag=True,
    help="Only undecided findings that the last signed month does not list.",
)
@json_option
@quiet_option
@click.pass_context
def check(
    ctx: click.Context, /, only_new: bool, as_json: bool, allow_gaps: bool, **options: Any
) -> None:  # fmt: skip
    """Detect findings in a period of the archive, or of log FILEs, by rules and anomaly model."""
    audit = make_audit(**options)
    shown = unseen_of(audit) if only_new else audit.findings
    if as_json:
        print_document(audit, shown)
    else:
        print_findings(audit, shown)
    ctx.exit(exit_code(audit, allow_gaps=allow_gaps, findings=shown))


def unseen_of(audit: Audit) -> DataFrame:
    """The findings of a daily glance."""
    from auditlens.cli.review import signed_now
    from auditlens.triage import unseen

    return unseen(audit.findings, signed_now(audit))


def print_document(audit: Audit, shown: DataFrame) -> None:
    import dataclasses

    from auditlens.cli.terminal import print_json
    from auditlens.triage import resolved

    health = audit.rule_health.drop("seconds", strict=False)
    last = audit.earlier[-1] if audit.earlier else None
    print_json(
        {
            "period": {
                "label": audit.period.label,
                "start": audit.period.start,
                "end": audit.period.end,
                "timezone": audit.period.timezone,
            },
            "findings": shown.to_dicts(),
            "findings_total": audit.findings.height,
            "compared_with": last.label if last else None,
            "resolved": resolved(audit.findings, last).to_dicts(),
            "exceptions": audit.exceptions.to_dicts(),
            "coverage": dataclasses.asdict(audit.coverage),
            "rules_skipped": [str(one) for one in audit.rules.skipped],
            "judged": not audit.unjudged,
            "log_sources": [
                {**dataclasses.asdict(one), "judged": one.judged, "statement": one.statement}
                for one in audit.scopes
            ],
            "rules": health.to_dicts(),
            "model": dict(audit.model),
            "provenance": dict(audit.provenance),
            "run_at": audit.run_at,
        }
    )


def print_findings(audit: Audit, shown: DataFrame | None = None) -> None:
    """A short table: level, what, who, when, why, records; then what it rests on.

    What an exception expects is counted below the table and not listed in it.
    """
    from auditlens.cli.review import print_review
    from auditlens.cli.terminal import moment, narrow, visible
    from auditlens.findings import is_excepted
    from auditlens.text import count

    shown = audit.findings if shown is None else shown
    rows = shown.filter(~is_excepted()).to_dicts()
    if rows:
        (stacked if narrow() else tabled)(rows)
    health = audit.rule_health
    held = audit.coverage
    counted = count(audit.findings.height, "finding")
    if shown.height < audit.findings.height:
        counted = f"{shown.height} of {counted} are new and undecided"
    if audit.unjudged and not any(one.rules and one.events for one in audit.scopes):
        counted = (
            f"Not judged by rules; {counted} of the model"
            if shown.height
            else ("Not judged by rules")
        )
    click.echo(
        f"{counted} in {audit.period} ({audit.period.timezone}): "
        f"{count(held.events_in_period, 'event')}, {count(health.height, 'rule')}, "
        f"{count(held.unclassified, 'event')} unclassified, "
        f"{count(held.quarantined_count, 'record')} quarantined"
    )
    print_skipped(audit.rules)
    print_classes(audit)
    print_scopes(audit)
    print_review(audit)
    click.echo(visible(held.statement))
    if held.quarantined_count:
        listed = "'auditlens exceptions unread'" if held.head else "--json"
        click.echo(
            f"{count(held.quarantined_count, 'unreadable record')}, {held.acknowledged_count:,} "
            f"acknowledged; {listed} lists them"
        )
    for one in held.misdated[:MISDATED_SHOWN]:
        click.echo(f"  misdated: {visible(one.id)}, dated {moment(one.created_at)}")
    if held.misdated_count > MISDATED_SHOWN:
        click.echo(f"  and {held.misdated_count - MISDATED_SHOWN:,} more; --json lists them")
    for told in audit.model.get("notes", ()):
        click.echo(f"Model: {visible(told)}")


def print_skipped(rules: RuleSet) -> None:
    """The rules that could not be read and were left out on request."""
    from auditlens.cli.terminal import visible
    from auditlens.text import count

    if not rules.skipped:
        return
    files = len({one.path for one in rules.skipped})
    click.echo(
        f"{count(len(rules.skipped), 'error')} in {count(files, 'rule file')}: "
        "these rules were skipped and judged no event."
    )
    for one in rules.skipped[:SKIPPED_SHOWN]:
        click.echo(f"  {visible(str(one))}")
    if (more := len(rules.skipped) - SKIPPED_SHOWN) > 0:
        click.echo(f"  and {more:,} more; 'auditlens rules check' lists all")


def print_classes(audit: Audit) -> None:
    """How the events were told apart, and the kinds that only their verb names."""
    from auditlens.cli.terminal import visible

    held = audit.coverage
    if not held.classified:
        return
    click.echo(held.classified)
    if held.verb_only:
        kinds = ", ".join(f"{visible(kind)} {n:,}" for kind, n in held.verb_only[:KINDS_SHOWN])
        more = held.verb_only_kinds - min(len(held.verb_only), KINDS_SHOWN)
        click.echo(f"By verb only, or not at all: {kinds}{f', and {more} more' if more else ''}.")


def print_scopes(audit: Audit) -> None:
    """One line a log source, where there are several or one that no rule judged."""
    from auditlens.cli.terminal import visible
    from auditlens.text import count

    elsewhere = audit.rule_health.filter("enabled", ~audit.rule_health["applies"]).height
    if len(audit.scopes) > 1 or audit.unjudged or elsewhere:
        for one in audit.scopes:
            told = one.statement
            click.echo(visible(told if one.judged else told[0].upper() + told[1:]))
    if elsewhere:
        click.echo(f"Not run: {count(elsewhere, 'rule')} for other products.")


def tabled(rows: list[dict[str, Any]]) -> None:
    """One row a finding."""
    from auditlens.cli.terminal import moment, table

    columns = ("finding", "level", "what", "who or what", "first", "events", "state", "records",
               "why")  # fmt: skip
    cells = [
        (
            row["finding_id"],
            row["level"],
            row["title"],
            row["subject_label"] or row["subject_id"] or "-",
            moment(row["first_at"]),
            row["event_count"],
            row["disposition"] or row["state"],
            records(row, SHORT),
            row["reasons"][0]["text"] if row["reasons"] else "",
        )
        for row in rows
    ]
    table(columns, cells, whole=("finding", "level", "first", "records"))


def stacked(rows: list[dict[str, Any]]) -> None:
    """A few lines a finding, where a terminal is narrow."""
    from auditlens.cli.terminal import moment, visible
    from auditlens.text import count

    for row in rows:
        events = count(row["event_count"], "event")
        who = row["subject_label"] or row["subject_id"] or "-"
        state = row["disposition"] or row["state"]
        click.echo(f"{row['finding_id']}  {row['level']}  {visible(row['title'])}")
        click.echo(f"  {visible(who)}, {moment(row['first_at'])}, {events}, {state}")
        if row["reasons"]:
            click.echo(f"  {visible(row['reasons'][0]['text'])}")
        click.echo(f"  records: {visible(records(row, None))}")
    click.echo()


def records(row: dict[str, Any], limit: int | None) -> str:
    """The id of the first record it rests on, and how many more; 'explain' lists them."""
    ids = row["event_ids"]
    if not ids:
        return "-"
    first = ids[0] if limit is None or len(ids[0]) <= limit else f"{ids[0][: limit - 1]}…"
    more = row["event_count"] - 1
    return f"{first} +{more:,}" if more > 0 else first
