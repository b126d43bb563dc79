"""The simulated server: both endpoints, their parameters, envelopes, keys, limits and growth."""

import json
import re
import socket
import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread
from time import sleep
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from auditlens.errors import SourceError, UsageError
from auditlens.simulator import Server, Workspace, serve, simulate

LEGACY = "/api/v1/notification/workspace/"
CURRENT = "/api/v1/activity_log/audit_logs/"


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return simulate(9, people=12, services=1, resources=80, teams=2, days=100, events_per_day=1)


@pytest.fixture(scope="module")
def server(workspace):
    with serve(workspace, page_size=100) as running:
        yield running


def ask(server: Server, path: str, key: str | None = "", **query):
    """The decoded answer to a GET, asked with the admin's key unless another is given."""
    address = server.url + path + (f"?{urlencode(query)}" if query else "")
    sent = server.key if key == "" else key
    headers = {} if sent is None else {"Authorization": f"Bearer {sent}"}
    with urlopen(Request(address, headers=headers), timeout=20) as answer:
        return json.load(answer)


class Refused(NamedTuple):
    code: int
    detail: str
    headers: Mapping[str, str]


def refused(server: Server, path: str, key: str | None = "", **query) -> Refused:
    """The answer to a GET that is not 200."""
    with pytest.raises(HTTPError) as error:
        ask(server, path, key, **query)
    with error.value as answer:
        return Refused(answer.code, json.load(answer)["detail"], answer.headers)


def test_the_probe_needs_no_key(server):
    """The health check answers anybody."""
    assert ask(server, "/healthcheck", None) == {"status": "OK"}


def test_a_prepared_server_renders_nothing_when_it_is_asked(workspace, monkeypatch):
    """A client with a short deadline gets its first answer in time."""
    with serve(workspace) as server:
        server.prepare()
        monkeypatch.delattr(Workspace, "records")
        for path in (LEGACY, CURRENT):
            assert ask(server, path)["results"]


@pytest.mark.parametrize("generation", ["legacy", "current"])
def test_a_file_of_something_else_is_refused_before_anybody_asks(generation):
    """A line that is no record is told in words."""
    with (
        serve([b"no record"], generation=generation) as server,
        pytest.raises(UsageError, match="A record cannot be served"),
    ):
        server.prepare()


@pytest.mark.parametrize(("path", "size"), [(LEGACY, 20), (CURRENT, 50)])
def test_pages_are_as_large_as_documented(workspace, path, size):
    """Without a wish a page holds 20 legacy records, 50 current ones."""
    with serve(workspace) as server:
        assert len(ask(server, path)["results"]) == size


@pytest.mark.parametrize(("path", "generation"), [(LEGACY, "legacy"), (CURRENT, "current")])
def test_pages_walked_give_the_whole_log_newest_first(workspace, server, path, generation):
    """Page after page, every record comes once, its bytes equal to the workspace's own."""
    query = {"days": 4000} if generation == "legacy" else {}
    found, page = [], 1
    while page:
        answer = ask(server, path, page=page, **query)
        found += answer["results"]
        page = answer["meta"]["next_page"]
    assert found == [json.loads(record) for record in reversed(workspace.records(generation))]
    assert answer["count"] == len(found)


def test_legacy_looks_back_ninety_days_from_its_newest_record(workspace, server):
    """Without ``days`` the last 90 are listed; with it, as many as asked."""
    newest = workspace.events["created_at"].max()
    for days, query in ((90, {}), (7, {"days": 7})):
        since = newest - timedelta(days=days)
        count = workspace.events.filter(workspace.events["created_at"] >= since).height
        assert abs(ask(server, LEGACY, **query)["count"] - count) <= 1


def test_legacy_days_may_count_from_the_beginning(workspace):
    """A server may show all of an old recording to who names no days."""
    with serve(workspace, usual_days=None) as server:
        assert ask(server, LEGACY)["count"] == workspace.size


