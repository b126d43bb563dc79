"""Receivers on this machine that do as they are told: HTTP and SMTP."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep

import pytest

from auditlens.notify import Outbox
from auditlens.settings import Target

NOW = datetime(2025, 11, 5, tzinfo=UTC)
TAKEN = {"slack": b"ok", "teams": b"", "pagerduty": b'{"status": "success"}',
         "jira": b'{"key": "AU-1"}', "webhook": b'{"ok": true}'}  # fmt: skip
DRIP = b"drip"
NOTICE = {
    "report": "2025-10", "period": "2025-10", "timezone": "UTC", "coverage": "complete",
    "events": 12, "cases": 1, "observations": 0, "findings": 1, "hidden": 0,
    "levels": {"high": 1}, "change": {}, "head": "ab",
    "listed": [{"id": "F-ABCDEFGH23", "level": "high", "title": "A <b> & *c*", "state": "new"}],
}  # fmt: skip


class Receiver:
    """A web server that answers each POST as the next of ``script`` says, then with ``usual``.

    An answer is (status, body) or (status, body, headers); None drops the connection, a number
    drips bytes for so many seconds. ``heard`` has every request: headers and body.
    """

    def __init__(self) -> None:
        self.script: list = []
        self.usual = (200, b"ok")
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                receiver.answer(self)

            def do_GET(self):
                receiver.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/s3cret"

    def answer(self, handler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = dict(handler.headers)
        self.heard.append((headers, body))
        told = self.script.pop(0) if self.script else self.usual
        if told is None:
            handler.close_connection = True
            return
        if isinstance(told, float):
            drip(handler.wfile, told)
            handler.close_connection = True
            return
        status, data, *more = told
        if told == self.usual:
            self.taken.append(headers.get("Idempotency-Key", ""))
        handler.send_response(status)
        for name, value in (more[0] if more else {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def drip(out, seconds: float) -> None:
    """Write a byte every 20 ms, so that no single read waits long; stop when nobody listens."""
    ends = monotonic() + seconds
    with suppress(OSError):
        while monotonic() < ends:
            out.write(b"H")
            out.flush()
            sleep(0.02)


@contextmanager
def serving(server) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made.server):
        yield made


class Sink:
    """A mail server; ``refuses`` maps the beginning of a command to the answer instead of 250.

    The answer DRIP is single bytes for four seconds.
    """

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.refuses: dict[str, bytes] = {}
        self.tls: ssl.SSLContext | None = None
        self.implicit = False
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with suppress(OSError):
                    sink.talk(self.rfile, self.wfile, self.request)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def talk(self, said, out, request) -> None:
        if self.tls and self.implicit:
            request = self.tls.wrap_socket(request, server_side=True)
            said, out = request.makefile("rb"), request.makefile("wb", buffering=0)
        out.write(b"220 sink\r\n")
        while line := said.readline().decode().strip().upper():
            refused = next((a for c, a in self.refuses.items() if line.startswith(c)), None)
            if refused is not None:
                drip(out, 4.0) if refused == DRIP else out.write(refused + b"\r\n")
            elif line.startswith("EHLO") and self.tls:
                out.write(b"250-sink\r\n250 STARTTLS\r\n")
            elif line == "STARTTLS":
                out.write(b"220 go\r\n")
                request = self.tls.wrap_socket(request, server_side=True)
                said, out = request.makefile("rb"), request.makefile("wb", buffering=0)
            elif line == "DATA":
                out.write(b"354 go\r\n")
                data = b""
                while (text := said.readline()) not in (b".\r\n", b""):
                    data += text
                self.mails.append(data)
                out.write(b"250 taken\r\n")
            elif line == "QUIT":
                out.write(b"221 bye\r\n")
                break
            else:
                out.write(b"250 fine\r\n")
        for each in (said, out, request):
            each.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    with serving(made.server):
        yield made


def target(kind: str, receiver: Receiver, **more) -> Target:
    """A target of one kind at the receiver."""
    options = {"url_env": "HOOK"}
    if kind == "pagerduty":
        options = {"key_env": "ROUTING", "url": receiver.url}
    if kind == "jira":
        options = {"url": receiver.url, "user": "a@b.test", "token_env": "TOKEN", "project": "AU"}
    return Target("team", kind, allow=("loopback",), options=options | more)


@pytest.fixture
def environ(receiver) -> dict[str, str]:
    return {"HOOK": receiver.url, "ROUTING": "r0uting", "TOKEN": "t0ken", "SIGN": "sh4red"}


@pytest.fixture
def outbox(tmp_path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def body(heard) -> dict:
    return json.loads(heard[1])
