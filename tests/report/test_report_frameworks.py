"""Frameworks as data: twelve packs, our own words, statuses computed from the evidence."""

from dataclasses import replace

import polars as pl
import pytest

from auditlens.errors import DocumentErrors, UsageError
from auditlens.report import (
    EVIDENCE_NAMES,
    STATUSES,
    ClauseRule,
    Disposition,
    Report,
    Review,
    Signature,
    clause_status,
    load_pack,
    pack_names,
)

PACKS = pack_names()


def clause(**changes):
    rule = ClauseRule("X-1", "words", ("E01",), None, "", "supported")
    return replace(rule, **changes)


def test_there_are_twelve_frameworks():
    """The twelve packs the report promises are there."""
    assert len(PACKS) == 12
    assert {"nist-800-53-r5", "soc2", "iso27001-2022", "nist-csf-2", "pci-4", "gdpr"} <= set(PACKS)


@pytest.mark.parametrize("name", PACKS)
def test_pack_is_sound(name):
    """Every clause has an id of its own, words, known evidence and, where capped, the reason."""
    pack = load_pack(name)
    assert pack.framework == name
    ids = [one.clause for one in pack.clauses]
    assert len(ids) == len(set(ids)) >= 5
    for one in pack.clauses:
        assert one.words
        assert set(one.evidence) <= EVIDENCE_NAMES.keys()
        assert bool(one.limit) == (one.ceiling != "supported")


@pytest.mark.parametrize("name", PACKS)
def test_no_pack_says_compliant(name):
    """No wording claims what a log cannot show."""
    pack = load_pack(name)
    said = " ".join([pack.name, pack.note, *(one.words + one.limit for one in pack.clauses)])
    assert not {"compliant", "certified", "tamper-proof"} & set(said.lower().split())


@pytest.mark.parametrize(
    ("states", "changes", "pending", "held", "status"),
    [
        (["present", "present"], {}, 0, 30, "supported"),
        (["present"], {}, 2, 30, "supported with exceptions"),
        (["present", "failed"], {}, 0, 30, "gap"),
        (["present", "partial"], {}, 0, 30, "partly assessable"),
        (["present", "absent"], {}, 0, 30, "partly assessable"),
        (["absent", "absent"], {}, 0, 30, "not assessable from this log"),
        (["present"], {"days": 90}, 0, 89, "gap"),
        (["present"], {"days": 90}, 0, 90, "supported"),
        (["present"], {"ceiling": "partly assessable"}, 0, 30, "partly assessable"),
        (["present"], {"ceiling": "not assessable from this log"}, 0, 30,
         "not assessable from this log"),
    ],
)  # fmt: skip
def test_status_follows_the_evidence(states, changes, pending, held, status):
    """The weakest evidence decides; retention is counted; a ceiling is never passed."""
    assert clause_status(clause(**changes), states, pending, held) == status


def test_incomplete_pull_is_a_gap(make_audit):
    """Where the server counted more than is held, completeness clauses are gaps."""
    tables = Report(make_audit(0, outcome="incomplete")).content().frameworks
    statuses = {c.clause: c.status for table in tables for c in table.clauses}
    assert statuses["AU-12"] == "gap"


def test_decisions_and_signature_turn_a_clause(make_audit):
    """With every finding decided and the review signed, the review clause is supported."""
    audit = make_audit(4)
    decided = tuple(Disposition(one, "benign") for one in audit.findings["finding_id"])
    signed = (Signature("reviewer", "R. Viewer", audit.run_at),)
    before, after = (
        {c.clause: c.status for c in Report(audit, review=review).content().frameworks[0].clauses}
        for review in (Review(), Review(dispositions=decided, signatures=signed))
    )
    assert before["AU-6"] == "partly assessable"
    assert after["AU-6"] == "supported"


def test_open_findings_count_on_their_clause(make_audit):
    """A finding to decide whose rule names a clause is an open exception of that clause.

    A finding of an observation asks for no decision, so it is none.
    """
    audit = make_audit(5)
    for level, number in (("medium", 5), ("informational", 0)):
        audit.findings = audit.findings.with_columns(level=pl.lit(level))
        tables = {table.framework: table for table in Report(audit).content().frameworks}
        counts = {c.clause: c.open for c in tables["soc2"].clauses}
        assert counts["CC7.2"] == number


def test_what_the_log_cannot_show_is_said(make_audit):
    """Outcome and address are stated as not recorded, without being asked."""
    content = Report(make_audit(0)).content()
    missing = [one.question for one in content.completeness.fields if one.state == "not recorded"]
    assert len(missing) == 2
    assert {one.state for one in content.completeness.evidence if one.evidence_id == "E18"} == {
        "absent"
    }


def test_statuses_are_five(make_audit):
    """No status but the five is ever used."""
    audit = make_audit(9)
    audit.settings = replace(audit.settings, frameworks=PACKS)
    tables = Report(audit).content().frameworks
    assert {c.status for table in tables for c in table.clauses} <= set(STATUSES)
    assert [table.framework for table in tables] == list(PACKS)


def test_unknown_framework_is_told(make_audit):
    """A framework that does not exist names those that do."""
    audit = make_audit(0)
    audit.settings = replace(audit.settings, frameworks=("iso",))
    with pytest.raises(UsageError, match="iso27001-2022"):
        Report(audit).content()


def test_faulty_pack_tells_every_fault(tmp_path, monkeypatch):
    """Unknown keys, evidence and statuses are all told, each with its line."""
    (tmp_path / "frameworks").mkdir()
    (tmp_path / "frameworks" / "own.yml").write_text(
        "id: own\nname: Own\nclauses:\n  - id: A\n    words: w\n    evidence: [E99]\n"
        "    colour: red\n  - id: B\n    evidence: [E01]\n    ceiling: certified\n"
    )
    monkeypatch.setattr("auditlens.report.frameworks.reports_folder", lambda: tmp_path)
    with pytest.raises(DocumentErrors) as raised:
        load_pack("own")
    assert len(raised.value.errors) == 4
    assert "own.yml:7" in str(raised.value)
