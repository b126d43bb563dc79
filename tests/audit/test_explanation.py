"""An explanation shows what a finding rests on, and says it as plain text."""

import json
from dataclasses import replace
from datetime import date
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
        assert str(told).startswith(f"{finding}  {told.finding['level']}  ")


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


def test_print_shows_what_a_person_would_ask(of):
    """Who, when, why, by which rule, and the first events; no frame and no field's raw name."""
    told = of("rule")
    finding, text = told.finding, str(told)
    for part in (
        finding["title"],
        finding["subject_id"],
        f"{finding['first_at']:%Y-%m-%d %H:%M} UTC",
        finding["reasons"][0]["text"],
        told.rule.name,
        *told.events["id"][:10],
    ):
        assert part in text
    assert "shape" not in text
    assert all(line.isprintable() for line in text.splitlines())
    assert repr(told) == f"Explanation({finding['finding_id']}, {told.events.height:,} events)"


def test_text_of_the_log_hides_nothing_in_print(audited):
    """What turns a line round or starts another is spelt out."""
    finding = audited.findings["finding_id"][0]
    hostile = audited.findings.with_columns(title=pl.lit("a\u202eb\nsender: nobody"))
    shown = str(replace(audited, findings=hostile, journal=Journal()).explain(finding))
    assert "a\\u202eb\\nsender: nobody" in shown.splitlines()[0]


def test_coverage_is_told_as_text_and_as_a_table(audited):
    """The statement first, then the numbers; what is not known or nothing has no line."""
    gap = (date(2026, 7, 2), date(2026, 7, 3))
    held = replace(audited.coverage, statement="<i>held\u202e</i>", gaps=(gap,), missing=None)
    text = str(held)
    assert text.startswith(f"{held.outcome}: <i>held\\u202e</i>\n")
    assert f"events in the period: {held.events_in_period:,}" in text
    assert "days without an event: 2026-07-02 to 2026-07-03" in text
    sealed = str(replace(held, head="0" * 64))
    assert "days that no sync covers: 2026-07-02 to 2026-07-03" in sealed
    assert "missing" not in text
    assert "&lt;i&gt;held" in held._repr_html_()


def test_a_case_is_explained_by_its_findings_and_events(audited):
    """By its id, with its findings in order of time and the events they rest on; text and table."""
    case = audited.cases.row(0, named=True)
    told = audited.explain(case["case_id"])
    assert told.timeline["finding_id"].sort().to_list() == sorted(case["finding_ids"])
    assert told.events["id"].n_unique() == case["event_count"]
    text = str(told)
    assert text.startswith(f"{case['case_id']}  {case['level']}  ")
    assert all(name in text for name in case["finding_ids"])
    assert case["case_id"] in told._repr_html_()
    assert set(told.to_dict()) == {"case", "timeline", "events"}
    with pytest.raises(UsageError, match="No case 'C-AAAAAAAAAA'"):
        audited.explain("C-AAAAAAAAAA")
