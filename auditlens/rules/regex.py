"""Regular expressions: one dialect and a bounded size.

The dialect is RE2's. Rust's engine (Polars) reads a few signs otherwise: character classes are
Unicode there, and ``[a&&b]``, ``[a--b]`` and a nested ``[`` are set operations. ``rust_regex``
rewrites a pattern so that it means there what RE2 means by it.
"""

from __future__ import annotations

import re

__all__ = ["MAX_LENGTH", "MAX_REPEAT", "check_regex", "rust_regex"]

MAX_LENGTH = 4096
MAX_REPEAT = 1000

ASCII_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def check_regex(regex: str, flags: str) -> str:
    """Return what is wrong with a pattern, or an empty text.

    A pattern is refused when it is too long, repeats too much, or does not compile in the
    engine that will run it.
    """
    if len(regex) > MAX_LENGTH:
        return f"the pattern has {len(regex):,} characters; at most {MAX_LENGTH:,} are allowed"
    if repeats(regex) > MAX_REPEAT:
        return f"the pattern's nested repeats multiply to more than {MAX_REPEAT:,}"
    import polars as pl

    try:
        pl.Series([""]).str.contains(rust_regex(regex, flags))
    except pl.exceptions.ComputeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        detail = next((line for line in reversed(lines) if line.startswith("error")), lines[-1])
        return f"the pattern cannot be run: {detail.removeprefix('error: ')}"
    return ""


def rust_regex(regex: str, flags: str) -> str:
    """Rewrite an RE2 pattern for Rust's engine, flags put in front."""
    prefix = f"(?{flags})" if flags else ""
    return prefix + rewritten(regex)


def rewritten(regex: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(regex):
        sign = regex[at]
        if sign == "\\":
            following = regex[at + 1 : at + 2]
            out.append(escape(following))
            at += 2
        elif sign == "[":
            text, at = character_class(regex, at)
            out.append(text)
        elif sign == "{" and not REPEAT.match(regex, at):
            out.append(r"\{")
            at += 1
        else:
            out.append(sign)
            at += 1
    return "".join(out)


def escape(letter: str) -> str:
    if letter.lower() in ASCII_CLASSES and letter:
        caret = "^" if letter.isupper() else ""
        return f"[{caret}{ASCII_CLASSES[letter.lower()]}]"
    if letter in ("b", "B"):
        return rf"(?-u:\{letter})"
    # An escaped sign that means itself stays escaped; Rust refuses \< and \> as word edges.
    return letter if letter in "<>\"'`~#&% @!,:;=/" and letter else "\\" + letter


def character_class(regex: str, at: int) -> tuple[str, int]:
    """Rewrite the class that opens at ``at``; return it and the position after it."""
    out = ["["]
    at += 1
    if regex[at : at + 1] == "^":
        out.append("^")
        at += 1
    first = True
    while at < len(regex) and (first or regex[at] != "]"):
        sign = regex[at]
        if sign == "\\" and at + 1 < len(regex):
            out.append(class_escape(regex[at + 1]))
            at += 2
        elif sign == "[" and (named := re.match(r"\[:\^?[a-z]+:\]", regex[at:])):
            out.append(named[0])
            at += len(named[0])
        else:
            out.append("\\" + sign if sign in "[]&~" else sign)
            at += 1
        first = False
    if at < len(regex):
        out.append("]")
        at += 1
    return "".join(out), at


def class_escape(letter: str) -> str:
    if letter in ASCII_CLASSES:
        return ASCII_CLASSES[letter]
    if letter in {"D", "W", "S"}:
        return f"[^{ASCII_CLASSES[letter.lower()]}]"
    return letter if letter in "<>" else "\\" + letter


def repeats(regex: str) -> int:
    """Return the largest product of counted repeats that nest in one another."""
    depths: list[int] = [1]
    closed = 1
    at = 0
    worst = 1
    while at < len(regex):
        sign = regex[at]
        if sign == "\\":
            at, closed = at + 2, 1
            continue
        if sign == "[":
            _, at = character_class(regex, at)
            closed = 1
            continue
        if sign == "(":
            depths.append(1)
        elif sign == ")" and len(depths) > 1:
            closed = depths.pop()
            depths[-1] = max(depths[-1], closed)
        elif sign == "{" and (counted := REPEAT.match(regex, at)):
            times = max(int(number) for number in counted.groups() if number) or 1
            closed *= times
            depths[-1] = max(depths[-1], closed)
            worst = max(worst, closed)
            at = counted.end()
            continue
        else:
            closed = 1
        at += 1
    return worst
