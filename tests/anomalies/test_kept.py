"""Features of a day rest on it and earlier days alone, so they can be kept and added to."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.kept import FeatureState
from auditlens.anomalies.ledger import open_ledger
from auditlens.anomalies.tables import day_tables
from auditlens.events import conform

START = datetime(2026, 1, 5, tzinfo=UTC)


def busy_log(seed: int, people: int, days: int, gaps: float, system: float) -> pl.DataFrame:
    """Days left out, joiners, removals, nights through, marks, folders and repeated events."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in np.flatnonzero(rng.random(days) >= gaps).tolist():
        for person in range(people):
            if day < person * days // (2 * people) or rng.random() < 0.2:
                continue  # not yet there, or not at work
            minutes = np.sort(rng.integers(0, 1440, 1 + rng.integers(8)) // 20 * 20 + 5)
            rows += [one_event(rng, person, day, int(minute), system) for minute in minutes]
    return conform(pl.DataFrame(rows, schema=SCHEMA, orient="row", infer_schema_length=None))


SCHEMA = {
    "id": pl.String, "created_at": pl.Datetime("us", "UTC"), "sender_id": pl.String,
    "sender_kind": pl.String, "sender_name": pl.String, "event": pl.String, "action": pl.String,
    "action_group": pl.String, "resource_id": pl.String, "entity_type": pl.String,
    "metadata": pl.String,
}  # fmt: skip


def one_event(rng: np.random.Generator, person: int, day: int, minute: int, system: float) -> tuple:
    if rng.random() < 0.1:
        person, minute = int(rng.integers(3)), 1439
    thing = person * 3 + int(rng.integers(4 + day // 7)) if rng.random() < 0.9 else None
    group = ACTION_GROUPS[int(rng.integers(len(ACTION_GROUPS)) ** 2 % len(ACTION_GROUPS))]
    removed = rng.random() < 0.03
    marks = {"container": f"f{(thing or 0) % 4}", "pii": bool(rng.random() < 0.2)}
    return (
        str(rng.integers(1 << 60)),
        START + timedelta(days=day, minutes=minute, seconds=int(rng.integers(2))),
        # Later senders and things sort before earlier ones.
        f"s{90 - person}",
        "system" if person < 9 * system else ["user", None, "integration"][person % 3],
        f"name {rng.integers(2)}",
        f"{group}_{rng.integers(3)}",
        "member_removed" if removed else group,
        group,
        f"s{90 - int(rng.integers(4))}" if removed else thing and f"r{900 - thing}",
        [None, "table", "dashboard"][(thing or 0) % 3],
        json.dumps(marks) if rng.random() < 0.6 else None,
    )


LOGS = st.builds(
    busy_log,
    seed=st.integers(0, 10_000),
    people=st.integers(1, 9),
    days=st.integers(1, 60),
    gaps=st.sampled_from([0.0, 0.1, 0.6]),
    system=st.sampled_from([0.0, 0.1, 0.1, 1.0]),
)


def assert_same_days(found: pl.DataFrame, whole: pl.DataFrame) -> None:
    """What kind of account a sender is, and its name, are facts of the whole log, no features."""
    facts = pl.exclude("service", "subject_label")
    assert_frame_equal(found.select(facts), whole.select(facts), check_exact=True)


def first_days(events: pl.DataFrame, number: int) -> pl.DataFrame:
    return events.filter(pl.col("created_at") < START + timedelta(days=number))


@settings(max_examples=5)
@given(LOGS, st.integers(1, 59))
def test_later_events_change_no_feature_of_an_earlier_day(
    events: pl.DataFrame, number: int
) -> None:
    """A log cut short gives the same days: nothing of a baseline is of the same day or later."""
    until = START + timedelta(days=90)
    whole = day_tables(open_ledger(events, until=until))
    cut = day_tables(open_ledger(first_days(events, number), until=until))
    last = date(2026, 1, 5) + timedelta(days=number)
    for old, new in zip(cut, whole, strict=True):
        assert_same_days(old, new.filter(pl.col("day") < last))


@settings(max_examples=5)
@given(LOGS, st.lists(st.integers(1, 20), max_size=4))
def test_days_added_one_by_one_are_those_of_the_whole_log(
    events: pl.DataFrame, stretches: list[int]
) -> None:
    """Bit by bit, however the log is cut into stretches of days."""
    whole = FeatureState().advance(events)
    state, cut, parts = FeatureState(), 0, []
    for length in [*stretches, *[1] * 6, 60]:
        part = first_days(events, cut + length).join(first_days(events, cut), on="id", how="anti")
        new = state.advance(part)
        state, cut = new.state, cut + length
        parts.append((new.sender_days, new.resource_days))
    senders, resources = (pl.concat(days) for days in zip(*parts, strict=True))
    assert_same_days(senders.sort("sender_id", "day"), whole.sender_days)
    assert_same_days(resources.sort("resource_id", "day"), whole.resource_days)
