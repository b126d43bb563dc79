"""The triage journal: what reviewers decided, one line an entry, never rewritten.

``triage.yml`` stands beside the archive. It is a YAML list whose entries are one line each, so
that two people's additions merge in git (``triage.yml merge=union``) and a person can add one
by hand. The order of lines means nothing: the latest ``at`` decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from auditlens.documents import Document, read_documents
from auditlens.errors import DocumentError, DocumentErrors

__all__ = ["VERDICTS", "Disposition", "FindingException", "Journal", "read_journal"]

VERDICTS = ("true_positive", "benign", "accepted_risk", "duplicate", "needs_work")
"""What a reviewer may decide; the first, ``benign`` and ``duplicate`` count for precision."""

LONGEST = timedelta(days=365)
MATCHES = ("rule", "sender", "resource", "family")
TEXT_LIMIT = 2000


@dataclass(frozen=True)
class Disposition:
    """One decision about one finding."""

    finding: str
    verdict: str
    reviewer: str
    reason: str
    at: datetime
    ticket: str = ""
    owner: str = ""
    line: int = 0


@dataclass(frozen=True)
class FindingException:
    """Findings that are expected until a day: which, why, who answers and who approved.

    ``match`` holds one or more of rule, sender, resource and family; all must fit. ``until`` is
    the last day on which it holds.
    """

    id: str
    match: Mapping[str, str]
    owner: str
    approver: str
    reason: str
    at: datetime
    until: date
    ticket: str = ""
    line: int = 0


@dataclass(frozen=True)
class Journal:
    """All entries, oldest first; ``digest`` is their SHA-256 (hex), whatever their order."""

    path: Path | None = None
    dispositions: tuple[Disposition, ...] = ()
    exceptions: tuple[FindingException, ...] = ()
    digest: str = field(default=hashlib.sha256(b"").hexdigest())

    def history(self, finding: str) -> tuple[Disposition, ...]:
        """Every decision about one finding, oldest first."""
        return tuple(one for one in self.dispositions if one.finding == finding)


def read_journal(path: Path) -> Journal:
    """Read a journal; a file that does not exist is an empty one.

    Raises DocumentErrors with every fault, each with its line and what would be right.
    """
    if not path.exists():
        return Journal(path)
    documents = read_documents(path, date_keys=frozenset({"at", "until"}))
    if not documents or documents[0].data is None:
        return Journal(path)
    document = documents[0]
    if len(documents) > 1 or not isinstance(document.data, list):
        raise document.error("the journal is one list of entries", fix="Start each with '- {'")
    found: list[Disposition | FindingException] = []
    faults: list[DocumentError] = []
    for number in range(len(document.data)):
        try:
            found.append(read_entry(document, number))
        except DocumentError as fault:
            faults.append(fault)
    if faults:
        raise DocumentErrors(faults)
    decisions = sorted((e for e in found if isinstance(e, Disposition)), key=order)
    exceptions = sorted((e for e in found if isinstance(e, FindingException)), key=order)
    lines = sorted(repr(sorted(entry.items())) for entry in document.data)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Journal(path, tuple(decisions), tuple(exceptions), digest)


def order(entry: Disposition | FindingException) -> tuple[datetime, str, str]:
    name = entry.finding if isinstance(entry, Disposition) else entry.id
    return entry.at, name, entry.reason


def read_entry(document: Document, number: int) -> Disposition | FindingException:
    """Read one entry; what it is shows by its first key."""
    entry = document.data[number]
    if not isinstance(entry, dict):
        raise document.error("an entry is '{finding: …}' or '{exception: …}'", number)
    if "finding" in entry:
        return read_disposition(Entry(document, number, entry))
    if "exception" in entry:
        return read_exception(Entry(document, number, entry))
    raise document.error("an entry needs 'finding' or 'exception'", number)


@dataclass(frozen=True)
class Entry:
    """One entry being read, which knows where it stands."""

    document: Document
    number: int
    data: Mapping[str, Any]

    @property
    def line(self) -> int:
        return self.document.marks[(self.number,)][0]

    def fault(self, message: str, key: str = "", fix: str = "") -> DocumentError:
        where = (self.number, key) if key else (self.number,)
        return self.document.error(message, *where, fix=fix)

    def known(self, keys: frozenset[str]) -> None:
        for key in self.data:
            if key not in keys:
                raise self.fault(
                    f"'{key}' is not known here", key, f"Known: {', '.join(sorted(keys))}"
                )

    def text(self, key: str, *, required: bool = True) -> str:
        value = self.data.get(key)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value.strip():
            raise self.fault(f"'{key}' is missing or no text", key, f"Write {key}: '…'")
        if len(value) > TEXT_LIMIT or not value.isprintable():
            raise self.fault(f"'{key}' is too long or holds control characters", key)
        return value.strip()

    def moment(self, key: str) -> datetime:
        text = self.text(key)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.fault(f"{text!r} is no time", key, "Write 2026-11-02T09:30:00Z") from None
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)

    def day(self, key: str) -> date:
        text = self.text(key)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.fault(f"{text!r} is no day", key, "Write 2027-01-31") from None


def read_disposition(entry: Entry) -> Disposition:
    entry.known(frozenset({"finding", "as", "by", "reason", "at", "ticket", "owner"}))
    verdict = entry.text("as")
    if verdict not in VERDICTS:
        raise entry.fault(f"{verdict!r} is no decision", "as", f"Use one of {', '.join(VERDICTS)}")
    return Disposition(
        finding=entry.text("finding"),
        verdict=verdict,
        reviewer=entry.text("by"),
        reason=entry.text("reason"),
        at=entry.moment("at"),
        ticket=entry.text("ticket", required=False),
        owner=entry.text("owner", required=False),
        line=entry.line,
    )


def read_exception(entry: Entry) -> FindingException:
    keys = {"exception", "owner", "approver", "reason", "at", "until", "ticket", *MATCHES}
    entry.known(frozenset(keys))
    match = {key: entry.text(key) for key in MATCHES if key in entry.data}
    if not match or all(value in {"*", "any", "all"} for value in match.values()):
        raise entry.fault(
            "this exception would hide everything", "exception",
            f"Name at least one of {', '.join(MATCHES)}",
        )  # fmt: skip
    at, until = entry.moment("at"), entry.day("until")
    if not at.date() <= until <= at.date() + LONGEST:
        raise entry.fault(
            f"'until' is {until}, which is not within {LONGEST.days} days after {at:%Y-%m-%d}",
            "until",
            "An exception ends by itself within a year; renew it with a new entry",
        )
    return FindingException(
        id=entry.text("exception"),
        match=match,
        owner=entry.text("owner"),
        approver=entry.text("approver"),
        reason=entry.text("reason"),
        at=at,
        until=until,
        ticket=entry.text("ticket", required=False),
        line=entry.line,
    )
