"""A frame of one's own becomes an event table."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA, bounded, conform


def test_missing_columns_are_filled():
    """Two columns are enough; the rest is null or derived."""
    table = conform(pl.DataFrame({"id": [1], "created_at": ["2026-10-01T00:00:00Z"]}))
    assert table.schema == pl.Schema(EVENT_SCHEMA)
    assert table["sender_kind"].to_list() == ["system"]
    assert len(table["leaf"][0]) == 32


def test_a_table_conforms_to_itself():
    """What is an event table already comes back unchanged."""
    table = conform(pl.DataFrame({"id": ["a"], "created_at": ["2026-10-01T00:00:00Z"]}))
    assert conform(table).equals(table)


def test_a_frame_without_time_is_refused():
    """The error names the missing column."""
    with pytest.raises(UsageError, match="created_at"):
        conform(pl.DataFrame({"id": ["a"]}))


def test_an_unreadable_time_is_refused():
    """No row gets a null time in silence."""
    with pytest.raises(UsageError, match="1 row without a readable created_at"):
        conform(pl.DataFrame({"id": ["a"], "created_at": ["soon"]}))


@pytest.mark.parametrize(("zone", "hour"), [(None, 9), ("UTC", 9), ("Europe/Berlin", 7)])
def test_a_time_without_a_zone_is_in_utc_and_another_zone_is_converted(zone, hour):
    """Nine on a summer's day in Berlin is seven in UTC."""
    at = pl.Series(["2026-07-01T09:00"]).str.to_datetime().dt.replace_time_zone(zone)
    table = conform(pl.DataFrame({"id": ["a"], "created_at": at}))
    assert table["created_at"].to_list() == [datetime(2026, 7, 1, hour, tzinfo=UTC)]


def test_no_event_is_older_than_1970():
    """The first instant of that year is believed, the one before is not."""
    first, pulled = datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert bounded(first, pulled) == first
    assert bounded(first.replace(year=1969), pulled) is None
