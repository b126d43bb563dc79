"""A scripted HTTP server on loopback, and a source that asks it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from auditlens.sources import SecodaSource
from tests.sources.scripted import KEY, Asked, Reply, ScriptedServer


class Handler(BaseHTTPRequestHandler):
    """Asks the script what to answer; a subclass carries the script."""

    protocol_version = "HTTP/1.1"
    script: ScriptedServer

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


@contextlib.contextmanager
def served(server: QuietServer) -> Iterator[None]:
    """Run a server until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def make_server() -> Iterator[Callable[..., ScriptedServer]]:
    """A function that starts a scripted server."""
    with contextlib.ExitStack() as running:

        def start(respond: Callable[[Asked], Reply] | None = None) -> ScriptedServer:
            script = ScriptedServer()
            if respond is not None:
                script.respond = respond
            handler = type("Scripted", (Handler,), {"script": script})
            server = QuietServer(("127.0.0.1", 0), handler)
            running.enter_context(served(server))
            script.url = f"http://127.0.0.1:{server.server_port}"
            return script

        yield start


@pytest.fixture
def server(make_server: Callable[..., ScriptedServer]) -> ScriptedServer:
    """One scripted server."""
    return make_server()


@pytest.fixture
def make_source(server: ScriptedServer) -> Iterator[Callable[..., SecodaSource]]:
    """A function that makes a source of ``server``; its waits take no time."""
    made: list[SecodaSource] = []

    def make(url: str | None = None, **settings: Any) -> SecodaSource:
        settings.setdefault("sleep", lambda _: None)
        settings.setdefault("environ", {})
        source = SecodaSource(url or server.url, KEY, **settings)
        made.append(source)
        return source

    yield make
    for source in made:
        source.close()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a file and returns its path."""

    def write(content: bytes, name: str = "log.ndjson") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write