def test_legacy_filters_by_sender_and_resource(workspace, server):
    """``sender_id`` and ``resource_id`` list their own records only, paged like the rest."""
    row = workspace.events.filter(workspace.events["sender_id"].is_not_null()).row(-1, named=True)
    sender, resource = row["sender_id"], row["resource_id"]
    answer = ask(server, LEGACY, sender_id=sender, page_size=3, days=4000)
    own = workspace.events.filter(workspace.events["sender_id"] == sender)
    assert [record["id"] for record in answer["results"]] == own["id"].to_list()[: -3 - 1 : -1]
    assert answer["count"] == own.height
    both = ask(server, LEGACY, sender_id=sender, resource_id=resource, days=4000)
    assert {(r["sender"]["id"], r["resource_id"]) for r in both["results"]} == {(sender, resource)}


@pytest.mark.parametrize(
    ("node", "keeps"),
    [
        (
            {"operator": "exact", "field": "performer_type", "value": "USER"},
            lambda record: record["performer_type"] == "USER",
        ),
        (
            {"operator": "contains", "field": "activity_type", "value": "VIEW"},
            lambda record: "view" in record["activity_type"],
        ),
        (
            {"operator": "in", "field": "resource_type", "value": ["table", "tag"]},
            lambda record: record["resource_type"] in ("table", "tag"),
        ),
        (
            {"operator": "is_set", "field": "performer_id", "value": False},
            lambda record: record["performer_id"] is None,
        ),
        (
            {
                "operator": "and",
                "operands": [
                    {"operator": "is_set", "field": "performer_metadata.email"},
                    {
                        "operator": "not",
                        "operands": [
                            {"operator": "exact", "field": "activity_type", "value": "query_ran"}
                        ],
                    },
                ],
            },
            lambda record: (
                (record["performer_metadata"] or {}).get("email") is not None
                and record["activity_type"] != "query_ran"
            ),
        ),
        (
            {
                "operator": "or",
                "operands": [
                    {"operator": "exact", "field": "activity_type", "value": "job_completed"},
                    {"operator": "exact", "field": "activity_type", "value": "monitor_ran"},
                ],
            },
            lambda record: record["activity_type"] in ("job_completed", "monitor_ran"),
        ),
    ],
)
def test_the_filter_grammar_selects(workspace, server, node, keeps):
    """Leaves and logic keep exactly the records they describe."""
    expected = [
        record
        for record in map(json.loads, reversed(workspace.records("current")))
        if keeps(record)
    ]
    answer = ask(server, CURRENT, filter=json.dumps(node))
    assert expected
    assert answer["count"] == len(expected)
    assert answer["results"] == expected[:100]


def test_sorting_orders_and_breaks_ties(workspace, server):
    """A sort by kind, oldest first inside a kind, comes out so."""
    order = {
        "field": "activity_type",
        "order": "asc",
        "tie_breaker": {"field": "logged_at", "order": "asc"},
    }
    results = ask(server, CURRENT, sort=json.dumps(order))["results"]
    keys = [(record["activity_type"], record["logged_at"]) for record in results]
    whole = [json.loads(record) for record in workspace.records("current")]
    assert keys == sorted((r["activity_type"], r["logged_at"]) for r in whole)[:100]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CURRENT, {"filter": "{"}),
        (CURRENT, {"filter": '{"operator":"gt","field":"id","value":1}'}),
        (CURRENT, {"filter": '{"operator":"and","operands":{}}'}),
        (CURRENT, {"sort": "newest"}),
        (CURRENT, {"page": "0"}),
        (LEGACY, {"page_size": "many"}),
        (LEGACY, {"days": "-1"}),
    ],
)
def test_parameters_that_make_no_sense_are_bad_requests(server, path, query):
    """What cannot be read is answered 400, with a detail."""
    answer = refused(server, path, **query)
    assert answer.code == 400
    assert answer.detail


