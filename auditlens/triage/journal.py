"""The triage journal: what reviewers decided, one line an entry, only ever added to.

``triage.yml`` stands beside the archive. It is a YAML list whose entries are one line each, so
that two people's additions merge in git (``triage.yml merge=union``) and a person can add one
by hand. The order of lines means nothing, and a line that stands twice counts once: the latest
``at`` decides. Every fault in it is told with its line and what would be right.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from auditlens.anomalies import FAMILIES
from auditlens.canonical import sha256_hex
from auditlens.errors import DocumentError, DocumentErrors, UsageError
from auditlens.files import read_text
from auditlens.yaml_documents import Document, parse_documents, read_documents

VERDICTS = ("true_positive", "benign", "accepted_risk", "duplicate", "needs_work")
"""What a reviewer may decide. A finding that needs work stays open."""

CASE_ID = re.compile(r"C-[A-Z2-7]{10}(-[1-9][0-9]*)?", re.ASCII)
FINDING_ID = re.compile(r"F-[A-Z2-7]{10}(-[1-9][0-9]*)?", re.ASCII)
UNREAD_ID = re.compile(r"U-[0-9a-f]{16}", re.ASCII)
EXCEPTION_ID = re.compile(r"X-[A-Za-z0-9._-]{1,60}", re.ASCII)
LONGEST = timedelta(days=365)
FIRST_YEAR, LAST_YEAR = 2000, 2200
MATCHES = ("rule", "sender", "resource", "family")
WILD = re.compile(r"[*%?.\s]+|any|all|every|everything", re.IGNORECASE)
REQUIRED = {
    "approver": "an approver",
    "by": "a reviewer",
    "owner": "an owner",
    "reason": "a reason",
}
"""How an entry's required keys are called where they are not the word itself."""
SUPPRESSIBLE = ("sender-day", "identity")
"""The models whose scores a decision can suppress: those of senders."""

WHOLE_FAMILIES = frozenset({"rule", "none"})
TEXT_LIMIT = 2000
MOST_FINDINGS = 10_000
EXAMPLE = "- {finding: F-ABCDEFGH23, as: benign, by: you, reason: why, at: 2026-11-02T09:30:00Z}"
DATE_KEYS = frozenset({"at", "until"})
GENERAL_FIX = f"Put the line right or take it out; an entry looks like {EXAMPLE}"
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
HEADER = "# Triage journal: one line an entry, only ever added to. See the how-to on triage.\n"


@dataclass(frozen=True)
class Disposition:
    """One decision about one finding, made for it alone or for the case it is part of.

    Attributes:
        finding: Id of the finding (``F-…``).
        verdict: One of VERDICTS.
        reviewer: Who decided.
        reason: Why.
        at: When, in UTC.
        ticket: Where the work is followed; may be empty.
        owner: Who does what is left to do; may be empty.
        rule: Id of the finding's rule: with ``subject`` it tells a later month what was decided
            before, without running the earlier one again.
        subject: Id of the finding's subject.
        family: The family of features that is left out of the subject's score on the days after the
            decision; empty: none is.
        until: The last day (UTC) of that; None where no family is left out.
        case: Id of the case (``C-…``) it was made for; empty: for the finding alone.
        line: Its line in the journal, from 1.
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
    case: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class FindingException:
    """Findings that are expected until a day: which, why, who answers and who approved.

    Attributes:
        id: Its id (``X-…``).
        match: One or more of rule, sender, resource and family; all must fit.
        owner: Who answers for it.
        approver: Who approved it.
        reason: Why they are expected.
        at: When it was made, in UTC.
        until: The last day (UTC) on which it holds.
        ticket: Where it is followed; may be empty.
        line: Its line in the journal, from 1.
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
class EntryReader:
    """One YAML entry with its place in the file, for the messages of its faults."""

    document: Document
    number: int
    data: Mapping[str, Any]

    @property
    def line(self) -> int:
        return self.document.marks[(self.number,)][0]

    def fault(self, message: str, key: str, fix: str) -> DocumentError:
        return self.document.error(message, self.number, key, fix=fix)

    def refuse_others(self, keys: frozenset[str]) -> None:
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
            raise self.fault(
                f"{REQUIRED.get(key, repr(key))} is required", key, f"Write {key}: '…'"
            )
        if len(value) > TEXT_LIMIT or not value.isprintable():
            raise self.fault(
                f"'{key}' is too long or holds control characters",
                key,
                f"Write one line of at most {TEXT_LIMIT:,} characters",
            )
        return value.strip()

    def texts(self, key: str, *, count: int | None = None) -> list[str]:
        """A list of one-line texts; with ``count`` it may be left out, or has so many."""
        value = self.data.get(key)
        if value is None and count is not None:
            return [""] * count
        sound = isinstance(value, list) and all(
            isinstance(one, str) and len(one) <= TEXT_LIMIT and (one.isprintable() or not one)
            for one in value
        )
        if not sound or len(value) > MOST_FINDINGS:  # type: ignore[arg-type]
            raise self.fault(
                f"'{key}' is not a list of at most {MOST_FINDINGS:,} texts", key,
                f"Write {key}: ['…', '…']",
            )  # fmt: skip
        if count is not None and len(value) != count:  # type: ignore[arg-type]
            raise self.fault(
                f"'{key}' has not as many entries as 'findings'", key, f"Write {count} of them"
            )
        return [str(one) for one in value]  # type: ignore[union-attr]

    def verdict(self) -> str:
        verdict = self.text("as")
        if verdict not in VERDICTS:
            fix = f"Use one of {', '.join(VERDICTS)}"
            raise self.fault(f"{verdict!r} is not a decision", "as", fix)
        return verdict

    def moment(self, key: str) -> datetime:
        text, fix = self.text(key), "Write 2026-11-02T09:30:00Z"
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.fault(f"{text!r} is not a time", key, fix) from None
        if not FIRST_YEAR <= moment.year < LAST_YEAR:
            raise self.fault(f"{text!r} is not of our days", key, fix)
        return moment

    def day(self, key: str) -> date:
        text = self.text(key)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.fault(f"{text!r} is not a day", key, "Write 2027-01-31") from None


