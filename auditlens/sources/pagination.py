"""What a page says: its records, byte for byte, and whether more follow.

Three envelopes are read. ``modern``: results, count, total_pages, meta, links. ``plain``: count,
next, previous, results. ``array``: a bare list. The words ``"None"`` and ``"False"`` count as null,
since the vendor's own samples write them so. Addresses in ``next`` are looked at, never asked.

msgspec splits well-formed text at full speed. What it refuses whole for the sake of one record (a
lone surrogate, NaN, a byte that is no UTF-8) is split by its brackets, so that the record's
neighbours are kept, and the record's own bytes are handed over as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from auditlens.events import JSON_ERRORS, repair_json
from auditlens.sources.address import Key, shown
from auditlens.sources.formats import BOM
from auditlens.sources.retry import PageFault

__all__ = ["Envelope", "Pieces", "array_elements", "object_members", "read_envelope", "split"]

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

    An element that is JSON only once repaired is handed over as it is.
    """
    try:
        return tuple(bytes(raw) for raw in ARRAY.decode(text))
    except JSON_ERRORS:
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
    except JSON_ERRORS:
        pieces = checked(text, b"{", b"}")
    members: dict[str, bytes] = {}
    for part in pieces:
        match = MEMBER.fullmatch(part)
        if match is None:
            raise ValueError("no member of an object")
        name = msgspec.json.decode(repair_json(match[1]), type=str)
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
    """Refuse what is no JSON; what is read once repaired passes, as it is."""
    try:
        ANY.decode(part)
    except JSON_ERRORS:
        ANY.decode(repair_json(part))


ABSENT = object()
NOTHING = (None, False, "", "None", "none", "null", "False", "false")
MOST = 2**53


@dataclass(frozen=True)
class Envelope:
    """The content of one page. ``more`` is None when the page does not tell."""

    shape: str
    records: tuple[bytes, ...]
    count: int | None = None
    total_pages: int | None = None
    more: bool | None = None


def read_envelope(body: bytes, number: int, *, where: str, key: Key) -> Envelope:
    """Read page ``number``.

    A record may hold NaN, half an emoji or bytes that are no UTF-8: its bytes are handed over as
    they came, and so are its neighbours. Raises PageFault for anything but whole JSON with a list
    of records.
    """
    body = body.removeprefix(BOM)
    start = body[:256].lstrip(b" \t\r\n")[:1]
    try:
        if start == b"[":
            return Envelope("array", array_elements(body))
        if start == b"{":
            return from_object(object_members(body, unchecked=("results",)), number, where, key)
    except JSON_ERRORS:
        pass
    raise not_json(body, where, key)


def from_object(members: Mapping[str, bytes], number: int, where: str, key: Key) -> Envelope:
    results = members.get("results")
    if results is None:
        names = ", ".join(shown(key.redact(name), 20) for name in list(members)[:5])
        raise wrong_shape(where, f"an object of {names or 'nothing'}")
    if not results.startswith(b"["):
        found = shown(key.redact(results[:4096].decode("utf-8", "replace")), 30)
        raise wrong_shape(where, f"results that are {found}")
    total = whole_number(value(members, "total_pages"))
    meta, links = nested(members, "meta"), nested(members, "links")
    following = [value(links, "next"), value(members, "next"), value(meta, "next_page")]
    signs = [sign not in NOTHING for sign in following if sign is not ABSENT]
    if total is not None:
        signs.append(number < total)
    return Envelope(
        shape="modern" if total is not None or meta or links else "plain",
        records=array_elements(results),
        count=whole_number(value(members, "count")),
        total_pages=total,
        # One sign of a further page is enough: asking for one too many costs a request,
        # asking for one too few costs records.
        more=any(signs) if signs else None,
    )


def nested(members: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    text = members.get(name, b"")
    return object_members(text) if text.startswith(b"{") else {}


def value(members: Mapping[str, bytes], name: str) -> Any:
    return msgspec.json.decode(repair_json(members[name])) if name in members else ABSENT


def whole_number(found: Any) -> int | None:
    """A count, also when it is written as text; None for anything else."""
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 17:
        found = int(found)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < MOST:
        return found
    return None


def not_json(body: bytes, where: str, key: Key) -> PageFault:
    text = key.redact(body[:4096].decode("utf-8", "replace"))
    what = "a web page" if text.lstrip().startswith("<") else "no valid JSON"
    if not body:
        what = "an empty body"
    return PageFault(
        f"{where} sent {what} with status 200" + (f": {shown(text)}" if body else ""),
        fix="Check that SECODA_API_URL is the API's address and no sign-in page stands before it",
    )


def wrong_shape(where: str, found: str) -> PageFault:
    return PageFault(
        f"{where} sent {found}; expected a list, or an object with a list called results",
        fix="Check that SECODA_API_URL is the API's address",
    )
