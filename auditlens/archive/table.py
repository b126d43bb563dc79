"""The event table: Parquet by month, rebuilt from evidence whenever it cannot be trusted."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import polars as pl

from auditlens.actions import Classifier, classify
from auditlens.archive.chain import Chain
from auditlens.archive.disk import make_folder, names, put, read, remove, sweep
from auditlens.archive.ledger import KNOWN, Ledger, canonical, contents_of, keys_of
from auditlens.archive.manifest import (
    FORMAT,
    START,
    Manifest,
    SegmentNote,
    opened,
    parsed,
    sealed,
    tool,
)
from auditlens.archive.segment import records_of
from auditlens.errors import IntegrityError
from auditlens.events import EVENT_SCHEMA
from auditlens.events.decode import decode_records
from auditlens.period import Period

__all__ = ["FOLDER", "TABLE_SCHEMA", "Index", "Table", "TableFile", "decoded"]

FOLDER = "table"
INDEX = "index.json"
CHUNK_ROWS = 50_000
"""Rows decoded, classified and written at a time."""
MANY_FILES = 16
"""Files of one month after which they are merged into one."""

TABLE_SCHEMA: dict[str, pl.DataType] = {
    **EVENT_SCHEMA,
    "canonical": pl.Binary(),
    "segment": pl.Int32(),
}
"""The columns on disk: those of an event, the hash of its content and its segment's manifest."""

ORDER = ["created_at", "id", "leaf"]

Sealed = tuple[Manifest, SegmentNote]


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
    """What the table holds: every segment up to manifest ``covered``, made by ``stamp``."""

    format: int
    stamp: str
    covered: int
    covered_hash: str
    files: tuple[TableFile, ...]

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
    text = f"{tool()}\n{columns}\n{classifier.digest}"
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Table:
    """The table's folder. Reading needs no lock; changing it does."""

    folder: Path
    classifier: Classifier

    @property
    def stamp(self) -> str:
        return stamp_of(self.classifier)

    def index(self) -> Index | None:
        """The index as it stands, or None when it is missing or damaged."""
        try:
            return index_of(read(self.folder / INDEX))
        except FileNotFoundError:
            return None

    def refresh(self, chain: Chain, archive: Path) -> Index:
        """Bring the table up to the chain: add what is missing, rebuild what is damaged."""
        make_folder(self.folder)
        sweep(self.folder)
        index = self.index()
        usable = index is not None and index.holds(chain, self.stamp)
        if index is None or not usable or not all(map(self.intact, index.files)):
            index = Index(FORMAT, self.stamp, 0, START, ())
        waiting = index.waiting(chain)
        if waiting:
            ledger = Ledger.of(self.held(index), [])
            for group in groups(waiting):
                rows = fresh(decoded(archive, group), ledger)
                index = self.append(index, chain, rows, group[-1][0].sequence)
        self.tidy(index)
        return index

    def append(self, index: Index, chain: Chain, rows: pl.DataFrame, covered: int) -> Index:
        """Add rows (TABLE_SCHEMA, any order, unclassified) that stand for all up to ``covered``."""
        files = list(index.files)
        rows = classified(rows, self.classifier)
        months = rows["created_at"].dt.strftime("%Y-%m")
        files.extend(
            self.write(month, rows.filter(months == month))
            for month in months.unique().sort().to_list()
        )
        index = replace(
            index,
            covered=covered,
            covered_hash=chain.links[covered - 1].hash,
            files=self.merged(files),
        )
        self.seal(index)
        return index

    def seal(self, index: Index) -> None:
        put(self.folder / INDEX, sealed(index)[0])

    def write(self, month: str, rows: pl.DataFrame) -> TableFile:
        """Write one file; its name tells its segments and the hash of its bytes."""
        rows = rows.sort(ORDER)
        first, last = int(rows["segment"].min()), int(rows["segment"].max())  # type: ignore[arg-type]
        stream = io.BytesIO()
        bound = {"auditlens.segments": f"{first}-{last}", "auditlens.stamp": self.stamp}
        rows.write_parquet(stream, compression="zstd", metadata=bound)
        data = stream.getvalue()
        digest = sha256(data).hexdigest()
        path = f"{month}/{first:06d}-{last:06d}-{digest[:12]}.parquet"
        make_folder(self.folder / month)
        put(self.folder / path, data)
        return TableFile(path, month, digest, rows.height, first, last)

    def merged(self, files: Sequence[TableFile]) -> tuple[TableFile, ...]:
        """Merge the files of months that have many."""
        found: list[TableFile] = []
        for month in sorted({file.month for file in files}):
            own = [file for file in files if file.month == month]
            if len(own) > MANY_FILES:
                own = [self.write(month, pl.concat(self.frame(file) for file in own))]
            found.extend(own)
        return tuple(sorted(found, key=lambda file: file.path))

    def intact(self, file: TableFile) -> bool:
        try:
            return sha256(read(self.folder / file.path)).hexdigest() == file.sha256
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
        try:
            data = read(path)
        except FileNotFoundError:
            raise IntegrityError(f"{path} is missing", fix=REBUILD) from None
        if sha256(data).hexdigest() != file.sha256:
            raise IntegrityError(f"{path} is not what the index says", fix=REBUILD)
        return pl.read_parquet(io.BytesIO(data), columns=list(columns))

    def held(self, index: Index) -> pl.DataFrame:
        """``id``, ``canonical``, ``created_at`` and ``leaf`` of every row."""
        columns = ["id", "canonical", "created_at", "leaf"]
        empty = pl.DataFrame(schema={name: TABLE_SCHEMA[name] for name in columns})
        return pl.concat([empty, *(self.frame(file, columns) for file in index.files)])

    def discard(self) -> None:
        """Forget the table: the next refresh makes it anew."""
        remove(self.folder / INDEX)

    def tidy(self, index: Index) -> None:
        """Remove files that the index does not name: leftovers of merges and killed runs."""
        kept = {file.path for file in index.files}
        for month in names(self.folder):
            if month == INDEX or not (self.folder / month).is_dir():
                continue
            sweep(self.folder / month)
            for name in names(self.folder / month):
                if f"{month}/{name}" not in kept:
                    remove(self.folder / month / name)


