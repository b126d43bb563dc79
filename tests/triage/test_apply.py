"""What the journal does to findings: decisions, hidden findings, precision, states."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from auditlens.errors import DocumentErrors
from auditlens.findings import FINDING_SCHEMA, is_open
from auditlens.triage import (
    MONTH_SCHEMA,
    SignedMonth,
    apply_journal,
    exceptions_used,
    mark_states,
    parse_journal,
    resolved,
    rule_precision,
    tuning_hints,
    unmatched,
)

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
LETTERS = "ABCDEFGHIJKLMNOP"


def finding(letter: str, rule: str = "r-1", subject: str = "u-1", **more) -> dict:
    row = dict.fromkeys(FINDING_SCHEMA) | {
        "finding_id": f"F-{letter * 10}", "kind": "rule", "rule_id": rule, "title": "T",
        "level": "medium", "subject_kind": "sender", "subject_id": subject,
        "subject_label": subject.upper(), "first_at": AT, "last_at": AT, "state": "new",
        "event_ids": [], "tags": [], "controls": [],
        "reasons": [{"family": "volume", "share": 1.0}],
    }  # fmt: skip
    return row | more


def frame(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=FINDING_SCHEMA)


def journal(*lines: str):
    from pathlib import Path

    return parse_journal("".join(f"- {{{line}}}\n" for line in lines), Path("triage.yml"))


def decision(letter: str, verdict: str = "benign", hour: int = 9, **more: str) -> str:
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    return (
        f"finding: F-{letter * 10}, as: {verdict}, by: ana, reason: why, "
        f"at: 2026-11-02T{hour:02}:00:00Z{rest}"
    )


def expected(match: str, name: str = "X-1", until: str = "2026-12-31") -> str:
    return (
        f"exception: {name}, {match}, owner: ana, approver: bo, reason: why, "
        f"at: 2026-06-01T09:00:00Z, until: {until}"
    )


def test_the_latest_decision_counts():
    """History stays; what was decided last stands."""
    book = journal(decision("A", "benign", 9), decision("A", "true_positive", 8))
    assert apply_journal(frame(finding("A")), book)["disposition"].to_list() == ["benign"]
    assert [one.verdict for one in book.history("F-" + "A" * 10)] == ["true_positive", "benign"]


def test_no_journal_leaves_all_open():
    """Nothing is decided by itself."""
    found = apply_journal(frame(finding("A"), finding("B")), journal())
    assert found.filter(is_open()).height == 2


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ("rule: r-1", "AC"), ("rule: mass_delete", "AC"), ("sender: u-2", "B"),
        ("sender: U-2", "B"), ("rule: r-1, sender: u-3", "C"),
        ("family: volume, sender: u-1", "A"), ("resource: u-1", ""),
        ("family: time, sender: u-1", ""),
    ],
)  # fmt: skip
def test_an_exception_hides_what_fits_all_it_names(match: str, hits: str):
    """Hidden findings stay in the frame, under the exception's id."""
    rows = frame(finding("A"), finding("B", "r-2", "u-2"), finding("C", "r-1", "u-3"))
    found = apply_journal(rows, journal(expected(match)), rule_names={"r-1": "mass_delete"})
    assert found.height == 3
    hidden = found.filter(pl.col("exception_id") == "X-1")["finding_id"].to_list()
    assert [name[2] for name in hidden] == list(hits)


def test_an_exception_ends_by_itself():
    """A finding after its last day is open again; the ended one stays listed with its count."""
    rows = frame(finding("A"), finding("B", last_at=datetime(2026, 10, 6, tzinfo=UTC)))
    book = journal(expected("rule: r-1", until="2026-10-05"))
    found = apply_journal(rows, book)
    assert found["exception_id"].to_list() == ["X-1", None]
    used = exceptions_used(found, book, today=date(2026, 11, 1))
    assert used.select("status", "hidden").rows() == [("ended", 1)]


@pytest.mark.parametrize(
    ("today", "status"),
    [(date(2026, 12, 16), "active"), (date(2026, 12, 17), "ending"), (date(2026, 12, 31), "ending"),
     (date(2027, 1, 1), "ended")],
)  # fmt: skip
def test_the_end_is_announced_fourteen_days_before(today: date, status: str):
    """The last day is the 31st."""
    used = exceptions_used(frame(), journal(expected("rule: r-1")), today=today)
    assert used["status"].to_list() == [status]


