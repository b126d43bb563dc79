"""Signing a month: read :func:`sign_off` from top to bottom.

The report folder is written first and the seal last, under its final name in one step: a month
is signed when its seal is there, and not a moment before. Cases to decide and a log known to be
incomplete stand in the way unless a reason is given, which is recorded; nobody may sign over an
open finding about themselves.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.archive import Archive
from auditlens.audit import Audit
from auditlens.canonical import sha256_hex
from auditlens.cases import is_to_decide
from auditlens.errors import UsageError
from auditlens.files import lock, make_folder, put
from auditlens.findings import is_excepted, is_open, levels_from
from auditlens.report import MANIFEST, STATEMENTS, archive_heads, write_folder
from auditlens.review.folder import SEAL, open_folder
from auditlens.review.record import (
    RECORD,
    ReportOptions,
    json_data,
    make_record,
    note_shown,
    report_files,
)
from auditlens.seals import (
    ENDINGS,
    FORMAT,
    Ed25519Key,
    Seal,
    SignOffChain,
    SshKey,
    canonical,
    fingerprint,
    folded,
    name_and_address,
    parse_seal,
    read_sign_offs,
    seal_hash,
    signed_folder,
)
from auditlens.text import count
from auditlens.triage import findings_bytes, read_journal

SIGN_LEVEL = "medium"
"""Cases of this level and above must be decided before a month is signed."""

NAMED = 5
STATEMENT = STATEMENTS["reviewer"]


@dataclass(frozen=True)
class Obstacles:
    """Why a month cannot be signed as it is: ``open`` case ids, and sentences.

    ``incomplete`` is empty or says what the log lacks; ``interest`` is empty or says which
    findings are about the reviewer.
    """

    open: tuple[str, ...]
    level: str
    incomplete: str
    interest: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """What may be signed over, as sentences."""
        found = []
        if self.open:
            shown = ", ".join(self.open[:NAMED])
            more = f" and {len(self.open) - NAMED} more" if len(self.open) > NAMED else ""
            number = count(len(self.open), "case")
            found.append(f"{number} to decide at {self.level} or above: {shown}{more}")
        if self.incomplete:
            found.append(f"coverage is incomplete: {self.incomplete}")
        return tuple(found)


def obstacles(audit: Audit, reviewer: str, level: str = SIGN_LEVEL) -> Obstacles:
    """What stands between ``reviewer`` and a signature under this audit.

    A decision that somebody made about their own act is no decision: the finding is open, and its
    case to decide.
    """
    own = self_decided(audit)
    waiting = is_open() | (pl.col("finding_id").is_in(own) & ~is_excepted())
    undecided = audit.findings.filter(waiting)
    about = [
        row["finding_id"]
        for row in undecided.iter_rows(named=True)
        if row["subject_kind"] == "sender" and is_named(reviewer, subject_names(audit, row))
    ]
    lacking = audit.coverage.outcome == "incomplete"
    again = audit.findings.filter(pl.col("finding_id").is_in(own) & ~is_excepted())["case_id"]
    asked = audit.cases.filter(
        pl.col("level").is_in(levels_from(level)),
        is_to_decide() | (pl.col("decide") & pl.col("case_id").is_in(again.to_list())),
    )
    return Obstacles(
        open=tuple(asked["case_id"]),
        level=level,
        incomplete=audit.coverage.statement if lacking else "",
        interest=f"{reviewer} is the subject of {', '.join(about)}, which nobody else decided"
        if about
        else "",
    )


def self_decided(audit: Audit) -> list[str]:
    """Findings whose decision that counts was made by the very person they are about."""
    found = []
    for row in audit.findings.iter_rows(named=True):
        decision = audit.journal.latest.get(row["finding_id"])
        if decision is None or row["subject_kind"] != "sender":
            continue
        if is_named(decision.reviewer, subject_names(audit, row)):
            found.append(row["finding_id"])
    return found


def subject_names(audit: Audit, finding: dict[str, str | None]) -> set[str]:
    """Every name, address and id under which the subject of a finding appears in the log."""
    seen = audit.events.filter(pl.col("sender_id") == finding["subject_id"])
    texts = [finding["subject_id"], finding["subject_label"]]
    for column in ("sender_email", "sender_name"):
        texts += seen[column].unique().to_list()
    return {folded(text) for text in texts if text and folded(text)}


def is_named(written: str, names: set[str]) -> bool:
    """Whether a written name, ``Name <address>``, names the same person, whatever its case."""
    return any(part in names for part in (folded(written), *name_and_address(written)) if part)


@dataclass(frozen=True)
class SignOffOptions:
    """How a month is signed.

    Attributes:
        reviewer: Who signs, ``Name <address>``.
        statement: What the reviewer declares.
        level: Cases of this level and above must be decided.
        despite: Why it is signed although cases are to be decided or the log is incomplete.
        amend: Why a signed month is signed anew.
        report: What the report is like; who signed is filled in.
        keys: The keys that sign the seal.
    """

    reviewer: str
    statement: str = STATEMENT
    level: str = SIGN_LEVEL
    despite: str = ""
    amend: str = ""
    report: ReportOptions = field(default_factory=ReportOptions)
    keys: Sequence[Ed25519Key | SshKey] = ()


def sign_off(audit: Audit, roots: Sequence[Path], out: Path, options: SignOffOptions) -> Seal:
    """Sign the period of ``audit``: report into ``out``, seal beside the journal.

    Args:
        audit: A run over a whole period of an archive, with its journal.
        roots: Where the audit's rules were read.
        out: The folder of the report; absent, empty, or what a killed sign-off left.
        options: Who signs, what is said, and what the report is like.

    Returns:
        The seal, as it stands in its file.

    Raises:
        UsageError: Something stands in the way, the month is signed already, or ``out`` holds
            a signed report.
        IntegrityError: An earlier sign-off was edited.
        LockHeld: Another sign-off is under way.
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
    options = replace(
        options, reviewer=options.reviewer.strip(), statement=options.statement.strip()
    )
    found = obstacles(audit, options.reviewer, options.level)
    refuse_obstacles(found, options)
    folder = signed_folder(audit.journal.path.absolute())
    make_folder(folder)
    with ExitStack() as stack:
        store = locked(audit, folder, stack)
        stack.enter_context(lock(folder))
        sign_offs = read_sign_offs(folder)
        earlier = sign_offs.of(audit.period.label)
        refuse_again(audit.period.label, earlier, options)
        refuse_stale(audit)
        clear_unfinished(out, sign_offs)
        report = replace(
            options.report,
            reviewer=options.reviewer,
            statement=options.statement,
            signed_at=audit.run_at,
            amendment=len(earlier),
            keys=tuple(fingerprint(key.kind, key.public()) for key in options.keys),
        )
        files = report_files(audit, report, make_record(audit, report, roots))
        findings = findings_bytes(audit.findings)
        sealed = {**files, "findings": findings}
        data = seal_data(audit, options, found, sign_offs, sealed)
        seal = publish(out, folder, files, findings, data, options, lambda: archive_heads(audit))
        if store is not None:
            store.cover(audit.run_at)
        note_shown(audit)
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


