"""A folder that came from elsewhere gets no secret, whatever its settings file says."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from contextlib import suppress
from datetime import date

import pytest

from auditlens.settings import UntrustedError
from auditlens.simulator import simulate

KEY = "sk-0123456789abcdef"


class Listener:
    """A port on this machine; ``heard`` has the first bytes of every connection."""

    def __init__(self) -> None:
        heard = self.heard = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.settimeout(1)
                data = b""
                with suppress(OSError):
                    data = self.request.recv(1 << 16)
                heard.append(data)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


@pytest.fixture
def listener():
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


NOTIFY = '[notify.x]\nallow = ["loopback"]\n'
HOSTILE = {
    "api_url": ('api_url = "URL"', {"sync", "doctor", "run"}),
    "key_file": ('key_file = "secret"', {"sync", "doctor", "run"}),
    "key_command": ('key_command = ["/bin/sh", "-c", "touch ran; echo x"]',
                    {"sync", "doctor", "run"}),
    "heartbeat": ('heartbeat = "URL/x"', {"run"}),
    "heartbeat_start": ('heartbeat_start = "URL/x"', {"run"}),
    "heartbeat_fail": ('heartbeat_fail = "URL/x"', {"run"}),
    "slack": (NOTIFY + 'kind = "slack"\nurl_env = "OTHER_SECRET"', {"run", "notify --test"}),
    "teams": (NOTIFY + 'kind = "teams"\nurl_env = "OTHER_SECRET"', {"run", "notify --test"}),
    "webhook": (NOTIFY + 'kind = "webhook"\nurl_env = "OTHER_SECRET"\nsecret_env = "CI_TOKEN"',
                {"run", "notify --test"}),
    "pagerduty": (NOTIFY + 'kind = "pagerduty"\nkey_env = "CI_TOKEN"\nurl = "URL"',
                  {"run", "notify --test"}),
    "jira": (NOTIFY + 'kind = "jira"\ntoken_env = "CI_TOKEN"\nurl = "URL"\nuser = "a"\n'
             'project = "P"', {"run", "notify --test"}),
    "email": (NOTIFY + 'kind = "email"\nhost = "localhost"\nport = PORT\nsecurity = "none"\n'
              'user = "a"\npassword_env = "CI_TOKEN"\nsender = "a@b.test"\nto = ["a@b.test"]',
              {"run", "notify --test"}),
}  # fmt: skip
COMMANDS = ["sync", "doctor", "run", "run --no-sync", "notify --test", "notify"]


@pytest.fixture
def hostile(run, tmp_path, monkeypatch, listener):
    """Write the file of the folder; the environment has the user's secrets and no address."""
    monkeypatch.setenv("SECODA_API_KEY", KEY)
    monkeypatch.setenv("CI_TOKEN", "t0ken-of-the-pipeline")
    monkeypatch.setenv("OTHER_SECRET", f"{listener.url}/s3cret")
    monkeypatch.setenv("AUDITLENS_RETRY_BUDGET", "0")
    (tmp_path / "secret").write_text("a-secret-of-the-user")
    (tmp_path / "secret").chmod(0o600)

    def write(name: str) -> None:
        text = HOSTILE[name][0].replace("URL", listener.url).replace("PORT", str(listener.port))
        (tmp_path / "auditlens.toml").write_text(f"{text}\n")

    return write


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_arrives_and_nothing_is_run(run, tmp_path, listener, hostile, name, command):
    """The command that would use it ends with 2 and says what trusts the file."""
    hostile(name)
    if "key" in name:
        os.environ.pop("SECODA_API_KEY")
    done = run(*command.split())
    assert listener.heard == []
    assert not (tmp_path / "ran").exists()
    assert done.exit_code != 0
    if command.removesuffix(" --no-sync") in HOSTILE[name][1] or (
        command == "notify" and "notify --test" in HOSTILE[name][1]
    ):
        assert isinstance(done.exception, UntrustedError)
        assert done.exception.exit_code == 2
        told = str(done.exception)
        assert f"config trust {tmp_path / 'auditlens.toml'}" in told
        assert KEY not in told


