"""Where requests may go, and the one secret they carry.

The address is checked character by character and rebuilt from its parts, so that the host we
read in it is the host every HTTP library reads in it. The key is held by :class:`Key`, which
has no readable form: it is shown to the one function that writes the ``Authorization`` header.
"""

from __future__ import annotations

import base64
import ipaddress
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote, urlencode

from auditlens.errors import UsageError

__all__ = ["Address", "Key", "read_address", "read_key", "redacted_logs", "shown", "written_forms"]

FORM = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*)*)"
)
KEY = re.compile(r"[\x21-\x7e]+")
EXAMPLE = "Set SECODA_API_URL, for example to https://api.secoda.co or https://YOUR.domain"
MAKE_KEY = "Make one in Secoda under Settings > API and set SECODA_API_KEY"
SHOWN = 80
LEAST = 8
"""Characters of a key that is looked for inside other text."""


@dataclass(frozen=True)
class Address:
    """A checked base address: scheme, host (IPv6 in brackets), port if not the usual one, path."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as text."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    @property
    def text(self) -> str:
        """The base address, without a slash at its end."""
        return self.origin + self.path

    def url(self, endpoint: str, query: Mapping[str, str] | None = None) -> str:
        """The address of an endpoint (a path that starts with a slash) with its query."""
        return self.text + endpoint + (f"?{urlencode(query, quote_via=quote)}" if query else "")


class Key:
    """An API key that shows itself nowhere: not in repr, in errors, in pickles or in copies."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Key(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never copied or stored")

    def header(self) -> str:
        """The value of the ``Authorization`` header."""
        return f"Bearer {self._text}"

    def redact(self, text: str) -> str:
        """Return ``text`` with every occurrence of the key replaced, however it is written."""
        return written_forms(self._text).sub("[key]", text) if self._text else text

    def stands_in(self, text: str) -> bool:
        """Whether a text is the key or holds it, however it is written; chance is left out."""
        return text == self._text or (len(self._text) >= LEAST and self.redact(text) != text)


def read_key(text: str | None) -> Key:
    """Check an API key. Raises UsageError, which never shows it."""
    if not text:
        raise UsageError("SECODA_API_KEY is not set or empty", fix=MAKE_KEY)
    if not KEY.fullmatch(text):
        raise UsageError(
            "SECODA_API_KEY holds a space, a line break or another character no key has",
            fix="Copy the key again, without quotes or line ends",
        )
    return Key(text)


def read_address(text: str | None) -> Address:
    """Check a workspace's address; ``/api/v1`` at its end is dropped.

    Raises UsageError for anything but ``https://host[:port][/path]``; ``http`` is allowed to
    this machine alone (127.0.0.0/8, ::1, localhost).
    """
    if not text:
        raise UsageError("No workspace address is known", fix=EXAMPLE)
    if "@" in text:
        raise UsageError("The address holds a user name or key (@)", fix=EXAMPLE)
    if "?" in text or "#" in text:
        raise UsageError(f"The address has a query or fragment: {shown(text)}", fix=EXAMPLE)
    match = FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"Not an address: {shown(text)}", fix=EXAMPLE)
    scheme, host = match["scheme"].lower(), match["host"].lower()
    check_host(scheme, host, text)
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65_536:
        raise UsageError(f"No such port: {port}", fix="Ports go from 1 to 65535")
    path = match["path"].rstrip("/")
    if {"", ".", ".."} & set(path.split("/")[1:]) or "%" in path:
        raise UsageError(f"The address has an unclear path: {shown(text)}", fix=EXAMPLE)
    usual = {"https": 443, "http": 80}[scheme]
    return Address(scheme, host, None if port == usual else port, path.removesuffix("/api/v1"))


def check_host(scheme: str, host: str, text: str) -> None:
    """Refuse another scheme than https, but for http to this machine."""
    if scheme not in ("https", "http"):
        raise UsageError(f"The address must begin with https://, not {scheme}://", fix=EXAMPLE)
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise UsageError(f"Not an IPv6 address: {shown(text)}", fix=EXAMPLE) from None
    elif ".." in host:
        raise UsageError(f"Not a host name: {shown(text)}", fix=EXAMPLE)
    if scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"Plain http would show the key to the network: {shown(text)}",
            fix="Use https://; http is for this machine only (localhost, 127.0.0.1, [::1])",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine, without asking any resolver."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return address == ipaddress.IPv6Address("::1")
    return address in ipaddress.IPv4Network("127.0.0.0/8")


def shown(text: str, limit: int = SHOWN) -> str:
    """Foreign text, made safe for one line of a message: printable ASCII, at most ``limit``."""
    flat = " ".join(text[: 4 * limit].split())
    safe = "".join(mark if " " <= mark <= "~" else ascii(mark)[1:-1] for mark in flat)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


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


LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


class Redaction(logging.Filter):
    """Strikes the key out of log records: a server may repeat it in a header."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the key."""
        record.msg, record.args = self.key.redact(record.getMessage()), ()
        return True


@contextmanager
def redacted_logs(key: Key) -> Iterator[None]:
    """Keep the key out of the HTTP libraries' own logs for as long as they are at work."""
    redaction = Redaction(key)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redaction)
