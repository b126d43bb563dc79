"""Suppressions from dispositions: a family of features left out of one sender's score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from auditlens.anomalies import Mute, muted_reason
from auditlens.findings import FINDING_SCHEMA
from auditlens.period import Period
from auditlens.triage.journal import Disposition, Journal


@dataclass(frozen=True)
class Suppression:
    """A decision that mutes, and the mute itself.

    Attributes:
        decision: What the reviewer decided.
        mute: The family that is left out of the sender's score, and on which days.
    """

    decision: Disposition
    mute: Mute

    @property
    def text(self) -> str:
        """What is left out, until when, by which decision and why."""
        one = self.decision
        return (
            f"Muted by {one.reviewer} until {one.until}: {one.family} ({one.finding}, {one.reason})"
        )


def suppressions(journal: Journal, period: Period) -> tuple[Suppression, ...]:
    """The mutes that touch a day of a period.

    A mute begins the day after its decision, so the finding that was decided stays what it was,
    and ends with its last day. The latest decision about a finding counts.

    Args:
        journal: The decisions.
        period: The period.

    Returns:
        One entry a decision, sorted by its finding and its time.
    """
    found = []
    for one in journal.latest.values():
        if one.until is None:
            continue
        first = one.at.date() + timedelta(days=1)
        if first <= one.until and first <= period.days[-1] and one.until >= period.days[0]:
            after = one.until + timedelta(days=1)
            mute = Mute(one.subject, one.family, after, one.reason, since=one.at.date())
            found.append(Suppression(one, mute))
    return tuple(sorted(found, key=lambda each: (each.decision.finding, each.decision.at)))


def name_suppressions(findings: pl.DataFrame, suppressed: Sequence[Suppression]) -> pl.DataFrame:
    """Findings whose reasons name the decision by which a family was left out.

    Args:
        findings: FINDING_SCHEMA.
        suppressed: The decisions that mute.

    Returns:
        The same rows in the same order; only ``reasons`` change.
    """
    if not suppressed or findings.is_empty():
        return findings
    told = [
        [reason_with_decision(reason, subject, last.date(), suppressed) for reason in reasons]
        for subject, last, reasons in findings.select(
            "subject_id", "last_at", "reasons"
        ).iter_rows()
    ]
    return findings.with_columns(pl.Series("reasons", told, dtype=FINDING_SCHEMA["reasons"]))


def reason_with_decision(
    reason: Mapping[str, Any], subject: str | None, day: Any, suppressed: Sequence[Suppression]
) -> Mapping[str, Any]:
    """The reason, with the last of the suppressions that it speaks of."""
    if reason["text"] != muted_reason(reason["family"])["text"]:
        return reason
    meant = [
        one
        for one in suppressed
        if (one.mute.sender_id, one.mute.family) == (subject, reason["family"])
    ]
    # Days are those of the period's zone; the suppression of the day itself is preferred.
    meant.sort(key=lambda one: (one.mute.since < day < one.mute.until, one.decision.at))
    return {**reason, "text": meant[-1].text} if meant else reason
