"""Geometry of the charts: counts in, path data and coordinates out. The macros draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from auditlens.report.sections import Activity

__all__ = ["Mark", "Ribbon", "Tick", "Timeline", "heat", "share_width", "spark", "timeline"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 960, 190, 52, 4, 22, 22
HEAT_STEPS = 5


class Drawn(str):
    """Path data: ours, so it is never cut as a field of the log would be."""

    __slots__ = ()


@dataclass(frozen=True)
class Ribbon:
    """One series of the stacked timeline as a single path: a day wide and an event high is one."""

    name: str
    number: int
    path: Drawn


@dataclass(frozen=True)
class Mark:
    """Findings that began on a day: where the mark stands and how many."""

    x: float
    count: int
    day: str


@dataclass(frozen=True)
class Tick:
    """One label of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Cell:
    """One cell of the grid of hours: its count (null = withheld), shade and width in hours."""

    count: int | None
    shade: int
    hours: int


@dataclass(frozen=True)
class Timeline:
    """Everything the timeline macro writes: a plot of ``span`` days by ``ceiling`` events."""

    width: int
    height: int
    left: int
    top: int
    plot_width: int
    plot_height: int
    span: int
    ceiling: int
    ribbons: tuple[Ribbon, ...]
    marks: tuple[Mark, ...]
    days: tuple[Tick, ...]
    counts: tuple[Tick, ...]


def timeline(activity: Activity) -> Timeline:
    """Stacked bars, one a day, with a mark over each day on which findings began."""
    days, base = len(activity.days), HEIGHT - FOOT
    step = (WIDTH - LEFT - RIGHT) / max(days, 1)
    ceiling = nice_ceiling(activity.peak)
    stacked = [0] * days
    ribbons = []
    for number, series in enumerate(activity.series, 1):
        bars = []
        for index, count in enumerate(series.counts):
            if count:
                bars.append(f"M{index} {ceiling - stacked[index]}v-{count}")
                stacked[index] += count
        if bars:
            ribbons.append(Ribbon(series.name, number, Drawn("".join(bars))))
    every = max(1, -(-days // 10))
    return Timeline(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        top=TOP,
        plot_width=WIDTH - LEFT - RIGHT,
        plot_height=base - TOP,
        span=max(days, 1),
        ceiling=ceiling,
        ribbons=tuple(ribbons),
        marks=tuple(
            Mark(round(LEFT + (index + 0.5) * step), count, str(day))
            for index, (day, count) in enumerate(
                zip(activity.days, activity.findings_by_day, strict=True)
            )
            if count
        ),
        days=tuple(
            Tick(round(LEFT + (index + 0.5) * step), f"{day:%m-%d}")
            for index, day in enumerate(activity.days)
            if index % every == 0
        ),
        counts=tuple(
            Tick(round(base - part * (base - TOP)), f"{ceiling * part:,.0f}")
            for part in (0, 0.5, 1)
        ),
    )


def nice_ceiling(peak: int) -> int:
    """The smallest 2, 4, 6, 8 or 10 times a power of ten that is not below ``peak``."""
    unit = 1
    while unit * 10 < peak:
        unit *= 10
    return next(unit * n for n in (2, 4, 6, 8, 10) if unit * n >= peak)


def heat(counts: Sequence[int | None], peak: int) -> tuple[Cell, ...]:
    """The cells of one row: hours without an event that follow each other are one cell."""
    cells: list[Cell] = []
    for count in counts:
        if count == 0 and cells and cells[-1].count == 0:
            cells[-1] = Cell(0, 0, cells[-1].hours + 1)
        else:
            cells.append(Cell(count, shade(count, peak), 1))
    return tuple(cells)


def shade(count: int | None, peak: int) -> int:
    """The shade of a cell: 0 for none, 1 to 5 by share of the peak."""
    return min(HEAT_STEPS, 1 + count * HEAT_STEPS // (peak + 1)) if count else 0


def share_width(percent: float, largest: float) -> int:
    """Width of a bar from 0 to 80, the largest filling it."""
    return round(80 * percent / largest) if largest else 0


def spark(counts: Sequence[int]) -> Drawn:
    """Outline of a sparkline: a day is one unit wide, an event one unit high."""
    peak = max(counts, default=0)
    steps = (f"V{peak - count}h{sum(1 for _ in run)}" for count, run in groupby(counts))
    return Drawn(f"M0 {peak}{''.join(steps)}V{peak}z")
