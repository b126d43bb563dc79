"""The one Secoda of the tests: a log that changes while it is read, and a server on loopback.

A :class:`Workspace` is a source by itself; over HTTP it answers a :class:`Server`, whose answers
may as well be any function of the request. The acceptance tests have a server of their own, made
without a look at this one; the simulator's belongs to the product.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from auditlens.errors import SourceError
from auditlens.pages import Page

KEY = "5f0c1a52-key-never-shown"
CURRENT = "/api/v1/activity_log/audit_logs/"
LEGACY = "/api/v1/notification/workspace/"
START = datetime(2026, 10, 1, tzinfo=UTC)
KINDS = ("table_viewed", "tag_added", "resource_deleted")


def record(number: int, at: datetime, **extra: object) -> bytes:
    """A record in the legacy shape, as a server would write it."""
    return json.dumps(
        {
            "id": ident(number),
            "created_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "event": KINDS[number % len(KINDS)],
            "content": f"did thing {number}",
            "sender": {"id": f"u{number % 7}", "email": f"u{number % 7}@example.org"},
            "metadata": {"number": number},
            **extra,
        }
    ).encode()


def ident(number: int) -> str:
    return f"event-{number:06d}"


@dataclass
class Workspace:
    """A log that can grow, shrink and fail between one page and the next.

    ``script`` holds what happens before each further request; ``told`` is a count that is no
    longer, or never was, that of the listing; ``down`` is why no page comes at all. ``served``
    and ``steady`` are ids handed out, and ids held from the first request of a sync to its last.
    """

    name: str = "workspace-one"
    size: int = 5
    counted: bool = True
    totalled: bool = True
    told: int | None = None
    down: str = ""
    server_time: datetime | None = None
    events: dict[int, tuple[datetime, bytes]] = field(default_factory=dict)
    script: list[Callable[[Workspace], None]] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    steady: set[str] = field(default_factory=set)
    requests: list[int] = field(default_factory=list)
    clock: datetime = START
    numbers: int = 0

    @classmethod
    def of(cls, records: Sequence[bytes], **settings: Any) -> Workspace:
        """A log of these records, listed in this order whatever their dates claim."""
        events = {n: (START - timedelta(minutes=n), raw) for n, raw in enumerate(records)}
        return cls(events=events, **settings)

    def arrive(self, count: int = 1, *, age: timedelta = timedelta(0), **extra: object) -> None:
        """Let events happen now, or ``age`` ago."""
        for _ in range(count):
            self.clock += timedelta(minutes=10)
            at = self.clock - age
            self.numbers += 1
            self.events[self.numbers] = (at, record(self.numbers, at, **extra))

    def remove(self, position: int) -> None:
        """Take the event at a position of the listing away."""
        numbers = self.listing()
        if numbers:
            gone = numbers[position % len(numbers)]
            del self.events[gone]
            self.steady.discard(ident(gone))

    def expire(self, count: int) -> None:
        """Drop the oldest events."""
        for _ in range(min(count, len(self.events))):
            self.remove(-1)

    def listing(self) -> list[int]:
        return sorted(self.events, key=lambda n: (self.events[n][0], n), reverse=True)

    def ids(self) -> set[str]:
        return {ident(number) for number in self.events}

    def begin(self) -> None:
        """Start the account of one sync."""
        self.steady = self.ids()
        self.served = set()
        self.requests = []

    def page(self, number: int) -> Page:
        """One page, as a source hands it on."""
        if self.down:
            raise SourceError(self.down)
        self.requests.append(number)
        if len(self.requests) > 1 and self.script:
            self.script.pop(0)(self)
        numbers = self.listing()
        shown = numbers[(number - 1) * self.size : number * self.size]
        self.served |= {ident(n) for n in shown}
        total = max(1, -(-len(numbers) // self.size))
        return Page(
            number,
            tuple(self.events[n][1] for n in shown),
            count=(len(numbers) if self.told is None else self.told) if self.counted else None,
            total_pages=total if self.totalled else None,
            last=number >= total,
            endpoint="legacy",
            request={"page": str(number)},
            server_time=self.server_time,
        )

    def answer(self, asked: Asked) -> Reply:
        """One page, as the current API sends it; every other address is not there."""
        if asked.path != CURRENT:
            return Reply(b'{"detail": "Not found."}', 404)
        page = self.page(int(asked.query["page"]))
        more = None if page.last else page.number + 1
        return Reply(
            b'{"results": [' + b", ".join(page.records) + b"], "
            + envelope([], count=page.count, total_pages=page.total_pages,
                       meta={"next_page": more})[len('{"results": [], ') :]
        )  # fmt: skip


def fail(_workspace: Workspace) -> None:
    """A step of a script at which the source fails."""
    raise SourceError("The server answered 503")


@dataclass
class Reply:
    """One answer; ``parts`` writes the bytes on the wire itself."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    parts: Callable[[Any], None] | None = None


@dataclass
class Asked:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


def envelope(records: list[Any], **more: Any) -> bytes:
    return json.dumps({"results": records, **more}).encode()


def good(records: int = 2) -> Reply:
    return Reply(envelope([{"id": str(n)} for n in range(records)], count=records, next=None))


def packed(body: bytes) -> Reply:
    return Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})


class Handler(BaseHTTPRequestHandler):
    """Keeps each request and sends what the server's function answers."""

    protocol_version = "HTTP/1.1"
    script: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(parts.path, query, headers)
        self.script.asked.append(asked)
        reply = self.script.respond(asked)
        if reply.parts is not None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                reply.parts(self.wfile)
            return
        if "Date" in reply.headers:
            self.send_response_only(reply.status)
        else:
            self.send_response(reply.status)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *args: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    """Says nothing when a client hangs up."""

    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        pass


class Server:
    """Answers by a function of the request, and keeps every request; runs inside ``with``."""

    def __init__(
        self, respond: Callable[[Asked], Reply] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.respond = respond or (lambda _: Reply(b"{}", 500))
        self.asked: list[Asked] = []
        self.http = QuietServer(("127.0.0.1", 0), type("Scripted", (Handler,), {"script": self}))
        if tls:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
