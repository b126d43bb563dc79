"""One entry of the journal, read strictly: every fault has its line and what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from auditlens.anomalies import FAMILIES
from auditlens.documents import Document
from auditlens.errors import DocumentError

__all__ = [
    "FINDING_ID",
    "VERDICTS",
    "Acknowledgement",
    "Disposition",
    "FindingException",
    "read_entry",
]

VERDICTS = ("true_positive", "benign", "accepted_risk", "duplicate", "needs_work")
"""What a reviewer may decide. A finding that needs work stays open."""

FINDING_ID = re.compile(r"F-[A-Z2-7]{10}(-[1-9][0-9]*)?", re.ASCII)
UNREAD_ID = re.compile(r"U-[0-9a-f]{16}", re.ASCII)
EXCEPTION_ID = re.compile(r"X-[A-Za-z0-9._-]{1,60}", re.ASCII)
LONGEST = timedelta(days=365)
FIRST_YEAR, LAST_YEAR = 2000, 2200
MATCHES = ("rule", "sender", "resource", "family")
WILD = re.compile(r"[*%?.\s]+|any|all|every|everything", re.IGNORECASE)
TAUGHT = ("sender-day", "identity")
"""The models whose scores a decision can teach: those of senders."""

WHOLE_FAMILIES = frozenset({"rule", "none"})
TEXT_LIMIT = 2000
EXAMPLE = "- {finding: F-ABCDEFGH23, as: benign, by: you, reason: why, at: 2026-11-02T09:30:00Z}"


@dataclass(frozen=True)
class Disposition:
    """One decision about one finding.

    ``rule`` and ``subject`` repeat what the finding was about, so that a later month can tell
    what was decided before without running the earlier one again. With ``family`` and ``until``
    it also teaches: that family of features is left out of the subject's score on the days after
    the decision, up to and with ``until``.
    """

    finding: str
    verdict: str
    reviewer: str
    reason: str
    at: datetime
    ticket: str = ""
    owner: str = ""
    rule: str = ""
    subject: str = ""
    family: str = ""
    until: date | None = None
    line: int = field(default=0, compare=False)


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
    line: int = field(default=0, compare=False)

    @property
    def scope(self) -> str:
        """What it matches, in words."""
        return ", ".join(f"{key} {value}" for key, value in sorted(self.match.items()))


@dataclass(frozen=True)
class Acknowledgement:
    """A record that could not be read, which a person looked at; it is counted for ever."""

    record: str
    reviewer: str
    reason: str
    at: datetime
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Entry:
    """One entry being read, which knows where it stands."""

    document: Document
    number: int
    data: Mapping[str, Any]

    @property
    def line(self) -> int:
        return self.document.marks[(self.number,)][0]

    def fault(self, message: str, key: str, fix: str) -> DocumentError:
        return self.document.error(message, self.number, key, fix=fix)

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
            raise self.fault(
                f"'{key}' is too long or holds control characters",
                key,
                f"Write one line of at most {TEXT_LIMIT:,} characters",
            )
        return value.strip()

    def moment(self, key: str) -> datetime:
        text, fix = self.text(key), "Write 2026-11-02T09:30:00Z"
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.fault(f"{text!r} is no time", key, fix) from None
        if not FIRST_YEAR <= moment.year < LAST_YEAR:
            raise self.fault(f"{text!r} is not of our days", key, fix)
        return moment

    def day(self, key: str) -> date:
        text = self.text(key)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.fault(f"{text!r} is no day", key, "Write 2027-01-31") from None


def read_entry(document: Document, number: int) -> Disposition | FindingException | Acknowledgement:
    """Read one entry; what it is shows by its first key. Raises DocumentError."""
    data = document.data[number]
    if not isinstance(data, dict):
        raise document.error(
            "an entry is '{finding: …}' or '{exception: …}'", number, fix=f"For example {EXAMPLE}"
        )
    entry = Entry(document, number, data)
    if "finding" in data and "exception" in data:
        raise entry.fault(
            "an entry is about a finding or an exception, not both", "exception",
            "Write two entries, one line each",
        )  # fmt: skip
    if "finding" in data:
        return read_disposition(entry)
    if "acknowledged" in data and "exception" not in data:
        return read_acknowledgement(entry)
    if "exception" in data:
        return read_exception(entry)
    raise document.error(
        "an entry needs 'finding', 'exception' or 'acknowledged'",
        number,
        fix=f"For example {EXAMPLE}",
    )


def read_acknowledgement(entry: Entry) -> Acknowledgement:
    entry.known(frozenset({"acknowledged", "by", "reason", "at"}))
    record = entry.text("acknowledged")
    if not UNREAD_ID.fullmatch(record):
        raise entry.fault(
            f"{record!r} is no record's id",
            "acknowledged",
            "Copy the id from 'auditlens exceptions unread': U- and 16 digits or a to f",
        )
    return Acknowledgement(
        record, entry.text("by"), entry.text("reason"), entry.moment("at"), entry.line
    )


def read_disposition(entry: Entry) -> Disposition:
    entry.known(
        frozenset({"finding", "as", "by", "reason", "at", "ticket", "owner", "rule", "subject",
                   "family", "until"})
    )  # fmt: skip
    finding = entry.text("finding")
    if not FINDING_ID.fullmatch(finding):
        raise entry.fault(
            f"{finding!r} is no finding's id",
            "finding",
            "Copy the id from 'auditlens check': F- and ten capitals or digits",
        )
    verdict = entry.text("as")
    if verdict not in VERDICTS:
        raise entry.fault(f"{verdict!r} is no decision", "as", f"Use one of {', '.join(VERDICTS)}")
    at = entry.moment("at")
    family, until = read_lesson(entry, verdict, at)
    return Disposition(
        finding=finding,
        verdict=verdict,
        reviewer=entry.text("by"),
        reason=entry.text("reason"),
        at=at,
        ticket=entry.text("ticket", required=False),
        owner=entry.text("owner", required=False),
        rule=entry.text("rule", required=False),
        subject=entry.text("subject", required=False),
        family=family,
        until=until,
        line=entry.line,
    )


def read_lesson(entry: Entry, verdict: str, at: datetime) -> tuple[str, date | None]:
    """The family a decision mutes, and the last day on which it does; both or neither."""
    family = entry.text("family", required=False)
    if not family and "until" not in entry.data:
        return "", None
    if verdict != "benign" or entry.data.get("rule") not in TAUGHT or "subject" not in entry.data:
        raise entry.fault(
            "only a benign anomaly of a sender can be muted", "family" if family else "until",
            f"Write as: benign, rule: {' or '.join(TAUGHT)}, and subject: the sender's id",
        )  # fmt: skip
    if family not in FAMILIES:
        raise entry.fault(
            f"{family!r} is no family of features", "family", f"Use one of {', '.join(FAMILIES)}"
        )
    until = entry.day("until")
    within_a_year(entry, at, until, "A mute ends by itself within a year; decide again then")
    return family, until


def within_a_year(entry: Entry, at: datetime, until: date, fix: str) -> None:
    if not at.date() <= until <= at.date() + LONGEST:
        raise entry.fault(
            f"'until' is {until}, which is not within {LONGEST.days} days after {at:%Y-%m-%d}",
            "until",
            fix,
        )


def read_exception(entry: Entry) -> FindingException:
    keys = {"exception", "owner", "approver", "reason", "at", "until", "ticket", *MATCHES}
    entry.known(frozenset(keys))
    name = entry.text("exception")
    if not EXCEPTION_ID.fullmatch(name):
        raise entry.fault(f"{name!r} is no exception's id", "exception", "Write X-… of your own")
    match = read_match(entry)
    at, until = entry.moment("at"), entry.day("until")
    fix = "An exception ends by itself within a year; renew it with a new entry"
    within_a_year(entry, at, until, fix)
    return FindingException(
        id=name,
        match=match,
        owner=entry.text("owner"),
        approver=entry.text("approver"),
        reason=entry.text("reason"),
        at=at,
        until=until,
        ticket=entry.text("ticket", required=False),
        line=entry.line,
    )


def read_match(entry: Entry) -> dict[str, str]:
    """What the exception matches; refused when it says nothing or everything."""
    match = {key: entry.text(key) for key in MATCHES if key in entry.data}
    fix = f"Name at least one of {', '.join(MATCHES)}"
    if not match:
        raise entry.fault("this exception would hide everything", "exception", fix)
    for key, value in match.items():
        if WILD.fullmatch(value):
            raise entry.fault(
                f"this exception would hide everything: '{key}' is {value!r}", key,
                f"{fix}, each by its own name or id",
            )  # fmt: skip
    if set(match) == {"family"} and match["family"] in WHOLE_FAMILIES:
        raise entry.fault(
            f"this exception would hide everything of the family {match['family']!r}", "family",
            "Name the rule, the sender or the resource as well",
        )  # fmt: skip
    return match
