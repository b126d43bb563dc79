"""The event table: rows made from the records of sealed segments, kept as Parquet by month.

An index names its files, their hashes and what they stand for. Reading needs no lock, and parses
nothing whose hash does not match; what is missing or damaged is made anew from the evidence.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from auditlens.archive.chain import Chain, read_chain
from auditlens.archive.dedup import KNOWN, SeenIndex, keys_of
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
from auditlens.archive.segment import EVIDENCE, Evidence, places_of, records_of
from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError, LockHeld, SourceError, UsageError
from auditlens.events import (
    EVENT_SCHEMA,
    Classifier,
    KnownKinds,
    classify,
    dated,
    decode_records,
)
from auditlens.files import lock, make_folder, names, put, read, remove, sweep
from auditlens.period import Period

__all__ = [
    "CHUNK_ROWS",
    "INDEX",
    "MISDATED",
    "ORDER",
    "PLACE",
    "TABLE",
    "TABLE_SCHEMA",
    "Index",
    "Sealed",
    "Table",
    "TableFile",
    "classified",
    "dated_rows",
    "decoded",
    "fresh",
    "groups",
    "held_records",
    "held_rows",
    "in_period",
    "index_of",
    "lazy_rows",
    "months_of",
    "rebuild",
    "stamp_of",
]

CHUNK_ROWS = 100_000
"""Rows decoded, classified and written at a time."""

PLACE: dict[str, pl.DataType] = {"segment": pl.Int32(), "row": pl.Int32()}

TABLE_SCHEMA: dict[str, pl.DataType] = {**EVENT_SCHEMA, **PLACE}
"""The columns on disk: those of an event, its segment's manifest, and its row there (from 0)."""

ORDER = ["created_at", "id", "leaf"]

Sealed = tuple[Manifest, SegmentNote]


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
    rows: list[int] = []
    for manifest, note in segments:
        records.extend(records_of(archive, note))
        numbers.extend([manifest.sequence] * note.rows)
        rows.extend(range(note.rows))
    source = segments[0][0].source if segments else ""
    result = decode_records(records, source=source)
    refused = [item.index for item in result.rejected]
    kept = np.delete(np.arange(len(records)), refused)
    places = pl.DataFrame({"segment": numbers, "row": rows}, schema_overrides=PLACE)
    return pl.concat([result.events, places[kept]], how="horizontal")


def classified(
    rows: pl.DataFrame, classifier: Classifier, known: KnownKinds | None = None
) -> pl.DataFrame:
    """The same rows with ``action`` and ``action_group``, columns of TABLE_SCHEMA in order."""
    events = classify(rows.select(*EVENT_SCHEMA), classifier, known)
    return pl.concat([events, rows.select(*PLACE)], how="horizontal").select(*TABLE_SCHEMA)


def fresh(rows: pl.DataFrame, seen_index: SeenIndex, evidence: Evidence) -> pl.DataFrame:
    """The rows whose id and content the seen_index does not hold yet; it holds them afterwards."""
    keys, places = keys_of(rows["id"]), places_of(rows)
    own = places.tolist()
    new = seen_index.states(keys, lambda row: evidence.record(own[row]), evidence.record) != KNOWN
    times = rows["created_at"].to_physical().to_numpy()
    seen_index.hold(keys[new], places[new], times[new])
    return rows.filter(pl.Series(new, dtype=pl.Boolean))


def dated_rows(rows: pl.DataFrame, sealed: Sequence[Sealed]) -> pl.Series:
    """Of each row (``created_at``, ``segment``) whether it belongs to its date.

    What counts is when the segment was sealed that brought it, so the answer never changes.
    """
    pulled = pl.DataFrame(
        {
            "segment": [manifest.sequence for manifest, _ in sealed],
            "pulled": [manifest.at for manifest, _ in sealed],
        },
        schema={"segment": pl.Int32, "pulled": pl.Datetime("us", "UTC")},
    )
    joined = rows.select("created_at", "segment").join(
        pulled, on="segment", how="left", maintain_order="left"
    )
    return joined.select(dated(pl.col("pulled")).alias("dated"))["dated"]


def in_period(period: Period | None) -> pl.Expr:
    """Whether an event is in the period; all are when there is none."""
    if period is None:
        return pl.lit(value=True)
    return (pl.col("created_at") >= period.start) & (pl.col("created_at") < period.end)


def months_of(period: Period | None) -> tuple[str, str]:
    """First and last month (UTC) of a period, as they are written in the index."""
    if period is None:
        return "", "~"
    # strftime writes years before 1000 with fewer digits, and those sort after the others.
    first, last = (f"{at.year:04d}-{at.month:02d}" for at in (period.start, period.end))
    return first, last


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


