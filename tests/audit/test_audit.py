"""One run over one period: what goes in, what comes out, and that it repeats."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

import auditlens as al
from auditlens.events import decode_records
from auditlens.simulator import simulate

NOW = datetime(2026, 7, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    """Seventy simulated days of a dozen people."""
    workspace = simulate(5, people=12, services=1, resources=120, days=70, end=date(2026, 7, 1),
                         incidents={"mass_delete": 1}, incident_days=(45, 68))  # fmt: skip
    return decode_records(workspace.records("legacy"), source="made up").events


@pytest.fixture(scope="module")
def audit(events: pl.DataFrame) -> al.Audit:
    return al.run_audit(events, period="2026-06", now=NOW)


def test_the_period_is_examined_and_its_events_are_kept(audit: al.Audit, events: pl.DataFrame):
    """Only events of June are in the audit, all of them, classified."""
    june = events.filter(pl.col("created_at") >= datetime(2026, 6, 1, tzinfo=UTC))
    assert audit.events.height == audit.coverage.events_in_period == june.height
    assert audit.events["action"].null_count() == audit.coverage.unclassified == 0


def test_a_planted_mass_deletion_is_found(audit: al.Audit):
    """What the simulator planted comes out with its sender and events."""
    high = audit.findings.filter(pl.col("title").str.contains("Deletion"))
    assert high.height >= 1
    assert high["event_count"][0] >= 20


def test_findings_lie_in_the_period(audit: al.Audit):
    """Nothing of the history before it is reported."""
    assert audit.findings["last_at"].min() >= audit.period.start
    assert audit.findings["last_at"].max() < audit.period.end


def test_shuffled_input_gives_the_same_audit(audit: al.Audit, events: pl.DataFrame):
    """The order of the rows of a log means nothing."""
    shuffled = events.sample(fraction=1.0, shuffle=True, seed=7)
    again = al.run_audit(shuffled, period="2026-06", now=NOW)
    assert again.findings.equals(audit.findings)
    assert again.sender_days.equals(audit.sender_days)
    assert again.coverage == audit.coverage


def test_a_frame_proves_nothing_about_the_server(audit: al.Audit):
    """Completeness is not claimed where it cannot be known."""
    assert audit.coverage.outcome == "unprovable"


def test_events_after_the_period_change_nothing(audit: al.Audit, events: pl.DataFrame):
    """A report of May is the same whether June has been pulled or not."""
    may = events.filter(pl.col("created_at") < datetime(2026, 6, 1, tzinfo=UTC))
    one, two = (al.run_audit(frame, period="2026-05", now=NOW) for frame in (may, events))
    assert one.findings.equals(two.findings)


def test_an_empty_log_gives_an_audit_that_says_so():
    """No events is no error, and no score."""
    empty = decode_records([]).events
    audit = al.run_audit(empty, period="2026-06", now=NOW)
    assert audit.findings.is_empty()
    assert audit.rule_health.height == len(audit.rules.rules)
    assert audit.model["notes"]
