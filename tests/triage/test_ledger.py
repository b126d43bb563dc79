"""The case ledger and decisions about cases: what keeps an id, what is decided, what reopens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from auditlens.cases import build_cases
from auditlens.errors import DocumentErrors, UsageError
from auditlens.events import EVENT_SCHEMA
from auditlens.findings import FINDING_SCHEMA
from auditlens.triage import (
    CaseLedger,
    apply_journal,
    case_states,
    parse_journal,
    read_ledger,
    record_cases,
    rule_precision,
    untold,
)

SHOWN = (
    '{"case": "C-AAAAAAAAAA", "at": "2026-11-02T09:00:00Z", "period": "2026-10", '
    '"subject_kind": "sender", "subject_id": "u", "first_at": "2026-10-02T09:00:00Z", '
    '"last_at": "2026-10-02T09:00:00Z", "members": [["%s", "r-1", "%s"]], "level": "%s", '
    '"by": "report"}'
)
AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
NOTHING = pl.DataFrame(schema=EVENT_SCHEMA)


def finding(letter: str, day: float = 0, **more: object) -> dict:
    at = AT + timedelta(days=day)
    return dict.fromkeys(FINDING_SCHEMA) | {
        "finding_id": f"F-{letter * 10}", "kind": "rule", "rule_id": "r-1", "title": "T",
        "level": "medium", "subject_kind": "sender", "subject_id": "u-1", "subject_label": "Ana",
        "first_at": at, "last_at": at, "state": "new", "event_count": 1, "event_ids": [letter],
        "tags": [], "controls": [], "reasons": [],
    } | more  # fmt: skip


class Desk:
    """A month as its reviewer has it: findings, a journal, and the ledger beside it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cases.ndjson"
        self.lines: list[str] = []

    def cases(self, *rows: dict, period: str = "2026-10") -> pl.DataFrame:
        text = "".join(f"- {{{line}, by: bo, reason: why}}\n" for line in self.lines)
        journal, ledger = parse_journal(text, Path("triage.yml")), read_ledger(self.path)
        found = apply_journal(pl.DataFrame(list(rows), schema=FINDING_SCHEMA), journal)
        made, self.findings = build_cases(found, NOTHING, known=ledger.cases)
        return case_states(made, self.findings, journal, ledger, period)

    def case(self, *rows: dict, **more: str) -> dict:
        (row,) = self.cases(*rows, **more).to_dicts()
        return row

    def show(self, *rows: dict, by: str = "report", period: str = "2026-10") -> CaseLedger:
        shown = self.cases(*rows, period=period)
        return record_cases(self.path, shown, self.findings, period=period, at=AT, by=by)

    def decide(self, *rows: dict, verdict: str = "benign", hour: int = 9) -> None:
        row = self.case(*rows)
        rules = ", ".join(one["rule_id"] for one in rows)
        self.show(*rows, by="decision")
        self.lines.append(
            f"case: {row['case_id']}, findings: [{', '.join(row['finding_ids'])}], "
            f"rules: [{rules}], as: {verdict}, at: 2026-11-02T{hour:02}:00:00Z"
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_decision_about_a_case_decides_each_finding_it_saw(desk):
    """One entry, one disposition a finding, and the case is decided."""
    rows = finding("A"), finding("B", 2)
    desk.decide(*rows)
    row = desk.case(*rows)
    assert (row["state"], row["disposition"]) == ("decided", "benign")
    assert desk.findings["disposition"].to_list() == ["benign", "benign"]
    assert row["decided_on"] == datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("late", "state"),
    [
        ({}, "decided"),
        ({"level": "low"}, "decided"),
        ({"level": "high"}, "reopened"),
        ({"rule_id": "r-2"}, "reopened"),
        ({"rule_id": "r-2", "exception_id": None, "level": "informational"}, "decided"),
    ],
)
def test_a_late_finding_reopens_a_case_when_it_is_new_in_kind_or_level(desk, late, state):
    """More of the same stays decided and is counted; the old decision stays to be seen."""
    desk.decide(finding("A"))
    row = desk.case(finding("A"), finding("B", 3, **late))
    assert (row["state"], row["disposition"]) == (state, "benign")
    assert row["joined_after"] == int(state == "decided" and late.get("level") != "informational")


