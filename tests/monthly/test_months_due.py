"""Which months are due, in which zone, and from when on."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from auditlens.monthly import due_at, ended_months, first_whole_month, log_begins
from auditlens.period import Period


@pytest.mark.parametrize(
    ("zone", "due"),
    [
        ("UTC", datetime(2026, 11, 4, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 11, 3, 15, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_month_is_due_at_local_midnight_after_its_grace(zone, due):
    """Also where the clocks change within the days of grace."""
    assert due_at(Period.parse("2026-10", timezone=zone), 3) == due


def test_a_log_that_begins_within_a_month_holds_the_next_one_whole():
    """The first day counts as the beginning; the zone decides which day it is."""
    assert first_whole_month(datetime(2026, 12, 2, tzinfo=UTC), "UTC") == "2027-01"
    assert first_whole_month(datetime(2026, 12, 1, 23, tzinfo=UTC), "UTC") == "2026-12"
    assert first_whole_month(datetime(2026, 11, 30, 20, tzinfo=UTC), "Asia/Tokyo") == "2026-12"


def test_months_end_when_their_zone_says_so():
    """Every month once, in order, across the year's end."""
    now = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)
    assert [str(m) for m in ended_months("2026-11", now, "UTC")] == ["2026-11", "2026-12"]
    ended = [str(m) for m in ended_months("2026-11", now, "Europe/Paris")]
    assert ended == ["2026-11", "2026-12", "2027-01"]


@pytest.mark.parametrize(
    ("days", "begins", "alone"),
    [
        (["1970-01-01", "2026-10-05"], "2026-10-05", ["1970-01"]),
        (["1970-01-01", "1980-01-01", "2001-01-01", "2026-09-30", "2026-10-05"], "2026-09-30",
         ["1970-01", "1980-01", "2001-01"]),
        (["2024-10-04", "2026-10-05"], "2024-10-04", []),
        (["2024-10-03", "2026-10-05"], "2026-10-05", ["2024-10"]),
        (["2026-10-05"], "2026-10-05", []),
        (["1970-01-01", "2026-10-05", "2099-01-01"], "2026-10-05", ["1970-01"]),
        ([], None, []),
    ],
)  # fmt: skip
def test_a_log_begins_after_its_last_silence_of_two_years(days, begins, alone):
    """The event of a clock never set makes no month since then due; its month is named."""
    events = pl.LazyFrame(
        {"created_at": [datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in days]},
        schema={"created_at": pl.Datetime("us", "UTC")},
    )
    found, months = log_begins(events, datetime(2026, 11, 28, tzinfo=UTC), "UTC")
    assert (found and f"{found:%Y-%m-%d}", list(months)) == (begins, alone)