def index_of(data: bytes) -> Index | None:
    """The index in sealed bytes, or None when a bit of them changed."""
    try:
        found = opened(data)
        return parsed(found[0], Index, INDEX) if found else None
    except msgspec.DecodeError:
        return None


REBUILD = "It is rebuilt from the evidence the next time the archive is read"


def groups(waiting: Sequence[Sealed]) -> Iterable[list[Sealed]]:
    """Segments in groups of about CHUNK_ROWS rows, in order."""
    group: list[Sealed] = []
    rows = 0
    for item in waiting:
        group.append(item)
        rows += item[1].rows
        if rows >= CHUNK_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def decoded(archive: Path, segments: Sequence[Sealed]) -> pl.DataFrame:
    """Rows (TABLE_SCHEMA, unclassified) of segments, in order. Raises IntegrityError."""
    records: list[bytes] = []
    numbers: list[int] = []
    for manifest, note in segments:
        found = records_of(archive, note)
        records.extend(found)
        numbers.extend([manifest.sequence] * len(found))
    source = segments[0][0].source if segments else ""
    result = decode_records(records, source=source)
    refused = {item.index for item in result.rejected}
    kept = [row for row in range(len(records)) if row not in refused]
    return result.events.with_columns(
        pl.Series("canonical", [canonical(records[row]) for row in kept], pl.Binary),
        pl.Series("segment", [numbers[row] for row in kept], pl.Int32),
    )


def classified(rows: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    """The same rows with ``action`` and ``action_group``, columns of TABLE_SCHEMA in order."""
    extra = ["canonical", "segment"]
    events = classify(rows.select(*EVENT_SCHEMA), classifier)
    return pl.concat([events, rows.select(extra)], how="horizontal").select(*TABLE_SCHEMA)


def fresh(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The rows whose id and content the ledger does not hold yet."""
    states = ledger.take(
        keys_of(rows["id"]),
        contents_of(rows["canonical"].to_list()),
        rows["created_at"].to_physical().to_numpy(),
    )
    return rows.filter(pl.Series(states) != KNOWN)


def in_period(period: Period | None) -> pl.Expr:
    """Whether an event is in the period; all are when there is none."""
    if period is None:
        return pl.lit(value=True)
    return (pl.col("created_at") >= period.start) & (pl.col("created_at") < period.end)


def months_of(period: Period | None) -> tuple[str, str]:
    """First and last month (UTC) of a period, as they are written in the index."""
    if period is None:
        return "", "~"
    last: datetime = period.end
    return f"{period.start:%Y-%m}", f"{last:%Y-%m}"
