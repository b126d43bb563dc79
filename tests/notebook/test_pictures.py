"""The plots of an audit: SVG of our own, an Altair chart where Altair is, and safe in both."""

import dataclasses
import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from auditlens.errors import UsageError

ALLOWED = {"svg", "title", "text", "path", "rect"}
BAD = "<script>alert(1)</script>\" onload='x' &amp; \u202e \x07 ]]>"


def pictures(audit, who):
    plot = audit.plot
    return (plot.timeline(), plot.timeline(who), plot.sender(who), plot.hours(who), plot.scores())


@pytest.fixture
def busiest(june):
    return june.events["sender_id"].drop_nulls().mode().sort()[0]


def test_each_plot_shows_every_row_of_its_frame(june, busiest):
    """Bars add up to events, hours to events, points to scored sender-days."""
    everyone, mine, sender, hours, scores = pictures(june, busiest)
    own = june.events.filter(pl.col("sender_id") == busiest)
    assert everyone.data["events"].sum() == june.events.height
    assert mine.data["events"].sum() == own.height
    assert sender.data.filter("period")["value"].sum() == own.height
    assert hours.data["now"].sum() == own.height
    assert hours.data["usual"].sum() + own.height == (june.past["sender_id"] == busiest).sum()
    assert scores.data.height == june.sender_days["score"].count() > 0
    assert scores.data["flagged"].any()


def test_every_plot_is_one_well_formed_element_without_script_or_link(june, busiest):
    """Only shapes and text; nothing is fetched and nothing runs."""
    for picture in pictures(june, busiest):
        root = ET.fromstring(picture.svg)
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= ALLOWED
        assert not any("href" in name for element in root.iter() for name in element.attrib)


def test_hostile_ids_stay_text_in_every_plot(june, busiest):
    """A sender called like markup can neither open a tag nor turn the line around."""
    renamed = {busiest: BAD}
    swap = pl.col("sender_id").replace(renamed)
    hostile = dataclasses.replace(
        june,
        events=june.events.with_columns(swap),
        sender_days=june.sender_days.with_columns(swap),
        source=june.past.with_columns(swap),
    )  # fmt: skip
    for picture in pictures(hostile, BAD):
        root = ET.fromstring(picture.svg)
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= ALLOWED
        assert "onload" not in root.attrib
        assert "\u202e" not in picture.svg
        assert "<script" not in picture.svg


def test_each_plot_comes_as_an_altair_chart_over_the_same_rows(june, busiest):
    """The bundle a notebook gets holds both forms."""
    for picture in pictures(june, busiest):
        bundle = picture._repr_mimebundle_()
        (spec,) = (part for kind, part in bundle.items() if "vegalite" in kind)
        (rows,) = spec["datasets"].values()
        assert len(rows) == picture.data.height
        assert bundle["image/svg+xml"] == picture.svg
        assert json.dumps(picture.title) in json.dumps(picture.chart().to_dict())


def test_without_altair_the_svg_is_what_is_shown():
    """Only the chart is missing, and its error names the extra."""
    code = (
        "import sys; sys.modules['altair'] = None\n"
        "import polars as pl\n"
        "from auditlens.notebook import Picture\n"
        "picture = Picture('t', pl.DataFrame(), '<svg/>', lambda alt: alt.nothing)\n"
        "print(sorted(picture._repr_mimebundle_()))\n"
        "try: picture.chart()\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "['image/svg+xml', 'text/plain']" in done.stdout
    assert 'pip install "auditlens[plot]"' in done.stdout


def test_a_finding_stands_for_its_sender(june):
    """The id of a finding can be given where a sender's is asked for."""
    about = june.findings.filter(pl.col("subject_kind") == "sender").row(0, named=True)
    assert june.plot.hours(about["finding_id"]).svg == june.plot.hours(about["subject_id"]).svg
    other = june.findings.filter(pl.col("subject_kind") == "resource")["finding_id"][0]
    with pytest.raises(UsageError, match="about no sender"):
        june.plot.hours(other)


def test_an_unknown_sender_or_count_is_an_error(june, busiest):
    """Nothing is drawn empty."""
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
    """No division by a peak of zero."""
    empty = dataclasses.replace(
        june, events=june.events.clear(), findings=june.findings.clear(),
        sender_days=june.sender_days.clear(),
    )  # fmt: skip
    ET.fromstring(empty.plot.timeline().svg)
    ET.fromstring(empty.plot.scores().svg)
