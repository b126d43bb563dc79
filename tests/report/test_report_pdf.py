"""The PDF of the brief edition: tagged, with the data inside, its drawings in colour."""

import re
import zlib

import pytest

from auditlens.report import Report, as_json, refuse_fetch

weasyprint = pytest.importorskip("weasyprint", exc_type=(ImportError, OSError))


@pytest.fixture(scope="module")
def report(specimens):
    audit = specimens.make_audit(3, 40)
    return Report(audit)


@pytest.fixture(scope="module")
def pdf(report):
    return report.pdf()


def streams(pdf):
    """Every stream of the file, unpacked."""
    found = []
    for raw in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(raw))
        except zlib.error:
            found.append(raw)
    return found


def test_carries_the_data(report, pdf):
    """findings.json is attached, byte for byte."""
    assert as_json(report.content()) in streams(pdf)


def test_is_tagged_and_titled(pdf):
    """The file declares PDF/UA and is marked as tagged, with a language."""
    text = b"".join([pdf, *streams(pdf)])
    assert b"/MarkInfo" in text
    assert b"pdfuaid:part" in text
    assert b"/Lang" in text


def test_level_marks_are_in_colour(pdf):
    """The level shapes keep their own fills: dark red is on the page."""
    drawn = b" ".join(streams(pdf))
    red = rb"0\.4\d* 0\.098\d* 0\.149\d* (rg|scn)"
    assert re.search(red, drawn)


def test_lists_few_and_says_of_how_many(make_audit):
    """A long list is cut in print, with the file that has all."""
    from auditlens.report import PDF_ROWS

    assert PDF_ROWS <= 100
    assert PDF_ROWS >= 25


def test_fetches_nothing():
    """The renderer is given a fetcher that refuses every address."""
    with pytest.raises(ValueError, match="loads nothing"):
        refuse_fetch("https://x.invalid/a.png")
