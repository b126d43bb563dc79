"""A Merkle tree (RFC 6962) over the records of a segment.

A record's leaf is the SHA-256 of its exact bytes. The tree stands over the 32-byte leaves, with
the RFC's prefixes: 0x00 before a leaf, 0x01 before a pair of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

__all__ = ["leaves_of", "path_to", "root_of", "root_with"]


def leaves_of(records: Iterable[bytes]) -> list[bytes]:
    """SHA-256 of each record, 32 bytes each."""
    return [sha256(record).digest() for record in records]


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree, 32 bytes; of no leaves, the SHA-256 of nothing."""
    if not leaves:
        return sha256(b"").digest()
    level = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        level = next_level(level)
    return level[0]


def next_level(level: list[bytes]) -> list[bytes]:
    # An odd last node moves up unchanged: this yields the RFC's split at a power of two.
    above = [
        sha256(b"\x01" + left + right).digest()
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) % 2:
        above.append(level[-1])
    return above


def path_to(leaves: Sequence[bytes], position: int) -> tuple[tuple[str, bytes], ...]:
    """The nodes that prove the leaf at ``position``: each with the side it stands on."""
    level = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    path = []
    while len(level) > 1:
        beside = position ^ 1
        if beside < len(level):
            path.append(("left" if beside < position else "right", level[beside]))
        level = next_level(level)
        position //= 2
    return tuple(path)


def root_with(leaf: bytes, path: Iterable[tuple[str, bytes]]) -> bytes:
    """The root that a leaf and its path lead to."""
    node = sha256(b"\x00" + leaf).digest()
    for side, beside in path:
        pair = beside + node if side == "left" else node + beside
        node = sha256(b"\x01" + pair).digest()
    return node
