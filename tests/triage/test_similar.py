"""A reviewer sees what became of findings like the one in hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from auditlens.triage import MONTH_SCHEMA, SignedMonth, parse_journal, similar_findings

FINDING = {"finding_id": "F-AAAAAAAAAA", "rule_id": "r1", "subject_id": "u1"}
LINE = (
    "- {{finding: F-{name}, as: {verdict}, by: Ana, reason: why, at: 2026-{month}-02T09:00:00Z, "
    "rule: {rule}, subject: {subject}}}\n"
)


def journal(*lines: tuple[str, str, str, str]):
    """Decisions: name of the finding (filled to ten), month, rule and subject."""
    text = "".join(
        LINE.format(name=name * 10, verdict="benign", month=month, rule=rule, subject=subject)
        for name, month, rule, subject in lines
    )
    return parse_journal(text, Path("triage.yml"))


def sealed(name: str, rule: str, subject: str) -> SignedMonth:
    row = dict.fromkeys(MONTH_SCHEMA) | {
        "finding_id": f"F-{name * 10}", "rule_id": rule, "subject_id": subject,
    }  # fmt: skip
    ends = [datetime(2026, month, 1, tzinfo=UTC) for month in (4, 5)]
    return SignedMonth("2026-04", *ends, "seal", pl.DataFrame([row], schema=MONTH_SCHEMA))


def shown(held, earlier=(), count=9) -> list[tuple[str, str]]:
    return [(one.finding[2], one.about) for one in similar_findings(FINDING, held, earlier, count)]


def test_the_closest_come_first_and_then_the_latest():
    """Rule and subject, then subject, then rule; the finding itself is not like itself."""
    held = journal(
        ("B", "01", "r1", "u2"), ("C", "02", "r1", "u3"), ("D", "01", "r2", "u1"),
        ("E", "01", "r1", "u1"), ("A", "03", "r1", "u1"), ("G", "03", "r9", "u9"),
    )  # fmt: skip
    assert shown(held) == [
        ("E", "same rule and subject"), ("D", "same subject"), ("C", "same rule"),
        ("B", "same rule"),
    ]  # fmt: skip
    assert len(shown(held, count=2)) == 2


def test_a_signed_month_tells_of_what_nobody_decided():
    """Only about the same rule and subject; what was decided is told once, by its decision."""
    months = [sealed("H", "r1", "u1"), sealed("I", "r1", "u2"), sealed("E", "r1", "u1")]
    found = similar_findings(FINDING, journal(("E", "01", "r1", "u1")), months, 9)
    assert [(one.finding[2], one.verdict) for one in found] == [("H", ""), ("E", "benign")]
