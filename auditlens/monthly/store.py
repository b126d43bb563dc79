"""The folder of reports: ``2026-10``, and its amendments ``2026-10.a1``, ``.a2``."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError, UsageError
from auditlens.files import make_folder, read, sweep
from auditlens.report import MANIFEST
from auditlens.review import open_folder

MONTHLY = re.compile(r"(\d{4}-\d{2})(?:\.a([1-9]\d*))?", re.ASCII)
UNFINISHED = re.compile(r"\.\d{4}-\d{2}(\.a\d+)?-.+", re.ASCII)
FINDINGS = "findings.parquet"
OF_THE_RUN = ("detected_at", "state", "disposition", "exception_id", "case_id")
"""What a finding owes to the time of the run and to its review, not to the log."""


@dataclass(frozen=True)
class StoredReport:
    """One report in the store.

    Attributes:
        month: The month, as ``2026-10``.
        amendment: How many reports of the month came before it; 0 for the first.
        folder: Its folder.
    """

    month: str
    amendment: int
    folder: Path

    def digests(self) -> tuple[str, str]:
        """What the report was made from, and what it found.

        Returns:
            Digest (hex) of its events, and of its findings.

        Raises:
            IntegrityError: The folder's bytes are not those that were written.
        """
        _, differences = open_folder(self.folder)
        if differences:
            raise IntegrityError(
                f"{self.folder}: {differences[0]}",
                fix="Restore the folder from a copy; the job never writes over a report",
            )
        listed = json.loads(read(self.folder / MANIFEST))
        try:
            found = findings_digest(read(self.folder / FINDINGS))
            return str(listed["input_digest"]), found
        except (KeyError, FileNotFoundError, pl.exceptions.PolarsError):
            raise IntegrityError(
                f"{self.folder} is not a whole report: {MANIFEST} or {FINDINGS} lacks something",
                fix="Restore the folder from a copy; the job never writes over a report",
            ) from None


@dataclass(frozen=True)
class ReportStore:
    """The folder in which all monthly reports stand, one folder each.

    Attributes:
        folder: Its path; ``2026-10`` in it is a first report, ``2026-10.a1`` its first amendment.
    """

    folder: Path

    def prepare(self, archive: Path) -> None:
        """Make the folder.

        Args:
            archive: The folder of the archive.

        Raises:
            UsageError: The folder is the archive's or inside it, or cannot be made.
        """
        place, held = self.folder.resolve(), archive.resolve()
        if place == held or held in place.parents:
            raise UsageError(
                f"{self.folder} is in the archive, where nothing else may stand",
                fix="Name a folder beside it with --out",
            )
        make_folder(self.folder)

    def remove_unfinished(self) -> None:
        """Remove what killed runs left unfinished. Only the holder of the lock may."""
        sweep(self.folder)
        for path in self.folder.iterdir():
            if UNFINISHED.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)

    def latest(self) -> Mapping[str, StoredReport]:
        """The latest report of each month, in the order of the months."""
        latest: dict[str, StoredReport] = {}
        for path in sorted(self.folder.iterdir()):
            match = MONTHLY.fullmatch(path.name)
            if match is None or not self.holds(path.name):
                continue
            report = StoredReport(match[1], int(match[2] or 0), path)
            if report.month not in latest or latest[report.month].amendment < report.amendment:
                latest[report.month] = report
        return latest

    def holds(self, name: str) -> bool:
        """Whether a report of this name, ``2026-10`` or ``2026-10.a1``, was written."""
        return (self.folder / name / MANIFEST).is_file()

    def path_of(self, month: str, amendment: int) -> Path:
        """Where a report of a month belongs."""
        return self.folder / (f"{month}.a{amendment}" if amendment else month)


def findings_digest(parquet: bytes) -> str:
    """SHA-256 (hex) over what the log says in a report's findings: not when, nor who decided."""
    found = pl.read_parquet(io.BytesIO(parquet)).drop(OF_THE_RUN, strict=False)
    return sha256_hex(found.sort("finding_id").write_ndjson())
