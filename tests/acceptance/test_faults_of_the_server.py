"""A server that refuses, fails or talks nonsense: the right exit code, one line, no bad bytes."""

from __future__ import annotations

import json
import time
from email.utils import formatdate, parsedate_to_datetime

import pytest

SLOW = pytest.mark.slow


def page_of(**fields: object) -> bytes:
    return json.dumps(fields).encode()


GOOD = b'{"id": "planted", "created_at": "2026-10-01T00:00:00Z", "event": "planted"}'
BODIES = {
    "html": b"<!DOCTYPE html><html><body>Sign in to the guest network</body></html>",
    "truncated json": b'{"count": 1, "results": [' + GOOD,
    "trailing text": b'{"count": 1, "next": null, "results": [' + GOOD + b"]} and more",
    "two documents": (b'{"count": 1, "next": null, "results": [' + GOOD + b"]}\n") * 2,
    "empty": b"",
    "word": b'"results"',
    "number": b"7",
    "null": b"null",
    "utf-16": '{"count": 1, "results": []}'.encode("utf-16"),
    "results a string": page_of(count=1, next=None, results="planted"),
    "results an object": page_of(count=1, next=None, results={"id": "planted"}),
    "results null": page_of(count=1, next=None, results=None),
    "results missing": page_of(count=1, next=None, items=[{"id": "planted"}]),
    "detail with status 200": page_of(detail="Internal error"),
}
FEW = ("html", "truncated json", "results a string", "detail with status 200")
DAMAGED = {
    "nan count": b'{"count": NaN, "next": null, "results": [' + GOOD + b"]}",
    "nan in a record": b'{"count": 1, "next": null, "results": [{"id": NaN}, ' + GOOD + b"]}",
    "not utf-8": b'{"count": 1, "next": null, "results": [{"id": "\xff\xfe"}, ' + GOOD + b"]}",
    "byte order mark": b'\xef\xbb\xbf{"count": 1, "next": null, "results": [' + GOOD + b"]}",
}
"""Pages with one damaged spot, which must not cost the records beside it."""


def refused(workspace, auditlens, archived, folder, one_clear_line, body: str):
    secoda = workspace(events=120)
    secoda.faults({"do": "answer", "page": 2, "body": BODIES[body]})
    ran = auditlens.sync(secoda, folder, AUDITLENS_RETRY_BUDGET="0")
    assert ran.code == 3, ran.err
    one_clear_line(ran)
    held = archived(folder)
    assert "planted" not in {identity for identity, _ in held}
    assert held <= secoda.state().served("current")
    return secoda


@pytest.mark.parametrize("body", FEW)
def test_a_page_that_is_no_page_is_never_stored(
    workspace, auditlens, archived, tmp_path, one_clear_line, body
):
    """A wrong body with status 200 is refused whole."""
    refused(workspace, auditlens, archived, tmp_path / "archive", one_clear_line, body)


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES)
def test_after_a_page_that_is_no_page_the_next_run_is_unharmed(
    workspace, auditlens, archived, tmp_path, one_clear_line, body
):
    """Every wrong body is refused whole, and the next run brings everything."""
    folder = tmp_path / "archive"
    secoda = refused(workspace, auditlens, archived, folder, one_clear_line, body)
    secoda.faults()
    assert auditlens.sync(secoda, folder).code == 0
    assert archived(folder) == secoda.state().held("current")
    assert auditlens("verify", "--archive", folder).code == 0


@pytest.mark.parametrize("body", DAMAGED)
def test_a_damaged_page_gives_its_records(workspace, auditlens, archived, tmp_path, body):
    """What can be read of a page is kept, and the archive verifies."""
    folder = tmp_path / "archive"
    secoda = workspace(events=120)
    secoda.faults({"do": "answer", "page": 2, "body": DAMAGED[body]})
    ran = auditlens.sync(secoda, folder)
    assert ran.code in (0, 3), ran.err
    assert "planted" in {identity for identity, _ in archived(folder)}
    assert auditlens("verify", "--archive", folder).code == 0


