"""Behaviours measured against a baseline of numbers: deviation and silence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from auditlens.rules.episodes import Evidence, evidence
from auditlens.rules.timeline import members_apart, part_of, text_of

if TYPE_CHECKING:
    from auditlens.rules.habits import Watched

__all__ = ["deviation", "silence"]

SECOND = 1_000_000
BUCKETS = {"1d": 86_400, "1h": 3600}
MAD_TO_SIGMA = 1.4826


def deviation(watched: Watched, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A bucket of time with far more hits (or distinct values) than the group or its peers had."""
    hits = bucketed(watched, watched.hits, settings["bucket"])
    measured = pl.len().cast(pl.Float64)
    if settings["measure"] == "distinct":
        part = part_of(watched.frame, settings["field"], hits.get_column("row"))
        hits = hits.with_columns(text_of(part, settings["field"][0]).alias("value"))
        hits = members_apart(hits)
        measured = pl.col("value").drop_nulls().n_unique().cast(pl.Float64)
    keys = [*watched.groups, "bucket"]
    values = hits.group_by(keys, maintain_order=True).agg(measured.alias("value"))
    compare = own_past if settings["baseline"] == "own" else peers
    candidates = values.filter(pl.col("value") >= settings["at-least"])
    judged = compare(watched, settings, values, candidates)
    middle = pl.col("past").list.median()
    judged = judged.with_columns(middle.alias("middle")).with_columns(
        pl.col("past")
        .list.eval((pl.element() - pl.element().median()).abs())
        .list.median()
        .alias("spread")
    )
    spread = pl.max_horizontal(
        pl.col("spread") * MAD_TO_SIGMA, pl.col("middle").sqrt(), pl.lit(1.0)
    )
    limit = (pl.col("middle") + settings["factor"] * spread).round(6)
    judged = judged.with_columns(limit.alias("expected"))
    learning = judged.filter(~pl.col("known"))
    high = judged.filter(pl.col("known") & (pl.col("value") > pl.col("expected")))
    high = high.sort(keys).with_row_index("episode").with_columns(pl.col("episode").cast(pl.Int64))
    found = hits.drop("value", strict=False).join(high, on=keys).unique(["episode", "row"])
    return evidence(found.sort("episode", "time", "row"), last_only=True), learning.height


def bucketed(watched: Watched, table: pl.DataFrame, bucket: str) -> pl.DataFrame:
    """Number the local days or hours since 1970 (``bucket``)."""
    local = pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC")
    local = local.dt.convert_time_zone(watched.calendar.timezone).dt.replace_time_zone(None)
    number = local.dt.epoch("s") // BUCKETS[bucket]
    return table.with_columns(number.cast(pl.Int64).alias("bucket"))


