"""Ten ticked lines, a fix for each failure, in five seconds whatever the server does."""

from __future__ import annotations

import json
import socket
import time

import pytest

from auditlens.simulator import serve, simulate

NAMES = ["key", "TLS", "reachable", "role", "API", "page cap", "oldest event", "clock", "archive",
         "time zones"]  # fmt: skip


@pytest.fixture(scope="module")
def server():
    """A small simulated workspace."""
    workspace = simulate(3, people=4, services=0, resources=20, days=10, events_per_day=2.0)
    with serve(workspace.records("current"), generation="current", page_size=20) as made:
        yield made


def checks(done) -> dict[str, dict]:
    told = json.loads(done.stdout)["checks"]
    assert [one["name"] for one in told] == NAMES
    return {one["name"]: one for one in told}


@pytest.fixture
def to(monkeypatch):
    """Say which server and which key."""

    def say(url, key="k"):
        monkeypatch.setenv("SECODA_API_URL", url)
        monkeypatch.setenv("SECODA_API_KEY", key)

    return say


def test_ten_lines_are_ticked_when_all_is_well(run, server, to):
    """With the oldest event the server still has, and never the key."""
    to(server.url, server.key)
    done = run("doctor")
    assert done.exit_code == 0, done.output
    assert done.output.count("✓") == 10
    assert server.key not in done.output
    assert "days ago" in checks(run("doctor", "--json"))["oldest event"]["found"]


@pytest.mark.parametrize(
    ("key", "code", "line", "fix"),
    [("wrong-key", 4, "role", "make a new key"), ("a b", 2, "key", "Copy the key again")],
)
def test_a_bad_key_is_told_without_showing_it(run, server, to, key, code, line, fix):
    """401 is the key, and a blank is seen before anything is asked."""
    to(server.url, key)
    done = run("doctor", "--json")
    told = checks(done)[line]
    assert (done.exit_code, told["ok"]) == (code, False)
    assert fix in told["fix"]
    assert key not in done.output


def test_a_viewer_is_told_to_ask_an_admin(run, server, to):
    """403 is the role."""
    to(server.url, server.viewer_key)
    done = run("doctor", "--json")
    assert done.exit_code == 4
    assert "admin" in checks(done)["role"]["fix"]


def test_no_key_means_nothing_is_asked(run):
    """Each line that could not be looked at says so."""
    done = run("doctor", "--json")
    assert done.exit_code == 2
    assert checks(done)["reachable"]["found"] == "not checked"


def test_a_server_that_is_down_is_told(run, to):
    """Exit 3: trying again may help."""
    to("http://127.0.0.1:9")
    done = run("doctor", "--json")
    assert done.exit_code == 3
    assert not checks(done)["reachable"]["ok"]


def test_a_server_that_never_answers_is_given_up(run, to):
    """It takes the connection and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        done = run("doctor", "--json")
    assert done.exit_code == 3
    assert "longer than 3 s" in checks(done)["reachable"]["found"]
    assert time.monotonic() - began < 60


def test_a_resolver_that_hangs_is_given_up(run, to, monkeypatch):
    """No deadline of a socket helps there."""
    from threading import Event

    let_go = Event()
    monkeypatch.setattr("auditlens.cli.doctor.SECONDS", 0.2)
    monkeypatch.setattr("auditlens.cli.doctor.server_lines", lambda *_: let_go.wait(60) and [])
    to("https://workspace.test")
    done = run("doctor", "--json")
    let_go.set()
    assert done.exit_code == 3
    assert checks(done)["reachable"]["found"] == "nothing within 0.2 s"


def test_a_damaged_archive_is_a_failure_of_integrity(run, server, to, tmp_path):
    """Exit 5 wins over all else."""
    to(server.url, server.key)
    assert run("sync").exit_code == 0
    manifest = min((tmp_path / "archive" / "log").iterdir())
    manifest.chmod(0o600)
    manifest.write_bytes(manifest.read_bytes().replace(b"0", b"1", 1))
    done = run("doctor", "--json")
    assert done.exit_code == 5
    assert checks(done)["archive"]["fix"]
