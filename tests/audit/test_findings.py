"""Rule episodes and model anomalies become one frame with stable ids."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from auditlens.findings import FINDING_SCHEMA, REASON, build_findings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
THEN = datetime(2026, 10, 5, tzinfo=UTC)

EPISODE = {
    "rule_id": "r-1", "title": "Mass deletion", "level": "high", "subject_kind": "sender",
    "subject_id": "u-1", "subject_label": "Ana", "first_at": THEN, "last_at": THEN,
    "event_count": 3, "event_ids": ["e-1", "e-2", "e-3"], "value": 3.0, "expected": 2.0,
    "reason": "three at once", "phrase": "deleted three", "tags": ["attack.t1485"],
    "controls": ["SOC2:CC7.2"],
}  # fmt: skip
FLAGGED_SCHEMA = {
    "model": pl.String, "title": pl.String, "level": pl.String, "subject_kind": pl.String,
    "subject_id": pl.String, "subject_label": pl.String, "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"), "event_count": pl.Int64,
    "event_ids": pl.List(pl.String), "value": pl.Float64, "expected": pl.Float64,
    "score_rank": pl.Int64, "score_percentile": pl.Float64, "reasons": pl.List(REASON),
}  # fmt: skip
NOTHING_FLAGGED = pl.DataFrame(schema=FLAGGED_SCHEMA)


def episodes(*changes: dict) -> pl.DataFrame:
    schema = {"first_at": pl.Datetime("us", "UTC"), "last_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame([{**EPISODE, **one} for one in changes], schema_overrides=schema)


def found(*changes: dict) -> pl.DataFrame:
    return build_findings(episodes(*changes), NOTHING_FLAGGED, detected_at=NOW)


def test_an_episode_becomes_one_finding_with_every_field():
    """The rule's sentence is its reason; it starts as new and undecided."""
    row = found({}).to_dicts()[0]
    assert list(row) == list(FINDING_SCHEMA)
    assert (row["kind"], row["state"], row["disposition"]) == ("rule", "new", None)
    assert row["reasons"][0]["text"] == "three at once"
    assert row["reasons"][0]["phrase"] == "deleted three"
    assert row["detected_at"] == NOW


def test_an_id_does_not_depend_on_when_or_with_what_it_was_found():
    """Ids are stable across re-runs, and differ for another subject."""
    alone = found({})["finding_id"][0]
    other = found({"subject_id": "u-2"}, {"value": 9.0, "title": "Renamed"})
    assert alone.startswith("F-")
    assert len(alone) == 12
    assert alone in other["finding_id"]
    assert other["finding_id"].n_unique() == 2


def test_strongest_come_first_and_ties_have_an_order():
    """The order does not depend on the order of the input."""
    changes = [{"level": "low"}, {"subject_id": "u-2"}, {"subject_id": "u-3"}]
    one, two = found(*changes), found(*reversed(changes))
    assert one.equals(two)
    assert one["level"].to_list() == ["high", "high", "low"]


def test_a_finding_names_every_event():
    """However many there are: cases and exports rest on them."""
    row = found({"event_ids": [f"e-{n:04}" for n in range(500)], "event_count": 500})
    assert row["event_ids"].list.len()[0] == row["event_count"][0] == 500


def test_nothing_found_is_an_empty_frame_of_the_same_shape():
    """No findings still have every column."""
    empty = build_findings(episodes({}).clear(), NOTHING_FLAGGED, detected_at=NOW)
    assert empty.schema == pl.Schema(FINDING_SCHEMA)


@pytest.mark.parametrize("count", [2, 3])
def test_findings_that_share_everything_are_numbered(count: int):
    """No two findings have one id."""
    assert found(*[{}] * count)["finding_id"].n_unique() == count
