"""The page: sizes, the policy, and nothing said that the data does not say."""

import csv
import gzip
import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import date
from html import unescape
from html.parser import HTMLParser

import polars as pl
import pytest

from auditlens.audit import run_audit
from auditlens.findings import FINDING_SCHEMA
from auditlens.report import Report, Review, json_text

SKIPPED = ("style", "script", "code", "title", "symbol")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
LEFT_TO_THE_TEMPLATES = {"256"}
"""SHA-256, a name."""


class Reader(HTMLParser):
    """Collects the text a person sees."""

    def __init__(self):
        super().__init__()
        self.inside = []
        self.text = []

    def handle_starttag(self, tag, _attrs):
        if tag in SKIPPED:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    return " ".join(reader.text)


def unknown(report, zone="UTC"):
    """Numbers that the page shows and findings.json does not say."""
    told = json.loads(json_text(report.content()))
    known = numbers_in(told) | counted(told) | local_times(told, zone)
    return numbers_in(read(report.html())) - known - LEFT_TO_THE_TEMPLATES


def numbers_in(value):
    """Every number of plain data, as a page may write it."""
    if isinstance(value, dict):
        return set().union(*(numbers_in(one) for one in value.values()), *map(numbers_in, value))
    if isinstance(value, list):
        return set().union(*map(numbers_in, value))
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, str):
        return {one.replace(",", "").rstrip(",") for one in NUMBER.findall(value)}
    return {f"{abs(value):.4f}".rstrip("0").rstrip(".")}


def counted(lists):
    """Lengths of the lists: a page may say how many rows it shows."""
    if isinstance(lists, dict):
        return set().union(*(counted(one) for one in lists.values()))
    if isinstance(lists, list):
        return {str(len(lists))}.union(*map(counted, lists))
    return set()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("count", [0, 40])
def test_every_number_is_in_the_data(make_audit, zone, count):
    """Each number a reader sees stands in findings.json."""
    report = Report(make_audit(count, timezone=zone))
    assert unknown(report, zone) == set()
    assert len(numbers_in(read(report.html()))) > 50


def local_times(value, zone):
    """The numbers of every time, as its wall clock in ``zone`` shows it."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    if isinstance(value, dict):
        return set().union(*(local_times(one, zone) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(local_times(one, zone) for one in value))
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        at = datetime.fromisoformat(value).astimezone(ZoneInfo(zone))
        return set(NUMBER.findall(at.strftime("%Y-%m-%d %H:%M")))
    return set()


def test_five_hundred_findings_stay_small(make_audit):
    """500 findings fit 500 KB, 60 KB compressed."""
    page = Report(make_audit(500, 2000)).html().encode()
    assert len(page) <= 500_000
    assert len(gzip.compress(page, mtime=0)) <= 60_000


def long_reasons(n):
    """Three reasons as long as those of the model."""
    return [
        {"family": family, "share": share, "value": 1.0 * n, "own_baseline": 1.0,
         "peer_baseline": 2.0, "label": "RARE", "text":
         f"{n} resources in a folder that neither this sender nor a peer works in (own typical day "
         f"{n % 7}, range 0 to {n % 11}; peers' 95 % day {n % 5}); {n + 3} events on sensitive "
         f"resources (own typical day {n % 3}, range 0 to 4; peers' 95 % day 1): RARE"}
        for family, share in (("novelty", 0.5), ("volume", 0.3), ("sensitive", 0.2))
    ]  # fmt: skip


def test_five_hundred_findings_with_long_reasons_stay_small(make_audit):
    """With the model's long sentences in three of five findings too; the files have them all."""
    audit = make_audit(500, 2000)
    short = audit.findings["reasons"].to_list()
    reasons = [long_reasons(n + 10) if n % 5 < 3 else short[n] for n in range(500)]
    audit.findings = audit.findings.with_columns(
        reasons=pl.Series(reasons, dtype=FINDING_SCHEMA["reasons"])
    )
    report = Report(audit)
    page = report.html()
    assert len(page.encode()) <= 500_000
    assert len(gzip.compress(page.encode(), mtime=0)) <= 60_000
    rows = report.content().findings
    assert sum(len(row.reasons) == 3 for row in rows) == 300
    later = sum(len(row.reasons) == 3 for row in rows[50:])
    assert page.count("<small>and 2 more</small>") == later > 250
    assert unknown(report) == set()


@pytest.fixture(scope="module")
def quiet(specimens):
    """A month without findings, examined with every shipped rule."""
    period = specimens.Period.parse("2026-10")
    audit = run_audit(specimens.make_events(period, 200), period=period)
    return replace(audit, findings=audit.findings.clear(), cases=audit.cases.clear())


@pytest.mark.parametrize("options", [{}, {"edition": "brief"}, {"identity": "aggregate"},
                                     {"identity": "pseudonymous", "key": b"k" * 16}])  # fmt: skip
def test_no_findings_stay_small(quiet, options):
    """A quiet month's page fits 48 KB in every edition and identity mode."""
    assert len(Report(quiet, **options).html().encode()) <= 48_000


def test_every_number_of_a_quiet_page_is_in_the_data(quiet):
    """The lines that stand for tables have their numbers in findings.json."""
    assert unknown(Report(quiet)) == set()


