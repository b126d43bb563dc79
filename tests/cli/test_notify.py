"""The command sends what waits or a test, and says what became of each message."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from auditlens.notify import Outbox, trial_notice


@pytest.fixture
def answers():
    """A receiver on this machine, what it answers, and how often it was asked."""
    said = {"body": b"ok", "asked": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            said["asked"] += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    said["url"] = f"http://127.0.0.1:{server.server_port}/secret-path"
    yield said
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ready(run, answers, tmp_path, monkeypatch):
    """Settings with one receiver, and one message that waits."""
    text = '[notify.team]\nkind = "slack"\nurl_env = "HOOK"\nallow = ["loopback"]\n'
    (tmp_path / "auditlens.toml").write_text(text)
    assert run("config", "trust").exit_code == 0
    monkeypatch.setenv("HOOK", answers["url"])
    shelf = tmp_path / "reports-out" / "2026-10"
    shelf.mkdir(parents=True)
    (shelf / "manifest.json").touch()
    now = datetime(2026, 11, 4, tzinfo=UTC)
    Outbox(tmp_path / "outbox").add("2026-10", "team", trial_notice(), now)
    return run


def test_what_waits_is_sent_once(ready, answers):
    """And then nothing waits."""
    done = ready("notify")
    assert (done.exit_code, done.output.startswith("✓ team         2026-10: delivered")) == (
        0,
        True,
    )
    assert ready("notify").output == "The outbox is empty\n"
    assert answers["asked"] == 1


def test_a_test_goes_out_at_once_and_is_not_kept(ready, answers, tmp_path):
    """Whether it was taken or not; no output shows the address."""
    assert ready("notify", "--test").exit_code == 0
    answers["body"] = b"invalid_token"
    done = ready("notify", "--test", "--json")
    assert done.exit_code == 3
    (told,) = json.loads(done.stdout)["messages"]
    assert (told["target"], told["delivered"]) == ("team", False)
    assert "secret-path" not in done.output
    assert len(list((tmp_path / "outbox" / "waiting").iterdir())) == 1


def test_settings_without_a_receiver_are_told(run):
    """With what would be right."""
    assert "[notify.NAME]" in str(run("notify").exception)
