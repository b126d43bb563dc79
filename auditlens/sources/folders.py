"""Which files a user meant: files as named, folders searched for files that look like logs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditlens.errors import UsageError

__all__ = ["LogFile", "log_files"]

SUFFIXES = (".ndjson", ".jsonl", ".json", ".csv", ".parquet")
PACKED = ("", ".gz", ".zst")
KNOWN = tuple(suffix + packed for suffix in SUFFIXES for packed in PACKED)
FORMS = "Give NDJSON, JSON, CSV or Parquet files (also .gz, .zst), or a folder of them"


@dataclass(frozen=True)
class LogFile:
    """A file to read. ``name`` is what events and messages call it: never its whole path.

    ``named`` is true when the user named the file itself, not the folder it is in.
    """

    path: Path
    name: str
    named: bool


def log_files(paths: str | Path | Iterable[str | Path]) -> tuple[LogFile, ...]:
    """List the files behind ``paths``, in the order given, folders in the order of their names.

    Raises UsageError for a path that is not there and for a folder without any log.
    """
    given: Sequence[str | Path] = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise UsageError("No file was given", fix=FORMS)
    found: list[LogFile] = []
    for each in given:
        path = Path(each)
        if path.is_dir():
            found += in_folder(path)
        elif path.is_file():
            found.append(LogFile(path, path.name, named=True))
        elif path.exists():
            raise UsageError(f"{path} is neither a file nor a folder", fix=FORMS)
        else:
            raise UsageError(f"{path} does not exist", fix="Check the path; " + FORMS.lower())
    return tuple(found)


def in_folder(folder: Path) -> list[LogFile]:
    if any((folder / "evidence").glob("*.ndjson.zst")):
        raise UsageError(
            f"{folder} is an archive", fix="Give it with --archive, or open it with Archive(path)"
        )
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name)
            for name in names
            if name.lower().endswith(KNOWN) and not name.startswith(".")
        ]
    if not found:
        raise UsageError(f"{folder} holds no log file", fix=f"Looked for {', '.join(SUFFIXES)}")
    relative = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    return [LogFile(path, name, named=False) for name, path in relative]
