"""Pages of a well-behaved server: endpoints, envelopes, parameters, ends of the listing."""

from __future__ import annotations

import json
import pickle

import pytest

from auditlens.errors import KeyRefused, SourceError, UsageError
from auditlens.sources import SecodaSource, probe_source
from tests.secoda import CURRENT, KEY, LEGACY, Reply, envelope, good, packed


def test_the_current_api_is_asked_first_with_the_key_in_one_header(server, make_source):
    """One request, newest first, and the key in Authorization alone."""
    server.respond = lambda _: good()
    source = make_source()
    page = source.page(1)
    [asked] = server.asked
    assert asked.path == CURRENT
    assert json.loads(asked.query["sort"]) == {"field": "created_at", "order": "desc"}
    assert [name for name, value in asked.headers.items() if KEY in value] == ["authorization"]
    assert (page.endpoint, page.count, page.last) == ("current", 2, True)
    assert page.records == (b'{"id": "0"}', b'{"id": "1"}')
    assert KEY not in json.dumps(dict(page.request))


@pytest.mark.parametrize("status", [404, 405, 410])
def test_auto_falls_back_once_and_remembers(server, make_source, status):
    """A missing current API is asked for once, then never again."""
    server.respond = lambda asked: good() if asked.path == LEGACY else Reply(b"{}", status)
    source = make_source()
    assert source.page(1).endpoint == "legacy"
    source.page(2)
    assert [asked.path for asked in server.asked] == [CURRENT, LEGACY, LEGACY]


def test_two_missing_apis_are_both_named(server, make_source):
    """The error lists every address that was tried."""
    server.respond = lambda _: Reply(b"{}", 404)
    with pytest.raises(SourceError) as caught:
        make_source().page(1)
    assert CURRENT in str(caught.value)
    assert LEGACY in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "/", "/api/v1", "/api/v1/"])
def test_an_address_with_or_without_its_version_is_the_same(server, make_source, suffix):
    """``/api/v1`` at the end is neither doubled nor part of the workspace's name."""
    server.respond = lambda _: good()
    source = make_source(server.url + suffix)
    source.page(1)
    assert server.asked[0].path == CURRENT
    assert source.name == f"secoda:{server.url}"


