"""A period is half-open, in a stated zone, compared in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.errors import UsageError
from auditlens.period import Period

ZONES = sorted(available_timezones())


def test_a_month_ends_where_the_next_begins():
    """No event is in two months, and none between them."""
    october, november = Period.parse("2026-10"), Period.parse("2026-11")
    assert october.end == november.start == datetime(2026, 11, 1, tzinfo=UTC)


def test_both_days_of_a_span_are_included():
    """2026-10-01..2026-10-31 is the month of October."""
    span, month = Period.parse("2026-10-01..2026-10-31"), Period.parse("2026-10")
    assert (span.start, span.end) == (month.start, month.end)


def test_last_is_the_last_whole_month():
    """On the first of January, last is December."""
    assert Period.parse("last", today=date(2026, 1, 1)).label == "2025-12"


def test_edges_are_midnights_of_the_zone():
    """A month in Paris starts an hour or two before it does in UTC."""
    assert Period.parse("2026-07", timezone="Europe/Paris").start.hour == 22
    assert len(Period.parse("2026-03", timezone="Europe/Paris").days) == 31


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "0000-01", "9999-12", "2026-10-01", "2026-10-05..2026-10-01",
     "2026-02-30..2026-03-01", "lsat", "2026-10..2026-11", "２０２６-10"],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_the_forms(text: str):
    """The error shows what would be right."""
    with pytest.raises(UsageError, match="Use 2026-10, "):
        Period.parse(text)


def test_an_unknown_zone_is_refused():
    """A zone that does not exist is no UTC."""
    with pytest.raises(UsageError, match="IANA"):
        Period.parse("2026-10", timezone="Mars/Olympus")


@given(st.sampled_from(ZONES), st.integers(0, 12 * 60))
def test_months_of_every_zone_meet(name: str, offset: int):
    """In every zone each month starts at the end of the one before it."""
    first = date(1990, 1, 1) + timedelta(days=31 * offset)
    after = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    one, two = (Period.parse(f"{d:%Y-%m}", timezone=name) for d in (first, after))
    assert one.end == two.start
    assert one.start < one.end
