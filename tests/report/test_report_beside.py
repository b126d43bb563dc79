"""What a report tells beside its findings: directory, months of senders, tests of rules, pulls."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from auditlens.anomalies import sender_months
from auditlens.coverage import Pull, Quarantined
from auditlens.directory import LISTINGS, Directory, read_listing
from auditlens.report import ClauseRule, Report, decided_by
from auditlens.rules import Samples, load_rules, read_cases, samples_of, sidecar_path

KEY = b"a key of sixteen bytes and more"


def directory(at):
    return Directory(at, "d" * 64, **{name: read_listing(name, ()) for name in LISTINGS})


def test_directory_is_dated_where_completeness_is_told(make_audit):
    """The population page says when the directory was pulled, and that there was none."""
    audit = make_audit(0)
    assert "none: no role, mark or owner was looked up" in Report(audit).html()
    audit.directory = directory(datetime(2026, 10, 30, 4, 5, tzinfo=UTC))
    report = Report(audit)
    held = report.content().completeness
    assert (held.directory_at, held.directory_head) == (audit.directory.at, "d" * 64)
    section = report.html().partition('id="completeness"')[2]
    assert "as of 2026-10-30 04:05 UTC" in section


def with_months(make_audit):
    """An audit with scored days of three senders, and one who is not scored."""
    audit = make_audit(0)
    people = sorted(audit.events["sender_id"].unique())[:4]
    rows = [
        (date(2026, 10, day), one, 0.1 * place + 0.01 * day if place < 3 else None, 0.2,
         "scored" if place < 3 else "learning", 5)
        for day in range(1, 9) for place, one in enumerate(people)
    ]  # fmt: skip
    names = ["day", "sender_id", "score", "identity_score", "state", "events"]
    audit.sender_days = pl.DataFrame(rows, schema=names, orient="row")
    return audit, people


def test_most_unusual_months_are_told(make_audit):
    """The senders with the highest months are named, most unusual first, with their days."""
    audit, people = with_months(make_audit)
    report = Report(audit)
    months = report.content().sender_months
    assert [one.sender_id for one in months] == [people[2], people[1], people[0]]
    assert [one.rank for one in months] == [1, 2, 3]
    first = months[0]
    assert (first.compared, first.active_days, first.events) == (3, 8, 40)
    table = sender_months(audit.sender_days).sort("rank", nulls_last=True)
    assert [one.score for one in months] == pytest.approx(table["score"].head(3).to_list())
    assert f"score {first.score:g}, rank 1" in report.html()


def test_months_keep_the_veil(make_audit):
    """Pseudonyms stand for the senders of months; where nobody is told apart there are none."""
    audit, people = with_months(make_audit)
    redacted = Report(audit, identity="pseudonymous", key=KEY)
    assert all(one.label.startswith("S-") for one in redacted.content().sender_months)
    assert not [one for one in people if one in redacted.html()]
    assert Report(audit, identity="aggregate").content().sender_months == ()


def test_samples_are_counted_as_they_are_run():
    """The count without reading YAML is that of the cases the test runner reads."""
    rules = load_rules()
    found = samples_of(rules.rules)
    for rule in rules.rules:
        cases = [one.expect for one in read_cases(sidecar_path(rule.path), classified=False)]
        held = found[rule.name]
        assert (held.match, held.match + held.other) == (cases.count("match"), len(cases))
        assert len(held.digest) == 64


def test_report_says_which_rules_come_with_tests(make_audit):
    """Each rule has its count of tests, the sum is told, and rules without one are named."""
    audit = make_audit(30)
    samples = {"bulk_0": Samples(2, 5, "ab" * 32), "bulk_1": Samples(1, 0, "cd" * 32)}
    report = Report(audit, samples=samples)
    rows = {row.name: row for row in report.content().rules}
    assert (rows["bulk_0"].tests_match, rows["bulk_0"].tests_other) == (2, 5)
    assert rows["bulk_0"].tests_digest == "ab" * 6
    assert len(report.content().rule_summary.untested) == 22
    html = report.html()
    assert "3 tests that must match and 5 that must not" in html
    assert "<td>2 / 5" in html
    held = {row["name"]: row for row in csv.DictReader(
        io.StringIO(report.files()["rules.csv"].decode()))}  # fmt: skip
    assert held["bulk_1"]["tests_match"] == "1"


def test_tests_of_rules_are_read_beside_them(make_audit):
    """Without being told, the report counts the files beside the rules."""
    audit = make_audit(0)
    audit.rules = load_rules()
    audit.rule_health = audit.rule_health.head(1).with_columns(
        rule_id=pl.lit(audit.rules.rules[0].id), name=pl.lit(audit.rules.rules[0].name)
    )
    row = Report(audit).content().rules[0]
    assert row.tests_match >= 1
    assert row.tests_other >= 1


def test_what_rests_on_the_pulls_is_in_a_file_of_its_own(make_audit):
    """Other pulls of the same records change collection.json, and the manifest that seals it."""
    audit, again = make_audit(4), make_audit(4)
    start = again.period.start
    outcomes = ["complete", "incomplete", *["complete"] * 20]
    pulls = tuple(
        Pull(start + timedelta(days=n), "/auditlogs", 5, 0, 5, outcome, None)
        for n, outcome in enumerate(outcomes)
    )
    again.coverage = replace(again.coverage, pulls=pulls, head="5" * 64, late=3, duplicates=71)
    again.provenance = {**again.provenance, "archive_head": "5" * 64}
    made, other = Report(audit).files(["ocsf", "oscal"]), Report(again).files(["ocsf", "oscal"])
    assert [name for name in made if made[name] != other[name]] == [
        "collection.json", "manifest.json"]  # fmt: skip
    told = json.loads(other["collection.json"])
    assert [one["outcome"] for one in told["pulls"]] == outcomes
    assert (told["archive_head"], told["late"], told["seen_again"]) == ("5" * 64, 3, 71)


def test_an_unreadable_record_has_its_place_in_the_collection(make_audit):
    """The page gives reason and start of it; which pull brought it in is in collection.json."""
    audit = make_audit(0)
    bad = Quarantined("segments/00000007.ndjson", 12, "no time", "{broken")
    audit.coverage = replace(audit.coverage, quarantined=(bad,), quarantined_count=1)
    files = Report(audit).files()
    assert "00000007" not in files["report.html"].decode() + files["findings.json"].decode()
    assert "{broken" in files["report.html"].decode()
    (told,) = json.loads(files["collection.json"])["quarantined"]
    assert (told["source"], told["line"]) == ("segments/00000007.ndjson", 12)


def test_files_keep_the_place_of_an_unreadable_record(make_audit):
    """Of a file that was read, the page names the line, and how many records came twice."""
    audit = make_audit(0)
    bad = Quarantined("log.ndjson", 12, "no time", "{broken")
    audit.coverage = replace(audit.coverage, quarantined=(bad,), quarantined_count=1,
                             head=None, duplicates=71)  # fmt: skip
    page = Report(audit).html()
    assert "log.ndjson line 12: no time" in page
    assert "Duplicates dropped" in page


def test_a_day_no_pull_vouches_for_shows_in_the_evidence(make_audit):
    """A failed pull that a later one mended leaves nothing behind; a lost day does."""
    audit = make_audit(0)
    failed = Pull(audit.period.start, "/auditlogs", 5, 0, 9, "incomplete", 4)
    audit.coverage = replace(audit.coverage, pulls=(failed, *audit.coverage.pulls))
    mended = {one.evidence_id: one for one in Report(audit).content().completeness.evidence}
    assert mended["E15"].state == "present"
    day = audit.period.days[3]
    audit.coverage = replace(audit.coverage, gaps=((day, day),))
    lost = {one.evidence_id: one for one in Report(audit).content().completeness.evidence}
    assert lost["E15"].state == "partial"
    assert "No sync covers 1 day of the period" in lost["E15"].statement
    assert f"No sync covers {day}." in Report(audit).html()


@pytest.mark.parametrize(
    ("evidence", "states", "status", "because"),
    [
        (("E01", "E02"), {"E01": "present", "E02": "partial"}, "partly assessable", ("E02",)),
        (("E01", "E02"), {"E01": "failed", "E02": "partial"}, "gap", ("E01",)),
        (("E03",), {"E03": "present"}, "gap", ("E03",)),
        (("E03",), {"E03": "present"}, "partly assessable", ()),
        (("E18",), {"E18": "absent"}, "not assessable from this log", ("E18",)),
        (("E01",), {"E01": "present"}, "supported", ()),
    ],
)
def test_status_names_the_evidence_that_decides(evidence, states, status, because):
    """The weakest evidence is named, or the evidence that is too short; a ceiling names none."""
    rule = ClauseRule("X", "words", evidence, None, "", "supported")
    assert decided_by(rule, states, status) == because


def test_page_spells_out_what_is_pressing(make_audit):
    """A clause with an open finding has its words on the page, a quiet one stands by its id."""
    audit = make_audit(5)
    audit.settings = replace(audit.settings, frameworks=("soc2",))
    report = Report(audit)
    html = report.html()
    clauses = report.content().frameworks[0].clauses
    assert {one.pressing for one in clauses} == {True, False}
    for one in clauses:
        assert one.clause in html
        assert (one.words.replace("'", "&#39;") in html) == one.pressing
