"""The simulated workspace over real HTTP: both audit endpoints and the directory's."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from socket import SHUT_RDWR, socket
from threading import Lock, Thread
from time import monotonic, sleep, time
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
import polars as pl

from auditlens.errors import SourceError, UsageError
from auditlens.simulator.directory import Directory
from auditlens.simulator.feed import Feed, FilterError, Listing, whole_number
from auditlens.simulator.workspace import GENERATIONS, Recording, Workspace, servable

__all__ = [
    "ENVELOPES",
    "KEY",
    "VIEWER_KEY",
    "AnsweredRequest",
    "AuditHTTPServer",
    "Place",
    "RequestHandler",
    "Server",
    "ServerOptions",
    "serve",
]


@dataclass(frozen=True)
class Place:
    """Where in a listing a page stands; ``link`` builds the address of another page."""

    page: int
    size: int
    link: Callable[[int], str]


def modern(listing: Listing, place: Place) -> bytes:
    """``results``, ``count``, ``total_pages``, ``meta`` and ``links``."""
    total = -(-listing.count // place.size)
    following = place.page + 1 if place.page < total else None
    previous = place.page - 1 if place.page > 1 else None
    tail = {
        "count": listing.count,
        "total_pages": total,
        "meta": {"page": place.page, "previous_page": previous, "next_page": following},
        "links": {"next": link(place, following), "previous": link(place, previous)},
    }
    return b'{"results":' + array(listing) + b"," + msgspec.json.encode(tail)[1:]


def plain(listing: Listing, place: Place) -> bytes:
    """``count``, ``next``, ``previous`` and ``results``."""
    following = place.page + 1 if place.page * place.size < listing.count else None
    previous = place.page - 1 if place.page > 1 else None
    head = {
        "count": listing.count,
        "next": link(place, following),
        "previous": link(place, previous),
    }
    return msgspec.json.encode(head)[:-1] + b',"results":' + array(listing) + b"}"


def bare(listing: Listing, place: Place) -> bytes:
    """Nothing but the records; who reads it goes on until a page is empty."""
    assert place.page >= 1
    return array(listing)


def array(listing: Listing) -> bytes:
    return b"[" + b",".join(listing.records) + b"]"


def link(place: Place, page: int | None) -> str | None:
    return None if page is None else place.link(page)


ENVELOPES: dict[str, Callable[[Listing, Place], bytes]] = {
    "modern": modern,
    "plain": plain,
    "array": bare,
}


KEY = "simulated-admin-key"
VIEWER_KEY = "simulated-viewer-key"
DEFAULT_SIZE = {"legacy": 20, "current": 50}
RETRY_FORMS = ("seconds", "date")
LISTINGS = {
    "/user": "users",
    "/auth/group": "groups",
    "/auth/teams/": "teams",
    "/tag": "tags",
    "/resource/catalog": "resources",
}


@dataclass(frozen=True)
class ServerOptions:
    """How the server behaves; see :func:`serve`."""

    key: str
    viewer_key: str
    envelope: str
    page_size: int | None
    page_cap: int
    rate_limit: int | None
    rate_window: float
    retry_after: str
    growth: int
    latency: float


@dataclass(frozen=True)
class AnsweredRequest:
    """One answered request: path, query, status, and whether it carried a key."""

    path: str
    query: str
    status: int
    with_key: bool


@dataclass
class Server:
    """A running server; closing it, or leaving its ``with`` block, frees the port.

    Attributes:
        options: How it behaves; see :func:`serve`.
        feeds: The audit log, by generation.
        directory: The other listings, by path.
        address: Host and port to listen on; ``url`` has the port in use.
        answered: What the server was asked so far, in order.

    Raises:
        SourceError: The port is taken.
    """

    options: ServerOptions
    feeds: dict[str, Feed]
    directory: dict[str, Feed]
    address: tuple[str, int]
    answered: list[AnsweredRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = Lock()
        self.passed: deque[float] = deque()
        try:
            self.http = AuditHTTPServer(self.address, self)
        except (OSError, OverflowError) as error:
            raise SourceError(
                f"Cannot listen on {self.address[0]}:{self.address[1]}: {error}",
                fix="Choose another port (0 picks a free one)",
            ) from None
        self.thread = Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Base address, without a slash at its end."""
        host, port = self.http.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def key(self) -> str:
        """The key of a workspace admin."""
        return self.options.key

    @property
    def viewer_key(self) -> str:
        """The key of a viewer: good for the directory, refused on the audit log."""
        return self.options.viewer_key

    def prepare(self) -> None:
        """Render every record now, so that the first answer comes as quickly as the next.

        Raises:
            UsageError: A line of a file is no legacy record.
        """
        try:
            for feed in (*self.feeds.values(), *self.directory.values()):
                len(feed.records)
            if "legacy" in self.feeds:
                len(self.feeds["legacy"].keys)
        except msgspec.MsgspecError as error:
            raise UsageError(
                f"A record cannot be served: {error}", fix="Name an NDJSON file of legacy records"
            ) from None

    def arrive(self, count: int) -> None:
        """Let ``count`` more records arrive in every generation."""
        for feed in self.feeds.values():
            feed.arrive(count)

    def size(self, generation: str, asked: int | None) -> int:
        """Records a page: what was asked, up to the cap, else the default."""
        default = self.options.page_size or DEFAULT_SIZE[generation]
        return min(asked or default, self.options.page_cap)

    def wait(self) -> float:
        """Seconds this request must wait for the rate limit; 0 when it may pass."""
        if self.options.rate_limit is None:
            return 0.0
        with self.lock:
            now = monotonic()
            while self.passed and self.passed[0] <= now - self.options.rate_window:
                self.passed.popleft()
            if len(self.passed) >= self.options.rate_limit:
                return self.passed[0] + self.options.rate_window - now
            self.passed.append(now)
            return 0.0

    def record_request(self, path: str, query: str, status: int, *, with_key: bool) -> None:
        """Keep what was asked."""
        with self.lock:
            self.answered.append(AnsweredRequest(path, query, status, with_key))

    def close(self) -> None:
        """Stop serving and free the port; a second call does nothing."""
        if self.thread.is_alive():
            self.http.shutdown()
            self.thread.join()
            self.http.close_connections()
        self.http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(  # noqa: PLR0913
    workspace: Workspace | Recording | Path | str | Sequence[bytes],
    *,
    generation: str = "both",
    host: str = "127.0.0.1",
    port: int = 0,
    key: str = KEY,
    viewer_key: str = VIEWER_KEY,
    envelope: str = "modern",
    page_size: int | None = None,
    page_cap: int = 1000,
    ceiling: int | None = None,
    rate_limit: int | None = None,
    rate_window: float = 60.0,
    retry_after: str = "seconds",
    growth: int = 0,
    arrivals: int | None = None,
    usual_days: int | None = 90,
    latency: float = 0.0,
) -> Server:
    """Serve a workspace over HTTP.

    Args:
        workspace: A workspace, an NDJSON file of legacy records, or such records.
        generation: ``legacy``, ``current`` or ``both``; an endpoint not served answers 404.
        host: Address to listen on.
        port: 0 picks a free one.
        key: The key of a workspace admin.
        viewer_key: The key of a viewer.
        envelope: ``modern``, ``plain`` or ``array``.
        page_size: Size of a page nobody asked a size for (default: 20 legacy, 50 current).
        page_cap: The most records a page holds.
        ceiling: Where the count stops; None: nowhere.
        rate_limit: Requests allowed in a window, then 429; None: any number.
        rate_window: Seconds.
        retry_after: Whether ``Retry-After`` is in ``seconds`` or a ``date``.
        growth: Records that arrive after each page of the log.
        arrivals: How many of the newest are held back to arrive (default: a tenth).
        usual_days: How far back a legacy request without ``days`` sees; None: all.
        latency: Seconds before each answer.

    Returns:
        The running server.

    Raises:
        UsageError: A value is unknown, or the file cannot be read.
        SourceError: The port is taken.
    """
    chosen = GENERATIONS if generation == "both" else (generation,)
    check_choice("generation", generation, (*GENERATIONS, "both"))
    check_choice("envelope", envelope, tuple(ENVELOPES))
    check_choice("retry_after", retry_after, RETRY_FORMS)
    source = servable(workspace)
    options = ServerOptions(
        key, viewer_key, envelope, page_size, page_cap,
        rate_limit, rate_window, retry_after, growth, latency,
    )  # fmt: skip
    feeds = {}
    for name in chosen:
        hidden = held_back(source.size, arrivals) if growth else 0
        feeds[name] = Feed(partial(source.records, name), hidden, ceiling, usual_days)
    listings = directory_feeds(source.directory) if source.directory else {}
    return Server(options, feeds, listings, (host, port))


