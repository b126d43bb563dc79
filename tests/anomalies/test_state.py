"""Features of a day rest on it and earlier days alone, so they can be kept and added to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from auditlens.anomalies import (
    FeatureState,
    add_days,
    day_tables,
    encode_events,
    load_state,
)
from auditlens.errors import SourceError, UsageError
from auditlens.events import ACTION_GROUPS, classify, conform
from auditlens.simulator import simulate

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


@settings(max_examples=4)
@given(LOGS, st.integers(1, 59))
def test_later_events_change_no_feature_of_an_earlier_day(
    events: pl.DataFrame, number: int
) -> None:
    """A log cut short gives the same days: nothing of a baseline is of the same day or later."""
    until = START + timedelta(days=90)
    whole = day_tables(encode_events(events, until=until))
    cut = day_tables(encode_events(first_days(events, number), until=until))
    last = date(2026, 1, 5) + timedelta(days=number)
    for old, new in zip(cut, whole, strict=True):
        assert_same_days(old, new.filter(pl.col("day") < last))


@settings(max_examples=4)
@given(LOGS, st.lists(st.integers(1, 20), max_size=4))
def test_days_added_one_by_one_are_those_of_the_whole_log(
    events: pl.DataFrame, stretches: list[int]
) -> None:
    """Bit by bit, however the log is cut into stretches of days."""
    assert_added_alike(events, cut(events, [*stretches, *[1] * 4, 60]))


def test_what_is_kept_reaches_back_as_far_as_any_feature_looks() -> None:
    """Twelve weeks of peers, 28 active days before the first of five: in a log of five months."""
    events = busy_log(11, 6, 150, 0.0, 0.0)
    assert_added_alike(events, cut(events, [110, 1, 4, 1, 7, 12, 15]))


def test_a_sum_just_within_reach_is_the_highest() -> None:
    """The five days that stand above all others are the first that a day still looks at.

    The last day is a Sunday, and every night's events are of one session with the next morning's.
    """
    last = 76
    many = {
        **dict.fromkeys(range(last - 36, last - 31), 9),
        **dict.fromkeys(range(last - 4, 80), 12),
    }
    rows = [
        (
            f"{day}-{n}",
            START + timedelta(days=day, minutes=1438 + n % 2 if n else 1),
            "s",
            "export",
            "r",
        )
        for day in range(last + 1)
        for n in range(many.get(day, 1))
    ]
    columns = ["id", "created_at", "sender_id", "action_group", "resource_id"]
    events = conform(pl.DataFrame(rows, schema=columns, orient="row"))
    assert_added_alike(events, cut(events, [last, 1]))


TEAMS = pl.DataFrame(
    {"sender_id": [f"s{90 - n}" for n in range(14)], "circle": [f"team {n % 3}" for n in range(14)]}
)


@pytest.mark.parametrize("circles", [None, TEAMS], ids=["no directory", "a directory"])
def test_newcomers_in_the_middle_of_a_week_change_no_peers(circles: pl.DataFrame | None) -> None:
    """Senders, things and types come in on any day, and sort before those of Monday."""
    late = pl.col("created_at") >= START + timedelta(days=17)
    chart = pl.when(late & (pl.col("resource_id") > "r88")).then(pl.lit("chart"))
    events = busy_log(5, 14, 30, 0.0, 0.0).with_columns(
        entity_type=chart.otherwise(pl.col("entity_type"))
    )
    assert (FeatureState().advance(events).sender_days["usual_events"] >= 0).any()
    assert_added_alike(events, cut(events, [9, *[1] * 13, 8]), circles=circles)


def test_a_week_without_resources_leaves_none_of_an_earlier_week() -> None:
    """High days of types are of the week they were made for, whoever touched nothing since."""
    events = busy_log(5, 9, 40, 0.0, 0.0)
    idle = pl.col("created_at").is_between(START + timedelta(days=21), START + timedelta(days=30))
    events = events.with_columns(
        resource_id=pl.when(~idle).then(pl.col("resource_id")), metadata=pl.lit(None, pl.String)
    )
    assert_added_alike(events, cut(events, [15, 8, 2, 1, 4, 1, 3, 6]))


def test_another_directory_counts_from_its_day_on() -> None:
    """Peers that were kept on Monday are those of Monday's teams alone."""
    events = busy_log(5, 14, 30, 0.0, 0.0)
    other = TEAMS.with_columns(circle=pl.Series([f"team {n // 5}" for n in range(14)]))
    first, second = cut(events, [24, 1])
    state = FeatureState().advance(first, circles=TEAMS).state
    usual = pl.col("sender_id", "^usual_.*$")
    found = state.advance(second, circles=other).sender_days.select(usual)
    whole = FeatureState().advance(pl.concat([first, second]), circles=other).sender_days
    assert_frame_equal(found, whole.filter(pl.col("day") == day(24)).select(usual))
    assert not found.equals(state.advance(second, circles=TEAMS).sender_days.select(usual))


def cut(events: pl.DataFrame, lengths: list[int]) -> list[pl.DataFrame]:
    """Stretches of so many days, one after the other."""
    ends = np.cumsum([0, *lengths]).tolist()
    day = (pl.col("created_at") - START).dt.total_days()
    return [events.filter(day.is_between(*span, closed="left")) for span in pairwise(ends)]


