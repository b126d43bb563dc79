"""Listings become frames of exact types, and marks stand beside events as known at the time."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.directory import (
    LISTINGS,
    DirectoryHistory,
    read_listing,
    with_catalog_context,
    with_marks,
)
from auditlens.events import conform
from tests.directory.conftest import START, records


def events(*rows):
    """Events of (day of October, sender, resource), in the given order."""
    return conform(
        pl.DataFrame(
            [
                {"id": f"e-{n}", "created_at": START + timedelta(days=day, minutes=n),
                 "event": "x", "sender_id": sender, "resource_id": resource}
                for n, (day, sender, resource) in enumerate(rows)
            ]
        )
    )  # fmt: skip


def history(rooms, *days):
    found = DirectoryHistory()
    for day in days:
        listings = {name: records(rows) for name, rows in rooms.rows.items()}
        found = found.with_pull(START + timedelta(days=day), f"{day}", listings)
    return found


def test_the_words_none_and_false_are_read_as_meant(rooms):
    """The vendor's samples write null and false as text."""
    users = history(rooms, 0).pulls[0].users
    assert users["role"].to_list() == ["admin", "viewer"]
    assert users["disabled"].to_list() == [False, True]
    assert users["last_login"].to_list() == [None, datetime(2026, 9, 1, 8, tzinfo=UTC)]
    assert users["groups"].to_list() == [["g-1"], ["g-1"]]


@given(st.sampled_from(sorted(LISTINGS)), st.lists(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "name", "role", "pii", "tags", "users", "last_login"]), inner,
        max_size=4), max_leaves=8), max_size=4))  # fmt: skip
def test_any_json_gives_the_same_columns(name, found):
    """Whatever a server writes, types hold and nothing is raised."""
    frame = read_listing(name, [json.dumps(one).encode() for one in found] + [b"{broken"])
    assert frame.schema == {column: kind for column, (kind, *_) in LISTINGS[name].items()}
    assert frame["id"].null_count() == 0


def test_marks_are_those_known_when_the_event_happened(rooms):
    """A pull says nothing about the time before it, and a later one does not rewrite it."""
    old = history(rooms, 2)
    rooms.rows["users"][0]["disabled"] = True
    both = old.with_pull(START + timedelta(days=4), "b",
                         {name: records(rows) for name, rows in rooms.rows.items()})  # fmt: skip
    log = events((5, "u-1", "r-1"), (1, "u-1", "r-1"), (3, "u-1", "r-2"), (5, "u-9", None))
    marked = with_marks(log, both)
    assert marked.select(log.columns).equals(log)
    assert marked["sender_disabled"].to_list() == [True, None, False, None]
    assert marked["sender_role"].to_list() == ["admin", None, "admin", None]
    assert marked["resource_pii"].to_list() == [True, None, False, None]
    assert marked["resource_tags"].to_list() == [["finance"], None, ["t-9"], None]
    assert marked["sender_groups"].to_list() == [["stewards"], None, ["stewards"], None]
    early = with_marks(log, old).filter(pl.col("created_at") < both.pulls[1].at)
    assert early.equals(marked.filter(pl.col("created_at") < both.pulls[1].at))


def test_without_a_pull_the_columns_are_absent():
    """Absent and empty are told apart: rules then say that the field was never seen."""
    log = events((1, "u-1", "r-1"))
    assert with_marks(log, DirectoryHistory()).equals(log)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, {"pii": True, "container": "c-1"}),
        ("{}", {"pii": True, "container": "c-1"}),
        ('{ "a": 1}', {"pii": True, "container": "c-1", "a": 1}),
        ('{"pii": false}', {"pii": False, "container": "c-1"}),
        ('{"container": "x"}', {"pii": True, "container": "x"}),
        ("[1]", [1]),
    ],
)
def test_the_catalog_adds_to_metadata_and_overrules_nothing(rooms, metadata, said):
    """The model reads marks in one place; what the record says itself stands."""
    log = events((1, "u-1", "r-1")).with_columns(metadata=pl.lit(metadata, pl.String))
    added = with_catalog_context(log, history(rooms, 0).pulls[0])
    assert json.loads(added["metadata"][0]) == said
    assert added.drop("metadata").equals(log.drop("metadata"))


def test_an_unknown_resource_is_left_as_it_is(rooms):
    """No mark is made up."""
    log = events((1, "u-1", "r-77"), (1, "u-1", None))
    assert with_catalog_context(log, history(rooms, 0).pulls[0]).equals(log)


def test_circles_say_who_belongs_together(rooms):
    """Groups from both sides of the membership, and roles."""
    assert history(rooms, 0).pulls[0].circles.rows() == [
        ("u-1", "group g-1"), ("u-1", "role admin"), ("u-2", "group g-1"), ("u-2", "role viewer"),
    ]  # fmt: skip
