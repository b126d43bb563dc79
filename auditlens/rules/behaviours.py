"""Evaluates the behaviours first_seen, dormant_return, off_hours, deviation and silence.

Each compares the hits of its rules with the subject's past (or its peers). Where the past is too
short to judge, the hit is "learning": counted, and no finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from auditlens.rules.dictionary import Rows, members_apart, part_of, text_of
from auditlens.rules.episodes import Evidence, evidence
from auditlens.rules.rule import Behaviour

__all__ = ["behaviour_hits", "deviation", "silence"]

SECOND = 1_000_000
HOLIDAY = 7 * 24
"""Slot of the first hour of holidays, after those of the week."""


@dataclass(frozen=True)
class GroupedEvents:
    """Every event with its group keys, and when each group was first met (``born``)."""

    events: pl.DataFrame
    groups: list[str]

    @cached_property
    def births(self) -> pl.DataFrame:
        return self.events.group_by(self.groups).agg(pl.col("time").min().alias("born"))


@dataclass(frozen=True)
class Calendar:
    """Whose hours and days count: an IANA zone, and the days in it without ordinary work."""

    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True)
class BehaviourInput:
    """The hits to judge and, for the past, every event: row, time and group keys.

    Columns are ``row``, ``time``, ``g0``, ``g1`` and so on. Times are in microseconds. A null
    group key leaves an event out. ``first`` and ``last`` are the first and the last instant of
    the log.
    """

    hits: pl.DataFrame
    grouped: GroupedEvents
    groups: list[str]
    first: int
    last: int
    frame: pl.DataFrame
    calendar: Calendar

    @property
    def events(self) -> pl.DataFrame:
        return self.grouped.events


def behaviour_hits(
    body: Behaviour,
    frame: pl.DataFrame,
    times: pl.Series,
    inputs: Sequence[Rows],
    calendar: Calendar,
    grouped_by: dict[tuple[str, ...], GroupedEvents],
) -> tuple[Evidence, int]:
    """Judge the hits of a behaviour's rules; return its evidence and how many are learning.

    ``known`` keeps the events by group keys for the next behaviour of the same run.
    """
    hit = np.zeros(frame.height, dtype=np.bool_)
    for rows in inputs:
        hit[rows] = True
    groups = [f"g{n}" for n in range(len(body.group_by))]
    if body.group_by not in grouped_by:
        every = pl.Series("row", np.arange(frame.height), dtype=pl.Int64)
        grouped_by[body.group_by] = GroupedEvents(
            group_keys(body.group_by, frame, times, every), groups
        )
    events = grouped_by[body.group_by].events
    given = BehaviourInput(
        hits=events.filter(hit[events.get_column("row")]).sort(*groups, "time", "row"),
        grouped=grouped_by[body.group_by],
        groups=groups,
        first=int(times.min() or 0),  # type: ignore[arg-type]
        last=int(times.max() or 0),  # type: ignore[arg-type]
        frame=frame,
        calendar=calendar,
    )
    judge = {
        "first_seen": first_seen,
        "dormant_return": dormant_return,
        "off_hours": off_hours,
        "deviation": deviation,
        "silence": silence,
    }[body.type]
    return judge(given, body.settings)


def group_keys(
    group_by: Sequence[str], frame: pl.DataFrame, times: pl.Series, rows: pl.Series
) -> pl.DataFrame:
    """Return row, time and group keys; a list key gives a line for each member."""
    columns = [text_of(frame, name).alias(f"g{n}") for n, name in enumerate(group_by)]
    table = pl.DataFrame({"row": rows, "time": times}).with_columns(columns)
    return members_apart(table).drop_nulls()


def over_groups(expression: pl.Expr, groups: list[str]) -> pl.Expr:
    """Apply within each group; without groups, over everything."""
    return expression.over(groups) if groups else expression


def with_history(given: BehaviourInput, seconds: int) -> pl.DataFrame:
    """Add ``known``: both the log and the group have been there for so long at the hit."""
    if not given.groups:
        born = given.hits.with_columns(pl.lit(given.first).alias("born"))
    else:
        born = given.hits.join(
            given.grouped.births, on=given.groups, how="left", maintain_order="left"
        )
    since = pl.max_horizontal("born", pl.lit(given.first))
    return born.with_columns((pl.col("time") - since >= seconds * SECOND).alias("known"))


def first_seen(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A value not met with this group within ``history``."""
    table = with_history(given, settings["min-history"])
    values = []
    for n, field in enumerate(settings["field"]):
        part = part_of(given.frame, [field], table.get_column("row"))
        table = table.with_columns(text_of(part, field).alias(f"v{n}"))
        values.append(f"v{n}")
    table = members_apart(table)
    keys = [*given.groups, *values]
    table = table.drop_nulls(values).sort(*keys, "time", "row")
    # The previous instant at which the pair was met; hits at the same instant are one meeting.
    instant = table.select(*keys, "time").unique(maintain_order=True)
    instant = instant.with_columns(pl.col("time").shift(1).over(keys).alias("before"))
    table = table.join(instant, on=[*keys, "time"], maintain_order="left")
    gap = pl.col("time") - pl.col("before")
    new = table.filter((gap > settings["history"] * SECOND).fill_null(True))
    confirmed = new.filter("known")
    metrics = pl.lit(float(len(values)))
    return hourly_episodes(confirmed, given.groups, metrics, pl.lit(None, pl.Float64)), learning(
        new
    )