def assert_added_alike(
    events: pl.DataFrame, parts: list[pl.DataFrame], *, circles: pl.DataFrame | None = None
) -> None:
    whole = FeatureState().advance(events, circles=circles)
    state, days = FeatureState(), []
    for part in parts:
        new = state.advance(part, circles=circles)
        state = new.state
        days.append((new.sender_days, new.resource_days))
    senders, resources = (pl.concat(each) for each in zip(*days, strict=True))
    assert_same_days(senders.sort("sender_id", "day"), whole.sender_days)
    assert_same_days(resources.sort("resource_id", "day"), whole.resource_days)


LOG = busy_log(7, 5, 30, 0.1, 0.0)


def day(number: int) -> date:
    return START.date() + timedelta(days=number)


def test_an_event_of_a_counted_day_is_refused() -> None:
    """A state cannot take back what it added: late events ask for a count from the beginning."""
    state = FeatureState().advance(first_days(LOG, 20)).state
    assert state.last_day == day(19)
    with pytest.raises(UsageError, match="An event of 2026-01-24 came after its day was counted"):
        state.advance(LOG.filter(pl.col("created_at") >= START + timedelta(days=19, hours=23)))


def test_days_belong_to_the_time_zone_of_the_state() -> None:
    """Where the day ends later, its last events are counted with it."""
    zone = "America/New_York"
    until = START + timedelta(days=20, hours=5)
    parts = [LOG.filter(pl.col("created_at") < until), LOG.filter(pl.col("created_at") >= until)]
    first = FeatureState(zone).advance(parts[0])
    second = first.state.advance(parts[1])
    found = pl.concat([first.sender_days, second.sender_days]).sort("sender_id", "day")
    assert_same_days(found, FeatureState(zone).advance(LOG).sender_days)


def test_a_saved_state_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Days added from the file are those of the whole log; a second call has nothing to add."""
    path = tmp_path / "kept" / "features.state"
    first = add_days(path, LOG, before=day(20))
    second = add_days(path, LOG.lazy(), before=day(30))
    assert (first.sender_days["day"].max(), second.sender_days["day"].min()) == (day(19), day(20))
    found = pl.concat([first.sender_days, second.sender_days]).sort("sender_id", "day")
    assert_same_days(found, FeatureState().advance(LOG).sender_days)
    held = path.read_bytes()
    assert add_days(path, LOG, before=day(30)).sender_days.is_empty()
    assert path.read_bytes() == held


@pytest.mark.parametrize(
    "changed",
    [
        lambda log: log.filter(pl.col("created_at") != pl.col("created_at").min()),
        lambda log: log.with_columns(action_group=pl.lit("read")),
        lambda log: log.with_columns(metadata=pl.lit('{"pii": true}')),
    ],
    ids=["an event less", "classified anew", "marked anew"],
)
def test_a_changed_past_is_counted_from_the_beginning(
    tmp_path: Path, changed: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """Days that have other events by now make the file worth nothing."""
    add_days(tmp_path / "state", LOG, before=day(20))
    log = changed(LOG)
    found = add_days(tmp_path / "state", log, before=day(30))
    assert_same_days(found.sender_days, FeatureState().advance(log).sender_days)


def test_another_time_zone_or_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    """What cannot be used is counted again, without a word and without an error."""
    path = tmp_path / "state"
    add_days(path, LOG, before=day(20))
    assert add_days(path, LOG, before=day(30), timezone="Asia/Tokyo").sender_days[
        "day"
    ].min() <= day(1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    for broken in (bytes(data), bytes(data[:100]), b"", b"no bundle"):
        path.write_bytes(broken)
        assert load_state(path) is None
        assert len(add_days(path, LOG, before=day(30)).sender_days)


def test_a_run_that_dies_while_writing_leaves_the_former_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run goes on from it, and gives the days that were lost."""

    def die(*_: object) -> None:
        raise OSError(28, "No space left on device")

    add_days(tmp_path / "state", LOG, before=day(20))
    held = (tmp_path / "state").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(SourceError, match="The disk is full"):
            add_days(tmp_path / "state", LOG, before=day(30))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [held]
    assert add_days(tmp_path / "state", LOG, before=day(30)).sender_days["day"].min() == day(20)


def test_a_state_of_another_process_fits(tmp_path: Path) -> None:
    """Marks of days do not depend on the process that made them."""
    LOG.write_parquet(tmp_path / "log")
    code = (
        "import polars as pl, sys, datetime; from auditlens.anomalies import add_days;"
        "add_days(sys.argv[1], pl.scan_parquet(sys.argv[2]), before=datetime.date(2026, 1, 25))"
    )
    paths = [str(tmp_path / "state"), str(tmp_path / "log")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, timeout=120)
    state = load_state(tmp_path / "state")
    assert state is not None
    assert state.last_day == day(19)
    assert state.fits(LOG)


@pytest.mark.slow
def test_every_day_of_a_simulated_quarter_is_the_same_added_by_itself() -> None:
    """A workspace with incidents, over three months, day by day."""
    events = classify(conform(simulate(3, people=40, resources=600, days=90).events))
    dated = events.with_columns(day=pl.col("created_at").dt.date()).sort("created_at")
    assert_added_alike(events, dated.partition_by("day", maintain_order=True))
