"""One GET: the only module that speaks HTTP, and the only one that imports httpx.

No redirect is followed here, no address the server sends is ever asked, and nothing is taken from
the environment but the certificate store (``SSL_CERT_FILE``, ``SSL_CERT_DIR``). An exchange has a
deadline as a whole, over TLS too: a read timeout alone lets a server drip one byte at a time for
ever. A body is decoded as it arrives and never past its bounds; a status that is no page is told
with what to do about it.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import weakref
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditlens.errors import Interrupted, KeyRefused, SourceError, UsageError
from auditlens.sources.address import Address, Key, redacted_logs, shown
from auditlens.sources.retry import PageFault, parse_http_date, parse_retry_after

__all__ = [
    "Body",
    "BodyTooLargeError",
    "Deadline",
    "EndpointMissingError",
    "HttpClient",
    "Response",
    "require_page",
]


class Deadline:
    """Cuts the connection when an exchange takes too long, whatever state it is in.

    ``sockets`` are those of the connection kept from the exchange before: a server may fall
    silent on it before its first byte, when nothing else tells which connection is used.
    """

    def __init__(self, seconds: float, sockets: list[socket.socket]) -> None:
        self.passed = False
        self.sockets = sockets
        self.timer = self.cut_in(seconds)

    def cut_in(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        return timer

    def shorten(self, seconds: float) -> None:
        """Cut after ``seconds`` from now, if the deadline is not sooner."""
        self.cut_in(seconds).start()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note each connection opened for this exchange (an httpx trace extension)."""
        if event == "connection.connect_tcp.complete":
            self.sockets.clear()
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.watch(info["return_value"])

    def watch(self, stream: Any) -> None:
        found = stream.get_extra_info("socket")
        if found is not None and found not in self.sockets:
            self.sockets.append(found)

    def cut(self) -> None:
        self.passed = True
        for each in self.sockets:
            # The plain socket's shutdown wakes a blocked read; the TLS one would race with it.
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)


RATIO = 200
RATIO_FROM = 1 << 20
STEP = 1 << 18
GZIP = 31


class BodyTooLargeError(SourceError):
    """The decoded body passed its size bound; a smaller page may pass."""

    code = "AL-302"


class Body:
    """Collects the bytes of one answer; ``encoding`` is its Content-Encoding.

    Raises BodyTooLargeError past ``most`` decoded bytes, SourceError when more than 200 bytes come
    out of each byte sent, PageFault for an unknown encoding and for damaged gzip data.
    """

    def __init__(self, encoding: str, *, most: int, where: str) -> None:
        self.where = where
        self.most = most
        self.sent = 0
        self.size = 0
        self.parts: list[bytes] = []
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if names not in ([], ["gzip"], ["x-gzip"]):
            raise PageFault(
                f"{where} answers in an encoding that was not asked for ({shown(encoding, 40)})",
                fix="Check the proxy in front of the server; gzip and identity are understood",
            )
        self.gzip = zlib.decompressobj(GZIP) if names else None

    def add(self, chunk: bytes) -> None:
        """Decode one chunk as it was sent."""
        self.sent += len(chunk)
        if self.gzip is None:
            self.keep(chunk)
            return
        while chunk:
            try:
                self.keep(self.gzip.decompress(chunk, STEP))
            except zlib.error:
                raise self.damaged() from None
            chunk = self.gzip.unconsumed_tail
            if self.gzip.eof and self.gzip.unused_data:
                raise self.damaged()

    def keep(self, part: bytes) -> None:
        self.size += len(part)
        self.parts.append(part)
        if self.size > self.most:
            raise BodyTooLargeError(
                f"{self.where} is larger than {self.most:,} bytes",
                fix='Set api = "legacy", whose pages are then asked for in smaller parts',
            )
        if self.gzip is not None and self.size > max(RATIO_FROM, RATIO * self.sent):
            raise SourceError(
                f"{self.where} is packed more than {RATIO} to 1, as no audit log is",
                fix="Check that SECODA_API_URL is your workspace and no proxy stands in front",
            )

    def whole(self) -> bytes:
        """The decoded body. Raises PageFault when the gzip data end too early."""
        if self.gzip is not None and self.sent and not self.gzip.eof:
            raise self.damaged()
        return b"".join(self.parts)

    def damaged(self) -> PageFault:
        return PageFault(f"{self.where} sent a cut or damaged gzip body", fix="Try again later")


