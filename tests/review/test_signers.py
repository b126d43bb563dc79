"""Whose a signature is stands in a list: the archive's, or the verifier's own."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlens.archive import Archive
from auditlens.cli import auditlens
from auditlens.errors import UsageError
from auditlens.files import lock
from auditlens.seals import (
    canonical,
    fingerprint,
    read_allowed,
    read_sign_offs,
    seal_hash,
    ssh_line,
)

DATA = Path(__file__).parent / "data" / "month-signed-by-0.1.zip"
RITA = "Rita Quill <rita@reviewer.example>"


@pytest.fixture
def month(tmp_path, monkeypatch):
    """A month that 0.1 signed with an Ed25519 and an SSH key, as Rita; no list of keys."""
    with zipfile.ZipFile(DATA) as packed:
        packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def keys(month):
    """Its public keys as lines of an SSH file, and their fingerprints."""
    seal = read_sign_offs(month / "signed").seals[-1]
    lines = {kind: ssh_line(kind, public) for kind, public in seal.keys.items()}
    return {kind: (line, fingerprint("ssh", line)) for kind, line in lines.items()}


def call(*arguments: str):
    return CliRunner().invoke(auditlens, list(arguments))


def verify(*more: str):
    return call("verify", "-q", "--archive", "archive", *more)


def report(*more: str):
    return verify("--report", "out", "--rules", "rules", *more)


def add(keys, kind: str, name: str = RITA):
    path = Path(f"{kind}.pub")
    path.write_text(f"{keys[kind][0]} somebody\n")
    return call("reviewers", "add", name, "--ssh", str(path), "--archive", "archive")


def test_a_fingerprint_is_that_of_ssh_keygen(keys, tmp_path):
    """In the same form for both kinds of keys."""
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("ssh-keygen is not installed")
    for line, digest in keys.values():
        (tmp_path / "k.pub").write_text(line + "\n")
        told = subprocess.run(
            [program, "-lf", str(tmp_path / "k.pub")], capture_output=True, check=True
        )
        assert digest in told.stdout.decode()


@pytest.mark.parametrize("check", [verify, report])
def test_an_unlisted_key_is_nobodys(month, keys, check):
    """Its fingerprint is shown, and it is never called hers."""
    done = check()
    assert done.exit_code == 0, done.output
    for _, digest in keys.values():
        assert f"signed with key {digest}, which is listed nowhere" in done.stdout
    assert "signed by" not in done.output


@pytest.mark.parametrize("check", [verify, report])
def test_a_listed_key_is_hers(month, keys, check):
    """The list is sealed into the log; where it says so is told."""
    for kind in keys:
        assert add(keys, kind).exit_code == 0
    done = check()
    assert done.exit_code == 0, done.output
    assert f"signed by {RITA} with key {keys['ssh'][1]}, listed in the archive's log" in done.stdout


def test_a_signature_that_cannot_be_checked_here_is_not_passed_over(month, keys, monkeypatch):
    """Without the library, or without ssh-keygen, verify says so and does not end with 0."""
    for name in [one for one in sys.modules if one.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    done = verify()
    assert done.exit_code == 3, done.output
    assert "not checked: 2026-05.json.ed25519" in done.stderr
    assert "signed with key" not in done.stdout


def test_a_key_listed_for_another_is_told(month, keys):
    """Bo's key under Rita's name is not Rita's signature."""
    add(keys, "ssh", "Bo Larch")
    done = verify()
    assert "which is listed for Bo Larch in the archive's log" in done.stdout
    assert "signed by" not in done.output


def test_another_key_than_the_listed_one_is_refuted(month, keys, tmp_path):
    """Rita is listed, and with another key: whoever signed as her is not shown to be her."""
    other = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"7" * 32).decode()
    (tmp_path / "other.pub").write_text(f"ssh-ed25519 {other}\n")
    assert call("reviewers", "add", "Rita Quill", "--ssh", "other.pub").exit_code == 0
    for done in (verify(), report()):
        assert done.exit_code == 5
        assert "listed nowhere: nothing shows that it is Rita Quill" in done.stderr
        assert "signed by" not in done.output


def test_a_removed_key_counts_for_what_was_sealed_before(month, keys):
    """And not for what came after."""
    with lock(Path("archive")):
        Archive("archive").cover(datetime(2026, 6, 4, tzinfo=UTC))
    add(keys, "ssh")
    assert call("reviewers", "remove", RITA, "--archive", "archive").exit_code == 0
    assert f"signed by {RITA} with key {keys['ssh'][1]}" in verify().stdout