def refuse_obstacles(found: Obstacles, options: SignOffOptions) -> None:
    if not options.reviewer or not options.reviewer.isprintable():
        raise UsageError("A sign-off needs a reviewer", fix="Name one with --reviewer")
    if not options.statement or not options.statement.isprintable():
        raise UsageError("The statement is empty or holds control characters",
                         fix="Write one line with --statement")  # fmt: skip
    if found.interest:
        raise UsageError(found.interest, fix="Have somebody else decide them, or sign")
    if found.sentences and not options.despite.strip():
        raise UsageError(
            "; ".join(found.sentences),
            fix="Decide them with 'auditlens triage', or sign --despite \"reason\"",
        )


def refuse_again(label: str, earlier: tuple[Seal, ...], options: SignOffOptions) -> None:
    if earlier and not options.amend.strip():
        last = earlier[-1].data
        raise UsageError(
            f"{label} was signed by {last['reviewer']} at {last['signed_at']}",
            fix='A signed month changes only by an amendment: --amend "reason"',
        )
    if options.amend.strip() and not earlier:
        raise UsageError(f"{label} was not signed yet", fix="Sign it without --amend")


def refuse_stale(audit: Audit) -> None:
    """Refuse to sign an audit whose journal somebody has added to since."""
    path = audit.journal.path
    if path is not None and read_journal(path).text != audit.journal.text:
        raise UsageError(
            f"{path} changed while the month was checked", fix="Run it again to sign what it says"
        )


