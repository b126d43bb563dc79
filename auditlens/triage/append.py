"""Adding to the journal: one line at the end, on disk before the command returns."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from auditlens.errors import UsageError
from auditlens.triage.journal import Journal, read_journal

__all__ = ["add_entry", "exception_id"]

HEADER = "# Triage journal: one line an entry, only ever added to. See the how-to on triage.\n"


def add_entry(path: Path, entry: Mapping[str, str]) -> Journal:
    """Append one entry and return the journal as it then stands.

    The entry is checked before it is written: a fault raises DocumentErrors or DocumentError
    and the file stays as it was. Raises UsageError when it cannot be written.
    """
    from auditlens.documents import parse_documents
    from auditlens.triage.journal import read_entry

    read_journal(path)
    line = "- {" + ", ".join(f"{key}: {quoted(value)}" for key, value in entry.items()) + "}\n"
    read_entry(parse_documents(line, path)[0], 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as stream:
            write_line(stream.fileno(), path, line)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", fix="Check the folder's permissions"
        ) from None
    return read_journal(path)


def write_line(file: int, path: Path, line: str) -> None:
    """Write in one call, so that a kill leaves the line whole or not at all."""
    size = path.stat().st_size
    before = "" if size else HEADER
    if size:
        with path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            before = "" if stream.read(1) == b"\n" else "\n"
    os.write(file, (before + line).encode("utf-8"))
    os.fsync(file)


def quoted(value: str) -> str:
    """A text as YAML reads it back: JSON's quoting is YAML's."""
    return json.dumps(value, ensure_ascii=False)


def exception_id(match: Mapping[str, str], at: datetime) -> str:
    """A short id for a new exception, from what it matches and when it was made."""
    parts = [*sorted(match.items()), at.isoformat()]
    return f"X-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}"