if TYPE_CHECKING:
    import httpx


CONNECT = 10.0
READ = 30.0
ERROR_BODY = 1 << 16
GRACE = 2.0
"""Seconds a page in hand still gets after a stop."""
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "auditlens",
}


@dataclass(frozen=True)
class Response:
    """What came back: status, a few headers, and the decoded body within its bounds."""

    status: int
    body: bytes
    retry_after: str | None
    location: str | None
    server_time: datetime | None

    @property
    def now(self) -> datetime:
        """The server's clock where it told it, else ours."""
        return self.server_time or datetime.now(UTC)


class HttpClient:
    """Sends GET requests to one address with one key.

    ``deadline`` is in seconds for a whole answer, ``most`` in bytes of its decoded body. A
    ``proxy`` is used only when given here, and only for https.
    """

    def __init__(
        self, address: Address, key: Key, *, deadline: float, most: int, proxy: str | None = None
    ) -> None:
        if proxy is not None and address.scheme == "http":
            raise UsageError(
                "A proxy would see the key of a plain http address",
                fix="Leave the proxy out for this machine, or use https://",
            )
        self.address = address
        self.key = key
        self.deadline = deadline
        self.most = most
        self.proxy = proxy
        self.client: httpx.Client | None = None
        self.watch: Deadline | None = None
        self.sockets: list[socket.socket] = []
        self.stopped = False

    def stop(self) -> None:
        """Give the page in hand a moment more; safe to call from a signal handler."""
        self.stopped = True
        if self.watch is not None:
            self.watch.shorten(GRACE)

    def get(self, endpoint: str, query: Mapping[str, str]) -> Response:
        """Ask for one page.

        Raises PageFault when trying again may help, Interrupted when stopped, else SourceError.
        """
        import httpx

        if self.stopped:
            raise Interrupted("Stopped before a page was asked for", fix="Run it again to go on")
        watch = self.watch = Deadline(self.deadline, self.sockets)
        problem = ""
        answer: Response | None = None
        watch.timer.start()
        try:
            with redacted_logs(self.key):
                answer = self.ask(endpoint, query, watch)
        except httpx.TransportError as error:
            problem = shown(self.key.redact(str(error))) or type(error).__name__
        except httpx.HTTPError as error:
            problem = type(error).__name__
        finally:
            watch.timer.cancel()
            self.watch = None
        # Raised out here, so that no error carries the request, and with it the key.
        if answer is None and self.stopped:
            raise Interrupted("Stopped while the server was silent", fix="Run it again to go on")
        if watch.passed:
            raise PageFault(
                f"{endpoint} took longer than {self.deadline:g} s to answer",
                fix="Try again later, or allow more seconds in AUDITLENS_PAGE_DEADLINE",
            )
        if answer is None:
            raise self.unreachable(endpoint, problem)
        return answer

    def ask(self, endpoint: str, query: Mapping[str, str], watch: Deadline) -> Response:
        client = self.connected()
        client.cookies.clear()
        request = client.build_request(
            "GET",
            self.address.url(endpoint, query),
            headers={"Authorization": self.key.header()},
            extensions={"trace": watch.trace},
        )
        with streamed(client, request) as response:
            stream = response.extensions.get("network_stream")
            if stream is not None:
                watch.watch(stream)
            good = response.status_code == 200
            read = self.whole_body if good else self.error_body
            return Response(
                status=response.status_code,
                body=read(response, endpoint),
                retry_after=response.headers.get("retry-after"),
                location=response.headers.get("location"),
                server_time=parse_http_date(response.headers.get("date")),
            )

    def whole_body(self, response: httpx.Response, where: str) -> bytes:
        """The decoded body of a page. Raises SourceError and PageFault as Body does."""
        body = self.body(response, where, self.most)
        for chunk in response.iter_raw():
            body.add(chunk)
        return body.whole()

    def error_body(self, response: httpx.Response, where: str) -> bytes:
        """What can be had of an error's body: its status counts, however it is written."""
        import httpx

        held: list[bytes] = []
        with suppress(SourceError, httpx.TransportError):
            body = self.body(response, where, ERROR_BODY)
            held = body.parts
            for chunk in response.iter_raw():
                body.add(chunk)
        return b"".join(held)

    def body(self, response: httpx.Response, where: str, most: int) -> Body:
        encoding = self.key.redact(response.headers.get("content-encoding", ""))
        return Body(encoding, most=min(most, self.most), where=where)

    def connected(self) -> httpx.Client:
        """The one client, made at first use and closed with this object."""
        if self.client is None:
            import httpx

            try:
                client = httpx.Client(
                    verify=trust(),
                    trust_env=False,
                    follow_redirects=False,
                    proxy=self.proxy,
                    timeout=httpx.Timeout(READ, connect=CONNECT),
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                    headers=HEADERS,
                )
            except (ValueError, TypeError, ImportError, httpx.InvalidURL):
                client = None
            if client is None:
                raise UsageError(
                    "The proxy's address cannot be used", fix="Write it as http://host:port"
                )
            weakref.finalize(self, client.close)
            self.client = client
        return self.client

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self.client is not None:
            self.client.close()
            self.client = None

    def unreachable(self, endpoint: str, problem: str) -> SourceError:
        if "CERTIFICATE_VERIFY_FAILED" in problem:
            return SourceError(
                f"The certificate of {self.address.origin} is not trusted ({problem})",
                fix="Name your organisation's certificate file in SSL_CERT_FILE; "
                "certificates are always checked",
            )
        return PageFault(
            f"No complete answer from {self.address.url(endpoint)}: {problem}",
            fix="Check SECODA_API_URL and the network",
        )