def test_an_exception_for_a_rule_that_is_gone_is_told():
    """With the nearest name there is."""
    book = journal(expected("rule: mass_delet"))
    ((name, told),) = unmatched(book.exceptions, {"r-1": "mass_delete"})
    assert name == "X-1"
    assert "did you mean 'mass_delete'?" in told
    assert not unmatched(journal(expected("rule: sender-day")).exceptions, {})


def test_the_model_has_the_names_that_exceptions_may_use():
    """What the forest calls itself and what the journal knows are the same."""
    from auditlens.anomalies import MODELS
    from auditlens.triage import MODELS as KNOWN

    assert {model.name for model in MODELS} == set(KNOWN)


def test_precision_counts_every_month_in_the_journal():
    """Decisions of other months count by the rule that was noted with them."""
    rows = frame(finding("A"), finding("B"), finding("C"))
    book = journal(
        decision("A"), decision("B", "true_positive"), decision("C", "duplicate"),
        decision("Z", rule="r-1"), decision("Y", "accepted_risk", rule="r-1"), decision("X"),
    )  # fmt: skip
    assert rule_precision(rows, book).rows() == [("r-1", 4, 2, 0.5)]


def test_five_false_alarms_call_for_tuning_with_a_ready_exception():
    """Four do not; the line is one that the journal takes."""
    rows = frame(*(finding(letter) for letter in LETTERS[:5]))
    four = journal(*(decision(letter) for letter in LETTERS[:4]))
    assert tuning_hints(rows, four, AT) == ()
    five = journal(*(decision(letter) for letter in LETTERS[:5]))
    (told,) = tuning_hints(rows, five, AT)
    assert (told.false_alarms, told.decided, told.subject) == (5, 5, "u-1")
    with pytest.raises(DocumentErrors, match="an approver is required"):
        journal(told.line[3:-1])
    line = told.line.replace('approver: ""', "approver: bo")[3:-1]
    (ready,) = journal(line).exceptions
    assert dict(ready.match) == {"rule": "r-1", "sender": "u-1"}
    assert f"until: {(AT + timedelta(days=90)).date()}" in line.replace('"', "")
    assert apply_journal(rows, journal(line))["exception_id"].null_count() == 0


def test_false_alarms_about_many_make_an_exception_for_the_rule_alone():
    """No one person is singled out for what the rule gets wrong."""
    rows = frame(*(finding(letter, subject=f"u-{letter}") for letter in LETTERS[:6]))
    (told,) = tuning_hints(rows, journal(*(decision(letter) for letter in LETTERS[:6])), AT)
    line = told.line.replace('approver: ""', "approver: bo")[3:-1]
    assert dict(journal(line).exceptions[0].match) == {"rule": "r-1"}


def month(label: str, *rows: dict) -> SignedMonth:
    start = datetime.fromisoformat(f"{label}-01").replace(tzinfo=UTC)
    return SignedMonth(label, start, start, "00", frame(*rows).select(list(MONTH_SCHEMA)))


def test_states_compare_what_findings_are_about():
    """Ids differ from month to month; rule and subject tell what persists or is back."""
    now = frame(finding("A", "r-1"), finding("B", "r-2"), finding("C", "r-3"))
    months = [month("2026-08", finding("D", "r-2")), month("2026-09", finding("E", "r-1"))]
    assert mark_states(now, months)["state"].to_list() == ["persisting", "reopened", "new"]
    assert mark_states(now, [])["state"].to_list() == ["new"] * 3


def test_a_finding_without_a_subject_has_a_like():
    """Null is a subject like any other when months are compared."""
    now = frame(finding("A", subject_id=None))
    last = month("2026-09", finding("B", subject_id=None))
    assert mark_states(now, [last])["state"].to_list() == ["persisting"]
    assert resolved(now, last).is_empty()


def test_what_is_gone_is_listed():
    """Resolved are the findings of the last signed month that have no like now."""
    last = month("2026-09", finding("D", "r-9"), finding("E", "r-1"))
    assert resolved(frame(finding("A", "r-1")), last)["rule_id"].to_list() == ["r-9"]
    assert resolved(frame(), None).is_empty()
