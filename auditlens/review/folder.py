"""A report folder as a third party receives it: every byte against manifest, record and seal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditlens.canonical import json_document, sha256_hex
from auditlens.errors import AuditLensError, IntegrityError, UsageError
from auditlens.files import names, read
from auditlens.report import FORMAT, MANIFEST
from auditlens.review.record import RECORD, Record, parse_record
from auditlens.seals import ENDINGS, Seal, check_signature, parse_seal

SEAL = "seal.json"
"""The seal in a report folder: the same bytes as beside the archive, and not in the manifest."""


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was; ``str`` gives it as one line.

    Attributes:
        place: Where: a file, or what was compared.
        text: What was found.
    """

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(frozen=True)
class ReportFolder:
    """A report folder whose record can be read.

    Attributes:
        path: The folder.
        files: Exact bytes by name.
        record: What the report was made from.
        seal: Its sign-off; None for a draft, and for a seal that cannot be read.
    """

    path: Path
    files: Mapping[str, bytes]
    record: Record
    seal: Seal | None

    @property
    def finding_ids(self) -> frozenset[str]:
        """Ids of the findings in the report."""
        try:
            listed = json.loads(self.files.get("findings.json", b""))["findings"]
            return frozenset(str(one["finding_id"]) for one in listed)
        except (ValueError, KeyError, TypeError, RecursionError):
            return frozenset()


def open_folder(path: Path) -> tuple[ReportFolder | None, tuple[Difference, ...]]:
    """Read a report folder and everything in it that disagrees.

    Args:
        path: The folder.

    Returns:
        The folder, None when too much is wrong to go on, and what disagrees in it.

    Raises:
        UsageError: There is no report.
    """
    if not path.is_dir() or not os.path.lexists(path / MANIFEST):
        raise UsageError(f"There is no report in {path}", fix="Name the folder with manifest.json")
    found: list[Difference] = []
    files: dict[str, bytes] = {}
    # The folder itself a person named; in it nothing is followed.
    for name in names(path, follow=True):
        try:
            files[name] = read(path / name)
        except (FileNotFoundError, AuditLensError) as error:
            found.append(Difference(name, str(error).removeprefix(f"{path / name} ")))
    found.extend(against_manifest(files))
    seal = None
    if SEAL in files:
        try:
            seal = parse_seal(path / SEAL)
            found.extend(against_seal(files, seal))
        except IntegrityError as error:
            told = error.message.removeprefix(f"{path / SEAL}").removeprefix(": ").strip()
            found.append(Difference(SEAL, told))
    try:
        if RECORD not in files:
            raise IntegrityError("is not there, so the run cannot be done again")
        record = parse_record(files[RECORD], path / RECORD)
    except IntegrityError as error:
        told = error.message.removeprefix(f"{path / RECORD}").removeprefix(": ").strip()
        found.append(Difference(RECORD, told))
        return None, tuple(found)
    if record.options.reviewer and SEAL not in files:
        found.append(Difference(SEAL, "the report says it was signed, but its seal is not there"))
    return ReportFolder(path, files, record, seal), tuple(found)


def against_manifest(files: Mapping[str, bytes]) -> Iterator[Difference]:
    """Each file's size and hash, files that are missing and files that are too many."""
    try:
        listed: dict[str, Any] = json.loads(files[MANIFEST])
        entries = {one["name"]: one for one in listed["files"]}
        sound = all(isinstance(name, str) and "sha256" in one for name, one in entries.items())
        if listed["format"] != FORMAT or not sound:
            raise ValueError
        whole = json_document(listed)
    except (ValueError, KeyError, TypeError, RecursionError):
        yield Difference(MANIFEST, "is no manifest of ours, or was edited")
        return
    if whole != files[MANIFEST]:
        yield Difference(MANIFEST, "was edited: it is not written as we write it")
    for name, entry in sorted(entries.items()):
        if name not in files:
            yield Difference(name, "is missing")
        elif (len(files[name]), sha256_hex(files[name])) != (entry.get("bytes"), entry["sha256"]):
            yield Difference(name, "its bytes are not those the manifest lists")
    ours = {MANIFEST, SEAL, *(f"{SEAL}{ending}" for ending in ENDINGS.values())}
    for name in sorted(files.keys() - entries.keys() - ours):
        yield Difference(name, "is not listed in the manifest")


def against_seal(files: Mapping[str, bytes], seal: Seal) -> Iterator[Difference]:
    """What the seal binds in this folder, and the signatures under it."""
    for name in (MANIFEST, RECORD):
        bound = seal.digests[name.removesuffix(".json")]
        if sha256_hex(files.get(name, b"")) != bound:
            yield Difference(name, "is not the one that was signed")
    keys = seal.data["keys"]
    for kind, ending in ENDINGS.items():
        name = f"{SEAL}{ending}"
        if kind in keys:
            if name not in files:
                yield Difference(name, f"the {kind} signature is missing")
                continue
            try:
                check_signature(kind, keys[kind], files[SEAL], files[name], name)
            except IntegrityError as error:
                yield Difference(name, error.message.removeprefix(f"{name}: "))
        elif name in files:
            yield Difference(name, f"the seal knows of no {kind} signature")
