"""Doing a report again from archive and record, and naming the first thing that differs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from auditlens.archive import Archive
from auditlens.archive.chain import HEAD, LOG, Chain, head_line, read_chain
from auditlens.archive.segment import EVIDENCE
from auditlens.archive.table import INDEX, TABLE, index_of
from auditlens.audit import Audit, run_audit
from auditlens.canonical import sha256_hex
from auditlens.directory import DirectoryHistory
from auditlens.errors import AuditLensError, IntegrityError, UsageError
from auditlens.files import put, read
from auditlens.provenance import LIBRARIES
from auditlens.report import MANIFEST
from auditlens.review.folder import Difference, ReportFolder
from auditlens.review.record import FOLDERS, RECORD, Record, make_record, report_files
from auditlens.rules import RuleSet, load_rules, rule_roots
from auditlens.seals import Seal, canonical, read_sign_offs, signed_folder
from auditlens.settings import Settings
from auditlens.sources import Log
from auditlens.text import count
from auditlens.triage import (
    CaseLedger,
    Journal,
    SignedMonth,
    canonical_text,
    findings_bytes,
    ledger_path,
    months_before,
    read_journal,
    read_ledger,
)

VERSIONS = (*LIBRARIES, "python")
SHOWN = 60


@contextmanager
def archive_at(archive: Archive, head: str) -> Iterator[Archive]:
    """Yield the archive up to the manifest with hash ``head``, in a folder of its own.

    Raises IntegrityError when the archive does not hold that manifest.
    """
    chain = read_chain(archive.path)
    if chain.head == head:
        yield archive
        return
    hashes = [link.hash for link in chain.links]
    if head not in hashes:
        raise IntegrityError(
            f"{archive.path}: the head {head[:16]}… that was signed is not in the archive",
            fix="Name the archive the report was made from; if it is this one, it was cut",
        )
    part = Chain(chain.links[: hashes.index(head) + 1])
    with tempfile.TemporaryDirectory(prefix="auditlens-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "archive"
        copy_chain(archive.path, folder, part)
        yield Archive(folder)


def copy_chain(source: Path, folder: Path, part: Chain) -> None:
    """Bring the first manifests and their segments over.

    The table comes too where it holds nothing later; else it is made anew from them.
    """
    for name in (LOG, EVIDENCE):
        (folder / name).mkdir(parents=True, mode=0o700)
    for link in part.links:
        name = f"{link.manifest.sequence:06d}.json"
        shutil.copyfile(source / LOG / name, folder / LOG / name)
    for _, note in part.segments:
        link_or_copy(source / EVIDENCE / note.file, folder / EVIDENCE / note.file)
    (folder / HEAD).write_bytes(head_line(len(part.links), part.head))
    copy_table(source, folder, part)


def copy_table(source: Path, folder: Path, part: Chain) -> None:
    """Bring the event table over, if it was made from these manifests alone."""
    place = source / TABLE
    try:
        data = read(place / INDEX)
        index = index_of(data)
        if index is None or not index.follows(part):
            return
        for file in index.files:
            (folder / TABLE / file.path).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(place / file.path, folder / TABLE / file.path)
    except (OSError, AuditLensError):
        return
    put(folder / TABLE / INDEX, data)


def link_or_copy(source: Path, target: Path) -> None:
    """Link where the disk can, else copy: a segment is never changed."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


