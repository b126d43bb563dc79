"""What stands beside a report today, against what was signed: rules, journal, ledger."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from auditlens.canonical import sha256_hex
from auditlens.documents import MAX_BYTES
from auditlens.errors import AuditLensError
from auditlens.files import read, read_text
from auditlens.seals import FOLDER, read_ledger
from auditlens.seals.keys import ENDINGS
from auditlens.shipped import rules_folder
from auditlens.signoff.folder import SEAL, Difference, ReportFolder
from auditlens.signoff.record import FOLDERS, Record, rule_texts
from auditlens.triage import parse_journal
from auditlens.triage.append import HEADER
from auditlens.triage.entry import Disposition, FindingException
from auditlens.triage.journal import saying
from auditlens.triage.signed import sealed_findings

__all__ = ["compare_journal", "compare_ledger", "compare_rules"]


def compare_rules(
    record: Record, roots: Sequence[Path], shipped: tuple[str, ...] = ()
) -> Iterator[Difference]:
    """Rule files and the classifier, byte by byte; not those of a root unknown here.

    Names that start with one of ``shipped`` came with another version and are left aside.
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
    gone = set(held["entries"]) - {sha256_hex(said) for said in journal.said}
    if gone:
        found.append(Difference(str(path), f"signed entries were changed or removed: {len(gone)}"))
    elif not still_there(held, text):
        found.append(
            Difference(str(path), "signed lines were changed, or what was added is no entry")
        )
    entries: tuple[Disposition | FindingException, ...]
    entries = (*journal.dispositions, *journal.exceptions)
    added = [entry for entry in entries if sha256_hex(saying(entry)) not in set(held["entries"])]
    signed_at = record.making.signed_at or record.run_at
    for entry in added:
        place = f"{path}:{entry.line}"
        if isinstance(entry, Disposition) and entry.finding in findings:
            text = f"decides {entry.finding} anew, which was signed; amend the month"
            found.append(Difference(place, text))
        elif entry.at < signed_at:
            found.append(Difference(place, "is dated before the signature but was not there"))
    many = "entry was" if len(added) == 1 else "entries were"
    notes = [f"{len(added)} {many} added to {path} since"] if added and not found else []
    return found, notes


def still_there(held: Mapping[str, Any], text: str) -> bool:
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


def compare_ledger(folder: ReportFolder, journal: Path) -> tuple[list[Difference], list[str]]:
    """The seal beside the journal against the one in the report folder, and the whole chain."""
    beside = journal.parent / FOLDER
    seal = folder.seal
    if seal is None or not os.path.lexists(beside):
        note = "no signed/ folder beside the archive: the seal stands alone"
        return [], ([note] if seal else [])
    try:
        ledger = read_ledger(beside)
        for one in ledger.seals:
            sealed_findings(one)
    except AuditLensError as error:
        return [Difference(str(beside), error.message)], []
    same = [one for one in ledger.seals if one.hash == seal.hash]
    if not same:
        return [Difference(str(beside), f"does not hold the seal of {seal.label}")], []
    found = [
        Difference(str(other), f"is not the signature in {folder.path}")
        for ending in ENDINGS.values()
        if contents(other := Path(f"{same[0].path}{ending}")) != folder.files.get(f"{SEAL}{ending}")
    ]
    last = ledger.of(seal.label)[-1]
    notes = []
    if last.hash != seal.hash:
        notes.append(f"{seal.label} was amended since: {last.path.name} is the last word")
    return found, notes


def contents(path: Path) -> bytes | None:
    try:
        return read(path)
    except (FileNotFoundError, AuditLensError):
        return None
