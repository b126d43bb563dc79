"""Records that could not be read: told by every command, until a person acknowledges them."""

import json
from datetime import date

import pytest

from auditlens.simulator import serve, simulate

BROKEN = b'{"id": "odd", "created_at": "no time"}'


@pytest.fixture
def pulled(run, tmp_path, monkeypatch):
    """An archive with one record that is no event; a function to pull again."""
    path = tmp_path / "log.ndjson"
    workspace = simulate(2, people=4, services=1, resources=30, days=20, end=date(2026, 7, 1))
    workspace.write_ndjson(path, "legacy")
    path.write_bytes(path.read_bytes() + BROKEN + b"\n")
    with serve(path) as server:
        monkeypatch.setenv("SECODA_API_URL", server.url)
        monkeypatch.setenv("SECODA_API_KEY", server.key)
        yield lambda: run("sync", "--archive", "archive")


def check(run):
    return run("check", "--archive", "archive", "--period", "2026-07")


def test_what_could_not_be_read_is_told_until_it_is_acknowledged(run, pulled, tmp_path):
    """sync, check and run say the number and exit 3; after that it stays counted, and exit is 0."""
    done = pulled()
    assert done.exit_code == 3, done.output
    assert "1 unreadable record" in done.output
    assert pulled().exit_code == 0
    assert check(run).exit_code == 3
    assert run("run", "--archive", "archive", "--no-sync").exit_code == 3
    (one,) = json.loads(run("exceptions", "unread", "--archive", "archive", "--json").output)[
        "unread"
    ]
    assert one["acknowledged_by"] == ""
    note = ("--by", "Ana", "--reason", "a test record", "--archive", "archive")
    assert run("exceptions", "acknowledge", one["id"], *note).exit_code == 0
    assert one["id"] in (tmp_path / "triage.yml").read_text()
    looked = check(run)
    assert looked.exit_code == 0, looked.output
    assert "1 unreadable record, 1 acknowledged" in looked.output
    done = run("run", "--archive", "archive", "--no-sync", "--period", "2026-07", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["counts"]["unread"] == 0
    assert "Ana" in run("exceptions", "unread", "--archive", "archive").output


@pytest.mark.parametrize("name", ["U-1", "odd", "F-ABCDEFGH23", "U-0123456789ABCDEF", ""])
def test_only_the_id_of_a_record_is_taken(run, pulled, name):
    """Anything else is refused before the journal is touched."""
    note = ("--by", "Ana", "--reason", "a test record", "--archive", "archive")
    assert run("exceptions", "acknowledge", name, *note).exception.exit_code == 2


def test_a_record_of_a_file_is_acknowledged_by_its_place(run, tmp_path):
    """Files have the same ids in every run; the listing of check gives them."""
    path = tmp_path / "log.ndjson"
    simulate(2, people=4, services=1, resources=30, days=20, end=date(2026, 7, 1)).write_ndjson(
        path, "legacy"
    )
    path.write_bytes(path.read_bytes() + BROKEN + b"\n")
    ask = ("check", path, "--period", "2026-06", "--journal", "notes.yml")
    looked = run(*ask, "--json")
    assert looked.exit_code == 3
    (one,) = json.loads(looked.stdout)["coverage"]["quarantined"]
    note = ("--by", "Ana", "--reason", "a test record", "--journal", "notes.yml")
    assert run("exceptions", "acknowledge", one["id"], *note).exit_code == 0
    assert run(*ask).exit_code == 0