class LocalInputs:
    """What a redacted record leaves out: settings, journal, cases shown and signed months here.

    Attributes:
        settings: The settings of this place.
        journal_path: The journal of this place; ledger and sign-offs are beside it.
        given: Rules that take the place of those that the settings name; None: none do.
    """

    def __init__(self, settings: Settings, journal: Path, rules: Path | None) -> None:
        self.settings = settings
        self.journal_path = journal
        self.given = rules

    def rules(self, record: Record) -> tuple[Path, ...]:
        """Where the rules of today are.

        Args:
            record: The report's; it names the shipped rules it was made with.

        Returns:
            The paths; none when the report had rules that are unnamed here.

        Raises:
            UsageError: For a setting that names what is not there.
        """
        if self.given is None and self.settings.rules is None and not record.shipped_rules:
            return ()
        return rule_roots(self.settings, self.given, products=(record.shipped_rules,))

    def journal(self, record: Record) -> Journal:
        """The journal as it stood: what was added since is left aside.

        Args:
            record: The report's; it has the digest of each entry.

        Returns:
            Those of its decisions and exceptions that are here.

        Raises:
            DocumentErrors: The journal cannot be read.
        """
        held = read_journal(self.journal_path)
        wanted = set(record.data["journal"]["entries"])
        return replace(
            held,
            dispositions=tuple(
                one for one in held.dispositions if sha256_hex(canonical_text(one)) in wanted
            ),
            exceptions=tuple(
                one for one in held.exceptions if sha256_hex(canonical_text(one)) in wanted
            ),
        )

    def ledger(self, record: Record) -> CaseLedger:
        """The cases shown, as they stood: what was added since is left aside.

        Args:
            record: The report's; it has the size and the digest of the ledger.

        Returns:
            The ledger of that size.

        Raises:
            UsageError: The ledger does not begin as it did.
            DocumentErrors: It cannot be read.
        """
        held = record.data["cases"]
        path = ledger_path(self.journal_path)
        ledger = read_ledger(path).until(held["bytes"])
        if ledger.digest != held["digest"]:
            raise UsageError(
                f"{path} does not begin as it did when the report was made",
                fix="A report that hides identities is checked where it was made",
            )
        return ledger

    def earlier(self, record: Record) -> tuple[SignedMonth, ...]:
        """The signed months that the report was compared with.

        Args:
            record: The report's; it has the hash of each.

        Returns:
            The months, oldest first.

        Raises:
            UsageError: Those that stand here are others.
            IntegrityError: A sign-off or its findings are missing or changed.
        """
        wanted = record.data["earlier_seals"]
        months = months_before(read_sign_offs(signed_folder(self.journal_path)), record.period)
        if [month.seal for month in months] != wanted:
            raise UsageError(
                "The signed months this report was compared with are not here",
                fix="A report that hides identities is checked where it was made",
            )
        return months


def reperform(
    folder: ReportFolder, source: Archive | Log, originals: LocalInputs
) -> tuple[Audit, dict[str, bytes]]:
    """Do the run again as the record has it; return the audit and the report's files.

    Rules, settings, journal and the cases shown before are those of the record, and the archive
    is read as it stood.
    """
    record = folder.record
    settings = record.settings or originals.settings
    journal = record.journal
    ledger = record.ledger
    earlier = record.earlier
    with ExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(prefix="auditlens-"))
        rules, roots = rules_of(record, settings, Path(root), originals)
        directory = directory_then(source, record)
        if isinstance(source, Archive):
            head = record.data["provenance"]["archive_head"]
            source = stack.enter_context(archive_at(source, head))
        audit = run_audit(
            source,
            rules,
            period=record.period,
            settings=settings,
            seed=record.seed,
            now=record.run_at,
            journal=journal if journal is not None else originals.journal(record),
            earlier=earlier if earlier is not None else originals.earlier(record),
            ledger=ledger if ledger is not None else originals.ledger(record),
            directory=directory,
        )
        audit = replace(audit, provenance=with_recorded_versions(audit.provenance, record))
        files = report_files(audit, record.options, record_again(audit, record, roots))
    return audit, files


def directory_then(source: Archive | Log, record: Record) -> DirectoryHistory:
    """The directory up to the pull the record names; none where it names none.

    Raises IntegrityError when that pull is not in the archive or a byte of it changed.
    """
    head = record.data["provenance"].get("directory_head")
    if not head or not isinstance(source, Archive):
        return DirectoryHistory()
    return source.directory(record.period.end, until=str(head))


