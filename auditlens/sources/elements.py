"""The elements of JSON arrays and the members of JSON objects, as exact bytes.

msgspec splits well-formed text at full speed. What it refuses whole for the sake of one record (a
lone surrogate, NaN, a byte that is no UTF-8) is split by its brackets, so that the record's
neighbours are kept, and the record's own bytes are handed over as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from auditlens.events.lenient import NO_JSON, mended

__all__ = ["Pieces", "array_elements", "object_members", "split"]

MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
MEMBER = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+")\s*:(.*)', re.DOTALL)
ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
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

    An element that is JSON only once mended is handed over as it is.
    """
    try:
        return tuple(bytes(raw) for raw in ARRAY.decode(text))
    except NO_JSON:
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
    except NO_JSON:
        pieces = checked(text, b"{", b"}")
    members: dict[str, bytes] = {}
    for part in pieces:
        match = MEMBER.fullmatch(part)
        if match is None:
            raise ValueError("no member of an object")
        name = msgspec.json.decode(mended(match[1]), type=str)
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
    """Refuse what is no JSON; what is read once mended passes, as it is."""
    try:
        ANY.decode(part)
    except NO_JSON:
        ANY.decode(mended(part))
