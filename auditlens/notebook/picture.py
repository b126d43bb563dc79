"""A picture of frames: SVG of our own, and the same as an Altair chart where Altair is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from auditlens.errors import UsageError

__all__ = [
    "BAR", "FOOT", "GROUPS", "HEIGHT", "LEFT", "MARK", "SOFT", "TEXT", "TOP", "WIDTH",
    "Picture", "axis", "label", "load_altair", "square", "svg_of",
]  # fmt: skip

WIDTH, HEIGHT, LEFT, TOP, FOOT = 760, 210, 44, 40, 24
BAR, MARK, TEXT, SOFT = "#5b7fa6", "#c0392b", "#808080", "#c9d6e4"
GROUPS = {
    "read": "#c9d6e4", "write": "#5b7fa6", "auth": "#9b9b9b", "export": "#c0392b",
    "share": "#d98032", "permission": "#8e5ea2", "delete": "#7b241c", "admin": "#3f6b52",
    "system": "#dddddd", "unclassified": "#efe3b8",
}  # fmt: skip
"""The colour of each group of actions, in the order they are stacked."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A plot. ``data`` is the frame it shows, ``svg`` the picture as one SVG element.

    A notebook that knows Vega-Lite shows the Altair chart when Altair is installed, every other
    one the SVG. :meth:`chart` gives the chart to build on.
    """

    title: str
    data: pl.DataFrame
    svg: str
    make: Callable[[Any], Any]

    def __repr__(self) -> str:
        return f"Picture({self.title!r})"

    def chart(self) -> Any:
        """The plot as an Altair chart. Raises UsageError when Altair is not installed."""
        return self.make(load_altair())

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        bundle: dict[str, Any] = {"image/svg+xml": self.svg, "text/plain": repr(self)}
        try:
            alt = load_altair()
        except UsageError:
            return bundle
        major = str(alt.SCHEMA_VERSION).lstrip("v").partition(".")[0]
        return {f"application/vnd.vegalite.v{major}+json": self.make(alt).to_dict(), **bundle}


def load_altair() -> Any:
    """Altair itself. Raises UsageError when it is not installed."""
    try:
        import altair as alt
    except ImportError:
        raise UsageError("Altair is not installed", fix='pip install "auditlens[plot]"') from None
    return alt


def svg_of(title: str, told: str, parts: Iterable[str], *, height: int = HEIGHT) -> str:
    """One SVG element: no script, no style sheet, no reference to anything; text is escaped."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" role="img" font-family="sans-serif" font-size="11" fill="{TEXT}">'
        f"<title>{plain(title)}: {plain(told)}</title>"
        f'<text x="{LEFT}" y="14" font-size="13">{plain(title)}</text>{"".join(parts)}</svg>'
    )


def plain(text: str) -> str:
    """Foreign text as text of an SVG: escaped, and without what XML or a reader's eye forbids."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
                          for char in text[:300]))  # fmt: skip


def label(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{plain(text)}</text>'


def axis(peak: float) -> str:
    """The base line and the two labels of an axis of counts."""
    base = HEIGHT - FOOT
    top = f"{peak:,.0f}" if peak >= 10 else f"{peak:.2g}"
    line = f'<path d="M{LEFT} {base}.5H{WIDTH}" stroke="{TEXT}" fill="none"/>'
    return line + label(LEFT - 6, TOP + 4, top, "end") + label(LEFT - 6, base, "0", "end")


def square(
    x: float, y: float, wide: float, high: float, colour: str, told: str, *, opacity: float = 1
) -> str:
    """A filled rectangle that tells what it stands for."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(wide, 0.5):.1f}" height="{high:.1f}" '
        f'fill="{colour}" fill-opacity="{opacity:.2f}"><title>{plain(told)}</title></rect>'
    )
