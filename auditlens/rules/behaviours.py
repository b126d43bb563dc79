"""Evaluates the behaviours first_seen, dormant_return, off_hours, deviation and silence.

Each compares the hits of its rules with the subject's past (or its peers). Where the past is too
short to judge, the hit is "learning": counted, and no finding. All but deviation look at the whole
record, so that what happened once a year ago is not new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from auditlens.events import HIGH_IMPACT
from auditlens.rules.dictionary import Rows, members_apart, part_of, text_of
from auditlens.rules.episodes import Evidence, evidence
from auditlens.rules.hours import Calendar, hour_tails, with_slots
from auditlens.rules.rule import Behaviour

__all__ = ["WHOLE_RECORD", "GroupedEvents", "behaviour_hits", "deviation", "silence"]

WHOLE_RECORD = frozenset({"first_seen", "dormant_return", "off_hours", "silence"})
"""Behaviours that compare with everything on record; deviation looks at the weeks before."""

SECOND = 1_000_000
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class GroupedEvents:
    """Every event with its group keys, and what is known of each group as a whole."""

    events: pl.DataFrame
    groups: list[str]
    calendar: Calendar

    @cached_property
    def births(self) -> pl.DataFrame:
        """When each group was first met: the keys and ``born``."""
        return self.events.group_by(self.groups).agg(pl.col("time").min().alias("born"))

    @cached_property
    def active_days(self) -> pl.DataFrame:
        """The keys, each local ``day`` with events, and how many such ``days`` came before."""
        days = self.events.select(*self.groups, self.calendar.day).unique()
        rank = over_groups(pl.int_range(pl.len(), dtype=pl.Int64), self.groups)
        return days.sort(*self.groups, "day").with_columns(rank.alias("days"))


@dataclass(frozen=True)
class BehaviourInput:
    """The hits to judge and, for the past, every event: row, time and group keys.

    Columns are ``row``, ``time``, ``g0``, ``g1`` and so on. Times are in microseconds. A null
    group key leaves an event out. ``first`` and ``last`` are the first and the last instant of
    the log. Hits before the row ``recent`` are the past alone: they are not judged.
    """

    hits: pl.DataFrame
    grouped: GroupedEvents
    groups: list[str]
    first: int
    last: int
    frame: pl.DataFrame
    calendar: Calendar
    recent: int = 0

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
    recent: int = 0,
) -> tuple[Evidence, Rows]:
    """Judge the hits of a behaviour's rules; return its evidence and the rows that are learning.

    ``grouped_by`` keeps the events by group keys for the next behaviour of the same run. Rows
    before ``recent`` are the past alone.
    """
    hit = np.zeros(frame.height, dtype=np.bool_)
    for rows in inputs:
        hit[rows] = True
    groups = [f"g{n}" for n in range(len(body.group_by))]
    if body.group_by not in grouped_by:
        every = pl.Series("row", np.arange(frame.height), dtype=pl.Int64)
        grouped_by[body.group_by] = GroupedEvents(
            group_keys(body.group_by, frame, times, every), groups, calendar
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
        recent=recent,
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


def with_history(
    given: BehaviourInput, table: pl.DataFrame, settings: Mapping[str, Any]
) -> pl.DataFrame:
    """Add ``days`` (active ones before the hit's) and ``known``: whether the past is long enough.

    It is when log and group have been there for ``min-history`` and there are ``active-days``.
    """
    days = given.grouped.active_days
    table = table.with_columns(given.calendar.day).join(
        days, on=[*given.groups, "day"], how="left", maintain_order="left"
    )
    if given.groups:
        table = table.join(given.grouped.births, on=given.groups, how="left", maintain_order="left")
    else:
        table = table.with_columns(pl.lit(given.first).alias("born"))
    since = pl.max_horizontal("born", pl.lit(given.first))
    old = pl.col("time") - since >= settings["min-history"] * SECOND
    return table.with_columns((old & (pl.col("days") >= settings["active-days"])).alias("known"))


def first_seen(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, Rows]:
    """A value not met with this group before: ever, or within ``history``."""
    table, values = given.hits, []
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
    new = pl.col("before").is_null()
    if settings["history"]:
        new |= pl.col("time") - pl.col("before") > settings["history"] * SECOND
    new_meetings = table.filter(pl.col("row") >= given.recent).filter(new)
    judged = with_history(given, new_meetings, settings)
    confirmed = with_company(given, judged.filter("known"), instant, values)
    since = pl.from_epoch(pl.lit(given.first), time_unit="us").dt.to_string("%Y-%m-%d")
    confirmed = confirmed.with_columns(since.alias("since"))
    metrics = pl.lit(float(len(values)))
    found = hourly_episodes(confirmed, given.groups, metrics, pl.lit(None, pl.Float64))
    return found, learning(judged)


def with_company(
    given: BehaviourInput, new: pl.DataFrame, instant: pl.DataFrame, values: list[str]
) -> pl.DataFrame:
    """Add how many other groups there were before (``others``), and had the value (``peers``)."""
    if not given.groups:
        return new.with_columns(pl.lit(0).alias("peers"), pl.lit(0).alias("others"))
    firsts = instant.group_by(*given.groups, *values).agg(pl.col("time").min().alias("first"))
    moments = new.select(*given.groups, *values, "time").unique()
    met = moments.join(firsts.rename({name: f"other_{name}" for name in given.groups}), on=values)
    same = pl.all_horizontal(pl.col(name) == pl.col(f"other_{name}") for name in given.groups)
    earlier = met.filter(~same, pl.col("first") < pl.col("time"))
    peers = earlier.group_by(*given.groups, *values, "time").len("peers")
    born = given.grouped.births.get_column("born").sort()
    before = pl.Series("others", born.search_sorted(new.get_column("time"), side="left"))
    new = new.with_columns((before.cast(pl.Int64) - 1).clip(0))
    new = new.join(peers, on=[*given.groups, *values, "time"], how="left", maintain_order="left")
    return new.with_columns(pl.col("peers").fill_null(0).cast(pl.Int64))


def learning(table: pl.DataFrame) -> Rows:
    """The rows of the hits whose past is too short."""
    return table.filter(~pl.col("known")).get_column("row").unique().sort().to_numpy()


def dormant_return(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, Rows]:
    """A hit after the group was idle for longer than ever; a hole in the log is no idleness."""
    idle, factor = settings["idle"] * SECOND, settings["factor"]
    before = over_groups(pl.col("time").shift(1), given.groups).alias("before")
    instants = given.hits.unique([*given.groups, "time"], maintain_order=True)
    gaps = instants.with_columns(before).with_columns(
        (pl.col("time") - pl.col("before")).alias("gap")
    )
    # Shorter gaps lie below every threshold, so they need no look at the log.
    gaps = gaps.filter(pl.col("gap") >= idle / max(factor, 1))
    holes = log_gaps(given, idle // 2)
    blind = gaps.join_where(
        holes, pl.col("from") < pl.col("time"), pl.col("to") > pl.col("before")
    ).select("row").unique()  # fmt: skip
    seen = ~pl.col("row").is_in(blind.get_column("row").implode())
    gaps = gaps.with_columns(seen.alias("seen"))
    own = pl.when("seen").then("gap").cum_max().shift(1)
    gaps = gaps.with_columns(over_groups(own, given.groups).fill_null(0).alias("longest"))
    least = pl.col("longest") * factor
    limit = pl.max_horizontal(pl.lit(float(idle)), least)
    gaps = gaps.with_columns(limit.alias("limit")).filter(
        pl.col("row") >= given.recent, pl.col("gap") >= idle, pl.col("gap") > least
    )
    judged = with_history(given, gaps, settings).with_columns(pl.col("known") & pl.col("seen"))
    day = float(DAY_SECONDS * SECOND)
    found = judged.filter("known").with_columns((pl.col("longest") / day).alias("gap_before"))
    if settings["consequential-level"]:
        found = with_level(given, found, settings)
    value, expected = pl.col("gap") / day, pl.col("limit") / day
    return hourly_episodes(found, given.groups, value, expected), learning(judged)


def with_level(
    given: BehaviourInput, found: pl.DataFrame, settings: Mapping[str, Any]
) -> pl.DataFrame:
    """Add the ``level`` of a return that has consequences on its day; null elsewhere.

    It has with a high-impact action, and with at least ``new-resources`` resources that the group
    never used, if these are half or more of the day's.
    """
    keys = given.groups
    mine = (
        given.events.join(found.select(keys).unique(), on=keys, how="semi")
        if keys
        else (given.events)
    )
    part = part_of(given.frame, ["action_group", "resource_id"], mine.get_column("row"))
    mine = mine.with_columns(
        given.calendar.day,
        text_of(part, "action_group").alias("act"),
        text_of(part, "resource_id").alias("resource"),
    )
    used = mine.drop_nulls("resource").select(*keys, "resource", "day").unique()
    fresh = pl.col("day") == pl.col("day").min().over(*keys, "resource")
    met = (
        used.with_columns(fresh.alias("fresh"))
        .group_by(*keys, "day")
        .agg(pl.len().alias("used"), pl.col("fresh").sum())
    )
    acts = mine.group_by(*keys, "day").agg(pl.col("act").is_in(HIGH_IMPACT).any().alias("grave"))
    days = acts.join(met, on=[*keys, "day"], how="left")
    wide = (pl.col("fresh") >= settings["new-resources"]) & (pl.col("fresh") * 2 >= pl.col("used"))
    grave = pl.col("grave").fill_null(False) | wide.fill_null(False)
    level = pl.when(grave).then(pl.lit(settings["consequential-level"]))
    return found.join(days, on=[*keys, "day"], how="left", maintain_order="left").with_columns(
        level.alias("level")
    )


def log_gaps(given: BehaviourInput, longest: int) -> pl.DataFrame:
    """Return the stretches (``from``, ``to``) longer than ``longest`` in which nothing happened."""
    times = given.events.select("time")
    if not times.get_column("time").is_sorted():
        times = times.sort("time")
    holes = times.select(pl.col("time").shift(1).alias("from"), pl.col("time").alias("to"))
    return holes.filter(pl.col("to") - pl.col("from") > longest)


def off_hours(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, Rows]:
    """A hit in an hour (of the day, or of the week) that holds hardly any of the group's activity.

    One episode a group and day; its hour is that of the hit in the rarest one.
    """
    weekly = settings["slots"] == "hour-of-week"
    hits = with_slots(
        given.hits.filter(pl.col("row") >= given.recent), given.calendar, weekly=weekly
    )
    active = with_slots(given.events, given.calendar, weekly=weekly)
    active = active.select(*given.groups, "day", "slot").unique()
    history = settings["history"] // DAY_SECONDS if settings["history"] else None
    tails = hour_tails(
        active, hits.select(*given.groups, "day", "slot").unique(), given.groups,
        weekly=weekly, history=history, spread=settings["spread"], weight=settings["weight"],
    )  # fmt: skip
    keys = [*given.groups, "day"]
    odd = hits.join(tails, on=[*keys, "slot"], maintain_order="left")
    odd = with_history(given, odd.filter(pl.col("tail") <= settings["tail"]), settings)
    found = odd.filter("known").sort(*keys, "time", "row")
    if found.is_empty():
        return evidence(found.with_columns(**NO_EPISODE)), learning(odd)
    hour = pl.format("{}:00", (pl.col("slot") % 24).cast(pl.String).str.zfill(2))
    rarest = hour.sort_by("tail", "slot").first().over(keys)
    found = found.with_columns(
        (pl.struct(keys).rle_id().cast(pl.Int64)).alias("episode"),
        (pl.col("tail").min().over(keys) * 100).alias("value"),
        pl.lit(settings["tail"] * 100).alias("expected"),
        rarest.alias("hour"),
    )
    return evidence(found), learning(odd)


NO_EPISODE = {
    "episode": pl.lit(None, pl.Int64),
    "value": pl.lit(None, pl.Float64),
    "expected": pl.lit(None, pl.Float64),
}


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


def deviation(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, Rows]:
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
    unknown = judged.filter(~pl.col("known")).select(keys)
    # One row stands for a bucket: the last of its hits.
    waiting = hits.join(unknown, on=keys).group_by(keys).agg(pl.col("row").max())
    high = judged.filter(pl.col("known") & (pl.col("value") > pl.col("expected")))
    high = high.sort(keys).with_row_index("episode").with_columns(pl.col("episode").cast(pl.Int64))
    found = hits.drop("value", strict=False).join(high, on=keys).unique(["episode", "row"])
    rows = waiting.get_column("row").unique().sort().to_numpy()
    return evidence(found.sort("episode", "time", "row"), last_only=True), rows


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


def silence(given: BehaviourInput, settings: Mapping[str, Any]) -> tuple[Evidence, Rows]:
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
    judged = judged.filter(pl.col("row") >= given.recent, pl.col("gap") > settings["for"] * SECOND)
    silences = judged.filter(pl.col("known") & (pl.col("gap") > pl.col("limit")))
    silences = silences.sort(*groups, "time").with_row_index("episode")
    silences = silences.with_columns(
        pl.col("episode").cast(pl.Int64),
        (pl.col("gap") / (3600 * SECOND)).alias("value"),
        (pl.col("limit") / (3600 * SECOND)).alias("expected"),
    )
    ends = silences.with_columns(pl.concat_list("start", "row").alias("row")).explode("row")
    return evidence(ends.sort("episode", "row"), last_only=True), learning(judged)


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
    old = age >= settings["min-history"] * SECOND
    # How many intervals ended before this one began.
    intervals = over_groups(pl.int_range(pl.len(), dtype=pl.Int64), groups)
    return judged.with_columns(
        allowed.alias("limit"), (old & (intervals >= settings["min-intervals"])).alias("known")
    )
