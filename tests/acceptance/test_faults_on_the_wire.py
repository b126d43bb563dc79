"""Bytes cut, packed, dripped or sent elsewhere: no bad page is stored, the key stays home."""

from __future__ import annotations

import json
import sys
import time

import pytest

SLOW = pytest.mark.slow
BROKEN = {
    "cut at 0": {"do": "cut", "at": 0},
    "cut at 1": {"do": "cut", "at": 1},
    "cut in a record": {"do": "cut", "at": 9000},
    "cut before the last byte": {"do": "cut", "at": -1},
    "length too long": {"do": "length", "delta": 10},
    "length too short": {"do": "length", "delta": -10},
    "chunks end early": {"do": "chunks_end"},
    "chunks end after the last byte": {"do": "chunks_end", "percent": 100},
    "dropped": {"do": "drop"},
    "not http": {"do": "not_http"},
    "deflate unasked": {"do": "encoded", "encoding": "deflate"},
    "brotli unasked": {"do": "encoded", "encoding": "br"},
    "zstd unasked": {"do": "encoded", "encoding": "zstd"},
    "nested encodings": {"do": "encoded", "encoding": "gzip, gzip"},
    "gzip that is none": {"do": "answer", "headers": [["Content-Encoding", "gzip"]]},
    "no content with 206": {"do": "answer", "status": 206},
    "no content": {"do": "answer", "status": 204, "body": b""},
}
FEW = (
    "cut in a record",
    "length too long",
    "chunks end after the last byte",
    "brotli unasked",
    "gzip that is none",
)


def rejected(workspace, auditlens, archived, folder, one_clear_line, fault: str):
    secoda = workspace(events=120)
    secoda.faults({**BROKEN[fault], "page": 2})
    ran = auditlens.sync(secoda, folder, AUDITLENS_RETRY_BUDGET="0")
    assert ran.code == 3, ran.out + ran.err
    one_clear_line(ran)
    assert archived(folder) <= secoda.state().served("current")
    return secoda


@pytest.mark.parametrize("fault", FEW)
def test_a_damaged_answer_is_rejected_whole(
    workspace, auditlens, archived, tmp_path, one_clear_line, fault
):
    """What did not arrive as promised is not evidence; the run ends with 3."""
    rejected(workspace, auditlens, archived, tmp_path / "archive", one_clear_line, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", BROKEN)
def test_after_a_damaged_answer_the_next_run_is_unharmed(
    workspace, auditlens, archived, tmp_path, one_clear_line, fault
):
    """Damage that passes is ridden out; an encoding nobody asked for stays until it is gone."""
    folder = tmp_path / "archive"
    secoda = rejected(workspace, auditlens, archived, folder, one_clear_line, fault)
    secoda.faults({**BROKEN[fault], "times": 0 if BROKEN[fault]["do"] == "encoded" else 1})
    ran = auditlens.sync(secoda, folder, AUDITLENS_RETRY_BUDGET="60")
    assert ran.code == 0, ran.err
    assert archived(folder) == secoda.state().held("current")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_body_cut_at_any_offset_is_rejected(workspace, archived, tmp_path, monkeypatch):
    """Every offset of a 20-record page, through the client alone for speed."""
    from auditlens.errors import SourceError
    from auditlens.sources import SecodaSource

    monkeypatch.setenv("AUDITLENS_RETRY_BUDGET", "0")
    secoda = workspace(events=20, generations=["legacy"], envelope="plain")
    source = SecodaSource(secoda.url, secoda.key, api="legacy")
    whole = source.page(1)
    size = sum(map(len, whole.records)) + 2 * len(whole.records)
    for at in range(size):
        secoda.faults({"do": "cut", "at": at})
        with pytest.raises(SourceError):
            source.page(1)


def memory_peak(process) -> int:
    """Peak resident bytes of a running process."""
    peak = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:  # noqa: PTH123
                lines = [line for line in file if line.startswith("VmHWM")]
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in lines)])
        time.sleep(0.02)
    return peak


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "bomb", "encoding": "gzip", "megabytes": 400},
        pytest.param({"do": "bomb", "encoding": "deflate", "megabytes": 400}, marks=SLOW),
        pytest.param({"do": "bomb", "encoding": "gzip", "megabytes": 400, "twice": 1}, marks=SLOW),
        pytest.param({"do": "huge", "megabytes": 500}, marks=SLOW),
    ],
    ids=lambda fault: f"{fault['do']}-{fault.get('encoding', 'plain')}-{fault.get('twice', 0)}",
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_page_that_swells_is_stopped_in_bounded_memory(
    workspace, auditlens, archived, tmp_path, one_clear_line, fault
):
    """A decompression bomb or an endless body ends the page, never the machine."""
    secoda = workspace(events=120)
    secoda.faults({**fault, "page": 2})
    process = auditlens.sync_start(secoda, tmp_path / "archive", AUDITLENS_RETRY_BUDGET="0")
    peak = memory_peak(process)
    ran = auditlens.finish(process)
    assert ran.code == 3, ran.err
    one_clear_line(ran)
    assert peak <= 300 * 2**20, f"peak {peak / 2**20:.0f} MiB"
    assert archived(tmp_path / "archive") <= secoda.state().served("current")


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "drip", "pause": 0.02},
        {"do": "hang", "seconds": 20},
        pytest.param({"do": "drip_head", "pause": 0.02}, marks=SLOW),
    ],
    ids=lambda fault: fault["do"],
)
def test_a_slow_server_meets_a_deadline(
    workspace, auditlens, archived, tmp_path, one_clear_line, fault
):
    """A timeout per read is not enough: the page as a whole has a deadline."""
    secoda = workspace(events=120)
    secoda.faults({**fault, "page": 2})
    ran = auditlens.sync(
        secoda, tmp_path / "archive", AUDITLENS_RETRY_BUDGET="0", AUDITLENS_PAGE_DEADLINE="1"
    )
    assert ran.code == 3, ran.err
    assert ran.seconds < 10
    one_clear_line(ran)
    assert archived(tmp_path / "archive") <= secoda.state().served("current")