Entry = Disposition | FindingException | Acknowledgement


def read_entry(document: Document, number: int) -> tuple[Entry, ...]:
    """Read one entry; what it is shows by its first key. Raises DocumentError.

    A decision about a case is one about each of the findings that it names.
    """
    data = document.data[number]
    if not isinstance(data, dict):
        raise document.error(
            "an entry is '{finding: …}' or '{exception: …}'", number, fix=f"For example {EXAMPLE}"
        )
    entry = EntryReader(document, number, data)
    kinds = [key for key in ("case", "finding", "exception") if key in data]
    if len(kinds) > 1:
        raise entry.fault(
            f"an entry is about a {kinds[0]} or {'an' if kinds[1] == 'exception' else 'a'} "
            f"{kinds[1]}, not both", kinds[1], "Write two entries, one line each",
        )  # fmt: skip
    if kinds == ["case"]:
        return read_case_decision(entry)
    if kinds == ["finding"]:
        return (read_disposition(entry),)
    if "acknowledged" in data and not kinds:
        return (read_acknowledgement(entry),)
    if kinds:
        return (read_exception(entry),)
    raise document.error(
        "an entry needs 'case', 'finding', 'exception' or 'acknowledged'",
        number,
        fix=f"For example {EXAMPLE}",
    )


def read_acknowledgement(entry: EntryReader) -> Acknowledgement:
    entry.refuse_others(frozenset({"acknowledged", "by", "reason", "at"}))
    record = entry.text("acknowledged")
    if not UNREAD_ID.fullmatch(record):
        raise entry.fault(
            f"{record!r} is not a record's id",
            "acknowledged",
            "Copy the id from 'auditlens exceptions unread': U- and 16 digits or a to f",
        )
    return Acknowledgement(
        record, entry.text("by"), entry.text("reason"), entry.moment("at"), entry.line
    )


def require_finding_id(entry: EntryReader, text: str, key: str, fix: str) -> None:
    """Raise DocumentError, at the place of ``key``, unless a text is a finding's id."""
    if not FINDING_ID.fullmatch(text):
        raise entry.fault(f"{text!r} is not a finding's id", key, fix)


def read_disposition(entry: EntryReader) -> Disposition:
    entry.refuse_others(
        frozenset({"finding", "as", "by", "reason", "at", "ticket", "owner", "rule", "subject",
                   "family", "until"})
    )  # fmt: skip
    finding = entry.text("finding")
    require_finding_id(
        entry, finding, "finding",
        "Copy the id from 'auditlens check': F- and ten capitals or digits",
    )  # fmt: skip
    verdict, at = entry.verdict(), entry.moment("at")
    family, until = read_suppression(entry, verdict, at)
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


