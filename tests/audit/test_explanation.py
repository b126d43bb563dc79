"""An explanation shows what a finding rests on, and says it as plain text."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.triage import Journal, parse_journal


@pytest.fixture
def of(audited):
    """The explanation of the first finding of a kind and subject."""

    def first(kind, subject="sender"):
        about = audited.findings.filter(pl.col("kind") == kind, pl.col("subject_kind") == subject)
        return audited.explain(about["finding_id"][0])

    return first


def test_an_anomaly_shows_the_subject_before_and_on_its_days(of, audited):
    """Timeline, hours and bands hold every event of the sender, and mark the finding's day."""
    told = of("anomaly")
    mine = audited.past.filter(pl.col("sender_id") == told.finding["subject_id"])
    assert told.timeline["events"].sum() == mine.height > told.finding["event_count"]
    assert told.hours.height == 168
    assert told.hours["now"].sum() >= told.finding["event_count"]
    band = told.bands["events"].filter(pl.col("day").is_in(list(told.days)))
    assert (band["value"] > band["high"]).all()
    assert len(told.bands) > 1
    assert told.rule is None


def test_the_counts_with_bands_are_those_the_reasons_name(of):
    """The band of a count on the finding's day has the value the reason tells."""
    told = of("anomaly")
    reason = next(one for one in told.finding["reasons"] if one["family"] == "self")
    day = told.bands["events"]["day"].is_in(list(told.days))
    shown = {name: frame.filter(day)["value"].max() for name, frame in told.bands.items()}
    assert reason["value"] in shown.values()


def test_a_rule_finding_shows_its_events_and_the_condition_in_english(of):
    """Which rule, what it asks for, and each event it matched."""
    told = of("rule")
    assert told.events["id"].to_list() == told.finding["event_ids"]
    assert "An e" in told.rule.condition
    assert told.rule.title == told.finding["title"]


def test_a_resource_is_explained_as_a_sender_is(of, audited):
    """Its own events before and on the days."""
    told = of("rule", "resource")
    mine = audited.past.filter(pl.col("resource_id") == told.finding["subject_id"])
    assert told.timeline["events"].sum() == mine.height > 0


def test_decisions_stand_in_their_order(audited):
    """The whole history of a finding, not the last word alone."""
    finding = audited.findings["finding_id"][0]
    text = "".join(
        f"- {{finding: {finding}, as: {verdict}, by: Ana, reason: {verdict}, at: 2026-07-0{day}}}\n"
        for day, verdict in ((2, "benign"), (1, "needs_work"))
    )
    told = replace(audited, journal=parse_journal(text, Path("triage.yml"))).explain(finding)
    assert [one.verdict for one in told.decisions] == ["needs_work", "benign"]


def test_every_finding_can_be_explained_as_json(audited):
    """No kind of finding falls through, and nothing in it has no JSON form."""
    kinds = ["kind", "subject_kind", "rule_id"]
    for finding in audited.findings.unique(kinds, maintain_order=True)["finding_id"]:
        told = audited.explain(finding)
        json.dumps(told.to_dict(), default=str)
        assert finding in told._repr_html_()


def test_an_unknown_finding_is_an_error_with_a_fix(audited):
    """Said, not shown empty."""
    with pytest.raises(UsageError) as told:
        audited.explain("F-NOSUCHONE1")
    assert told.value.fix


def test_text_of_the_log_is_no_markup_in_a_cell(audited):
    """A hostile title stays text."""
    finding = audited.findings["finding_id"][0]
    hostile = audited.findings.with_columns(title=pl.lit("<script>x</script>"))
    shown = replace(audited, findings=hostile, journal=Journal()).explain(finding)._repr_html_()
    assert "<script>" not in shown