def own_past(
    watched: Watched, settings: Mapping[str, Any], values: pl.DataFrame, candidates: pl.DataFrame
) -> pl.DataFrame:
    """Give each candidate the group's earlier buckets, the empty ones as zeros (``past``)."""
    groups = watched.groups
    width = max(1, settings["history"] // BUCKETS[settings["bucket"]])
    events = bucketed(watched, watched.events, settings["bucket"])
    born = pl.col("bucket").min().alias("born")
    births = events.group_by(groups).agg(born) if groups else events.select(born)
    candidates = (
        candidates.join(births, on=groups, how="left")
        if groups
        else candidates.join(births, how="cross")
    )
    earlier = values.rename({"bucket": "then", "value": "was"})
    joined = (
        candidates.join(earlier, on=groups, how="left")
        if groups
        else candidates.join(earlier, how="cross")
    )
    inside = (pl.col("then") < pl.col("bucket")) & (pl.col("then") >= pl.col("bucket") - width)
    past = joined.group_by(*groups, "bucket", "value", "born").agg(
        pl.col("was").filter(inside.fill_null(False)).alias("past")
    )
    available = pl.min_horizontal(pl.lit(width), pl.col("bucket") - pl.col("born"))
    zeros = pl.lit(0.0).repeat_by((available - pl.col("past").list.len()).clip(0))
    return past.with_columns(
        pl.concat_list("past", zeros).alias("past"),
        (available >= settings["min-buckets"]).alias("known"),
    )


def peers(
    watched: Watched, settings: Mapping[str, Any], values: pl.DataFrame, candidates: pl.DataFrame
) -> pl.DataFrame:
    """Give each candidate the same bucket of the others of its kind (``past``)."""
    groups = watched.groups
    part = part_of(watched.frame, [settings["peer-by"]], watched.events.get_column("row"))
    kinds = watched.events.with_columns(text_of(part, settings["peer-by"]).alias("peer"))
    kinds = members_apart(kinds)
    kinds = kinds.drop_nulls("peer").sort("time", "row").group_by(groups).agg(pl.col("peer").last())
    values = values.join(kinds, on=groups, how="left", nulls_equal=True)
    own = candidates.join(kinds, on=groups, how="left").with_row_index("candidate")
    others = values.rename({"value": "was", **{name: f"other_{name}" for name in groups}})
    joined = own.join(others, on=["bucket", "peer"], how="left")
    same = pl.all_horizontal(pl.col(name) == pl.col(f"other_{name}") for name in groups)
    past = joined.group_by("candidate", "bucket", "value", *groups).agg(
        pl.col("was").filter(~same.fill_null(True)).alias("past")
    )
    enough = pl.col("past").list.len() >= settings["min-peers"]
    return past.with_columns(enough.alias("known")).drop("candidate")


def silence(watched: Watched, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """Two hits further apart than allowed and than the group's own longest gap so far.

    The silence that still lasts when the log ends counts where others are still heard.
    """
    groups = watched.groups
    instants = watched.hits.unique([*groups, "time"], maintain_order=True).sort(*groups, "time")
    before = pl.col("time").shift(1)
    gaps = instants.with_columns(
        (before.over(groups) if groups else before).alias("before"),
        (pl.col("row").shift(1).over(groups) if groups else pl.col("row").shift(1)).alias("start"),
    ).drop_nulls("before")
    if groups:
        last = instants.group_by(groups).agg(pl.col("time").last(), pl.col("row").last())
        open_end = last.with_columns(
            pl.col("time").alias("before"),
            pl.col("row").alias("start"),
            pl.lit(watched.last, pl.Int64).alias("time"),
        )
        gaps = pl.concat([gaps, open_end.select(gaps.columns)])
    gaps = gaps.with_columns((pl.col("time") - pl.col("before")).alias("gap"))
    judged = against_past(watched, settings, gaps)
    judged = judged.filter(pl.col("gap") > settings["for"] * SECOND)
    found = judged.filter(pl.col("known") & (pl.col("gap") > pl.col("limit")))
    found = found.sort(*groups, "time").with_row_index("episode")
    found = found.with_columns(
        pl.col("episode").cast(pl.Int64),
        (pl.col("gap") / (3600 * SECOND)).alias("value"),
        (pl.col("limit") / (3600 * SECOND)).alias("expected"),
    )
    ends = found.with_columns(pl.concat_list("start", "row").alias("row")).explode("row")
    return evidence(ends.sort("episode", "row"), last_only=True), judged.filter(
        ~pl.col("known")
    ).height


def against_past(watched: Watched, settings: Mapping[str, Any], gaps: pl.DataFrame) -> pl.DataFrame:
    """Add ``limit`` (the longest earlier gap times the factor, at least ``for``) and ``known``."""
    groups = watched.groups
    # The gap before ended where this one began: the row before holds all that was earlier.
    longest = (
        pl.col("gap")
        .rolling_max_by("ended", window_size=timedelta(seconds=settings["history"]), closed="both")
        .shift(1)
    )
    born = pl.col("before").min()
    judged = gaps.sort(*groups, "time").with_columns(
        pl.from_epoch("time", time_unit="us").alias("ended")
    )
    judged = judged.with_columns(
        (longest.over(groups) if groups else longest).fill_null(0).alias("longest"),
        (born.over(groups) if groups else born).alias("born"),
    )
    allowed = pl.max_horizontal(
        (pl.col("longest") * settings["factor"]).cast(pl.Int64), pl.lit(settings["for"] * SECOND)
    )
    age = pl.col("before") - (pl.col("born") if groups else pl.lit(watched.first))
    return judged.with_columns(
        allowed.alias("limit"), (age >= settings["min-history"] * SECOND).alias("known")
    )
