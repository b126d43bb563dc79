"""The intermediate form of a rule's condition: a frozen tree that every target reads.

And, Or and Not join leaves; a leaf is a Match (one field, one value) or a Keyword (one value,
any text field). A list of values in a rule is an Or (or, with ``all``, an And) of leaves, so a
leaf is always one test with one answer. A missing field never matches, and ``not`` of it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from auditlens.canonical import sha256_hex

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
    "digest",
    "leaves",
    "names",
]


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
    found: set[str] = set()
    for leaf in leaves(node):
        if isinstance(leaf, Match):
            found.add(leaf.field)
            if isinstance(leaf.value, Reference):
                found.add(leaf.value.field)
    return tuple(sorted(found))


def digest(node: Node) -> str:
    """Return the SHA-256 (hex) of the tree's canonical text."""
    return sha256_hex(repr(node))