def test_every_rule_and_clause_is_named(quiet):
    """A quiet month's page names every rule and clause, and the files that have them whole."""
    report = Report(quiet)
    text = unescape(report.html())
    content = report.content()
    assert all(row.title in text for row in content.rules)
    assert all(one.clause in text for table in content.frameworks for one in table.clauses)
    files = report.files()
    assert len(list(csv.reader(io.StringIO(files["rules.csv"].decode())))) == 1 + len(content.rules)
    held = list(csv.DictReader(io.StringIO(files["controls.csv"].decode())))
    ids = [f"{t.framework}:{one.clause}" for t in content.frameworks for one in t.clauses]
    assert [row["id"] for row in held] == ids
    hashes = dict(content.appendix.files)
    for name in ("rules.csv", "controls.csv"):
        assert name in text
        assert hashes[name] in text
        assert hashes[name] == hashlib.sha256(files[name]).hexdigest()


def test_month_without_events_is_small_and_not_clear(specimens):
    """A period in which nothing happened fits 48 KB, is no all-clear, and blames no rule."""
    period = specimens.Period.parse("2026-10")
    report = Report(run_audit(specimens.make_events(period, 0), period=period))
    assert len(report.html().encode()) <= 48_000
    said = report.content()
    assert (said.conclusion.verdict, said.conclusion.headline) == (
        "attention", "No event in this period")  # fmt: skip
    assert {row.health for row in said.rules} == {"idle", "off"}


def test_policy_allows_only_our_style_and_script(make_audit):
    """The page's policy names two hashes and nothing else to run or load."""
    html = Report(make_audit()).html()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "base-uri 'none'; form-action 'none'" in policy


def test_cap_is_stated_with_the_file_that_has_all(make_audit):
    """Above the cap the page says how many it shows, of how many, and which file has all."""
    report = Report(make_audit(1200, 300))
    html = report.html()
    assert html.count('<tr id="F-') == 1000
    assert "Showing 1,000 of 1,200" in html
    assert report.content().shown.sha256 in html
    listed = json.loads(report.files()["manifest.json"])["files"]
    assert report.content().shown.sha256 in {entry["sha256"] for entry in listed}


@pytest.mark.parametrize("outcome", ["complete", "incomplete", "unprovable", "saturated"])
def test_trust_follows_the_outcome(make_audit, outcome):
    """Only a proven count is called complete."""
    conclusion = Report(make_audit(0, outcome=outcome)).content().conclusion
    assert (conclusion.trust == "good") == (outcome == "complete")


def test_nothing_found_in_half_a_log_is_not_clear(make_audit):
    """No findings over an incomplete pull is no all-clear."""
    conclusion = Report(make_audit(0, outcome="incomplete")).content().conclusion
    assert conclusion.verdict == "attention"


def test_empty_month_renders(make_audit):
    """A period without a single event gives a whole page."""
    html = Report(make_audit(0, 0)).html()
    assert "No event fell into the period" in html


def test_repr_is_a_sandboxed_frame(make_audit):
    """In a notebook the page stands in a frame that may run nothing."""
    shown = Report(make_audit(2))._repr_html_()
    assert shown.startswith('<iframe sandbox title="')
    assert "allow-scripts" not in shown


def test_brief_edition_leaves_out_the_long_sections(make_audit):
    """The brief edition has conclusion, coverage, cases and sign-off alone."""
    html = Report(make_audit(), edition="brief").html()
    present = re.findall(r'<section id="([\w-]+)"', html)
    assert present == ["conclusion", "change", "controls", "cases", "sign-off"]


def test_full_edition_has_every_section_in_order(make_audit):
    """The full edition follows the stated order."""
    present = re.findall(r'<section id="([\w-]+)"', Report(make_audit()).html())
    assert present == [
        "conclusion", "change", "controls", "cases", "activity", "profiles", "access",
        "inactive", "rules", "completeness", "method", "exceptions", "sign-off", "appendix",
    ]  # fmt: skip


def test_times_show_utc_beside_local(make_audit):
    """In a zone that is not UTC, both clocks are shown."""
    html = Report(make_audit(timezone="Asia/Kolkata")).html()
    assert "2026-10-01 00:00 to 2026-11-01 00:00 Asia/Kolkata" in html
    assert "2026-09-30 18:30 to 2026-10-31 18:30 UTC" in html


def test_cover_tells_what_made_the_report(make_audit):
    """Run, tool, data, rules, input and the privacy record stand on the first section."""
    review = Review(purpose="monthly review", recipients="audit team", delete_by=date(2027, 11, 1))
    report = Report(make_audit(1), review=review)
    html, cover = report.html(), report.content().cover
    first = html[html.index('id="conclusion"') : html.index('id="change"')]
    for part in (cover.run_id, cover.tool, cover.input_digest, cover.rules_digest,
                 "monthly review", "audit team", "2027-11-01"):  # fmt: skip
        assert part in first


def test_page_cites_the_data_files(make_audit):
    """The hashes the page cites are those of the files beside it."""
    files = Report(make_audit(5)).files()
    html = files["report.html"].decode()
    for name in ("findings.csv", "findings.parquet", "cases.csv", "cases.parquet"):
        assert hashlib.sha256(files[name]).hexdigest() in html
