"""Verifying a report: what a third party does with a report folder and an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auditlens.archive import Archive
from auditlens.archive.chain import HEAD, Problem
from auditlens.errors import AuditLensError, UsageError
from auditlens.provenance import describe_run
from auditlens.signoff.folder import SEAL, Difference, ReportFolder, open_folder
from auditlens.signoff.reperform import VERSIONS, Originals, compare, reperform
from auditlens.signoff.surroundings import compare_journal, compare_ledger, compare_rules
from auditlens.sources import Log
from auditlens.triage.seals import FOLDER

__all__ = ["Judgement", "verify_report"]


@dataclass(frozen=True)
class Judgement:
    """What verifying a report found.

    ``differences`` are in the order in which they were met, the first is the one to look at;
    none means that the report holds. ``notes`` are worth knowing and no fault. ``findings`` is
    how many were found again.
    """

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    findings: int
    files: int
    seal: str
    reviewer: str

    @property
    def ok(self) -> bool:
        return not self.differences


def verify_report(
    path: Path, source: Archive | Log, originals: Originals, *, sealed_rules: bool = False,
    against: str = "",
) -> Judgement:  # fmt: skip
    """Check a report folder, then do the whole run again and compare.

    ``source`` is the archive it was made from, ``originals`` what stands beside it.
    ``sealed_rules`` leaves the rules of today aside; ``against`` is the hash of the seal as it
    was noted elsewhere. Damage is returned, not raised; raises UsageError when there is no
    report or the record does not say enough.
    """
    folder, found = open_folder(path)
    differences = list(found)
    notes: list[str] = []
    if folder is None:
        return judgement(differences, notes, None, 0)
    seal = folder.seal
    if against and (seal is None or seal.hash != against.strip().lower()):
        differences.append(Difference("seal.json", f"is not the seal {against[:16]}…"))
    if isinstance(source, Archive):
        differences += archive_differences(source, folder)
    rules = originals.rules(folder.record)
    if not rules:
        notes.append("the rules of today were not compared: name their folder with --rules")
    elif not sealed_rules:
        differences += compare_rules(folder.record, rules)
        if len(rules) < len(folder.record.rule_folders):
            notes.append("one's own rules were not compared: name their folder in own_rules")
    notes += versions(folder)
    beside, told = around(folder, originals)
    differences += beside
    notes += told
    if differences:
        return judgement(differences, notes, folder, 0)
    try:
        audit, files = reperform(folder, source, originals)
    except AuditLensError as error:
        differences.append(Difference("doing it again", str(error)))
        return judgement(differences, notes, folder, 0)
    differences += compare(folder, audit, files)
    return judgement(differences, notes, folder, audit.findings.height)


def around(folder: ReportFolder, originals: Originals) -> tuple[list[Difference], list[str]]:
    """Journal and ledger, as far as they are here. A draft's journal may still change."""
    path = originals.journal_path
    held = folder.record.data["journal"]
    if path.exists() or (path.parent / FOLDER).is_dir():
        found, notes = compare_journal(folder.record, path, folder.finding_ids)
    else:
        told = "no journal beside the archive: the one in the report was used"
        found, notes = [], [told] if held["lines"] else []
    if folder.seal is None:
        notes = [] if SEAL in folder.files else ["this report is not signed"]
        return [], [*notes, f"since this draft was made: {found[0]}"] if found else notes
    beside, told_too = compare_ledger(folder, path)
    return [*found, *beside], [*notes, *told_too]


def judgement(
    differences: list[Difference], notes: list[str], folder: ReportFolder | None, findings: int
) -> Judgement:
    return Judgement(
        differences=tuple(differences),
        notes=tuple(notes),
        findings=findings,
        files=len(folder.files) if folder else 0,
        seal=folder.seal.hash if folder and folder.seal else "",
        reviewer=folder.record.making.reviewer if folder else "",
    )


def archive_differences(archive: Archive, folder: ReportFolder) -> list[Difference]:
    """Every byte of the archive, and the head the report was made from."""
    head = folder.record.data["provenance"]["archive_head"]
    if not head:
        raise UsageError(
            "This report was made from files, not from an archive",
            fix="Name the files: auditlens verify --report OUT FILE…",
        )
    found = archive.verify(against=head)
    lost = [] if (archive.path / HEAD).is_file() else [Problem(HEAD, "", "is missing")]
    return [
        Difference(
            f"{archive.path / problem.file}"
            + (f", records {problem.records}" if problem.records else ""),
            problem.text,
        )
        for problem in (*found.problems, *lost)
    ]


def versions(folder: ReportFolder) -> list[str]:
    """Libraries whose version is another here: the first thing to look at if bytes differ."""
    held = folder.record.data["provenance"]
    record = folder.record
    from auditlens.coverage import Coverage
    from auditlens.settings import Settings

    here = describe_run(Coverage("unprovable", ""), "", Settings(), record.period)
    return [
        f"the report was made with {name} {held[name]}, here is {here[name]}"
        for name in VERSIONS
        if name in held and held[name] != here[name]
    ]
