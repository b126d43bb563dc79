"""Servers that fail, lie, drip, swell or point elsewhere: one clear error, and the key stays."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from auditlens.errors import Interrupted, KeyRefused, SourceError, UsageError
from auditlens.sources import SecodaSource
from tests.secoda import CURRENT, KEY, Reply, envelope, good, packed

RECORD = b'{"id": "planted"}'
BODIES = {
    "web page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "empty": b"",
    "blank": b"  \n",
    "empty list": b"[]",
    "word": b'"results"',
    "number": b"7",
    "null": b"null",
    "cut": b'{"count": 1, "results": [' + RECORD,
    "text behind": b'{"results": [' + RECORD + b"]} and more",
    "two documents": (b'{"results": [' + RECORD + b"]}\n") * 2,
    "comma too many": b'{"results": [' + RECORD + b",]}",
    "results text": b'{"results": "planted"}',
    "results object": b'{"results": {"id": "planted"}}',
    "results null": b'{"results": null}',
    "results missing": b'{"items": [' + RECORD + b"]}",
    "detail": b'{"detail": "Internal error"}',
    "a count without records": b'{"results": [], "count": 5, "next": null}',
}


DAMAGED = {
    "NaN": b'{"n": NaN}',
    "minus infinity": b'{"n": [-Infinity]}',
    "a Latin-1 byte": b'{"id": "caf\xe9"}',
    "half an emoji": b'{"s": "\\ud83d"}',
    "a raw control": b'{"s": "a\tb\x00"}',
    "a wrong escape": b'{"s": "C:\\Users"}',
    "deep": b'{"d": ' + b"[" * 3000 + b"]" * 3000 + b"}",
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_record_is_handed_on_with_its_neighbours(server, make_source, kind, mark):
    """Its exact bytes are kept, and so are the records beside it."""
    body = b'{"count": 3, "total_pages": 1, "results": [%b, %b, %b]}'
    server.respond = lambda _: Reply(mark + body % (RECORD, DAMAGED[kind], RECORD))
    page = make_source().page(1)
    assert page.records == (RECORD, DAMAGED[kind], RECORD)
    assert page.count == 3
    server.respond = lambda _: Reply(mark + b"[%b, %b]" % (RECORD, DAMAGED[kind]))
    assert make_source().page(1).records == (RECORD, DAMAGED[kind])


@pytest.mark.parametrize("name", BODIES)
def test_a_page_that_is_no_page_is_refused(server, make_source, name):
    """Status 200 proves nothing: the body is whole, valid and has records, or there is no page."""
    server.respond = lambda _: Reply(BODIES[name])
    with pytest.raises(SourceError) as caught:
        make_source().page(1)
    assert CURRENT in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.fix
    assert len(server.asked) == 6


@cache
def spaces(megabytes: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(b" " * 1_048_576) for _ in range(megabytes)]
    return b"".join([*parts, packer.flush()])


def bomb(megabytes: int, encoding: str) -> Reply:
    data = spaces(megabytes)
    if encoding == "gzip, gzip":
        data = gzip.compress(data)
    return Reply(data, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize("reply", [Reply(b"", 204), Reply(good().body, 206), bomb(1, "br")])
def test_an_odd_success_is_tried_again(server, make_source, reply):
    """Neither part of a page, nor none, nor an encoding not asked for is a page."""
    replies = [reply, good()]
    server.respond = lambda _: replies.pop(0)
    assert len(make_source().page(1).records) == 2


def test_a_bad_page_may_pass(server, make_source):
    """A sign-in page once, then the log: no error."""
    replies = [Reply(BODIES["web page"]), Reply(BODIES["cut"]), good()]
    server.respond = lambda _: replies.pop(0)
    assert len(make_source().page(1).records) == 2


def test_the_shape_found_is_told_beside_the_shape_expected(server, make_source):
    """A wrong envelope is described, so that a wrong address is recognised."""
    server.respond = lambda _: Reply(b'{"status": "OK"}')
    with pytest.raises(SourceError, match=r"status.*expected.*results"):
        make_source().page(1)


def test_an_error_page_is_shown_safely_and_without_the_key(server, make_source):
    """80 characters at most, controls escaped, the key struck out."""
    body = f"<h1>\x1b[31m{KEY} \u202e{KEY.upper()}</h1>".encode() + b"x" * 500
    for status in (200, 400, 500):
        server.respond = lambda _, status=status: Reply(body, status)
        with pytest.raises(SourceError) as caught:
            make_source(sort="{}").page(1)
        text = str(caught.value)
        assert text.isprintable()
        assert text.isascii()
        assert KEY.lower() not in text.lower()
        assert len(text) < 400


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["other", "same", "relative", "none"])
def test_redirects_are_reported_not_followed(make_server, make_source, server, status, target):
    """The key goes nowhere else: no second request, and the other listener hears nothing."""
    other = make_server(lambda _: good())
    headers = {
        "other": {"Location": f"{other.url}{CURRENT}"},
        "same": {"Location": f"{server.url}/elsewhere/"},
        "relative": {"Location": "/elsewhere/"},
        "none": {},
    }[target]
    server.respond = lambda _: Reply(b"", status, headers)
    with pytest.raises(SourceError, match="redirect"):
        make_source().page(1)
    assert len(server.asked) == 1
    assert other.asked == []


@pytest.mark.parametrize("name", ["plain", "modern"])
def test_addresses_in_the_envelope_are_never_asked(make_server, make_source, server, name):
    """``next`` may point at another host: pages are counted instead."""
    other = make_server(lambda _: good())
    link = f"{other.url}{CURRENT}?page=2"
    more = {"next": link} if name == "plain" else {"links": {"next": link}, "meta": {}}
    server.respond = lambda _: Reply(envelope([{"id": "a"}], **more))
    source = make_source()
    assert not source.page(1).last
    source.page(2)
    assert [asked.query["page"] for asked in server.asked] == ["1", "2"]
    assert other.asked == []


def test_proxies_and_netrc_of_the_environment_are_not_used(
    make_server, make_source, server, monkeypatch, tmp_path
):
    """Only what is given to the source itself decides where the key goes."""
    other = make_server(lambda _: good())
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something\n")
    netrc.chmod(0o600)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other.url)
    monkeypatch.setenv("NETRC", str(netrc))
    server.respond = lambda _: good()
    make_source().page(1)
    assert other.asked == []
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_cookies_are_not_sent_back(server, make_source):
    """No state of the server's making travels with the key."""
    server.respond = lambda _: Reply(good().body, headers={"Set-Cookie": "a=b; Path=/"})
    source = make_source()
    source.page(1)
    source.page(2)
    assert all("cookie" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "zstd", "GZIP"])