def test_a_key_removed_before_the_sign_off_was_sealed_does_not_count(month, keys):
    """Nothing shows that the signature is older than the removal."""
    seal = Path("signed/2026-05.json").read_bytes()
    shutil.move("signed", "later")
    add(keys, "ssh")
    call("reviewers", "remove", RITA, "--archive", "archive")
    shutil.move("later", "signed")
    assert Path("signed/2026-05.json").read_bytes() == seal
    with lock(Path("archive")):
        Archive("archive").cover(datetime(2026, 6, 4, tzinfo=UTC))
    done = verify()
    assert "nothing shows that the signature was made before" in done.output
    assert "signed by" not in done.output


def test_the_list_is_shown_and_its_faults_are_told(month, keys):
    """Twice the same key, a name that is none, no key to remove."""
    add(keys, "ssh")
    told = json.loads(call("reviewers", "list", "--json").stdout)["reviewers"]
    assert [(one["name"], one["fingerprint"]) for one in told] == [(RITA, keys["ssh"][1])]
    for done in (
        add(keys, "ssh", "Bo Larch"),
        add(keys, "ed25519", "two\nlines"),
        call("reviewers", "remove", "Nobody"),
        call("reviewers", "add", "Rita Quill"),
    ):
        assert isinstance(done.exception, UsageError)
    assert verify().exit_code == 0


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("rita@reviewer.example {key}", True),
        ('"Rita Quill" {key} a comment', True),
        ('bo@x.example,*@reviewer.example namespaces="auditlens" {key}', True),
        ('rita@reviewer.example namespaces="git,auditlens",valid-after="20260101Z" {key}', True),
        ("# a comment\n\nrita@reviewer.example {key}", True),
        ("bo@reviewer.example {key}", False),
        ('rita@reviewer.example namespaces="git" {key}', False),
        ('rita@reviewer.example valid-before="20260101Z" {key}', False),
        ('rita@reviewer.example valid-after="20270101Z" {key}', False),
        ("!rita@reviewer.example,*@reviewer.example {key}", False),
        ("rita@reviewer.example cert-authority {key}", False),
        ("", False),
    ],
)
def test_the_verifiers_own_list_decides(month, keys, line, good):
    """As ssh-keygen reads it: principals, namespaces, times; a key it lacks is refused."""
    text = "".join(f"{line.format(key=key)}\n" for key, _ in keys.values())
    Path("allowed").write_text(text)
    for done in (verify("--allowed-signers", "allowed"), report("--allowed-signers", "allowed")):
        assert done.exit_code == (0 if good else 5), done.output
        assert ("signed by Rita Quill" in done.stdout) is good
        assert ("listed in allowed:" in done.stdout) is good


@pytest.mark.parametrize(
    "text",
    ["rita ssh-ed25519", "ssh-ed25519 AAAA", "rita nonsense ssh-ed25519 AAAA", 'rita "',
     "rita ssh-ed25519 ####", 'rita valid-after="tomorrow" ssh-ed25519 AAAA', "rita", "\0"],
)  # fmt: skip
def test_a_line_that_is_none_is_named(tmp_path, text):
    """With its number."""
    path = tmp_path / "allowed"
    path.write_text(f"# one\n{text}\n")
    with pytest.raises(UsageError, match=r"allowed:2: no line of allowed signers"):
        read_allowed(path)


def test_a_setting_of_a_folder_that_came_from_elsewhere_does_not_vouch(month, keys):
    """Or the list could stand beside the report."""
    Path("allowed").write_text("".join(f"*@reviewer.example {k}\n" for k, _ in keys.values()))
    Path("auditlens.toml").write_text('allowed_signers = "allowed"\n')
    done = verify()
    assert isinstance(done.exception, UsageError)
    assert "signed by" not in done.output


@pytest.mark.parametrize("changed", [{"keys": {}}, {"keys": {"pgp": "AAAA"}}, {"keys": {"ssh": 3}}])
def test_a_seal_without_a_signature_names_and_shows_nothing(month, keys, changed):
    """A key in words alone, of whatever kind, signs nothing."""
    for kind in keys:
        add(keys, kind)
    path = Path("out/seal.json")
    data = {**json.loads(path.read_bytes()), **changed}
    path.write_bytes(canonical({**data, "seal": seal_hash(data)}))
    done = report()
    assert done.exit_code == 5
    assert "signed by" not in done.output


def test_a_sign_off_without_a_key_says_so(month):
    """It names its reviewer, and that is all."""
    seal = read_sign_offs(month / "signed").seals[-1]
    from auditlens.seals import Seal, signers_of

    (one,) = signers_of(Seal(seal.path, {**seal.data, "keys": {}}))
    assert one.text.startswith(f"names {RITA}; no key")
    assert not one.refuted
    (one,) = signers_of(Seal(seal.path, {**seal.data, "keys": {}}), allowed=())
    assert one.refuted
