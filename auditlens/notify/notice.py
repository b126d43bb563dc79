"""What leaves the house about one report: counts, levels, titles and ids, unless told more."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from auditlens.audit import Audit
from auditlens.findings import LEVELS, is_excepted, reaches
from auditlens.settings import Target
from auditlens.triage import resolved

__all__ = ["notice_of", "trial_notice"]

LISTED = 20
"""So many findings are named, the strongest first; the others are counted."""


def notice_of(audit: Audit, report: str, target: Target) -> dict[str, Any] | None:
    """What ``target`` is told of the report called ``report``; None when it asked for less.

    Nothing in it names a person, a resource or the workspace unless the target's ``tell`` is
    ``identities``. What an exception expects is counted as ``hidden`` alone.
    """
    told = audit.findings.filter(~is_excepted())
    sure = audit.coverage.outcome != "incomplete"
    if target.level and sure and told.filter(reaches(target.level)).is_empty():
        return None
    notice: dict[str, Any] = {
        "report": report,
        "period": audit.period.label,
        "timezone": audit.period.timezone,
        "coverage": audit.coverage.outcome,
        "events": audit.events.height,
        "findings": told.height,
        "hidden": audit.findings.height - told.height,
        "levels": levels_of(told),
        "change": change_of(audit),
        "head": audit.coverage.head or "",
    }
    if target.tell != "levels":
        notice["listed"] = [
            line(row, names=target.tell == "identities")
            for row in told.head(LISTED).iter_rows(named=True)
        ]
    return notice


def levels_of(findings: pl.DataFrame) -> dict[str, int]:
    """How many findings of each level there are, the highest first."""
    counts = Counter(findings["level"])
    return {level: counts[level] for level in reversed(LEVELS) if counts[level]}


def change_of(audit: Audit) -> dict[str, Any]:
    """The change against the last signed month; empty without one."""
    if not audit.earlier:
        return {}
    last = audit.earlier[-1]
    states = Counter(audit.findings["state"])
    return {
        "against": last.label,
        **{state: states[state] for state in ("new", "persisting", "reopened")},
        "resolved": resolved(audit.findings, last).height,
    }


def line(row: dict[str, Any], *, names: bool) -> dict[str, str]:
    told = {"id": row["finding_id"], "level": row["level"], "title": row["title"],
            "state": row["state"]}  # fmt: skip
    if names:
        told["subject"] = row["subject_label"] or row["subject_id"] or ""
    return told


def trial_notice() -> dict[str, Any]:
    """What ``auditlens notify --test`` sends: no report, and it says so."""
    return {
        "report": "test",
        "period": "none",
        "timezone": "UTC",
        "coverage": "none",
        "events": 0,
        "findings": 0,
        "hidden": 0,
        "levels": {},
        "change": {},
        "head": "",
        "listed": [],
    }
