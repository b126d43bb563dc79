"""Behaviours: what is new, back, out of hours, out of proportion or missing for a subject.

Each compares the hits of its rules with the subject's past (or its peers). Where the past is too
short to judge, the hit is "learning": counted, and no finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from auditlens.rules.baseline import deviation, silence
from auditlens.rules.episodes import Evidence, evidence
from auditlens.rules.rule import Behaviour
from auditlens.rules.timeline import members_apart, part_of, text_of
from auditlens.rules.vocabulary import Rows

__all__ = ["behaviour_hits"]

SECOND = 1_000_000
HOLIDAY = 7 * 24
"""Slot of the first hour of holidays, after those of the week."""


@dataclass(frozen=True)
class Keyed:
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
class Watched:
    """The hits to judge and, for the past, every event: row, time and group keys.

    Columns are ``row``, ``time``, ``g0``, ``g1`` and so on. Times are in microseconds. A null
    group key leaves an event out. ``first`` and ``last`` are the first and the last instant of
    the log.
    """

    hits: pl.DataFrame
    keyed: Keyed
    groups: list[str]
    first: int
    last: int
    frame: pl.DataFrame
    calendar: Calendar

    @property
    def events(self) -> pl.DataFrame:
        return self.keyed.events


def behaviour_hits(
    body: Behaviour,
    frame: pl.DataFrame,
    times: pl.Series,
    inputs: Sequence[Rows],
    calendar: Calendar,
    known: dict[tuple[str, ...], Keyed],
) -> tuple[Evidence, int]:
    """Judge the hits of a behaviour's rules; return its evidence and how many are learning.

    ``known`` keeps the events by group keys for the next behaviour of the same run.
    """
    hit = np.zeros(frame.height, dtype=np.bool_)
    for rows in inputs:
        hit[rows] = True
    groups = [f"g{n}" for n in range(len(body.group_by))]
    if body.group_by not in known:
        every = pl.Series("row", np.arange(frame.height), dtype=pl.Int64)
        known[body.group_by] = Keyed(keyed(body.group_by, frame, times, every), groups)
    events = known[body.group_by].events
    watched = Watched(
        hits=events.filter(hit[events.get_column("row")]).sort(*groups, "time", "row"),
        keyed=known[body.group_by],
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
    return judge(watched, body.settings)


def keyed(
    group_by: Sequence[str], frame: pl.DataFrame, times: pl.Series, rows: pl.Series
) -> pl.DataFrame:
    """Return row, time and group keys; a list key gives a line for each member."""
    columns = [text_of(frame, name).alias(f"g{n}") for n, name in enumerate(group_by)]
    table = pl.DataFrame({"row": rows, "time": times}).with_columns(columns)
    return members_apart(table).drop_nulls()


def over(expression: pl.Expr, groups: list[str]) -> pl.Expr:
    """Apply within each group; without groups, over everything."""
    return expression.over(groups) if groups else expression


def old_enough(watched: Watched, seconds: int) -> pl.DataFrame:
    """Add ``known``: both the log and the group have been there for so long at the hit."""
    if not watched.groups:
        born = watched.hits.with_columns(pl.lit(watched.first).alias("born"))
    else:
        born = watched.hits.join(
            watched.keyed.births, on=watched.groups, how="left", maintain_order="left"
        )
    since = pl.max_horizontal("born", pl.lit(watched.first))
    return born.with_columns((pl.col("time") - since >= seconds * SECOND).alias("known"))


def first_seen(watched: Watched, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A value not met with this group within ``history``."""
    table = old_enough(watched, settings["min-history"])
    values = []
    for n, field in enumerate(settings["field"]):
        part = part_of(watched.frame, [field], table.get_column("row"))
        table = table.with_columns(text_of(part, field).alias(f"v{n}"))
        values.append(f"v{n}")
    table = members_apart(table)
    keys = [*watched.groups, *values]
    table = table.drop_nulls(values).sort(*keys, "time", "row")
    # The previous instant at which the pair was met; hits at the same instant are one meeting.
    instant = table.select(*keys, "time").unique(maintain_order=True)
    instant = instant.with_columns(pl.col("time").shift(1).over(keys).alias("before"))
    table = table.join(instant, on=[*keys, "time"], maintain_order="left")
    gap = pl.col("time") - pl.col("before")
    new = table.filter((gap > settings["history"] * SECOND).fill_null(True))
    fresh = new.filter("known")
    metrics = pl.lit(float(len(values)))
    return by_instant(fresh, watched.groups, metrics, pl.lit(None, pl.Float64)), learning(new)


def learning(table: pl.DataFrame) -> int:
    return table.filter(~pl.col("known")).get_column("row").n_unique()


def dormant_return(watched: Watched, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A hit after the group was idle; a hole in the log itself is no idleness."""
    idle = settings["idle"] * SECOND
    before = over(pl.col("time").shift(1), watched.groups).alias("before")
    instants = watched.hits.unique([*watched.groups, "time"], maintain_order=True)
    gaps = instants.with_columns(before).filter(pl.col("time") - pl.col("before") >= idle)
    holes = log_holes(watched, idle // 2)
    blind = gaps.join_where(
        holes, pl.col("from") < pl.col("time"), pl.col("to") > pl.col("before")
    ).select("row").unique()  # fmt: skip
    table = gaps.with_columns(
        ~pl.col("row").is_in(blind.get_column("row").implode()).alias("known")
    )
    days = (pl.col("time") - pl.col("before")) / (86_400 * SECOND)
    limit = pl.lit(settings["idle"] / 86_400)
    return by_instant(table.filter("known"), watched.groups, days, limit), learning(table)


def log_holes(watched: Watched, longest: int) -> pl.DataFrame:
    """Return the stretches (``from``, ``to``) longer than ``longest`` in which nothing happened."""
    times = watched.events.select("time")
    if not times.get_column("time").is_sorted():
        times = times.sort("time")
    holes = times.select(pl.col("time").shift(1).alias("from"), pl.col("time").alias("to"))
    return holes.filter(pl.col("to") - pl.col("from") > longest)


def off_hours(watched: Watched, settings: Mapping[str, Any]) -> tuple[Evidence, int]:
    """A hit in an hour (of the week, or of the day) in which the group is not usually active."""
    history = settings["history"] // 86_400
    weekly = settings["slots"] == "hour-of-week"
    events = watched.events
    if watched.groups:
        events = events.join(
            watched.hits.select(watched.groups).unique(), on=watched.groups, how="semi"
        )
    active = slotted(events, watched.calendar, weekly=weekly)
    active = active.select(*watched.groups, "slot", "day").unique()
    table = slotted(old_enough(watched, settings["min-history"]), watched.calendar, weekly=weekly)
    keys = [*watched.groups, "slot"]
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
    fresh = odd.filter("known")
    return by_instant(fresh, watched.groups, pl.col("usual").cast(pl.Float64), limit), learning(odd)


def slotted(table: pl.DataFrame, calendar: Calendar, *, weekly: bool) -> pl.DataFrame:
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


def by_instant(
    table: pl.DataFrame, groups: list[str], value: pl.Expr, expected: pl.Expr
) -> Evidence:
    """Make the hits of one group on one stretch of at most an hour one episode."""
    table = table.with_columns(value.alias("value"), expected.alias("expected"))
    table = table.sort(*groups, "time", "row")
    begins = over(pl.col("time").diff(), groups) > 3600 * SECOND
    table = table.with_columns(
        (begins.fill_null(True).cum_sum() - 1).cast(pl.Int64).alias("episode")
    )
    return evidence(table)
