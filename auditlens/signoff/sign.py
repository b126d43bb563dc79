"""Signing a month: read :func:`sign_off` from top to bottom.

The report folder is written first and the seal last, under its final name in one step: a month
is signed when its seal is there, and not a moment before.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auditlens.archive import Archive
from auditlens.audit import Audit
from auditlens.canonical import sha256_hex
from auditlens.errors import UsageError
from auditlens.files import lock, make_folder, put
from auditlens.findings import is_open
from auditlens.report import heads_of
from auditlens.report.folder import MANIFEST, write_folder
from auditlens.seals import FOLDER, Ledger, Seal, parse_seal, read_ledger
from auditlens.seals.keys import ENDINGS, Ed25519Key, SshKey, fingerprint
from auditlens.seals.seal import FORMAT, canonical, seal_hash
from auditlens.signoff.conditions import SIGN_LEVEL, Obstacles, obstacles
from auditlens.signoff.folder import SEAL, open_folder
from auditlens.signoff.making import RECORD, Making, files_of
from auditlens.signoff.record import make_record, period_data
from auditlens.triage import read_journal
from auditlens.triage.signed import findings_bytes

__all__ = ["STATEMENT", "Terms", "sign_off"]

STATEMENT = "I examined the findings and the completeness page and decided each finding."


@dataclass(frozen=True)
class Terms:
    """How a month is signed.

    ``despite`` is why it is signed although findings are open or the log is incomplete,
    ``amend`` why a signed month is signed anew. ``making`` says what the report is like; who
    signed is filled in. ``keys`` sign the seal.
    """

    reviewer: str
    statement: str = STATEMENT
    level: str = SIGN_LEVEL
    despite: str = ""
    amend: str = ""
    making: Making = field(default_factory=Making)
    keys: Sequence[Ed25519Key | SshKey] = ()


def sign_off(audit: Audit, roots: Sequence[Path], out: Path, terms: Terms) -> Seal:
    """Sign the period of ``audit``: report into ``out``, seal beside the journal.

    ``roots`` are where the audit's rules were read. Raises UsageError when something stands
    in the way, the month is signed already, or ``out`` holds a signed report; IntegrityError
    when an earlier sign-off was edited; LockHeld when another one is under way.
    """
    if audit.journal.path is None or not audit.coverage.head:
        raise UsageError(
            "Only a period of an archive can be signed", fix="Pull the log with 'auditlens sync'"
        )
    if audit.period.end > audit.run_at:
        raise UsageError(
            f"{audit.period} is not over before {audit.period.end:%Y-%m-%d %H:%M} UTC",
            fix="Sign it when it is",
        )
    terms = replace(terms, reviewer=terms.reviewer.strip(), statement=terms.statement.strip())
    found = obstacles(audit, terms.reviewer, terms.level)
    refuse(found, terms)
    folder = audit.journal.path.absolute().parent / FOLDER
    make_folder(folder)
    with ExitStack() as stack:
        store = locked(audit, folder, stack)
        stack.enter_context(lock(folder))
        ledger = read_ledger(folder)
        earlier = ledger.of(audit.period.label)
        refuse_again(audit.period.label, earlier, terms)
        refuse_stale(audit)
        clear_unfinished(out, ledger)
        making = replace(
            terms.making,
            reviewer=terms.reviewer,
            statement=terms.statement,
            signed_at=audit.run_at,
            amendment=len(earlier),
            keys=tuple(fingerprint(key.kind, key.public()) for key in terms.keys),
        )
        files = files_of(audit, making, make_record(audit, making, roots))
        findings = findings_bytes(audit.findings)
        sealed = {**files, "findings": findings}
        data = seal_data(audit, terms, found, ledger, sealed)
        seal = publish(out, folder, files, findings, data, terms, lambda: heads_of(audit))
        if store is not None:
            store.cover(audit.run_at)
        return seal


def locked(audit: Audit, folder: Path, stack: ExitStack) -> Archive | None:
    """The archive of ``audit``, its lock held, whose head is to cover the sign-off.

    None when this user may not write to it: then the next sync seals the sign-off. Raises
    IntegrityError when directory or sign-offs are not what its head covers.
    """
    if not isinstance(audit.source, Archive):
        return None
    store = Archive(audit.source.path, signed=folder)
    store.refuse_uncovered("directory", "signed")
    try:
        stack.enter_context(lock(store.path))
    except UsageError:
        return None
    return store


def refuse(found: Obstacles, terms: Terms) -> None:
    if not terms.reviewer or not terms.reviewer.isprintable():
        raise UsageError("A sign-off needs a reviewer", fix="Name one with --reviewer")
    if not terms.statement or not terms.statement.isprintable():
        raise UsageError("The statement is empty or holds control characters",
                         fix="Write one line with --statement")  # fmt: skip
    if found.interest:
        raise UsageError(found.interest, fix="Have somebody else decide them, or sign")
    if found.told and not terms.despite.strip():
        raise UsageError(
            "; ".join(found.told),
            fix="Decide them with 'auditlens triage', or sign --despite \"reason\"",
        )


def refuse_again(label: str, earlier: tuple[Seal, ...], terms: Terms) -> None:
    if earlier and not terms.amend.strip():
        last = earlier[-1].data
        raise UsageError(
            f"{label} was signed by {last['reviewer']} at {last['signed_at']}",
            fix='A signed month changes only by an amendment: --amend "reason"',
        )
    if terms.amend.strip() and not earlier:
        raise UsageError(f"{label} was not signed yet", fix="Sign it without --amend")


def refuse_stale(audit: Audit) -> None:
    """Refuse to sign an audit whose journal somebody has added to since."""
    path = audit.journal.path
    if path is not None and read_journal(path).text != audit.journal.text:
        raise UsageError(
            f"{path} changed while the month was checked", fix="Run it again to sign what it says"
        )


def clear_unfinished(out: Path, ledger: Ledger) -> None:
    """Refuse a folder with a signed report; what a killed sign-off left there is taken away."""
    if not (out / SEAL).exists():
        return
    if parse_seal(out / SEAL).hash in {seal.hash for seal in ledger.seals}:
        raise UsageError(
            f"{out} holds a signed report, which is never overwritten", fix="Name a new folder"
        )
    folder, wrong = open_folder(out)
    if folder is None or wrong:
        raise UsageError(f"{out} holds what is left of another report", fix="Name a new folder")
    shutil.rmtree(out)


def seal_data(
    audit: Audit, terms: Terms, found: Obstacles, ledger: Ledger, files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The seal: who, what, when, and the hash of everything it rests on."""
    findings = audit.findings
    earlier = ledger.of(audit.period.label)
    data: dict[str, Any] = {
        "format": FORMAT,
        "number": len(ledger.seals) + 1,
        "previous": ledger.head,
        "period": period_data(audit.period),
        "amendment": len(earlier),
        "amends": earlier[-1].hash if earlier else "",
        "amended_because": terms.amend.strip(),
        "reviewer": terms.reviewer,
        "statement": terms.statement,
        "signed_at": audit.run_at.isoformat(),
        "despite": {"reason": terms.despite.strip() if found.told else "", "told": found.told},
        "digests": {
            "archive_head": audit.coverage.head,
            "input": audit.coverage.input_digest,
            "rules": audit.rules.digest,
            "settings": audit.provenance["settings_digest"],
            "journal": audit.journal.digest,
            "findings": sha256_hex(files["findings"]),
            "record": sha256_hex(files[RECORD]),
            "manifest": sha256_hex(files[MANIFEST]),
        },
        "counts": {
            "findings": findings.height,
            "open": findings.filter(is_open()).height,
            "hidden": findings["exception_id"].count(),
            "levels": dict(sorted(Counter(findings["level"]).items())),
        },
        "coverage": audit.coverage.outcome,
        "events": audit.events.height,
        "rules": {rule.id: rule.digest for rule in audit.rules.rules},
        "keys": {key.kind: key.public() for key in terms.keys},
    }
    return {**data, "seal": seal_hash(data)}


def publish(
    out: Path, folder: Path, files: Mapping[str, bytes], findings: bytes, data: dict[str, Any],
    terms: Terms, heads: Callable[[], frozenset[str]],
) -> Seal:  # fmt: skip
    """Put report, findings and signatures in their places, and the seal last of all."""
    label, number = data["period"]["label"], data["amendment"]
    name = f"{label}.a{number}" if number else label
    raw = canonical(data)
    signatures = {ENDINGS[key.kind]: key.sign(raw) for key in terms.keys}
    beside = {f"{SEAL}{ending}": signed for ending, signed in signatures.items()}
    write_folder(out, {**files, SEAL: raw, **beside}, heads=heads)
    put(folder / f"{name}.findings.json", findings)
    for ending, signed in signatures.items():
        put(folder / f"{name}.json{ending}", signed)
    put(folder / f"{name}.json", raw, exclusive=True)
    return parse_seal(folder / f"{name}.json")
