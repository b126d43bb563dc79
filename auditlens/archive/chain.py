"""The chain of manifests: read without a lock, extended by the lock's holder only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import msgspec

from auditlens.archive.manifest import (
    FORMAT,
    START,
    Covers,
    Manifest,
    OutcomeNote,
    ReviewerNote,
    SegmentNote,
    opened,
    parsed,
    sealed,
    tool,
)
from auditlens.errors import IntegrityError
from auditlens.files import names, put, read
from auditlens.seals import ListedKey, fingerprint

__all__ = ["HEAD", "LOG", "Chain", "Link", "Problem", "examine", "extend", "read_chain", "set_head"]

LOG = "log"
HEAD = "head"
LARGEST_HEAD = 1 << 10
NAME = re.compile(r"([0-9]{6,12})\.json")


@dataclass(frozen=True)
class Problem:
    """Something in the archive that is not as it was sealed.

    Attributes:
        file: Its path inside the archive.
        records: The rows concerned, from 1 (``1-256``); empty when the whole file is.
        text: What was found.
    """

    file: str
    records: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}, records {self.records}" if self.records else self.file
        return f"{place}: {self.text}"


@dataclass(frozen=True)
class Reviewer:
    """A reviewer's key in the archive's list: since and until which manifest it stands there."""

    name: str
    fingerprint: str
    added: int
    added_at: datetime
    removed: int | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True)
class Link:
    """A manifest and its hash."""

    manifest: Manifest
    hash: str


@dataclass(frozen=True)
class Chain:
    """The sealed manifests, oldest first.

    ``beside`` are the heads of the other chains, as the lock's holder found them: each manifest
    that is added names them.
    """

    links: tuple[Link, ...] = field(default=())
    beside: Covers | None = None

    @property
    def head(self) -> str:
        """Hash of the last manifest; ``START`` when there is none."""
        return self.links[-1].hash if self.links else START

    @property
    def source(self) -> str | None:
        """Name of the workspace this archive belongs to, None before the first sync.

        It belongs to the one whose records it holds; before there is any, to the last one asked.
        """
        held = self.segments[0][0] if self.segments else self.last_of_a_sync
        return held.source if held else None

    @property
    def covers(self) -> Covers | None:
        """What the last manifest says of the other chains; None where version 0.1 wrote it."""
        return self.links[-1].manifest.covers if self.links else None

    def sign_off(self, number: int) -> str:
        """Hash of the sign-off with this number (from 1), as the log seals it; empty if unknown."""
        found = (one.manifest.covers for one in self.links if one.manifest.covers)
        return next((one.signed.hash for one in found if one.signed.count == number), "")

    @property
    def reviewers(self) -> tuple[Reviewer, ...]:
        """The list of reviewers' keys, in the order in which they were added."""
        found: list[Reviewer] = []
        for link in self.links:
            one, note = link.manifest, link.manifest.reviewer
            if note is None:
                continue
            digest = fingerprint("ssh", note.key)
            if note.action == "add":
                found.append(Reviewer(note.name, digest, one.sequence, one.at))
                continue
            for place, held in enumerate(found):
                if (held.name, held.fingerprint) == (note.name, digest) and not held.removed:
                    found[place] = replace(held, removed=one.sequence, removed_at=one.at)
        return tuple(found)

    def listed_for(self, number: int) -> tuple[ListedKey, ...]:
        """The list as it stands for the sign-off with this number.

        A key that was removed counts for what the log sealed before.
        """
        sealed = next(
            (one.manifest.sequence for one in self.links
             if one.manifest.covers and one.manifest.covers.signed.count >= number), None,
        )  # fmt: skip
        found = []
        for one in self.reviewers:
            why = ""
            if one.removed_at and (sealed is None or sealed > (one.removed or 0)):
                why = (
                    f"it was removed on {one.removed_at:%Y-%m-%d} (manifest {one.removed}), and "
                    "nothing shows that the signature was made before"
                )
            where = f"the archive's log (manifest {one.added}, {one.added_at:%Y-%m-%d})"
            found.append(ListedKey(one.name, one.fingerprint, where, ended=why))
        return tuple(found)

    @property
    def last_of_a_sync(self) -> Manifest | None:
        """The last manifest that a sync sealed."""
        found = (link.manifest for link in reversed(self.links))
        return next((one for one in found if one.of_a_sync), None)

    @cached_property
    def segments(self) -> tuple[tuple[Manifest, SegmentNote], ...]:
        """Manifests that seal a segment."""
        found = ((link.manifest, link.manifest.believable_segment) for link in self.links)
        return tuple((item, note) for item, note in found if note)

    @cached_property
    def outcomes(self) -> tuple[tuple[Manifest, OutcomeNote], ...]:
        """Manifests that seal the outcome of a sync of this archive's own workspace."""
        source = self.source
        own = (link.manifest for link in self.links if link.manifest.source == source)
        found = ((manifest, manifest.believable_outcome) for manifest in own)
        return tuple((item, note) for item, note in found if note)

    @property
    def watermark(self) -> datetime | None:
        """Up to this time of event nothing is left to fetch; None while that is unknown."""
        found = [note.anchor for _, note in self.outcomes if note.advances and note.anchor]
        return max(found, default=None)

    @property
    def gone(self) -> tuple[datetime, ...] | None:
        """Times of events the source removed, by the last sync; None when they are too many."""
        found = [note.gone for _, note in self.outcomes if note.advances]
        return found[-1] if found else ()

    @property
    def moved(self) -> bool:
        """Whether the last sync left the archive unsure of what the source still lists."""
        found = [note.moved for _, note in self.outcomes if note.advances]
        return bool(found) and found[-1]

    @property
    def last_whole(self) -> datetime | None:
        """When a sync last read the source to its last page and could vouch for it."""
        found = [item.at for item, note in self.outcomes if note.advances and note.whole]
        return max(found, default=None)