def places(secoda, kind: str) -> str:
    port, other = secoda.ports["port"], secoda.other
    return {
        "other port": f"http://{other}/api/v1/activity_log/audit_logs/?page=",
        "userinfo": f"http://127.0.0.1:{port}@{other}/api/v1/activity_log/audit_logs/?page=",
        "userinfo name": f"http://127.0.0.1:{port}%40x@{other}/?page=",
        "no scheme": f"//{other}/api/v1/activity_log/audit_logs/?page=",
        "backslash": f"http://{other}\\@127.0.0.1:{port}/?page=",
        "other name": f"http://localhost:{secoda.ports['other']}/?page=",
        "other scheme": f"https://127.0.0.1:{port}/api/v1/activity_log/audit_logs/?page=",
        "ftp": f"ftp://{other}/?page=",
        "file": "file:///etc/passwd?page=",
        "ipv6": f"http://[::ffff:127.0.0.1]:{secoda.ports['other']}/?page=",
        "integer address": f"http://2130706433:{secoda.ports['other']}/?page=",
        "punycode": f"http://xn--pi-xka.localhost:{secoda.ports['other']}/?page=",
        "other path": f"http://127.0.0.1:{port}/elsewhere/?page=",
        "line break": f"http://127.0.0.1:{port}/\r\nHost: {other}\r\n\r\n?page=",
        "not text": "7",
    }[kind]


PLACES = (
    "other port",
    "userinfo",
    "userinfo name",
    "no scheme",
    "backslash",
    "other name",
    "other scheme",
    "ftp",
    "file",
    "ipv6",
    "integer address",
    "punycode",
    "other path",
    "line break",
    "not text",
)
ASKED = {
    "/api/v1/activity_log/audit_logs/",
    "/api/v1/notification/workspace/",
    "/notification/workspace/",
}


def nobody_else_was_asked(secoda) -> None:
    state = secoda.state()
    assert state.other == b""
    assert {request["path"] for request in state.requests} <= ASKED
    hosts = {value for r in state.requests for name, value in r["headers"] if name == "Host"}
    assert hosts == {f"127.0.0.1:{secoda.ports['port']}"}
    for request in state.requests:
        keyed = [name for name, value in request["headers"] if secoda.key in value]
        assert keyed == ["Authorization"]
        assert secoda.key not in json.dumps(request["query"])


@pytest.mark.parametrize(
    ("place", "envelope"),
    [
        (place, envelope)
        if (place, envelope) in {("userinfo", "modern"), ("no scheme", "plain")}
        else pytest.param(place, envelope, marks=SLOW)
        for place in PLACES
        for envelope in ("modern", "plain")
    ],
)
def test_addresses_sent_by_the_server_are_never_followed(
    workspace, auditlens, archived, tmp_path, key_hunt, place, envelope
):
    """``next`` may point anywhere; pages are counted, and the key goes to one origin only."""
    secoda = workspace(events=120, envelope=envelope)
    secoda.config(next_url=places(secoda, place))
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code in {0, 3}
    assert "Traceback" not in ran.err
    nobody_else_was_asked(secoda)
    if ran.code == 0:
        assert archived(tmp_path / "archive") == secoda.state().held("current")
    key_hunt()


