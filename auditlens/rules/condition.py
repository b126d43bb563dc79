"""A rule's condition as a frozen tree, and the dialect of its patterns.

And, Or and Not join leaves; a leaf is a Match (one field, one value) or a Keyword (one value,
any text field). A list of values in a rule is an Or (or, with ``all``, an And) of leaves, so a
leaf is always one test with one answer. A missing field never matches, and ``not`` of it does.

Patterns are in RE2's dialect. Rust's engine (Polars) reads a few signs otherwise: character
classes are Unicode there, and ``[a&&b]``, ``[a--b]`` and a nested ``[`` are set operations.
``rust_regex`` rewrites a pattern so that it means there what RE2 means by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "And",
    "Bound",
    "Exists",
    "Flag",
    "Keyword",
    "Leaf",
    "Match",
    "Moment",
    "Network",
    "Node",
    "Not",
    "Null",
    "Number",
    "Or",
    "Pattern",
    "Reference",
    "Text",
    "Value",
    "Wild",
    "check_regex",
    "join",
    "leaves",
    "names",
    "rust_regex",
]


MAX_LENGTH = 4096
MAX_REPEAT = 1000

ASCII_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


class Wild(Enum):
    """A wildcard inside a text: any run of characters, or exactly one."""

    MANY = "*"
    ONE = "?"

    def __repr__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Text:
    """A text with wildcards, compared without regard to case unless ``cased``."""

    parts: tuple[str | Wild, ...]
    cased: bool = False

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else part.value for part in self.parts)


@dataclass(frozen=True, slots=True)
class Number:
    """A number: by value against a numeric column, by its text against a text column."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean; against a text column, the word true or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """The field is null or missing."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is present (not null), or is not."""

    present: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression of the RE2 subset, searched anywhere; ``flags`` of i, m and s."""

    regex: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """An IPv4 or IPv6 network in CIDR form."""

    cidr: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Another field of the same event: ``how`` is equals, startswith, endswith or contains."""

    field: str
    how: str = "equals"


@dataclass(frozen=True, slots=True)
class Bound:
    """A numeric comparison: ``op`` is lt, lte, gt, gte, eq or neq."""

    op: str
    value: int | float


@dataclass(frozen=True, slots=True)
class Moment:
    """A part of a time, in the run's time zone, compared as Bound does."""

    part: str
    op: str
    value: int | float


Value = Text | Number | Flag | Null | Exists | Pattern | Network | Reference | Bound | Moment


@dataclass(frozen=True, slots=True)
class Match:
    """One field holds one value; of a list field, any member."""

    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class Keyword:
    """One value stands anywhere in the text fields of the log source."""

    value: Text | Number | Flag | Pattern


@dataclass(frozen=True, slots=True)
class And:
    """Every child holds."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one child holds."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The child does not hold."""

    child: Node


Leaf = Match | Keyword
Node = And | Or | Not | Match | Keyword


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield every leaf of the tree, from left to right."""
    stack: list[Node] = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, And | Or):
            stack.extend(reversed(top.children))
        elif isinstance(top, Not):
            stack.append(top.child)
        else:
            yield top


def names(node: Node) -> tuple[str, ...]:
    """Return the names of all fields the tree reads, sorted, each once."""
    fields: set[str] = set()
    for leaf in leaves(node):
        if isinstance(leaf, Match):
            fields.add(leaf.field)
            if isinstance(leaf.value, Reference):
                fields.add(leaf.value.field)
    return tuple(sorted(fields))


def join(kind: type[And | Or], children: tuple[Node, ...]) -> Node:
    """Join children, lifting those of the same kind, so that a tree is as flat as it can be."""
    flat: list[Node] = []
    for child in children:
        flat.extend(child.children if isinstance(child, kind) else (child,))
    flat = list(dict.fromkeys(flat))
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


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
