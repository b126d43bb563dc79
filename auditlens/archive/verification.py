"""Every byte of the archive against what was sealed, without trusting any of it.

Reports are made from the table, so a hash that anyone can write anew is not enough. The chain
vouches for the table that a sync left behind; one made since then is compared cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from auditlens.archive.chain import HEAD, LOG, Chain, Problem, examine
from auditlens.archive.covering import Beside, cover_problems, look_beside, relative, since
from auditlens.archive.manifest import SegmentNote
from auditlens.archive.segment import EVIDENCE, blocks, leaves_of, root_of
from auditlens.archive.snapshots import DIRECTORY, snapshot_problems
from auditlens.archive.table import (
    INDEX,
    TABLE,
    TABLE_SCHEMA,
    Index,
    Table,
    TableFile,
    classified,
    decoded,
    groups,
    index_of,
    stamp_of,
)
from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError
from auditlens.events import load_classifier
from auditlens.files import LOCK, names, odd, read
from auditlens.seals import ListedKey, seal_faults, signers_of
from auditlens.text import count

__all__ = ["Verification", "cell_problems", "verify"]

KEY = ["segment", "leaf"]


def cell_problems(folder: Path, chain: Chain, index: Index | None) -> Iterator[Problem]:
    """Files of the table that hold another cell than their records lead to.

    Costs a hash for a table that a sync sealed, and decoding all evidence for any other.
    Hashes, segments and leaves are to be checked before.
    """
    if index is None or any(note.table == index.digest for _, note in chain.outcomes):
        return
    for file in index.files:
        if not follows(folder, chain, index, file):
            text = "cells are not what the evidence says; the evidence can rebuild it"
            yield Problem(f"{TABLE}/{file.path}", f"1-{file.rows}", text)


def follows(folder: Path, chain: Chain, index: Index, file: TableFile) -> bool:
    """Whether the rows of one file are those its segments lead to."""
    columns = list(TABLE_SCHEMA)
    classifier = load_classifier()
    if index.stamp != stamp_of(classifier):
        # No reader uses a table classified in another way; it is made anew first.
        columns = [name for name in columns if not name.startswith("action")]
    held = Table.frame_of(folder / TABLE, file, columns)
    wanted = set(held["segment"].unique())
    sealed = [item for item in chain.segments if item[0].sequence in wanted]
    made = [
        classified(decoded(folder, group).join(held, on=KEY, how="semi"), classifier)
        for group in groups(sealed)
    ]
    if not made:
        return held.is_empty()
    return pl.concat(made).select(columns).sort(KEY).equals(held.sort(KEY))


@dataclass(frozen=True)
class Verification:
    """What a verification of the archive found.

    Attributes:
        problems: What is not as it was sealed, in the order of the files.
        records: Records of the log that were checked.
        head: Hash (hex) of the last manifest; None for an empty archive.
        leftovers: Files of runs that were killed. Nothing refers to them; the next sync removes
            them.
        snapshots: Pulls of the directory that were checked.
        signed: Sign-offs that were checked.
        covers_from: Number of the manifest since which the head covers directory and sign-offs too;
            None while it covers the log alone.
        notes: Sentences worth knowing that are no problem.
        sign_offs: For each sign-off a sentence on who signed it, as far as a list of keys shows it.
        unchecked: Signatures that this installation has no means to check; a verification with one
            proves less than ``ok`` says.
    """

    problems: tuple[Problem, ...]
    records: int
    head: str | None
    leftovers: tuple[str, ...] = ()
    snapshots: int = 0
    signed: int = 0
    covers_from: int | None = None
    notes: tuple[str, ...] = ()
    sign_offs: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every byte is as it was sealed."""
        return not self.problems


Leaves = dict[int, dict[bytes, bool] | None]
"""Of each segment the leaves of its records, and whether they were decoded; None if damaged."""


def verify(
    folder: Path,
    signed: Path,
    against: Sequence[str] = (),
    allowed: Sequence[ListedKey] | None = None,
) -> Verification:
    """Check chains, segments, records and table; ``against`` are heads noted earlier (hex).

    Raises UsageError when a newer AuditLens wrote the archive.
    """
    index = folder / TABLE / INDEX
    while True:
        before = read_or_none(index)
        found = verify_once(folder, signed, against, allowed)
        # A run that replaced files of the table while they were checked is no fault.
        if found.ok or read_or_none(index) == before:
            return found


