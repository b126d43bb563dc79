"""From journal, exceptions and sealed months to what the report prints of them."""

from __future__ import annotations

from datetime import datetime

from auditlens.audit import Audit
from auditlens.report import Review
from auditlens.report.review import (
    Disposition,
    ExceptionEntry,
    PreviousPeriod,
    Resolved,
    Signature,
)
from auditlens.triage import decision_words
from auditlens.triage.change import SealedMonth, resolved

__all__ = ["review_of"]


def review_of(
    audit: Audit,
    *,
    reviewer: str = "",
    statement: str = "",
    signed_at: datetime | None = None,
    amendment: int = 0,
    keys: tuple[str, ...] = (),
) -> Review:
    """Everything people added to one audit, as the report takes it.

    Without a ``reviewer`` the report is a draft. ``amendment`` counts its later issues.
    """
    signature = Signature("reviewer", reviewer, signed_at, statement, keys)
    return Review(
        dispositions=dispositions(audit),
        exceptions=exceptions(audit),
        signatures=(signature,) if reviewer else (),
        previous=previous(audit, audit.earlier[-1]) if audit.earlier else None,
        amendment=amendment,
    )


def dispositions(audit: Audit) -> tuple[Disposition, ...]:
    """The decision that counts of each finding."""
    found = (audit.journal.latest.get(one) for one in audit.findings["finding_id"])
    return tuple(
        Disposition(
            finding_id=one.finding,
            decision=decision_words(one.verdict),
            reviewer=one.reviewer,
            reason=one.reason,
            decided_at=one.at,
            owner=one.owner,
            ticket=one.ticket,
        )
        for one in found
        if one is not None
    )


def exceptions(audit: Audit) -> tuple[ExceptionEntry, ...]:
    """Every exception with what it hid, ended ones too."""
    return tuple(
        ExceptionEntry(
            exception_id=row["exception_id"],
            scope=row["match"],
            reason=row["reason"],
            owner=row["owner"],
            approver=row["approver"],
            until=row["until"],
            hid=row["hidden"],
            state=row["status"],
        )
        for row in audit.exceptions.iter_rows(named=True)
    )


def previous(audit: Audit, last: SealedMonth) -> PreviousPeriod:
    """The last sealed month, and what it found about which there is nothing now."""
    gone = resolved(audit.findings, last)
    columns = ("finding_id", "level", "title", "subject_label")
    return PreviousPeriod(
        label=last.label,
        findings=dict(last.findings.select("finding_id", "level").iter_rows()),
        events=last.events,
        rules=last.rules,
        resolved=tuple(
            Resolved(*(text or "" for text in row)) for row in gone.select(columns).iter_rows()
        ),
    )
