"""One head over all chains: each manifest of the log names the heads of the chains beside it.

Beside the log stand the chain of the directory's snapshots and the chain of sign-offs. Whoever
holds the lock looks at both, and what is sealed next into the log names how far they went. So
the log's head, noted anywhere, shows a change to any of the three; what is added later does not.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from auditlens.archive.chain import LOG, Chain, Problem, extend, read_chain, set_head
from auditlens.archive.manifest import ChainHead, Covers, Manifest, ReviewerNote
from auditlens.archive.segment import EVIDENCE
from auditlens.archive.snapshots import DIRECTORY, Sealed, examine_snapshots, keep
from auditlens.errors import IntegrityError
from auditlens.files import lock, make_folder, names, remove, sweep
from auditlens.pages import Listing
from auditlens.seals import SignOffChain, examine_sign_offs

__all__ = [
    "Beside",
    "cover",
    "cover_problems",
    "keep_covered",
    "look_beside",
    "prepare",
    "since",
    "with_beside",
]

FIX = "Run 'auditlens verify' for the whole list, and restore from a copy"


@dataclass(frozen=True)
class Beside:
    """The chains beside the log: file and hash of each entry by its number, and what is wrong."""

    directory: Mapping[int, tuple[str, str]]
    signed: Mapping[int, tuple[str, str]]
    sign_offs: SignOffChain
    problems: tuple[Problem, ...]

    @property
    def covers(self) -> Covers:
        """Their heads, for the next manifest of the log."""
        return Covers(head_of(self.directory), head_of(self.signed))


def head_of(chain: Mapping[int, tuple[str, str]]) -> ChainHead:
    if not chain:
        return ChainHead()
    number = max(chain)
    file, digest = chain[number]
    return ChainHead(number, digest, file)


def look_beside(folder: Path, signed: Path, chain: Chain) -> Beside:
    """Read the chains beside the log of the archive ``folder``; damage is returned."""
    held, wrong = examine_snapshots(folder)
    sign_offs, faults = examine_sign_offs(folder_of(folder, signed, chain))
    place = relative(sign_offs.folder, folder)
    problems = (
        *wrong,
        *(Problem(f"{place}/{one.file}".rstrip("/"), "", one.text) for one in faults),
    )
    return Beside(
        directory=numbered(held),
        signed={one.number: (f"{place}/{one.path.name}", one.hash) for one in sign_offs.seals},
        sign_offs=sign_offs,
        problems=problems,
    )


def numbered(held: Sequence[Sealed]) -> dict[int, tuple[str, str]]:
    return {
        one.snapshot.sequence: (f"{DIRECTORY}/{one.snapshot.sequence:06d}.json", one.hash)
        for one in held
    }


def folder_of(folder: Path, signed: Path, chain: Chain) -> Path:
    """Where the sign-offs are: ``signed``, else where they were when the log last sealed them."""
    noted = chain.covers.signed.file if chain.covers else ""
    elsewhere = (folder.absolute() / noted).parent
    return elsewhere if noted and not os.path.lexists(signed) and elsewhere.is_dir() else signed


def relative(path: Path, folder: Path) -> str:
    """A path as the archive's folder leads to it."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def since(chain: Chain) -> Manifest | None:
    """The first manifest whose head covers directory and sign-offs too."""
    return next((one.manifest for one in chain.links if one.manifest.covers), None)


def cover_problems(
    chain: Chain, beside: Beside, parts: Sequence[str] = ("directory", "signed")
) -> Iterator[Problem]:
    """Where a chain beside the log is not what the log's manifests seal.

    Entries that came after the last of them are growth, and no problem.
    """
    told = {problem.file for problem in beside.problems}
    for link in chain.links:
        for part in parts if link.manifest.covers else ():
            noted: ChainHead = getattr(link.manifest.covers, part)
            held: Mapping[int, tuple[str, str]] = getattr(beside, part)
            file, digest = held.get(noted.count, (noted.file, ""))
            if not noted.count or digest == noted.hash or file in told:
                continue
            told.add(file)
            found = "is not the one that" if digest else "is missing:"
            text = f"{found} manifest {link.manifest.sequence} of the log seals"
            yield Problem(file, "", text if digest else f"{text} it")


def refusal(folder: Path, problems: Sequence[Problem]) -> IntegrityError | None:
    """The error to raise for the first of these problems."""
    if not problems:
        return None
    return IntegrityError(f"{folder / problems[0].file}: {problems[0].text}", fix=FIX)


def with_beside(folder: Path, signed: Path, chain: Chain) -> tuple[Chain, IntegrityError | None]:
    """The chain, ready to seal the heads beside it; or as it is, and what is wrong with them.

    The lock must be held. A damaged directory must not keep events from being saved.
    """
    beside = look_beside(folder, signed, chain)
    wrong = refusal(folder, [*beside.problems, *cover_problems(chain, beside)])
    return (chain if wrong else replace(chain, beside=beside.covers)), wrong


def cover(
    folder: Path, signed: Path, at: datetime, source: str, note: ReviewerNote | None = None
) -> Chain:
    """Seal the heads beside the log into it, if it does not say them yet; the lock must be held.

    ``note`` is a change of the list of reviewers' keys to seal with them. Raises IntegrityError
    when one of the chains is not what was sealed.
    """
    chain, wrong = with_beside(folder, signed, read_chain(folder))
    if wrong:
        raise wrong
    if note is not None or chain.covers != chain.beside:
        prepare(folder, chain)
        at = max([at, *(link.manifest.at for link in chain.links[-1:])])
        pull = secrets.token_hex(8)
        chain = extend(folder, chain, pull=pull, at=at, source=source, note=note)
        set_head(folder, chain)
    return chain


def keep_covered(
    folder: Path, signed: Path, source: str, listings: Sequence[Listing], at: datetime
) -> Sealed | None:
    """Append a snapshot of what came to the directory's chain, and seal its head into the log.

    None when nothing came. Raises LockHeld, UsageError for another workspace, IntegrityError.
    """
    if all(one.problem for one in listings):
        return None
    make_folder(folder)
    with lock(folder):
        chain = read_chain(folder)
        beside = look_beside(folder, signed, chain)
        wrong = [one for one in beside.problems if one.file.startswith(f"{DIRECTORY}/")]
        if error := refusal(folder, [*wrong, *cover_problems(chain, beside, ("directory",))]):
            raise error
        # A part of the log has the workspace's name and a query.
        owner = chain.source and chain.source.partition("?")[0]
        kept = keep(folder, source, listings, at, owner)
        cover(folder, signed, at, chain.source or source)
        return kept


def prepare(folder: Path, chain: Chain) -> None:
    """Make the folders, and remove what killed runs left: nothing sealed refers to it."""
    for part in (LOG, EVIDENCE):
        make_folder(folder / part)
        sweep(folder / part)
    sweep(folder)
    kept = {note.file for _, note in chain.segments}
    for name in names(folder / EVIDENCE):
        if name not in kept and name.startswith(f"{len(chain.links) + 1:06d}-"):
            remove(folder / EVIDENCE / name)
    if chain.outcomes:
        set_head(folder, chain)
