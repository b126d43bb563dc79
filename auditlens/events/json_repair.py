"""Damaged JSON made readable: the one place where that is done, for files and for evidence.

Whoever names a resource can put half an emoji into a record. A reader that refuses the record
for it hides what was done to that resource. So the text is repaired and read; the exact bytes, and
with them the leaf, stay as they were sent.
"""

from __future__ import annotations

import json
import re

import msgspec
import polars as pl

__all__ = ["JSON_ERRORS", "MAX_DEPTH", "repair_json", "within_limits"]

MAX_DEPTH = 100
"""Levels of nesting that are kept as such; Polars reads JSON paths to 126, msgspec to about 900."""

JSON_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for text that it cannot read."""

TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\s",:\[\]{}]++', re.DOTALL)
MARK = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
ESCAPE = re.compile(
    r"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|(?P<valid>u[0-9a-fA-F]{4}|["\\/bfnrt])'
    r"|(?P<bad>.))",
    re.DOTALL,
)
CONTROL = re.compile(r"[\x00-\x1f]")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)(?:\([a-z]*\))?|undefined", re.IGNORECASE)
EDGE = "\ufeff\x00\x1e \t\r\n"
"""What stands around a record and is none of it: byte order mark, NUL, record separator."""

BRACKETS = r"[\[{]"
HUGE = r"[:\[,]\s*-?[0-9][0-9.]*[eE]\+?[0-9]{3}"
LONG = r"[0-9]{309}"
"""Numbers that may be beyond a float, for which a JSON path finds nothing in the whole text."""


def repair_json(raw: bytes, depth: int = MAX_DEPTH) -> bytes:
    """Return JSON text that can be read, as near to what was sent as possible.

    Bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD. Raw control characters are
    escaped, a backslash that escapes nothing stands for itself. ``NaN``, ``Infinity`` and numbers
    beyond a float become their text.

    Args:
        raw: Exact bytes of a record.
        depth: Levels of nesting that are kept; deeper values become their text. Default: 100.

    Returns:
        UTF-8. Text that is damaged in another way stays so, and a reader refuses it.
    """
    text = raw.decode("utf-8", "replace").strip(EDGE)
    return shallow(TOKEN.sub(token, text), depth).encode()


def token(match: re.Match[str]) -> str:
    """One string, number or word, as JSON has it."""
    text = match[0]
    if text.startswith('"'):
        inner = ESCAPE.sub(escape, text) if "\\" in text else text
        return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", inner)
    if NO_NUMBER.fullmatch(text):
        return f'"{text}"'
    if len(text) > 4 and NUMBER.fullmatch(text) and float(text) in (float("inf"), -float("inf")):
        return f'"{text}"'
    return text


def escape(match: re.Match[str]) -> str:
    if match["half"]:
        return "\\ufffd"
    return match[0] if match["bad"] is None else f"\\\\{match['bad']}"


def shallow(text: str, most: int) -> str:
    """The text with every value that stands deeper than ``most`` levels as a string."""
    if text.count("[") + text.count("{") <= most:
        return text
    done: list[str] = []
    depth = start = after = 0
    for match in MARK.finditer(text):
        mark = match[0]
        if mark in ("[", "{"):
            depth += 1
            if depth == most + 1:
                start = match.start()
        elif mark in ("]", "}"):
            depth -= 1
            if depth == most:
                whole = json.dumps(text[start : match.end()], ensure_ascii=False)
                done += (text[after:start], whole)
                after = match.end()
    return "".join([*done, text[after:]])


def within_limits(texts: pl.Series, depth: int) -> pl.Series:
    """JSON texts in which a JSON path can be looked up; those beyond its limits are repaired."""
    large = texts.str.contains(HUGE)
    if (texts.str.len_bytes() > 2 * depth).any():
        deep = texts.str.count_matches(BRACKETS) > depth
        large = large | deep | texts.str.contains(LONG)
    if not large.any():
        return texts
    beyond = texts.filter(large).unique()
    kept = [repair_json(text.encode(), depth).decode() for text in beyond.to_list()]
    return texts.replace(beyond, pl.Series(kept, dtype=pl.String))
