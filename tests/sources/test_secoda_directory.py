"""The directory over HTTP: one header, one origin, whole listings or none."""

import json
from urllib.parse import urlencode

import pytest

from auditlens.errors import Interrupted
from tests.secoda import KEY, Reply, envelope

ENDPOINTS = {
    "users": "/api/v1/user",
    "groups": "/api/v1/auth/group",
    "teams": "/api/v1/auth/teams/",
    "tags": "/api/v1/tag",
    "resources": "/api/v1/resource/catalog",
}
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


def to_slash(asked, status, location):
    """A redirect for every path without a slash at its end, a page for the others."""
    if asked.path.endswith("/"):
        return paged(asked)
    return Reply(status=status, headers={"Location": location(asked)})


LOCATIONS = {
    "path": lambda base: lambda asked: asked.path + "/",
    "path and query": lambda base: lambda asked: f"{asked.path}/?{urlencode(asked.query)}",
    "whole address": lambda base: lambda asked: f"{base}{asked.path}/?{urlencode(asked.query)}",
    "address without query": lambda base: lambda asked: f"{base}{asked.path}/",
    "host in capitals": lambda base: (
        lambda asked: f"{base.replace('localhost', 'LOCALHOST')}{asked.path}/"
    ),
}


@pytest.mark.parametrize("status", [301, 308])
@pytest.mark.parametrize("kind", LOCATIONS)
def test_a_redirect_to_the_slash_is_taken_once(server, make_source, kind, status):
    """Every listing comes whole; a path is asked without its slash no more than once."""
    base = server.url.replace("127.0.0.1", "localhost")
    server.respond = lambda asked: to_slash(asked, status, LOCATIONS[kind](base))
    found = by_name(make_source(base))
    assert all(len(one.records) == 5 and not one.problem for one in found.values())
    bare = [asked.path for asked in server.asked if not asked.path.endswith("/")]
    assert sorted(bare) == sorted(path for path in ENDPOINTS.values() if path[-1] != "/")
    assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in server.asked)


ELSEWHERE = {
    "another host": "https://example.org/api/v1/user/",
    "another port": "http://127.0.0.1:1/api/v1/user/",
    "another scheme": "https://127.0.0.1/api/v1/user/",
    "a host alone": "//example.org/api/v1/user/",
    "a user name": "http://me@127.0.0.1/api/v1/user/",
    "another path": "/api/v1/users/",
    "two slashes": "/api/v1/user//",
    "a longer path": "/api/v1/user/1/",
    "dots": "/api/v1/x/../user/",
    "another query": "/api/v1/user/?page=2",
    "a relative path": "user/",
    "no address": "http://[",
    "nothing": "",
}


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_no_other_redirect_is_followed(server, make_source, kind):
    """The listing failed and says so; the address sent is asked by nobody."""
    server.respond = lambda asked: (
        paged(asked) if asked.path != ENDPOINTS["users"]
        else Reply(status=301, headers={"Location": ELSEWHERE[kind]})
    )  # fmt: skip
    found = by_name(make_source())
    assert "redirect" in found["users"].problem
    assert {asked.path for asked in server.asked} == set(ENDPOINTS.values())


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_passing_redirect_is_not_followed(server, make_source, status):
    """Only a redirect for good says where a listing is."""
    server.respond = lambda asked: to_slash(asked, status, lambda one: one.path + "/")
    assert "redirect" in by_name(make_source())["users"].problem


def test_a_slash_that_redirects_to_itself_ends(server, make_source):
    """One redirect is taken, and no second."""
    server.respond = lambda asked: Reply(status=301, headers={"Location": asked.path + "/"})
    assert all("redirect" in one.problem for one in by_name(make_source()).values())
    assert len(server.asked) == 2 * len(ENDPOINTS) - 1
