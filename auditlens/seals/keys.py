"""Signatures under a seal: Ed25519 with a key file, or the user's own ``ssh-keygen -Y sign``.

The seal names the public key, so a signature that was taken away is missed. Both are detached
files beside the seal, and other tools can check them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditlens.errors import IntegrityError, UsageError
from auditlens.files import read, read_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


ENDINGS = {"ed25519": ".ed25519", "ssh": ".sig"}
"""What a kind of signature adds to the name of the file it signs."""

NAMESPACE = "auditlens"
SECONDS = 60
LARGEST_KEY = 1 << 16
INSTALL = "Install the extra: pip install 'auditlens[sign]'"


def fingerprint(kind: str, public: str) -> str:
    """The fingerprint of a public key, as ``ssh-keygen -lf`` shows it.

    Args:
        kind: ``ed25519`` or ``ssh``.
        public: The key as a seal names it: base64, or kind and base64 of an SSH line.

    Returns:
        ``SHA256:…``, the same for one key in either form; ``that cannot be read`` for what is no
        key.
    """
    try:
        blob = base64.b64decode(ssh_line(kind, public).split()[1])
    except (ValueError, IndexError):
        return "that cannot be read"
    digest = hashlib.sha256(blob).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def ssh_line(kind: str, public: str) -> str:
    """A public key as a line of an SSH file, without comment.

    Args:
        kind: ``ed25519`` or ``ssh``; a line of the latter is given back as it is.
        public: The key as a seal names it.

    Returns:
        Kind and key in base64.

    Raises:
        ValueError: ``public`` is no base64.
    """
    if kind == "ssh":
        return public
    name, raw = b"ssh-ed25519", base64.b64decode(public)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (name, raw))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def public_line(path: Path) -> str:
    """The Ed25519 key in a PEM file as a line of an SSH file.

    Args:
        path: The file, with a public or a private key.

    Returns:
        ``ssh-ed25519`` and the key in base64.

    Raises:
        UsageError: The file holds no such key, or cryptography is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise UsageError("Reading the key needs the library cryptography", fix=INSTALL) from None
    try:
        key = load_pem_public_key(read(path, most=LARGEST_KEY, follow=True))
    except (OSError, ValueError, TypeError):
        return ssh_line("ed25519", Ed25519Key(path).public())
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} holds no Ed25519 key", fix="Give an SSH key with --ssh")
    return ssh_line("ed25519", base64.b64encode(key.public_bytes_raw()).decode())


