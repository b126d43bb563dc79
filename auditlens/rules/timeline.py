"""From hits to a timeline: group keys, aliases, the measured field, all in order of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from auditlens.errors import UsageError
from auditlens.rules.compare import as_times
from auditlens.rules.rule import Correlation
from auditlens.rules.vocabulary import Rows, column_of, encode, places
from auditlens.rules.windows import Timeline

__all__ = ["TIME_COLUMNS", "event_times", "members_apart", "part_of", "text_of", "timeline"]

TIME_COLUMNS = ("created_at", "@timestamp", "timestamp", "eventTime", "UtcTime", "TimeCreated",
                "time", "_time", "ts")  # fmt: skip


def event_times(frame: pl.DataFrame, name: str | None) -> pl.Series:
    """Return the column of event times, in microseconds since 1970 (Int64, null if unreadable)."""
    known = [name] if name else [one for one in TIME_COLUMNS if one in frame.columns]
    if not known or known[0] not in frame.columns:
        raise UsageError(
            "No column of event times was found; correlations need one",
            fix=f"Name it with time=..., or call it one of {', '.join(TIME_COLUMNS[:3])}",
        )
    times = as_times(frame.get_column(known[0]))
    if times is None:
        raise UsageError(
            f"The column {known[0]!r} holds no times", fix="Give datetimes or ISO 8601"
        )
    return times.dt.cast_time_unit("us").to_physical()


def timeline(
    rule: Correlation, frame: pl.DataFrame, times: pl.Series, hits: Sequence[Rows], horizon: int
) -> tuple[Timeline, int]:
    """Lay the hits of the correlation's rules (in their order) on one line.

    Hits without a time or with a null group key are left out; the second value counts those
    without a key. A list in ``group-by`` puts the hit in the group of each member.
    """
    fields = rule.threshold.fields if rule.threshold else ()
    pieces = []
    aliases = [name for mapping in rule.aliases.values() for name in mapping.values()]
    for slot, (rule_id, rows) in enumerate(zip(rule.rules, hits, strict=True)):
        part = part_of(frame, [*rule.group_by, *fields, *aliases], pl.Series(rows))
        columns = [
            text_of(part, rule.aliases.get(name, {}).get(rule_id, name)).alias(f"g{n}")
            for n, name in enumerate(rule.group_by)
        ]
        columns.append(measured(rule, part, rule_id, fields))
        pieces.append(
            pl.DataFrame({"row": rows, "slot": np.full(len(rows), slot)})
            .with_columns(times.gather(rows).alias("time"))
            .with_columns(columns)
            .pipe(members_apart)
        )
    table = pl.concat(pieces, how="vertical_relaxed").drop_nulls("time")
    if table.schema["value"] == pl.Float64:
        finite = pl.col("value").is_finite()
        table = table.with_columns(pl.when(finite).then("value").alias("value"))
    groups = [f"g{n}" for n in range(len(rule.group_by))]
    lost = table.filter(pl.any_horizontal(pl.col(groups).is_null())) if groups else table.clear()
    table = table.drop_nulls(groups) if groups else table
    keys = ["row", *groups] + (["slot"] if rule.type.startswith("temporal") else ["value"])
    table = with_codes(table, groups).unique(keys).sort("group", "time", "row", "slot", "code")
    valued = table.get_column("value").is_not_null().to_numpy()
    line = Timeline(
        row=table.get_column("row").cast(pl.Int64).to_numpy(),
        group=table.get_column("group").cast(pl.Int64).to_numpy(),
        time=table.get_column("time").to_numpy(),
        slot=table.get_column("slot").to_numpy(),
        value=table.get_column("code").to_numpy(),
        valued=valued,
        horizon=horizon,
    )
    return line, lost.get_column("row").n_unique()


def with_codes(table: pl.DataFrame, groups: list[str]) -> pl.DataFrame:
    """Number the groups, and give texts of ``value`` a number each (``code``)."""
    group = pl.lit(0) if not groups else pl.struct(groups).rank("dense") - 1
    if table.schema["value"] == pl.String:
        code = pl.col("value").rank("dense").cast(pl.Float64).fill_null(0)
    else:
        code = pl.col("value").cast(pl.Float64).fill_null(0)
    return table.with_columns(group.cast(pl.Int64).alias("group"), code.alias("code"))


def part_of(frame: pl.DataFrame, fields: Sequence[str], rows: pl.Series) -> pl.DataFrame:
    """Return these rows of the frame, with the columns in which the fields may stand."""
    read = {name for field in fields for name in places(frame, field)}
    # A frame without columns has no rows: one is kept.
    kept = [name for name in frame.columns if name in read] or frame.columns[:1]
    return frame.select(kept)[rows]


def text_of(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a field as folded text, a list field as a list of folded texts; missing as null."""
    column = column_of(frame, name)
    if column is None:
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, frame.height)
    vocabulary = encode(column)
    if vocabulary.members is None:
        codes = pl.Series(vocabulary.codes)
        if vocabulary.nulls.any():
            codes = codes.set(pl.Series(vocabulary.nulls), None)
        return vocabulary.folded.gather(codes).alias(name)
    held = pl.DataFrame(
        {"row": vocabulary.members, "text": vocabulary.folded.gather(vocabulary.codes)}
    )
    lists = held.group_by("row", maintain_order=True).agg("text")
    rows = pl.DataFrame({"row": np.arange(frame.height)})
    return rows.join(lists, on="row", how="left", maintain_order="left").get_column("text")


def members_apart(table: pl.DataFrame) -> pl.DataFrame:
    """Give each member of a list column a line of its own."""
    for name, dtype in table.schema.items():
        if isinstance(dtype, pl.List):
            table = table.explode(name)
    return table


def measured(
    rule: Correlation, part: pl.DataFrame, rule_id: str, fields: tuple[str, ...]
) -> pl.Series:
    """Return the measured field of one rule's hits: texts for value_count, else numbers."""
    if not fields:
        return pl.Series("value", [None], dtype=pl.Float64).new_from_index(0, part.height)
    names = [rule.aliases.get(name, {}).get(rule_id, name) for name in fields]
    if rule.type != "value_count":
        column = column_of(part, names[0])
        if column is None:
            return pl.Series("value", [None], dtype=pl.Float64).new_from_index(0, part.height)
        kind = pl.List(pl.Float64) if isinstance(column.dtype, pl.List) else pl.Float64
        return column.cast(kind, strict=False).alias("value")
    lists = [text_of(part, name) for name in names]
    if len(lists) == 1:
        return lists[0].alias("value")
    table = pl.DataFrame({f"v{n}": one for n, one in enumerate(lists)}).with_row_index("row")
    joined = members_apart(table).select(
        "row", pl.concat_str(pl.exclude("row"), separator="\x1f").alias("value")
    )
    return joined.group_by("row", maintain_order=True).agg("value").get_column("value")
