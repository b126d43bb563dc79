"""The archive as it stood when a report was made: later pulls are left aside, not undone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditlens.archive import Archive, table
from auditlens.archive.chain import HEAD, LOG, Chain, head_line, read_chain
from auditlens.archive.index import INDEX, index_of
from auditlens.archive.segment import FOLDER
from auditlens.errors import AuditLensError, IntegrityError
from auditlens.files import put, read

__all__ = ["as_of"]


@contextmanager
def as_of(archive: Archive, head: str) -> Iterator[Archive]:
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
        copy_part(archive.path, folder, part)
        yield Archive(folder)


def copy_part(source: Path, folder: Path, part: Chain) -> None:
    """Bring the first manifests and their segments over.

    The table comes too where it holds nothing later; else it is made anew from them.
    """
    for name in (LOG, FOLDER):
        (folder / name).mkdir(parents=True, mode=0o700)
    for link in part.links:
        name = f"{link.manifest.sequence:06d}.json"
        shutil.copyfile(source / LOG / name, folder / LOG / name)
    for _, note in part.segments:
        bring(source / FOLDER / note.file, folder / FOLDER / note.file)
    (folder / HEAD).write_bytes(head_line(len(part.links), part.head))
    bring_table(source, folder, part)


def bring_table(source: Path, folder: Path, part: Chain) -> None:
    """Bring the event table over, if it was made from these manifests alone."""
    place = source / table.FOLDER
    try:
        data = read(place / INDEX)
        index = index_of(data)
        if index is None or not index.follows(part):
            return
        for file in index.files:
            (folder / table.FOLDER / file.path).parent.mkdir(parents=True, exist_ok=True)
            bring(place / file.path, folder / table.FOLDER / file.path)
    except (OSError, AuditLensError):
        return
    put(folder / table.FOLDER / INDEX, data)


def bring(source: Path, target: Path) -> None:
    """Link where the disk can, else copy: a segment is never changed."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
