"""Which files a user meant: files as named, folders searched for files that look like logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditlens.errors import UsageError

__all__ = ["LogFile", "log_files"]

SUFFIXES = (".ndjson", ".jsonl", ".json", ".csv", ".parquet")
PACKED = ("", ".gz", ".zst")
MOST_LEVELS = 100
KNOWN = tuple(suffix + packed for suffix in SUFFIXES for packed in PACKED)
FORMS = "Give NDJSON, JSON, CSV or Parquet files (also .gz, .zst), or a folder of them"


@dataclass(frozen=True)
class LogFile:
    """A file to read. ``name`` is what events and messages call it: never its whole path.

    ``named`` is true when the user named the file itself, not the folder it is in. ``problem``
    says why what was found in a folder is not even opened; empty when it is.
    """

    path: Path
    name: str
    named: bool
    problem: str = ""


def log_files(paths: str | Path | Iterable[str | Path]) -> tuple[LogFile, ...]:
    """List the files behind ``paths``, in the order given, folders in the order of their names.

    Links in a folder are followed, each folder once. Raises UsageError for a path that is not
    there and for a folder without any log.
    """
    given: Sequence[str | Path] = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise UsageError("No file was given", fix=FORMS)
    found: list[LogFile] = []
    for each in given:
        path = Path(each)
        try:
            found += at_path(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{path!s:.200} cannot be read ({reason})", fix=FORMS) from None
    return tuple(found)


def at_path(path: Path) -> list[LogFile]:
    if path.is_dir():
        return in_folder(path)
    if path.is_file():
        return [LogFile(path, path.name, named=True)]
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is neither a file nor a folder", fix=FORMS)
    raise UsageError(f"{path} does not exist", fix="Check the path; " + FORMS.lower())


def in_folder(folder: Path) -> list[LogFile]:
    if any((folder / "evidence").glob("*.ndjson.zst")):
        raise UsageError(
            f"{folder} is an archive", fix="Give it with --archive, or open it with Archive(path)"
        )
    found = sorted(walked(folder, folder, set()), key=lambda file: file.name)
    if not found:
        raise UsageError(f"{folder} holds no log file", fix=f"Looked for {', '.join(SUFFIXES)}")
    return found


def walked(top: Path, folder: Path, seen: set[tuple[int, int]]) -> Iterator[LogFile]:
    """The logs below a folder; what cannot be opened has its problem."""
    place = folder.relative_to(top).as_posix()
    if place.count("/") > MOST_LEVELS:
        yield LogFile(folder, place, named=False, problem=f"lies below {MOST_LEVELS} folders")
        return
    try:
        status = folder.stat()
        inside = sorted(folder.iterdir())
    except OSError as error:
        yield LogFile(folder, place, named=False, problem=f"cannot be read ({error.strerror})")
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from walked(top, path, seen)
        elif path.name.lower().endswith(KNOWN):
            problem = "" if path.is_file() else unusual(path)
            yield LogFile(path, path.relative_to(top).as_posix(), named=False, problem=problem)


def unusual(path: Path) -> str:
    """Why something with the name of a log is no file."""
    if path.is_symlink() and not path.exists():
        return "is a link to nothing"
    return "is neither a file nor a folder"