def verify_once(
    folder: Path, signed: Path, against: Sequence[str], allowed: Sequence[ListedKey] | None
) -> Verification:
    # A run may seal while this looks: what the listing shows beyond the chain is no fault.
    listing = names(folder / EVIDENCE)
    index_data = read_or_none(folder / TABLE / INDEX)
    chain, found = examine(folder)
    problems = list(found)
    leaves: Leaves = {}
    records = 0
    for manifest, note in chain.segments:
        kept: list[bytes] = []
        problems.extend(segment_problems(folder, note, kept))
        refused = {item.row for item in note.quarantined}
        sound = {leaf: row not in refused for row, leaf in enumerate(kept)}
        leaves[manifest.sequence] = sound if len(kept) == note.rows else None
        records += len(kept)
    leftovers: list[str] = []
    problems.extend(extra_segments(chain, listing, leftovers))
    problems.extend(extra_entries(folder))
    problems.extend(snapshot_problems(folder, leftovers))
    problems.extend(table_problems(folder, chain, index_data, leaves, leftovers))
    if index_data is not None and not problems:
        problems.extend(cell_problems(folder, chain, index_of(index_data)))
    beside = look_beside(folder, signed, chain)
    notes: list[str] = []
    told: list[str] = []
    unchecked: list[str] = []
    lists = (chain, allowed)
    problems.extend(sign_off_problems(folder, beside, lists, unchecked, told))
    problems.extend(cover_problems(chain, beside))
    for head in against:
        problems.extend(against_problems(chain, head, notes))
    first = since(chain)
    return Verification(
        tuple(problems),
        records,
        chain.head if chain.links else None,
        tuple(leftovers),
        snapshots=len(beside.directory),
        signed=len(beside.sign_offs.seals),
        covers_from=first.sequence if first else None,
        notes=(*notes, *cover_notes(chain, beside)),
        sign_offs=tuple(told),
        unchecked=tuple(unchecked),
    )


def against_problems(chain: Chain, against: str, notes: list[str]) -> Iterator[Problem]:
    """Whether the log holds a head noted earlier; what that head did not cover is noted."""
    noted = against.strip().lower()
    found = next((one.manifest for one in chain.links if one.hash == noted), None)
    if found is None:
        text = f"the noted head {against[:16]}… is not in the log: it was cut or rewritten"
        yield Problem(LOG, "", text)
    elif found.covers is None:
        notes.append(
            f"the noted head {noted[:16]}… was sealed by {found.tool} and covers the log alone: "
            "it shows no change that was made to directory or sign-offs before they were sealed"
        )


def cover_notes(chain: Chain, beside: Beside) -> Iterator[str]:
    """From when the head covers directory and sign-offs, and what of them it does not yet."""
    first, now = since(chain), beside.covers
    if first is None:
        if chain.links:
            yield (
                f"the head covers the log alone, as {chain.links[-1].manifest.tool} wrote it; "
                "directory and sign-offs are covered from the next sync on"
            )
        return
    if first.sequence > 1:
        yield (
            f"the head covers directory and sign-offs since {first.at:%Y-%m-%d %H:%M} UTC "
            f"(manifest {first.sequence}); before, it covered the log alone"
        )
    sealed = next(one.manifest.covers for one in reversed(chain.links) if one.manifest.covers)
    for word, held, noted in (
        ("directory snapshot", now.directory, sealed.directory),
        ("sign-off", now.signed, sealed.signed),
    ):
        if held.count > noted.count:
            yield (
                f"{count(held.count - noted.count, word)} since then not covered by the head yet, "
                f"from {held.file} back; the next sync seals them"
            )


def sign_off_problems(
    folder: Path,
    beside: Beside,
    lists: tuple[Chain, Sequence[ListedKey] | None],
    unchecked: list[str],
    told: list[str],
) -> Iterator[Problem]:
    """What is wrong with the sign-offs, their findings, the signatures and the lists of keys.

    Who signed a month is added to ``told``, where everything that its seal binds holds.
    """
    directory = f"{DIRECTORY}/"
    for problem in beside.problems:
        # Those of the directory are among the problems of its folder.
        if not problem.file.startswith(directory):
            yield problem
    chain, allowed = lists
    yield from lock_problems(folder, relative(beside.sign_offs.folder / LOCK, folder))
    place = relative(beside.sign_offs.folder, folder)
    for seal in beside.sign_offs.seals:
        missed: list[str] = []
        faults = list(seal_faults(seal, missed))
        unchecked.extend(missed)
        yield from (Problem(f"{place}/{fault.file}", "", fault.text) for fault in faults)
        if faults or missed:
            continue
        for one in signers_of(seal, chain.listed_for(seal.number), allowed):
            told.append(f"{seal.path.stem}: {one.text}")
            if one.refuted:
                yield Problem(f"{place}/{seal.path.name}", "", one.text)


def read_or_none(path: Path) -> bytes | None:
    try:
        return read(path)
    except (FileNotFoundError, IntegrityError):
        return None


