"""A report with its record: what a third party needs to do the whole run again.

``record.json`` holds settings, rules, journal, the cases shown before, the signed months before
and the options of the report, as they were, each with its hash. A report that hides identities
carries hashes alone: then the originals must stand beside the archive.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import polars as pl

from auditlens.audit import Audit
from auditlens.canonical import json_document, json_line, sha256_hex
from auditlens.errors import IntegrityError, UsageError
from auditlens.files import read_text
from auditlens.period import Period
from auditlens.report import (
    FORMAT,
    MANIFEST,
    MAX_ROWS,
    Report,
    archive_heads,
    review_of,
    write_folder,
)
from auditlens.resources import rules_folder
from auditlens.rules import Samples, rule_files, samples_of
from auditlens.seals import canonical
from auditlens.settings import Settings
from auditlens.triage import (
    MONTH_SCHEMA,
    CaseLedger,
    Journal,
    SignedMonth,
    ledger_path,
    parse_journal,
    parse_ledger,
    record_cases,
)
from auditlens.yaml_documents import MAX_BYTES

RECORD = "record.json"
FAULTS = (
    ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError,
    msgspec.ValidationError,
)  # fmt: skip
"""What reading an edited record may raise."""

RECORD_FORMAT = "auditlens.record/1"
FOLDERS = ("rules", "own-rules")
"""What the roots of rules are called in a record, in their order."""

PRIVATE = (
    "archive", "rules", "own_rules", "directory", "journal", "path", "origins", "withheld",
    "unknown",
    "api_url", "api", "skip_broken", "fail_on", "fail_on_finding", "alert_level", "digest",
    "reviewer", "reports", "outbox", "grace_days",
    "key_file", "allowed_signers", "key_command", "identity", "also", "heartbeat",
    "heartbeat_start",
    "heartbeat_fail", "notify",
)  # fmt: skip
"""Settings that change neither a finding nor a report: they stay at home."""


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made: its edition, whom it names, its further forms, who signed it.

    Attributes:
        edition: ``full`` or ``brief``.
        identity: ``full``, ``pseudonymous`` or ``aggregate``.
        also: Further forms: ``ndjson``, ``ocsf``, ``oscal``, ``pdf``.
        max_rows: How many findings the page shows at most.
        templates: SHA-256 of templates of one's own by name: they are code, so no record carries
            them to those who verify.
        purpose, recipients, delete_by: The cover's privacy line; the last a date, ISO 8601.
        reviewer, statement, signed_at: Who signed, with which words, when; empty for a draft.
        amendment: How often the period was signed before.
        keys: Fingerprints of the keys under the seal.
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


def report_files(
    audit: Audit, options: ReportOptions, record: bytes, templates: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """The files of a report with its record among them.

    Args:
        audit: What is reported.
        options: How the report is made.
        record: The record's bytes.
        templates: Texts of the templates that ``options`` names, by name; default: none.

    Returns:
        Exact bytes by name, the manifest last.

    Raises:
        UsageError: The templates are not those that ``options`` names.
    """
    if template_digests(templates or {}) != options.templates:
        raise UsageError(
            "The report was drawn with templates of its maker's own",
            fix="Have it made without --templates to compare it",
        )
    review = review_of(
        audit,
        reviewer=options.reviewer,
        statement=options.statement,
        signed_at=options.signed_at,
        amendment=options.amendment,
        keys=options.keys,
    )
    review = replace(
        review,
        purpose=options.purpose,
        recipients=options.recipients,
        delete_by=date.fromisoformat(options.delete_by) if options.delete_by else None,
    )
    tests = json.loads(record).get("tests", {})
    report = Report(
        audit,
        edition=options.edition,
        identity=options.identity,
        review=review,
        max_rows=options.max_rows,
        templates=templates,
        samples={name: Samples(*one) for name, one in tests.items()},
    )
    return with_record(report.files(options.also), record)


def with_record(files: Mapping[str, bytes], record: bytes) -> dict[str, bytes]:
    """The files of a report with a record among them.

    Args:
        files: Exact bytes by name, with a manifest.
        record: The record's bytes.

    Returns:
        The same, the record, and last a manifest that lists it.
    """
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


def template_digests(templates: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256_hex(text) for name, text in sorted(templates.items())}


def write_report(
    audit: Audit,
    out: Path,
    options: ReportOptions,
    roots: Sequence[Path],
    templates: Mapping[str, str] | None = None,
    *,
    replace_other: bool = False,
) -> tuple[Path, ...]:
    """Write a draft of the report of ``audit``, and note the cases it shows.

    Args:
        audit: The run to report.
        out: The folder; absent, empty, or a draft of the same period and archive.
        options: How the report is made.
        roots: Where the audit's rules were read.
        templates: Texts of templates of one's own by name.
        replace_other: Whether a draft of another period or archive is replaced too.

    Returns:
        The paths of the files.

    Raises:
        UsageError: ``out`` holds something else, such as a signed report.
    """
    options = replace(options, templates=template_digests(templates or {}))
    record = make_record(audit, options, roots)
    written = write_folder(
        out,
        report_files(audit, options, record, templates),
        replace=replace_other,
        heads=lambda: archive_heads(audit),
    )
    note_shown(audit)
    return written


def note_shown(audit: Audit) -> None:
    """Note beside the journal that a report shows the cases of an audit: their ids then stay.

    Called when the report is on disk. An audit of files notes nothing, since no journal need be
    theirs, and neither does a report that shows each case as one before it did.

    Args:
        audit: What was reported.
    """
    if audit.journal.path is not None and audit.coverage.head:
        record_cases(
            ledger_path(audit.journal.path),
            audit.cases,
            audit.findings,
            period=audit.period.label,
            at=audit.run_at,
            by="report",
        )


@dataclass(frozen=True)
class Record:
    """A record as read. ``rules`` maps file names to (SHA-256, text or None)."""

    data: Mapping[str, Any]
    period: Period
    run_at: datetime
    seed: int
    options: ReportOptions
    rules: Mapping[str, tuple[str, str | None]]

    @property
    def shipped_rules(self) -> str:
        """Which of the shipped folders of rules was used; empty for rules of one's own."""
        return str(self.data["shipped_rules"])

    @property
    def rule_folders(self) -> tuple[str, ...]:
        """Which of FOLDERS the rules of the run came from."""
        held = {name.partition("/")[0] for name in self.rules}
        return tuple(name for name in FOLDERS if name in held)

    @property
    def settings(self) -> Settings | None:
        """The settings of the run; None where they were left out to hide identities.

        One that another version knew and this one does not is left aside.
        """
        return msgspec.convert(self.data["settings"], Settings | None)

    @property
    def journal(self) -> Journal | None:
        text = self.data["journal"]["text"]
        return None if text is None else parse_journal(text, Path("triage.yml"))

    @property
    def ledger(self) -> CaseLedger | None:
        """The cases shown before, as they were; None where they were left out.

        A record of a version without cases rests on none.
        """
        held = self.data.get("cases")
        if held is None:
            return CaseLedger()
        return None if held["text"] is None else parse_ledger(held["text"], None)

    @property
    def earlier(self) -> tuple[SignedMonth, ...] | None:
        held = self.data["earlier"]
        return msgspec.convert(held, tuple[SignedMonth, ...] | None, dec_hook=frame_of)