def learning(table: pl.DataFrame) -> int:
    return table.filter(~pl.col("known")).get_column("row").n_unique()


def dormant_return(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A hit after the group was idle; a hole in the log itself is no idleness."""
    idle = settings["idle"] * SECOND
    before = over_groups(pl.col("time").shift(1), given.groups).alias("before")
    instants = given.hits.unique([*given.groups, "time"], maintain_order=True)
    gaps = instants.with_columns(before).filter(pl.col("time") - pl.col("before") >= idle)
    holes = log_gaps(given, idle // 2)
    blind = gaps.join_where(
        holes, pl.col("from") < pl.col("time"), pl.col("to") > pl.col("before")
    ).select("row").unique()  # fmt: skip
    table = gaps.with_columns(
        ~pl.col("row").is_in(blind.get_column("row").implode()).alias("known")
    )
    days = (pl.col("time") - pl.col("before")) / (86_400 * SECOND)
    limit = pl.lit(settings["idle"] / 86_400)
    return hourly_episodes(table.filter("known"), given.groups, days, limit), learning(table)


def log_gaps(given: BehaviourInput, longest: int) -> pl.DataFrame:
    """Return the stretches (``from``, ``to``) longer than ``longest`` in which nothing happened."""
    times = given.events.select("time")
    if not times.get_column("time").is_sorted():
        times = times.sort("time")
    holes = times.select(pl.col("time").shift(1).alias("from"), pl.col("time").alias("to"))
    return holes.filter(pl.col("to") - pl.col("from") > longest)


def off_hours(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A hit in an hour (of the week, or of the day) in which the group is not usually active."""
    history = settings["history"] // 86_400
    weekly = settings["slots"] == "hour-of-week"
    events = given.events
    if given.groups:
        events = events.join(given.hits.select(given.groups).unique(), on=given.groups, how="semi")
    active = with_slots(events, given.calendar, weekly=weekly)
    active = active.select(*given.groups, "slot", "day").unique()
    table = with_slots(with_history(given, settings["min-history"]), given.calendar, weekly=weekly)
    keys = [*given.groups, "slot"]
    days = table.select(*keys, "day").unique().join(
        active.rename({"day": "past"}), on=keys, how="left"
    )  # fmt: skip
    past = (pl.col("past") < pl.col("day")) & (
        pl.col("past") >= pl.col("day") - pl.duration(days=history)
    )
    usual = days.group_by(*keys, "day").agg(past.fill_null(False).sum().alias("usual"))
    table = table.join(usual, on=[*keys, "day"], maintain_order="left")
    odd = table.filter(pl.col("usual") < settings["min-days"])
    limit = pl.lit(float(settings["min-days"]))
    confirmed = odd.filter("known")
    return hourly_episodes(
        confirmed, given.groups, pl.col("usual").cast(pl.Float64), limit
    ), learning(odd)


def with_slots(table: pl.DataFrame, calendar: Calendar, *, weekly: bool) -> pl.DataFrame:
    """Add the local ``day`` and the ``slot``: the hour, by weekday when ``weekly``.

    Hours of holidays are slots of their own, compared with those of earlier holidays alone.
    """
    local = pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC")
    local = local.dt.convert_time_zone(calendar.timezone)
    slot = local.dt.hour().cast(pl.Int64)
    if weekly:
        slot = slot + (local.dt.weekday().cast(pl.Int64) - 1) * 24
    table = table.with_columns(slot.alias("slot"), local.dt.date().alias("day"))
    if not calendar.holidays:
        return table
    free = pl.col("day").is_in(sorted(calendar.holidays))
    return table.with_columns(pl.when(free).then(pl.col("slot") % 24 + HOLIDAY).otherwise("slot"))


def hourly_episodes(
    table: pl.DataFrame, groups: list[str], value: pl.Expr, expected: pl.Expr
) -> Evidence:
    """Make the hits of one group on one stretch of at most an hour one episode."""
    table = table.with_columns(value.alias("value"), expected.alias("expected"))
    table = table.sort(*groups, "time", "row")
    begins = over_groups(pl.col("time").diff(), groups) > 3600 * SECOND
    table = table.with_columns(
        (begins.fill_null(True).cum_sum() - 1).cast(pl.Int64).alias("episode")
    )
    return evidence(table)


BUCKETS = {"1d": 86_400, "1h": 3600}
MAD_TO_SIGMA = 1.4826


def deviation(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A bucket of time with far more hits (or distinct values) than the group or its peers had."""
    hits = bucketed(given, given.hits, settings["bucket"])
    measured = pl.len().cast(pl.Float64)
    if settings["measure"] == "distinct":
        part = part_of(given.frame, settings["field"], hits.get_column("row"))
        hits = hits.with_columns(text_of(part, settings["field"][0]).alias("value"))
        hits = members_apart(hits)
        measured = pl.col("value").drop_nulls().n_unique().cast(pl.Float64)
    keys = [*given.groups, "bucket"]
    values = hits.group_by(keys, maintain_order=True).agg(measured.alias("value"))
    compare = own_past if settings["baseline"] == "own" else peers
    candidates = values.filter(pl.col("value") >= settings["at-least"])
    judged = compare(given, settings, values, candidates)
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


def bucketed(given: BehaviourInput, table: pl.DataFrame, bucket: str) -> pl.DataFrame:
    """Number the local days or hours since 1970 (``bucket``)."""
    local = pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC")
    local = local.dt.convert_time_zone(given.calendar.timezone).dt.replace_time_zone(None)
    number = local.dt.epoch("s") // BUCKETS[bucket]
    return table.with_columns(number.cast(pl.Int64).alias("bucket"))


def own_past(
    given: BehaviourInput,
    settings: Mapping[str, Any],
    values: pl.DataFrame,
    candidates: pl.DataFrame,
) -> pl.DataFrame:
    """Give each candidate the group's earlier buckets, the empty ones as zeros (``past``)."""
    groups = given.groups
    width = max(1, settings["history"] // BUCKETS[settings["bucket"]])
    events = bucketed(given, given.events, settings["bucket"])
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
    given: BehaviourInput,
    settings: Mapping[str, Any],
    values: pl.DataFrame,
    candidates: pl.DataFrame,
) -> pl.DataFrame:
    """Give each candidate the same bucket of the others of its kind (``past``)."""
    groups = given.groups
    part = part_of(given.frame, [settings["peer-by"]], given.events.get_column("row"))
    kinds = given.events.with_columns(text_of(part, settings["peer-by"]).alias("peer"))
    kinds = members_apart(kinds)
    kinds = kinds.drop_nulls("peer").sort("time", "row").group_by(groups).agg(pl.col("peer").last())
    values = values.join(kinds, on=groups, how="left", nulls_equal=True)
    own = candidates.join(kinds, on=groups, how="left").with_row_index("candidate")
    other_values = values.rename({"value": "was", **{name: f"other_{name}" for name in groups}})
    joined = own.join(other_values, on=["bucket", "peer"], how="left")
    same = pl.all_horizontal(pl.col(name) == pl.col(f"other_{name}") for name in groups)
    past = joined.group_by("candidate", "bucket", "value", *groups).agg(
        pl.col("was").filter(~same.fill_null(True)).alias("past")
    )
    enough = pl.col("past").list.len() >= settings["min-peers"]
    return past.with_columns(enough.alias("known")).drop("candidate")


def silence(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """Two hits further apart than allowed and than the group's own longest gap so far.

    The silence that still lasts when the log ends counts where others are still heard.
    """
    groups = given.groups
    instants = given.hits.unique([*groups, "time"], maintain_order=True).sort(*groups, "time")
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
            pl.lit(given.last, pl.Int64).alias("time"),
        )
        gaps = pl.concat([gaps, open_end.select(gaps.columns)])
    gaps = gaps.with_columns((pl.col("time") - pl.col("before")).alias("gap"))
    judged = against_past(given, settings, gaps)
    judged = judged.filter(pl.col("gap") > settings["for"] * SECOND)
    silences = judged.filter(pl.col("known") & (pl.col("gap") > pl.col("limit")))
    silences = silences.sort(*groups, "time").with_row_index("episode")
    silences = silences.with_columns(
        pl.col("episode").cast(pl.Int64),
        (pl.col("gap") / (3600 * SECOND)).alias("value"),
        (pl.col("limit") / (3600 * SECOND)).alias("expected"),
    )
    ends = silences.with_columns(pl.concat_list("start", "row").alias("row")).explode("row")
    return evidence(ends.sort("episode", "row"), last_only=True), judged.filter(
        ~pl.col("known")
    ).height


def against_past(
    given: BehaviourInput, settings: Mapping[str, Any], gaps: pl.DataFrame
) -> pl.DataFrame:
    """Add ``limit`` (the longest earlier gap times the factor, at least ``for``) and ``known``."""
    groups = given.groups
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
    age = pl.col("before") - (pl.col("born") if groups else pl.lit(given.first))
    return judged.with_columns(
        allowed.alias("limit"), (age >= settings["min-history"] * SECOND).alias("known")
    )
