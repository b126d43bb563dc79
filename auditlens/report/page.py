"""The page: content through templates into one self-contained file.

This is the one module that marks text as safe. It does so three times, for bytes that are ours
(the stylesheet, the script) or cannot leave a script block (the JSON). Everything else a
template prints passes ``shown`` and then Jinja's own escaping.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from auditlens.errors import UsageError
from auditlens.report import charts
from auditlens.report.content import Content
from auditlens.report.finding_rows import IDS_LISTED
from auditlens.report.packed import packed
from auditlens.report.text import cut, json_text, visible
from auditlens.shipped import reports_folder

__all__ = ["render_page"]

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
INDENT = re.compile(r"\n\s*")
OPTIONAL_END = re.compile(r"</(?:td|th|tr|li|dt|dd|tbody|thead)>")
"""End tags that HTML lets a writer leave out where ours stand."""
DASH = "\N{EN DASH}"
OPEN_UP_TO = 25
"""Groups of findings stand open on the page while there are no more findings than this."""


def render_page(content: Content, *, on_paper: bool = False, own: Path | None = None) -> str:
    """HTML of the whole report: no request, no inline style attribute, a strict policy.

    ``own`` is a folder of templates (and a ``report.css``) that go before the shipped ones of
    the same name. They are code: they run in Jinja's immutable sandbox, which bounds what they
    reach, not how long they take. Raises UsageError for a fault in one of them.
    """
    from jinja2 import TemplateError

    shipped = reports_folder() / "templates"
    name = "print.html" if on_paper else "report.html"
    sheet = own / "report.css" if own and (own / "report.css").is_file() else shipped / "report.css"
    try:
        template = environment(shipped, own).get_template(name)
        page = template.render(context_of(content, sheet, shipped / "report.js", on_paper=on_paper))
    except TemplateError as error:
        if own is None:
            raise
        raise UsageError(
            f"A template in {own} cannot be used: {error}", fix="Compare it with the shipped one"
        ) from None
    # Text from the log holds no raw line break by now, so this touches the templates' alone.
    return OPTIONAL_END.sub("", INDENT.sub("\n", page)) + "\n"


def context_of(content: Content, sheet: Path, program: Path, *, on_paper: bool) -> dict[str, Any]:
    """Every name a template may use."""
    # What the filter ``safe`` does; templates may not use it.
    from jinja2.filters import do_mark_safe

    style, script = inline(sheet), inline(program)
    shown = content.findings[: content.shown.shown]
    return {
        "report": content,
        "cover": content.cover,
        "by_id": {row.finding_id: row for row in shown},
        "listed": frozenset(row.finding_id for row in shown[:IDS_LISTED]),
        "shown_ids": frozenset(row.finding_id for row in shown),
        "open_groups": content.shown.total <= OPEN_UP_TO,
        "on_paper": on_paper,
        "full": content.cover.edition == "full",
        "style": do_mark_safe(style.replace("</", "")),  # a stylesheet file
        "script": do_mark_safe(script),  # our own file
        "style_hash": policy_hash(style.replace("</", "")),
        "script_hash": policy_hash(script),
        "data": do_mark_safe(json_text(packed(content))),  # < > & are escaped in it
    }


@cache
def environment(shipped: Path, own: Path | None = None) -> Any:
    """The one template environment: escaping always on, an unknown name is an error.

    Kept once made: compiling the templates takes longer than filling them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    kind = Environment if own is None else ImmutableSandboxedEnvironment
    env = kind(
        loader=FileSystemLoader([shipped] if own is None else [own, shipped]),
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
    env.globals.update(
        timeline=charts.timeline,
        spark=charts.spark,
        heat=charts.heat,
        width=charts.share_width,
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


TONES = {
    "good": ("present", "supported", "active", "complete", "hit", "quiet", "idle"),
    "warn": ("partial", "partly assessable", "supported with exceptions", "off", "unprovable"),
    "bad": ("failed", "gap", "incomplete"),
}
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


def inline(path: Path) -> str:
    """A stylesheet or script without comments, indentation and line breaks."""
    return INDENT.sub("", COMMENT.sub("", path.read_text(encoding="utf-8"))).strip()


def policy_hash(text: str) -> str:
    """The source expression a content security policy names ``text`` by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