def test_a_body_that_swells_is_stopped(server, make_source, encoding):
    """Ratio and size are bounded while unpacking; encodings not asked for are refused."""
    server.respond = lambda _: bomb(20, encoding)
    with pytest.raises(SourceError, match=r"packed|encoding"):
        make_source(retry_budget=0).page(1)
    assert len(server.asked) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from the kernel")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_bomb_takes_little_memory(server):
    """300 MiB behind 300 kB on the wire leave the peak far below their size."""
    server.respond = lambda _: bomb(300, "gzip")
    code = """
import re, sys
from pathlib import Path
from auditlens.errors import SourceError
from auditlens.sources import SecodaSource
source = SecodaSource(sys.argv[1], "key", environ={}, retry_budget=0)
try:
    source.page(1)
except SourceError:
    # Not ru_maxrss: Linux lets a child begin with the peak of the process that started it.
    print(int(re.search("VmHWM:\\\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, server.url], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 200


def test_a_body_larger_than_the_bound_is_stopped(server, make_source):
    """Plain bytes without end are read up to the bound and no further."""

    def endless(wire) -> None:
        wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n")
        for _ in range(9000):
            wire.write(b" " * 100_000)

    server.respond = lambda _: Reply(parts=endless)
    with pytest.raises(SourceError, match="larger than"):
        make_source(max_page_bytes=1 << 20).page(1)


def legacy_listing(total: int, size: int = 2000) -> Callable[..., Reply]:
    """A legacy server with records of about ``size`` bytes that honours page_size."""
    records = [{"id": str(n), "content": "x" * size} for n in range(total)]

    def respond(asked) -> Reply:
        page, wish = int(asked.query["page"]), int(asked.query.get("page_size", 20))
        shown = records[(page - 1) * wish : page * wish]
        if not shown and page > 1:
            return Reply(b'{"detail": "Invalid page."}', 404)
        more = page * wish < total
        return Reply(envelope(shown, count=total, next="more" if more else None))

    return respond


def walked(source: SecodaSource) -> list[str]:
    ids, number, last = [], 1, False
    while not last:
        page = source.page(number)
        ids += [json.loads(record)["id"] for record in page.records]
        number, last = number + 1, page.last
    return ids


def test_pages_that_are_too_large_are_asked_for_smaller(server, make_source):
    """From the first page on, a smaller page size is used, and no record is lost or doubled."""
    server.respond = legacy_listing(130)
    source = make_source(api="legacy", max_page_bytes=64 << 10)
    assert walked(source) == [str(n) for n in range(130)]
    assert source.page_size_seen == 25


@pytest.mark.parametrize("page_size", [8, 9, 7])
def test_one_large_page_is_read_in_parts(server, make_source, page_size):
    """A page that swells in mid-walk is read as smaller ones that cover the same records."""
    small = legacy_listing(50, 10)

    def respond(asked) -> Reply:
        page, size = int(asked.query["page"]), int(asked.query["page_size"])
        reply = small(asked)
        holds_20 = (page - 1) * size <= 20 < page * size
        return Reply(reply.body + b" " * (70_000 * (holds_20 and size > 2)), reply.status)

    server.respond = respond
    source = make_source(api="legacy", page_size=page_size, max_page_bytes=64 << 10)
    assert walked(source) == [str(n) for n in range(50)]


@pytest.mark.parametrize("where", [0, 1, 30, -1])
def test_a_cut_body_is_refused_then_read(server, make_source, where):
    """A body shorter than its length is no page; the next try is."""
    body = good(20).body
    cut = body[: len(body) + where if where < 0 else where]

    def short(wire) -> None:
        wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + cut)

    replies = [Reply(parts=short), good()]
    server.respond = lambda _: replies.pop(0)
    assert len(make_source().page(1).records) == 2
    assert replies == []


@pytest.mark.slow
def test_a_body_cut_anywhere_is_refused(server, make_source):
    """Every offset of a 20-record page, plain and packed, with no length to tell it by."""
    plain = good(20).body
    source = make_source(retry_budget=0)
    for body, extra in ((plain, b""), (gzip.compress(plain), b"Content-Encoding: gzip\r\n")):
        for at in range(len(body)):

            def short(wire, body=body, extra=extra, at=at) -> None:
                wire.write(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + extra + b"\r\n" + body[:at]
                )

            server.respond = lambda _, short=short: Reply(parts=short)
            with pytest.raises(SourceError):
                source.page(1)


WIRES = {
    "nothing": b"",
    "not HTTP": b"220 mail.example.org ready\r\n",
    "headers alone": b"HTTP/1.1 200 OK\r\nContent-Len",
    "chunks without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n",
    "cut gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"[]")[:-9],
    "gzip without its checksum": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    + gzip.compress(good().body)[:-4],
    "gzip in name": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n[1]",
    "gzip and more": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    + gzip.compress(b"[1]")
    + b"more",
}


@pytest.mark.parametrize("name", WIRES)
def test_broken_answers_are_tried_again(server, make_source, name):
    """What is no whole HTTP answer is no page, and the error names the address."""
    server.respond = lambda _: Reply(parts=lambda wire: wire.write(WIRES[name]))
    with pytest.raises(SourceError, match="audit_logs"):
        make_source().page(1)
    assert len(server.asked) == 6


@pytest.mark.parametrize("when", ["before headers", "in headers", "in the body"])
def test_a_dripping_server_meets_the_deadline(server, make_source, when):
    """A byte now and then does not keep the page open: the whole of it has a deadline."""

    def drip(wire) -> None:
        if when == "in the body":
            wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        elif when == "in headers":
            wire.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(200):
            time.sleep(0.05)
            if when != "before headers":
                wire.write(b" ")
                wire.flush()

    server.respond = lambda _: Reply(parts=drip)
    started = time.monotonic()
    with pytest.raises(SourceError, match="longer than"):
        make_source(page_deadline=0.3, retry_budget=0).page(1)
    # The drip would last ten seconds; no more than that is claimed here.
    assert time.monotonic() - started < 8


def test_nobody_listening_is_named(make_source, server):
    """A refused connection and an unknown name are errors that say whom we asked."""
    for url in ("http://127.0.0.1:9", "https://api.auditlens.invalid"):
        with pytest.raises(SourceError, match=r"127\.0\.0\.1:9|auditlens\.invalid"):
            make_source(url, retry_budget=0).page(1)


RETRY_AFTER = {"2": 2, "0.5": 1, "-5": 0, "soon": 0, "NaN": 0, "": 0}


@pytest.mark.parametrize("header", RETRY_AFTER)
def test_429_is_waited_out_as_told(server, make_source, header):
    """At least as long as the header says, and then the page comes."""
    replies = [Reply(b"{}", 429, {"Retry-After": header}), good()]
    server.respond = lambda _: replies.pop(0)
    slept: list[float] = []
    make_source(sleep=slept.append).page(1)
    assert sum(slept) >= RETRY_AFTER[header]
    assert sum(slept) < RETRY_AFTER[header] + 2


def test_429_with_a_date_follows_the_servers_clock(server, make_source):
    """A server whose clock is years away is still waited for no longer than it meant."""
    headers = {
        "Date": "Mon, 01 Jan 2018 00:00:00 GMT",
        "Retry-After": "Mon, 01 Jan 2018 00:00:20 GMT",
    }
    replies = [Reply(b"{}", 503, headers), good()]
    server.respond = lambda _: replies.pop(0)
    slept: list[float] = []
    make_source(sleep=slept.append).page(1)
    assert sum(slept) == 20


def test_429_for_ever_ends_with_the_budget(server, make_source):
    """The budget bounds all waiting; the error says what would help."""
    server.respond = lambda _: Reply(b"{}", 429, {"Retry-After": "10"})
    slept: list[float] = []
    with pytest.raises(SourceError, match="AUDITLENS_RETRY_BUDGET"):
        make_source(sleep=slept.append, environ={"AUDITLENS_RETRY_BUDGET": "35"}).page(1)
    assert sum(slept) <= 35
    assert len(server.asked) == 4


def test_the_key_is_in_no_error_log_or_traceback(server, make_source, caplog):
    """Not with full debugging, not in the errors' chain, whatever the server repeats."""
    caplog.set_level(logging.DEBUG)
    replies = [
        Reply(KEY.encode(), 401),
        Reply(KEY.encode(), 403),
        Reply(b"", 302, {"Location": f"https://other.example/{KEY}"}),
        Reply(KEY.encode(), 500),
        Reply(b"{}", 429, {"Retry-After": KEY}),
        Reply(parts=lambda wire: wire.write(KEY.encode())),
        packed(KEY.encode()),
        Reply(b"{}", headers={"Content-Encoding": KEY}),
        Reply(b'{"%b": 1}' % KEY.encode()),
        Reply(b'{"results": "%b"}' % KEY.encode()),
        good(),
    ]
    errors: list[SourceError] = []
    source = make_source(retry_budget=0)
    while replies:
        server.respond = lambda _: replies[0]
        try:
            source.page(1)
        except SourceError as error:
            errors.append(error)
        replies.pop(0)
    assert len(errors) == 10
    shown = "".join(line for error in errors for line in traceback.format_exception(error))
    assert KEY not in shown + caplog.text
    assert not [each for each in errors if hasattr(each.__context__, "request")]


