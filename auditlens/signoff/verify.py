"""Verifying a report: what a third party does with a report folder and an archive."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from auditlens.archive import Archive
from auditlens.archive.chain import HEAD, Chain, Problem, examine
from auditlens.errors import AuditLensError, UsageError
from auditlens.provenance import describe_run
from auditlens.seals import FOLDER, Listed, Seal, signers_of
from auditlens.seals.signers import Signer
from auditlens.signoff.folder import SEAL, Difference, ReportFolder, open_folder
from auditlens.signoff.reperform import VERSIONS, Originals, compare, reperform
from auditlens.signoff.surroundings import compare_journal, compare_ledger, compare_rules
from auditlens.sources import Log

__all__ = ["Judgement", "verify_report"]


@dataclass(frozen=True)
class Judgement:
    """What verifying a report found.

    ``differences`` are in the order in which they were met, the first is the one to look at;
    none means that the report holds. ``notes`` are worth knowing and no fault. ``findings`` is
    how many were found again. ``made_by`` is the version that made the report where that is
    another one: its bytes are compared with what was sealed, and the page is not drawn anew.
    ``signers`` says of each key under the seal whose it is, as far as a list shows it.
    """

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    findings: int
    files: int
    seal: str
    reviewer: str
    made_by: str = ""
    signers: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.differences

    @property
    def unjudged(self) -> bool:
        """Whether nothing shows that the report is what was made: another version's draft."""
        return bool(self.made_by) and not self.seal


def verify_report(
    path: Path, source: Archive | Log, originals: Originals, *, sealed_rules: bool = False,
    against: str = "", allowed: Sequence[Listed] | None = None,
) -> Judgement:  # fmt: skip
    """Check a report folder, then do the whole run again and compare.

    ``source`` is the archive it was made from, ``originals`` what stands beside it.
    ``sealed_rules`` leaves the rules of today aside; ``against`` is the hash of the seal, or a
    head of the archive, as it was noted elsewhere; ``allowed`` are the verifier's own allowed
    signers. Damage is returned, not raised; raises
    UsageError when there is no report or the record does not say enough.
    """
    folder, found = open_folder(path)
    differences = list(found)
    notes: list[str] = []
    if folder is None:
        return judgement(differences, notes, None, 0)
    seal = folder.seal
    noted = against.strip().lower()
    if isinstance(source, Archive):
        chain, _ = examine(source.path)
        known = noted in {link.hash for link in chain.links}
        of_archive, told = archive_differences(source, folder, (noted,) if known else ())
        differences += of_archive
        notes += told
        noted = "" if known else noted
        if seal is not None and chain.sign_off(seal.number) not in ("", seal.hash):
            text = "is not the sign-off that the archive's log seals"
            differences.append(Difference(SEAL, text))
    if noted and (seal is None or seal.hash != noted):
        text = f"is not the seal {noted[:16]}…, and the archive has had no such head"
        differences.append(Difference(SEAL, text))
    signers = known_signers(seal, source, allowed) if seal else ()
    differences += [Difference(SEAL, one.text) for one in signers if one.refuted]
    made_by = other_version(folder)
    differences += rule_differences(folder, originals, notes, sealed_rules=sealed_rules)
    notes += versions(folder)
    beside, told = around(folder, originals)
    differences += beside
    notes += told
    if differences:
        return judgement(differences, notes, folder, 0, signers)
    if made_by:
        notes.append(found_again(folder, source, originals))
        return judgement(differences, notes, folder, len(folder.finding_ids), signers)
    try:
        audit, files = reperform(folder, source, originals)
    except AuditLensError as error:
        differences.append(Difference("doing it again", str(error)))
        return judgement(differences, notes, folder, 0, signers)
    differences += compare(folder, audit, files)
    return judgement(differences, notes, folder, audit.findings.height, signers)


def known_signers(
    seal: Seal, source: Archive | Log, allowed: Sequence[Listed] | None
) -> tuple[Signer, ...]:
    """Whose the keys under the seal are, by the archive's log and the verifier's own list."""
    log = examine(source.path)[0] if isinstance(source, Archive) else Chain()
    return signers_of(seal, log.listed_for(seal.number), allowed)


def around(folder: ReportFolder, originals: Originals) -> tuple[list[Difference], list[str]]:
    """Journal and ledger, as far as they are here. A draft's journal may still change."""
    path = originals.journal_path
    held = folder.record.data["journal"]
    if path.exists() or os.path.lexists(path.parent / FOLDER):
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
    differences: list[Difference],
    notes: list[str],
    folder: ReportFolder | None,
    findings: int,
    signers: Sequence[Signer] = (),
) -> Judgement:
    return Judgement(
        differences=tuple(differences),
        notes=tuple(notes),
        findings=findings,
        files=len(folder.files) if folder else 0,
        seal=folder.seal.hash if folder and folder.seal else "",
        reviewer=folder.record.making.reviewer if folder else "",
        made_by=other_version(folder) if folder else "",
        # Whose a signature is can be said of one that holds.
        signers=() if differences else tuple(one.text for one in signers),
    )


def rule_differences(
    folder: ReportFolder, originals: Originals, notes: list[str], *, sealed_rules: bool
) -> list[Difference]:
    """The rules of today against those of the report; what another version shipped is its own."""
    rules = originals.rules(folder.record)
    if not rules:
        notes.append("the rules of today were not compared: name their folder with --rules")
        return []
    if sealed_rules:
        return []
    if len(rules) < len(folder.record.rule_folders):
        notes.append("one's own rules were not compared: name their folder in own_rules")
    shipped: tuple[str, ...] = ()
    if other_version(folder):
        shipped = ("actions.yml", *(["rules/"] if folder.record.shipped_rules else []))
    return list(compare_rules(folder.record, rules, shipped))


def other_version(folder: ReportFolder) -> str:
    """The version of AuditLens that made the report, where it is not this one."""
    made = str(folder.record.data["provenance"].get("auditlens", "of an unknown version"))
    return "" if made == version("auditlens") else made


def found_again(folder: ReportFolder, source: Archive | Log, originals: Originals) -> str:
    """What this version finds of what another one reported: worth knowing, and no fault."""
    try:
        audit, _ = reperform(folder, source, originals)
    except AuditLensError as error:
        return f"findings were not compared: this version cannot do the run again ({error})"
    now, then = set(audit.findings["finding_id"]), folder.finding_ids
    again = f"{len(then & now)} of its {len(then)} findings are found again by this version"
    more = f", which finds {len(now - then)} others" if now - then else ""
    return f"{again}{more}; another version may judge otherwise"


def archive_differences(
    archive: Archive, folder: ReportFolder, heads: tuple[str, ...]
) -> tuple[list[Difference], list[str]]:
    """Every byte of the archive, the head the report was made from, and further ``heads``."""
    head = folder.record.data["provenance"]["archive_head"]
    if not head:
        raise UsageError(
            "This report was made from files, not from an archive",
            fix="Name the files: auditlens verify --report OUT FILE…",
        )
    found = archive.verify((head, *heads))
    problems = list(found.problems)
    if not (archive.path / HEAD).is_file():
        problems.append(Problem(HEAD, "", "is missing"))
    if not os.path.lexists(archive.signed):
        # A third party has the seal in the report; the log says whether it is the one.
        problems = [one for one in problems if not one.file.startswith(("../", "/"))]
    differences = [
        Difference(
            f"{archive.path / problem.file}"
            + (f", records {problem.records}" if problem.records else ""),
            problem.text,
        )
        for problem in problems
    ]
    return differences, list(found.notes)


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
