"""The page: content through templates into one self-contained file.

This is the one module that marks text as safe. It does so for files that are ours (the
stylesheet, the script) and a stylesheet of the user's. Everything else a template prints passes
``shown_text`` and then Jinja's own escaping. Charts are geometry here: counts in, path data and
coordinates out; the templates' macros draw them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from auditlens.errors import UsageError
from auditlens.files import read_text
from auditlens.report.findings import IDS_LISTED, REASONS_LISTED
from auditlens.report.model import Activity, Content
from auditlens.resources import reports_folder
from auditlens.text import cut, visible

DASH = "\N{EN DASH}"
SORTED_FROM = 8
"""A table of rules with fewer rows needs no sorting."""
FEW = 5
"""Rows of activity, profiles and samples on a page without findings."""
OPEN_UP_TO = 25
"""Cases stand open on the page while there are no more findings than this."""
TONES = {
    "good": ("present", "supported", "active", "complete", "hit", "quiet", "idle"),
    "warn": (
        "partial",
        "partly assessable",
        "supported with exceptions",
        "not assessed",
        "off",
        "unprovable",
    ),
    "bad": ("failed", "gap", "incomplete"),
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 960, 190, 52, 4, 22, 22
HEAT_STEPS = 5
SHEET = "report.css"
LARGEST = 1_000_000
"""Bytes of all files together; the shipped templates have 40,000."""


def render_page(
    content: Content, *, on_paper: bool = False, own: Mapping[str, str] | None = None
) -> str:
    """HTML of the whole report: no request, no inline style attribute, a strict policy.

    ``own`` holds texts of templates (and a ``report.css``) that go before the shipped ones of
    the same name. They are code: they run in Jinja's immutable sandbox, which bounds what they
    reach, not how long they take. Raises UsageError for a fault in one of them.
    """
    from jinja2 import TemplateError

    shipped = reports_folder() / "templates"
    name = "print.html" if on_paper else "report.html"
    try:
        template = environment(shipped, tuple(sorted((own or {}).items()))).get_template(name)
        sheet = own.get(SHEET) if own else None
        page: str = template.render(context_of(content, shipped, sheet, on_paper=on_paper))
    except TemplateError as error:
        if not own:
            raise
        raise UsageError(
            f"A template of yours cannot be used: {error}", fix="Compare it with the shipped one"
        ) from None
    return page + "\n"


def context_of(
    content: Content, shipped: Path, sheet: str | None, *, on_paper: bool
) -> dict[str, Any]:
    """Every name a template may use."""
    # What the filter ``safe`` does; templates may not use it.
    from jinja2.filters import do_mark_safe

    full = content.cover.edition == "full"
    shown = content.findings[: content.shown.shown]
    cases_shown = {row.case_id for row in shown}
    sorts = full and sum(row.told for row in content.rules) >= SORTED_FROM
    script = script_of(shipped, filters=bool(shown), sorts=sorts)
    return {
        "report": content,
        "cover": content.cover,
        "by_id": {row.finding_id: row for row in shown},
        "listed": frozenset(row.finding_id for row in shown[:IDS_LISTED]),
        "reasons_listed": REASONS_LISTED,
        "shown_ids": frozenset([row.finding_id for row in shown] + [row.case_id for row in shown]),
        "cases": [row for row in content.cases if row.case_id in cases_shown],
        "case_levels": frozenset(row.level for row in content.cases if row.case_id in cases_shown),
        "open_groups": content.shown.total <= OPEN_UP_TO,
        "on_paper": on_paper,
        "full": full,
        "sorts": sorts,
        "quiet": not content.shown.total,
        "few": FEW if not content.shown.total else None,
        "sheet": style_of(shipped, sheet),
        "script": do_mark_safe(script),  # our own files
        "policy_hash": policy_hash,
    }


def script_of(shipped: Path, *, filters: bool, sorts: bool) -> str:
    """The script that the page can use: the filter of findings, the sorting of rules."""
    wanted = (("filter.js", filters), ("sort.js", sorts))
    return "".join(read(shipped / name) for name, needed in wanted if needed)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def style_of(shipped: Path, own: str | None) -> str:
    """The stylesheet: the shipped one, or the user's."""
    from jinja2.filters import do_mark_safe

    # Nothing in one of the user's may close the element that holds it.
    return do_mark_safe(read(shipped / SHEET) if own is None else own.replace("</", ""))