def held_back(size: int, arrivals: int | None) -> int:
    return size // 10 if arrivals is None else min(arrivals, size)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"No {name} is called {value!r}", fix=f"Use {', '.join(choices)}")


def directory_feeds(directory: Directory) -> dict[str, Feed]:
    """One listing a path; the first row comes first, unlike in the log."""
    return {path: Feed(partial(rows, getattr(directory, name))) for path, name in LISTINGS.items()}


def rows(frame: pl.DataFrame) -> list[bytes]:
    return [line.encode() for line in reversed(frame.write_ndjson().splitlines())]


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
        super().__init__(address, RequestHandler)
        self.simulated = server
        self.open: set[socket] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, as by Ctrl-C; that is no fault of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """End connections that clients keep alive, so that no thread waits on them."""
        for connection in tuple(self.open):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)


class Refusal(Exception):
    """An answer other than 200: its status, its ``detail`` and further headers."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class RequestHandler(BaseHTTPRequestHandler):
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
        self.http_server.open.add(self.connection)

    def finish(self) -> None:
        self.http_server.open.discard(self.connection)
        super().finish()

    @property
    def http_server(self) -> AuditHTTPServer:
        """The HTTP server this connection came in by."""
        assert isinstance(self.server, AuditHTTPServer)
        return self.server

    @property
    def simulated(self) -> Server:
        """The simulated server this connection belongs to."""
        return self.http_server.simulated

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        if self.simulated.options.latency:
            sleep(self.simulated.options.latency)
        headers: dict[str, str] = {}
        try:
            body, status = self.answer(target.path, query), HTTPStatus.OK
        except Refusal as refusal:
            status, headers = refusal.status, refusal.headers
            body = msgspec.json.encode({"detail": refusal.detail})
        except FilterError as error:
            status = HTTPStatus.BAD_REQUEST
            body = msgspec.json.encode({"detail": str(error)})
        self.simulated.record_request(
            target.path, target.query, int(status), with_key=self.key is not None
        )
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
        options = self.simulated.options
        if self.key is None or self.key not in (options.key, options.viewer_key):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "Invalid or missing API key.")
        if audit and self.key == options.viewer_key:
            raise Refusal(
                HTTPStatus.FORBIDDEN, "You do not have permission to perform this action."
            )

    def retry_after(self, wait: float) -> str:
        if self.simulated.options.retry_after == "date":
            return formatdate(ceil(time() + wait), usegmt=True)
        return str(ceil(wait))

    def audit_page(self, generation: str, path: str, query: Mapping[str, str]) -> bytes:
        feed = self.simulated.feeds[generation]
        number = whole_number(query, "page", 1)
        legacy = generation == "legacy"
        asked = whole_number(query, "page_size", 0) if legacy else 0
        size = self.simulated.size(generation, asked)
        listing = (feed.legacy if legacy else feed.current)(query, number, size)
        body = ENVELOPES[self.simulated.options.envelope](listing, self.place(path, query, size))
        # New records arrive after the page was cut: the next page is cut from a longer listing.
        self.simulated.arrive(self.simulated.options.growth)
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
