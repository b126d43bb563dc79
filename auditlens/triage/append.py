"""Adding to the journal: one line at the end, on disk before the command returns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from auditlens.canonical import sha256_hex
from auditlens.documents import parse_documents
from auditlens.errors import DocumentError, UsageError
from auditlens.triage.entry import read_entry
from auditlens.triage.journal import DATE_KEYS, Journal, parse_journal, read_journal

__all__ = ["add_entry", "entry_line", "exception_id"]

NO_WAIT = getattr(os, "O_NONBLOCK", 0)
HEADER = "# Triage journal: one line an entry, only ever added to. See the how-to on triage.\n"


def add_entry(path: Path, entry: Mapping[str, str]) -> Journal:
    """Append one entry and return the journal as it then stands.

    The journal is checked before it is written, with the entry in it: a fault raises
    DocumentErrors or DocumentError and the file stays as it was. Raises UsageError when it
    cannot be written. Inside a git work tree ``.gitattributes`` gets the line that merges
    two people's additions.
    """
    before = read_journal(path)
    line = entry_line(entry)
    check(line, path)
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


def entry_line(entry: Mapping[str, str]) -> str:
    """One entry as the line that stands in the journal; empty texts are left out."""
    parts = (f"{key}: {quoted(value)}" for key, value in entry.items() if value)
    return "- {" + ", ".join(parts) + "}\n"


def check(line: str, path: Path) -> None:
    """Raise DocumentError when the line would not be read back as one entry."""
    (document,) = parse_documents(line, path, date_keys=DATE_KEYS)
    try:
        read_entry(document, 0)
    except DocumentError as fault:
        # The line is not in the file yet, so no place in it can be named.
        raise UsageError(f"This entry was not added: {fault.message}", fix=fault.fix) from None


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


def quoted(value: str) -> str:
    """A text as YAML reads it back: JSON's quoting is YAML's."""
    return json.dumps(value, ensure_ascii=False)


def exception_id(match: Mapping[str, str], at: datetime) -> str:
    """A short id for a new exception, from what it matches and when it was made."""
    parts = [*sorted(match.items()), at.isoformat()]
    return f"X-{sha256_hex(repr(parts))[:8]}"
