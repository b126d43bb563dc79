"""What moves a secret counts from a file of the working folder only when its user trusted it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from auditlens.errors import UsageError
from auditlens.settings import (
    GUARDED,
    NAMES,
    Settings,
    SettingsFile,
    UntrustedError,
    forget_file,
    load_settings,
    require_trusted,
    trust_file,
    trusted_files,
)

HARMLESS = {
    "archive", "rules", "own_rules", "timezone", "workspace", "api", "directory", "fail_on",
    "journal", "reviewer", "seed", "senders_a_week", "senders_a_day", "senders_a_month",
    "history_days", "retention_days", "frameworks", "placeholders", "holidays", "reports",
    "outbox", "grace_days", "identity", "also", "skip_broken", "alert_level", "digest",
    "fail_on_finding",
}  # fmt: skip
"""Settings that choose local files, numbers and words: they send nothing and run nothing."""

TEXTS = {
    "api_url": 'api_url = "https://elsewhere.example"',
    "key_file": 'key_file = "/etc/hostname"',
    "allowed_signers": 'allowed_signers = "/etc/hostname"',
    "key_command": 'key_command = ["touch", "run"]',
    "heartbeat": 'heartbeat = "https://elsewhere.example/x"',
    "heartbeat_start": 'heartbeat_start = "https://elsewhere.example/x"',
    "heartbeat_fail": 'heartbeat_fail = "https://elsewhere.example/x"',
    "notify": '[NOTIFY.team]\nkind = "slack"\nurl_env = "HOOK"',
}
TABLE = "[tool.auditlens]\n"


@pytest.fixture
def home(tmp_path) -> dict[str, str]:
    """An environment whose user has an own folder of settings, apart from the working folder."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "home")}


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def written(path: Path, name: str) -> Path:
    """A file that sets ``name``; ``seed`` before it does no harm."""
    project = path.name == "pyproject.toml"
    text = TEXTS[name].replace("NOTIFY", "tool.auditlens.notify" if project else "notify")
    path.write_text(f"{TABLE if project else ''}seed = 5\n{text}\n")
    return path


def test_every_setting_was_judged():
    """A new setting is guarded or harmless; somebody has to say which."""
    assert set(NAMES) == HARMLESS | set(GUARDED)
    assert not HARMLESS & set(GUARDED)
    assert set(TEXTS) == set(GUARDED)