def test_a_decided_case_that_becomes_one_with_an_undecided_one_is_reopened(desk):
    """The undecided one was a story of its own that nobody judged."""
    desk.decide(finding("A"))
    desk.show(finding("A"), finding("C", 10))
    row = desk.case(finding("A"), finding("B", 5), finding("C", 10))
    assert (row["state"], len(row["finding_ids"])) == ("reopened", 3)


def test_work_that_is_under_way_stays_to_decide(desk):
    """A case that needs work is in progress until it is decided."""
    desk.decide(finding("A"), verdict="needs_work")
    assert desk.case(finding("A"))["state"] == "in progress"
    desk.decide(finding("A"), hour=10)
    assert desk.case(finding("A"))["state"] == "decided"


def test_findings_decided_one_by_one_decide_their_case(desk):
    """Journals of earlier versions go on working: with the last finding the case is decided."""
    rows = finding("A"), finding("B", 2)
    desk.lines.append("finding: F-AAAAAAAAAA, as: benign, at: 2026-11-02T09:00:00Z")
    assert desk.case(*rows)["state"] == "new"
    desk.lines.append("finding: F-BBBBBBBBBB, as: true_positive, at: 2026-11-02T09:00:00Z")
    row = desk.case(*rows)
    assert (row["state"], row["disposition"]) == ("decided", "mixed")


def test_a_case_of_two_months_is_decided_once(desk):
    """It keeps its id, goes on, and what is of the same kind needs no second decision."""
    desk.decide(finding("A", 25))
    row = desk.case(finding("B", 30), period="2026-11")
    assert (row["state"], row["continues"], row["joined_after"]) == ("decided", True, 1)
    row = desk.case(finding("B", 30, rule_id="r-9"), period="2026-11")
    assert (row["state"], row["continues"]) == ("reopened", True)


def test_a_case_shown_twice_as_it_is_stands_once(desk):
    """A line says something new: a first look, another finding, another level, a merge."""
    first = desk.show(finding("A"))
    assert desk.show(finding("A")).text == first.text
    more = desk.show(finding("A"), finding("B", 1))
    assert (len(first.lines), len(more.lines), len(more.cases)) == (1, 2, 1)


def test_a_merged_case_is_found_by_its_old_id(desk):
    """The ledger says which case a younger one became part of."""
    desk.show(finding("A"), finding("C", 10))
    young = next(one.id for one in read_ledger(desk.path).cases if "C" in one.members[0][0])
    ledger = desk.show(finding("A"), finding("B", 5), finding("C", 10))
    assert ledger.merged == {young: ledger.cases[0].id}
    assert len(ledger.cases) == 1


def test_only_what_changed_is_untold(desk):
    """New, raised and reopened cases are; a known one, a decided one and an observation not."""
    rows = finding("A"), finding("B", 20, level="low", rule_id="r-2")
    assert untold(desk.cases(*rows), CaseLedger()).height == 1
    ledger = desk.show(*rows, by="message")
    assert untold(desk.cases(*rows), ledger).is_empty()
    assert untold(desk.cases(*rows), ledger, by="report").height == 1
    raised = finding("A", level="high"), rows[1]
    assert untold(desk.cases(*raised), ledger).height == 1
    desk.decide(*rows[:1])
    assert untold(desk.cases(*rows), CaseLedger()).is_empty()
    reopened = (*rows[:1], finding("C", 2, rule_id="r-7"))
    assert untold(desk.cases(*reopened), read_ledger(desk.path)).height == 1


