"""Text from a log, made safe to look at: nothing hidden, nothing endless, nothing live.

The stored text is never altered. These functions shape what a person is shown: control and
direction characters become visible escapes, long fields are cut with a count of what was cut,
and a cell that a spreadsheet would run as a formula becomes plain text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import msgspec

__all__ = ["CAP", "cut", "json_text", "mixed_scripts", "spreadsheet_cell", "visible"]

CAP = 400
"""How many characters of one field a page shows."""

HIDDEN_KINDS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
JOINERS = "\u200c\u200d"
SUSPECT = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\uf8ff"
    "\U000e0000-\U0010ffff]"
)
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

FORMULA = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]")
UNSAFE_JSON = re.compile("[<>&\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def escape(char: str) -> str:
    r"""The visible escape of one character: ``\n``, ``\u202e``, ``\U000e0041``."""
    if char in SHORT:
        return SHORT[char]
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def visible(text: str) -> str:
    """Return ``text`` with every control, direction and invisible character escaped.

    A joiner between two characters that are not ASCII is kept: Persian, Hindi and emoji are
    spelt with it. Anywhere else it is a disguise.
    """
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
    """Return at most ``cap`` characters of ``text``, then how many more there were.

    The cut never separates a letter from its accents or an emoji from its parts.
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


def mixed_scripts(text: str) -> bool:
    """Whether one word mixes Latin with Cyrillic or Greek letters, as look-alike names do."""
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
    """Return ``text`` as a cell no spreadsheet runs: formulas get an apostrophe in front."""
    shown = visible(text)
    # Checked on both: a formula may hide behind characters that the escape makes visible.
    live = FORMULA.match(text) or FORMULA.match(shown) or text[:1] in "\t\r\n"
    return "'" + shown if text and live else shown


def json_text(content: Any, *, indent: int = 0) -> str:
    r"""JSON of ``content`` with sorted keys, safe inside a script block and in a terminal.

    Every character that could close the block or steer a terminal is written ``\uXXXX``,
    which a JSON reader turns back into the exact text.
    """
    encoded = msgspec.json.encode(content, order="sorted")
    if indent:
        encoded = msgspec.json.format(encoded, indent=indent)
    return UNSAFE_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded.decode())


def json_plain(content: Any) -> Any:
    """Return ``content`` (dataclasses included) as dictionaries, lists, text and numbers."""
    return json.loads(msgspec.json.encode(content, order="sorted"))
