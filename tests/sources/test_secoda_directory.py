"""The directory over HTTP: one header, one origin, whole listings or none."""

import json

import pytest

from auditlens.errors import Interrupted
from auditlens.sources.directory import ENDPOINTS
from tests.sources.scripted import KEY, Reply, envelope

ROWS = [{"id": f"r-{n}", "name": f"n{n}"} for n in range(5)]


def paged(asked, size=2):
    """Pages of ROWS in the modern envelope."""
    page = int(asked.query["page"])
    total = -(-len(ROWS) // size)
    more = page + 1 if page < total else None
    return Reply(envelope(ROWS[(page - 1) * size : page * size], count=len(ROWS),
                          total_pages=total, meta={"next_page": more}))  # fmt: skip


def by_name(source):
    return {one.name: one for one in source.directory().listings()}


def test_every_page_of_every_listing_comes_as_exact_bytes(server, make_source):
    """Five listings of three pages, each record once and as it was sent."""
    server.respond = paged
    found = by_name(make_source())
    assert list(found) == list(ENDPOINTS)
    assert all(one.records == tuple(json.dumps(row).encode() for row in ROWS)
               for one in found.values())  # fmt: skip
    assert len(server.asked) == 15


def test_the_key_is_in_one_header_and_nothing_else_is_asked(server, make_source):
    """No address the server sends is followed, and no error shows the key."""
    server.respond = lambda asked: (
        Reply(status=302, headers={"Location": f"https://example.org/{KEY}"})
        if asked.path.endswith("/user")
        else Reply(envelope([], count=0, links={"next": "https://example.org/2"}))
    )
    found = by_name(make_source())
    assert {asked.path for asked in server.asked} == set(ENDPOINTS.values())
    assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in server.asked)
    assert all(KEY not in asked.path + str(asked.query) for asked in server.asked)
    assert "redirect" in found["users"].problem
    assert KEY not in found["users"].problem


@pytest.mark.parametrize(("status", "word"), [(403, "closed"), (404, "not there"), (500, "500")])
def test_a_listing_that_fails_is_told_and_the_others_come(server, make_source, status, word):
    """One endpoint's trouble is its own."""
    server.respond = lambda asked: (
        Reply(b"{}", status) if asked.path == ENDPOINTS["groups"] else paged(asked)
    )
    found = by_name(make_source(retry_budget=1))
    assert word in found["groups"].problem
    assert not found["groups"].records
    assert all(len(found[name].records) == 5 for name in ENDPOINTS if name != "groups")


def test_a_listing_that_breaks_off_is_not_handed_over_in_part(server, make_source):
    """Page two fails for good: none of page one is kept."""
    server.respond = lambda asked: Reply(b"", 503) if asked.query["page"] == "2" else paged(asked)
    found = by_name(make_source(retry_budget=1))
    assert all(one.problem and not one.records for one in found.values())


def test_fewer_records_than_counted_are_a_problem(server, make_source):
    """The server's count is held against what came."""
    server.respond = lambda asked: Reply(envelope(ROWS[:2], count=3, total_pages=1))
    assert "counts 3 records and sent 2" in by_name(make_source())["tags"].problem


def test_a_refused_key_is_asked_once(server, make_source):
    """After a 401 the other listings would only be refused too."""
    server.respond = lambda asked: Reply(b"{}", 401)
    found = by_name(make_source())
    assert len(server.asked) == 1
    assert all("401" in one.problem for one in found.values())


def test_an_unknown_sort_is_left_out(server, make_source):
    """The catalog's stable order is a wish the server may not know."""
    server.respond = lambda asked: Reply(b"{}", 400) if "sort" in asked.query else paged(asked)
    assert len(by_name(make_source())["resources"].records) == 5


def test_a_page_that_comes_again_and_again_ends(server, make_source):
    """A server that ignores the page number cannot hold the pull for ever."""
    server.respond = lambda asked: Reply(envelope(ROWS[:2], links={"next": "?page=9"}))
    assert "again and again" in by_name(make_source())["users"].problem


def test_a_stop_is_heeded(server, make_source):
    """Ctrl-C is no failed listing."""
    source = make_source()
    source.stop()
    with pytest.raises(Interrupted):
        source.directory().listings()