PLACES = ["auditlens.toml", "pyproject.toml", "../auditlens.toml", "../pyproject.toml", "linked"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_setting_does_not_count_from_a_file_of_the_folder(folder, home, name, place):
    """Nor from one above it, a project's file or a link; what is harmless does count."""
    if place == "linked":
        (folder / "auditlens.toml").symlink_to(written(folder.parent / "auditlens.toml", name))
    else:
        written(folder / place, name)
    found = load_settings(folder, home)
    assert found.seed == 5
    assert getattr(found, name) == getattr(Settings(), name)
    assert set(found.withheld) == {name}
    with pytest.raises(UntrustedError, match=rf"{name} \(line \d\)\. Read it, then run: auditlens"):
        require_trusted(found.withheld)


@pytest.mark.parametrize("name", GUARDED)
def test_a_trusted_file_counts_until_it_changes(folder, home, name):
    """By one byte, a comment included; the message says since when it was trusted."""
    path = written(folder / "auditlens.toml", name)
    trust_file(path, SettingsFile(path).sha256, home)
    found = load_settings(folder, home)
    assert found.withheld == {}
    assert getattr(found, name) != getattr(Settings(), name)
    path.write_text(path.read_text() + "#")
    changed = load_settings(folder, home)
    assert getattr(changed, name) == getattr(Settings(), name)
    with pytest.raises(UntrustedError, match=r"changed since you trusted it on 20\d\d-"):
        require_trusted(changed.withheld)


def test_the_command_in_the_message_is_the_one_that_trusts(tmp_path, home):
    """With the file's absolute path, quoted for a shell."""
    folder = tmp_path / "a folder's"
    folder.mkdir()
    path = written(folder / "auditlens.toml", "api_url")
    with pytest.raises(UntrustedError) as fault:
        require_trusted(load_settings(folder, home).withheld)
    command = shlex.split(str(fault.value).partition("then run: ")[2])
    assert command == ["auditlens", "config", "trust", str(path)]


def test_the_users_own_file_needs_no_trust(folder, home):
    """It is no file of a working folder, even when one works there."""
    own = Path(home["XDG_CONFIG_HOME"]) / "auditlens" / "auditlens.toml"
    own.parent.mkdir(parents=True)
    written(own, "api_url")
    assert load_settings(folder, home).api_url
    assert load_settings(own.parent, home).api_url


@pytest.mark.skipif(os.name == "nt", reason="links and owners of POSIX")
@pytest.mark.parametrize("how", ["link", "linked folder", "writable", "foreign"])
def test_an_own_file_that_others_decide_on_needs_trust(folder, home, how):
    """A link leads somewhere else, and what others may write is not the user's own."""
    own = Path(home["XDG_CONFIG_HOME"]) / "auditlens" / "auditlens.toml"
    own.parent.parent.mkdir(parents=True)
    if how == "linked folder":
        own.parent.symlink_to(folder)
        written(folder / "auditlens.toml", "api_url")
    else:
        own.parent.mkdir()
        written(folder / "auditlens.toml" if how == "link" else own, "api_url")
    if how == "link":
        own.symlink_to(folder / "auditlens.toml")
    if how == "writable":
        own.chmod(0o666)
    if how == "foreign":
        if os.getuid():
            pytest.skip("only root can give a file away")
        os.chown(own, 12345, -1)
    assert set(load_settings(folder.parent, home).withheld) == {"api_url"}


def test_what_stands_above_the_file_needs_no_trust_in_it(folder, home):
    """The environment decides, so the file's word is not used."""
    written(folder / "auditlens.toml", "api_url")
    for variable in ("SECODA_API_URL", "AUDITLENS_API_URL"):
        found = load_settings(folder, home | {variable: "https://mine.example"})
        assert (found.api_url, found.withheld) == ("https://mine.example", {})


def test_a_file_of_the_folder_hides_the_users_own_address(folder, home):
    """It is not used in its place in silence: the file of the folder says another."""
    own = Path(home["XDG_CONFIG_HOME"]) / "auditlens" / "auditlens.toml"
    own.parent.mkdir(parents=True)
    own.write_text('api_url = "https://mine.example"\n')
    written(folder / "auditlens.toml", "api_url")
    found = load_settings(folder, home)
    assert (found.api_url, set(found.withheld)) == ("", {"api_url"})


@pytest.mark.parametrize("form", ["{0}", "{1},{0}", "{1} {0}", " {0} ", "{2}"])
def test_a_hash_in_the_environment_trusts_those_bytes_wherever_they_are(folder, home, form):
    """For a machine that has no list: a schedule, a container, a pipeline."""
    path = written(folder / "auditlens.toml", "api_url")
    sha256 = SettingsFile(path).sha256
    trust = form.format(sha256, "0" * 64, sha256.upper())
    assert load_settings(folder, home | {"AUDITLENS_TRUST": trust}).api_url
    assert load_settings(folder, home, trust=[sha256]).api_url
    assert load_settings(folder, home, trust=["0" * 64]).api_url == ""


@pytest.mark.parametrize("text", ["yes", "*", "0" * 63, "0" * 65, "g" * 64, "/etc/passwd"])
def test_a_hash_that_is_none_is_refused(folder, home, text):
    """Nothing but a SHA-256 trusts a file."""
    with pytest.raises(UsageError, match="not a SHA-256"):
        load_settings(folder, home | {"AUDITLENS_TRUST": text})


@pytest.mark.parametrize("text", ["config_home", "XDG_CONFIG_HOME", "trust", "trusted"])
def test_no_settings_file_names_the_list(folder, home, text):
    """It is no setting."""
    (folder / "auditlens.toml").write_text(f'{text} = "."\n')
    with pytest.raises(UsageError.__base__, match="Unknown setting"):
        load_settings(folder, home)


def test_a_relative_folder_of_settings_does_not_count(folder, monkeypatch):
    """It would be a folder of the working folder, with a list of its own."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder.parent / "elsewhere"))
    path = written(folder / "auditlens.toml", "api_url")
    trust_file(path, SettingsFile(path).sha256, {"XDG_CONFIG_HOME": str(folder / "here")})
    found = load_settings(folder, {"XDG_CONFIG_HOME": "here", "APPDATA": "here"})
    assert set(found.withheld) == {"api_url"}


def test_the_list_is_private_and_holds_what_was_said(folder, home):
    """One entry a file, replaced when it is trusted again, gone when it is taken out."""
    path = written(folder / "auditlens.toml", "api_url")
    trust_file(path, "0" * 64, home)
    made = trust_file(path, "1" * 64, home)
    assert trusted_files(home) == {path: made}
    store = Path(home["XDG_CONFIG_HOME"]) / "auditlens" / "trusted.json"
    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    assert forget_file(path, home)
    assert not forget_file(path, home)
    assert trusted_files(home) == {}


BROKEN = {
    "empty": b"", "no json": b"{", "a list": b"[]", "other": b'{"format": "x", "files": {}}',
    "no files": b'{"format": "auditlens.trusted/1"}', "not utf-8": b"\xff",
    "deep": b"[" * 100_000, "digits": b'{"format": ' + b"1" * 5000 + b"}",
    "hash": b'{"format": "auditlens.trusted/1", "files": {"/x": {"sha256": "1"}}}',
    "large": b" " * ((1 << 20) + 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*BROKEN, "writable", "link", "folder"])
def test_a_list_that_is_none_trusts_nothing(folder, home, kind):
    """And says so, rather than to be taken as empty."""
    path = written(folder / "auditlens.toml", "api_url")
    trust_file(path, SettingsFile(path).sha256, home)
    store = Path(home["XDG_CONFIG_HOME"]) / "auditlens" / "trusted.json"
    if kind == "writable":
        store.chmod(0o666)
    elif kind == "link":
        store.rename(folder / "list")
        store.symlink_to(folder / "list")
    elif kind == "folder":
        store.unlink()
        store.mkdir()
    else:
        store.write_bytes(BROKEN[kind])
    with pytest.raises(UsageError, match=r"trusted\.json"):
        load_settings(folder, home)
    (folder / "auditlens.toml").write_text("seed = 1\n")
    assert load_settings(folder, home).seed == 1


def test_a_list_from_elsewhere_is_not_read(folder, home):
    """One that lies in the working folder counts for nothing."""
    path = written(folder / "auditlens.toml", "api_url")
    inside = folder / ".config" / "auditlens"
    inside.mkdir(parents=True)
    entry = {"sha256": SettingsFile(path).sha256, "trusted_at": "2026-01-01T00:00:00+00:00"}
    told = {"format": "auditlens.trusted/1", "files": {str(path): entry}}
    for place in (inside, folder):
        (place / "trusted.json").write_text(json.dumps(told))
    assert set(load_settings(folder, home).withheld) == {"api_url"}
