"""A plot: counts a day as bars, findings as marks above them. Drawn here, without a library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from auditlens.notebook.picture import load_altair

__all__ = ["Plot"]

WIDTH, HEIGHT, LEFT, TOP, FOOT = 760, 190, 44, 40, 24
BAR, MARK, TEXT = "#5b7fa6", "#c0392b", "#808080"
LABELS = 12
"""Days with a date under them, at most."""


@dataclass(frozen=True, eq=False)
class Plot:
    """Counts a day. ``data`` has ``day`` (Date), ``events`` and ``findings`` (Int64), by day.

    A notebook shows it as SVG. :meth:`chart` gives the same as an Altair chart to build on.
    """

    title: str
    data: pl.DataFrame

    def __repr__(self) -> str:
        return f"Plot({self.title!r})"

    @property
    def svg(self) -> str:
        """The plot as one SVG element: no script, no style sheet, no reference to anything."""
        parts = "".join((*self.frame(), *self.bars()))
        total = f"{self.data['events'].sum():,} events, {self.data['findings'].sum():,} findings"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" role="img" font-family="sans-serif" font-size="11" fill="{TEXT}">'
            f"<title>{escape(self.title)}: {total}</title>{parts}</svg>"
        )

    def frame(self) -> Iterator[str]:
        """Title, base line and the two labels of the axis of counts."""
        base = HEIGHT - FOOT
        yield f'<text x="{LEFT}" y="14" font-size="13">{escape(self.title)}</text>'
        yield f'<path d="M{LEFT} {base}.5H{WIDTH}" stroke="{TEXT}" fill="none"/>'
        for value, y in ((self.peak, TOP + 4), (0, base)):
            yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end">{value:,}</text>'

    @property
    def peak(self) -> int:
        return int(self.data["events"].to_numpy().max(initial=0))

    def bars(self) -> Iterator[str]:
        """One bar a day, its date now and then, and a mark where findings began."""
        base, days = HEIGHT - FOOT, max(self.data.height, 1)
        step = (WIDTH - LEFT) / days
        every = -(-days // LABELS)
        for index, (day, events, findings) in enumerate(self.data.iter_rows()):
            x, middle = LEFT + index * step, LEFT + (index + 0.5) * step
            high = events / max(self.peak, 1) * (base - TOP)
            told = f"{day:%Y-%m-%d}: {events:,} events, {findings:,} findings began"
            yield (
                f'<rect x="{x:.1f}" y="{base - high:.1f}" width="{max(step - 1, 0.5):.1f}" '
                f'height="{high:.1f}" fill="{BAR}"><title>{told}</title></rect>'
            )
            if findings:
                y = base - high - 4
                yield f'<path d="M{middle:.1f} {y:.1f}l-4 -7h8z" fill="{MARK}"/>'
            if index % every == 0:
                yield f'<text x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
                yield f"{day:%m-%d}</text>"

    def _repr_svg_(self) -> str:
        return self.svg

    def chart(self) -> Any:
        """The plot as an Altair chart. Raises UsageError when Altair is not installed."""
        alt = load_altair()
        base = alt.Chart(self.data, title=self.title, width=640, height=160)
        day = alt.X("day:T", title=None)
        tips = ["day:T", "events:Q", "findings:Q"]
        bars = base.mark_bar(color=BAR).encode(x=day, y="events:Q", tooltip=tips)
        marks = (
            base.transform_filter("datum.findings > 0")
            .mark_point(color=MARK, filled=True, shape="triangle-down", size=60, yOffset=-8)
            .encode(x=day, y="events:Q", tooltip=tips)
        )
        return alt.layer(bars, marks)