def test_importing_the_sources_loads_no_http_client():
    """httpx and stamina are loaded by the first request, not before."""
    code = (
        "import sys, auditlens.sources; print({'httpx', 'stamina', 'zstandard'} & {*sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ran.stdout.strip() == "set()"


@pytest.mark.parametrize("status", [401, 403, 500])
@pytest.mark.parametrize("encoding", ["gzip", "br", ""])
def test_the_status_counts_however_an_error_is_written(server, make_source, status, encoding):
    """A packed, damaged or endless error body hides neither the status nor its fix."""
    text = b'{"detail": "told why"}' + b" " * 100_000
    body = gzip.compress(text) if encoding == "gzip" else text
    server.respond = lambda _: Reply(body, status, {"Content-Encoding": encoding})
    with pytest.raises(SourceError, match=str(status)) as caught:
        make_source(retry_budget=0).page(1)
    assert isinstance(caught.value, KeyRefused) == (status < 500)
    assert status < 500 or encoding == "br" or "told why" in str(caught.value)


@pytest.mark.parametrize("proxy", ["nonsense", "socks9://127.0.0.1:1", "http://[::"])
def test_a_proxy_that_is_none_is_refused(make_source, proxy):
    """A wrong proxy is a usage error, and so is any proxy for plain http."""
    with pytest.raises(UsageError):
        make_source("https://127.0.0.1:9", proxy=proxy, retry_budget=0).page(1)
    with pytest.raises(UsageError):
        make_source("http://127.0.0.1:9", proxy="http://127.0.0.1:8")


def silent(wire) -> None:
    time.sleep(6)


def test_the_deadline_holds_on_a_kept_connection(server, make_source):
    """A server that answers once and then falls silent is cut off as well."""
    replies = [good(), Reply(parts=silent)]
    server.respond = lambda _: replies.pop(0)
    source = make_source(page_deadline=0.3, retry_budget=0)
    source.page(1)
    started = time.monotonic()
    with pytest.raises(SourceError, match="longer than"):
        source.page(2)
    assert time.monotonic() - started < 5


def test_a_stop_is_heard_while_the_server_is_silent(server, make_source):
    """The page in hand gets a moment more; after that, nothing is asked."""
    server.respond = lambda _: Reply(parts=silent)
    source = make_source()
    threading.Timer(0.1, source.stop).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        source.page(1)
    assert time.monotonic() - started < 5
    with pytest.raises(Interrupted):
        source.page(1)
    assert len(server.asked) == 1
