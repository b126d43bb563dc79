"""A log one can check on paper: a line a habit, and the values of features beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from math import log, sqrt

import polars as pl

from auditlens.anomalies import FeatureState, day_tables, encode_events
from auditlens.events import conform

MONDAY = date(2026, 3, 2)
"""Day 0 of every log."""

FIRST_MONDAY = date(1970, 1, 5)
"""Another one, whose number is so small that no arithmetic on days is right by its size alone."""

LINE = re.compile(
    r"(?P<days>[\d,-]+) +(?P<who>[\w,]+) +(?P<time>[\d:.]+) +(?P<group>\w+)(:(?P<event>\w+))?"
    r"(?: +(?P<thing>\w+)(\*(?P<things>\d+))?(/(?P<folder>\w+))?)?(?: +as +(?P<type>\w+))?"
    r"(?: +x(?P<times>\d+))?(?P<pii> +pii)?(?: +by (?P<kind>\w+))?"
)
COLUMNS = (
    "id", "created_at", "sender_id", "event", "action", "action_group", "resource_id", "parent_id",
    "entity_type", "metadata", "sender_kind",
)  # fmt: skip

Values = dict[int, float | str | None]


@dataclass(frozen=True)
class Row:
    """What a feature of a sender or a resource is on some days, and why; None: no such day."""

    subject: str
    feature: str
    values: Values
    why: str


@dataclass(frozen=True)
class Case:
    """A log, and the values that somebody worked out from it by hand.

    ``log`` has a line a habit: days, people, time, group of action (``:kind`` where the kind of
    event has another name), thing, and perhaps ``*3`` (three such things: thing1 to thing3),
    ``/folder``, ``as type``, ``x3`` (three times at once), ``pii`` and ``by`` a kind of sender.
    """

    name: str
    log: str
    senders: tuple[Row, ...] = ()
    resources: tuple[Row, ...] = ()
    circles: dict[str, str] = field(default_factory=dict)

    def events(self) -> pl.DataFrame:
        """The log as an event table."""
        rows = [row for line in self.log.strip().splitlines() for row in of_line(line.strip())]
        numbered = [(str(number), *row) for number, row in enumerate(rows)]
        return conform(
            pl.DataFrame(numbered, schema=COLUMNS, orient="row", infer_schema_length=None)
        )

    @property
    def days(self) -> int:
        """From day 0 to the last one."""
        lines = (LINE.fullmatch(line.strip()) for line in self.log.strip().splitlines())
        return 1 + max(day for line in lines if line for day in days_of(line["days"]))

    def frames(self, *, cuts: tuple[int, ...] = ()) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Its sender-days and resource-days.

        With ``cuts`` it is counted in several goes, and as if it had begun on FIRST_MONDAY.
        """
        events, circles = self.events(), None
        if self.circles:
            members = list(self.circles.items())
            circles = pl.DataFrame(members, schema=["sender_id", "circle"], orient="row")
        if not cuts:
            return day_tables(encode_events(events, until=None, circles=circles))
        state, days, sooner = FeatureState(), [], MONDAY - FIRST_MONDAY
        number = (events["created_at"].dt.date() - MONDAY).dt.total_days()
        events = events.with_columns(pl.col("created_at") - sooner)
        for low, high in pairwise((0, *cuts, 10_000)):
            part = events.filter(number.is_between(low, high, closed="left"))
            if len(part):
                new = state.advance(part, circles=circles)
                state = new.state
                days.append((new.sender_days, new.resource_days))
        senders, resources = (
            pl.concat(each).with_columns(pl.col("day") + sooner) for each in zip(*days, strict=True)
        )
        return senders.sort("sender_id", "day"), resources.sort("resource_id", "day")


def of_line(line: str) -> Iterator[tuple[object, ...]]:
    """The events of one line of a log."""
    found = LINE.fullmatch(line)
    assert found, line
    clock = [float(part) for part in found["time"].split(":")]
    at = timedelta(hours=clock[0], minutes=clock[1], seconds=sum(clock[2:]))
    names = [found["thing"]]
    if found["things"]:
        names = [f"{found['thing']}{number}" for number in range(1, int(found["things"]) + 1)]
    kind = found["event"] or found["group"]
    metadata = json.dumps({"pii": True}) if found["pii"] else None
    for day, who, thing, _ in product(
        days_of(found["days"]), found["who"].split(","), names, range(int(found["times"] or 1))
    ):
        when = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day) + at
        yield (
            when, who, kind, kind, found["group"], thing, found["folder"], found["type"], metadata,
            found["kind"],
        )  # fmt: skip


def days_of(text: str) -> list[int]:
    """``0-2,5`` is 0, 1, 2 and 5."""
    days = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        days += range(int(low), int(high or low) + 1)
    return days


def wrong(rows: tuple[Row, ...], frame: pl.DataFrame, subject: str) -> dict[str, list[str]]:
    """By feature, where ``frame`` has another value than the table."""
    found: dict[str, list[str]] = {}
    keys = list(zip(frame[subject], frame["day"], strict=True))
    features = {row.feature for row in rows}
    have = {name: dict(zip(keys, frame[name], strict=True)) for name in features}
    for row in rows:
        for day, value in row.values.items():
            got = have[row.feature].get((row.subject, MONDAY + timedelta(days=day)))
            if got != value and (isinstance(value, str | None) or not close(got, value)):
                text = f"{row.subject}, day {day}: {got}, by hand {value} ({row.why})"
                found.setdefault(row.feature, []).append(text)
    return found


def close(got: float | None, value: float) -> bool:
    """Features are rounded to six places."""
    return got is not None and abs(got - value) < 2e-6


def spreads(level: float, high: float, mad: float = 0) -> float:
    """How far ``level`` lies above the high day, in robust spreads."""
    return (level - high) / (1.4826 * mad + 0.25)


def count_spreads(count: int, high: int, mad: float = 0) -> float:
    """The same of a count, by its logarithm: nothing, 0, is log 1."""
    return spreads(log(count + 1), log(high + 1), mad)


def mille(probability: float) -> int:
    """Surprise in thousandths."""
    return round(-1000 * log(probability))


def poisson(count: int, highest: int) -> float:
    """How far ``count`` lies above the highest count, in spreads of a Poisson count."""
    return 2 * sqrt(count + 0.375) - 2 * sqrt(highest + 0.375)
