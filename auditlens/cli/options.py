"""Options that several commands share, and what they resolve to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditlens.errors import UsageError
from auditlens.settings import LEVELS, Settings, load_settings, require_trusted, withheld_told

if TYPE_CHECKING:
    from polars import DataFrame

    from auditlens.archive import Archive
    from auditlens.audit import Audit
    from auditlens.period import Period
    from auditlens.review import ReportOptions
    from auditlens.rules import RuleSet
    from auditlens.sources import Log

__all__ = [
    "SERVER",
    "archive_option",
    "audit_options",
    "json_option",
    "make_audit",
    "quiet_option",
    "report_options",
    "report_options_of",
    "settings_of",
    "skip_broken_option",
]

COMMAND = TypeVar("COMMAND", bound=Callable[..., Any])

archive_option = click.option(
    "--archive", type=click.Path(path_type=Path), help="Folder of the archive (default: settings)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
skip_broken_option = click.option(
    "--skip-broken", is_flag=True, default=None,
    help="Skip rules that cannot be read, and list them (default: settings, stop).",
)  # fmt: skip
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="No messages and no progress display."
)


def audit_options(command: COMMAND) -> COMMAND:
    """Add the options that choose log, period, rules and zone, and the FILE arguments."""
    for option in reversed(
        (
            click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path)),
            archive_option,
            click.option("--period", default="last", show_default=True,
                         help="2026-10, 2026-10-01..2026-10-31 or last."),
            click.option("--timezone", help="IANA zone of the period (default: settings, UTC)."),
            click.option("--rules", "rules_path", type=click.Path(path_type=Path),
                         help="Use only these rules: file or folder (default: settings, shipped)."),
            skip_broken_option,
            click.option("--journal", type=click.Path(path_type=Path),
                         help="Review journal (default: triage.yml beside the archive)."),
            click.option("--profile", default="auto", show_default=True,
                         help="Format of FILE: auto, secoda, cloudtrail or the path of a profile."),
            click.option("--seed", type=int, help="Seed of the model (default: settings, 0)."),
            click.option("--fail-on", type=click.Choice(LEVELS),
                         help="Exit 1 on cases to decide of this level or above."),
            click.option("--fail-on-finding", type=click.Choice(LEVELS),
                         help="Exit 1 on any finding of this level or above, decided or not."),
            click.option("--allow-gaps", is_flag=True,
                         help="Exit 0 even if the log is incomplete or partly unreadable."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def report_options(command: COMMAND) -> COMMAND:
    """Add the options that say what a report is like; ``report_options_of`` reads them."""
    for option in reversed(
        (
            click.option("--edition", type=click.Choice(("full", "brief")), default="full",
                         show_default=True, help="Length of the report."),
            click.option("--identity", type=click.Choice(("full", "pseudonymous", "aggregate")),
                         default="full", show_default=True, help="How accounts are identified."),
            click.option("--also", type=click.Choice(("ndjson", "ocsf", "oscal", "pdf")),
                         multiple=True, help="Additional format to write; repeatable."),
            click.option("--max-rows", type=click.IntRange(1, 20_000), default=1_000,
                         show_default=True, help="Findings on the page; the files list all."),
            click.option("--purpose", default="", help="Purpose, shown on its cover."),
            click.option("--recipients", default="", help="Recipients, shown on its cover."),
            click.option("--delete-by", type=click.DateTime(["%Y-%m-%d"]),
                         help="Deletion date, shown on its cover."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def report_options_of(options: dict[str, Any]) -> ReportOptions:
    """Take the options of ``report_options`` out of ``options``."""
    from auditlens.review import ReportOptions

    taken = {name: options.pop(name) for name in ("edition", "identity", "also", "max_rows",
                                                  "purpose", "recipients")}  # fmt: skip
    last_day = options.pop("delete_by")
    return ReportOptions(**taken, delete_by=last_day.date().isoformat() if last_day else "")


SERVER = ("api_url", "key_file", "key_command")
"""What a command that asks the server uses of the guarded settings."""


def settings_of(*, needs: Collection[str] = (), **given: Any) -> Settings:
    """Settings with the flags that were given laid over them.

    Raises UntrustedError when one of ``needs`` stands in a file that the user has not trusted;
    what else does not count for that reason is told.
    """
    from auditlens.cli.terminal import note

    root = click.get_current_context().find_root()
    settings = load_settings(trust=root.params.get("trust") or ())
    said = {name: value for name, value in given.items() if value is not None}
    withheld = {name: one for name, one in settings.withheld.items() if name not in said}
    require_trusted(withheld, needs)
    for warning in (*settings.unknown, *withheld_told(withheld)):
        note(f"warning: {warning}")
    return replace(settings, withheld=withheld, **said)


def opened(settings: Settings, *, must_exist: bool = True) -> Archive:
    """Open the archive the settings name. Raises UsageError when there is none."""
    from auditlens.archive import Archive
    from auditlens.seals import signed_folder

    if must_exist and not settings.archive.is_dir():
        place = settings.archive if settings.archive.is_absolute() else f"./{settings.archive}"
        raise UsageError(
            f"No archive found in {place}",
            fix="Create one with 'auditlens sync', or name log files to read",
        )
    return Archive(settings.archive, signed=signed_folder(settings.journal_path))


def log_of(files: tuple[Path, ...], profile: str, settings: Settings) -> Archive | Log:
    """The log to look at: the files named, else the archive."""
    if not files:
        return opened(settings)
    from auditlens.sources import read_log

    return read_log(files, profile=profile, timezone=settings.timezone)


def rules_of(settings: Settings, rules_path: Path | None) -> RuleSet | None:
    """The rules of ``--rules``; None without it, for the run to take those of the settings."""
    if rules_path is None:
        return None
    from auditlens.rules import load_rules

    return load_rules(
        rules_path, placeholders=settings.placeholders, skip_broken=settings.skip_broken
    )


def period_of(text: str, settings: Settings) -> Period:
    """Read a period; ``last`` counts from the time of the run, SOURCE_DATE_EPOCH included."""
    from auditlens.period import Period, run_time, zone

    today = run_time().astimezone(zone(settings.timezone)).date()
    return Period.parse(text, timezone=settings.timezone, today=today)


def make_audit(
    files: tuple[Path, ...], *, archive: Path | None, period: str, timezone: str | None,
    rules_path: Path | None, journal: Path | None, profile: str, seed: int | None,
    fail_on: str | None, fail_on_finding: str | None, quiet: bool,
    skip_broken: bool | None = None,
) -> Audit:  # fmt: skip
    """Run the audit the shared options ask for, with progress on stderr."""
    from auditlens.cli.terminal import progress

    settings = settings_of(
        archive=archive,
        timezone=timezone,
        seed=seed,
        fail_on=fail_on,
        fail_on_finding=fail_on_finding,
        journal=journal,
        skip_broken=skip_broken,
    )
    chosen = period_of(period, settings)
    rules = rules_of(settings, rules_path)
    with progress(f"reading the log for {chosen}", quiet=quiet) as say:
        log = log_of(files, profile, settings)
        say(f"checking {chosen} against rules and model")
        from auditlens.audit import run_audit

        return run_audit(log, rules, period=chosen, settings=settings)


def exit_code(audit: Audit, *, allow_gaps: bool, cases: DataFrame | None = None) -> int:
    """3 when the log is incomplete, partly unread or not judged by rules, 1 on cases, else 0.

    ``allow_gaps`` forgives an incomplete or partly unread log, never events that no rule looked at.
    ``cases`` are those that count (default: all of the audit). With the setting
    ``fail_on_finding`` every finding that no exception expects counts, decided or not.
    """
    lacking = audit.coverage.outcome == "incomplete" or audit.coverage.unread > 0
    if lacking and not allow_gaps:
        return 3
    if audit.unjudged:
        return 3
    return int(audit.fails(cases))