@pytest.mark.parametrize(
    ("status", "where"),
    [
        (status, where)
        if (status, where) in {(302, "other"), (308, "same")}
        else pytest.param(status, where, marks=SLOW)
        for status in (301, 302, 303, 307, 308)
        for where in ("other", "same", "relative", "no location")
    ],
)
def test_redirects_are_reported_not_followed(
    workspace, auditlens, archived, tmp_path, one_clear_line, key_hunt, status, where
):
    """A redirect could carry the key away: exit 3, no request anywhere else."""
    secoda = workspace(events=120)
    to = {
        "other": [["Location", f"http://{secoda.other}/api/v1/activity_log/audit_logs/?page=2"]],
        "same": [["Location", f"{secoda.url}/elsewhere/?page=2"]],
        "relative": [["Location", "/elsewhere/?page=2"]],
        "no location": [],
    }[where]
    secoda.faults({"do": "answer", "status": status, "headers": to, "body": b"", "page": 2})
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code == 3, ran.err
    one_clear_line(ran, "redirect")
    nobody_else_was_asked(secoda)
    assert archived(tmp_path / "archive") <= secoda.state().served("current")
    key_hunt()


def test_the_environment_cannot_send_the_key_elsewhere(
    workspace, auditlens, archived, tmp_path, key_hunt
):
    """Neither a proxy meant for other programs nor a netrc file touches a loopback request."""
    secoda = workspace(events=20)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    proxy = f"http://{secoda.other}"
    ran = auditlens.sync(
        secoda,
        tmp_path / "archive",
        HTTP_PROXY=proxy,
        http_proxy=proxy,
        ALL_PROXY=proxy,
        all_proxy=proxy,
        NETRC=str(netrc),
    )
    assert ran.code == 0, ran.err
    nobody_else_was_asked(secoda)
    assert archived(tmp_path / "archive") == secoda.state().held("current")
    key_hunt(tmp_path / "archive")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.secoda.co",
        pytest.param("http://127.0.0.1.example.org", marks=SLOW),
        pytest.param("http://localhost.example.org", marks=SLOW),
        pytest.param("ftp://127.0.0.1", marks=SLOW),
        pytest.param("api.secoda.co", marks=SLOW),
        pytest.param("https://user:word@api.secoda.co", marks=SLOW),
        pytest.param("https://", marks=SLOW),
    ],
)
def test_the_key_is_not_sent_in_the_clear(auditlens, tmp_path, one_clear_line, url):
    """Only https, except to this very machine; anything else is a settings error."""
    ran = auditlens(
        "sync", "--archive", tmp_path / "archive", SECODA_API_URL=url, SECODA_API_KEY="k" * 36
    )
    assert ran.code == 2, ran.err
    one_clear_line(ran, "https")


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "kéy", "x" * 20_000])
@pytest.mark.slow
def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent(
    workspace, auditlens, tmp_path, one_clear_line, key
):
    """No request with a broken header, and the message does not print what it was given."""
    secoda = workspace()
    ran = auditlens.sync(secoda, tmp_path / "archive", SECODA_API_KEY=key)
    assert ran.code in {2, 4}
    one_clear_line(ran, "SECODA_API_KEY")
    assert not key or key not in ran.err
    assert key == "x" * 20_000 or not secoda.state().requests


def test_debugging_output_does_not_show_the_key(workspace, auditlens, tmp_path, key_hunt):
    """Runs with Python's and the HTTP library's debugging on keep the key to themselves."""
    secoda = workspace(events=60)
    settings = {"SECODA_API_URL": secoda.url, "SECODA_API_KEY": secoda.key}
    settings |= {"PYTHONDEVMODE": "1", "HTTPX_LOG_LEVEL": "trace", "AUDITLENS_RETRY_BUDGET": "0"}
    auditlens("sync", "--json", "--archive", tmp_path / "archive", **settings)
    secoda.faults({"do": "cut", "at": 100})
    auditlens("sync", "--json", "--archive", tmp_path / "archive", **settings)
    assert secoda.state().requests
    key_hunt()