def test_three_envelopes(workspace):
    """The same page comes in each of the three shapes."""
    pages = {}
    for envelope in ("modern", "plain", "array"):
        with serve(workspace, envelope=envelope, page_size=7) as server:
            pages[envelope] = ask(server, CURRENT, page=2)
    assert pages["array"] == pages["modern"]["results"] == pages["plain"]["results"]
    assert set(pages["modern"]) == {"results", "count", "total_pages", "meta", "links"}
    assert set(pages["plain"]) == {"results", "count", "next", "previous"}
    assert pages["modern"]["meta"] == {"page": 2, "previous_page": 1, "next_page": 3}
    assert re.search(r"page=3$", pages["plain"]["next"])
    assert pages["modern"]["total_pages"] == -(-workspace.size // 7)


def test_the_last_page_names_no_next_and_later_ones_are_empty(workspace, server):
    """Past the end there are no records and no further page."""
    last = -(-workspace.size // 100)
    assert ask(server, CURRENT, page=last)["links"]["next"] is None
    beyond = ask(server, CURRENT, page=last + 5)
    assert beyond["results"] == []
    assert beyond["meta"]["next_page"] is None


def test_a_wish_for_a_page_size_is_capped(workspace):
    """Legacy honours ``page_size`` up to the cap, current does not know it."""
    with serve(workspace, page_cap=30) as server:
        assert len(ask(server, LEGACY, page_size=25)["results"]) == 25
        assert len(ask(server, LEGACY, page_size=900)["results"]) == 30
        assert len(ask(server, CURRENT, page_size=5)["results"]) == 30


def test_a_ceiling_cuts_the_count(workspace):
    """Beyond the ceiling the server neither counts nor lists."""
    with serve(workspace, ceiling=120, page_size=50) as server:
        assert ask(server, CURRENT)["count"] == 120
        assert len(ask(server, CURRENT, page=3)["results"]) == 20
        assert ask(server, CURRENT, page=4)["results"] == []


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_no_or_a_wrong_key_is_401(server, key):
    """Nothing is listed without a good key."""
    for path in (LEGACY, CURRENT, "/api/v1/user"):
        assert refused(server, path, "nobody" if key == "" else key).code == 401


def test_a_viewer_sees_the_directory_but_not_the_log(server):
    """A viewer's key is 403 on both logs and good elsewhere."""
    assert refused(server, LEGACY, server.viewer_key).code == 403
    assert refused(server, CURRENT, server.viewer_key).code == 403
    assert ask(server, "/api/v1/user", server.viewer_key)["count"] == 13


def test_an_endpoint_that_is_not_served_is_404(workspace):
    """One generation alone can be served."""
    with serve(workspace, generation="legacy") as server:
        assert refused(server, CURRENT).code == 404
        assert ask(server, LEGACY)["results"]
        assert refused(server, "/api/v1/secret").code == 404


def test_writing_is_refused(server):
    """The log is read-only."""
    request = Request(server.url + CURRENT, data=b"{}", method="POST")
    with pytest.raises(HTTPError) as error:
        urlopen(request, timeout=20)
    with error.value as answer:
        assert answer.code == 403


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_too_many_requests_are_429_with_a_time_to_wait(workspace, form):
    """Beyond the limit the answer says when to come back; then it is let in."""
    with serve(workspace, rate_limit=2, rate_window=0.4, retry_after=form) as server:
        assert [ask(server, LEGACY)["count"] for _ in range(2)]
        answer = refused(server, LEGACY)
        assert answer.code == 429
        said = answer.headers["Retry-After"]
        if form == "date":
            assert isinstance(parsedate_to_datetime(said), datetime)
        else:
            assert said == "1"
        with server.lock:
            server.passed.clear()
        assert ask(server, LEGACY)["results"]


def test_records_arrive_while_the_log_is_read(workspace):
    """Each page is followed by new records, newest on top, until all have come."""
    with serve(workspace, growth=30, arrivals=100, page_size=50) as server:
        counts = [ask(server, CURRENT)["count"] for _ in range(5)]
        assert counts == [workspace.size - left for left in (100, 70, 40, 10, 0)]
        first = ask(server, CURRENT)["results"][0]
    assert first["id"] == workspace.events["id"][-1]


def test_arrivals_shift_pages(workspace):
    """A record at the foot of page 1 is met again on page 2 after as many have arrived."""
    with serve(workspace, growth=10, arrivals=100, page_size=50) as server:
        first = [record["id"] for record in ask(server, CURRENT, page=1)["results"]]
        second = [record["id"] for record in ask(server, CURRENT, page=2)["results"]]
    assert second[:10] == first[-10:]


@pytest.mark.parametrize(
    ("path", "frame"),
    [
        ("/user", "users"),
        ("/auth/group", "groups"),
        ("/auth/teams/", "teams"),
        ("/tag", "tags"),
        ("/resource/catalog", "resources"),
    ],
)
def test_the_directory_is_served(workspace, server, path, frame):
    """Each directory endpoint lists its frame's rows in the modern envelope, from the top."""
    answer = ask(server, f"/api/v1{path}")
    rows = getattr(workspace.directory, frame)
    assert answer["count"] == rows.height
    assert answer["results"][0] == json.loads(rows.head(1).write_ndjson())


def test_an_ndjson_file_is_served_in_both_generations(workspace, tmp_path):
    """A recording of legacy records is a workspace without a directory."""
    path = workspace.write_ndjson(tmp_path / "log.ndjson.gz")
    with serve(path, usual_days=None) as server:
        legacy, current = ask(server, LEGACY), ask(server, CURRENT)
        assert legacy["count"] == current["count"] == workspace.size
        assert legacy["results"][0]["id"] == current["results"][0]["id"]
        assert refused(server, "/api/v1/user").code == 404


def test_a_missing_or_broken_file_is_a_usage_error(tmp_path):
    """What cannot be read is named in one line."""
    broken = tmp_path / "broken.ndjson.gz"
    broken.write_bytes(b"no gzip")
    for path, why in ((tmp_path / "none.ndjson", "No such file"), (broken, "Not a gzipped file")):
        with pytest.raises(UsageError, match=rf"{re.escape(path.name)}: {why}"):
            serve(path)


@pytest.mark.parametrize(
    "wrong", [{"generation": "v3"}, {"envelope": "soap"}, {"retry_after": "never"}]
)
def test_unknown_choices_are_refused(workspace, wrong):
    """A value the server does not know is a usage error that lists those it does."""
    with pytest.raises(UsageError) as error:
        serve(workspace, **wrong)
    assert "Use" in error.value.fix


def test_a_port_in_use_is_a_source_error(workspace, server):
    """A taken port gives one line and the way out."""
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(SourceError, match=str(port)):
        serve(workspace, port=port)


def test_many_readers_at_once_get_whole_pages(workspace):
    """Threads that read the same page all get it."""
    with serve(workspace, page_size=40) as server:
        answers: list[int] = []
        readers = [
            Thread(target=lambda: answers.append(len(ask(server, CURRENT)["results"])))
            for _ in range(8)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert answers == [40] * 8


def test_what_was_asked_is_kept(workspace):
    """The server's ledger holds path, query, status and whether a key came along, never the key."""
    with serve(workspace) as server:
        ask(server, "/healthcheck", None)
        ask(server, LEGACY, page=2)
        ledger = [(a.path, a.query, a.status, a.with_key) for a in server.answered]
    assert ledger == [("/healthcheck", "", 200, False), (LEGACY, "page=2", 200, True)]
    assert server.key not in repr(server.answered)


def test_a_closed_server_frees_its_port(workspace):
    """After the with block nobody answers, and closing again does no harm."""
    with serve(workspace) as server:
        url = server.url
    server.close()
    with pytest.raises(URLError):
        urlopen(f"{url}/healthcheck", timeout=2)


def test_a_path_may_be_given_as_text(workspace, tmp_path):
    """Text names a file too."""
    path: Path = workspace.write_ndjson(tmp_path / "log.ndjson")
    with serve(str(path), usual_days=None) as server:
        assert ask(server, LEGACY)["count"] == workspace.size


def test_a_client_that_goes_away_leaves_no_trace(workspace, capfd):
    """Whether it waits for an answer or for nothing: the server goes on and prints nothing."""
    with serve(workspace, page_size=100, latency=0.1) as slow:
        host, port = slow.url.removeprefix("http://").split(":")
        line = f"GET {CURRENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {slow.key}\r\n\r\n"
        for sent in (line, line, ""):
            client = socket.create_connection((host, int(port)))
            client.sendall(sent.encode())
            # With nothing to linger for, closing is a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        assert len(ask(slow, CURRENT)["results"]) == 100
        sleep(0.2)
    assert capfd.readouterr().err == ""


PATHS = ("user", "auth/group", "auth/teams", "tag", "resource/catalog",
         "notification/workspace", "activity_log/audit_logs")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_with_a_slash_and_without(server, path):
    """Public clients ask in either form."""
    both = [ask(server, f"/api/v1/{path}{end}", page=1)["results"] for end in ("", "/")]
    assert both[0] == both[1]
    assert both[0]
