"""``auditlens exceptions``: what is expected until a day, and what it hides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import (
    archive_option,
    json_option,
    opened,
    settings_of,
)
from auditlens.errors import UsageError
from auditlens.text import count

if TYPE_CHECKING:
    from auditlens.review import ExceptionTrial
    from auditlens.rules import RuleSet
    from auditlens.settings import Settings
    from auditlens.triage import Journal

__all__ = ["exceptions"]

COMMAND = TypeVar("COMMAND", bound=Callable[..., Any])
DAYS = 90


def place_options(command: COMMAND) -> COMMAND:
    """Add the options that say which journal, archive and rules are meant."""
    for option in reversed(
        (
            archive_option,
            click.option("--journal", type=click.Path(path_type=Path),
                         help="The triage journal (default: triage.yml beside the archive)."),
            click.option("--rules", "rules_path", type=click.Path(path_type=Path),
                         help="These rules alone, a file or folder (default: settings, shipped)."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def scope_options(command: COMMAND) -> COMMAND:
    """Add the options that say what an exception fits, and how far back to try it."""
    for option in reversed(
        (
            click.option("--rule", help="Name or id of a rule, or sender-day, identity, "
                         "resource-day for the model."),
            click.option("--sender", help="Id or name of an account."),
            click.option("--resource", help="Id or name of a resource."),
            click.option("--family", help="Family of the first reason, such as volume."),
            click.option("--months", type=click.IntRange(0, 60), default=6, show_default=True,
                         help="How many past months to test it on; 0 for none."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@examples(
    "exceptions list",
    "exceptions check --rule mass_delete --sender u-17",
)
@click.group()
def exceptions() -> None:
    """List, add and check time-limited exceptions (suppressions)."""


@examples(
    "exceptions list",
    "exceptions list --json",
)
@exceptions.command("list")
@place_options
@json_option
def list_(
    archive: Path | None, journal: Path | None, rules_path: Path | None, as_json: bool
) -> None:
    """List every exception, expired ones included, with what it hid in signed months."""
    from auditlens.cli.terminal import print_json, table

    settings = settings_of(archive=archive, journal=journal)
    rows = register(settings, rules_path, journal_of(settings))
    if as_json:
        print_json({"exceptions": rows})
        return
    columns = ("exception", "matches", "owner", "approver", "until", "status", "hid", "why")
    keys = ("exception_id", "match", "owner", "approver", "until", "status", "hidden", "reason")
    table(columns, [[row[key] for key in keys] for row in rows])
    click.echo(f"{count(len(rows), 'exception')}; 'hid' counts findings of signed months")


@examples(
    "exceptions add --rule mass_delete --owner Ana --approver Bo --reason migration --dry-run",
)
@exceptions.command()
@place_options
@scope_options
@click.option("--owner", required=True, help="Who is responsible for it.")
@click.option("--approver", required=True, help="Who approved it; not the owner.")
@click.option("--reason", required=True, help="The reason, shown in the report.")
@click.option("--until", help="Last day it applies, 2027-01-31 (default: 90 days).")
@click.option("--ticket", default="", help="Ticket or link that shows the approval.")
@click.option(
    "--dry-run", is_flag=True, help="Show what it would have hidden, without recording it."
)
def add(
    *, archive: Path | None, journal: Path | None, rules_path: Path | None, months: int,
    owner: str, approver: str, reason: str, until: str | None, ticket: str, dry_run: bool,
    **scope: str | None,
) -> None:  # fmt: skip
    """Add an exception, and show what it would have hidden in past months.

    It needs an owner, an approver, a reason and a last day within a year, and it must not fit
    everything.
    """
    from datetime import timedelta

    from auditlens.period import run_time
    from auditlens.triage import add_entry, entry_line, exception_id

    settings = settings_of(archive=archive, journal=journal)
    now = run_time()
    match = matching(scope)
    if owner.strip().casefold() == approver.strip().casefold():
        raise UsageError("Owner and approver are the same", fix="Have somebody else approve it")
    entry = {
        "exception": exception_id(match, now),
        **match,
        "owner": owner,
        "approver": approver,
        "reason": reason,
        "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "until": until or f"{(now + timedelta(days=DAYS)).date()}",
        "ticket": ticket,
    }
    sound(entry, settings.journal_path)
    trials = try_on(settings, rules_path, match, months, now)
    refuse_everything(trials)
    if dry_run:
        click.echo(f"Not written: {entry_line(entry)}", nl=False)
        return
    add_entry(settings.journal_path, entry)
    click.echo(f"{entry['exception']}: holds until {entry['until']}")


@examples(
    "exceptions check",
    "exceptions check --rule mass_delete --sender u-17 --months 3",
)
@exceptions.command()
@place_options
@scope_options
@click.pass_context
def check(
    ctx: click.Context, /, archive: Path | None, journal: Path | None, rules_path: Path | None,
    months: int, **scope: str | None,
) -> None:  # fmt: skip
    """Say which exceptions end soon or hide nothing; with --rule and so on, try a new one.

    Exit code 1 when one ends within 14 days, has ended, or names a rule that is not loaded.
    """
    from auditlens.cli.terminal import visible
    from auditlens.period import run_time

    settings = settings_of(archive=archive, journal=journal)
    if any(scope.values()):
        refuse_everything(try_on(settings, rules_path, matching(scope), months, run_time()))
        return
    wanting = [
        row for row in register(settings, rules_path, journal_of(settings))
        if row["status"] != "active"
    ]  # fmt: skip
    for row in wanting:
        said = {"ending": "ends on", "ended": "ended on"}.get(row["status"])
        told = f"{said} {row['until']}" if said else row["status"]
        click.echo(f"{row['exception_id']} ({visible(row['match'])}): {visible(told)}")
    click.echo(f"{count(len(wanting), 'exception')} to review")
    ctx.exit(int(bool(wanting)))


def matching(scope: Mapping[str, str | None]) -> dict[str, str]:
    match = {key: value for key, value in scope.items() if value}
    if not match:
        raise UsageError(
            "This exception would hide everything",
            fix="Name at least one of --rule, --sender, --resource, --family",
        )
    return match


def loaded(settings: Settings, rules_path: Path | None) -> RuleSet:
    from auditlens.rules import load_rules, rule_roots

    return load_rules(
        rule_roots(settings, rules_path),
        placeholders=settings.placeholders,
        skip_broken=settings.skip_broken,
    )


@examples(
    "exceptions unread",
    "exceptions unread --json",
)
@exceptions.command()
@archive_option
@click.option("--journal", type=click.Path(path_type=Path),
              help="The triage journal (default: triage.yml beside the archive).")  # fmt: skip
@json_option
def unread(archive: Path | None, journal: Path | None, as_json: bool) -> None:
    """List records of the archive that could not be read, and who acknowledged them."""
    import dataclasses

    from auditlens.cli.terminal import print_json, table

    settings = settings_of(archive=archive, journal=journal)
    known = {one.record: one for one in journal_of(settings).acknowledgements}
    held = opened(settings).unread()
    rows = [
        {
            **dataclasses.asdict(one),
            "acknowledged_by": known[one.id].reviewer if one.id in known else "",
            "why": known[one.id].reason if one.id in known else "",
        }
        for one in held
    ]
    if as_json:
        print_json({"unread": rows})
        return
    keys = ("id", "source", "line", "reason", "excerpt", "acknowledged_by", "why")
    columns = ("record", "file", "row", "fault", "begins", "acknowledged by", "why")
    table(columns, [[row[key] for key in keys] for row in rows], whole=("record",))
    noted = sum(one.id in known for one in held)
    click.echo(f"{count(len(held), 'unreadable record')}, {noted:,} acknowledged")


@examples(
    "exceptions acknowledge U-0123456789abcdef --by Ana --reason 'no JSON, as the vendor says'",
)
@exceptions.command()
@archive_option
@click.option("--journal", type=click.Path(path_type=Path),
              help="The triage journal (default: triage.yml beside the archive).")  # fmt: skip
@click.argument("records", nargs=-1, required=True, metavar="RECORD...")
@click.option("--by", "reviewer", required=True, help="Who looked at them.")
@click.option("--reason", required=True, help="What they are, and why they need no correction.")
def acknowledge(
    archive: Path | None, journal: Path | None, records: tuple[str, ...], reviewer: str,
    reason: str,
) -> None:  # fmt: skip
    """Note in the journal that records which could not be read were looked at.

    They stay counted, but no longer make every run exit 3. RECORD is an id of 'exceptions
    unread', or of 'check --json' where files are read.
    """
    from auditlens.period import run_time
    from auditlens.triage import add_entry

    settings = settings_of(archive=archive, journal=journal)
    at = f"{run_time():%Y-%m-%dT%H:%M:%SZ}"
    entries = [
        {"acknowledged": one, "by": reviewer, "reason": reason, "at": at}
        for one in dict.fromkeys(records)
    ]
    for entry in entries:
        sound(entry, settings.journal_path)
    for entry in entries:
        add_entry(settings.journal_path, entry)
    click.echo(f"{count(len(entries), 'record')} acknowledged by {reviewer}")


def journal_of(settings: Settings) -> Journal:
    from auditlens.triage import read_journal

    return read_journal(settings.journal_path)


def sound(entry: Mapping[str, str], path: Path) -> None:
    """Refuse an entry that the journal would not take, before any month is run."""
    from auditlens.triage import check_entry as check_line
    from auditlens.triage import entry_line

    check_line(entry_line(entry), path)


def register(settings: Settings, rules_path: Path | None, journal: Journal) -> list[dict[str, Any]]:
    """Every exception with status and what it hid in the signed months."""
    import polars as pl

    from auditlens.findings import FINDING_SCHEMA
    from auditlens.period import run_time
    from auditlens.seals import read_sign_offs, signed_folder
    from auditlens.triage import exceptions_used, signed_findings, unmatched

    sign_offs = read_sign_offs(signed_folder(settings.journal_path))
    frames = [signed_findings(seal) for seal in sign_offs.standing]
    found = pl.concat([pl.DataFrame(schema=FINDING_SCHEMA), *frames])
    used = exceptions_used(found, journal, today=run_time().date())
    names: dict[str, str] = {}
    if any("rule" in one.match for one in journal.exceptions):
        rules = loaded(settings, rules_path)
        names = {rule.id: rule.name for rule in rules.rules}
    wrong = dict(unmatched(journal.exceptions, names))
    return [
        row | ({"status": wrong[row["exception_id"]]} if row["exception_id"] in wrong else {})
        for row in used.iter_rows(named=True)
    ]


def try_on(
    settings: Settings, rules_path: Path | None, match: Mapping[str, str], months: int,
    now: datetime,
) -> list[ExceptionTrial]:  # fmt: skip
    """Run the trial month by month and print each as it comes."""
    from auditlens.cli.terminal import visible
    from auditlens.review import past_months, try_exception
    from auditlens.seals import read_sign_offs, signed_folder
    from auditlens.triage import FindingException, unmatched

    archive = opened(settings)
    rules = loaded(settings, rules_path)
    asked = FindingException("X-new", match, "", "", "", now, now.date())
    for _, told in unmatched([asked], {rule.id: rule.name for rule in rules.rules}):
        raise UsageError(told[0].upper() + told[1:], fix="'auditlens rules list' has their names")
    sign_offs = read_sign_offs(signed_folder(settings.journal_path))
    trials = []
    for period in past_months(archive, settings, months, now):
        trial = try_exception(
            match,
            period,
            archive=archive,
            sign_offs=sign_offs,
            rules=rules,
            settings=settings,
            now=now,
        )
        trials.append(trial)
        click.echo(
            f"{trial.label} ({trial.source}): would have hidden {trial.hidden.height} "
            f"of {count(trial.findings, 'finding')}"
        )
        for row in trial.hidden.iter_rows(named=True):
            who = visible(row["subject_label"] or row["subject_id"] or "-")
            click.echo(f"  {row['finding_id']}  {row['level']}  {visible(row['title'])}  {who}")
    hidden = sum(trial.hidden.height for trial in trials)
    click.echo(
        f"{count(hidden, 'finding')} in {count(len(trials), 'month')} would have been hidden"
    )
    return trials


def refuse_everything(trials: list[ExceptionTrial]) -> None:
    """Refuse an exception that would have left nothing of months with many kinds of findings."""
    told = [trial for trial in trials if trial.findings]
    everything = all(trial.hidden.height == trial.findings for trial in told)
    varied = any(trial.subjects > 1 and trial.rules > 1 for trial in told)
    if told and everything and varied:
        raise UsageError(
            "This exception would have hidden every finding of these months",
            fix="Name a rule, a sender or a resource",
        )
