"""Making a report's files from an audit, with the record that lets others make them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from auditlens.audit import Audit
from auditlens.report import Report
from auditlens.report.folder import FORMAT, MANIFEST, write_folder
from auditlens.signoff.review import review_of

__all__ = ["RECORD", "Making", "files_of", "sha256", "write_report"]

RECORD = "record.json"


@dataclass(frozen=True)
class Making:
    """How a report is made: its edition, whom it names, its further forms, who signed it."""

    edition: str = "full"
    identity: str = "full"
    also: tuple[str, ...] = ()
    reviewer: str = ""
    statement: str = ""
    signed_at: datetime | None = None
    amendment: int = 0


def files_of(audit: Audit, making: Making, record: bytes) -> dict[str, bytes]:
    """The files of a report with its record among them, the manifest last."""
    review = review_of(
        audit,
        reviewer=making.reviewer,
        statement=making.statement,
        signed_at=making.signed_at,
        amendment=making.amendment,
    )
    report = Report(audit, edition=making.edition, identity=making.identity, review=review)
    return with_record(report.files(making.also), record)


def with_record(files: Mapping[str, bytes], record: bytes) -> dict[str, bytes]:
    listed = json.loads(files[MANIFEST])
    assert listed["format"] == FORMAT
    entry = {
        "name": RECORD,
        "bytes": len(record),
        "sha256": sha256(record),
        "media_type": "application/json",
    }
    listed["files"] = sorted([*listed["files"], entry], key=lambda one: str(one["name"]))
    whole = (json.dumps(listed, indent=2, sort_keys=True) + "\n").encode()
    rest = {name: data for name, data in files.items() if name != MANIFEST}
    return {**rest, RECORD: record, MANIFEST: whole}


def write_report(audit: Audit, out: Path, making: Making, rules_root: Path) -> tuple[Path, ...]:
    """Write a draft of the report of ``audit``, whose rules were read from ``rules_root``.

    Raises UsageError when ``out`` holds something else, such as a signed report.
    """
    from auditlens.signoff.record import make_record

    return write_folder(out, files_of(audit, making, make_record(audit, making, rules_root)))


def sha256(data: str | bytes) -> str:
    """SHA-256 (hex) of bytes, or of a text in UTF-8."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