def rule_texts(roots: Sequence[Path]) -> dict[str, str]:
    """The rule files of the first root, of one's own beside it, and the classifier, by name."""
    found = {"actions.yml": rules_folder() / "actions.yml"}
    for folder, root in zip(FOLDERS, roots, strict=False):
        for path in rule_files([root]):
            name = path.name if root.is_file() else path.relative_to(root).as_posix()
            found[f"{folder}/{name}"] = path
    texts = {}
    for name, path in sorted(found.items()):
        # A file that is no text holds no rule: it was skipped on request, or nothing was run.
        with suppress(UnicodeDecodeError):
            texts[name] = read_text(path, most=MAX_BYTES)
    return texts


def make_record(audit: Audit, options: ReportOptions, roots: Sequence[Path]) -> bytes:
    """The record of one report: all that is needed to make it again.

    Args:
        audit: What is reported.
        options: How the report is made; when it hides identities, texts are left out, not digests.
        roots: Where the audit's rules were read from.

    Returns:
        Canonical JSON.
    """
    open_ = options.identity == "full"
    texts = rule_texts(roots)
    journal = audit.journal
    lines = sorted(sha256_hex(line) for line in journal.text.splitlines(keepends=True))
    settings = {k: v for k, v in json_data(audit.settings).items() if k not in PRIVATE}
    about = {
        "format": RECORD_FORMAT,
        "period": json_data(audit.period),
        "run_at": audit.run_at.isoformat(),
        "seed": audit.model.get("seed", audit.settings.seed),
        "making": json_data(options),
        "provenance": dict(audit.provenance),
        "source": "archive" if audit.coverage.head else "files",
        "shipped_rules": shipped_name(roots[0]) if roots else "",
        "rules": {
            name: {"sha256": sha256_hex(text), "text": text if open_ else None}
            for name, text in texts.items()
        },
        "tests": {
            name: dataclasses.astuple(one)
            for name, one in sorted(samples_of(audit.rules.rules).items())
        },
        "settings": settings if open_ else None,
        "journal": {
            "digest": journal.digest,
            "entries": sorted(sha256_hex(text) for text in journal.texts),
            "lines": lines,
            "characters": len(journal.text),
            "sha256": sha256_hex(journal.text),
            "text": journal.text if open_ else None,
        },
        "cases": {
            "digest": audit.ledger.digest,
            "bytes": len(audit.ledger.text.encode()),
            "text": audit.ledger.text if open_ else None,
        },
        "earlier": json_data(audit.earlier) if open_ else None,
        "earlier_seals": [month.seal for month in audit.earlier],
    }
    return canonical(about)