def read_case_decision(entry: EntryReader) -> tuple[Disposition, ...]:
    """A decision about a case, as one about each finding that the case had when it was made."""
    entry.refuse_others(
        frozenset({"case", "findings", "rules", "as", "by", "reason", "at", "ticket", "owner",
                   "subject", "families", "until"})
    )  # fmt: skip
    case = entry.text("case")
    if not CASE_ID.fullmatch(case):
        raise entry.fault(
            f"{case!r} is not a case's id",
            "case",
            "Copy the id from 'auditlens check': C- and ten capitals or digits",
        )
    findings = entry.texts("findings")
    for finding in findings:
        require_finding_id(entry, finding, "findings", "Write findings: [F-…, F-…]")
    if len(set(findings)) < len(findings) or not findings:
        raise entry.fault(
            "a decision about a case names each of its findings once", "findings",
            "Write findings: [F-…, F-…]",
        )  # fmt: skip
    rules = entry.texts("rules", count=len(findings))
    families = entry.texts("families", count=len(findings))
    verdict, at = entry.verdict(), entry.moment("at")
    until = None
    if "families" in entry.data or "until" in entry.data:
        until = suppressed_until(entry, verdict, at, families, rules)
    whole = Disposition(
        finding="",
        verdict=verdict,
        reviewer=entry.text("by"),
        reason=entry.text("reason"),
        at=at,
        ticket=entry.text("ticket", required=False),
        owner=entry.text("owner", required=False),
        subject=entry.text("subject", required=False),
        case=case,
        line=entry.line,
    )
    return tuple(
        replace(whole, finding=finding, rule=rule, family=family, until=until if family else None)
        for finding, rule, family in zip(findings, rules, families, strict=True)
    )


def suppressed_until(
    entry: EntryReader, verdict: str, at: datetime, families: list[str], rules: list[str]
) -> date:
    """The last day on which a decision about a case leaves families out of scores."""
    for family, rule in zip(families, rules, strict=True):
        if family and family not in FAMILIES:
            raise entry.fault(
                f"{family!r} is not a family of features", "families",
                f"Use one of {', '.join(FAMILIES)}",
            )  # fmt: skip
        if family and (verdict != "benign" or rule not in SUPPRESSIBLE):
            raise entry.fault(
                "only a benign anomaly of a sender can be muted", "families",
                f"Write as: benign, and a family only beside {' or '.join(SUPPRESSIBLE)}",
            )  # fmt: skip
    if not any(families) or "subject" not in entry.data:
        raise entry.fault(
            "a mute needs 'families' and 'subject'",
            "until" if "until" in entry.data else "families",
            "Write families: [volume, ''], one a finding, and subject: the sender's id",
        )  # fmt: skip
    until = entry.day("until")
    within_a_year(entry, at, until, "A mute ends by itself within a year; decide again then")
    return until


def read_suppression(entry: EntryReader, verdict: str, at: datetime) -> tuple[str, date | None]:
    """The family a decision mutes, and the last day on which it does; both or neither."""
    family = entry.text("family", required=False)
    if not family and "until" not in entry.data:
        return "", None
    if (
        verdict != "benign"
        or entry.data.get("rule") not in SUPPRESSIBLE
        or "subject" not in entry.data
    ):
        raise entry.fault(
            "only a benign anomaly of a sender can be muted", "family" if family else "until",
            f"Write as: benign, rule: {' or '.join(SUPPRESSIBLE)}, and subject: the sender's id",
        )  # fmt: skip
    if family not in FAMILIES:
        raise entry.fault(
            f"{family!r} is not a family of features", "family", f"Use one of {', '.join(FAMILIES)}"
        )
    until = entry.day("until")
    within_a_year(entry, at, until, "A mute ends by itself within a year; decide again then")
    return family, until


def within_a_year(entry: EntryReader, at: datetime, until: date, fix: str) -> None:
    if not at.date() <= until <= at.date() + LONGEST:
        raise entry.fault(
            f"'until' is {until}, which is not within {LONGEST.days} days after {at:%Y-%m-%d}",
            "until",
            fix,
        )


def read_exception(entry: EntryReader) -> FindingException:
    keys = {"exception", "owner", "approver", "reason", "at", "until", "ticket", *MATCHES}
    entry.refuse_others(frozenset(keys))
    name = entry.text("exception")
    if not EXCEPTION_ID.fullmatch(name):
        raise entry.fault(
            f"{name!r} is not an exception's id", "exception", "Write X-… of your own"
        )
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


def read_match(entry: EntryReader) -> dict[str, str]:
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


