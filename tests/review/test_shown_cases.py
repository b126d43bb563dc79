"""A report that was written notes the cases it shows; a seal covers them as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditlens.canonical import sha256_hex
from auditlens.errors import UsageError
from auditlens.review import ReportOptions, note_shown, write_report
from auditlens.triage import ledger_path, read_ledger


def test_a_signed_report_notes_the_cases_it_shows(signed):
    """Once the report is written its cases are noted beside the journal, each one once."""
    ledger = read_ledger(ledger_path(signed.journal))
    ids = set(signed.run.cases["case_id"])
    assert {one.id for one in ledger.cases} == ids
    assert [one.by for one in ledger.lines] == ["report"] * len(ids)
    note_shown(replace(signed.audit(), run_at=datetime(2026, 6, 9, tzinfo=UTC)))
    assert read_ledger(ledger_path(signed.journal)).text == ledger.text


@pytest.mark.parametrize("identity", ["full", "aggregate"])
def test_shown_cases_are_sealed_as_they_were(signed, identity):
    """The seal names the ledger's digest; what is added later is left aside, an edit is found."""
    path = ledger_path(signed.journal)
    before = path.read_bytes()
    seal = signed.sign(
        signed.audit(), "again", amend="a typo", report=ReportOptions(identity=identity)
    )
    assert seal.digests["cases"] == sha256_hex(before)
    record = json.loads((signed.folder / "again" / "record.json").read_bytes())
    assert record["cases"] == {
        "digest": sha256_hex(before),
        "bytes": len(before),
        "text": before.decode() if identity == "full" else None,
    }
    added = before.splitlines()[0].replace(b"2026-05", b"2026-06")
    path.write_bytes(before + added + b"\n")
    assert signed.verify("again").ok
    path.write_bytes(before.replace(b'"report"', b'"message"', 1))
    (wrong,) = signed.verify("again").differences
    assert (wrong.place, wrong.text) == (str(path), "signed lines were changed or removed")


def test_a_draft_notes_its_cases_once(pulled):
    """The same report again adds no line, and the first one is still verified."""
    ids = set(pulled.run.cases["case_id"])
    for name in ("first", "second"):
        write_report(pulled.audit(), pulled.folder / name, ReportOptions(), (pulled.rules,))
        ledger = read_ledger(ledger_path(pulled.journal))
        assert len(ledger.lines) == len(ids) == len({one.case for one in ledger.lines} & ids)
    assert pulled.verify("first").ok
    assert pulled.verify("second").ok


def test_a_report_that_was_not_written_notes_nothing(pulled):
    """Where the folder is refused nobody was shown a case."""
    (pulled.folder / "taken").mkdir()
    (pulled.folder / "taken" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not a report of ours"):
        write_report(pulled.audit(), pulled.folder / "taken", ReportOptions(), (pulled.rules,))
    assert not ledger_path(pulled.journal).exists()


def test_an_audit_of_files_notes_nothing(pulled):
    """A report of files has no journal that need be theirs, so it leaves nothing beside it."""
    audit = pulled.audit()
    note_shown(replace(audit, coverage=replace(audit.coverage, head=None)))
    assert not ledger_path(pulled.journal).exists()
