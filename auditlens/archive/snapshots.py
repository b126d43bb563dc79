"""Snapshots of the directory: who and what the log speaks of, as the source told it one day.

Each pull appends one snapshot: a segment of exact record bytes for each listing that came, then
a sealed manifest that names the one before. Nothing is ever changed. The folder stands in the
archive and has a chain of its own, so that a directory that fails never holds up the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from auditlens.archive.chain import HEAD, LARGEST_HEAD, Problem, head_line
from auditlens.archive.manifest import FORMAT, START, SegmentNote, opened, parsed, sealed, tool
from auditlens.archive.segment import RESTORE, blocks, leaves_of, pack, records_at, root_of
from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError, UsageError
from auditlens.files import make_folder, names, put, read, remove, sweep
from auditlens.pages import Listing

__all__ = [
    "DIRECTORY",
    "Part",
    "Sealed",
    "Snapshot",
    "examine_snapshots",
    "keep",
    "parts_of",
    "records_of_part",
    "sealed_snapshots",
    "snapshot_problems",
]  # fmt: skip

DIRECTORY = "directory"
NAME = re.compile(r"([0-9]{6,12})\.json")


@dataclass(frozen=True)
class Part:
    """One listing of a snapshot: what was asked, and its segment, or the ``problem`` it met."""

    name: str
    endpoint: str
    count: int | None
    problem: str
    segment: SegmentNote | None


@dataclass(frozen=True)
class Snapshot:
    """The manifest of one pull of the directory; ``at`` is when it began, in UTC."""

    format: int
    sequence: int
    previous: str
    at: datetime
    tool: str
    source: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Sealed:
    """A snapshot and the hash (hex) that seals it and all before it."""

    snapshot: Snapshot
    hash: str


def keep(
    folder: Path, source: str, listings: Sequence[Listing], at: datetime, owner: str | None
) -> Sealed:
    """Append a snapshot of what came; the lock must be held.

    ``owner`` is the workspace whose log the archive holds, if any. Raises UsageError for
    another workspace, IntegrityError when a snapshot changed.
    """
    held = sealed_snapshots(folder)
    known = held[-1].snapshot.source if held else owner
    if known not in (None, source):
        raise UsageError(
            f"The archive {folder} belongs to {known}, not to {source}",
            fix="Use one archive folder for each workspace",
        )
    place = folder / DIRECTORY
    make_folder(place)
    tidy(place, held)
    number = len(held) + 1
    snapshot = Snapshot(
        format=FORMAT,
        sequence=number,
        previous=held[-1].hash if held else START,
        # A clock that was put back must not put a later snapshot before an earlier one.
        at=max([at, *(one.snapshot.at for one in held[-1:])]),
        tool=tool(),
        source=source,
        parts=tuple(store(place, number, listing) for listing in listings),
    )
    data, digest = sealed(snapshot)
    put(place / f"{number:06d}.json", data, exclusive=True)
    put(place / HEAD, head_line(number, digest))
    return Sealed(snapshot, digest)


def tidy(place: Path, held: Sequence[Sealed]) -> None:
    """Remove what a killed run left: nothing sealed refers to it."""
    sweep(place)
    for name in names(place):
        if name.startswith(f"{len(held) + 1:06d}-"):
            remove(place / name)


def store(place: Path, number: int, listing: Listing) -> Part:
    """Write the records of one listing and describe the file."""
    if listing.problem:
        return Part(listing.name, listing.endpoint, listing.count, listing.problem, None)
    packed = pack(listing.records, leaves_of(listing.records))
    file = f"{number:06d}-{listing.name}.ndjson.zst"
    put(place / file, packed.data)
    return Part(listing.name, listing.endpoint, listing.count, "", packed.note(file))


def sealed_snapshots(folder: Path, until: str | None = None) -> tuple[Sealed, ...]:
    """The snapshots, oldest first, up to the one with the hash ``until`` or all.

    Raises IntegrityError at the first thing that is wrong, and when ``until`` is not held.
    """
    held, problems = examine_snapshots(folder)
    if problems:
        raise IntegrityError(
            f"{folder / problems[0].file}: {problems[0].text}",
            fix="Run 'auditlens verify' for the whole list, and restore from a copy",
        )
    if until is None:
        return held
    hashes = [one.hash for one in held]
    if until not in hashes:
        raise IntegrityError(
            f"{folder / DIRECTORY}: the snapshot {until[:16]}… is not in the archive",
            fix="Name the archive the report was made from; if it is this one, it was cut",
        )
    return held[: hashes.index(until) + 1]


def examine_snapshots(folder: Path) -> tuple[tuple[Sealed, ...], tuple[Problem, ...]]:
    """Read the chain of manifests and everything that is wrong with it."""
    place = folder / DIRECTORY
    # Head first: a run that seals while this reads can only make the chain longer than the head.
    try:
        noted = read(place / HEAD, most=LARGEST_HEAD)
    except FileNotFoundError:
        noted = None
    except IntegrityError:
        noted = b""
    held: list[Sealed] = []
    problems: list[Problem] = []
    previous: str | None = START
    found = sorted(int(match[1]) for name in names(place) if (match := NAME.fullmatch(name)))
    for number in range(1, max(found, default=0) + 1):
        file = f"{DIRECTORY}/{number:06d}.json"
        one = manifest(place / f"{number:06d}.json")
        if one is None:
            problems.append(Problem(file, "", "the bytes are not those that were sealed"))
            previous = None
            continue
        if one.snapshot.sequence != number or previous not in (None, one.snapshot.previous):
            problems.append(Problem(file, "", "does not follow the snapshot before it"))
        previous = one.hash
        held.append(one)
    known = {head_line(one.snapshot.sequence, one.hash) for one in held}
    if noted is None and len(held) > 1:
        problems.append(Problem(f"{DIRECTORY}/{HEAD}", "", "is missing"))
    elif noted is not None and noted not in known:
        text = "names a snapshot that is not here: the chain was cut"
        problems.append(Problem(f"{DIRECTORY}/{HEAD}", "", text))
    return tuple(held), tuple(problems)


def manifest(path: Path) -> Sealed | None:
    """One manifest; None when it is missing or its bytes are not those that were sealed."""
    try:
        found = opened(read(path))
        if found is None:
            return None
        return Sealed(parsed(found[0], Snapshot, path.name), found[1])
    except (FileNotFoundError, IntegrityError, msgspec.DecodeError):
        return None


def parts_of(held: Sequence[Sealed]) -> dict[str, SegmentNote]:
    """Of each listing the last segment that came."""
    parts = (part for one in held for part in one.snapshot.parts)
    return {part.name: part.segment for part in parts if part.segment is not None}


def records_of_part(folder: Path, note: SegmentNote) -> tuple[bytes, ...]:
    """The records of one listing. Raises IntegrityError naming the file and the records."""
    path = folder / DIRECTORY / note.file
    found = records_at(path, note)
    if root_of(leaves_of(found)).hex() != note.root:
        raise IntegrityError(f"{path}: the records do not lead to the sealed root", fix=RESTORE)
    return found


def snapshot_problems(folder: Path, leftovers: list[str]) -> Iterator[Problem]:
    """Check every byte of the directory's folder; files of killed runs go to ``leftovers``."""
    place = folder / DIRECTORY
    # A run may seal while this looks: what the listing shows beyond the chain is no fault.
    listing = names(place)
    held, problems = examine_snapshots(folder)
    yield from problems
    known = {HEAD, *(f"{one.snapshot.sequence:06d}.json" for one in held)}
    for one in held:
        for part in one.snapshot.parts:
            if part.segment is not None:
                known.add(part.segment.file)
                yield from part_problems(place, part.segment)
    faulty = {problem.file for problem in problems}
    for name in listing:
        number = name.partition("-")[0]
        if name in known or f"{DIRECTORY}/{name}" in faulty:
            continue
        if number.isdecimal() and int(number) > len(held) and not problems:
            leftovers.append(f"{DIRECTORY}/{name}")
        else:
            yield Problem(f"{DIRECTORY}/{name}", "", "no manifest names this file")


def part_problems(place: Path, note: SegmentNote) -> Iterator[Problem]:
    file = f"{DIRECTORY}/{note.file}"
    try:
        data = read(place / note.file)
    except (FileNotFoundError, IntegrityError):
        yield Problem(file, f"1-{note.rows}", "is missing or cannot be read")
        return
    whole = True
    found: list[bytes] = []
    for block in blocks(note, data):
        if block.records is None:
            whole = False
            yield Problem(file, f"{block.first + 1}-{block.last + 1}", block.fault)
        else:
            found.extend(block.records)
    if whole and (sha256_hex(data) != note.sha256 or root_of(leaves_of(found)).hex() != note.root):
        yield Problem(file, "", "the bytes are not those that were sealed")
