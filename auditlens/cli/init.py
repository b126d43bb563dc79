"""``auditlens init``: settings, a rule with its tests, a journal, a schedule; never the key."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from auditlens.cli.commands import examples
from auditlens.errors import AuditLensError, UsageError

__all__ = ["init"]

SCHEDULES = ("cron", "systemd", "github", "airflow", "container", "windows")

ADDRESS = "https://api.secoda.co"
RULES = "rules"

SETTINGS = """\
# AuditLens settings. Flags and AUDITLENS_* variables stand above this file.
# The key is not written here: export SECODA_API_KEY.

api_url = {api_url}
archive = "archive"
timezone = {timezone}
reviewer = {reviewer}
# Rules of your own, read beside the shipped ones.
{own_rules}
# Who is told of a new report; docs/notifications.md has every kind.
# [notify.team]
# kind = "slack"
# url_env = "SLACK_WEBHOOK_URL"

# What your rules call %approved_domains% and so on.
[placeholders]
approved_domains = []
provisioning_accounts = []
"""

IGNORED = """\
# Secrets stay here. triage.yml and signed/ belong into git, with the archive or apart from it.
auditlens.env
"""

RULE = """\
# A rule of your own, to start from. It is off: take the lines 'enabled' and 'needs' out to switch
# it on. 'auditlens rules test rules' runs its tests, 'auditlens rules new' writes another rule.
title: Resource Deleted at Night
id: 4f0a1d3e-8a53-4c0c-9d5e-6b1f27c9a310
name: our_night_deletion
status: experimental
description: Detects a person who deletes a resource between 22:00 and 06:00 UTC
references:
    - https://docs.secoda.co/features/audit-log
author: You
date: 2026-11-23
logsource:
    product: secoda
    service: audit
detection:
    selection:
        action: 'resource_deleted'
        sender.kind: 'user'
    night:
        created_at|hour:
            - 22
            - 23
            - 0
            - 1
            - 2
            - 3
            - 4
            - 5
    condition: selection and night
falsepositives:
    - Colleagues in another time zone
level: medium
auditlens:
    enabled: false
    needs: it is an example
    data: A
    reason: '{subject} deleted {resources|resource} at night'
    phrase: 'deleted {resources|resource} at night'
    controls:
        - SOC2:CC7.2
"""

TESTS = """\
# One case that must match and one that must not; an offset counts from a Wednesday, 10:00 UTC.
rule: our_night_deletion
tests:
    - name: at eleven in the evening
      expect: match
      events:
          - {offset: 13h,
             event: {action: resource_deleted, sender: {id: 'u-1', kind: user}, resource_id: 'r-1'}}
    - name: at ten in the morning
      expect: no_match
      events:
          - {offset: 0s,
             event: {action: resource_deleted, sender: {id: 'u-1', kind: user}, resource_id: 'r-1'}}
    - name: at night, by a machine
      expect: no_match
      events:
          - {offset: 13h,
             event: {action: resource_deleted, sender: {id: 's-1', kind: api}, resource_id: 'r-1'}}