def examine(folder: Path) -> tuple[Chain, tuple[Problem, ...]]:
    """Read the chain and everything that is wrong with it.

    Raises UsageError only when a newer AuditLens wrote a manifest.
    """
    # Head first: a run that seals while this reads can only make the log longer than the head.
    try:
        noted = read(folder / HEAD, most=LARGEST_HEAD)
    except FileNotFoundError:
        noted = None
    except IntegrityError:
        noted = b""
    links: list[Link] = []
    problems: list[Problem] = []
    expected = 1
    previous: str | None = START
    for sequence, name in numbered(folder, problems):
        file = f"{LOG}/{name}"
        for number in range(expected, min(sequence, expected + 100)):
            problems.append(Problem(f"{LOG}/{number:06d}.json", "", "is missing"))
            previous = None
        expected = sequence + 1
        link = read_link(folder / LOG / name)
        if link is None:
            problems.append(Problem(file, "", "the bytes are not those that were sealed"))
            previous = None
            continue
        if link.manifest.sequence != sequence:
            problems.append(Problem(file, "", f"is manifest {link.manifest.sequence}, renamed"))
        elif previous not in (None, link.manifest.previous):
            problems.append(Problem(file, "", "does not follow the manifest before it"))
        previous = link.hash
        links.append(link)
    chain = Chain(tuple(links))
    problems.extend(head_problems(chain, noted))
    return chain, tuple(problems)


def numbered(folder: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Manifests by number; any other name in the log is a problem."""
    found = []
    for name in names(folder / LOG):
        match = NAME.fullmatch(name)
        if match and name == f"{int(match[1]):06d}.json":
            found.append((int(match[1]), name))
        else:
            problems.append(Problem(f"{LOG}/{name}", "", "does not belong here"))
    yield from sorted(found)


def read_link(path: Path) -> Link | None:
    """One manifest, or None when its bytes are not those that were sealed."""
    try:
        found = opened(read(path))
        if found is None:
            return None
        return Link(parsed(found[0], Manifest, path.name), found[1])
    except (FileNotFoundError, IntegrityError, msgspec.DecodeError):
        return None


def head_problems(chain: Chain, noted: bytes | None) -> Iterator[Problem]:
    """Compare the noted head with the log: it may be behind it, never beyond."""
    if noted is None:
        # Only a run killed between its first outcome and its first head leaves none.
        if len(chain.outcomes) > 1:
            yield Problem(HEAD, "", "is missing")
        return
    known = {head_line(link.manifest.sequence, link.hash) for link in chain.links}
    if noted not in known:
        text = "names a manifest that the log does not hold: the log was cut"
        yield Problem(HEAD, "", text if noted else "is no file of one line")


def head_line(sequence: int, digest: str) -> bytes:
    return f"{sequence} {digest}\n".encode()


def read_chain(folder: Path) -> Chain:
    """Read the chain. Raises IntegrityError at the first thing that is wrong with it."""
    chain, problems = examine(folder)
    if problems:
        raise IntegrityError(
            f"{folder / problems[0].file}: {problems[0].text}",
            fix="Run 'auditlens verify' for the whole list, and restore from a copy",
        )
    return chain


def extend(
    folder: Path,
    chain: Chain,
    *,
    pull: str,
    at: datetime,
    source: str,
    note: SegmentNote | OutcomeNote | ReviewerNote | None,
) -> Chain:
    """Seal one more manifest, durably, and return the longer chain."""
    manifest = Manifest(
        format=FORMAT,
        sequence=len(chain.links) + 1,
        previous=chain.head,
        pull=pull,
        at=at,
        tool=tool(),
        source=source,
        segment=note if isinstance(note, SegmentNote) else None,
        outcome=note if isinstance(note, OutcomeNote) else None,
        covers=chain.beside or chain.covers,
        reviewer=note if isinstance(note, ReviewerNote) else None,
    )
    data, digest = sealed(manifest)
    put(folder / LOG / f"{manifest.sequence:06d}.json", data, exclusive=True)
    return Chain((*chain.links, Link(manifest, digest)), chain.beside)


def set_head(folder: Path, chain: Chain) -> None:
    """Note the head beside the log, so that a cut tail shows; it may lag, never lead."""
    if chain.links:
        put(folder / HEAD, head_line(len(chain.links), chain.head))
