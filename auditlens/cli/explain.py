"""``auditlens explain``: why a case or finding was made, with what is usual and its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    audit_options,
    json_option,
    make_audit,
    opened,
    quiet_option,
    settings_of,
)
from auditlens.errors import UsageError
from auditlens.text import count

if TYPE_CHECKING:
    import polars as pl

    from auditlens.archive import Archive
    from auditlens.explanation import CaseExplanation, Explanation

__all__ = ["explain"]

EVENTS_OF_CASE = 100
"""How many events of a case are listed, the first ones."""
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LAST_DAYS = 14
LEGEND = "hours of the week: . never before  - seldom  + usual  # now  ! now and never before"


@examples(
    "explain C-YR4UEE66XM",
    "explain F-HZSSJQZSHA",
    "explain F-HZSSJQZSHA --records",
    "explain F-HZSSJQZSHA october.ndjson --period 2026-10",
)
@click.command()
@click.argument("name", metavar="C-…|F-…")
@click.option("--records", "whole", is_flag=True, help="Add each record, byte for byte as sealed.")
@audit_options
@json_option
@quiet_option
def explain(
    name: str,
    whole: bool,
    as_json: bool,
    allow_gaps: bool,  # noqa: ARG001 - shared options
    **options: Any,
) -> None:
    """Show a case C-… as a timeline, or why a finding F-… was made and on which events."""
    from auditlens.cli.cases import case_of
    from auditlens.cli.terminal import print_json
    from auditlens.explanation import CaseExplanation
    from auditlens.triage import CASE_ID

    archive = sealed(options) if whole else None
    audit = make_audit(**options)
    if CASE_ID.fullmatch(name):
        name = case_of(audit, name)["case_id"]
    told = audit.explain(name)
    records = archive.records(told.events["id"].to_list()).to_dicts() if archive else []
    if as_json:
        texts = [{**one, "record": one["record"].decode("utf-8", "replace")} for one in records]
        print_json({**told.to_dict(), **({"records": texts} if archive else {})})
        return
    if isinstance(told, CaseExplanation):
        tell_case(told, shown=EVENTS_OF_CASE)
    else:
        tell(dict(told.finding), told.events.drop("leaf").to_dicts())
        tell_rule(told)
        tell_decisions(told)
        tell_exception(told)
        tell_usual(told)
    tell_records(records)


def tell_case(told: CaseExplanation, shown: int = 0) -> None:
    """A case as its reader needs it: what, who, when, its findings, its events, what to do."""
    from auditlens.cases import JOINED_BY
    from auditlens.cli.cases import case_lines
    from auditlens.cli.terminal import moment, visible
    from auditlens.text import count

    case = dict(told.case)
    for line in case_lines(case):
        click.echo(line)
    joined = ", ".join(JOINED_BY[one] for one in case["joined_by"])
    if joined:
        click.echo(f"  joined by {joined}")
    if told.raised:
        click.echo(f"  raised from {case['level_from']} because {told.raised}")
    others = [one for one in case["no_longer_joined"] if one in case["finding_ids"]]
    if others:
        click.echo(f"  no longer joined: {', '.join(others)}")
    click.echo("\ntimeline")
    for row in told.timeline.iter_rows(named=True):
        inside = "  " if row["within"] else ""
        click.echo(
            f"  {inside}{moment(row['first_at'])}  {row['finding_id']}  {row['level']}  "
            f"{visible(row['title'])}, {count(row['event_count'], 'event')}"
            f"{' (within the finding above)' if row['within'] else ''}"
        )
        for reason in row["reasons"]:
            click.echo(f"    {inside}{visible(reason['text'])}")
    if shown:
        listed = min(shown, told.events.height)
        click.echo(f"\n{count(case['event_count'], 'event')}, {listed:,} shown")
        tell_events(told.events.head(shown).to_dicts())
    if case["related"]:
        click.echo(f"\nrelated (one resource within a day): {', '.join(case['related'])}")
    click.echo(f"\nUnusual activity is not proof of misuse.\nto decide it: auditlens triage "
               f"{case['case_id']} --as … --reason … --by …")  # fmt: skip


def sealed(options: dict[str, Any]) -> Archive:
    """The archive whose evidence holds the records."""
    if options["files"]:
        raise UsageError(
            "Log files contain no sealed records",
            fix="Leave the files out to explain a finding of the archive, or leave out --records",
        )
    return opened(settings_of(archive=options["archive"]))


def tell_records(records: list[dict[str, Any]]) -> None:
    """Each record with the file that seals it; signs that steer a terminal are spelt out."""
    from auditlens.text import visible

    for one in records:
        click.echo(f"\n{one['file']}, record {one['row']:,}, SHA-256 {one['sha256']}")
        click.echo(visible(one["record"].decode("utf-8", "replace"), terminal=True))


def tell(finding: dict[str, Any], events: list[dict[str, Any]]) -> None:
    from auditlens.cli.terminal import moment, visible

    who = visible(finding["subject_label"] or finding["subject_id"] or "-")
    click.echo(f"{finding['finding_id']}  {finding['level']}  {visible(finding['title'])}")
    click.echo(f"{finding['subject_kind']}: {who} ({visible(finding['subject_id'])})")
    click.echo(f"{moment(finding['first_at'])} to {moment(finding['last_at'])}")
    if finding["score_rank"]:
        click.echo(
            f"rank {finding['score_rank']}, above {min(finding['score_percentile'], 99.9):.1f} % "
            "of reference days; unusual does not mean wrong"
        )
    for number, reason in enumerate(finding["reasons"], 1):
        click.echo(f"{number}. {visible(reason['text'])}")
    click.echo(f"\n{count(finding['event_count'], 'event')}, {len(events)} shown")
    tell_events(events)


def tell_events(events: list[dict[str, Any]]) -> None:
    """A row an event; two lines each where a terminal is narrow, so that ids stay whole."""
    from auditlens.cli.terminal import moment, narrow, table, visible

    rows = [
        (moment(e["created_at"]), e["event"] or "-", e["resource_title"] or e["resource_id"] or "-",
         e["summary"] or "-", e["id"])
        for e in events
    ]  # fmt: skip
    if not narrow():
        columns = ("when", "event", "resource", "what", "event id")
        table(columns, rows, whole=("when", "event id"))
        return
    for when, event, resource, what, name in rows:
        click.echo(f"{when}  {visible(event)}  {visible(resource)}")
        click.echo(f"  {visible(name)}  {visible(what)}")


def tell_rule(told: Explanation) -> None:
    """The rule and its condition in English."""
    from auditlens.cli.terminal import visible

    rule = told.rule
    if rule is None:
        return
    click.echo(f"\nrule: {visible(rule.name)} ({visible(rule.path)}), as written: "
               f"auditlens rules show {visible(rule.name)}")  # fmt: skip
    for line in rule.condition.splitlines():
        click.echo(f"  {visible(line)}" if line else "")
    for harmless in rule.falsepositives:
        click.echo(f"  may be harmless: {visible(harmless)}")


def tell_decisions(told: Explanation) -> None:
    """What reviewers decided, oldest first, and the exception that expects the finding."""
    from auditlens.cli.terminal import moment, visible
    from auditlens.triage import decision_words

    if told.decisions or told.exception:
        click.echo("\ndecisions")
    for one in told.decisions:
        mute = f"; {visible(one.family)} muted until {one.until}" if one.until else ""
        click.echo(
            f"  {moment(one.at)}  {decision_words(one.verdict)} by {visible(one.reviewer)}: "
            f"{visible(one.reason)}{mute}"
        )
    if told.exception:
        expected = told.exception
        click.echo(
            f"  expected until {expected.until} by exception {visible(expected.id)}: "
            f"{visible(expected.reason)}"
        )


def tell_exception(told: Explanation) -> None:
    """The command that would expect its like until a day; it lacks only people and a reason."""
    from shlex import quote

    from auditlens.cli.terminal import visible

    finding = told.finding
    if told.exception or not finding["rule_id"]:
        return
    scope = f"--rule {quote(visible(told.rule.name if told.rule else finding['rule_id']))}"
    if finding["subject_kind"] in ("sender", "resource") and finding["subject_id"]:
        scope += f" --{finding['subject_kind']} {quote(visible(finding['subject_id']))}"
    click.echo("\nto expect its like until a day (--dry-run shows what it would have hidden)")
    click.echo(f"  auditlens exceptions add {scope} --owner … --approver … --reason … --until …")


def tell_usual(told: Explanation) -> None:
    """The subject's last days with the bands of what is usual, and its hours of the week."""
    from auditlens.cli.terminal import table

    if not told.bands:
        return
    days = set(told.days)
    click.echo(f"\nactive days up to the finding ({told.timezone}); usual: eight days in ten")
    frames = {name: recent(frame, max(days)) for name, frame in told.bands.items()}
    first = next(iter(frames.values()))
    rows = [
        (f"{day}{' *' if day in days else ''}", *(cell(frame.row(at)) for frame in frames.values()))
        for at, day in enumerate(first["day"])
    ]
    table(("day", *(f"{name} (usual)" for name in frames)), rows)
    if told.finding["subject_kind"] == "workspace":
        return
    click.echo(f"\n{LEGEND}")
    click.echo("     0     6     12    18")
    marks = hour_marks(told.hours)
    for at, name in enumerate(WEEK):
        click.echo(f"{name}  {marks[24 * at : 24 * (at + 1)]}")


def recent(frame: pl.DataFrame, last: Any) -> pl.DataFrame:
    """The last active days up to the finding's last."""
    return frame.filter(frame["day"] <= last).tail(LAST_DAYS)


def cell(row: tuple[Any, ...]) -> str:
    """A day's count and its band: ``43 (0 to 7)``."""
    _, value, low, _, high = row
    return f"{value:,}" if high is None else f"{value:,} ({low:g} to {high:g})"


def hour_marks(hours: pl.DataFrame) -> str:
    """One sign an hour of the week, Monday first."""
    busy = max(1.0, float(hours["usual"].sum()) / 84)
    signs = []
    for usual, now in hours.select("usual", "now").iter_rows():
        if now:
            signs.append("#" if usual else "!")
        else:
            signs.append("." if not usual else "+" if usual >= busy else "-")
    return "".join(signs)
