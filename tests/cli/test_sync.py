"""The sync command: what it says of its pages and of the directory, and what it never says."""

import json

import pytest

from auditlens.archive import Progress
from auditlens.cli.sync import time_left  # shown on a terminal alone; a test has none
from auditlens.simulator import serve, simulate


@pytest.fixture(scope="module")
def workspace():
    return simulate(9, people=12, services=1, resources=80, teams=2, days=20, events_per_day=3)


@pytest.fixture
def server(workspace, monkeypatch):
    with serve(workspace, page_size=500) as running:
        monkeypatch.setenv("SECODA_API_URL", running.url)
        monkeypatch.setenv("SECODA_API_KEY", running.key)
        yield running


def test_the_directory_comes_with_the_log_and_is_verified_with_it(run, server, workspace):
    """Rows as the server counts them; a changed byte is exit 5 and names the file."""
    done = run("sync", "--directory", "--archive", "a", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert told["outcome"] == "complete"
    assert told["directory"]["rows"]["users"] == workspace.directory.users.height
    assert told["directory"]["problems"] == {}
    assert run("verify", "--archive", "a").exit_code == 0
    from pathlib import Path

    file = Path("a/directory/000001-users.ndjson.zst")
    data = file.read_bytes()
    file.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    spoilt = run("verify", "--archive", "a")
    assert spoilt.exit_code == 5
    assert "directory/000001-users.ndjson.zst" in spoilt.stderr


def test_a_directory_that_fails_is_told_and_the_log_is_complete(run, server):
    """Listings that are not there are one line and exit 3; the log is whole all the same."""
    server.directory.clear()
    done = run("sync", "--directory", "--archive", "a")
    assert done.exit_code == 3
    assert "Complete" in done.stdout
    assert "directory" not in done.stdout
    assert done.stderr.count("\n") == 1
    assert "/api/v1/user is not there (404)" in done.stderr
    assert run("verify", "--archive", "a").exit_code == 0


def test_without_the_option_nothing_beside_the_log_is_asked(run, server):
    """The directory is personal data too: it comes only when asked for."""
    assert run("sync", "--archive", "a").exit_code == 0
    assert not any("user" in asked.path for asked in server.answered)


def test_verbose_tells_of_each_page_and_never_of_the_key(run, server):
    """Page, rows, endpoint and time on stderr; stdout is as without it."""
    plain = run("sync", "--archive", "a")
    told = run("sync", "-v", "--archive", "b")
    assert told.stdout.splitlines()[0] == plain.stdout.splitlines()[0]
    lines = told.stderr.splitlines()
    pages = sum("audit_logs" in asked.path for asked in server.answered) // 2
    assert len(lines) == pages > 3
    assert all(" current API, " in line and " ms; " in line for line in lines)
    assert plain.stderr == ""
    assert server.key not in told.output + told.stderr


def test_a_sync_ends_with_gaps_and_with_how_long_the_next_may_wait(run, server, monkeypatch):
    """As 'status' says it, at the time of the run; a later sync buys time, a setting tells it."""
    done = run("sync", "--archive", "a")
    last = done.stdout.splitlines()[-1]
    told = dict(line.split(" ", 1) for line in run("status", "--archive", "a").stdout.splitlines())
    risk = told["retention"].strip()
    assert last == f"gaps: none; {risk}"
    assert risk.endswith("days; older events may be deleted at the source.")
    days = int(risk.split()[2])
    assert days > 3
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(1790000000 + 3 * 86400))
    assert f"retention    Sync within {days - 3} days;" in run("status", "--archive", "a").stdout
    document = json.loads(run("sync", "--archive", "a", "--json").stdout)
    assert document["gaps"] == []
    assert document["days_until_loss"] > days
    monkeypatch.setenv("AUDITLENS_RETENTION_DAYS", "30")
    assert json.loads(run("sync", "--archive", "a", "--json").stdout)["days_until_loss"] == 30
    assert "retention    Sync within 30 days;" in run("status", "--archive", "a").stdout


@pytest.mark.parametrize(
    ("page", "total", "seconds", "told"),
    [(2, 80, 10, ""), (10, None, 10, ""), (10, 80, 10, ", ~1 min at most"),
     (10, 20, 10, ", ~10 s at most"), (20, 20, 10, ", ~0 s at most")],
)  # fmt: skip
def test_progress_says_how_long_it_takes_at_most(page, total, seconds, told):
    """From the pages read so far, once there are a few."""
    assert time_left(Progress(page, total, 1, 0, None), seconds) == told


def test_an_address_that_was_wrong_at_first_binds_nothing(run, server, monkeypatch):
    """An archive belongs to the address whose records it holds, not to one that failed."""
    monkeypatch.setenv("AUDITLENS_RETRY_BUDGET", "0")
    right = server.url
    monkeypatch.setenv("SECODA_API_URL", "http://127.0.0.1:1")
    assert run("sync", "--archive", "a").exception.exit_code == 3
    monkeypatch.setenv("SECODA_API_URL", right)
    assert run("sync", "--archive", "a").exit_code == 0
    monkeypatch.setenv("SECODA_API_URL", "http://127.0.0.1:1")
    assert "one archive folder for each" in str(run("sync", "--archive", "a").exception)