def test_precision_counts_a_case_once_for_each_rule(desk):
    """Three findings of one rule in one decided case are one decision about the rule."""
    rows = finding("A"), finding("B", 1), finding("C", 2, rule_id="r-2")
    desk.decide(*rows)
    text = "".join(f"- {{{line}, by: bo, reason: why}}\n" for line in desk.lines)
    counted = rule_precision(desk.findings, parse_journal(text, Path("triage.yml")))
    assert dict(counted.select("rule_id", "decided").iter_rows()) == {"r-1": 1, "r-2": 1}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("case: C-1, findings: [F-AAAAAAAAAA]", "is not a case's id"),
        ("case: C-AAAAAAAAAA", "'findings' is not a list"),
        ("case: C-AAAAAAAAAA, findings: []", "names each of its findings once"),
        ("case: C-AAAAAAAAAA, findings: [F-AAAAAAAAAA, F-AAAAAAAAAA]", "each of its findings once"),
        ("case: C-AAAAAAAAAA, findings: [F-1]", "is not a finding's id"),
        ("case: C-AAAAAAAAAA, findings: [F-AAAAAAAAAA], rules: [a, b]", "not as many entries"),
        ("case: C-AAAAAAAAAA, finding: F-AAAAAAAAAA", "about a case or a finding, not both"),
        ("case: C-AAAAAAAAAA, findings: [F-AAAAAAAAAA], families: [self]", "can be muted"),
        ("case: C-AAAAAAAAAA, findings: [F-AAAAAAAAAA], until: 2026-12-01", "needs 'families'"),
        ("case: C-AAAAAAAAAA, findings: [F-AAAAAAAAAA], rules: [sender-day], families: [mood]",
         "is not a family"),
    ],
)  # fmt: skip
def test_a_faulty_decision_about_a_case_is_told_with_its_line(line, told):
    """Every fault names what is wrong and where; nothing of the entry counts."""
    text = f"- {{{line}, as: benign, by: bo, reason: why, at: 2026-11-02T09:00:00Z}}\n"
    with pytest.raises(DocumentErrors, match=told) as caught:
        parse_journal(text, Path("triage.yml"))
    assert caught.value.errors[0].line == 1


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "1", '{"case": "C-1", "at": "2026-11-02T09:00:00Z"}',
        '{"case": "C-AAAAAAAAAA", "merged_into": "x", "at": "2026-11-02T09:00:00Z"}',
        '{"case": "C-AAAAAAAAAA", "at": "yesterday"}', "[" * 100_000,
        SHOWN % ("F-1", "low", "low"), SHOWN % ("F-AAAAAAAAAA", "mild", "low"),
        SHOWN % ("F-AAAAAAAAAA", "low", "mild"),
    ],
)  # fmt: skip
def test_a_faulty_ledger_is_told_with_the_line(tmp_path, line):
    """What is no line of a ledger is named with its number, in a file of ours or anybody's."""
    path = tmp_path / "cases.ndjson"
    path.write_text(f"{line}\n")
    with pytest.raises(DocumentErrors, match="line of a case ledger") as caught:
        read_ledger(path)
    assert caught.value.errors[0].line == 1


def test_a_line_that_was_not_finished_never_counted(desk):
    """After a power cut the ledger is read without its torn end, and goes on after it."""
    whole = desk.show(finding("A")).text
    desk.path.write_text(whole + '{"case": "C-AAAA')
    assert read_ledger(desk.path).text.startswith(whole)
    assert len(desk.show(finding("A"), finding("B", 1)).lines) == 2
    assert desk.path.read_text().startswith(whole)


def test_a_ledger_that_cannot_be_written_is_told(tmp_path):
    """The message names the file and what to look at."""
    desk = Desk(tmp_path)
    (tmp_path / "no").write_text("a file")
    desk.cases(finding("A"))
    with pytest.raises(UsageError, match="cannot be written"):
        record_cases(tmp_path / "no" / "cases.ndjson", desk.cases(finding("A")), desk.findings,
                     period="2026-10", at=AT, by="report")  # fmt: skip