def rule_folders() -> list[str]:
    return [path.name for path in rules_folder().iterdir() if path.is_dir()]


def is_shipped(name: str) -> bool:
    """Whether a name is that of shipped rules.

    Args:
        name: A path below the folder of shipped rules, with forward slashes; empty: the folder.

    Returns:
        True for the folder, one of its folders, and what is named below one of them without ``..``.
    """
    parts = PurePosixPath(name).parts
    return not parts or (parts[0] in rule_folders() and ".." not in parts)


def shipped_name(root: Path) -> str:
    """Which of the shipped folders of rules this is; empty for rules of one's own."""
    inside = root.absolute().is_relative_to(rules_folder().absolute())
    return root.absolute().relative_to(rules_folder().absolute()).as_posix() if inside else ""


def parse_record(raw: bytes, path: Path) -> Record:
    """Read a record. Raises IntegrityError when it is none of ours."""
    try:
        data = json.loads(raw)
        if data["format"] != RECORD_FORMAT or canonical(data) != raw:
            raise ValueError
        record = Record(
            data=data,
            period=msgspec.convert(data["period"], Period),
            run_at=datetime.fromisoformat(data["run_at"]),
            seed=int(data["seed"]),
            options=msgspec.convert(data["making"], ReportOptions),
            rules={name: (one["sha256"], one["text"]) for name, one in data["rules"].items()},
        )
        # Each is read now, so that a fault shows here and not in the middle of a run.
        assert record.settings is None or record.settings.timezone
        assert record.ledger is None or record.ledger.text is not None
        assert record.earlier is None or isinstance(data["journal"]["lines"], list)
        assert not record.shipped_rules or is_shipped(record.shipped_rules)
    except FAULTS:
        raise IntegrityError(
            f"{path}: is not a record of ours, or was edited", fix="Restore the report from a copy"
        ) from None
    return record


def json_data(value: object) -> Any:
    """A dataclass as the record holds it: frames as rows, times as ISO 8601 with an offset."""
    data = msgspec.to_builtins(value, builtin_types=(datetime,), enc_hook=rows_or_text)
    return json.loads(json_line(data, default=datetime.isoformat))


def rows_or_text(value: object) -> Any:
    return value.to_dicts() if isinstance(value, pl.DataFrame) else str(value)


def frame_of(_: type, rows: Any) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=MONTH_SCHEMA)
