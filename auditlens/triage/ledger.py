"""The case ledger: which cases a person was shown, so that their ids stay.

``cases.ndjson`` stands beside the triage journal and is only ever added to. A line says that a
case was shown, with its findings, or that it is one with an older case. Without it cases and ids
are still defined: see :mod:`auditlens.cases`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.canonical import json_line, sha256_hex
from auditlens.cases import KnownCase, is_to_decide
from auditlens.errors import DocumentError, DocumentErrors, UsageError
from auditlens.files import read_text
from auditlens.findings import LEVELS
from auditlens.triage.journal import CASE_ID, FINDING_ID

LEDGER = "cases.ndjson"
"""Its name, beside the journal."""

WAYS = ("report", "decision", "message")
"""How a person is shown a case."""

MOST_BYTES = 256 * 1024 * 1024
FIX = "Restore the file from a copy, or take the line out: ids of cases are then made anew"
LINE_LIMIT = 4 * 1024 * 1024
NO_WAIT = getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Shown:
    """One line: a case as it was shown, or ``merged_into`` the case that it is one with.

    ``by`` says how a person was shown it: ``report``, ``decision`` or ``message``.
    """

    case: str
    at: datetime
    period: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    first_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    last_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    members: tuple[tuple[str, str, str], ...] = ()
    level: str = ""
    by: str = ""
    merged_into: str = ""


@dataclass(frozen=True)
class CaseLedger:
    """The cases that were shown to a person.

    Attributes:
        path: The file; None where there is none.
        lines: Each time a case was shown, and each merge, in the order of the file.
        text: The text of the file.
    """

    path: Path | None = None
    lines: tuple[Shown, ...] = ()
    text: str = field(default="", repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the file's bytes."""
        return sha256_hex(self.text)

    @cached_property
    def merged(self) -> Mapping[str, str]:
        """The case that stands for one that was merged, by the merged one's id."""
        direct = {one.case: one.merged_into for one in self.lines if one.merged_into}
        found = {}
        for name, target in direct.items():
            seen, last = {name}, target
            while last in direct and last not in seen:
                seen.add(last)
                last = direct[last]
            found[name] = last
        return found

    @cached_property
    def cases(self) -> tuple[KnownCase, ...]:
        """Each case with all the findings it ever had, in the order in which they were shown."""
        found: dict[str, list[Shown]] = {}
        for one in self.lines:
            if not one.merged_into:
                found.setdefault(self.merged.get(one.case, one.case), []).append(one)
        return tuple(known_case(name, shown) for name, shown in found.items())

    def shown(self, case: str, by: str = "", period: str = "") -> tuple[Shown, ...]:
        """Each time a case was shown.

        Args:
            case: Its id.
            by: ``report``, ``decision`` or ``message``; empty: any way.
            period: Label of a period; empty: any.

        Returns:
            Lines in the order of the file, those of cases that were merged into it too.
        """
        return tuple(
            one
            for one in self.lines
            if not one.merged_into
            and self.merged.get(one.case, one.case) == case
            and by in ("", one.by)
            and period in ("", one.period)
        )

    def last(self, case: str, by: str = "", period: str = "") -> Shown | None:
        """The last time a case was shown.

        Args:
            case: Its id.
            by: ``report``, ``decision`` or ``message``; empty: any way.
            period: Label of a period; empty: any.

        Returns:
            The line; None when there is none.
        """
        found = self.shown(case, by, period)
        return found[-1] if found else None

    def until(self, size: int) -> CaseLedger:
        """The ledger as it was when its file had fewer bytes.

        Args:
            size: So many bytes.

        Returns:
            The ledger of the whole lines among them.
        """
        return parse_ledger(self.text.encode()[:size].decode(errors="ignore"), self.path)


def change_of(case: Mapping[str, Any], shown: Shown | None) -> str:
    """What is new about a case to decide since it was shown.

    Args:
        case: A row of cases (CASE_SCHEMA).
        shown: The case as it was last shown; None: it never was.

    Returns:
        ``new``, ``raised`` (its level), ``reopened`` (with a finding it did not have) or an empty
        text.
    """
    if shown is None:
        return "new"
    if LEVELS.index(case["level"]) > LEVELS.index(shown.level):
        return "raised"
    seen = {name for name, _, _ in shown.members}
    if case["state"] == "reopened" and not seen.issuperset(case["finding_ids"]):
        return "reopened"
    return ""


def untold(cases: pl.DataFrame, ledger: CaseLedger, *, by: str = "") -> pl.DataFrame:
    """The cases to decide that nobody was shown as they are now.

    Args:
        cases: Cases (CASE_SCHEMA).
        ledger: The cases shown before.
        by: Count only what was shown this way; empty: any way.

    Returns:
        Their rows, in order: new ones, and those reopened or of a higher level since.
    """
    waiting = cases.filter(is_to_decide())
    changed = [
        row["case_id"]
        for row in waiting.iter_rows(named=True)
        if change_of(row, ledger.last(row["case_id"], by))
    ]
    return waiting.filter(pl.col("case_id").is_in(changed))


def known_case(name: str, shown: list[Shown]) -> KnownCase:
    last = shown[-1]
    members = {member[0]: member for one in shown for member in one.members}
    return KnownCase(
        id=name,
        subject_kind=last.subject_kind,
        subject_id=last.subject_id,
        first_at=min(one.first_at for one in shown),
        last_at=max(one.last_at for one in shown),
        members=tuple(members.values()),
        periods=tuple(dict.fromkeys(one.period for one in shown)),
    )


