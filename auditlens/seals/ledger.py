"""The chain of sign-offs beside the journal, each seal bound to the one before by its hash.

``signed/2026-10.json`` is a seal, ``signed/2026-10.a1.json`` its first amendment, and
``….findings.json`` beside each holds the findings it seals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auditlens.canonical import sha256_hex
from auditlens.errors import AuditLensError, IntegrityError, UsageError
from auditlens.files import names, read
from auditlens.seals.keys import ENDINGS, check_signature
from auditlens.seals.seal import FINDINGS, FIX, Seal, parse_seal

__all__ = ["FOLDER", "Fault", "Ledger", "examine_ledger", "read_ledger", "seal_faults"]

FOLDER = "signed"
"""The folder of the seals, beside the journal."""

MISSING = "is missing"


@dataclass(frozen=True)
class Fault:
    """Something about the sign-offs that is not as it was signed: which file, and what."""

    file: str
    text: str


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
    ledger, faults = examine_ledger(folder)
    if faults:
        place = folder / faults[0].file if faults[0].file else folder
        raise IntegrityError(f"{place}: {faults[0].text}", fix=FIX)
    return ledger


def examine_ledger(folder: Path) -> tuple[Ledger, tuple[Fault, ...]]:
    """Read the chain of sign-offs and everything that is wrong with it."""
    faults: list[Fault] = []
    seals: list[Seal] = []
    try:
        listing = names(folder)
    except IntegrityError as error:
        return Ledger(folder), (Fault("", error.message.removeprefix(f"{folder} ")),)
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
    return Ledger(folder, tuple(seals)), tuple(faults)


def seal_faults(seal: Seal, unchecked: list[str]) -> Iterator[Fault]:
    """What a seal binds beside itself: its findings, and the signatures under it.

    A signature that this installation cannot check is added to ``unchecked``.
    """
    findings, fault = contents(seal.findings_path)
    if fault or sha256_hex(findings or b"") != seal.digests["findings"]:
        text = fault or "the bytes are not those that were signed"
        yield Fault(seal.findings_path.name, text)
    for kind, ending in ENDINGS.items():
        path = seal.path.with_name(f"{seal.path.name}{ending}")
        signature, fault = contents(path)
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


def contents(path: Path) -> tuple[bytes | None, str]:
    """The bytes of a file; or None, and what is wrong with it."""
    try:
        return read(path), ""
    except FileNotFoundError:
        return None, MISSING
    except AuditLensError as error:
        return None, error.message.removeprefix(f"{path} ")
