"""Seals: the signed months beside the journal, each bound to the one before by its hash.

``signed/2026-10.json`` is a seal, ``signed/2026-10.a1.json`` its first amendment, and
``….findings.json`` beside each holds the findings it seals. A seal is canonical JSON whose field
``seal`` is the SHA-256 of all its other fields; no other bytes are accepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.canonical import json_document, sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import read
from auditlens.findings import FINDING_SCHEMA
from auditlens.period import Period
from auditlens.triage.change import MONTH_SCHEMA, SealedMonth

__all__ = [
    "FOLDER",
    "Ledger",
    "Seal",
    "canonical",
    "findings_bytes",
    "months_before",
    "parse_seal",
    "read_ledger",
    "seal_hash",
]

FOLDER = "signed"
FORMAT = "auditlens.seal/1"
FINDINGS = ".findings.json"
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
        if not {"findings", "manifest", "record"} <= seal.digests.keys():
            raise ValueError
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", fix=FIX) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise IntegrityError(f"{path}: the bytes are not those that were signed", fix=FIX) from None
    return seal


@dataclass(frozen=True)
class Ledger:
    """All sign-offs in a folder, in the order in which they were made."""

    folder: Path
    seals: tuple[Seal, ...] = ()

    @property
    def head(self) -> str:
        """Hash of the last seal; empty when nothing was signed."""
        return self.seals[-1].hash if self.seals else ""

    def of(self, label: str) -> tuple[Seal, ...]:
        """The sign-off of a period and its amendments."""
        return tuple(seal for seal in self.seals if seal.label == label)

    @property
    def standing(self) -> tuple[Seal, ...]:
        """The last word on each period, by its end."""
        last = {seal.label: seal for seal in self.seals}
        return tuple(sorted(last.values(), key=lambda seal: (seal.period.end, seal.label)))


def read_ledger(folder: Path) -> Ledger:
    """Read and check the chain of sign-offs; no folder is an empty one.

    Raises IntegrityError at the first seal that was edited, removed or put in from elsewhere.
    """
    if not folder.is_dir():
        return Ledger(folder)
    paths = [path for path in folder.glob("*.json") if not path.name.endswith(FINDINGS)]
    seals = sorted((parse_seal(path) for path in sorted(paths)), key=lambda seal: seal.number)
    previous = ""
    for number, seal in enumerate(seals, 1):
        if seal.number != number or seal.data.get("previous") != previous:
            raise IntegrityError(
                f"{seal.path}: does not follow the sign-off before it: one is missing or was "
                "put in from elsewhere",
                fix="Restore the folder from a copy",
            )
        name = seal.label + (f".a{seal.amendment}" if seal.amendment else "")
        if seal.path.name != f"{name}.json":
            raise IntegrityError(f"{seal.path}: is the sign-off {name}, renamed", fix=FIX)
        previous = seal.hash
    return Ledger(folder, tuple(seals))


def findings_bytes(findings: pl.DataFrame) -> bytes:
    """Findings as they are sealed: every field of every finding, in order."""
    return canonical({"findings": findings_rows(findings)})


def findings_rows(findings: pl.DataFrame) -> list[dict[str, Any]]:
    moments = [name for name, dtype in findings.schema.items() if dtype.is_temporal()]
    as_text = pl.col(moments).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return findings.with_columns(as_text).to_dicts()


def sealed_findings(seal: Seal) -> pl.DataFrame:
    """The findings a seal binds (FINDING_SCHEMA). Raises IntegrityError when they changed."""
    path = seal.findings_path
    try:
        raw = read(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", fix=FIX) from None
    if sha256_hex(raw) != seal.digests["findings"]:
        raise IntegrityError(f"{path}: the bytes are not those that were signed", fix=FIX)
    plain = {
        name: pl.String() if dtype.is_temporal() else dtype
        for name, dtype in FINDING_SCHEMA.items()
    }
    moments = [name for name, dtype in FINDING_SCHEMA.items() if dtype.is_temporal()]
    frame = pl.DataFrame(json.loads(raw)["findings"], schema=plain)
    as_times = pl.col(moments).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_zone="UTC")
    return frame.with_columns(as_times)


def month_of(seal: Seal) -> SealedMonth:
    found = sealed_findings(seal).select(list(MONTH_SCHEMA))
    period = seal.period
    return SealedMonth(
        label=seal.label,
        start=period.start,
        end=period.end,
        seal=seal.hash,
        findings=found,
        events=int(seal.data["events"]),
        rules=dict(seal.data["rules"]),
    )


def months_before(ledger: Ledger, period: Period) -> tuple[SealedMonth, ...]:
    """What was signed of the periods that ended before this one began, oldest first."""
    return tuple(month_of(seal) for seal in ledger.standing if seal.period.end <= period.start)
