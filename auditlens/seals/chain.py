"""The chain of sign-offs beside the journal, each seal bound to the one before by its hash.

A seal is canonical JSON whose field ``seal`` hashes all others. ``signed/2026-10.json`` is one,
``signed/2026-10.a1.json`` its first amendment, and ``….findings.json`` beside each holds the
findings it seals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from auditlens.canonical import json_document, sha256_hex
from auditlens.errors import AuditLensError, IntegrityError, UsageError
from auditlens.files import names, read
from auditlens.period import Period
from auditlens.seals.keys import ENDINGS, check_signature

FORMAT = "auditlens.seal/1"
FINDINGS = ".findings.json"
"""What the name of the file ends in that holds the findings beside a seal."""
KINDS = frozenset({"ed25519", "ssh"})
"""Kinds of keys; a seal that names another was made by no version of ours."""
FIX = "Restore the file from a copy; a signed month changes only by an amendment"
MISSING = "is missing"


def canonical(data: Mapping[str, Any]) -> bytes:
    """A seal or its findings as the bytes of their file.

    Args:
        data: Plain data.

    Returns:
        The form of ``json_document``, in UTF-8 without escapes.
    """
    return json_document(data, ascii_only=False)


def seal_hash(data: Mapping[str, Any]) -> str:
    """The hash that a seal carries of itself.

    Args:
        data: The fields of a seal, with or without its hash.

    Returns:
        SHA-256 (hex) over the canonical form of all fields but ``seal``.
    """
    return sha256_hex(canonical({k: v for k, v in data.items() if k != "seal"}))


@dataclass(frozen=True)
class Seal:
    """One sign-off, as it stands in its file.

    Attributes:
        path: The file, ``signed/2026-10.json``; its findings and signatures stand beside it.
        data: Its fields.
    """

    path: Path
    data: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """The seal's own hash (hex), to which the next sign-off is bound."""
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
        """The period that was signed, as ``2026-10``."""
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
        """SHA-256 (hex) of what was signed: ``findings``, ``manifest`` and ``record``."""
        return dict(self.data["digests"])

    @cached_property
    def period(self) -> Period:
        return msgspec.convert(self.data["period"], Period)

    @property
    def findings_path(self) -> Path:
        """The file beside the seal that holds the findings it seals."""
        return self.path.with_suffix(FINDINGS)


def parse_seal(path: Path) -> Seal:
    """Read one seal.

    Args:
        path: Its file.

    Returns:
        The seal; its place in the chain, its findings and signatures are not checked.

    Raises:
        IntegrityError: The file is missing, or its bytes are not those that were sealed.
    """
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
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError):
        raise IntegrityError(f"{path}: the bytes are not those that were signed", fix=FIX) from None
    return seal


def signed_folder(beside: Path) -> Path:
    """The folder of the seals: ``signed/`` beside a journal or an archive.

    Args:
        beside: The journal's file or the archive's folder.

    Returns:
        Its sibling, absolute where ``beside`` is.
    """
    return beside.parent / "signed"


@dataclass(frozen=True)
class Fault:
    """Something about the sign-offs that is not as it was signed: which file, and what."""

    file: str
    text: str


@dataclass(frozen=True)
class SignOffChain:
    """All sign-offs in a folder.

    Attributes:
        folder: The folder ``signed/``.
        seals: One entry a sign-off, in the order in which they were made.
    """

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


def read_sign_offs(folder: Path) -> SignOffChain:
    """Read and check the chain of sign-offs.

    Args:
        folder: The folder ``signed/``; one that is not there is an empty chain.

    Returns:
        The seals, in the order in which they were made.

    Raises:
        IntegrityError: A seal was edited, removed or put in from elsewhere; the first is named.
    """
    sign_offs, faults = examine_sign_offs(folder)
    if faults:
        place = folder / faults[0].file if faults[0].file else folder
        raise IntegrityError(f"{place}: {faults[0].text}", fix=FIX)
    return sign_offs


def examine_sign_offs(folder: Path) -> tuple[SignOffChain, tuple[Fault, ...]]:
    """Read the chain of sign-offs and everything that is wrong with it.

    Args:
        folder: The folder ``signed/``; one that is not there is an empty chain.

    Returns:
        The seals that could be read, by number, and each fault with the name of its file. Findings
        and signatures are not looked at: :func:`seal_faults` does.
    """
    faults: list[Fault] = []
    seals: list[Seal] = []
    try:
        listing = names(folder)
    except IntegrityError as error:
        return SignOffChain(folder), (Fault("", error.message.removeprefix(f"{folder} ")),)
    for name in listing:
        if name.endswith(".json") and not name.endswith(FINDINGS):
            try:
                seals.append(parse_seal(folder / name))
            except IntegrityError as error:
                text = error.message.removeprefix(str(folder / name)).removeprefix(":").strip()
                faults.append(Fault(name, text))
    seals.sort(key=lambda seal: (seal.number, seal.path.name))
    previous: str | None = ""
    for number, seal in enumerate(seals, 1):
        name = seal.label + (f".a{seal.amendment}" if seal.amendment else "")
        if seal.path.name != f"{name}.json":
            faults.append(Fault(seal.path.name, f"is the sign-off {name}, renamed"))
        if not faults and (seal.number != number or seal.data.get("previous") != previous):
            text = "does not follow the sign-off before it: one is missing or was put in"
            faults.append(Fault(seal.path.name, f"{text} from elsewhere"))
        previous = seal.hash
    return SignOffChain(folder, tuple(seals)), tuple(faults)


def seal_faults(seal: Seal, unchecked: list[str]) -> Iterator[Fault]:
    """Check what a seal binds beside itself: its findings, and the signatures under it.

    Args:
        seal: The sign-off.
        unchecked: Gets a sentence for each signature that this installation cannot check.

    Yields:
        Each fault, with the name of its file.
    """
    findings, fault = bytes_or_fault(seal.findings_path)
    if fault or sha256_hex(findings or b"") != seal.digests["findings"]:
        text = fault or "the bytes are not those that were signed"
        yield Fault(seal.findings_path.name, text)
    for kind, ending in ENDINGS.items():
        path = seal.path.with_name(f"{seal.path.name}{ending}")
        signature, fault = bytes_or_fault(path)
        if kind not in seal.keys:
            if fault != MISSING:
                yield Fault(path.name, f"the seal knows of no {kind} signature")
        elif signature is None:
            yield Fault(path.name, f"the {kind} signature {fault}")
        else:
            try:
                check_signature(kind, seal.keys[kind], read(seal.path), signature, path.name)
            except IntegrityError as error:
                yield Fault(path.name, error.message.removeprefix(f"{path.name}: "))
            except UsageError as error:
                unchecked.append(f"{path.name}: {error}")


def bytes_or_fault(path: Path) -> tuple[bytes | None, str]:
    """The bytes of a file; or None, and what is wrong with it."""
    try:
        return read(path), ""
    except FileNotFoundError:
        return None, MISSING
    except AuditLensError as error:
        return None, error.message.removeprefix(f"{path} ")
