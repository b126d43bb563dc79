"""A frame of one's own becomes an event table."""

from __future__ import annotations

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA, conform


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
    with pytest.raises(UsageError, match="1 rows have no readable created_at"):
        conform(pl.DataFrame({"id": ["a"], "created_at": ["soon"]}))
