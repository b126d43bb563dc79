"""One GET: the only module that speaks HTTP, and the only one that imports httpx.

No redirect is followed here, no address the server sends is ever asked, and nothing is taken from
the environment but the certificate store (``SSL_CERT_FILE``, ``SSL_CERT_DIR``). Certificates are
always checked. A page has a deadline for all of it, since a read timeout alone lets a server
drip one byte at a time for ever.
"""

from __future__ import annotations

import os
import socket
import ssl
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditlens.errors import Interrupted, SourceError, UsageError
from auditlens.sources.address import Address, Key, shown
from auditlens.sources.body import Body
from auditlens.sources.deadline import Deadline
from auditlens.sources.patience import PageFault, parse_http_date
from auditlens.sources.redaction import redacted_logs

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Exchange"]

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
class Answer:
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


class Exchange:
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

    def get(self, endpoint: str, query: Mapping[str, str]) -> Answer:
        """Ask for one page.

        Raises PageFault when trying again may help, Interrupted when stopped, else SourceError.
        """
        import httpx

        if self.stopped:
            raise Interrupted("Stopped before a page was asked for", fix="Run it again to go on")
        watch = self.watch = Deadline(self.deadline, self.sockets)
        problem = ""
        answer: Answer | None = None
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
                fix="Try again later, or ask for smaller pages (page_size)",
            )
        if answer is None:
            raise self.unreachable(endpoint, problem)
        return answer

    def ask(self, endpoint: str, query: Mapping[str, str], watch: Deadline) -> Answer:
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
            return Answer(
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
            f"No whole answer from {self.address.url(endpoint)} ({problem})",
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
