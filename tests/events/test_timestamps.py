"""Timestamps of many forms are read to one instant, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.events import parse_timestamps

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)

FORMS = [
    "2026-03-29T12:00:00Z", "2026-03-29T12:00:00.000Z", "2026-03-29T12:00:00.000000Z",
    "2026-03-29T12:00:00.000000000Z", "2026-03-29T12:00:00,000Z", "2026-03-29T12:00:00z",
    "2026-03-29 12:00:00", "2026-03-29T12:00:00", "2026-03-29 12:00:00+00:00",
    "2026-03-29T14:00:00+02:00", "2026-03-29T14:00:00+0200", "2026-03-29T14:00+02",
    "2026-03-29T01:30:00-10:30", "2026-03-29T12:00Z", "2026-03-29 12:00:00 UTC",
    "2026-03-29 12:00:00 GMT", " 2026-03-29T12:00:00Z ", "20260329T120000Z",
    str(int(NOON.timestamp())), f"{int(NOON.timestamp())}.000", str(int(NOON.timestamp()) * 1000),
    str(int(NOON.timestamp()) * 10**6), str(int(NOON.timestamp()) * 10**9),
    "2026-03-30T02:00:00+14:00", "2026-03-29T00:00:00-12:00",
]  # fmt: skip

NONE = [
    "", "soon", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-29T25:00:00Z",
    "2026-03-29T12:60:00Z", "2026-03-29T24:00:01Z", "12345", "2026-03", "29/03/2026", "None",
    "2026-03-29T12:00:00 Moonbase", "2026-13-01T00:00:00Z", "-1",
]  # fmt: skip


def read(text: str | None) -> datetime | None:
    return parse_timestamps(pl.Series([text], dtype=pl.String))[0]


@pytest.mark.parametrize("text", FORMS)
def test_one_instant_in_many_forms(text: str):
    """RFC 3339 and its relatives, offsets and epochs all mean the same noon."""
    assert read(text) == NOON


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_time_is_null(text: str):
    """A text that is no time is never read as one."""
    assert read(text) is None


def test_midnight_at_the_end_of_a_day_and_leap_seconds_run_over():
    """24:00 is the next day; second 60 is the next minute."""
    assert read("2026-03-28T24:00:00Z") == datetime(2026, 3, 29, tzinfo=UTC)
    assert read("2016-12-31T23:59:60Z") == datetime(2017, 1, 1, tzinfo=UTC)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_instant_survives(when: datetime):
    """Writing and reading any instant changes nothing."""
    text = when.isoformat()
    assert read(text) == when
