"""The triage journal: what reviewers decided, one line an entry, never rewritten.

``triage.yml`` stands beside the archive. It is a YAML list whose entries are one line each, so
that two people's additions merge in git (``triage.yml merge=union``) and a person can add one
by hand. The order of lines means nothing, and a line that stands twice counts once: the latest
``at`` decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from auditlens.canonical import sha256_hex
from auditlens.documents import Document, parse_documents, read_documents
from auditlens.errors import DocumentError, DocumentErrors
from auditlens.files import read_text
from auditlens.triage.entry import (
    EXAMPLE,
    Acknowledgement,
    Disposition,
    FindingException,
    read_entry,
)

__all__ = ["Journal", "parse_journal", "read_journal"]

Kind = TypeVar("Kind", Disposition, FindingException, Acknowledgement)
DATE_KEYS = frozenset({"at", "until"})
GENERAL_FIX = f"Put the line right or take it out; an entry looks like {EXAMPLE}"


@dataclass(frozen=True)
class Journal:
    """All entries, oldest first; ``digest`` is their SHA-256 (hex), whatever their order."""

    path: Path | None = None
    dispositions: tuple[Disposition, ...] = ()
    exceptions: tuple[FindingException, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    text: str = field(default="", repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over what the entries say: order, comments and lines do not count."""
        return sha256_hex("\n".join(sorted(self.said)))

    @cached_property
    def said(self) -> dict[str, int]:
        """What each entry says, with the line it stands in."""
        entries: list[Disposition | FindingException | Acknowledgement] = [
            *self.dispositions,
            *self.exceptions,
            *self.acknowledgements,
        ]
        return {saying(entry): entry.line for entry in entries}

    @cached_property
    def latest(self) -> dict[str, Disposition]:
        """The decision that counts, by finding."""
        return {one.finding: one for one in self.dispositions}

    @cached_property
    def acknowledged(self) -> frozenset[str]:
        """The ids of records that could not be read and that a person looked at."""
        return frozenset(one.record for one in self.acknowledgements)

    def history(self, finding: str) -> tuple[Disposition, ...]:
        """Every decision about one finding, oldest first."""
        return tuple(one for one in self.dispositions if one.finding == finding)


def saying(entry: Disposition | FindingException | Acknowledgement) -> str:
    """All an entry says, as one text; two entries that say the same are one."""
    parts = {
        name: value
        for name, value in vars(entry).items()
        # What decisions did not know once is left out when empty: old digests stay what they were.
        if name != "line" and (value or name not in ("family", "until"))
    }
    if isinstance(entry, FindingException):
        parts["match"] = sorted(entry.match.items())
    return f"{type(entry).__name__} {sorted((k, str(v)) for k, v in parts.items())!r}"


def read_journal(path: Path) -> Journal:
    """Read a journal; a file that does not exist is an empty one.

    Raises DocumentErrors with every fault, each with its line and what would be right.
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
    """Read a journal from its text; ``path`` is used in messages. Raises DocumentErrors."""
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
            found.append(read_entry(document, number))
        except DocumentError as fault:
            faults.append(with_fix(fault))
    exceptions = unique([one for one in found if isinstance(one, FindingException)])
    faults.extend(doubles(exceptions, path))
    if faults:
        raise DocumentErrors(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    decisions = unique([one for one in found if isinstance(one, Disposition)])
    noted = unique([one for one in found if isinstance(one, Acknowledgement)])
    return Journal(path, tuple(decisions), tuple(exceptions), tuple(noted), text)


def unique(entries: list[Kind]) -> list[Kind]:
    """Entries oldest first, those that say the same once."""
    once = {saying(entry): entry for entry in reversed(entries)}
    return sorted(once.values(), key=order)


def order(entry: Disposition | FindingException | Acknowledgement) -> tuple[datetime, str]:
    return entry.at, saying(entry)


def doubles(exceptions: list[FindingException], path: Path) -> Iterable[DocumentError]:
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
