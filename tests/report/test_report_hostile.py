"""Hostile text in every field, in a real Chromium: shown as text, nothing more."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from auditlens.report import (
    Disposition,
    ExceptionEntry,
    PreviousPeriod,
    Report,
    Resolved,
    Review,
    Signature,
)

CENSUS = """() => {
  const found = {};
  for (const one of document.querySelectorAll('*')) {
    for (const name of [one.tagName, ...one.getAttributeNames().map(a => one.tagName + '@' + a)])
      found[name] = (found[name] || 0) + 1;
  }
  const links = [...document.querySelectorAll('[href],[src],[action],[data]')]
    .map(one => one.getAttribute('href') || one.outerHTML)
    .filter(to => !to.startsWith('#') && to !== 'data:,');
  return [found, links, !!window.__ran, document.scripts.length, document.styleSheets.length];
}"""


def review(audit, text):
    """A review with ``text`` in every field a person may fill."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return Review(
        dispositions=(
            Disposition(audit.findings["finding_id"][0], text, text, text, at, text, text),
        ),
        exceptions=(ExceptionEntry(text, text, text, text, text, date(2027, 1, 1), 3, text),),
        signatures=(Signature("reviewer", text, at, text),),
        previous=PreviousPeriod(
            text, {text: "low"}, 10, {text: text}, (Resolved(text, text, text, text),)
        ),
        purpose=text,
        recipients=text,
    )


def render(make_audit, text, **options):
    audit = make_audit(3, 12, text=text)
    return Report(audit, review=review(audit, text), **options)


def reopen(page, html):
    """Show other HTML in a page that is open, from the same file."""
    Path(page.url.removeprefix("file://")).write_text(html, encoding="utf-8")
    page.reload(wait_until="load")


def names(found):
    """Tags and attributes of the page, without their numbers."""
    return set(found)


@pytest.fixture
def benign(open_page, make_audit):
    """What the page is made of when every field holds a plain word."""
    page, _ = open_page(render(make_audit, "plain").html())
    return names(page.evaluate(CENSUS)[0])


def test_corpus_is_large_enough(hostile):
    """At least sixty different texts."""
    assert len(set(hostile)) >= 60


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_hostile_text_stays_text(open_page, make_audit, hostile, benign, step):
    """Every text (or each sixth) in every field: nothing runs, loads, links or adds an element."""
    page, seen = open_page("<!doctype html><title>first</title>")
    for text in hostile[::step]:
        reopen(page, render(make_audit, text).html())
        found, links, ran, scripts, styles = page.evaluate(CENSUS)
        assert (links, ran, scripts, styles, seen) == ([], False, 1, 1, []), text
        assert names(found) - benign <= {"B", "B@class"}, text


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["pseudonymous", "aggregate"])
def test_hostile_text_stays_text_in_redacted_editions(open_page, make_audit, hostile, benign, mode):
    """The same in the redacted and the brief editions, and inside the notebook's frame."""
    page, seen = open_page("<!doctype html><title>first</title>")
    for text in hostile:
        report = render(make_audit, text, identity=mode, key=b"k" * 16, edition="brief")
        for html in (report.html(), f"<!doctype html><title>t</title>{report._repr_html_()}"):
            reopen(page, html)
            assert [one for one in seen if "sandboxed" not in one] == [], text
            assert not page.evaluate("!!window.__ran"), text


@pytest.mark.slow
def test_data_files_run_nothing_when_taken_for_pages(open_page, make_audit, hostile):
    """A JSON form that a careless server calls HTML still runs and loads nothing."""
    page, seen = open_page("<!doctype html><title>first</title>")
    for text in hostile:
        files = render(make_audit, text).files(also=("ndjson", "ocsf", "oscal"))
        for name, data in files.items():
            if name.endswith("json"):
                reopen(page, data.decode())
                assert (page.evaluate("!!window.__ran"), seen) == (False, []), (text, name)


def test_hidden_characters_are_shown_in_the_page(make_audit):
    """A direction character in a name appears as its escape."""
    html = render(make_audit, "user\u202egnp.exe").html()
    assert "user\\u202egnp.exe" in html
    assert "\u202e" not in html


def test_long_fields_are_cut_with_a_count(make_audit):
    """A name of ten thousand characters is cut, and the page says by how many."""
    html = render(make_audit, "x" * 10_000).html()
    assert "[+9600 characters]" in html
    assert "x" * 401 not in html


def test_a_page_cannot_grow_without_bound(make_audit):
    """Ten thousand characters in every field of every row leave a page of a few hundred KB."""
    assert len(Report(make_audit(30, 60, text="y" * 10_000)).html()) < 8_000_000
