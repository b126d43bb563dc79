"""Geometry of the charts: counts in, path data and coordinates out. The macros draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditlens.report.sections import Activity

__all__ = ["Mark", "Ribbon", "Tick", "Timeline", "heat", "share_width", "spark", "timeline"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 960, 190, 52, 4, 22, 22
HEAT_STEPS = 5
SPARK_HEIGHT = 20


class Drawn(str):
    """Path data: ours, so it is never cut as a field of the log would be."""

    __slots__ = ()


@dataclass(frozen=True)
class Ribbon:
    """One series of the stacked timeline as a single path."""

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
class Timeline:
    """Everything the timeline macro writes."""

    width: int
    height: int
    left: int
    stroke: float
    ribbons: tuple[Ribbon, ...]
    marks: tuple[Mark, ...]
    days: tuple[Tick, ...]
    counts: tuple[Tick, ...]


def timeline(activity: Activity) -> Timeline:
    """Stacked bars, one a day, with a mark over each day on which findings began."""
    days, base = len(activity.days), HEIGHT - FOOT
    step = (WIDTH - LEFT - RIGHT) / max(days, 1)
    ceiling = nice_ceiling(activity.peak)
    scale = (base - TOP) / ceiling
    stacked = [0.0] * days
    ribbons = []
    for number, series in enumerate(activity.series, 1):
        bars = []
        for index, count in enumerate(series.counts):
            if count:
                low, x = stacked[index], round(LEFT + (index + 0.5) * step)
                stacked[index] += count * scale
                bars.append(f"M{x} {base - low:.4g}V{base - stacked[index]:.4g}")
        if bars:
            ribbons.append(Ribbon(series.name, number, Drawn("".join(bars))))
    every = max(1, -(-days // 16))
    return Timeline(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        stroke=round(max(step - 2, 0.8), 1),
        ribbons=tuple(ribbons),
        marks=tuple(
            Mark(round(LEFT + (index + 0.5) * step, 1), count, str(day))
            for index, (day, count) in enumerate(
                zip(activity.days, activity.findings_by_day, strict=True)
            )
            if count
        ),
        days=tuple(
            Tick(round(LEFT + (index + 0.5) * step, 1), f"{day:%m-%d}")
            for index, day in enumerate(activity.days)
            if index % every == 0
        ),
        counts=tuple(
            Tick(round(base - part * (base - TOP), 1), f"{ceiling * part:,.0f}")
            for part in (0, 0.5, 1)
        ),
    )


def nice_ceiling(peak: int) -> int:
    """The smallest 2, 4, 6, 8 or 10 times a power of ten that is not below ``peak``."""
    unit = 1
    while unit * 10 < peak:
        unit *= 10
    return next(unit * n for n in (2, 4, 6, 8, 10) if unit * n >= peak)


def heat(count: int | None, peak: int) -> int:
    """The shade of a cell: 0 for none, 1 to 5 by share of the peak."""
    if not count:
        return 0
    return min(HEAT_STEPS, 1 + count * HEAT_STEPS // (peak + 1))


def share_width(percent: float, largest: float) -> float:
    """Width of a bar from 0 to 80, the largest filling it."""
    return round(80 * percent / largest, 1) if largest else 0.0


def spark(counts: Sequence[int]) -> Drawn:
    """Path of a sparkline: one stroke a day, four units apart, twenty high."""
    peak = max(counts, default=0)
    bars = []
    for index, count in enumerate(counts):
        if count:
            height = max(1, round(count / peak * SPARK_HEIGHT))
            bars.append(f"M{index * 4 + 2} {SPARK_HEIGHT}v-{height}")
    return Drawn("".join(bars))