@contextmanager
def streamed(client: httpx.Client, request: httpx.Request) -> Iterator[httpx.Response]:
    response = client.send(request, stream=True)
    try:
        yield response
    finally:
        response.close()


def trust() -> ssl.SSLContext | bool:
    """The certificates to trust: those named in the environment, else the bundled ones."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return True
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (OSError, ssl.SSLError):
        raise UsageError(
            "SSL_CERT_FILE or SSL_CERT_DIR names no readable certificates",
            fix="Correct it or unset it",
        ) from None


MISSING = (404, 405, 410)
PASSING = (408, 425)


class EndpointMissingError(SourceError):
    """The server has no such endpoint, or no such page: 404, 405, 410."""

    code = "AL-303"

    def __init__(self, answer: Response, where: str) -> None:
        super().__init__(f"{where} is not there ({answer.status})", fix="Check SECODA_API_URL")
        self.answer = answer

    @property
    def past_the_end(self) -> bool:
        """Whether it reads like "no such page" of a list, rather than "no such address"."""
        text = self.answer.body.strip()
        return self.answer.status == 404 and text.startswith(b"{") and b'"detail"' in text


def require_page(answer: Response, where: str, key: Key) -> None:
    """Pass a 200.

    Raises KeyRefused (401, 403), EndpointMissingError (404, 405, 410), PageFault where trying
    again may help (429, 5xx, 408, 425), and SourceError for the rest.
    """
    status = answer.status
    if status == 200:
        return
    if status in (401, 403):
        raise refused_key(status, where)
    if status in MISSING:
        raise EndpointMissingError(answer, where)
    if 300 <= status < 400:
        target = shown(key.redact(answer.location or "nowhere"))
        raise SourceError(
            f"{where} answered with a redirect to {target} ({status}), which is not followed",
            fix="Set SECODA_API_URL to the address of the API itself",
        )
    told = parse_retry_after(answer.retry_after, now=answer.now)
    if status == 429:
        raise PageFault(
            f"{where} asks for fewer requests (429)",
            fix="Run it later, or allow more waiting with AUDITLENS_RETRY_BUDGET (seconds)",
            told=told,
            throttled=True,
        )
    said = shown(key.redact(answer.body[:4096].decode("utf-8", "replace")))
    message = f"{where} answered {status}" + (f": {said}" if said else "")
    if status >= 500 or status < 300 or status in PASSING:
        raise PageFault(message, fix="The server has trouble: run it again later", told=told)
    raise SourceError(message, fix="Check the filter, sort and other parameters of the request")


def refused_key(status: int, where: str) -> KeyRefused:
    """401 is about the key, 403 about the rights of its owner."""
    if status == 401:
        return KeyRefused(
            f"{where} refused the key (401)",
            fix="Check SECODA_API_KEY, or make a new key in Secoda under Settings > API",
        )
    return KeyRefused(
        f"{where} refused the rights of the key's owner (403): "
        "the audit log needs a workspace admin's key",
        fix="Have an admin make a key under Settings > API and set it as SECODA_API_KEY",
    )
