"""The heartbeat asks once, goes nowhere else, and never fails a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from auditlens.errors import UsageError
from auditlens.monthly import check_heartbeat, send_heartbeat


@contextmanager
def monitor(status: int, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A monitor that answers every request alike, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_heartbeat_is_one_get():
    """2xx is all it wants to hear."""
    with monitor(204) as (url, asked):
        assert send_heartbeat(f"{url}/ping/1?x=y") == ""
    assert asked == ["/ping/1?x=y"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    """The place it names hears nothing."""
    with monitor(200) as (other, heard), monitor(status, Location=other) as (url, asked):
        assert send_heartbeat(url) == f"it answered {status}"
    assert len(asked) == 1
    assert heard == []


def test_a_monitor_that_is_down_is_a_sentence_and_no_error():
    """The port was free a moment ago."""
    with monitor(200) as (url, _):
        pass
    assert send_heartbeat(url)
    with monitor(500) as (url, _):
        assert send_heartbeat(url) == "it answered 500"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/hostname", "https://", "x",
        "https://a@example.org/", "https://exa mple.org/", "http://127.0.0.1:x/", "http://[::1",
        "https://example.org/\n",
    ],
)  # fmt: skip
def test_only_https_or_this_machine_may_be_asked(url):
    """Refused before the run, not after it."""
    with pytest.raises(UsageError):
        check_heartbeat(url)


def test_https_and_loopback_may_be_asked():
    """With a path, a query or a port."""
    for url in ("https://example.org/ping?id=1", "http://localhost:8080/x", "http://[::1]/x"):
        assert check_heartbeat(url) == url