Kind = TypeVar("Kind", Disposition, FindingException, Acknowledgement)


@dataclass(frozen=True)
class Journal:
    """All entries of a journal, oldest first.

    Attributes:
        path: The file; None where there is none.
        dispositions: Decisions about findings.
        exceptions: Findings that are expected.
        acknowledgements: Records that could not be read and that a person looked at.
        text: The text of the file.
    """

    path: Path | None = None
    dispositions: tuple[Disposition, ...] = ()
    exceptions: tuple[FindingException, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    text: str = field(default="", repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over what the entries say: order, comments and lines do not count."""
        return sha256_hex("\n".join(sorted(self.texts)))

    @cached_property
    def texts(self) -> dict[str, int]:
        """What each entry says, with the line it stands in."""
        entries: list[Disposition | FindingException | Acknowledgement] = [
            *self.dispositions,
            *self.exceptions,
            *self.acknowledgements,
        ]
        return {canonical_text(entry): entry.line for entry in entries}

    @cached_property
    def latest(self) -> dict[str, Disposition]:
        """The decision that counts, by finding."""
        return {one.finding: one for one in self.dispositions}

    @cached_property
    def acknowledged(self) -> frozenset[str]:
        """The ids of records that could not be read and that a person looked at."""
        return frozenset(one.record for one in self.acknowledgements)

    def history(self, finding: str) -> tuple[Disposition, ...]:
        """Every decision about one finding.

        Args:
            finding: Its id.

        Returns:
            Decisions, oldest first.
        """
        return tuple(one for one in self.dispositions if one.finding == finding)


def canonical_text(entry: Disposition | FindingException | Acknowledgement) -> str:
    """All an entry says, as one text; two entries that say the same are one.

    Args:
        entry: An entry of a journal.

    Returns:
        The text, without the line it stands in.
    """
    parts = {
        name: value
        for name, value in vars(entry).items()
        # What decisions did not know once is left out when empty: old digests stay what they were.
        if name != "line" and (value or name not in ("family", "until", "case"))
    }
    if isinstance(entry, FindingException):
        parts["match"] = sorted(entry.match.items())
    return f"{type(entry).__name__} {sorted((k, str(v)) for k, v in parts.items())!r}"


def read_journal(path: Path) -> Journal:
    """Read a journal; a file that does not exist is an empty one.

    Args:
        path: The journal, a YAML list.

    Returns:
        Its entries, oldest first, those that say the same once.

    Raises:
        DocumentErrors: Every fault, each with its line and what would be right.
    """
    if not path.exists():
        return Journal(path)
    try:
        documents = read_documents(path, date_keys=DATE_KEYS)
        # As bytes: line ends are kept as they are, since a signature covers them.
        text = read_text(path)
    except DocumentError as fault:
        raise DocumentErrors([with_fix(fault)]) from None
    return journal_of(documents, path, text)


def parse_journal(text: str, path: Path) -> Journal:
    """Read a journal from its text.

    Args:
        text: A YAML list.
        path: The file, for messages.

    Returns:
        Its entries, oldest first, those that say the same once.

    Raises:
        DocumentErrors: Every fault, each with its line and what would be right.
    """
    try:
        documents = parse_documents(text, path, date_keys=DATE_KEYS)
    except DocumentError as fault:
        raise DocumentErrors([with_fix(fault)]) from None
    return journal_of(documents, path, text)


def with_fix(fault: DocumentError) -> DocumentError:
    """The fault, with a fix and a line even where the reader of YAML knew none."""
    return DocumentError(
        fault.message,
        path=fault.path,
        line=fault.line or 1,
        column=fault.column,
        fix=fault.fix or GENERAL_FIX,
    )


def journal_of(documents: tuple[Document, ...], path: Path, text: str) -> Journal:
    if not documents or (len(documents) == 1 and documents[0].data is None):
        return Journal(path, text=text)
    document = documents[0]
    if len(documents) > 1 or not isinstance(document.data, list):
        whole = documents[1] if len(documents) > 1 else document
        raise DocumentErrors([whole.error("the journal is one list of entries", fix=GENERAL_FIX)])
    found: list[Disposition | FindingException | Acknowledgement] = []
    faults: list[DocumentError] = []
    for number in range(len(document.data)):
        try:
            found.extend(read_entry(document, number))
        except DocumentError as fault:
            faults.append(with_fix(fault))
    exceptions = unique([one for one in found if isinstance(one, FindingException)])
    faults.extend(duplicate_ids(exceptions, path))
    if faults:
        raise DocumentErrors(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    decisions = unique([one for one in found if isinstance(one, Disposition)])
    noted = unique([one for one in found if isinstance(one, Acknowledgement)])
    return Journal(path, tuple(decisions), tuple(exceptions), tuple(noted), text)


def unique(entries: list[Kind]) -> list[Kind]:
    """Entries oldest first, those that say the same once."""
    once = {canonical_text(entry): entry for entry in reversed(entries)}
    return sorted(once.values(), key=time_and_text)


def time_and_text(entry: Disposition | FindingException | Acknowledgement) -> tuple[datetime, str]:
    return entry.at, canonical_text(entry)


def duplicate_ids(exceptions: list[FindingException], path: Path) -> Iterable[DocumentError]:
    """A fault for every id that two different exceptions share."""
    first: dict[str, FindingException] = {}
    for one in sorted(exceptions, key=lambda one: one.line):
        if one.id in first:
            yield DocumentError(
                f"the exception {one.id} stands already in line {first[one.id].line}",
                path=path,
                line=one.line,
                fix="Give this one an id of its own",
            )
        first.setdefault(one.id, one)


def add_entry(path: Path, entry: Mapping[str, str | list[str]]) -> Journal:
    """Append one entry to a journal, on disk before this returns.

    Inside a git work tree ``.gitattributes`` gets the line that merges two people's additions.

    Args:
        path: The journal; made with its folder where it is not there.
        entry: Keys and texts (or lists of texts) of the entry; ``case``, ``finding``, ``exception``
            or ``acknowledged`` first.

    Returns:
        The journal as it then stands.

    Raises:
        UsageError: The entry has a fault, or the file cannot be written.
        DocumentErrors: The journal itself has faults. The file stays as it was.
    """
    before = read_journal(path)
    line = entry_line(entry)
    check_entry(line, path)
    parse_journal(f"{before.text}\n{line}", path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | NO_WAIT, 0o644)
        try:
            write_line(number, path, line)
        finally:
            os.close(number)
        merge_by_union(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", fix="Check the folder's permissions"
        ) from None
    return read_journal(path)


def entry_line(entry: Mapping[str, str | list[str]]) -> str:
    """One entry as the line that stands in the journal.

    Args:
        entry: Its keys and what they hold, in order; empty ones are left out.

    Returns:
        The line with its end.
    """
    parts = (f"{key}: {yaml_text(value)}" for key, value in entry.items() if value)
    return "- {" + ", ".join(parts) + "}\n"


def check_entry(line: str, path: Path) -> None:
    """Make sure that a line would be read back as one entry.

    Args:
        line: The line.
        path: The journal it is meant for, for messages.

    Raises:
        UsageError: It says what no entry may say.
        DocumentError: It is no YAML.
    """
    (document,) = parse_documents(line, path, date_keys=DATE_KEYS)
    try:
        read_entry(document, 0)
    except DocumentError as fault:
        # The line is not in the file yet, so no place in it can be named.
        raise UsageError(f"Not recorded: {fault.message}", fix=fault.fix) from None


def write_line(file: int, path: Path, line: str) -> None:
    """Write in one call, so that a kill leaves the line whole or not at all."""
    size = os.fstat(file).st_size
    before = "" if size else HEADER
    if size:
        with path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            before = "" if stream.read(1) == b"\n" else "\n"
    os.write(file, (before + line).encode("utf-8"))
    os.fsync(file)


def merge_by_union(path: Path) -> None:
    """Tell git to keep both sides' lines of the journal, when it lies in a work tree."""
    here = path.absolute().parent
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        return
    attributes = here / ".gitattributes"
    line = f"{path.name} merge=union"
    held = attributes.read_text(encoding="utf-8") if attributes.is_file() else ""
    if line in held.splitlines():
        return
    with attributes.open("a", encoding="utf-8") as stream:
        stream.write(("\n" if held and not held.endswith("\n") else "") + line + "\n")


def yaml_text(value: str | list[str]) -> str:
    """A text or a list of texts as YAML reads it back: JSON's quoting is YAML's."""
    return json.dumps(value, ensure_ascii=False)


def exception_id(match: Mapping[str, str], at: datetime) -> str:
    """A short id for a new exception.

    Args:
        match: What it matches.
        at: When it was made, in UTC.

    Returns:
        ``X-`` and eight hex digits, the same for the same arguments.
    """
    parts = [*sorted(match.items()), at.isoformat()]
    return f"X-{sha256_hex(repr(parts))[:8]}"
