"""Signed months, as they are sealed and read again, and how findings differ from them.

Two findings of different months are about the same thing when kind, rule (or model) and subject
are the same. Ids cannot tell: an id rests on the first event, and each month has its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import read
from auditlens.findings import FINDING_SCHEMA
from auditlens.period import Period
from auditlens.seals import FIX, Seal, SignOffChain, canonical
from auditlens.triage.journal import Journal

SAME = ("kind", "rule_id", "subject_kind", "subject_id")
"""The columns that say what a finding is about, in every month."""

MONTH_SCHEMA = {
    "finding_id": pl.String(),
    "level": pl.String(),
    "kind": pl.String(),
    "rule_id": pl.String(),
    "title": pl.String(),
    "subject_kind": pl.String(),
    "subject_id": pl.String(),
    "subject_label": pl.String(),
}
BOTH, SUBJECT, RULE = "same rule and subject", "same subject", "same rule"
CLOSENESS = {BOTH: 0, SUBJECT: 1, RULE: 2}


@dataclass(frozen=True)
class SignedMonth:
    """What a signed period found: enough to compare a later one with it.

    Attributes:
        label: The period's name, such as ``2026-10``.
        start: Its first moment, in UTC.
        end: The moment after its last, in UTC.
        seal: Hash (hex) of the sign-off.
        findings: One row a finding (MONTH_SCHEMA).
        events: Events of the period.
        rules: Digests of the rules by their ids.
    """

    label: str
    start: datetime
    end: datetime
    seal: str
    findings: pl.DataFrame = field(repr=False)
    events: int = 0
    rules: Mapping[str, str] = field(default_factory=dict, repr=False)


def mark_states(findings: pl.DataFrame, earlier: Sequence[SignedMonth]) -> pl.DataFrame:
    """Compare findings with the signed months before.

    Args:
        findings: Findings (FINDING_SCHEMA).
        earlier: The signed months, oldest first.

    Returns:
        The findings with ``state``: ``persisting`` when the last signed month had one about the
        same thing, ``reopened`` when an older one had and the last had not, else ``new``.
    """
    if not earlier or findings.is_empty():
        return findings.with_columns(pl.lit("new").alias("state"))
    last = subjects_of(earlier[-1].findings)
    older = set().union(*(subjects_of(month.findings) for month in earlier[:-1]))
    states = [
        "persisting" if row in last else "reopened" if row in older else "new"
        for row in findings.select(SAME).iter_rows()
    ]
    return findings.with_columns(pl.Series("state", states, pl.String))


def subjects_of(findings: pl.DataFrame) -> set[tuple[str | None, ...]]:
    return set(findings.select(SAME).iter_rows())


def resolved(findings: pl.DataFrame, last: SignedMonth | None) -> pl.DataFrame:
    """Findings of the last sealed month about which there is none now.

    Args:
        findings: The findings of today (FINDING_SCHEMA).
        last: The last sealed month; None: there is none.

    Returns:
        Those whose kind, rule and subject no finding of today has (MONTH_SCHEMA), in the order of
        the month.
    """
    if last is None:
        return pl.DataFrame(schema=MONTH_SCHEMA)
    now = findings.select(pl.col(name).cast(pl.String) for name in SAME).unique()
    return last.findings.join(now, on=SAME, how="anti", nulls_equal=True, maintain_order="left")


def findings_bytes(findings: pl.DataFrame) -> bytes:
    """Findings as they are sealed.

    Args:
        findings: FINDING_SCHEMA.

    Returns:
        Canonical JSON: every field of every finding, in order.
    """
    return canonical({"findings": findings_rows(findings)})


def findings_rows(findings: pl.DataFrame) -> list[dict[str, Any]]:
    moments = [name for name, dtype in findings.schema.items() if dtype.is_temporal()]
    as_text = pl.col(moments).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return findings.with_columns(as_text).to_dicts()


def signed_findings(seal: Seal) -> pl.DataFrame:
    """The findings a seal binds.

    Args:
        seal: The seal of a sign-off.

    Returns:
        FINDING_SCHEMA, in the order in which they were sealed.

    Raises:
        IntegrityError: The file is missing, or its bytes are not those that were signed.
    """
    path = seal.findings_path
    try:
        raw = read(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", fix=FIX) from None
    if sha256_hex(raw) != seal.digests["findings"]:
        raise IntegrityError(f"{path}: the bytes are not those that were signed", fix=FIX)
    plain = {
        name: pl.String() if dtype.is_temporal() else dtype
        for name, dtype in FINDING_SCHEMA.items()
    }
    moments = [name for name, dtype in FINDING_SCHEMA.items() if dtype.is_temporal()]
    frame = pl.DataFrame(json.loads(raw)["findings"], schema=plain)
    as_times = pl.col(moments).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_zone="UTC")
    return frame.with_columns(as_times)


def signed_month(seal: Seal) -> SignedMonth:
    """What the period of a seal found.

    Args:
        seal: The seal of a sign-off.

    Returns:
        The period, its findings, and the number of its events.

    Raises:
        IntegrityError: The findings are missing or changed.
    """
    found = signed_findings(seal).select(list(MONTH_SCHEMA))
    period = seal.period
    return SignedMonth(
        label=seal.label,
        start=period.start,
        end=period.end,
        seal=seal.hash,
        findings=found,
        events=int(seal.data["events"]),
        rules=dict(seal.data["rules"]),
    )


def months_before(sign_offs: SignOffChain, period: Period) -> tuple[SignedMonth, ...]:
    """What was signed of the periods that ended before another began.

    Args:
        sign_offs: What was signed.
        period: The later period.

    Returns:
        One entry for each sign-off that stands, oldest first.

    Raises:
        IntegrityError: Findings that were signed are missing or changed.
    """
    return tuple(
        signed_month(seal) for seal in sign_offs.standing if seal.period.end <= period.start
    )


@dataclass(frozen=True)
class Similar:
    """An earlier finding: in what it is alike, when, and what was decided (empty: nothing)."""

    finding: str
    about: str
    at: datetime
    verdict: str = ""
    reviewer: str = ""
    reason: str = ""


def similar_findings(
    finding: Mapping[str, Any], journal: Journal, earlier: Sequence[SignedMonth], count: int
) -> tuple[Similar, ...]:
    """The earlier findings most alike, closest first and then latest first.

    Alike are rule (or model) and subject. What the journal says of a finding counts; one of a
    signed month that it says nothing of is given as undecided, when both are the same.

    Args:
        finding: A row of findings.
        journal: What reviewers wrote.
        earlier: The signed months.
        count: How many to give at most.

    Returns:
        One entry a finding, with what is alike; never ``finding`` itself.
    """
    rule, subject = finding["rule_id"], finding["subject_id"]
    found = {
        one.finding: Similar(
            one.finding, shared_columns(one.rule == rule, one.subject == subject), one.at,
            one.verdict, one.reviewer, one.reason,
        )
        for one in journal.latest.values()
        if (one.rule and one.rule == rule) or (one.subject and one.subject == subject)
    }  # fmt: skip
    for month in earlier:
        same = month.findings.filter(
            pl.col("rule_id").eq_missing(pl.lit(rule)) & pl.col("subject_id").eq(subject)
        )
        for name in same["finding_id"]:
            found.setdefault(name, Similar(name, BOTH, month.end))
    found.pop(finding["finding_id"], None)
    order = sorted(found.values(), key=lambda one: one.finding)
    order.sort(key=lambda one: one.at, reverse=True)
    order.sort(key=lambda one: CLOSENESS[one.about])
    return tuple(order[:count])


def shared_columns(rule: bool, subject: bool) -> str:
    return BOTH if rule and subject else SUBJECT if subject else RULE