TABLE = "table"
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

    @cached_property
    def kinds(self) -> KnownKinds:
        """What kinds were found to be while rows were added."""
        return KnownKinds()

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
            seen_index, evidence = (
                SeenIndex.of(self.held(index)),
                Evidence.of(archive, chain.segments),
            )
            for group in groups(waiting):
                rows = fresh(decoded(archive, group), seen_index, evidence)
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
        rows = classified(rows, self.classifier, self.kinds)
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


TRIES = 3
"""How often a reader looks again when a writer replaced a file under it."""


def held_rows(
    folder: Path,
    table: Table,
    period: Period | None = None,
    columns: Iterable[str] = TABLE_SCHEMA,
) -> tuple[Chain, pl.DataFrame]:
    """The chain and the rows of a period it seals, in no particular order.

    Raises IntegrityError when chain or evidence is damaged; a damaged table is rebuilt.
    """
    columns = list(columns)
    for _ in range(TRIES):
        index, chain = current(folder, table)
        if index is None or index.waiting(chain):
            break
        try:
            return chain, joined(table, index, period, columns)
        except IntegrityError:
            continue
    chain, index = refreshed(folder, table)
    if index:
        return chain, joined(table, index, period, columns)
    rows = from_evidence(folder, table, chain)
    if period is not None:
        rows = rows.filter(dated_rows(rows, chain.segments)).filter(in_period(period))
    return chain, rows.select(columns)


def held_records(folder: Path, table: Table, ids: Collection[str]) -> pl.DataFrame:
    """Where the records of these events are sealed, and their exact bytes.

    Columns as in ``Archive.records``. Raises IntegrityError when the evidence is damaged.
    """
    chain, rows = held_rows(folder, table, columns=["id", "leaf", *PLACE])
    rows = rows.filter(pl.col("id").is_in(list(ids))).sort("id", *PLACE)
    evidence = Evidence.of(folder, chain.segments)
    files = [f"{EVIDENCE}/{evidence.notes[number].file}" for number in rows["segment"]]
    found = [evidence.record(place) for place in places_of(rows).tolist()]
    return rows.select(
        "id",
        pl.Series("file", files, pl.String),
        pl.col("row").cast(pl.Int64) + 1,
        pl.col("leaf").bin.encode("hex").alias("sha256"),
        pl.Series("record", found, pl.Binary),
    )


def current(folder: Path, table: Table) -> tuple[Index | None, Chain]:
    """The index, if it was made from this chain, and the chain."""
    # Index first: a run that seals in between makes the chain longer, never the index newer.
    index = table.index()
    chain = read_chain(folder)
    return index if index and index.holds(chain, table.stamp) else None, chain


def refreshed(folder: Path, table: Table) -> tuple[Chain, Index | None]:
    """Bring the table up to date; without an index when this run may not write."""
    try:
        with lock(folder):
            chain = read_chain(folder)
            return chain, table.refresh(chain, folder)
    except (LockHeld, UsageError, SourceError):
        return read_chain(folder), None


def joined(
    table: Table, index: Index, period: Period | None, columns: Iterable[str]
) -> pl.DataFrame:
    columns = list(columns)
    wanted = list(dict.fromkeys([*columns, "created_at"]))
    empty = pl.DataFrame(schema={name: TABLE_SCHEMA[name] for name in wanted})
    frames = [table.frame(file, wanted).filter(in_period(period)) for file in of(index, period)]
    return pl.concat([empty, *frames]).select(columns)


def of(index: Index, period: Period | None) -> list[TableFile]:
    """The files of the months that a period touches."""
    first, last = months_of(period)
    return [file for file in index.files if first <= file.month <= last]


def from_evidence(folder: Path, table: Table, chain: Chain) -> pl.DataFrame:
    """All rows, decoded from the evidence, for a reader that cannot write the table."""
    seen_index = SeenIndex.of(pl.DataFrame(schema=TABLE_SCHEMA))
    evidence = Evidence.of(folder, chain.segments)
    frames = [
        classified(fresh(decoded(folder, group), seen_index, evidence), table.classifier)
        for group in groups(chain.segments)
    ]
    return pl.concat([pl.DataFrame(schema=TABLE_SCHEMA), *frames])


def lazy_rows(folder: Path, table: Table) -> pl.LazyFrame:
    """All rows (TABLE_SCHEMA) as a scan over files whose hashes were just checked."""
    index, chain = current(folder, table)
    if index is None or index.waiting(chain) or not all(map(table.intact, index.files)):
        chain, index = refreshed(folder, table)
    if index is None:
        return from_evidence(folder, table, chain).lazy()
    if not index.files:
        return pl.LazyFrame(schema=TABLE_SCHEMA)
    return pl.scan_parquet([table.folder / file.path for file in index.files])


def rebuild(folder: Path, table: Table) -> None:
    """Make the table anew from the evidence. Raises LockHeld, IntegrityError."""
    with lock(folder):
        chain = read_chain(folder)
        table.refresh(chain, folder, anew=True)
