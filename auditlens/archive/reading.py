"""Reading the event table: no lock needed, and nothing parsed whose hash does not match."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl

from auditlens.archive.chain import Chain, read_chain
from auditlens.archive.evidence import Evidence, places_of
from auditlens.archive.index import Index, TableFile
from auditlens.archive.ledger import Ledger
from auditlens.archive.rows import (
    PLACE,
    TABLE_SCHEMA,
    classified,
    dated_rows,
    decoded,
    fresh,
    groups,
    in_period,
    months_of,
)
from auditlens.archive.segment import FOLDER
from auditlens.archive.table import Table
from auditlens.errors import IntegrityError, LockHeld, SourceError, UsageError
from auditlens.files import lock
from auditlens.period import Period

__all__ = ["held_records", "held_rows", "lazy_rows", "rebuild"]

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
    files = [f"{FOLDER}/{evidence.notes[number].file}" for number in rows["segment"]]
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
    ledger = Ledger.of(pl.DataFrame(schema=TABLE_SCHEMA))
    evidence = Evidence.of(folder, chain.segments)
    frames = [
        classified(fresh(decoded(folder, group), ledger, evidence), table.classifier)
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
