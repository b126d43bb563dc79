"""Making a report's files from an audit, with the record that lets others make them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from auditlens.audit import Audit
from auditlens.canonical import json_document, sha256_hex
from auditlens.errors import UsageError
from auditlens.report import MAX_ROWS, Report, heads_of
from auditlens.report.folder import FORMAT, MANIFEST, write_folder
from auditlens.rules import Samples
from auditlens.signoff.review import review_of

__all__ = ["RECORD", "Making", "files_of", "write_report"]

RECORD = "record.json"


@dataclass(frozen=True)
class Making:
    """How a report is made: its edition, whom it names, its further forms, who signed it.

    ``max_rows`` caps the findings on the page, ``templates`` has the SHA-256 of templates of
    one's own by name: they are code, so no record carries them to those who verify.
    ``purpose``, ``recipients`` and ``delete_by`` (a date, ISO 8601) are the cover's privacy line.
    ``keys`` are the fingerprints of the keys under the seal.
    """

    edition: str = "full"
    identity: str = "full"
    also: tuple[str, ...] = ()
    max_rows: int = MAX_ROWS
    templates: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""
    recipients: str = ""
    delete_by: str = ""
    reviewer: str = ""
    statement: str = ""
    signed_at: datetime | None = None
    amendment: int = 0
    keys: tuple[str, ...] = ()


def files_of(
    audit: Audit, making: Making, record: bytes, templates: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """The files of a report with its record among them, the manifest last.

    ``templates`` are the texts of those that ``making`` names. Raises UsageError for others.
    """
    if digests(templates or {}) != making.templates:
        raise UsageError(
            "The report was drawn with templates of its maker's own",
            fix="Have it made without --templates to compare it",
        )
    review = review_of(
        audit,
        reviewer=making.reviewer,
        statement=making.statement,
        signed_at=making.signed_at,
        amendment=making.amendment,
        keys=making.keys,
    )
    review = replace(
        review,
        purpose=making.purpose,
        recipients=making.recipients,
        delete_by=date.fromisoformat(making.delete_by) if making.delete_by else None,
    )
    tests = json.loads(record).get("tests", {})
    report = Report(
        audit,
        edition=making.edition,
        identity=making.identity,
        review=review,
        max_rows=making.max_rows,
        templates=templates,
        samples={name: Samples(*one) for name, one in tests.items()},
    )
    return with_record(report.files(making.also), record)


def with_record(files: Mapping[str, bytes], record: bytes) -> dict[str, bytes]:
    listed = json.loads(files[MANIFEST])
    assert listed["format"] == FORMAT
    entry = {
        "name": RECORD,
        "bytes": len(record),
        "sha256": sha256_hex(record),
        "media_type": "application/json",
    }
    listed["files"] = sorted([*listed["files"], entry], key=lambda one: str(one["name"]))
    rest = {name: data for name, data in files.items() if name != MANIFEST}
    return {**rest, RECORD: record, MANIFEST: json_document(listed)}


def digests(templates: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256_hex(text) for name, text in sorted(templates.items())}


def write_report(
    audit: Audit,
    out: Path,
    making: Making,
    roots: Sequence[Path],
    templates: Mapping[str, str] | None = None,
    *,
    replace_other: bool = False,
) -> tuple[Path, ...]:
    """Write a draft of the report of ``audit``, whose rules were read from ``roots``.

    ``templates`` are texts of one's own by name; ``replace_other`` replaces a draft of another
    period or archive too. Raises UsageError when ``out`` holds something else, such as a signed
    report.
    """
    from auditlens.signoff.record import make_record

    making = replace(making, templates=digests(templates or {}))
    record = make_record(audit, making, roots)
    return write_folder(
        out,
        files_of(audit, making, record, templates),
        replace=replace_other,
        heads=lambda: heads_of(audit),
    )
