"""Signed months and what comes after: the change of the month, and what an exception would hide."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from auditlens.audit import run_audit
from auditlens.report import Report, review_of
from auditlens.review import ReportOptions, past_months, try_exception
from auditlens.rules import load_rules
from auditlens.seals import read_sign_offs
from auditlens.triage import resolved

JUNE = datetime(2026, 6, 3, 12, tzinfo=UTC)


def test_the_month_after_is_compared_with_the_signed_one(pulled):
    """States, resolved findings and the report's own figures come from the sealed month."""
    april = pulled.run_again("2026-04")
    pulled.sign(april, out="april")
    may = pulled.run_again("2026-05")
    (last,) = may.earlier
    assert last.label == "2026-04"
    about = ["kind", "rule_id", "subject_kind", "subject_id"]
    before = set(april.findings.select(about).rows())
    for row in may.findings.iter_rows(named=True):
        known = tuple(row[name] for name in about) in before
        assert row["state"] == ("persisting" if known else "new")
    states = may.findings["state"].to_list()
    assert {"new", "persisting"} == set(states)
    change = Report(may, review=review_of(may)).content().change
    assert (change.new, change.persisting) == (states.count("new"), states.count("persisting"))
    gone = resolved(may.findings, last)
    assert change.resolved_count == gone.height
    assert {one.finding_id for one in change.resolved} <= set(gone["finding_id"])
    pulled.sign(may, out="may")
    assert [one.label for one in read_sign_offs(pulled.folder / "signed").seals] == [
        "2026-04",
        "2026-05",
    ]
    assert pulled.verify("may").differences == ()


def test_an_exception_is_tried_on_signed_and_unsigned_months(signed):
    """A signed month is taken as signed, any other is run again, and each is labelled so."""
    sign_offs = read_sign_offs(signed.folder / "signed")
    rules = load_rules(signed.rules)
    periods = past_months(signed.archive, signed.settings, 6, JUNE)
    assert [period.label for period in periods] == ["2026-03", "2026-04", "2026-05"][
        -len(periods) :
    ]
    finding = signed.audit().findings.row(0, named=True)
    match = {"rule": finding["rule_id"], finding["subject_kind"]: finding["subject_id"]}
    trials = [
        try_exception(match, period, archive=signed.archive, sign_offs=sign_offs, rules=rules,
                      settings=signed.settings, now=JUNE)
        for period in periods[-2:]
    ]  # fmt: skip
    assert [trial.source for trial in trials] == ["run again", "signed"]
    assert finding["finding_id"] in trials[-1].hidden["finding_id"]
    assert trials[-1].findings == signed.run.findings.height


def test_an_audit_of_an_archive_reads_what_stands_beside_it(signed):
    """In Python as on the command line, without being told."""
    audit = run_audit(signed.archive, load_rules(signed.rules), period="2026-05", now=JUNE)
    assert audit.findings["disposition"].null_count() == 0
    assert audit.exceptions["exception_id"].to_list() == ["X-clean-up"]
    assert audit.earlier == ()


def test_a_veiled_report_tells_nobody_and_is_checked_at_home(signed, monkeypatch):
    """A pseudonymous report's folder holds no name of a sender and no line of the journal."""
    monkeypatch.setenv("AUDITLENS_IDENTITY_KEY", "k" * 32)
    signed.sign(signed.audit(), out="redacted", amend="for the works council",
                report=ReportOptions(identity="pseudonymous"))  # fmt: skip
    names = {one for one in signed.run.events["sender_email"].drop_nulls().unique() if one}
    for path in (signed.folder / "redacted").iterdir():
        data = path.read_bytes()
        assert not [name for name in names if name.encode() in data], path.name
    record = json.loads((signed.folder / "redacted" / "record.json").read_bytes())
    assert record["journal"]["text"] is None
    assert record["settings"] is None
    assert signed.verify("redacted").differences == ()
