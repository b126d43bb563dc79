"""The elements of JSON arrays and the members of JSON objects, as exact bytes.

msgspec splits well-formed text at full speed. What it refuses whole for the sake of one record (a
lone surrogate, deep nesting) is split by its brackets, so that the record's neighbours are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn

import msgspec

__all__ = ["Pieces", "array_elements", "object_members", "split"]

MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
MEMBER = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+")\s*:(.*)', re.DOTALL)
ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
MAX_DEPTH = 2_000
ANY = msgspec.json.Decoder()


@dataclass(frozen=True)
class Pieces:
    """The parts between the outermost brackets, and where each starts in the text.

    ``whole`` is false when the text ends before its last bracket, or goes on after it; then the
    last part is what was left.
    """

    parts: tuple[bytes, ...]
    starts: tuple[int, ...]
    whole: bool


def split(text: bytes) -> Pieces:
    """Split an array or object at its outermost commas, by brackets and strings alone."""
    parts: list[bytes] = []
    starts: list[int] = []
    depth, start = 0, 0
    for match in MARK.finditer(text):
        mark = text[match.start()]
        if mark in b"[{":
            depth += 1
            if depth == 1:
                start = match.end()
        elif mark in b"]}":
            depth -= 1
        if depth == (0 if mark in b"]}" else 1) and mark in b",]}":
            parts.append(text[start : match.start()].strip())
            starts.append(start)
            start = match.end()
            if depth == 0:
                whole = not text[match.end() :].strip()
                return Pieces(*without_nothing(parts, starts), whole)
    parts.append(text[start:].strip())
    starts.append(start)
    return Pieces(*without_nothing(parts, starts), whole=False)


def without_nothing(
    parts: list[bytes], starts: list[int]
) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """An empty pair of brackets holds no part, rather than one empty part."""
    return ((), ()) if parts == [b""] else (tuple(parts), tuple(starts))


def array_elements(text: bytes) -> tuple[bytes, ...]:
    """The elements of a JSON array. Raises ValueError when it is not valid JSON.

    An element with a lone surrogate or nested too deeply is handed over as it is.
    """
    try:
        return tuple(bytes(raw) for raw in ARRAY.decode(text))
    except (msgspec.MsgspecError, RecursionError):
        pieces = checked(text, b"[", b"]")
    for part in pieces:
        check(part)
    return pieces


def object_members(text: bytes, *, unchecked: Collection[str] = ()) -> dict[str, bytes]:
    """The members of a JSON object by name. Raises ValueError when it is not valid JSON.

    Members named in ``unchecked`` may hold elements beyond msgspec; read them with array_elements.
    """
    try:
        return {name: bytes(raw) for name, raw in OBJECT.decode(text).items()}
    except (msgspec.MsgspecError, RecursionError):
        pieces = checked(text, b"{", b"}")
    members: dict[str, bytes] = {}
    for part in pieces:
        match = MEMBER.fullmatch(part)
        if match is None:
            raise ValueError("no member of an object")
        name = json.loads(match[1])
        if name not in unchecked:
            check(match[2])
        members[name] = match[2].strip()
    return members


def checked(text: bytes, opening: bytes, closing: bytes) -> tuple[bytes, ...]:
    stripped = text.strip()
    pieces = split(text)
    if not pieces.whole or stripped[:1] != opening or stripped[-1:] != closing:
        raise ValueError("the brackets do not close")
    return pieces.parts


def check(part: bytes) -> None:
    """Refuse what is not JSON; what is JSON but beyond msgspec passes."""
    try:
        ANY.decode(part)
    except RecursionError:
        check_depth(part)
    except msgspec.MsgspecError:
        try:
            json.loads(part, parse_constant=no_constant)
        except RecursionError:
            check_depth(part)


def check_depth(part: bytes) -> None:
    depth = 0
    for match in MARK.finditer(part):
        mark = part[match.start()]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH:,} levels")


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