@dataclass(frozen=True)
class Ed25519Key:
    """A private Ed25519 key in a PEM file that nobody but its owner may read.

    Attributes:
        path: The file, without a password.
        kind: ``ed25519``.
    """

    path: Path
    kind = "ed25519"

    def public(self) -> str:
        """The public key in base64.

        Raises:
            UsageError: Others may read the file, it holds no Ed25519 key, or cryptography is not
                installed.
        """
        return base64.b64encode(self.load().public_key().public_bytes_raw()).decode()

    def sign(self, data: bytes) -> bytes:
        """Sign bytes.

        Args:
            data: The bytes of a seal's file.

        Returns:
            The signature in base64 and a line feed: the bytes of a file ``.ed25519``.

        Raises:
            UsageError: As :meth:`public`.
        """
        return base64.b64encode(self.load().sign(data)) + b"\n"

    def load(self) -> Ed25519PrivateKey:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise UsageError("Signing needs the library cryptography", fix=INSTALL) from None
        refuse_readable_by_others(self.path)
        try:
            text = read(self.path, most=LARGEST_KEY, follow=True)
            key = load_pem_private_key(text, password=None)
        except (OSError, ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(
                f"{self.path} holds no Ed25519 key without a password",
                fix="Make one: openssl genpkey -algorithm ed25519 -out key.pem; chmod 600 key.pem",
            )
        return key


@dataclass(frozen=True)
class SshKey:
    """A key that ``ssh-keygen`` signs with.

    Attributes:
        path: The private key, with the public one beside it, or a public key whose private one an
            agent holds.
        kind: ``ssh``.
    """

    path: Path
    kind = "ssh"

    def public(self) -> str:
        """Kind and key as in an ``authorized_keys`` line, without the comment.

        Raises:
            UsageError: The public key is not beside the private one, or is none.
        """
        beside = self.path if self.path.suffix == ".pub" else Path(f"{self.path}.pub")
        try:
            kind, key = read_text(beside, most=LARGEST_KEY).split()[:2]
            base64.b64decode(key, validate=True)
        except (OSError, ValueError):
            raise UsageError(
                f"{beside} is not a public SSH key",
                fix="Keep the public key beside the private one",
            ) from None
        return f"{kind} {key}"

    def sign(self, data: bytes) -> bytes:
        """Sign bytes.

        Args:
            data: The bytes of a seal's file.

        Returns:
            An armoured SSH signature in the namespace ``auditlens``.

        Raises:
            UsageError: ``ssh-keygen`` is not installed, or did not sign.
        """
        done = ssh_keygen(["-Y", "sign", "-n", NAMESPACE, "-f", str(self.path)], data)
        if done.returncode:
            told = done.stderr.decode(errors="replace").strip().splitlines()
            raise UsageError(
                f"ssh-keygen did not sign ({told[-1] if told else done.returncode})",
                fix="Try 'ssh-keygen -Y sign -n auditlens -f KEY FILE' by hand",
            )
        return done.stdout


def refuse_readable_by_others(path: Path) -> None:
    """Raise UsageError unless ``path`` is a file that only its owner may read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})", fix="Name the key file") \
            from None  # fmt: skip
    if os.name != "nt" and stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"Others may read the key {path}", fix=f"chmod 600 {path}")


def ssh_keygen(arguments: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UsageError("ssh-keygen is not installed", fix="Install OpenSSH 8.2 or later")
    try:
        return subprocess.run(  # noqa: S603 - a fixed program, its arguments in a list
            [program, *arguments], input=data, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"ssh-keygen did not answer within {SECONDS} seconds",
            fix="Use a key without a prompt, or load it into the agent",
        ) from None


def check_signature(kind: str, public: str, data: bytes, signature: bytes, name: str) -> None:
    """Check that a signature was made with a key.

    Args:
        kind: ``ed25519`` or ``ssh``.
        public: The key as a seal names it: base64, or kind and base64 of an SSH line.
        data: The bytes that were signed.
        signature: The bytes of the signature's file.
        name: What messages call that file.

    Raises:
        IntegrityError: It is not the signature of ``data`` by this key.
        UsageError: What it takes to check is not installed.
    """
    good = {"ed25519": ed25519_holds, "ssh": ssh_holds}[kind](public, data, signature)
    if not good:
        raise IntegrityError(
            f"{name}: the {kind} signature is not that of the key the seal names",
            fix="Restore seal and signature from a copy",
        )


def ed25519_holds(public: str, data: bytes, signature: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise UsageError("The signature cannot be checked here", fix=INSTALL) from None
    try:
        raw = base64.b64decode(signature.removesuffix(b"\n"), validate=True)
        # Base64 has spare bits: only the one spelling we write is accepted.
        if base64.b64encode(raw) + b"\n" != signature:
            return False
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(raw, data)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def is_armoured(signature: bytes) -> bool:
    """Whether an SSH signature is written in the one way it can be: no spare bit, no blank."""
    lines = signature.split(b"\n")
    first, last = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
    if len(lines) < 4 or (lines[0], lines[-2], lines[-1]) != (first, last, b""):
        return False
    body, width = lines[1:-2], len(lines[1])
    try:
        text = base64.b64encode(base64.b64decode(b"".join(body), validate=True))
    except binascii.Error:
        return False
    return width > 0 and body == [text[at : at + width] for at in range(0, len(text), width)]


def ssh_holds(public: str, data: bytes, signature: bytes) -> bool:
    if not is_armoured(signature):
        return False
    with tempfile.TemporaryDirectory(prefix="auditlens-") as folder:
        signers, signed = Path(folder) / "signers", Path(folder) / "signature"
        signers.write_text(f"reviewer {public}\n", encoding="utf-8")
        signed.write_bytes(signature)
        done = ssh_keygen(
            ["-Y", "verify", "-n", NAMESPACE, "-I", "reviewer", "-f", str(signers),
             "-s", str(signed)], data,
        )  # fmt: skip
    return done.returncode == 0