def ledger_path(journal: Path) -> Path:
    """Where the ledger of a journal is.

    Args:
        journal: The journal's file.

    Returns:
        The path beside it, whether or not there is a file.
    """
    return journal.with_name(LEDGER)


def read_ledger(path: Path) -> CaseLedger:
    """Read a ledger; a file that does not exist is an empty one.

    Args:
        path: The file, one JSON object a line.

    Returns:
        Its lines, in their order.

    Raises:
        DocumentErrors: Every line that cannot be read, with its number.
    """
    if not path.exists():
        return CaseLedger(path)
    try:
        text = read_text(path, most=MOST_BYTES)
    except UnicodeDecodeError:
        fault = DocumentError("the file is not UTF-8 text", path=path, line=1, fix=FIX)
        raise DocumentErrors([fault]) from None
    return parse_ledger(text, path)


def parse_ledger(text: str, path: Path | None) -> CaseLedger:
    """Read a ledger from its text.

    Args:
        text: One JSON object a line; a last line without its end does not count.
        path: The file, for messages; None: it has none.

    Returns:
        Its lines, in their order.

    Raises:
        DocumentErrors: Every line that cannot be read, with its number.
    """
    lines, faults = [], []
    # A last line without its end was being written when something stopped: it never counted.
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            lines.append(shown_line(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            whole = path or Path(LEDGER)
            faults.append(
                DocumentError(
                    "this is not a line of a case ledger", path=whole, line=number, fix=FIX
                )
            )
    if faults:
        raise DocumentErrors(faults)
    return CaseLedger(path, tuple(lines), text)


def shown_line(line: str) -> Shown:
    if len(line) > LINE_LIMIT:
        raise ValueError
    data = json.loads(line)
    at = moment(data["at"])
    if not CASE_ID.fullmatch(data["case"]):
        raise ValueError
    if "merged_into" in data:
        if not CASE_ID.fullmatch(data["merged_into"]):
            raise ValueError
        return Shown(data["case"], at, merged_into=data["merged_into"])
    members = tuple((str(a), str(b), str(c)) for a, b, c in data["members"])
    if not all(FINDING_ID.fullmatch(name) and level in LEVELS for name, _, level in members):
        raise ValueError
    texts = (data["period"], data["subject_kind"], data["subject_id"])
    if not all(isinstance(one, str) for one in texts):
        raise TypeError
    first, last = moment(data["first_at"]), moment(data["last_at"])
    level, by = data["level"], data["by"]
    if level not in LEVELS or by not in WAYS:
        raise ValueError
    return Shown(data["case"], at, *texts, first, last, members, level, by)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def record_cases(
    path: Path, cases: pl.DataFrame, findings: pl.DataFrame, *, period: str, at: datetime, by: str
) -> CaseLedger:
    """Note the cases that a person is shown now: what is new in them, and what became one.

    Args:
        path: The ledger; made where it is not there.
        cases: The cases shown (CASE_SCHEMA).
        findings: The findings of the audit, with ``case_id``.
        period: Label of the audit's period.
        at: When they are shown, in UTC.
        by: How: ``report``, ``decision`` or ``message``.

    Returns:
        The ledger as it then stands.

    Raises:
        UsageError: The file cannot be written.
        DocumentErrors: The ledger has faults; it stays as it was.
    """
    held = read_ledger(path)
    lines = list(lines_for(held, cases, findings, period, at, by))
    if not lines:
        return held
    data = "".join(lines).encode()
    whole = held.text.rfind("\n") + 1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_WAIT, 0o644)
        try:
            if whole < len(held.text):
                os.ftruncate(number, len(held.text[:whole].encode()))
            os.write(number, data)
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", fix="Check the folder's permissions"
        ) from None
    return read_ledger(path)


def lines_for(
    held: CaseLedger,
    cases: pl.DataFrame,
    findings: pl.DataFrame,
    period: str,
    at: datetime,
    by: str,
) -> Iterator[str]:
    """The lines to add, merges first; none for a case that was shown as it is."""
    about = {row[0]: row for row in findings.select("finding_id", "rule_id", "level").iter_rows()}
    owner = {name: one.id for one in held.cases for name, _, _ in one.members}
    for row in cases.sort("first_at", "case_id").iter_rows(named=True):
        others = dict.fromkeys(owner[name] for name in row["finding_ids"] if name in owner)
        for other in others:
            if other != row["case_id"]:
                yield line_of({"case": other, "merged_into": row["case_id"], "at": text_of(at)})
        members = [list(about[name]) for name in row["finding_ids"]]
        last = held.last(row["case_id"], by, period)
        if last is not None and last.level == row["level"]:
            seen = {tuple(one) for one in last.members}
            if all(tuple(one) in seen for one in members):
                continue
        yield line_of(
            {
                "case": row["case_id"],
                "at": text_of(at),
                "period": period,
                "subject_kind": row["subject_kind"],
                "subject_id": row["subject_id"] or "",
                "first_at": text_of(row["first_at"]),
                "last_at": text_of(row["last_at"]),
                "members": members,
                "level": row["level"],
                "by": by,
            }
        )


def line_of(data: Mapping[str, Any]) -> str:
    return json_line(data).decode() + "\n"


def text_of(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