@cache
def environment(shipped: Path, own: tuple[tuple[str, str], ...] = ()) -> Any:
    """The one template environment: escaping always on, an unknown name is an error.

    Kept once made: compiling the templates takes longer than filling them.
    """
    from jinja2 import (
        ChoiceLoader,
        DictLoader,
        Environment,
        FileSystemLoader,
        StrictUndefined,
        pass_context,
    )
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    kind = ImmutableSandboxedEnvironment if own else Environment
    env = kind(
        loader=ChoiceLoader([DictLoader(dict(own)), FileSystemLoader(shipped)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["n"] = number
    env.filters["when"] = pass_context(
        lambda context, at: moment(at, context["cover"].period.timezone)
    )
    env.filters["span"] = pass_context(
        lambda context, first, last: stretch(first, last, context["cover"].period.timezone)
    )
    env.filters["tone"] = tone
    env.filters["by"] = by
    env.globals.update(
        timeline=timeline_chart,
        spark=spark_path,
        heat=heat_cells,
        width=share_width,
        hour_names=[f"{hour:02d}" for hour in range(24)],
    )
    return env


def shown_text(value: Any) -> Any:
    """What every expression of a template passes: hidden characters shown, long text cut."""
    if value is None:
        return ""
    return visible(cut(value)) if type(value) is str else value


def number(value: float | None, none: str = DASH) -> str:
    """A number with thousands separated: ``12,345``, ``0.25``; ``none`` for null."""
    if value is None:
        return none
    if value % 1:
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{int(value):,}"


def by(rows: Iterable[Any], attribute: str) -> list[tuple[Any, list[Any]]]:
    """The rows by one of their values, in the order in which the values come."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, attribute), []).append(row)
    return list(found.items())


TONE_OF = {word: tone for tone, words in TONES.items() for word in words}


def tone(word: str) -> str:
    """The class of a status word: good, warn, bad or none."""
    return TONE_OF.get(word, "none")


def moment(at: datetime | date | None, timezone: str) -> str:
    """Local wall-clock text with UTC beside it; a date as it is."""
    if at is None:
        return DASH
    if not isinstance(at, datetime):
        return at.isoformat()
    utc, local = at.astimezone(UTC), at.astimezone(ZoneInfo(timezone))
    text = local.strftime("%Y-%m-%d %H:%M")
    if local.utcoffset() == utc.utcoffset():
        return f"{text} UTC"
    same_day = local.date() == utc.date()
    return f"{text} ({utc.strftime('%H:%M' if same_day else '%Y-%m-%d %H:%M')} UTC)"


def stretch(first: datetime | None, last: datetime | None, timezone: str) -> str:
    """From when to when, the day told once where both fall on it."""
    if first is None or last is None or first == last:
        return moment(first, timezone)
    zone = ZoneInfo(timezone)
    days = {at.date() for one in (first, last) for at in (one.astimezone(zone), one)}
    if len(days) > 1:
        return f"{moment(first, timezone)} to {moment(last, timezone)}"
    local = f"{first.astimezone(zone):%Y-%m-%d %H:%M} to {last.astimezone(zone):%H:%M}"
    if first.astimezone(zone).utcoffset() == last.astimezone(zone).utcoffset() == timedelta(0):
        return f"{local} UTC"
    return f"{local} ({first:%H:%M} to {last:%H:%M} UTC)"


def policy_hash(text: str) -> str:
    """The source expression a content security policy names ``text`` by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


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


def timeline_chart(activity: Activity) -> Timeline:
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


def heat_cells(counts: Sequence[int | None], peak: int) -> tuple[Cell, ...]:
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


def spark_path(counts: Sequence[int]) -> Drawn:
    """Outline of a sparkline: a day is one unit wide, an event one unit high."""
    peak = max(counts, default=0)
    steps = (f"V{peak - count}h{sum(1 for _ in run)}" for count, run in groupby(counts))
    return Drawn(f"M0 {peak}{''.join(steps)}V{peak}z")


def read_templates(folder: Path) -> dict[str, str]:
    """Read a folder of templates of one's own.

    Args:
        folder: Holds ``.html`` files at any depth, and ``report.css``.

    Returns:
        Texts by their path below the folder, with forward slashes.

    Raises:
        UsageError: There is no such folder, it holds no template, or the templates are larger than
            1 MB together or no UTF-8 text.
    """
    if not folder.is_dir():
        raise UsageError(f"No folder {folder}", fix="Name a folder of templates")
    found = sorted([*folder.rglob("*.html"), *folder.glob(SHEET)])
    if not found:
        raise UsageError(
            f"{folder} holds no template", fix=f"Name them as the shipped ones, or {SHEET}"
        )
    if sum(path.stat().st_size for path in found) > LARGEST:
        raise UsageError(f"The templates in {folder} are too large", fix="Keep them below 1 MB")
    try:
        return {
            path.relative_to(folder).as_posix(): read_text(path, most=LARGEST) for path in found
        }
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"A template in {folder} cannot be read: {error}", fix="Templates are UTF-8 text"
        ) from None