@pytest.mark.parametrize("name", ["api_url", "heartbeat", "pagerduty", "email", "slack"])
def test_once_trusted_it_is_used(run, listener, hostile, name):
    """The same file, the same command: the test above would see it arrive."""
    hostile(name)
    shown = run("config", "trust")
    assert shown.exit_code == 0, shown.output
    command = "notify --test" if name in ("pagerduty", "email", "slack") else "run"
    if name == "heartbeat":
        run("run", "--no-sync")
    run(*command.split())
    assert listener.heard or name == "heartbeat"
    assert KEY not in shown.output
    assert "s3cret" not in shown.output


@pytest.mark.parametrize("name", HOSTILE)
def test_commands_that_move_no_secret_go_on(run, hostile, listener, name):
    """They say that the file is not trusted, and do their work without it."""
    hostile(name)
    done = run("config", "show", "--json")
    assert done.exit_code == 0
    assert "is not trusted: " in done.stderr
    assert json.loads(done.stdout)["not_trusted"]
    assert listener.heard == []


def test_a_check_of_a_file_goes_on(run, tmp_path, hostile, listener):
    """It asks no server."""
    hostile("api_url")
    log = tmp_path / "log.ndjson"
    simulate(3, people=3, services=0, resources=10, days=4, end=date(2026, 7, 1), incidents=0,
             traps=False).write_ndjson(log, "legacy")  # fmt: skip
    done = run("check", log, "--period", "2026-06")
    assert done.exit_code in (0, 3), done.exception
    assert "api_url (line 1) does not count until you run: auditlens config trust" in done.stderr
    assert listener.heard == []


def test_what_a_flag_says_needs_no_trust(run, hostile, listener):
    """``--url`` is the user's own word."""
    hostile("api_url")
    done = run("sync", "--url", listener.url)
    assert not isinstance(done.exception, UntrustedError)
    assert listener.heard


def test_a_harmless_file_needs_no_trust(run, tmp_path, listener, monkeypatch):
    """Time zone, folders and numbers move nothing."""
    monkeypatch.setenv("SECODA_API_KEY", KEY)
    monkeypatch.setenv("SECODA_API_URL", listener.url)
    monkeypatch.setenv("AUDITLENS_RETRY_BUDGET", "0")
    (tmp_path / "auditlens.toml").write_text('timezone = "Europe/Paris"\narchive = "here"\n')
    done = run("sync")
    assert not isinstance(done.exception, UntrustedError)
    assert listener.heard


def test_trusting_listing_and_forgetting(run, tmp_path, hostile):
    """Each says what it did; a file that changed is told as such."""
    hostile("jira")
    shown = run("config", "trust").stdout
    assert shown.splitlines()[0].endswith(f"  {tmp_path / 'auditlens.toml'}")
    assert "notify.x: jira" in shown
    assert "token_env CI_TOKEN" in shown
    (one,) = json.loads(run("config", "trust", "--list", "--json").stdout)["files"]
    assert (one["file"], one["state"]) == (str(tmp_path / "auditlens.toml"), "trusted")
    hostile("api_url")
    assert "changed since" in run("config", "trust", "--list").stdout
    assert "changed since you trusted it" in str(run("sync").exception)
    assert run("config", "untrust").exit_code == 0
    assert run("config", "untrust").exception.exit_code == 2
    assert json.loads(run("config", "trust", "--list", "--json").stdout)["files"] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [("sed = 1", "nknown setting"), ("= ", "not valid TOML"), ("seed = 'x'", "whole number")],
)
def test_a_faulty_file_is_not_trusted(run, tmp_path, text, told):
    """Nobody can say what it would do."""
    (tmp_path / "auditlens.toml").write_text(text)
    done = run("config", "trust")
    assert done.exception.exit_code == 2
    assert told in str(done.exception)
    assert json.loads(run("config", "trust", "--list", "--json").stdout)["files"] == []


@pytest.mark.parametrize("file", [None, "other.toml", "gone/auditlens.toml"])
def test_only_a_settings_file_can_be_trusted(run, file):
    """One that is there, under a name that is read."""
    done = run("config", "trust", *([file] if file else []))
    assert done.exception.exit_code == 2


def test_init_trusts_what_it_writes(run, listener, monkeypatch):
    """And nothing that was there before."""
    monkeypatch.setenv("SECODA_API_KEY", KEY)
    monkeypatch.setenv("AUDITLENS_RETRY_BUDGET", "0")
    assert run("init", "--api-url", listener.url).exit_code == 0
    assert not isinstance(run("sync").exception, UntrustedError)
    assert listener.heard
