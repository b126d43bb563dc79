"""``config show``: every setting, where it comes from, and nothing that is secret."""

from __future__ import annotations

import json

import pytest

from auditlens.canonical import sha256_hex
from auditlens.settings import NAMES

FILE = """\
timezone = "Europe/Paris"
heartbeat = "https://user:pass-word-1@monitor.example/pass-word-2?pass-word-3"
key_file = "pass/key"

[placeholders]
approved_domains = ["example.org"]

[notify.team]
kind = "jira"
url = "https://tracker.example/pass-word-4"
user = "ana@example.org"
token_env = "JIRA_TOKEN"
project = "GOV"
"""


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """Settings from the user's file, the folder's file and the environment."""
    (tmp_path / "home" / "auditlens").mkdir(parents=True)
    own = 'key_command = ["vault", "read", "pass-word-5"]\nseed = 7\ntimezone = "UTC"\n'
    (tmp_path / "home" / "auditlens" / "auditlens.toml").write_text(own)
    (tmp_path / "auditlens.toml").write_text(FILE)
    monkeypatch.setenv("AUDITLENS_TRUST", sha256_hex(FILE))
    monkeypatch.delenv("APPDATA", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUDITLENS_FAIL_ON", "high")
    monkeypatch.setenv("AUDITLENS_SLACK_URL", "x")
    monkeypatch.setenv("SECODA_API_URL", "https://me:pass-word-6@api.example")
    monkeypatch.setenv("AUDITLENS_IDENTITY_KEY", "pass-word-7")
    return tmp_path


def test_each_value_is_shown_with_its_origin(run, settled):
    """Default, file and line, or variable: the last that said it."""
    document = json.loads(run("config", "show", "--origin", "--json").stdout)
    found = {name: (row["value"], row["origin"]) for name, row in document["settings"].items()}
    assert list(found) == sorted(NAMES)
    file = settled / "auditlens.toml"
    assert found["timezone"] == ("Europe/Paris", f"{file}:1")
    assert found["seed"] == (7, f"{settled / 'home' / 'auditlens' / 'auditlens.toml'}:2")
    assert found["fail_on"] == ("high", "AUDITLENS_FAIL_ON")
    assert found["placeholders"] == ({"approved_domains": ["example.org"]}, f"{file}:5")
    assert found["notify"][0]["team"]["kind"] == "jira"
    assert found["grace_days"] == (3, "default")
    assert document["file"] == str(file)
    assert document["key"] == "key_command"
    (warning,) = document["warnings"]
    assert warning.startswith("Unknown setting AUDITLENS_SLACK_URL. ")


@pytest.mark.parametrize("more", [[], ["--origin"], ["--json"], ["--origin", "--json"]])
def test_no_secret_is_shown(run, settled, monkeypatch, more):
    """Neither the key nor what people write into addresses and commands; none is run."""
    monkeypatch.setenv("SECODA_API_KEY", "pass-word-8")
    done = run("config", "show", *more)
    assert done.exit_code == 0
    assert "monitor.example" in done.stdout
    assert "vault" in done.stdout
    assert "pass-word" not in done.output


def test_the_table_has_the_origin_when_asked(run, settled):
    """A line a setting, and where the key would come from."""
    plain = run("config", "show").stdout
    told = run("config", "show", "--origin").stdout
    assert "AUDITLENS_FAIL_ON" in told
    assert "AUDITLENS_FAIL_ON" not in plain
    assert told.splitlines()[-1].split()[-1] == "key_command"
    assert len(told.splitlines()) >= len(NAMES) + 2


def test_a_fault_is_told_as_everywhere(run, tmp_path):
    """File, line and what would be right."""
    (tmp_path / "auditlens.toml").write_text("\nsed = 1\n")
    done = run("config", "show")
    assert done.exception.exit_code == 2
    assert "auditlens.toml:2: Unknown setting 'sed'. Did you mean 'seed'?" in str(done.exception)
