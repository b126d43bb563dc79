"""The index of the event table: which files it has, their hashes, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from auditlens.actions import Classifier
from auditlens.archive.chain import Chain
from auditlens.archive.manifest import START, opened, parsed, tool
from auditlens.archive.rows import TABLE_SCHEMA, Sealed
from auditlens.canonical import sha256_hex

__all__ = ["INDEX", "Index", "TableFile", "index_of", "stamp_of"]

INDEX = "index.json"

LAYOUT = 2
"""How rows are put into files; 2: those that do not belong to their date have their own."""


@dataclass(frozen=True)
class TableFile:
    """One Parquet file: where, its bytes' hash, and the manifests its rows come from."""

    path: str
    month: str
    sha256: str
    rows: int
    first_segment: int
    last_segment: int


@dataclass(frozen=True)
class Index:
    """What the table holds: every segment up to manifest ``covered``, made by ``stamp``.

    ``loose`` are files that a change under way may have made or not yet removed.
    """

    format: int
    stamp: str
    covered: int
    covered_hash: str
    files: tuple[TableFile, ...]
    loose: tuple[TableFile, ...] = ()

    @property
    def digest(self) -> str:
        """Hash (hex) of what the table is made of: every file by its own hash."""
        body = msgspec.json.encode((self.stamp, self.covered_hash, self.files))
        return sha256_hex(body)

    def holds(self, chain: Chain, stamp: str) -> bool:
        """Whether the table was made from the beginning of this very chain, in this way."""
        return self.stamp == stamp and self.follows(chain)

    def follows(self, chain: Chain) -> bool:
        """Whether the manifest this was made up to is in the chain, in its place."""
        if self.covered > len(chain.links):
            return False
        before = chain.links[self.covered - 1].hash if self.covered else START
        return self.covered_hash == before

    def waiting(self, chain: Chain) -> list[Sealed]:
        """Segments that are not in the table yet."""
        return [item for item in chain.segments if item[0].sequence > self.covered]


def stamp_of(classifier: Classifier) -> str:
    """What rows depend on besides the evidence: program, columns, classifier."""
    columns = repr([(name, str(kind)) for name, kind in TABLE_SCHEMA.items()])
    text = f"{LAYOUT}\n{tool()}\n{columns}\n{classifier.digest}"
    return sha256_hex(text.encode())


def index_of(data: bytes) -> Index | None:
    """The index in sealed bytes, or None when a bit of them changed."""
    try:
        found = opened(data)
        return parsed(found[0], Index, INDEX) if found else None
    except msgspec.DecodeError:
        return None
