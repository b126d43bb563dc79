"""Text from outside as a person may see it: on a page, a terminal, in a notebook's cell.

The stored text is never altered. Control, direction and invisible characters become visible
escapes, long fields are cut with a count of what was cut, and HTML is escaped.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime

__all__ = ["CAP", "cell_table", "cell_text", "count", "cut", "visible"]

CAP = 400
"""How many characters of one field a page shows."""

JOINERS = "\u200c\u200d"
SUSPECT = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\uf8ff"
    "\U000e0000-\U0010ffff]"
)
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 event``, ``1,204 events``: a number and its noun, for every text a person reads.

    Args:
        number: How many.
        noun: The noun for one, with the words before it: ``late event``.
        plural: The noun for any other number; default: ``noun`` and an s.

    Returns:
        The text; commas between thousands.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def escape(char: str) -> str:
    r"""The visible escape of one character: ``\n``, ``\u202e``, ``\U000e0041``."""
    if char in SHORT:
        return SHORT[char]
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def visible(text: str, *, terminal: bool = False) -> str:
    """Return a text with every control, direction and invisible character escaped.

    A joiner between two characters that are not ASCII is kept: Persian, Hindi and emoji are spelt
    with it. Anywhere else it is a disguise.

    Args:
        text: Text from outside.
        terminal: Whether everything is escaped that Python calls unprintable: also joiners, strange
            spaces and code points nobody has assigned. Default: False.

    Returns:
        The text; HTML in it is not escaped.
    """
    if terminal and not text.isprintable():
        text = "".join(char if char.isprintable() else escape(char) for char in text)
    if not SUSPECT.search(text):
        return text

    def shown(match: re.Match[str]) -> str:
        char, start, end = match[0], match.start(), match.end()
        joins = char in JOINERS and start > 0 and end < len(text)
        if joins and ord(text[start - 1]) > 127 and ord(text[end]) > 127:
            return char
        return escape(char)

    return SUSPECT.sub(shown, text)


def cut(text: str, cap: int = CAP) -> str:
    """Shorten a text, and say by how much.

    Args:
        text: The text.
        cap: The most characters kept; default: CAP. A few fewer are kept where the cut would part a
            letter from its accents or an emoji from its parts.

    Returns:
        The text, or its beginning and the number of characters left out.
    """
    if len(text) <= cap:
        return text
    end = cap
    while end > max(cap - 32, 1) and clings(text, end):
        end -= 1
    return f"{text[:end]} [+{len(text) - end} characters]"


def clings(text: str, at: int) -> bool:
    """Whether the character at ``at`` belongs to the one before it."""
    after, before = text[at], text[at - 1]
    return (
        unicodedata.category(after).startswith("M")
        or after in JOINERS
        or before in JOINERS
        or 0x1F3FB <= ord(after) <= 0x1F3FF
        or 0x1F1E6 <= ord(after) <= 0x1F1FF
    )


def cell_table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """What an object looks like as the last line of a notebook cell.

    Args:
        title: The caption.
        rows: Name and value of each line. Whole numbers get thousands told apart, times are given
            in UTC to the minute, None is a dash.

    Returns:
        An HTML table in which every text is escaped: none of it is markup.
    """
    lines = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(cell_text(value))}</td></tr>"
        for name, value in rows
    )
    caption = f"<caption style='text-align:left'><b>{html.escape(title)}</b></caption>"
    return f"<table>{caption}{lines}</table>"


def cell_text(value: object) -> str:
    """One value of a fact, as :func:`cell_table` shows it.

    Args:
        value: Any value.

    Returns:
        A whole number with commas between thousands, a time in UTC to the minute, a dash for None,
        else its ``str``.
    """
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