"""

EXCEPTION = (
    '- {exception: "X-1", rule: "mass_delete", sender: "u-17", owner: "Ana Birch", '
    'approver: "Bo Larch", reason: "migration", at: "2026-11-02T09:40:00Z", until: "2027-01-31"}'
)
JOURNAL = f"""\
# Triage journal: decisions and exceptions, one line an entry, only ever added to.
# 'auditlens triage' and 'auditlens exceptions add' write here; lines by hand count the same:
# {EXCEPTION}
"""


def starter_files(folder: Path) -> tuple[dict[str, str], bool]:
    """Files that are not there yet, by name, and whether ``rules`` is a folder for one's rules.

    A folder of that name that somebody else filled is left alone.
    """
    example = f"{RULES}/our_night_deletion.yml"
    ours = not (folder / RULES).exists() or (folder / example).is_file()
    files = {"triage.yml": JOURNAL, ".gitignore": IGNORED}
    if ours:
        files = {example: RULE, f"{RULES}/our_night_deletion.test.yml": TESTS} | files
    return {name: text for name, text in files.items() if not (folder / name).exists()}, ours


@examples(
    "init",
    "init --api-url https://api.secoda.co --timezone Europe/Paris --no-input",
    "init --schedule systemd",
)
@click.command()
@click.option(
    "--api-url",
    help="https://api.secoda.co, https://eapi.secoda.co, https://aapi.secoda.co or yours.",
)
@click.option("--timezone", help="Time zone of reports, an IANA name: Europe/Paris.")
@click.option("--reviewer", help="Reviewer: a name, or 'Name <address>'.")
@click.option(
    "--schedule",
    type=click.Choice((*SCHEDULES, "none")),
    help="Also write a schedule that runs 'auditlens run' daily.",
)
@click.option("--no-input", is_flag=True, help="Do not prompt; missing options get their default.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Target folder (default: current).",
)
def init(
    api_url: str | None, timezone: str | None, reviewer: str | None, schedule: str | None,
    no_input: bool, folder: Path,
) -> None:  # fmt: skip
    """Create starter settings (auditlens.toml), an example rule and an empty review journal.

    Existing files are not changed. On a terminal, missing options are prompted for: at most four
    questions. Elsewhere the defaults apply. With --schedule, a folder that has its settings gets
    only the schedule.
    """
    from auditlens.settings import FILE_NAME, has_table

    path = folder / FILE_NAME
    if not (schedule and (path.exists() or has_table(folder))):
        if path.exists():
            raise UsageError(f"{path} exists already", fix="Edit it, or remove it first")
        if has_table(folder):
            raise UsageError(
                f"{folder / 'pyproject.toml'} has settings already", fix="Edit [tool.auditlens]"
            )
        asks = not no_input and sys.stdin is not None and sys.stdin.isatty()
        api_url = said(api_url, "Address of the API", ADDRESS, an_address, asks=asks)
        timezone = said(timezone, "Time zone of reports", "UTC", a_zone, asks=asks)
        reviewer = said(reviewer, "Reviewer (Enter: set later)", "", a_name, asks=asks)
        schedule = said(
            schedule, f"Daily run by ({', '.join(SCHEDULES)}, none)", "none", a_schedule, asks=asks
        )
        files, own_rules = starter_files(folder)
        files[FILE_NAME] = settings_text(api_url, timezone, reviewer, own_rules=own_rules)
        for name, text in files.items():
            write_new(folder / name, text.encode())
        trusted(path)
        click.echo("Next: export SECODA_API_KEY, then run 'auditlens doctor'", err=True)
    if schedule and schedule != "none":
        write_schedule(schedule, folder)


def trusted(path: Path) -> None:
    """Trust the settings just written; where no list can be kept, say what will be asked for."""
    from auditlens.settings import SettingsFile, trust_file

    try:
        trust_file(path, SettingsFile(path).sha256, os.environ)
    except AuditLensError as error:
        click.echo(f"warning: {path} is not trusted yet: {error}", err=True)


def said(
    given: str | None, question: str, default: str, checked: Callable[[str], str], *, asks: bool
) -> str:
    """What a flag said, else what a person answers, else the default; ``checked`` in any case."""
    if given is not None or not asks:
        return checked(default if given is None else given)

    def again(text: str) -> str:
        """A wrong answer is told, and the question comes once more."""
        try:
            return checked(text)
        except UsageError as error:
            raise click.UsageError(str(error)) from None

    return str(
        click.prompt(question, default=default, value_proc=again, show_default=bool(default))
    )


def an_address(text: str) -> str:
    from auditlens.sources.address import read_address

    read_address(text)
    return text


def a_zone(text: str) -> str:
    from auditlens.period import zone

    zone(text)
    return text


def a_name(text: str) -> str:
    if not text.isprintable():
        raise UsageError(
            "The reviewer's name contains a control character", fix="Write a name on one line"
        )
    return text


def a_schedule(text: str) -> str:
    if text not in (*SCHEDULES, "none"):
        raise UsageError(f"Unknown schedule {text!r}", fix=f"Use {', '.join(SCHEDULES)}, none")
    return text


def settings_text(api_url: str, timezone: str, reviewer: str, *, own_rules: bool) -> str:
    """The settings file with these answers, each quoted."""
    import json

    # JSON's quoting of text is TOML's.
    quoted = {"api_url": api_url, "timezone": timezone, "reviewer": reviewer}
    return SETTINGS.format(
        own_rules=f'{"" if own_rules else "# "}own_rules = "{RULES}"\n',
        **{name: json.dumps(text, ensure_ascii=False) for name, text in quoted.items()},
    )


def write_schedule(kind: str, folder: Path) -> None:
    """Write the files of one schedule; none when one of them is there already."""
    from auditlens.monthly import schedule_files

    files = schedule_files(kind, folder, trust=trusted_hash(folder))
    for name in files:
        if (folder / name).exists():
            raise UsageError(f"{folder / name} exists already", fix="Edit it, or remove it first")
    for name, data in files.items():
        write_new(folder / name, data)


def trusted_hash(folder: Path) -> str:
    """The hash of the folder's settings file; empty when it moves no secret.

    Raises UntrustedError when it does and the user has not trusted it.
    """
    from auditlens.settings import (
        GUARDED,
        TRUST_VARIABLE,
        SettingsFile,
        load_settings,
        require_trusted,
    )

    # Only what the file itself says counts here: a variable of today's shell is not there at night.
    kept = {name: text for name, text in os.environ.items() if name == TRUST_VARIABLE
            or not name.startswith(("AUDITLENS_", "SECODA_"))}  # fmt: skip
    held = load_settings(folder, kept)
    if held.path is None:
        return ""
    file = SettingsFile(held.path)
    guarded = file.values().keys() & GUARDED.keys()
    require_trusted({name: one for name, one in held.withheld.items() if one.path == held.path})
    return file.sha256 if guarded else ""


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, and say where."""
    try:
        if path.parent.name in ("workflows", RULES):
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise UsageError(f"{path} exists already", fix="Edit it, or remove it first") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", fix="Name a folder with --folder"
        ) from None
    click.echo(path)
