"""Cases on the terminal: a few lines each for a person, one line of TSV each for a program."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from auditlens.text import count

if TYPE_CHECKING:
    from polars import DataFrame

    from auditlens.audit import Audit

__all__ = [
    "case_lines",
    "case_of",
    "cases_counted",
    "print_cases",
    "rests_on",
    "state_of",
]

TSV = ("case_id", "level", "decide", "state", "first_at", "last_at", "event_count", "findings",
       "subject_id", "headline")  # fmt: skip
"""The fields of a case's line where standard output is no terminal."""

INDENT = "  "


def print_cases(shown: DataFrame) -> None:
    """Cases to decide, most severe first, then what is only observed or decided."""
    from auditlens.cases import is_to_decide

    if not sys.stdout.isatty():
        for row in shown.iter_rows(named=True):
            click.echo(tsv(row))
        return
    waiting = shown.filter(is_to_decide())
    for row in waiting.iter_rows(named=True):
        click.echo("\n".join(case_lines(row)))
    rest = shown.filter(~is_to_decide()).to_dicts()
    observed = [row for row in rest if not row["decide"] and row["state"] != "excepted"]
    decided = [row for row in rest if row["decide"]]
    for heading, rows in (("Observations, which ask for no decision:", observed),
                          ("Decided:", decided)):  # fmt: skip
        if rows:
            click.echo("\n".join(["", heading, *map(one_line, rows)]))
    if shown.height:
        click.echo()


def tsv(row: dict[str, Any]) -> str:
    from auditlens.cli.terminal import visible

    asked = "decide" if row["decide"] else "observation"
    values = row | {"findings": len(row["finding_ids"]), "decide": asked}
    cells = (values[name] for name in TSV)
    return "\t".join(visible(plain(cell)) for cell in cells)


def plain(value: object) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return "" if value is None else str(value)


def case_lines(row: dict[str, Any]) -> Iterable[str]:
    """Id, level and state; the headline; when, and how much it rests on."""
    from textwrap import wrap

    from auditlens.cli.terminal import visible, width

    raised = f" (raised from {row['level_from']})" if row["level"] != row["level_from"] else ""
    goes_on = ", goes on from an earlier period" if row["continues"] else ""
    yield f"{row['case_id']}  {row['level']}{raised}, {state_of(row)}{goes_on}"
    for line in wrap(visible(row["headline"]), width() - len(INDENT)):
        yield f"{INDENT}{line}"
    yield f"{INDENT}{rests_on(row)}"


def one_line(row: dict[str, Any]) -> str:
    from auditlens.cli.terminal import visible, width

    state = "" if row["state"] == "new" else f" ({state_of(row)})"
    text = f"{row['case_id']}  {row['level']:<8}  {visible(row['headline'])}{state}"
    return text if len(text) <= width() else f"{text[: width() - 1]}…"


def state_of(row: dict[str, Any]) -> str:
    """The state with what was decided, and what joined since."""
    told = str(row["state"])
    if row["disposition"]:
        told += f": {row['disposition']}"
    if row["joined_after"]:
        told += f"; {count(row['joined_after'], 'finding')} joined after the decision"
    return told


def rests_on(row: dict[str, Any]) -> str:
    from auditlens.cli.terminal import moment

    first, last = moment(row["first_at"]), moment(row["last_at"])
    end = last[11:] if first[:11] == last[:11] else last
    when = first if first == last else f"{first} to {end}"
    number = len(row["finding_ids"])
    hidden = f", {row['hidden']:,} under an exception" if row["hidden"] else ""
    return f"{when}; {count(row['event_count'], 'event')}, {count(number, 'finding')}{hidden}"


def cases_counted(audit: Audit, shown: DataFrame | None = None) -> str:
    """Cases by what is to be done with them: those to decide by level, with the findings inside."""
    import polars as pl

    from auditlens.cases import is_to_decide
    from auditlens.findings import LEVELS

    cases = audit.cases if shown is None else shown
    waiting = cases.filter(is_to_decide())
    levels = dict(waiting["level"].value_counts(name="n").iter_rows())
    by_level = ", ".join(f"{levels[one]:,} {one}" for one in reversed(LEVELS) if one in levels)
    held = int(waiting["finding_ids"].list.len().sum())
    new = "new " if shown is not None and shown.height < audit.cases.height else ""
    told = f"{count(waiting.height, f'{new}case')} to decide"
    if waiting.height:
        told += f": {by_level} ({count(held, 'finding')})"
    observed = cases.filter(~pl.col("decide"), pl.col("state") != "excepted").height
    decided = cases.filter(pl.col("state") == "decided", "decide").height
    rest = [count(observed, "observation")] if observed else []
    rest += [f"{decided:,} decided"] if decided else []
    return "; ".join([told, *rest])


def case_of(audit: Audit, name: str) -> dict[str, Any]:
    """A case by its id, or by one it had before it became one with another; says so."""
    from auditlens.cli.terminal import note
    from auditlens.explanation import case_named

    case = case_named(audit, name)
    if case["case_id"] != name:
        note(f"{name} is part of {case['case_id']} now")
    return case
