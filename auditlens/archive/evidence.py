"""The exact bytes of sealed records, by their place, for the few whose content is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from auditlens.archive.manifest import Manifest, SegmentNote
from auditlens.archive.segment import records_of

__all__ = ["Evidence", "Places", "place_of", "places_of"]

Places = npt.NDArray[np.int64]

ROW_BITS = 32
KEPT = 8
"""Segments whose records stay in memory, as ids return in the order they came."""


def place_of(segment: int, row: int) -> int:
    """One number for a row (from 0) of a segment, in the order of the archive."""
    return segment << ROW_BITS | row


def places_of(rows: pl.DataFrame) -> Places:
    """The place of each row in the evidence, from its columns ``segment`` and ``row``."""
    segments: Places = rows["segment"].to_numpy().astype(np.int64)
    return np.asarray(segments << ROW_BITS | rows["row"].to_numpy())


@dataclass
class Evidence:
    """Reads records from the segments of an archive. Raises IntegrityError for damaged ones."""

    folder: Path
    notes: dict[int, SegmentNote]
    kept: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, segments: Iterable[tuple[Manifest, SegmentNote]]) -> Evidence:
        return cls(folder, {manifest.sequence: note for manifest, note in segments})

    def record(self, place: int) -> bytes:
        segment, row = place >> ROW_BITS, place & (1 << ROW_BITS) - 1
        if segment not in self.kept:
            while len(self.kept) >= KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[segment] = records_of(self.folder, self.notes[segment])
        return self.kept[segment][row]