def test_an_empty_list_in_the_middle_is_not_the_end(workspace, auditlens, archived, tmp_path):
    """``[]`` for page 2 while the count says more: the run may not claim it has all."""
    folder = tmp_path / "archive"
    secoda = workspace(events=200)
    secoda.faults({"do": "answer", "page": 2, "body": b"[]"})
    ran = auditlens.sync(secoda, folder)
    assert ran.code == 3, ran.out
    assert archived(folder) <= secoda.state().served("current")


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, 4, ("SECODA_API_KEY",)),
        (403, 4, ("admin",)),
        pytest.param(500, 3, ("500",), marks=SLOW),
    ],
)
def test_a_refused_key_is_asked_for_once(
    workspace, auditlens, tmp_path, one_clear_line, key_hunt, status, code, words
):
    """401 names the setting, 403 the role that is needed; neither is tried again."""
    secoda = workspace()
    secoda.faults({"do": "answer", "status": status, "body": b'{"detail": "no"}'})
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code == code
    one_clear_line(ran, *words)
    assert code != 4 or len(secoda.state().requests) == 1
    key_hunt()


def test_a_server_that_repeats_the_key_is_not_quoted(
    workspace, auditlens, tmp_path, one_clear_line, key_hunt
):
    """An error body may hold the key; what we print and store may not."""
    secoda = workspace(events=120)
    body = f'{{"detail": "bad key {secoda.key}"}}'.encode()
    secoda.faults({"do": "answer", "status": 400, "body": body})
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code == 3
    one_clear_line(ran, "400")
    key_hunt()


@pytest.mark.parametrize(
    "missing", [404, pytest.param(405, marks=SLOW), pytest.param(410, marks=SLOW)]
)
def test_with_no_audit_log_at_all_both_addresses_are_named(
    workspace, auditlens, tmp_path, one_clear_line, missing
):
    """Neither generation answers: at most two questions, and the line lists what was tried."""
    secoda = workspace(generations=[], missing=missing)
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code == 3
    one_clear_line(ran, "activity_log/audit_logs", "notification/workspace")
    assert len(secoda.state().requests) == 2


def retry_after() -> dict[str, str]:
    now = time.time()
    return {
        "seconds": "2",
        "fraction": "0.5",
        "future date": formatdate(now + 3, usegmt=True),
        "past date": formatdate(now - 3600, usegmt=True),
        "negative": "-5",
        "garbage": "soon",
        "not a number": "NaN",
        "infinite": "inf",
        "huge": "1000000",
        "empty": "",
        "far date": "Fri, 31 Dec 9999 23:59:59 GMT",
        "long digits": "9" * 5000,
    }


@pytest.mark.parametrize(
    "form",
    [
        form if form in {"seconds", "huge", "not a number"} else pytest.param(form, marks=SLOW)
        for form in retry_after()
    ],
)
def test_every_form_of_retry_after_is_honoured_within_the_budget(
    workspace, auditlens, archived, tmp_path, one_clear_line, form
):
    """One 429, then peace: wait as told when that fits the budget, else stop with exit 3."""
    folder = tmp_path / "archive"
    secoda = workspace(events=120)
    now, clock, header = time.time(), time.monotonic(), retry_after()[form]
    secoda.faults(
        {
            "do": "answer",
            "status": 429,
            "page": 2,
            "times": 1,
            "body": b"{}",
            "headers": [["Retry-After", header]],
        }
    )
    ran = auditlens.sync(secoda, folder, AUDITLENS_RETRY_BUDGET="20")
    assert ran.seconds < 40
    twos = [r for r in secoda.state().listings if r["query"].get("page") == "2"]
    if form in {"huge", "infinite", "far date", "long digits"} and ran.code == 3:
        one_clear_line(ran, "429")
        assert len(twos) == 1
        return
    assert ran.code == 0, ran.err
    due = twos[0]["at"] + {"seconds": 2, "fraction": 0.5}.get(form, 0)
    if form == "future date":
        due = clock + parsedate_to_datetime(header).timestamp() - now - 0.01
    assert twos[1]["at"] >= due
    assert archived(folder) == secoda.state().held("current")


def test_429_without_end_stops_at_the_budget(workspace, auditlens, tmp_path, one_clear_line):
    """The total wait is bounded; what was pulled before stays."""
    secoda = workspace(events=120)
    secoda.faults(
        {"do": "answer", "status": 429, "page": 2, "body": b"{}", "headers": [["Retry-After", "1"]]}
    )
    ran = auditlens.sync(secoda, tmp_path / "archive", AUDITLENS_RETRY_BUDGET="2")
    assert ran.code == 3
    one_clear_line(ran, "429")
    assert len([r for r in secoda.state().listings if r["status"] and r["fault"]]) <= 3