RECORDS = [{"id": "a"}, {"id": "b"}]
ENDS = {
    "plain, null next": (envelope(RECORDS, count=2, next=None, previous=None), True),
    "plain, the word None": (envelope(RECORDS, count=2, next="None"), True),
    "plain, the word False": (envelope(RECORDS, next="False"), True),
    "plain, a next": (envelope(RECORDS, count=9, next="http://other.example/?page=2"), False),
    "modern, last": (
        envelope(RECORDS, total_pages=1, meta={"next_page": None}, links={"next": None}),
        True,
    ),
    "modern, words": (
        envelope(RECORDS, total_pages=1, meta={"next_page": "None"}, links={"next": "None"}),
        True,
    ),
    "modern, more": (envelope(RECORDS, total_pages=3, meta={"next_page": 2}), False),
    "modern, signs disagree": (envelope(RECORDS, total_pages=3, meta={"next_page": None}), False),
    "array": (json.dumps(RECORDS).encode(), False),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_the_listing_is_read_from_every_envelope(server, make_source, name):
    """Null, the words for null, and page totals all end it; one sign of more does not."""
    body, last = ENDS[name]
    server.respond = lambda _: Reply(body)
    page = make_source().page(1)
    assert page.last is last
    assert [json.loads(record) for record in page.records] == RECORDS


def test_a_bare_array_ends_with_a_shorter_page(server, make_source):
    """Without any total, a page shorter than those before is the last."""
    server.respond = lambda asked: Reply(
        json.dumps([{"id": n} for n in range(3 if asked.query["page"] == "1" else 2)]).encode()
    )
    source = make_source()
    assert not source.page(1).last
    assert source.page_size_seen == 3
    assert source.page(2).last


def test_a_page_past_the_end_is_empty_and_last(server, make_source):
    """404 with a detail, after pages came, means that the listing ended before."""
    server.respond = lambda asked: (
        Reply(envelope(RECORDS, next="x"))
        if asked.query["page"] == "1"
        else Reply(b'{"detail": "Invalid page."}', 404)
    )
    source = make_source()
    source.page(1)
    page = source.page(2)
    assert page.last
    assert page.records == ()


def test_a_missing_endpoint_in_mid_walk_is_an_error(server, make_source):
    """404 with a web page is no end of the listing."""
    server.respond = lambda asked: (
        Reply(envelope(RECORDS, next="x")) if asked.query["page"] == "1" else Reply(b"<h1>", 404)
    )
    source = make_source()
    source.page(1)
    with pytest.raises(SourceError):
        source.page(2)


def test_record_bytes_are_kept_exactly(server, make_source):
    """Spacing, number forms, key order, doubled keys and lone surrogates come through."""
    records = [
        rb'{"id" : "a",  "n":1.10, "n": 1e400}',
        rb'{"z":"\ud800", "a":"\u00e9 \u0001"}',
        b'{"deep":' + b"[" * 1500 + b"]" * 1500 + b"}",
    ]
    server.respond = lambda _: packed(b'{"results":[ ' + b" , ".join(records) + b"]}")
    assert make_source().page(1).records == tuple(records)


def test_legacy_parameters_are_sent_and_choose_the_legacy_api(server, make_source):
    """``days`` and the id filters are known to the legacy API alone, so it alone is asked."""
    server.respond = lambda _: good()
    source = make_source(days=30, sender_id="s-1", resource_id="r-1", page_size=7)
    source.page(3)
    [asked] = server.asked
    assert asked.path == LEGACY
    assert asked.query == {
        "days": "30",
        "sender_id": "s-1",
        "resource_id": "r-1",
        "page_size": "7",
        "page": "3",
    }
    assert source.name.endswith("?resource_id=r-1&sender_id=s-1")


def test_filter_and_sort_are_sent_as_json(server, make_source):
    """Mappings become JSON; text is sent as it is."""
    server.respond = lambda _: good()
    chosen = {"operator": "exact", "field": "performer_type", "value": "USER"}
    make_source(filter=chosen, sort='{"field":"updated_at", "order":"asc"}').page(1)
    [asked] = server.asked
    assert json.loads(asked.query["filter"]) == chosen
    assert asked.query["sort"] == '{"field":"updated_at", "order":"asc"}'


@pytest.mark.parametrize(
    "settings",
    [
        {"api": "newest"},
        {"api": "current", "days": 3},
        {"api": "legacy", "sort": "{}"},
        {"days": 3, "sort": "{}"},
        {"days": 0},
        {"page_size": -1},
        {"sender_id": " "},
        {"filter": "[1]"},
        {"filter": {"value": object()}},
        {"retry_budget": float("nan")},
        {"retry_budget": -1.0},
        {"environ": {"AUDITLENS_RETRY_BUDGET": "soon"}},
        {"max_page_bytes": 0},
    ],
)
def test_parameters_that_cannot_work_are_refused_at_once(settings):
    """A bad value is a usage error before anything is sent."""
    settings = {"environ": {}, **settings}
    with pytest.raises(UsageError):
        SecodaSource("http://127.0.0.1:9", KEY, **settings)


def test_wishes_of_ours_are_dropped_when_refused(server, make_source):
    """A 400 for our default sort is answered by asking without it, and that is remembered."""
    server.respond = lambda asked: (
        Reply(b'{"sort": ["unknown"]}', 400) if "sort" in asked.query else good()
    )
    source = make_source()
    source.page(1)
    source.page(2)
    assert ["sort" in asked.query for asked in server.asked] == [True, False, False]


def test_a_refused_filter_of_the_user_is_an_error(server, make_source):
    """What the user asked for is never dropped."""
    server.respond = lambda _: Reply(b'{"detail": "bad filter"}', 400)
    with pytest.raises(SourceError, match="bad filter"):
        make_source(filter="{}", sort="{}").page(1)
    assert len(server.asked) == 1


def test_address_and_key_come_from_the_environment(server):
    """SECODA_API_URL and SECODA_API_KEY are enough."""
    server.respond = lambda _: good()
    environ = {"SECODA_API_URL": server.url, "SECODA_API_KEY": KEY}
    source = SecodaSource(environ=environ)
    assert len(source.page(1).records) == 2
    source.close()


def test_the_key_shows_nowhere(make_source):
    """Neither repr, attributes nor a pickle hold the key."""
    source = make_source()
    assert KEY not in repr(source)
    assert KEY not in repr(vars(source))
    with pytest.raises(TypeError):
        pickle.dumps(source.secret)


@pytest.mark.parametrize("key", ["", " ", "two words", "line\nbreak", "k\r\nHost: other", "kéy"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key):
    """Line breaks and spaces could forge a header; the message names the variable only."""
    with pytest.raises(UsageError) as caught:
        SecodaSource("https://api.example.org", key, environ={})
    assert "SECODA_API_KEY" in str(caught.value)
    assert not key.strip() or key not in str(caught.value)


def test_probe_tells_what_answers(server, make_source):
    """Generation, count, page size and the server's clock, from one request."""
    date = {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}
    server.respond = lambda _: Reply(good().body, headers=date)
    probe = probe_source(make_source())
    assert (probe.endpoint, probe.count, probe.page_size, probe.exit_code) == ("current", 2, 2, 0)
    assert {check.name: check.ok for check in probe.checks}["key"]


@pytest.mark.parametrize(("status", "code", "bad"), [(401, 4, "key"), (503, 3, "server")])
def test_probe_reports_failures_instead_of_raising(server, make_source, status, code, bad):
    """A refused key and a sick server are outcomes of a check, found with one request."""
    server.respond = lambda _: Reply(b"", status)
    probe = probe_source(make_source())
    assert probe.exit_code == code
    assert [check.name for check in probe.checks if not check.ok] == [bad]
    assert len(server.asked) == 1


def test_refused_keys_are_asked_for_once(server, make_source):
    """401 and 403 are told apart and never tried again."""
    for status, words in ((401, "SECODA_API_KEY"), (403, "workspace admin's key")):
        server.asked.clear()
        server.respond = lambda _, status=status: Reply(b"", status)
        with pytest.raises(KeyRefused) as caught:
            make_source().page(1)
        assert words in str(caught.value)
        assert len(server.asked) == 1
