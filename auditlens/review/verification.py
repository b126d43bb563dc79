"""Verifying a report: what a third party does with a report folder and an archive."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from auditlens.archive import Archive
from auditlens.archive.chain import HEAD, Chain, Problem, examine
from auditlens.canonical import sha256_hex
from auditlens.errors import AuditLensError, UsageError
from auditlens.files import read, read_text
from auditlens.provenance import describe_run
from auditlens.resources import rules_folder
from auditlens.review.folder import SEAL, Difference, ReportFolder, open_folder
from auditlens.review.record import FOLDERS, Record, rule_texts
from auditlens.review.reperformance import VERSIONS, LocalInputs, compare_files, reperform
from auditlens.seals import (
    ENDINGS,
    ListedKey,
    Seal,
    Signer,
    read_sign_offs,
    signed_folder,
    signers_of,
)
from auditlens.sources import Log
from auditlens.text import count
from auditlens.triage import (
    HEADER,
    Disposition,
    FindingException,
    canonical_text,
    ledger_path,
    parse_journal,
    read_ledger,
    signed_findings,
)
from auditlens.yaml_documents import MAX_BYTES


@dataclass(frozen=True)
class ReportVerification:
    """What verifying a report found.

    Attributes:
        differences: In the order in which they were met, the first is the one to look at; none
            means that the report holds.
        notes: What is worth knowing and no fault.
        findings: How many findings were found again.
        files: How many files the report has.
        seal: Hash (hex) of its sign-off; empty for a draft.
        reviewer: Who signed; empty for a draft.
        made_by: The version that made the report where that is another one: its bytes are compared
            with what was sealed, and the page is not drawn anew.
        signers: Of each key under the seal, whose it is, as far as a list shows it; none where
            something differs.
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
    path: Path, source: Archive | Log, originals: LocalInputs, *, sealed_rules: bool = False,
    against: str = "", allowed: Sequence[ListedKey] | None = None,
) -> ReportVerification:  # fmt: skip
    """Check a report folder, then do the whole run again and compare.

    Args:
        path: The report folder.
        source: The archive, or the log, that it was made from.
        originals: What stands beside it: settings, journal, rules.
        sealed_rules: Whether the rules of today are left aside.
        against: Hash of the seal, or a head of the archive, as it was noted elsewhere.
        allowed: The verifier's own list of who may sign with which key.

    Returns:
        What was found; damage is in it and not raised.

    Raises:
        UsageError: There is no report, or its record does not say enough.
    """
    folder, found = open_folder(path)
    differences = list(found)
    notes: list[str] = []
    if folder is None:
        return outcome_of(differences, notes, None, 0)
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
    notes += version_notes(folder)
    beside, told = compare_beside(folder, originals)
    differences += beside
    notes += told
    if differences:
        return outcome_of(differences, notes, folder, 0, signers)
    if made_by:
        notes.append(found_again(folder, source, originals))
        return outcome_of(differences, notes, folder, len(folder.finding_ids), signers)
    try:
        audit, files = reperform(folder, source, originals)
    except AuditLensError as error:
        differences.append(Difference("doing it again", str(error)))
        return outcome_of(differences, notes, folder, 0, signers)
    differences += compare_files(folder, audit, files)
    return outcome_of(differences, notes, folder, audit.findings.height, signers)


def known_signers(
    seal: Seal, source: Archive | Log, allowed: Sequence[ListedKey] | None
) -> tuple[Signer, ...]:
    """Whose the keys under the seal are, by the archive's log and the verifier's own list."""
    log = examine(source.path)[0] if isinstance(source, Archive) else Chain()
    return signers_of(seal, log.listed_for(seal.number), allowed)


def compare_beside(
    folder: ReportFolder, originals: LocalInputs
) -> tuple[list[Difference], list[str]]:
    """Journal and sign-offs, as far as they are here. A draft's journal may still change."""
    path = originals.journal_path
    held = folder.record.data["journal"]
    if path.exists() or os.path.lexists(signed_folder(path)):
        found, notes = compare_journal(folder.record, path, folder.finding_ids)
    else:
        told = "no journal beside the archive: the one in the report was used"
        found, notes = [], [told] if held["lines"] else []
    found = [*found, *compare_ledger(folder.record, ledger_path(path))]
    if folder.seal is None:
        notes = [] if SEAL in folder.files else ["this report is not signed"]
        return [], [*notes, f"since this draft was made: {found[0]}"] if found else notes
    beside, told_too = compare_sign_offs(folder, path)
    return [*found, *beside], [*notes, *told_too]


