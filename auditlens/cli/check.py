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
    help="Only cases that no report or message told of, or that changed since.",
)
@click.option(
    "--findings",
    "by_finding",
    is_flag=True,
    help="List each finding in place of cases.",
)
@json_option
@quiet_option
@click.pass_context
def check(
    ctx: click.Context, /, only_new: bool, by_finding: bool, as_json: bool, allow_gaps: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Detect findings in a period of the archive, or of log FILEs, by rules and anomaly model.

    Findings that are one story are one case, which is what a person decides. Where standard output
    is no terminal each case is one line of tab-separated fields, and messages go to stderr.
    """
    audit = make_audit(**options)
    cases = untold_of(audit) if only_new else audit.cases
    if as_json:
        print_document(audit, cases)
    elif by_finding:
        print_findings(audit, findings_in(audit, cases))
    else:
        print_audit(audit, cases)
    ctx.exit(exit_code(audit, allow_gaps=allow_gaps, cases=cases))


def untold_of(audit: Audit) -> DataFrame:
    """The cases to decide that nobody was shown as they are now."""
    from auditlens.triage import untold

    return untold(audit.cases, audit.ledger)


def findings_in(audit: Audit, cases: DataFrame) -> DataFrame:
    """The findings of these cases."""
    return audit.findings.filter(audit.findings["case_id"].is_in(cases["case_id"].implode()))


def print_document(audit: Audit, cases: DataFrame) -> None:
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
            "cases": cases.to_dicts(),
            "cases_total": audit.cases.height,
            "findings": findings_in(audit, cases).to_dicts(),
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


def print_audit(audit: Audit, cases: DataFrame | None = None) -> None:
    """Cases, what they rest on, and last how many there are to decide by level."""
    from auditlens.cli.cases import cases_counted, print_cases
    from auditlens.cli.terminal import say

    cases = audit.cases if cases is None else cases
    print_cases(cases)
    print_basis(audit)
    counted = cases_counted(audit, cases)
    if audit.unjudged and not any(one.rules and one.events for one in audit.scopes):
        counted = f"Not judged by rules; of the model {counted}"
    say(f"{counted}.")


def print_findings(audit: Audit, shown: DataFrame) -> None:
    """A table: level, what, who, when, why, records; then what it rests on.

    What an exception expects is counted below the table and not listed in it.
    """
    from auditlens.cli.terminal import narrow, say
    from auditlens.findings import is_excepted
    from auditlens.text import count

    rows = shown.filter(~is_excepted()).to_dicts()
    if rows:
        (stacked if narrow() else tabled)(rows)
    print_basis(audit)
    told = count(audit.findings.height, "finding")
    if shown.height < audit.findings.height:
        told = f"{shown.height:,} of {told}"
    say(f"{told}.")


def print_basis(audit: Audit) -> None:
    """The population: events, rules, classes, log sources, exceptions, coverage, the model."""
    from auditlens.cli.review import print_review
    from auditlens.cli.terminal import moment, say, visible
    from auditlens.text import count

    health = audit.rule_health
    held = audit.coverage
    say(
        f"{audit.period} ({audit.period.timezone}): {count(audit.findings.height, 'finding')} from "
        f"{count(held.events_in_period, 'event')}, {count(health.height, 'rule')}, "
        f"{count(held.unclassified, 'event')} unclassified, "
        f"{count(held.quarantined_count, 'record')} quarantined"
    )
    print_skipped(audit.rules)
    print_classes(audit)
    print_scopes(audit)
    print_review(audit)
    say(visible(held.statement))
    unripe = health.filter(health["learning"] > 0)
    if unripe.height:
        say(
            f"Not judged for lack of history: {count(int(unripe['learning'].sum()), 'event')}, by "
            f"{count(unripe.height, 'rule')} that compare with the past"
        )
    if held.quarantined_count:
        listed = "'auditlens exceptions unread'" if held.head else "--json"
        say(
            f"{count(held.quarantined_count, 'unreadable record')}, {held.acknowledged_count:,} "
            f"acknowledged; {listed} lists them"
        )
    for one in held.misdated[:MISDATED_SHOWN]:
        say(f"  misdated: {visible(one.id)}, dated {moment(one.created_at)}")
    if held.misdated_count > MISDATED_SHOWN:
        say(f"  and {held.misdated_count - MISDATED_SHOWN:,} more; --json lists them")
    for told in audit.model.get("notes", ()):
        say(f"Model: {visible(told)}")


def print_skipped(rules: RuleSet) -> None:
    """The rules that could not be read and were left out on request."""
    from auditlens.cli.terminal import say, visible
    from auditlens.text import count

    if not rules.skipped:
        return
    files = len({one.path for one in rules.skipped})
    say(
        f"{count(len(rules.skipped), 'error')} in {count(files, 'rule file')}: "
        "these rules were skipped and judged no event."
    )
    for one in rules.skipped[:SKIPPED_SHOWN]:
        say(f"  {visible(str(one))}")
    if (more := len(rules.skipped) - SKIPPED_SHOWN) > 0:
        say(f"  and {more:,} more; 'auditlens rules check' lists all")


def print_classes(audit: Audit) -> None:
    """How the events were told apart, and the kinds that only their verb names."""
    from auditlens.cli.terminal import say, visible

    held = audit.coverage
    if not held.classified:
        return
    say(held.classified)
    if held.verb_only:
        kinds = ", ".join(f"{visible(kind)} {n:,}" for kind, n in held.verb_only[:KINDS_SHOWN])
        more = held.verb_only_kinds - min(len(held.verb_only), KINDS_SHOWN)
        say(f"By verb only, or not at all: {kinds}{f', and {more} more' if more else ''}.")


def print_scopes(audit: Audit) -> None:
    """One line a log source, where there are several or one that no rule judged."""
    from auditlens.cli.terminal import say, visible
    from auditlens.text import count

    elsewhere = audit.rule_health.filter("enabled", ~audit.rule_health["applies"]).height
    if len(audit.scopes) > 1 or audit.unjudged or elsewhere:
        for one in audit.scopes:
            told = one.statement
            say(visible(told if one.judged else told[0].upper() + told[1:]))
    if elsewhere:
        say(f"Not run: {count(elsewhere, 'rule')} for other products.")


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
