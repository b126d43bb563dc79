"""``auditlens rules backtest``: what rules would have found, week by week."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.check import print_skipped
from auditlens.cli.examples import examples
from auditlens.cli.options import json_option, log_of, settings_of, skip_broken_option
from auditlens.cli.rule_options import loaded, product_option, rules_option

if TYPE_CHECKING:
    from polars import DataFrame

    from auditlens.archive import Archive
    from auditlens.rules import RuleSet
    from auditlens.sources import Log

__all__ = ["backtest"]


@examples(
    "rules backtest --since 2026-08-01 --rules rules",
)
@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day.")
@rules_option
@click.option("--archive", type=click.Path(path_type=Path), help="Folder of the archive.")
@product_option
@skip_broken_option
@json_option
def backtest(files: tuple[Path, ...], since: Any, rules_path: Path | None, archive: Path | None,
             product: str, skip_broken: bool | None, as_json: bool) -> None:  # fmt: skip
    """Show what rules would have found in the archive, or in log FILEs, week by week."""
    from datetime import UTC

    from auditlens.cli.terminal import print_json, table
    from auditlens.rules import backtest as run

    rules = loaded(rules_path, product, skip_broken=bool(skip_broken))
    settings = settings_of(archive=archive)
    events = marked_events(log_of(files, "auto", settings), rules)
    found = run(
        rules, events, since.replace(tzinfo=UTC),
        timezone=settings.timezone, holidays=settings.holidays,
    )  # fmt: skip
    if as_json:
        print_json({"weeks": found.weeks.to_dicts(), "senders": found.senders.to_dicts(),
                    "rules_skipped": [str(one) for one in rules.skipped]})  # fmt: skip
        return
    print_skipped(rules)
    weeks = ("title", "level", "week", "episodes", "events")
    table(weeks, found.weeks.select(weeks).iter_rows(), title="Findings a week")
    senders = ("title", "subject_label", "episodes", "events")
    table(senders, found.senders.select(senders).iter_rows(), title="Most often")


def marked_events(log: Archive | Log, rules: RuleSet) -> DataFrame:
    """All events; those of an archive with what its directory knew of them at their time."""
    from auditlens.archive import Archive
    from auditlens.audit import directory_fields
    from auditlens.directory import with_marks
    from auditlens.loading import dated_events
    from auditlens.period import run_time

    events = dated_events(log, run_time())
    if not isinstance(log, Archive):
        return events
    return with_marks(events, log.directory(), directory_fields(rules))
