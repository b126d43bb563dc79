"""Every feature has the values that somebody worked out by hand, on a log of a few people.

The logs and the tables stand in ``worked/``, a module a family. ``python -m
tests.anomalies.worked.mutants`` breaks the package's code line by line and says which breaks no
table sees.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from auditlens.anomalies import FeatureState
from tests.anomalies.worked import ALL
from tests.anomalies.worked.log import Case, Row, wrong

DOCS = Path(__file__).resolve().parents[2] / "docs" / "features.md"
SUBJECTS = {"Accounts": "sender_id", "Resources": "resource_id"}


def features() -> list[tuple[str, str]]:
    """Subject and name of every feature of the three models, from the generated docs."""
    found: dict[tuple[str, str], None] = {}
    subject = None
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            subject = SUBJECTS.get(re.split(r"\W+", line)[1])
            if line.startswith("## Sender-months"):
                break
        elif subject and (name := re.match(r"\| `(\w+)` \|", line)):
            found[subject, name[1]] = None
    return list(found)


FEATURES = features()


@cache
def counted(name: str) -> dict[str, pl.DataFrame]:
    senders, resources = CASES[name].frames()
    return {"sender_id": senders, "resource_id": resources}


CASES = {case.name: case for case in ALL}
CUTS = (5, 8)


def rows_of(case: Case, subject: str) -> tuple[Row, ...]:
    return case.senders if subject == "sender_id" else case.resources


def tables_of(subject: str, feature: str) -> dict[str, tuple[Row, ...]]:
    """By case, what is said of one feature."""
    found = {
        case.name: tuple(row for row in rows_of(case, subject) if row.feature == feature)
        for case in ALL
    }
    return {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_the_one_worked_out_by_hand(name):
    """The whole log at once."""
    for subject, frame in counted(name).items():
        assert wrong(rows_of(CASES[name], subject), frame, subject) == {}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.days > CUTS[0]])
def test_days_counted_in_three_goes_have_the_same_values(name):
    """What is kept of the first five and eight days is all that later ones need, also in 1970."""
    case = CASES[name]
    senders, resources = case.frames(cuts=CUTS)
    assert wrong(case.senders, senders, "sender_id") == {}
    assert wrong(case.resources, resources, "resource_id") == {}


@pytest.mark.parametrize("name", list(CASES)[:3])
def test_features_are_rounded_to_six_places(name):
    """So that a model does not depend on the order of adding."""
    for frame in counted(name).values():
        floats = frame.select(pl.col(pl.Float64))
        assert floats.width > 10
        assert floats.equals(floats.select(pl.all().round(6)))


def test_a_log_of_nothing_has_no_days():
    """Neither of senders nor of resources, and another day can be counted after it."""
    case = CASES[next(iter(CASES))]
    empty = FeatureState().advance(case.events().clear())
    assert (len(empty.sender_days), len(empty.resource_days)) == (0, 0)
    after = empty.state.advance(case.events())
    assert wrong(case.senders, after.sender_days, "sender_id") == {}


def test_the_docs_name_125_features():
    """101 of senders (two models share ten), 24 of resources: none escapes the table."""
    assert [subject for subject, _ in FEATURES].count("sender_id") == 101
    assert [subject for subject, _ in FEATURES].count("resource_id") == 24


@pytest.mark.parametrize(("subject", "name"), FEATURES)
def test_the_tables_see_a_feature_that_is_nothing_or_a_day_late(subject, name):
    """Zero, a constant, its negative, and the value of the day before or after are all noticed."""
    column = pl.col(name)
    broken = {
        "zero": column * 0,
        "its highest everywhere": column.max(),
        "half": column / 2,
        "negative": -column,
        "a day late": column.shift(1, fill_value=0).over(subject),
        "a day early": column.shift(-1, fill_value=0).over(subject),
    }
    tables = tables_of(subject, name)
    frames = {case: counted(case)[subject].select(subject, "day", name) for case in tables}
    for what, expression in broken.items():
        noticed = (
            wrong(rows, frames[case].with_columns(expression.alias(name)), subject)
            for case, rows in tables.items()
        )
        assert any(noticed), f"{name}: {what}"
