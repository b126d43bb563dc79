"""``doctor --shape``: how the answers of a server are built, and no value of them."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from auditlens.simulator import serve, simulate
from auditlens.sources import SecodaSource, answer_shapes
from tests.secoda import Reply, Server, Workspace

FREE = {"metadata", "performer_metadata", "resource_metadata"}


@pytest.fixture(scope="module")
def workspace():
    return simulate(5, people=14, services=1, resources=90, teams=2, days=25, events_per_day=4)


@pytest.fixture
def written(run, workspace, monkeypatch, tmp_path):
    """A function that runs the command and returns the file's text."""

    def write(*more: str) -> str:
        with serve(workspace, page_size=40) as server:
            monkeypatch.setenv("SECODA_API_URL", server.url)
            monkeypatch.setenv("SECODA_API_KEY", server.key)
            done = run("doctor", "--shape", "shape.json", *more)
            assert done.exit_code == 0, done.output
            assert server.key not in done.output
            text = (tmp_path / "shape.json").read_text()
            assert server.key not in text
            assert server.url not in text
        return text

    return write


def values(said: object, *, free: bool = False) -> set[str]:
    """Every text and number of some JSON, and the keys of objects that hold anything."""
    if isinstance(said, dict):
        keys = set(said) if free else set()
        return keys.union(*(values(one, free=free or k in FREE) for k, one in said.items()))
    if isinstance(said, list):
        return set().union(*(values(one, free=free) for one in said))
    if isinstance(said, str) and said[:1] in ("{", "["):
        return {said} | values(json.loads(said), free=True)
    return {str(said)} if isinstance(said, str | int) and not isinstance(said, bool) else set()


def test_the_file_holds_no_value_of_the_log(written, workspace):
    """No id, name, address, title, text or number of any record or listing stands in it."""
    text = written()
    held: set[str] = set()
    for generation in ("legacy", "current"):
        for record in workspace.records(generation):
            held |= values(json.loads(record))
    for name in ("users", "groups", "teams", "tags", "resources"):
        rows = getattr(workspace.directory, name).write_ndjson().splitlines()
        held |= set().union(*(values(json.loads(row)) for row in rows))
    text = re.sub('"path": .*', "", text)
    words = set(re.findall(r"[\w.@:+-]+", text))
    told = {value for value in held if len(value) > 3 and (value in words or f'"{value}"' in text)}
    # These name fields and types, and are values as well, as in {"entity_type": "description"}.
    words = {"description", "email", "first_name", "last_name", "name", "owners", "role", "tags",
             "performer_type", "resource_type", "title", "type", "verified", "users", "groups",
             "teams", "text", "list", "object", "boolean"}  # fmt: skip
    assert told <= words, told - words
    assert len(held) > 500


def test_it_tells_what_a_developer_needs(written, workspace):
    """Paths, statuses, envelope, fields with types, times with their form, kinds as hashes."""
    document = json.loads(written())
    asked = {(one["path"], one["asked"]): one for one in document["answers"]}
    current = asked["/api/v1/activity_log/audit_logs/", "page 1"]
    assert current["status"] == 200
    assert current["records"] == 40
    assert {"count", "total_pages", "links"} <= current["envelope"]["fields"].keys()
    created = current["record"]["fields"]["created_at"]
    assert any(form.startswith("time 9999-99-99T99:99:99") for form in created["formats"])
    assert current["record"]["fields"]["id"]["formats"] == {"uuid": 40}
    kind = json.loads(workspace.records("current")[0])["activity_type"]
    hashes = current["kinds of activity_type"]
    assert all(re.fullmatch("sha256:[0-9a-f]{12}", one) for one in hashes)
    assert kind not in json.dumps(document)
    assert hashlib.sha256(kind.encode()).hexdigest()
    assert asked["/api/v1/user", "page 1"]["record"]["fields"]["email"]["formats"].keys() == {
        "email"
    }


def test_kinds_are_named_when_asked_for(written, workspace):
    """They are the one value that may be told, and only so."""
    found = json.loads(written("--kinds"))["answers"][0]["kinds of activity_type"]
    kinds = {json.loads(record)["activity_type"] for record in workspace.records("current")}
    assert found.keys() <= kinds


def shape(records):
    """What the file says of these records of a log."""
    log = Workspace.of([json.dumps(one).encode() for one in records], size=100)
    with Server(log.answer) as server:
        source = SecodaSource(server.url, "a-key-of-the-tests", environ={}, sleep=lambda _: None)
        (told,) = [
            one["record"] for one in answer_shapes(source)["answers"]
            if "audit_logs" in one["path"] and one["asked"] == "page 1"
        ]  # fmt: skip
        source.close()
    return told


@pytest.mark.parametrize(
    "records",
    [
        [{"metadata": {f"u-{n}": {"rights": n}}} for n in range(5)],
        [{"metadata": {"finance": 1}} for _ in range(9)],
        [{"e8400e29-41d4-a716": n} for n in range(5)],
        [{"ana@corp.example": 1, "id": "x"}] * 5,
        [{"finance": 1}],
        [{"finance": 1}, {"sales": 1}, {"id": 3}, {}],
        [{"blocks": [{"finance": "x"}, {"sales": 2}, {}]}] * 4,
    ],
)
def test_keys_that_may_be_data_are_masked(records):
    """Ids, addresses and words used as keys are counted and not named."""
    text = json.dumps(shape(records))
    for secret in ("u-1", "rights", "finance", "sales", "ana@corp.example", "e8400e29"):
        assert secret not in text
    assert '"*"' in text


def test_an_unknown_field_of_every_record_is_named():
    """What the vendor added is what the file is for."""
    told = shape([{"id": "1", "actor_region": "eu"}] * 3)
    assert told["fields"]["actor_region"] == {
        "in": 3, "types": {"text": 3}, "lengths": [2, 2], "formats": {"one word": 3},
    }  # fmt: skip


def test_a_server_that_refuses_is_told_by_its_status(run, workspace, monkeypatch, tmp_path):
    """A viewer's key: 403 for the log, the directory's shape all the same."""
    with serve(workspace) as server:
        monkeypatch.setenv("SECODA_API_URL", server.url)
        monkeypatch.setenv("SECODA_API_KEY", server.viewer_key)
        assert run("doctor", "--shape", "shape.json").exit_code == 0
    answers = json.loads((tmp_path / "shape.json").read_text())["answers"]
    assert {one["status"] for one in answers} == {200, 403}


@pytest.mark.parametrize("status", [299, 300, 308, 399, 400])
def test_a_status_from_300_to_399_is_told_as_a_redirect(status):
    """Whether it adds a slash or leads elsewhere; no other status is one."""
    with Server(lambda _: Reply(b"{}", status)) as server:
        source = SecodaSource(server.url, "a-key-of-the-tests", environ={}, sleep=lambda _: None)
        told = answer_shapes(source)["answers"][0]
        source.close()
    assert told["status"] == status
    assert told.get("redirect") == ("elsewhere" if 300 <= status < 400 else None)
