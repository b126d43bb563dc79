"""The event table: Parquet by month, rebuilt from evidence whenever it cannot be trusted.

The index names every file and its hash. Before files are made or removed it says so, so that
after a crash a file is either in its place, or announced, or does not belong there.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from auditlens.actions import Classifier
from auditlens.archive.chain import Chain
from auditlens.archive.evidence import Evidence
from auditlens.archive.index import INDEX, Index, TableFile, index_of, stamp_of
from auditlens.archive.ledger import Ledger
from auditlens.archive.manifest import FORMAT, START, sealed
from auditlens.archive.rows import (
    ORDER,
    TABLE_SCHEMA,
    classified,
    dated_rows,
    decoded,
    fresh,
    groups,
)
from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import make_folder, names, put, read, remove, sweep

__all__ = ["FOLDER", "MISDATED", "Table"]

FOLDER = "table"
MISDATED = "misdated"
"""Takes the place of a month for rows that do not belong to their date: no period reads them."""

MANY_FILES = 16
"""Files of one month after which they are merged into one."""

REBUILD = "It is rebuilt from the evidence the next time the archive is read"


@dataclass(frozen=True)
class Table:
    """The table's folder. Reading needs no lock; changing it does."""

    folder: Path
    classifier: Classifier

    @cached_property
    def stamp(self) -> str:
        return stamp_of(self.classifier)

    def index(self) -> Index | None:
        """The index as it stands, or None when it is missing or damaged."""
        try:
            return index_of(read(self.folder / INDEX))
        except FileNotFoundError:
            return None

    def refresh(self, chain: Chain, archive: Path, *, anew: bool = False) -> Index:
        """Bring the table up to the chain: add what is missing, rebuild what is damaged."""
        make_folder(self.folder)
        sweep(self.folder)
        index = self.index()
        usable = index is not None and index.holds(chain, self.stamp) and not anew
        if index is None or not usable or not all(map(self.intact, index.files)):
            index = self.emptied(index)
        waiting = index.waiting(chain)
        if waiting:
            ledger, evidence = Ledger.of(self.held(index)), Evidence.of(archive, chain.segments)
            for group in groups(waiting):
                rows = fresh(decoded(archive, group), ledger, evidence)
                index = self.append(index, chain, rows, group[-1][0].sequence)
        self.tidy(index)
        return index

    def emptied(self, former: Index | None) -> Index:
        """Begin a new table: the files of the former one are announced as loose, and removed."""
        loose = (*former.files, *former.loose) if former else ()
        index = Index(FORMAT, self.stamp, 0, START, (), loose)
        self.seal(index)
        self.tidy(index)
        return index

    def append(self, index: Index, chain: Chain, rows: pl.DataFrame, covered: int) -> Index:
        """Add rows (TABLE_SCHEMA, any order, unclassified) that stand for all up to ``covered``."""
        rows = classified(rows, self.classifier)
        made: dict[TableFile, bytes] = {}
        retired: list[TableFile] = []
        months = rows.select(
            pl.when(dated_rows(rows, chain.segments))
            .then(pl.col("created_at").dt.strftime("%Y-%m"))
            .otherwise(pl.lit(MISDATED))
        ).to_series()
        for month in months.unique().sort().to_list():
            part = rows.filter(months == month)
            own = [file for file in index.files if file.month == month]
            if len(own) >= MANY_FILES:
                part = pl.concat([part, *map(self.frame, own)])
                retired.extend(own)
            made.update([self.rendered(month, part)])
        self.seal(replace(index, loose=tuple(made)))
        for file, data in made.items():
            make_folder(self.folder / file.month)
            put(self.folder / file.path, data)
        files = [file for file in index.files if file not in retired]
        index = replace(
            index,
            covered=covered,
            covered_hash=chain.links[covered - 1].hash,
            files=tuple(sorted([*files, *made], key=lambda file: file.path)),
            loose=tuple(retired),
        )
        self.seal(index)
        return index

    def seal(self, index: Index) -> None:
        put(self.folder / INDEX, sealed(index)[0])

    def rendered(self, month: str, rows: pl.DataFrame) -> tuple[TableFile, bytes]:
        """A file and its bytes; its name tells its segments and the hash of the bytes."""
        rows = rows.sort(ORDER)
        first, last = int(rows["segment"].min()), int(rows["segment"].max())  # type: ignore[arg-type]
        stream = io.BytesIO()
        bound = {"auditlens.segments": f"{first}-{last}", "auditlens.stamp": self.stamp}
        rows.write_parquet(stream, compression="zstd", compression_level=1, metadata=bound)
        data = stream.getvalue()
        digest = sha256_hex(data)
        path = f"{month}/{first:06d}-{last:06d}-{digest[:12]}.parquet"
        return TableFile(path, month, digest, rows.height, first, last), data

    def intact(self, file: TableFile) -> bool:
        try:
            return sha256_hex(read(self.folder / file.path)) == file.sha256
        except (FileNotFoundError, IntegrityError):
            return False

    def frame(self, file: TableFile, columns: Iterable[str] = TABLE_SCHEMA) -> pl.DataFrame:
        """Rows of one file, parsed from the very bytes that were checked.

        Raises IntegrityError when they are not what the index says.
        """
        return self.frame_of(self.folder, file, columns)

    @staticmethod
    def frame_of(folder: Path, file: TableFile, columns: Iterable[str]) -> pl.DataFrame:
        path = folder / file.path
        if path.parent.is_symlink():
            raise IntegrityError(f"{path.parent} is a symbolic link", fix=REBUILD)
        try:
            data = read(path)
        except FileNotFoundError:
            raise IntegrityError(f"{path} is missing", fix=REBUILD) from None
        if sha256_hex(data) != file.sha256:
            raise IntegrityError(f"{path} is not what the index says", fix=REBUILD)
        return pl.read_parquet(io.BytesIO(data), columns=list(columns))

    def held(self, index: Index) -> pl.DataFrame:
        """``id``, ``created_at``, ``leaf`` and place of every row."""
        columns = ["id", "created_at", "leaf", "segment", "row"]
        empty = pl.DataFrame(schema={name: TABLE_SCHEMA[name] for name in columns})
        return pl.concat([empty, *(self.frame(file, columns) for file in index.files)])

    def tidy(self, index: Index) -> None:
        """Remove files that the index does not name: leftovers of merges and killed runs."""
        kept = {file.path for file in index.files}
        for month in names(self.folder):
            place = self.folder / month
            if month == INDEX or place.is_symlink() or not place.is_dir():
                continue
            sweep(self.folder / month)
            for name in names(self.folder / month):
                if f"{month}/{name}" not in kept:
                    remove(self.folder / month / name)
