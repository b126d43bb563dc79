"""Connections to receivers: one POST, or one mail, to an address that was checked.

A name that leads to this machine, to a private network or to a cloud's metadata service would
make the tool ask there in its own name. A name is resolved once, every address of it must be
allowed, and the connection goes to a checked address itself, so that a second answer of the
resolver changes nothing. No redirect, no proxy, no cookie, and an end to all waiting.

This is the standard library's client and not httpx: only a socket of our own lets the address
that was checked be the one that is dialled.
"""

from __future__ import annotations

import http.client
import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

from auditlens.errors import SourceError
from auditlens.sources.http import Deadline

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SHARED = ipaddress.IPv4Network("100.64.0.0/10")
SECONDS = 20.0
MOST = 1 << 16
PORTS = {"starttls": 587, "tls": 465, "none": 25}


class DeliveryError(SourceError):
    """A receiver did not take a message.

    The text never holds what stands in a secret, nor what the receiver answered.

    Attributes:
        retry_after: The wait in seconds that the receiver asked for; None when it asked for none.
    """

    code = "AL-304"

    def __init__(self, message: str, *, fix: str = "", retry_after: int | None = None) -> None:
        super().__init__(message, fix=fix)
        self.retry_after = retry_after


def address_kind(text: str) -> str:
    """Which kind of network an IP address belongs to.

    Args:
        text: The address, v4 or v6, also with a zone after ``%``.

    Returns:
        ``public``, ``loopback``, ``link-local``, ``private``, or ``reserved`` for all else. A v6
        address that wraps a v4 one is of the kind of that.

    Raises:
        ValueError: It is no address.
    """
    address = unwrapped(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return "reserved"
    if address.is_global:
        return "public"
    if address.is_private or (isinstance(address, ipaddress.IPv4Address) and address in SHARED):
        return "private"
    return "reserved"


def unwrapped(address: IP) -> IP:
    """The IPv4 address that an IPv6 one only wraps."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (0, address))[1]


def connect(
    host: str, port: int, allow: Collection[str], seconds: float, *, plain: bool = False
) -> socket.socket:
    """Resolve a host, check every address, and connect to the first that answers.

    Args:
        host: Name or address.
        port: TCP port.
        allow: Kinds of addresses that may be spoken to beside ``public``.
        seconds: How long one try to connect may take.
        plain: Whether the connection has no TLS, and so may go to this machine alone.

    Returns:
        A connected socket, with ``seconds`` as its time limit.

    Raises:
        DeliveryError: The name leads nowhere, an address is refused, or none answers.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryError("its host name leads nowhere", fix="Check the address") from None
    kinds = {address_kind(str(place[0])) for *_, place in found}
    refused = sorted(kinds - {"public"} - set(allow))
    if refused:
        fix = f'Allow it with allow = ["{refused[0]}"] if it is meant'
        if refused[0] == "reserved":
            fix = "Name another host"
        raise DeliveryError(f"its host is at a {refused[0]} address, which is refused", fix=fix)
    if plain and kinds != {"loopback"}:
        raise DeliveryError("it has no TLS and is not this machine", fix="Use https or TLS")
    problem = "no address"
    for family, kind, number, _, place in found:
        made = socket.socket(family, kind, number)
        made.settimeout(seconds)
        try:
            made.connect(place)
        except OSError as error:
            problem = error.strerror or type(error).__name__
            with suppress(OSError):
                made.close()
        else:
            return made
    raise DeliveryError(f"no connection ({problem})", fix="It is tried again")


@dataclass(frozen=True)
class Endpoint:
    """A checked address: where to connect to and what to ask for there."""

    secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Response:
    """What came back: the status, the beginning of the body, and the wait asked for."""

    status: int
    body: bytes
    retry_after: str | None = None


def endpoint(url: str) -> Endpoint:
    """Take an address apart. Raises Undelivered, which does not show it."""
    wrong = DeliveryError("the address cannot be used", fix="Write https://host/path")
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
    return Endpoint(secure, host, port or (443 if secure else 80), path)


def post(
    to: Endpoint, headers: Mapping[str, str], body: bytes, *, allow: Collection[str] = (),
    seconds: float = SECONDS,
) -> Response:  # fmt: skip
    """Send a body once.

    Args:
        to: The checked address.
        headers: Further headers; Host, User-Agent and Connection are set here.
        body: What to send.
        allow: Kinds of addresses beside public ones that may be spoken to.
        seconds: How long all of it may take.

    Raises:
        DeliveryError: No complete answer came in time.
    """
    raw = connect(to.host, to.port, allow, seconds, plain=not to.secure)
    watch = Deadline(seconds, [raw])
    watch.timer.start()
    name = f"[{to.host}]" if ":" in to.host else to.host
    usual = to.port == (443 if to.secure else 80)
    connection = http.client.HTTPConnection(to.host, to.port)
    connection.sock = raw
    try:
        if to.secure:
            connection.sock = tls(raw, to.host, watch)
        fixed = {"Host": name if usual else f"{name}:{to.port}", "User-Agent": "auditlens"}
        connection.request("POST", to.path, body, {**headers, **fixed, "Connection": "close"})
        with connection.getresponse() as answer:
            data = answer.read(MOST)
            if answer.length and len(data) < MOST:
                raise http.client.IncompleteRead(data)
            found = Response(answer.status, data, answer.getheader("Retry-After"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise delivery_error(error, watch, seconds) from None
    finally:
        watch.timer.cancel()
        connection.close()
        with suppress(OSError):
            raw.close()
    if watch.passed:
        raise delivery_error(None, watch, seconds)
    return found


def tls(raw: socket.socket, host: str, watch: Deadline) -> ssl.SSLSocket:
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


def delivery_error(error: Exception | None, watch: Deadline, seconds: float) -> DeliveryError:
    if watch.passed or isinstance(error, TimeoutError):
        return DeliveryError(f"no complete answer within {seconds:g} s", fix="It is tried again")
    if isinstance(error, ssl.SSLCertVerificationError):
        return DeliveryError(
            "its certificate is not trusted",
            fix="Name your organisation's certificate file in SSL_CERT_FILE",
        )
    return DeliveryError(f"no complete answer ({type(error).__name__})", fix="It is tried again")


class Mailbox(smtplib.SMTP):
    """An SMTP session over a connection that was made and checked before."""

    def __init__(self, host: str, port: int, made: socket.socket) -> None:
        self.made = made
        super().__init__(host, port)

    def _get_socket(self, *_: object) -> socket.socket:
        return self.made


def send_mail(
    message: EmailMessage, *, host: str, port: int = 0, security: str = "starttls", user: str = "",
    password: str = "", allow: Collection[str] = (), seconds: float = SECONDS,
) -> None:  # fmt: skip
    """Hand one message to the server. Raises Undelivered unless it took it for everybody.

    ``security`` is ``starttls``, ``tls``, or ``none``, which is for this machine alone.
    """
    raw = connect(host, port or PORTS[security], allow, seconds, plain=security == "none")
    watch = Deadline(seconds, [raw])
    watch.timer.start()
    try:
        made = tls(raw, host, watch) if security == "tls" else raw
        box = Mailbox(host, port or PORTS[security], made)
        try:
            if security == "starttls":
                box.starttls(context=ssl.create_default_context())
                if isinstance(box.sock, socket.socket):
                    watch.sockets.append(box.sock)
            if user:
                box.login(user, password)
            hand_over(box, message)
        finally:
            # What the server took, it took: how it says goodbye means nothing.
            with suppress(smtplib.SMTPException, OSError):
                box.quit()
            box.close()
    except (smtplib.SMTPException, OSError) as error:
        slow = watch.passed or isinstance(error, TimeoutError)
        if isinstance(error, smtplib.SMTPResponseException) and not slow:
            text = f"the server answered {error.smtp_code}"
            raise DeliveryError(text, fix="See its log") from None
        why = f"no complete answer within {seconds:g} s" if slow else type(error).__name__
        text = f"the server did not take it ({why})"
        raise DeliveryError(text, fix="It is tried again") from None
    finally:
        watch.timer.cancel()
        raw.close()


def hand_over(box: Mailbox, message: EmailMessage) -> None:
    """Sender, every recipient, then the text; one refused recipient stops it for all."""
    box.ehlo_or_helo_if_needed()
    taken, answer = box.mail(str(message["From"]))
    if taken != 250:
        raise smtplib.SMTPResponseException(taken, answer)
    for name in str(message["To"]).split(", "):
        taken, answer = box.rcpt(name)
        if taken not in (250, 251):
            box.rset()
            raise smtplib.SMTPResponseException(taken, answer)
    taken, answer = box.data(message.as_bytes())
    if taken != 250:
        raise smtplib.SMTPResponseException(taken, answer)
