"""What people add to a run: dispositions, exceptions, signatures, the month before.

All of it is optional. The report reads these plain shapes and says "none recorded" where a
shape is empty; it never guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

__all__ = ["Disposition", "ExceptionEntry", "PreviousPeriod", "Resolved", "Review", "Signature"]


@dataclass(frozen=True)
class Disposition:
    """What a reviewer decided about one finding, and why."""

    finding_id: str
    decision: str
    reviewer: str = ""
    reason: str = ""
    decided_at: datetime | None = None
    owner: str = ""
    ticket: str = ""


@dataclass(frozen=True)
class ExceptionEntry:
    """One accepted exception: its scope in words, who answers for it, how much it hid."""

    exception_id: str
    scope: str
    reason: str = ""
    owner: str = ""
    approver: str = ""
    until: date | None = None
    hid: int = 0
    state: str = "active"


@dataclass(frozen=True)
class Signature:
    """One line of the sign-off: role (preparer, reviewer, approver), name, time, statement.

    ``keys`` are the fingerprints of the keys it was signed with.
    """

    role: str
    name: str
    signed_at: datetime | None = None
    statement: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resolved:
    """A finding of the period before about which there is none now."""

    finding_id: str
    level: str
    title: str = ""
    subject: str = ""


@dataclass(frozen=True)
class PreviousPeriod:
    """The period before: enough to say what is new, still open, resolved and changed.

    ``findings`` maps finding ids to levels, ``rules`` maps rule ids to digests. ``resolved`` is
    told and not taken from the ids: an id rests on the first event, which each period has anew.
    """

    label: str
    findings: Mapping[str, str] = field(default_factory=dict)
    events: int | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    resolved: tuple[Resolved, ...] = ()


@dataclass(frozen=True)
class Review:
    """Everything people added to one run. An empty review is a draft.

    ``purpose``, ``recipients`` and ``delete_by`` are the privacy record of the cover;
    ``amendment`` counts the issues of a report that followed the first.
    """

    dispositions: tuple[Disposition, ...] = ()
    exceptions: tuple[ExceptionEntry, ...] = ()
    signatures: tuple[Signature, ...] = ()
    previous: PreviousPeriod | None = None
    purpose: str = ""
    recipients: str = ""
    delete_by: date | None = None
    due: date | None = None
    amendment: int = 0

    @property
    def status(self) -> str:
        """``draft``, ``reviewed`` or ``approved``, from the signatures alone."""
        roles = {entry.role for entry in self.signatures if entry.signed_at is not None}
        if "approver" in roles:
            return "approved"
        return "reviewed" if "reviewer" in roles else "draft"
