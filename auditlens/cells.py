"""What an object looks like as the last line of a notebook cell: one small, escaped table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape

__all__ = ["cell_table"]


def cell_table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """HTML of a caption and one line a fact; every text is escaped, none is markup."""
    lines = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(cell_text(value))}</td></tr>"
        for name, value in rows
    )
    caption = f"<caption style='text-align:left'><b>{escape(title)}</b></caption>"
    return f"<table>{caption}{lines}</table>"


def cell_text(value: object) -> str:
    """Whole numbers with thousands told apart, times in UTC to the minute, null as a dash."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
