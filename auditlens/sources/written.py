"""A secret as it may stand in a text: as it is, escaped, in hexadecimal digits, in base64."""

from __future__ import annotations

import base64
import re

__all__ = ["written_forms"]

SHORTEST = 6
"""Characters of base64 that must be the secret's own; fewer are found in any text by chance."""
ALIKE = {"+": r"(?:[+-]|%2B)", "/": r"(?:[/_]|%2F|\\/)"}
BREAK = r"(?:\\[rn]|[\r\n]){0,4}"
"""Where base64 may be broken into lines."""


def written_forms(secret: str) -> re.Pattern[str]:
    """A pattern of every form of a secret, the longest first.

    As it is, in any case, each character perhaps escaped as in a URL (twice too), in JSON, in
    HTML; as hexadecimal digits; as base64 of either alphabet, at any of the three places where it
    may begin, with the neighbours that hold some of its bits.
    """
    raw = secret.encode()
    forms = [
        hexadecimal(raw),
        *(found for before in range(3) if (found := encoded(raw, before))),
    ]
    return re.compile("|".join([*forms, "".join(map(character, secret))]))


def character(char: str) -> str:
    """One character as it is, in either case, or escaped."""
    code = ord(char)
    escapes = [
        rf"%(?:25){{0,3}}{code:02x}",
        rf"\\{{1,4}}u00{code:02x}",
        rf"\\{{1,4}}x{code:02x}",
        rf"&#x0{{0,6}}{code:x};",
        rf"&#0{{0,6}}{code};",
    ]
    plain = re.escape(char)
    if char in "\"\\/'&<>":
        plain = rf"(?:\\{{0,4}}{plain})"
    names = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
    escapes += [names[char]] if char in names else []
    return f"(?i:{'|'.join([plain, *escapes])})"


def hexadecimal(raw: bytes) -> str:
    """Digits in either case, with or without something between the bytes."""
    between = r"(?:[:\s,-]|\\{1,4}x|0x){0,3}"
    return f"(?i:{between.join(f'{byte:02x}' for byte in raw)})"


def encoded(raw: bytes, before: int) -> str:
    """Base64 in which ``before`` bytes of something else came first; empty for a short secret."""
    text = base64.b64encode(b"\0" * before + raw).decode()
    first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
    own = text[first:last]
    if len(own) < SHORTEST:
        return ""
    neighbour = r"[A-Za-z0-9+/_-]?"
    inside = BREAK.join(ALIKE.get(char, char) for char in own)
    begins = neighbour if before else ""
    return f"{begins}{inside}{neighbour}(?:=|%3D){{0,2}}"
