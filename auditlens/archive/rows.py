"""Rows of the event table, made from the records of sealed segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from auditlens.actions import Classifier, classify
from auditlens.archive.evidence import Evidence, places_of
from auditlens.archive.ledger import KNOWN, Ledger, keys_of
from auditlens.archive.manifest import Manifest, SegmentNote
from auditlens.archive.segment import records_of
from auditlens.events import EVENT_SCHEMA
from auditlens.events.dates import dated
from auditlens.events.decode import decode_records
from auditlens.period import Period

__all__ = [
    "CHUNK_ROWS",
    "ORDER",
    "PLACE",
    "TABLE_SCHEMA",
    "Sealed",
    "classified",
    "dated_rows",
    "decoded",
    "fresh",
    "groups",
    "in_period",
    "months_of",
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


def classified(rows: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    """The same rows with ``action`` and ``action_group``, columns of TABLE_SCHEMA in order."""
    events = classify(rows.select(*EVENT_SCHEMA), classifier)
    return pl.concat([events, rows.select(*PLACE)], how="horizontal").select(*TABLE_SCHEMA)


def fresh(rows: pl.DataFrame, ledger: Ledger, evidence: Evidence) -> pl.DataFrame:
    """The rows whose id and content the ledger does not hold yet; it holds them afterwards."""
    keys, places = keys_of(rows["id"]), places_of(rows)
    own = places.tolist()
    new = ledger.states(keys, lambda row: evidence.record(own[row]), evidence.record) != KNOWN
    times = rows["created_at"].to_physical().to_numpy()
    ledger.hold(keys[new], places[new], times[new])
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