def clear_unfinished(out: Path, sign_offs: SignOffChain) -> None:
    """Refuse a folder with a signed report; what a killed sign-off left there is taken away."""
    if not (out / SEAL).exists():
        return
    if parse_seal(out / SEAL).hash in {seal.hash for seal in sign_offs.seals}:
        raise UsageError(
            f"{out} holds a signed report, which is never overwritten", fix="Name a new folder"
        )
    folder, wrong = open_folder(out)
    if folder is None or wrong:
        raise UsageError(f"{out} holds what is left of another report", fix="Name a new folder")
    shutil.rmtree(out)


def seal_data(
    audit: Audit,
    options: SignOffOptions,
    found: Obstacles,
    sign_offs: SignOffChain,
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """The seal: who, what, when, and the hash of everything it rests on."""
    findings = audit.findings
    earlier = sign_offs.of(audit.period.label)
    data: dict[str, Any] = {
        "format": FORMAT,
        "number": len(sign_offs.seals) + 1,
        "previous": sign_offs.head,
        "period": json_data(audit.period),
        "amendment": len(earlier),
        "amends": earlier[-1].hash if earlier else "",
        "amended_because": options.amend.strip(),
        "reviewer": options.reviewer,
        "statement": options.statement,
        "signed_at": audit.run_at.isoformat(),
        "despite": {
            "reason": options.despite.strip() if found.sentences else "",
            "told": found.sentences,
        },
        "digests": {
            "archive_head": audit.coverage.head,
            "input": audit.coverage.input_digest,
            "rules": audit.rules.digest,
            "settings": audit.provenance["settings_digest"],
            "journal": audit.journal.digest,
            "cases": audit.ledger.digest,
            "findings": sha256_hex(files["findings"]),
            "record": sha256_hex(files[RECORD]),
            "manifest": sha256_hex(files[MANIFEST]),
        },
        "counts": {
            "findings": findings.height,
            "open": findings.filter(is_open()).height,
            "hidden": findings["exception_id"].count(),
            "levels": dict(sorted(Counter(findings["level"]).items())),
            "cases": case_counts(audit.cases),
        },
        "coverage": audit.coverage.outcome,
        "events": audit.events.height,
        "rules": {rule.id: rule.digest for rule in audit.rules.rules},
        "keys": {key.kind: key.public() for key in options.keys},
    }
    return {**data, "seal": seal_hash(data)}


def case_counts(cases: pl.DataFrame) -> dict[str, int]:
    """All cases, those to decide, those decided, and those that ask for no decision."""
    return {
        "total": cases.height,
        "to_decide": cases.filter(is_to_decide()).height,
        "decided": cases.filter(pl.col("decide"), pl.col("state") == "decided").height,
        "observations": cases.filter(~pl.col("decide"), pl.col("state") != "excepted").height,
    }


def publish(
    out: Path, folder: Path, files: Mapping[str, bytes], findings: bytes, data: dict[str, Any],
    options: SignOffOptions, heads: Callable[[], frozenset[str]],
) -> Seal:  # fmt: skip
    """Put report, findings and signatures in their places, and the seal last of all."""
    label, number = data["period"]["label"], data["amendment"]
    name = f"{label}.a{number}" if number else label
    raw = canonical(data)
    signatures = {ENDINGS[key.kind]: key.sign(raw) for key in options.keys}
    beside = {f"{SEAL}{ending}": signed for ending, signed in signatures.items()}
    write_folder(out, {**files, SEAL: raw, **beside}, heads=heads)
    put(folder / f"{name}.findings.json", findings)
    for ending, signed in signatures.items():
        put(folder / f"{name}.json{ending}", signed)
    put(folder / f"{name}.json", raw, exclusive=True)
    return parse_seal(folder / f"{name}.json")