@pytest.mark.parametrize(
    ("status", "burst"),
    [
        (503, 2),
        *(pytest.param(s, b, marks=SLOW) for s in (500, 502, 503, 504) for b in range(1, 6)),
    ],
)
def test_a_short_burst_of_server_errors_is_ridden_out(
    workspace, auditlens, archived, tmp_path, status, burst
):
    """Any burst shorter than six tries is recovered from without a trace."""
    secoda = workspace(events=120)
    secoda.faults(
        {"do": "answer", "status": status, "page": 2, "times": burst, "body": b"<h1>busy</h1>"}
    )
    ran = auditlens.sync(secoda, tmp_path / "archive", AUDITLENS_RETRY_BUDGET="300")
    assert ran.code == 0, ran.err
    assert archived(tmp_path / "archive") == secoda.state().held("current")


@pytest.mark.slow
def test_six_server_errors_end_the_run(workspace, auditlens, tmp_path, one_clear_line):
    """After six tries the run gives up with exit 3 and keeps what it has."""
    secoda = workspace(events=120)
    secoda.faults({"do": "answer", "status": 503, "page": 2, "body": b"<h1>busy</h1>"})
    ran = auditlens.sync(secoda, tmp_path / "archive", AUDITLENS_RETRY_BUDGET="300")
    assert ran.code == 3
    one_clear_line(ran, "503")
    assert len([r for r in secoda.state().listings if r["fault"]]) == 6


def endless(kind: str, first: bytes) -> list[dict]:
    """Faults for a listing that never says it ends."""
    page = json.loads(first)
    records = page["results"]
    if kind == "same page":
        return [{"do": "answer", "body": page_of(next="https://x/?page=9", results=records)}]
    thirds = [records[0::3], records[1::3], records[2::3]]
    return [
        {
            "do": "answer",
            "page": n,
            "body": page_of(next="https://x/?page=9", results=thirds[n % 3]),
        }
        for n in range(1, 60)
    ]


@pytest.mark.parametrize("kind", ["same page", "cycle"])
def test_a_listing_that_goes_round_in_circles_is_left(
    workspace, auditlens, archived, tmp_path, one_clear_line, kind
):
    """Pages that bring nothing new for ever end the run with exit 3, soon."""
    records = [
        {"id": f"r{n}", "created_at": f"2026-10-{n + 1:02d}T00:00:00Z", "event": "x"}
        for n in range(30)
    ]
    secoda = workspace(generations=["legacy"], envelope="plain")
    secoda.faults(*endless(kind, page_of(results=records)))
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code == 3, ran.out
    one_clear_line(ran)
    asked = [r for r in secoda.state().listings if r["endpoint"] == "legacy"]
    assert len(asked) <= (5 if kind == "same page" else 8)
    assert set(archived(tmp_path / "archive").values()) == {1}


def test_nobody_listening_is_said_plainly(workspace, auditlens, tmp_path, one_clear_line):
    """Connection refused: exit 3, and nothing half-made is left."""
    secoda = workspace()
    secoda.stop()
    ran = auditlens.sync(secoda, tmp_path / "archive")
    assert ran.code == 3
    one_clear_line(ran)


def test_an_unknown_host_is_said_plainly(workspace, auditlens, tmp_path, one_clear_line):
    """A name that does not resolve: exit 3, the name in the line."""
    ran = auditlens.sync(
        workspace(), tmp_path / "archive", SECODA_API_URL="https://api.secoda.invalid"
    )
    assert ran.code == 3
    one_clear_line(ran, "api.secoda.invalid")


def test_a_server_without_tls_is_not_talked_to_in_the_clear(
    workspace, auditlens, tmp_path, one_clear_line, key_hunt
):
    """An https address at which nobody speaks TLS: exit 3, and no key went out."""
    secoda = workspace(events=5)
    ran = auditlens.sync(
        secoda, tmp_path / "archive", SECODA_API_URL=secoda.url.replace("http:", "https:")
    )
    assert ran.code == 3, ran.err
    one_clear_line(ran)
    assert not [r for r in secoda.state().requests if secoda.key in str(r["headers"])]
    key_hunt()
