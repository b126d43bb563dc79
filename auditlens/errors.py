"""Every error AuditLens raises on purpose, and the exit code each one becomes.

    AuditLensError          2  AL-200
    ├── UsageError          2  AL-201  an argument, a file or a period that cannot be used
    ├── DocumentError       2  AL-202  one fault in a YAML or TOML document: file, line, column
    ├── DocumentErrors      2  AL-203  every fault of a folder of documents, not the first alone
    ├── SourceError         3  AL-300  the source did not give all it holds: trying again helps
    │   └── KeyRefused      4  AL-400  the key is wrong (401) or its owner has no right (403)
    ├── IntegrityError      5  AL-500  bytes on disk are not the bytes that were sealed
    ├── LockHeld            6  AL-600  another run is writing to the archive
    ├── Crash              70  AL-70   a fault of AuditLens itself
    └── Interrupted       130  AL-130  stopped by a person or a signal; what was pulled is saved

Rooms that raise an error of their own below these give it a code of its own (AL-301 and so on);
docs/errors.md has a section for each code, which a test holds.
A message says what was found and where; ``fix`` says what would be right. Only the command
line exits; everything below it raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from traceback import walk_tb

__all__ = [
    "AuditLensError",
    "Crash",
    "DocumentError",
    "DocumentErrors",
    "IntegrityError",
    "Interrupted",
    "KeyRefused",
    "LockHeld",
    "SourceError",
    "UsageError",
]


class AuditLensError(Exception):
    """Base of all errors a user can act on: one line of text, and the fix if there is one.

    Attributes:
        message: What was found, and where.
        fix: What would be right; empty where nothing can be said.
        code: The section of docs/errors.md (``AL-201``).
        exit_code: What the command line exits with.
    """

    code = "AL-200"
    exit_code = 2

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}. {self.fix}" if self.fix else self.message


class UsageError(AuditLensError):
    """An argument, a file or a setting that cannot be used as it was given."""

    code = "AL-201"


class DocumentError(AuditLensError):
    """A fault in a document, with its place: ``path:line:column: message``.

    Attributes:
        path: The document.
        line: Its line, from 1; 0 where it is not known.
        column: Its column, from 1; 0 where it is not known.
    """

    code = "AL-202"

    def __init__(
        self, message: str, *, path: Path | str, line: int = 0, column: int = 0, fix: str = ""
    ) -> None:
        super().__init__(message, fix=fix)
        self.path = Path(path)
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        return f"{place}: {super().__str__()}"


class DocumentErrors(AuditLensError):
    """All faults found while loading a folder, one line each.

    Attributes:
        errors: Each fault, in the order of the files.
    """

    code = "AL-203"

    def __init__(self, errors: Sequence[DocumentError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class SourceError(AuditLensError):
    """The source failed or gave less than it holds; what was already pulled is kept."""

    code = "AL-300"
    exit_code = 3


class KeyRefused(SourceError):
    """The server refused the key (401) or the rights of its owner (403)."""

    code = "AL-400"
    exit_code = 4


class IntegrityError(AuditLensError):
    """Stored bytes differ from what their manifest says; nothing was parsed from them."""

    code = "AL-500"
    exit_code = 5


class LockHeld(AuditLensError):
    """Another process holds the archive's lock."""

    code = "AL-600"
    exit_code = 6


class Interrupted(AuditLensError):
    """A person or a signal stopped the run after its last whole page was saved."""

    code = "AL-130"
    exit_code = 130


class Crash(AuditLensError):
    """A fault of AuditLens itself: an error that nobody meant to be raised."""

    code = "AL-70"
    exit_code = 70

    @classmethod
    def of(cls, error: BaseException) -> Crash:
        """Tell of an unexpected error by its type and the line of ours that it passed last.

        Args:
            error: The error. Its own text is left out: it may hold values of a log or a secret.

        Returns:
            The error to report instead.
        """
        package = Path(__file__).parent
        place = ""
        for frame, line in walk_tb(error.__traceback__):
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(package):
                place = f" at {path.relative_to(package.parent).as_posix()}:{line}"
        return cls(
            f"A fault of AuditLens itself: {type(error).__name__}{place}",
            fix="Report this line and what was run where you got AuditLens from; "
            "AUDITLENS_TRACEBACK=1 shows the whole traceback, which may hold names from the log",
        )
