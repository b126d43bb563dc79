"""The charts of an audit: every row of the audit in them, foreign text as text, clear errors."""

import dataclasses
import json
import subprocess
import sys

import altair as alt
import polars as pl
import pytest

from auditlens.errors import UsageError

BAD = "<script>alert(1)</script> \u202e \x07"


@pytest.fixture
def busiest(june):
    return june.events["sender_id"].drop_nulls().mode().sort()[0]


def charts(audit, who):
    plot = audit.plot
    return (plot.timeline(), plot.timeline(who), plot.sender(who), plot.hours(who), plot.scores())


def test_each_chart_holds_every_row_it_is_of(june, busiest):
    """Bars add up to events, hours to events, points to scored account-days."""
    everyone, mine, sender, hours, scores = (one.data for one in charts(june, busiest))
    own = june.events.filter(pl.col("sender_id") == busiest)
    assert everyone["events"].sum() == june.events.height > 0
    assert mine["events"].sum() == own.height
    assert sender.filter("period")["value"].sum() == own.height
    assert hours["now"].sum() == own.height
    assert hours["usual"].sum() + own.height == (june.past["sender_id"] == busiest).sum()
    assert scores.height == june.sender_days["score"].count() > 0
    assert scores["flagged"].any()


def test_each_finding_that_began_in_the_period_is_marked_once(june):
    """The marks add up to the findings that began in the period, each on one row of its day."""
    data = june.plot.timeline().data
    began = june.findings.filter(pl.col("first_at") >= june.period.start)
    assert data["findings"].sum() == began.height > 0
    assert data.filter(pl.col("findings").is_not_null())["day"].is_unique().all()


def test_each_chart_is_valid_vega_lite(june, busiest):
    """Altair checks a chart against the schema when it is written; its rows come with it."""
    for chart in charts(june, busiest):
        spec = chart.to_dict()
        (rows,) = spec["datasets"].values()
        assert len(rows) == chart.data.height > 0
        assert isinstance(chart, alt.Chart | alt.LayerChart)


def test_days_are_those_of_the_period_zone(june):
    """An event before midnight UTC belongs to the next day in Tokyo."""
    tokyo = dataclasses.replace(
        june, period=type(june.period).parse("2026-06", timezone="Asia/Tokyo")
    )
    by_day = tokyo.plot.timeline().data.group_by("day").agg(pl.col("events").sum()).sort("day")
    local = june.events["created_at"].dt.convert_time_zone("Asia/Tokyo").dt.date()
    assert by_day.row(0)[1] == (local == by_day.row(0)[0]).sum() > 0


def test_hidden_characters_of_ids_are_shown(june, busiest):
    """An account called with a direction mark cannot turn a title or a tooltip around."""
    swap = pl.col("sender_id").replace({busiest: BAD})
    hostile = dataclasses.replace(
        june,
        events=june.events.with_columns(swap),
        sender_days=june.sender_days.with_columns(swap),
        source=june.past.with_columns(swap),
    )
    for chart in charts(hostile, BAD):
        text = json.dumps(chart.to_dict(), ensure_ascii=False)
        assert "\u202e" not in text
        assert "\x07" not in text


def test_a_finding_stands_for_whom_or_what_it_is_about(june):
    """The id of a finding can be given where an account's is asked for."""
    about = june.findings.filter(pl.col("subject_kind") == "sender").row(0, named=True)
    by_finding = june.plot.timeline(about["finding_id"]).data
    assert by_finding.equals(june.plot.timeline(about["subject_id"]).data)
    other = june.findings.filter(pl.col("subject_kind") == "resource")["finding_id"][0]
    assert june.plot.timeline(other).data["events"].sum() > 0
    with pytest.raises(UsageError, match="about no account"):
        june.plot.hours(other)


def test_an_unknown_subject_or_count_is_an_error_with_a_fix(june, busiest):
    """What cannot be drawn is said, not drawn empty."""
    plot = june.plot
    for ask in (
        lambda: plot.timeline("nobody"),
        lambda: plot.sender("nobody"),
        lambda: plot.sender(busiest, "moods"),
        lambda: plot.hours("F-NOSUCHONE1"),
    ):
        with pytest.raises(UsageError) as told:
            ask()
        assert told.value.fix


def test_an_audit_of_nothing_is_drawn_empty(june):
    """No row, and still a valid chart."""
    empty = dataclasses.replace(
        june, events=june.events.clear(), findings=june.findings.clear(),
        sender_days=june.sender_days.clear(),
    )  # fmt: skip
    for chart in (empty.plot.timeline(), empty.plot.scores()):
        assert chart.data.is_empty()
        chart.to_dict()


def test_without_altair_the_error_names_the_extra():
    """Nothing else of the package needs Altair."""
    code = (
        "import sys; sys.modules['altair'] = None\n"
        "from auditlens.plots import Plots\n"
        "try: Plots(None).timeline()\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "auditlens[plot]"' in done.stdout


def test_an_audit_in_a_cell_says_what_it_rests_on(june):
    """Completeness, events and findings, as escaped text."""
    held = dataclasses.replace(june.coverage, statement="<b>held</b> & counted")
    shown = dataclasses.replace(june, coverage=held)._repr_html_()
    assert "&lt;b&gt;held&lt;/b&gt; &amp; counted" in shown
    assert f"{june.events.height:,}" in shown
    assert "2026-06" in shown