def segment_problems(folder: Path, note: SegmentNote, kept: list[bytes]) -> Iterator[Problem]:
    """Check one segment; the leaves of its sound records are added to ``kept``."""
    file = f"{EVIDENCE}/{note.file}"
    data = read_or_none(folder / EVIDENCE / note.file)
    if data is None:
        yield Problem(file, f"1-{note.rows}", "is missing or cannot be read")
        return
    whole = sha256_hex(data) == note.sha256
    damaged = False
    for block in blocks(note, data):
        if block.records is None:
            damaged = True
            yield Problem(file, f"{block.first + 1}-{block.last + 1}", block.fault)
        else:
            kept.extend(leaves_of(block.records))
    if damaged:
        return
    if not whole:
        yield Problem(file, "", "the bytes are not those that were sealed")
    elif len(kept) != note.rows or root_of(kept).hex() != note.root:
        yield Problem(file, f"1-{note.rows}", "the records do not lead to the sealed root")


def extra_segments(
    chain: Chain, listing: tuple[str, ...], leftovers: list[str]
) -> Iterator[Problem]:
    """Files beside the segments. One with a number after the log's end is an unfinished commit."""
    known = {note.file for _, note in chain.segments}
    after = len(chain.links)
    for name in listing:
        if name in known:
            continue
        number = name.partition("-")[0]
        if number.isdecimal() and int(number) > after:
            leftovers.append(f"{EVIDENCE}/{name}")
        else:
            yield Problem(f"{EVIDENCE}/{name}", "", "no manifest names this file")


def extra_entries(folder: Path) -> Iterator[Problem]:
    for name in names(folder):
        if name not in (LOG, EVIDENCE, DIRECTORY, TABLE, HEAD, LOCK):
            yield Problem(name, "", "does not belong in an archive")
    yield from lock_problems(folder, LOCK)


def lock_problems(folder: Path, name: str) -> Iterator[Problem]:
    """The file of a lock holds nothing, and is a file."""
    path = folder / name
    if what := odd(path):
        yield Problem(name, "", what)
    elif path.exists() and path.stat().st_size:
        yield Problem(name, "", "is not empty")


def table_problems(
    folder: Path,
    chain: Chain,
    index_data: bytes | None,
    leaves: Leaves,
    leftovers: list[str],
) -> Iterator[Problem]:
    """Check the table against its index, and its rows against the evidence."""
    place = f"{TABLE}/{INDEX}"
    if index_data is None:
        # Made from the evidence at any time; only files without an index are a riddle.
        yield from extra_files(folder, None, leftovers)
        return
    index = index_of(index_data)
    if index is None:
        yield Problem(place, "", "the bytes are not those that were written")
        return
    if not index.follows(chain):
        yield Problem(place, "", "was not made from this log")
        return
    frames = []
    for file in index.files:
        frame = checked(folder, file)
        if frame is None:
            text = "is missing or not what the index says; the evidence can rebuild it"
            yield Problem(f"{TABLE}/{file.path}", f"1-{file.rows}", text)
        else:
            frames.append(frame)
    if len(frames) == len(index.files):
        yield from row_problems(place, index, frames, leaves)
    yield from extra_files(folder, index, leftovers)


def checked(folder: Path, file: TableFile) -> pl.DataFrame | None:
    """Leaf and segment of each row, or None when the file is not what the index says."""
    try:
        return Table.frame_of(folder / TABLE, file, ["leaf", "segment"])
    except IntegrityError:
        return None


def row_problems(
    place: str, index: Index, frames: list[pl.DataFrame], leaves: Leaves
) -> Iterator[Problem]:
    """The table must hold the leaves of the evidence, each segment its own."""
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=LEAVES)
    held = dict(rows.group_by("segment").agg("leaf").iter_rows())
    for sequence in sorted(held.keys() | {n for n in leaves if n <= index.covered}):
        found, sound = held.get(sequence, []), leaves.get(sequence, {})
        if sound is None:
            continue
        # A record that could not be decoded when it came may be an event by now.
        needed = {leaf for leaf, decoded in sound.items() if decoded}
        if not needed <= set(found) <= sound.keys() or len(set(found)) != len(found):
            text = f"the rows of segment {sequence} are not the records of the evidence"
            yield Problem(place, "", text)


LEAVES: dict[str, pl.DataType] = {"leaf": pl.Binary(), "segment": pl.Int32()}


def extra_files(folder: Path, index: Index | None, leftovers: list[str]) -> Iterator[Problem]:
    """Files in the table that the index neither names nor announced."""
    table = folder / TABLE
    known = {file.path for file in index.files} if index else set()
    loose = {file.path: file.sha256 for file in index.loose} if index else {}
    for month in names(table):
        if month == INDEX:
            continue
        inside = table / month
        for name in names(inside) if inside.is_dir() and not inside.is_symlink() else ("",):
            path = f"{month}/{name}".rstrip("/")
            if path in known:
                continue
            data = read_or_none(table / path)
            if data is not None and sha256_hex(data) == loose.get(path):
                leftovers.append(f"{TABLE}/{path}")
            else:
                yield Problem(f"{TABLE}/{path}", "", "the index does not name this file")
