"""Plots count what the audit holds, and escape what the log says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.notebook import Plot, plot_activity


def test_every_event_and_finding_of_the_period_is_counted_once(june):
    """The bars add up to the events, the marks to the findings that began in the period."""
    plot = plot_activity(june)
    began = june.findings.filter(pl.col("first_at") >= june.period.start)
    assert plot.data["events"].sum() == june.events.height > 0
    assert plot.data["findings"].sum() == began.height > 0
    assert plot.data["day"].to_list() == list(june.period.days)


def test_a_finding_stands_for_whom_it_is_about(june):
    """Plotting a sender's finding is plotting the sender."""
    finding = june.findings.filter(pl.col("subject_kind") == "sender").row(0, named=True)
    by_finding = plot_activity(june, finding_id=finding["finding_id"])
    by_sender = plot_activity(june, sender_id=finding["subject_id"])
    assert by_finding.svg == by_sender.svg
    assert 0 < by_sender.data["events"].sum() < june.events.height


def test_days_are_those_of_the_period_zone(june):
    """An event before midnight UTC belongs to the next day in Tokyo."""
    tokyo = dataclasses.replace(
        june, period=type(june.period).parse("2026-06", timezone="Asia/Tokyo")
    )
    first = plot_activity(tokyo).data.row(0, named=True)
    local = june.events["created_at"].dt.convert_time_zone("Asia/Tokyo").dt.date()
    assert first["events"] == (local == first["day"]).sum()


@pytest.mark.parametrize(
    "choice",
    [
        {"sender_id": "nobody"},
        {"finding_id": "F-NOSUCHONE1"},
        {"sender_id": "a", "resource_id": "b"},
    ],
)
def test_an_impossible_subject_is_an_error_with_a_fix(june, choice):
    """What cannot be plotted is said, not drawn empty."""
    with pytest.raises(UsageError) as told:
        plot_activity(june, **choice)
    assert told.value.fix


def test_text_of_the_log_is_never_markup(june):
    """A sender id with tags in it stays text in a well-formed picture."""
    data = plot_activity(june).data
    hostile = Plot('<script>alert(1)</script>" onload="x', data)
    root = ET.fromstring(hostile.svg)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "title", "text", "path", "rect",
    }  # fmt: skip
    assert "onload" not in root.attrib


def test_a_period_without_events_is_drawn_empty(june):
    """No division by a peak of zero."""
    empty = dataclasses.replace(june, events=june.events.clear(), findings=june.findings.clear())
    ET.fromstring(plot_activity(empty).svg)


def test_the_same_plot_comes_as_an_altair_chart(june):
    """Two layers over the same data: bars and marks."""
    chart = plot_activity(june).chart().to_dict()
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["bar", "point"]
    (rows,) = chart["datasets"].values()
    assert sum(row["events"] for row in rows) == june.events.height


def test_without_altair_only_the_chart_is_missing():
    """The error names the extra to install."""
    code = (
        "import sys; sys.modules['altair'] = None\n"
        "import polars as pl, datetime as dt\n"
        "from auditlens.notebook import Plot\n"
        "data = pl.DataFrame({'day': [dt.date(2026, 6, 1)], 'events': [1], 'findings': [0]})\n"
        "plot = Plot('a day', data)\n"
        "assert plot.svg.startswith('<svg')\n"
        "try: plot.chart()\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "auditlens[plot]"' in done.stdout


def test_an_audit_in_a_cell_says_what_it_rests_on(june):
    """Completeness, events and findings, as escaped text."""
    told = dataclasses.replace(june.coverage, statement="<b>held</b> & counted")
    shown = dataclasses.replace(june, coverage=told)._repr_html_()
    assert "&lt;b&gt;held&lt;/b&gt; &amp; counted" in shown
    assert f"{june.events.height:,}" in shown
    assert "2026-06" in shown
