"""Signatures under a seal: made with a private key, checked with the public one in the seal."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from auditlens.errors import UsageError
from auditlens.seals import Ed25519Key, SshKey, fingerprint


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A fresh Ed25519 key that only its owner may read."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from cryptography.hazmat.primitives import serialization as form

    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
    )
    return path


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("ssh-keygen is not installed")
    path = tmp_path / "id"
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def test_an_ed25519_signature_holds_and_its_loss_shows(pulled, pem):
    """Any bit of it, and its absence, is found."""
    seal = pulled.sign(pulled.audit(), keys=[Ed25519Key(pem)])
    path = pulled.out / "seal.json.ed25519"
    assert seal.data["keys"] == {"ed25519": Ed25519Key(pem).public()}
    shown = fingerprint("ed25519", Ed25519Key(pem).public())
    assert shown in (pulled.out / "report.html").read_text(encoding="utf-8")
    found = pulled.verify()
    assert found.ok
    assert found.signers[0].startswith("names Rita Quill")
    assert f"signed with key {shown}, which is listed nowhere" in found.signers[0]
    good = path.read_bytes()
    for at in (0, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert not pulled.verify().ok
    path.unlink()
    assert "signature is missing" in str(pulled.verify().differences[0])


def test_an_ssh_signature_holds_and_an_edit_shows(pulled, ssh):
    """Made and checked by the user's own ssh-keygen."""
    pulled.sign(pulled.audit(), keys=[SshKey(ssh)])
    path = pulled.out / "seal.json.sig"
    assert path.read_bytes().startswith(b"-----BEGIN SSH SIGNATURE-----")
    assert pulled.verify().ok
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert "ssh signature is not that of the key" in str(pulled.verify().differences[0])


def test_a_signature_by_another_key_is_found(pulled, pem, tmp_path):
    """The seal names the key; a signature by somebody else's is none."""
    pulled.sign(pulled.audit(), keys=[Ed25519Key(pem)])
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    raw = (pulled.out / "seal.json").read_bytes()
    forged = base64.b64encode(Ed25519PrivateKey.generate().sign(raw)) + b"\n"
    (pulled.out / "seal.json.ed25519").write_bytes(forged)
    assert "is not that of the key" in str(pulled.verify().differences[0])


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_key_that_others_may_read_is_refused(pem):
    """With the command that mends it."""
    pem.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        Ed25519Key(pem).public()


def test_a_file_that_is_no_key_is_refused(tmp_path):
    """And so is one that is not there."""
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    with pytest.raises(UsageError, match="no Ed25519 key"):
        Ed25519Key(path).public()
    with pytest.raises(UsageError, match="cannot be read"):
        Ed25519Key(tmp_path / "gone").public()
    with pytest.raises(UsageError, match="not a public SSH key"):
        SshKey(path).public()
