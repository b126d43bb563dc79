"""A seal: what one sign-off binds, as canonical JSON whose field ``seal`` hashes all others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from auditlens.canonical import json_document, sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import read
from auditlens.period import Period

__all__ = ["FINDINGS", "FIX", "FORMAT", "Seal", "canonical", "parse_seal", "seal_hash"]

FORMAT = "auditlens.seal/1"
FINDINGS = ".findings.json"
"""What the name of the file ends in that holds the findings beside a seal."""
KINDS = frozenset({"ed25519", "ssh"})
"""Kinds of keys; a seal that names another was made by no version of ours."""
FIX = "Restore the file from a copy; a signed month changes only by an amendment"


def canonical(data: Mapping[str, Any]) -> bytes:
    """A seal or its findings as the bytes of their file."""
    return json_document(data, ascii_only=False)


def seal_hash(data: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over all fields of a seal but its own hash."""
    return sha256_hex(canonical({k: v for k, v in data.items() if k != "seal"}))


@dataclass(frozen=True)
class Seal:
    """One sign-off, as it stands in its file."""

    path: Path
    data: Mapping[str, Any]

    @property
    def hash(self) -> str:
        return str(self.data["seal"])

    @property
    def number(self) -> int:
        """Its place in the chain of all sign-offs, from 1."""
        return int(self.data["number"])

    @property
    def amendment(self) -> int:
        """How often this period was signed before: 0 for its first sign-off."""
        return int(self.data["amendment"])

    @property
    def label(self) -> str:
        return str(self.data["period"]["label"])

    @property
    def reviewer(self) -> str:
        """Whom the seal names as its signer; only a listed key shows that it was this person."""
        return str(self.data["reviewer"])

    @property
    def keys(self) -> Mapping[str, str]:
        """The public keys it was signed with, by kind: ``ed25519``, ``ssh``."""
        return dict(self.data["keys"])

    @property
    def digests(self) -> Mapping[str, str]:
        return dict(self.data["digests"])

    @cached_property
    def period(self) -> Period:
        about = self.data["period"]
        return Period(
            datetime.fromisoformat(about["start"]),
            datetime.fromisoformat(about["end"]),
            about["label"],
            about["timezone"],
        )

    @property
    def findings_path(self) -> Path:
        return self.path.with_suffix(FINDINGS)


def parse_seal(path: Path) -> Seal:
    """Read one seal. Raises IntegrityError when its bytes are not those that were sealed."""
    try:
        raw = read(path)
        data = json.loads(raw)
        whole = isinstance(data, dict) and data.get("format") == FORMAT
        if not whole or canonical(data) != raw or seal_hash(data) != data.get("seal"):
            raise ValueError
        seal = Seal(path, data)
        if min(seal.number - 1, seal.amendment) < 0 or seal.period.end <= seal.period.start:
            raise ValueError
        texts = (seal.data["reviewer"], seal.data["signed_at"], *seal.keys.values())
        if not all(isinstance(one, str) for one in texts) or not seal.keys.keys() <= KINDS:
            raise ValueError
        if datetime.fromisoformat(seal.data["signed_at"]).tzinfo is None:
            raise ValueError
        if not {"findings", "manifest", "record"} <= seal.digests.keys():
            raise ValueError
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", fix=FIX) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise IntegrityError(f"{path}: the bytes are not those that were signed", fix=FIX) from None
    return seal