def outcome_of(
    differences: list[Difference],
    notes: list[str],
    folder: ReportFolder | None,
    findings: int,
    signers: Sequence[Signer] = (),
) -> ReportVerification:
    return ReportVerification(
        differences=tuple(differences),
        notes=tuple(notes),
        findings=findings,
        files=len(folder.files) if folder else 0,
        seal=folder.seal.hash if folder and folder.seal else "",
        reviewer=folder.record.options.reviewer if folder else "",
        made_by=other_version(folder) if folder else "",
        # Whose a signature is can be said of one that holds.
        signers=() if differences else tuple(one.text for one in signers),
    )


def rule_differences(
    folder: ReportFolder, originals: LocalInputs, notes: list[str], *, sealed_rules: bool
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


def found_again(folder: ReportFolder, source: Archive | Log, originals: LocalInputs) -> str:
    """What this version finds of what another one reported: worth knowing, and no fault."""
    try:
        audit, _ = reperform(folder, source, originals)
    except AuditLensError as error:
        return f"findings were not compared: this version cannot do the run again ({error})"
    now, then = set(audit.findings["finding_id"]), folder.finding_ids
    again = f"{len(then & now)} of its {count(len(then), 'finding')} reproduced by this version"
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


def version_notes(folder: ReportFolder) -> list[str]:
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


def compare_rules(
    record: Record, roots: Sequence[Path], shipped: tuple[str, ...] = ()
) -> Iterator[Difference]:
    """Compare rule files and the classifier of today, byte by byte, with those of a record.

    Args:
        record: What the report was made from.
        roots: Where the rules of today are; files of a root unknown here are left aside.
        shipped: What names begin with that came with another version: they are left aside.

    Yields:
        Each file that is missing, was added or is another, sorted by its name in the record; one
        difference alone when the rules cannot be read.
    """
    try:
        today = {name: sha256_hex(text) for name, text in rule_texts(roots).items()}
    except UnicodeDecodeError:
        yield Difference(str(roots[-1]), "a rule file is not UTF-8 text")
        return
    except (OSError, AuditLensError) as error:
        yield Difference(str(roots[-1]), f"the rules cannot be read ({error})")
        return
    for name in sorted(record.rules.keys() | today.keys()):
        folder = name.partition("/")[0]
        if folder in FOLDERS[len(roots) :] or name.startswith(shipped):
            continue
        place = str(place_of(name, roots))
        if name not in today:
            yield Difference(place, "this rule file is missing")
        elif name not in record.rules:
            yield Difference(place, "this rule file was added after the report was made")
        elif record.rules[name][0] != today[name]:
            yield Difference(place, "this rule file is not the one the report was made with")


def place_of(name: str, roots: Sequence[Path]) -> Path:
    """The file that a name in the record stands for on this machine."""
    if name == "actions.yml":
        return rules_folder() / name
    folder, _, inside = name.partition("/")
    root = roots[FOLDERS.index(folder)] if folder in FOLDERS else rules_folder()
    return root if root.is_file() else root / inside


def compare_journal(
    record: Record, path: Path, findings: frozenset[str]
) -> tuple[list[Difference], list[str]]:
    """Differences of the journal from what was signed, and notes on what may have been added.

    Lines may be added later, about other findings and dated after the signature. What was there
    must still be there, to the byte.
    """
    try:
        text = read_text(path, most=MAX_BYTES) if path.exists() else ""
        journal = parse_journal(text, path)
    except UnicodeDecodeError:
        return [Difference(str(path), "is not UTF-8 text")], []
    except AuditLensError as error:
        return [Difference(str(path), f"cannot be read: {error}")], []
    held = record.data["journal"]
    found = []
    gone = set(held["entries"]) - {sha256_hex(text) for text in journal.texts}
    if gone:
        found.append(Difference(str(path), f"signed entries were changed or removed: {len(gone)}"))
    elif not signed_text_kept(held, text):
        found.append(
            Difference(str(path), "signed lines were changed, or what was added is not an entry")
        )
    entries: tuple[Disposition | FindingException, ...]
    entries = (*journal.dispositions, *journal.exceptions)
    added = [
        entry for entry in entries if sha256_hex(canonical_text(entry)) not in set(held["entries"])
    ]
    signed_at = record.options.signed_at or record.run_at
    for entry in added:
        place = f"{path}:{entry.line}"
        if isinstance(entry, Disposition) and entry.finding in findings:
            text = f"decides {entry.finding} anew, which was signed; amend the month"
            found.append(Difference(place, text))
        elif entry.at < signed_at:
            found.append(Difference(place, "is dated before the signature but was not there"))
    notes = (
        [f"{count(len(added), 'entry', 'entries')} added to {path} since"]
        if added and not found
        else []
    )
    return found, notes


def compare_ledger(record: Record, path: Path) -> list[Difference]:
    """Whether the cases that were shown when it was signed are still noted beside the journal.

    A ledger that is not there is no difference, as with a journal: the report has its own.
    """
    held = record.data.get("cases")
    if held is None or not path.exists():
        return []
    try:
        ledger = read_ledger(path)
    except AuditLensError as error:
        return [Difference(str(path), f"cannot be read: {error}")]
    if ledger.until(held["bytes"]).digest == held["digest"]:
        return []
    # Where git joined two branches the lines lie apart: then each must be there.
    signed = Counter((held["text"] or "").splitlines())
    if signed and signed <= Counter(ledger.text.splitlines()):
        return []
    return [Difference(str(path), "signed lines were changed or removed")]


def signed_text_kept(held: Mapping[str, Any], text: str) -> bool:
    """Whether what was signed is still in the journal to the byte, and only entries came after.

    Normally it is its beginning. Where git joined two branches the lines lie apart: then each
    must be there.
    """
    signed = Counter(held["lines"])
    if sha256_hex(text[: held["characters"]]) == held["sha256"]:
        added = text[held["characters"] :].splitlines(keepends=True)
    else:
        lines = text.splitlines(keepends=True)
        if not signed <= Counter(sha256_hex(line) for line in lines):
            return False
        added = []
        for line in lines:
            if signed[sha256_hex(line)]:
                signed[sha256_hex(line)] -= 1
            else:
                added.append(line)
    # The end of a last line that had none is no line of its own.
    rest = added[1:] if added and not ends_line(text[: held["characters"]]) else added
    return all(line == HEADER or (line.strip() and line.lstrip()[0] != "#") for line in rest)


def ends_line(text: str) -> bool:
    return not text or text.endswith("\n")


def compare_sign_offs(folder: ReportFolder, journal: Path) -> tuple[list[Difference], list[str]]:
    """The seal beside the journal against the one in the report folder, and the whole chain."""
    beside = signed_folder(journal)
    seal = folder.seal
    if seal is None or not os.path.lexists(beside):
        note = "no signed/ folder beside the archive: the seal stands alone"
        return [], ([note] if seal else [])
    try:
        sign_offs = read_sign_offs(beside)
        for one in sign_offs.seals:
            signed_findings(one)
    except AuditLensError as error:
        return [Difference(str(beside), error.message)], []
    same = [one for one in sign_offs.seals if one.hash == seal.hash]
    if not same:
        return [Difference(str(beside), f"does not hold the seal of {seal.label}")], []
    found = [
        Difference(str(other), f"is not the signature in {folder.path}")
        for ending in ENDINGS.values()
        if bytes_or_none(other := Path(f"{same[0].path}{ending}"))
        != folder.files.get(f"{SEAL}{ending}")
    ]
    last = sign_offs.of(seal.label)[-1]
    notes = []
    if last.hash != seal.hash:
        notes.append(f"{seal.label} was amended since: {last.path.name} is the last word")
    return found, notes


def bytes_or_none(path: Path) -> bytes | None:
    try:
        return read(path)
    except (FileNotFoundError, AuditLensError):
        return None
