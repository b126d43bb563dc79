"""One POST to a checked address: no redirect, no proxy, no cookie, and an end to all waiting.

This is the standard library's client and not httpx: only a socket of our own lets the address
that was checked be the one that is dialled.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from auditlens.notify.route import connect
from auditlens.notify.undelivered import Undelivered
from auditlens.sources.deadline import Deadline

__all__ = ["Answer", "Place", "place_of", "post", "secured"]

SECONDS = 20.0
MOST = 1 << 16


@dataclass(frozen=True)
class Place:
    """A checked address: where to connect to and what to ask for there."""

    secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the beginning of the body, and the wait asked for."""

    status: int
    body: bytes
    retry_after: str | None = None


def place_of(url: str) -> Place:
    """Take an address apart. Raises Undelivered, which does not show it."""
    wrong = Undelivered("the address cannot be used", fix="Write https://host/path")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    clean = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    if not clean or not host or parts.scheme not in ("https", "http"):
        raise wrong
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(secure, host, port or (443 if secure else 80), path)


def post(
    place: Place, headers: Mapping[str, str], body: bytes, *, allow: Collection[str] = (),
    seconds: float = SECONDS,
) -> Answer:  # fmt: skip
    """Send ``body`` once. Raises Undelivered when no whole answer came within ``seconds``."""
    raw = connect(place.host, place.port, allow, seconds, plain=not place.secure)
    watch = Deadline(seconds, [raw])
    watch.timer.start()
    name = f"[{place.host}]" if ":" in place.host else place.host
    usual = place.port == (443 if place.secure else 80)
    connection = http.client.HTTPConnection(place.host, place.port)
    connection.sock = raw
    try:
        if place.secure:
            connection.sock = secured(raw, place.host, watch)
        fixed = {"Host": name if usual else f"{name}:{place.port}", "User-Agent": "auditlens"}
        connection.request("POST", place.path, body, {**headers, **fixed, "Connection": "close"})
        with connection.getresponse() as answer:
            data = answer.read(MOST)
            if answer.length and len(data) < MOST:
                raise http.client.IncompleteRead(data)
            found = Answer(answer.status, data, answer.getheader("Retry-After"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise broken(error, watch, seconds) from None
    finally:
        watch.timer.cancel()
        connection.close()
        with suppress(OSError):
            raw.close()
    if watch.passed:
        raise broken(None, watch, seconds)
    return found


def secured(raw: socket.socket, host: str, watch: Deadline) -> ssl.SSLSocket:
    """TLS over a connection; the certificate is always checked."""
    context = ssl.create_default_context()
    wrapped = context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    watch.sockets.append(wrapped)
    try:
        wrapped.do_handshake()
    except (OSError, ValueError):
        wrapped.close()
        raise
    return wrapped


def broken(error: Exception | None, watch: Deadline, seconds: float) -> Undelivered:
    if watch.passed or isinstance(error, TimeoutError):
        return Undelivered(f"no whole answer within {seconds:g} s", fix="It is tried again")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Undelivered(
            "its certificate is not trusted",
            fix="Name your organisation's certificate file in SSL_CERT_FILE",
        )
    return Undelivered(f"no whole answer ({type(error).__name__})", fix="It is tried again")