def rules_of(
    record: Record, settings: Settings, folder: Path, originals: LocalInputs
) -> tuple[RuleSet, tuple[Path, ...]]:
    """The rules the record holds, written out to be read by the one reader there is."""
    if not record.rule_folders:
        return RuleSet(()), ()
    texts = {name: text for name, (_, text) in record.rules.items() if text is not None}
    roots = originals.rules(record) or (folder,)
    if texts:
        roots = tuple(folder / name for name in record.rule_folders)
        for name, text in texts.items():
            if name.partition("/")[0] in FOLDERS:
                path = folder / checked_name(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
    # What a run skipped as broken it skips again; the digest of the rules covers that too.
    return load_rules(roots, placeholders=settings.placeholders, skip_broken=True), roots


def checked_name(name: str) -> str:
    """A file name out of the record. Raises UsageError when it would lead elsewhere."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise UsageError(f"The record names the rule file {name!r}", fix="It was edited")
    return name


def with_recorded_versions(provenance: Mapping[str, str], record: Record) -> dict[str, str]:
    """Provenance with the versions of the record: here only the results are compared."""
    held = record.data["provenance"]
    return {**provenance, **{name: held[name] for name in VERSIONS if name in held}}


def record_again(audit: Audit, record: Record, roots: Sequence[Path]) -> bytes:
    """The record as it comes out now, with the rules and the journal it came with.

    Rules and journal of this machine are compared apart, with what may be added to them.
    """
    again = json.loads(make_record(audit, record.options, roots))
    kept = ("shipped_rules", "rules", "tests", "journal")
    if "cases" not in record.data:  # It is of a version without cases.
        del again["cases"]
    return canonical(again | {name: record.data[name] for name in kept if name in record.data})


def compare_files(
    folder: ReportFolder, audit: Audit, files: Mapping[str, bytes]
) -> list[Difference]:
    """The first difference of each file, the findings first."""
    found: list[Difference] = []
    found.extend(compare_findings(folder, files))
    if folder.seal and not found:
        found.extend(compare_digests(folder.seal, audit))
    names = [RECORD, *sorted(set(files) - {RECORD, MANIFEST}), MANIFEST]
    for name in names:
        held = folder.files.get(name)
        if held is not None and held != files[name]:
            found.append(Difference(name, first_change(held, files[name])))
    return found


def compare_digests(seal: Seal, audit: Audit) -> Iterator[Difference]:
    """The hashes the reviewer signed against those of the run done again."""
    again = {
        "archive_head": audit.coverage.head or "",
        "input": audit.coverage.input_digest,
        "rules": audit.rules.digest,
        "settings": audit.provenance["settings_digest"],
        "journal": audit.journal.digest,
        "findings": sha256_hex(findings_bytes(audit.findings)),
    }
    if "cases" in seal.digests:  # Seals of versions without cases rest on none.
        again["cases"] = audit.ledger.digest
    for name, digest in again.items():
        if seal.digests.get(name) != digest:
            yield Difference(name.replace("_", " "), "is not what was signed")


def compare_findings(folder: ReportFolder, files: Mapping[str, bytes]) -> Iterator[Difference]:
    """The first finding, and the first of its fields, that differs."""
    name = "findings.json"
    held, again = folder.files.get(name), files[name]
    if held is None or held == again:
        return
    try:
        before = {one["finding_id"]: one for one in json.loads(held)["findings"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        yield Difference(name, "cannot be read")
        return
    now = {one["finding_id"]: one for one in json.loads(again)["findings"]}
    for finding in sorted(before.keys() | now.keys()):
        if finding not in now:
            yield Difference(name, f"{finding} is in the report, but doing it again finds none")
        elif finding not in before:
            yield Difference(name, f"{finding} is found when done again, and not in the report")
        elif before[finding] != now[finding]:
            yield Difference(name, f"{finding}: {field_change(before[finding], now[finding])}")
        else:
            continue
        return


def field_change(before: Any, now: Any, path: str = "") -> str:
    """The first place at which two values of JSON differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key) or (key in before) != (key in now):
                inner = f"{path}.{key}" if path else str(key)
                return field_change(before.get(key), now.get(key), inner)
    if isinstance(before, list) and isinstance(now, list):
        for number, (one, other) in enumerate(zip(before, now, strict=False)):
            if one != other:
                return field_change(one, other, f"{path}[{number}]")
        return f"{path} has {count(len(before), 'entry', 'entries')}, {len(now)} when reproduced"
    return f"{path} is {cut_json(before)}, but {cut_json(now)} when done again"


def cut_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def first_change(held: bytes, again: bytes) -> str:
    """Where two files part: the field in JSON, else line or byte."""
    try:
        return f"differs: {field_change(json.loads(held), json.loads(again))}"
    except (ValueError, RecursionError):
        pass
    at = next(
        (n for n, (one, other) in enumerate(zip(held, again, strict=False)) if one != other),
        min(len(held), len(again)),
    )
    return f"differs from byte {at:,} (line {held.count(10, 0, at) + 1:,}) on"
