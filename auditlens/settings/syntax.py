"""TOML of untrusted size and form: every fault has its place, and no text costs more than its size.

The reader of the standard library has no limits: nesting ends in a RecursionError, a long number
in a ValueError, and a name of many parts takes time that grows with the square of their number.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from auditlens.errors import DocumentError

__all__ = ["MAX_BYTES", "brief", "parse_toml"]

MAX_BYTES = 1 << 20
"""Bytes a settings file may have; a larger one is no settings file."""
MAX_DEPTH = 64
"""Brackets that may stand open, and parts that a name may have."""
MAX_DIGITS = 18
"""Digits of a whole number: TOML's have 64 bits."""

PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
LONG_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:0x[\da-fA-F_]{18,}|0[bo][0-7_]{64,}|[\d_]{19,})")
TOKEN = re.compile(
    # A name of many parts comes first: its parts may be quoted, which looks like text.
    r"(?P<name>(?<![\w.\"'-])(?:(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"
    f"{{{MAX_DEPTH}}})|"
    r'"""(?:[^"\\]|\\.|"(?!""))*+"""|'
    r"'''(?:[^']|'(?!''))*+'''|"
    r'"(?:[^"\\\n]|\\.)*+"|'
    r"'[^'\n]*+'|"
    r"#[^\n]*+|"
    r"[\[\]{}]",
    re.DOTALL,
)


def parse_toml(raw: bytes, path: Path) -> dict[str, Any]:
    """Parse a TOML file. Raises DocumentError, with its line, for whatever it cannot take.

    Args:
        raw: The bytes of the file.
        path: Where it is; for messages only.
    """
    text = text_of(raw, path)
    depth = 0
    for found in TOKEN.finditer(text):
        if found["name"]:
            raise fault(path, text, found.start(), f"has a name of more than {MAX_DEPTH} parts")
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise fault(path, text, found.start(), f"is nested deeper than {MAX_DEPTH} levels")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise no_toml(path, text, str(error)) from None
    except ValueError:  # a number of thousands of digits
        number = LONG_NUMBER.search(text)
        place = number.start() if number else 0
        raise fault(path, text, place, f"has a number of more than {MAX_DIGITS} digits") from None
    except RecursionError:  # brackets that the look above did not see
        raise fault(path, text, 0, f"is nested deeper than {MAX_DEPTH} levels") from None


def text_of(raw: bytes, path: Path) -> str:
    """The text of a file. Raises DocumentError for bytes that are none."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError("is UTF-16", path=path, line=1, fix="Save it as UTF-8")
    if raw.startswith(b"\xef\xbb\xbf"):
        fix = "Save it as UTF-8 without one"
        raise DocumentError("begins with a byte order mark", path=path, line=1, column=1, fix=fix)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fix = "Save it as UTF-8"
        raise DocumentError("is not UTF-8 text", path=path, line=line, fix=fix) from None
    if (place := text.find("\0")) >= 0:
        raise fault(path, text, place, "holds a NUL character")
    return text


def fault(path: Path, text: str, place: int, message: str) -> DocumentError:
    line = text.count("\n", 0, place) + 1
    column = place - (text.rfind("\n", 0, place) + 1) + 1
    return DocumentError(message, path=path, line=line, column=column)


def no_toml(path: Path, text: str, told: str) -> DocumentError:
    """The error for text that is no TOML, with the place the parser names."""
    found = PLACE.search(told)
    line, column = (int(found[n] or 0) for n in (1, 2)) if found else (0, 0)
    fix = "Write name = value, and put text between quotes"
    message = f"is not valid TOML: {brief_text(PLACE.sub('', told))}"
    line = line or text.rstrip("\n").count("\n") + 1
    return DocumentError(message, path=path, line=line, column=column, fix=fix)


def brief(value: Any) -> str:
    """A value as a message shows it: on one line, of a bounded length."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    if isinstance(value, str):
        return repr(brief_text(value))
    return brief_text(str(value) if isinstance(value, bool) else repr(value))


def brief_text(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
