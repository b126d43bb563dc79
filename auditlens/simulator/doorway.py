"""One request at the simulated server: who asks, for what, and how often."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from socket import SHUT_RDWR, socket
from time import sleep, time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from auditlens.simulator.envelopes import ENVELOPES, Place
from auditlens.simulator.feed import whole_number
from auditlens.simulator.filters import FilterError

if TYPE_CHECKING:
    from auditlens.simulator.server import Server

__all__ = ["AuditHTTPServer", "Doorway"]

PREFIX = "/api/v1"
AUDIT = {
    "/notification/workspace/": "legacy",
    "/activity_log/audit_logs/": "current",
}
BEARER = "Bearer "


class AuditHTTPServer(ThreadingHTTPServer):
    """A threaded HTTP server that knows the simulated server it speaks for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], server: Server) -> None:
        super().__init__(address, Doorway)
        self.simulated = server
        self.open: set[socket] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, as by Ctrl-C; that is no fault of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End connections that clients keep alive, so that no thread waits on them."""
        for connection in tuple(self.open):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)


class Refusal(Exception):
    """An answer other than 200: its status, its ``detail`` and further headers."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Doorway(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "AuditLensSimulator"
    sys_version = ""
    # Header and body leave in two writes; with Nagle's algorithm each page would wait 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def setup(self) -> None:
        super().setup()
        self.hall.open.add(self.connection)

    def finish(self) -> None:
        self.hall.open.discard(self.connection)
        super().finish()

    @property
    def hall(self) -> AuditHTTPServer:
        """The HTTP server this connection came in by."""
        assert isinstance(self.server, AuditHTTPServer)
        return self.server

    @property
    def simulated(self) -> Server:
        """The simulated server this connection belongs to."""
        return self.hall.simulated

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        if self.simulated.terms.latency:
            sleep(self.simulated.terms.latency)
        headers: dict[str, str] = {}
        try:
            body, status = self.answer(target.path, query), HTTPStatus.OK
        except Refusal as refusal:
            status, headers = refusal.status, refusal.headers
            body = msgspec.json.encode({"detail": refusal.detail})
        except FilterError as error:
            status = HTTPStatus.BAD_REQUEST
            body = msgspec.json.encode({"detail": str(error)})
        self.simulated.note(target.path, target.query, int(status), with_key=self.key is not None)
        self.send(status, body, headers)

    def refuse_writing(self) -> None:
        """The log is read-only: every other method is refused, and the connection ends."""
        self.close_connection = True
        body = msgspec.json.encode({"detail": "The audit log is read-only."})
        self.send(HTTPStatus.FORBIDDEN, body, {"Connection": "close"})

    do_POST = do_PUT = do_PATCH = do_DELETE = refuse_writing  # noqa: N815

    def answer(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body for a path, or Refusal."""
        if path == "/healthcheck":
            return b'{"status": "OK"}'
        short = self.known(path.removeprefix(PREFIX))
        generation = AUDIT.get(short)
        self.admit(audit=generation is not None)
        if generation is not None and generation in self.simulated.feeds:
            return self.audit_page(generation, path, query)
        if short in self.simulated.directory:
            return self.directory_page(short, path, query)
        raise Refusal(HTTPStatus.NOT_FOUND, "Not found.")

    def known(self, short: str) -> str:
        """The path of an endpoint as it is kept: every one answers with a slash and without."""
        bare = short.rstrip("/")
        paths = (*AUDIT, *self.simulated.directory)
        return next((each for each in paths if each.rstrip("/") == bare), short)

    @property
    def key(self) -> str | None:
        """The key the request carries."""
        header = self.headers.get("Authorization", "")
        return header.removeprefix(BEARER) if header.startswith(BEARER) else None

    def admit(self, *, audit: bool) -> None:
        """Check rate limit, key and rights, in this order."""
        if wait := self.simulated.wait():
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS, "Request was throttled.",
                **{"Retry-After": self.retry_after(wait)},
            )  # fmt: skip
        terms = self.simulated.terms
        if self.key is None or self.key not in (terms.key, terms.viewer_key):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "Invalid or missing API key.")
        if audit and self.key == terms.viewer_key:
            raise Refusal(
                HTTPStatus.FORBIDDEN, "You do not have permission to perform this action."
            )

    def retry_after(self, wait: float) -> str:
        if self.simulated.terms.retry_after == "date":
            return formatdate(ceil(time() + wait), usegmt=True)
        return str(ceil(wait))

    def audit_page(self, generation: str, path: str, query: Mapping[str, str]) -> bytes:
        feed = self.simulated.feeds[generation]
        number = whole_number(query, "page", 1)
        legacy = generation == "legacy"
        asked = whole_number(query, "page_size", 0) if legacy else 0
        size = self.simulated.size(generation, asked)
        listing = (feed.legacy if legacy else feed.current)(query, number, size)
        body = ENVELOPES[self.simulated.terms.envelope](listing, self.place(path, query, size))
        # New records arrive after the page was cut: the next page is cut from a longer listing.
        self.simulated.arrive(self.simulated.terms.growth)
        return body

    def directory_page(self, short: str, path: str, query: Mapping[str, str]) -> bytes:
        number = whole_number(query, "page", 1)
        size = self.simulated.size("current", None)
        listing = self.simulated.directory[short].current(query, number, size)
        return ENVELOPES["modern"](listing, self.place(path, query, size))

    def place(self, path: str, query: Mapping[str, str], size: int) -> Place:
        def link(page: int) -> str:
            return f"{self.simulated.url}{path}?{urlencode({**query, 'page': page})}"

        return Place(whole_number(query, "page", 1), size, link)

    def send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a server inside a command must not write to its terminal."""
