"""Text of a report: its own sentences, and text from a log made safe to open.

The stored text is never altered. A cell that a spreadsheet would run as a formula becomes plain
text, and names that mix alphabets are marked. What hidden characters look like says ``visible``.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from auditlens.text import visible

FORMULA = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]")
UNSAFE_JSON = re.compile("[<>&\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def capital(sentence: str) -> str:
    """A sentence with its first letter as a capital, the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def percent(part: float, whole: float) -> float:
    """``part`` of ``whole`` in percent with one decimal; 0 of nothing is 0."""
    return round(100 * part / whole, 1) if whole else 0.0


def figure(value: float | None) -> float | None:
    """A float with four significant decimals at most, so that no noise reaches a digest."""
    return None if value is None else round(float(value), 4)


def local(at: datetime, zone: ZoneInfo) -> str:
    """Wall-clock text of ``at`` in ``zone``: ``2026-10-01 00:00``."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def mixed_scripts(text: str) -> bool:
    """Whether one word mixes Latin with Cyrillic or Greek letters, as look-alike names do.

    Args:
        text: Text of the log.

    Returns:
        True where a word does.
    """
    if text.isascii():
        return False
    for word in re.findall(r"\w+", text):
        scripts = {
            name.split(" ")[0]
            for char in word
            if char.isalpha() and (name := unicodedata.name(char, ""))
        }
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"}:
            return True
    return False


def spreadsheet_cell(text: str) -> str:
    """Text as a cell no spreadsheet runs.

    Args:
        text: Text of the log.

    Returns:
        The text with control and invisible characters escaped; a formula gets an apostrophe first.
    """
    shown = visible(text)
    # Checked on both: a formula may hide behind characters that the escape makes visible.
    live = FORMULA.match(text) or FORMULA.match(shown) or text[:1] in "\t\r\n"
    return "'" + shown if text and live else shown


def json_text(content: Any, *, indent: int = 0) -> str:
    r"""JSON with sorted keys, safe inside a script block and in a terminal.

    Every character that could close the block or steer a terminal is written ``\u`` and four
    hex digits, which a JSON reader turns back into the exact text.

    Args:
        content: Anything msgspec encodes.
        indent: Spaces a level; default: 0, all in one line.

    Returns:
        The text, without an end of line.
    """
    encoded = msgspec.json.encode(content, order="sorted")
    if indent:
        encoded = msgspec.json.format(encoded, indent=indent)
    return UNSAFE_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded.decode())
