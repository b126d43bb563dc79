"""Control coverage: frameworks as data, statuses computed from the evidence.

A framework is a YAML file in ``reports/frameworks``: clause ids, our own words, evidence ids.
The six statuses say what the evidence shows; none of them says "compliant".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from auditlens.errors import DocumentErrors, UsageError
from auditlens.events import RECORDED_FIELDS
from auditlens.report.completeness import EVIDENCE_NAMES
from auditlens.report.inputs import ReportInputs, SourceCapabilities
from auditlens.report.model import Clause, Evidence, FindingRow, Framework
from auditlens.resources import reports_folder
from auditlens.yaml_documents import Document, read_documents

STATUSES = (
    "supported",
    "supported with exceptions",
    "gap",
    "partly assessable",
    "not assessable from this log",
    "not assessed",
)
NOT_ASSESSED = STATUSES[5]
"""No rule looked at the events, or at some of them, on whose judgement the clause rests."""
IN_ORDER = (STATUSES[2], STATUSES[1], *STATUSES[5:], STATUSES[3], STATUSES[4], STATUSES[0])
"""The statuses as a table has them: what asks for a person first."""
JUDGED = frozenset({"E07", "E08", "E09", "E10", "E11", "E13", "E14"})
"""The evidence that means something only where rules looked at the events."""
CLAUSE_KEYS = {"id", "words", "evidence", "days", "limit", "ceiling", "unless"}
PACK_KEYS = {"id", "name", "note", "aliases", "clauses"}


@dataclass(frozen=True)
class ClauseRule:
    """One clause as its file has it.

    Attributes:
        clause: Its number in the framework.
        words: Our words for it.
        evidence: Ids of the evidence it rests on.
        days: How many days of log the clause wants held; None: it says nothing of them.
        limit: Why ``ceiling`` is what it is; may be empty.
        ceiling: The best of STATUSES that a log of this kind can ever support.
        unless: The attribute (outcome or address) with which limit and ceiling fall away where the
            source records it; empty: they always hold.
    """

    clause: str
    words: str
    evidence: tuple[str, ...]
    days: int | None
    limit: str
    ceiling: str
    unless: str = ""


@dataclass(frozen=True)
class Pack:
    """One framework file. ``aliases`` are prefixes by which rules name its clauses."""

    framework: str
    name: str
    note: str
    aliases: tuple[str, ...]
    clauses: tuple[ClauseRule, ...]


def folder() -> Path:
    return reports_folder() / "frameworks"


def pack_names() -> tuple[str, ...]:
    """The ids of every shipped framework.

    Returns:
        Ids, sorted.
    """
    return tuple(sorted(path.stem for path in folder().glob("*.yml")))


def load_pack(name: str) -> Pack:
    """Read one framework file.

    Args:
        name: One of :func:`pack_names`.

    Returns:
        The framework and its clauses.

    Raises:
        UsageError: No framework has this id.
        DocumentErrors: Every fault of its file.
    """
    path = folder() / f"{name}.yml"
    if name not in pack_names():
        raise UsageError(
            f"No framework is called {name!r}", fix=f"Use any of {', '.join(pack_names())}"
        )
    document = read_documents(path)[0]
    data: dict[str, Any] = document.data
    faults = [
        document.error(f"unknown key {key!r}", key) for key in sorted(data.keys() - PACK_KEYS)
    ]
    clauses = []
    for index, entry in enumerate(data.get("clauses", [])):
        faults += clause_faults(document, index, entry)
        clauses.append(entry)
    if faults:
        raise DocumentErrors(faults)
    return Pack(
        framework=data["id"],
        name=data["name"],
        note=" ".join(data.get("note", "").split()),
        aliases=tuple(sorted({one.casefold() for one in (data["id"], *data.get("aliases", ()))})),
        clauses=tuple(clause_rule(entry) for entry in clauses),
    )


def clause_faults(document: Document, index: int, entry: dict[str, Any]) -> list[Any]:
    where = ("clauses", index)
    faults = [
        document.error(f"unknown key {key!r}", *where, key)
        for key in sorted(entry.keys() - CLAUSE_KEYS)
    ]
    faults += [
        document.error(f"'{key}' is missing", *where)
        for key in ("id", "words", "evidence")
        if key not in entry
    ]
    faults += [
        document.error(f"unknown evidence {one!r}", *where, "evidence")
        for one in entry.get("evidence", [])
        if one not in EVIDENCE_NAMES
    ]
    if entry.get("ceiling", STATUSES[0]) not in STATUSES:
        faults.append(document.error(f"unknown status {entry['ceiling']!r}", *where, "ceiling"))
    if entry.get("unless", "outcome") not in RECORDED_FIELDS:
        faults.append(document.error(f"unknown attribute {entry['unless']!r}", *where, "unless"))
    return faults


def clause_rule(entry: dict[str, Any]) -> ClauseRule:
    return ClauseRule(
        clause=str(entry["id"]),
        words=" ".join(entry["words"].split()),
        evidence=tuple(entry["evidence"]),
        days=entry.get("days"),
        limit=" ".join(entry.get("limit", "").split()),
        ceiling=entry.get("ceiling", STATUSES[0]),
        unless=entry.get("unless", ""),
    )


def framework_tables(
    inputs: ReportInputs, evidence: tuple[Evidence, ...], rows: tuple[FindingRow, ...]
) -> tuple[Framework, ...]:
    """One table a chosen framework, in the order chosen."""
    states = {one.evidence_id: one.state for one in evidence}
    pending = set(inputs.undecided["finding_id"].to_list())
    open_controls = Counter(
        control.casefold().replace(":a.", ":")  # Annex A, written with and without its letter
        for row in rows
        if row.finding_id in pending
        for control in row.controls
    )
    held = days_held(inputs)
    return tuple(
        framework_table(
            for_source(load_pack(name), inputs.capabilities),
            states,
            open_controls,
            held,
            len(pending),
            judged=not inputs.unjudged,
        )
        for name in inputs.frameworks
    )


def for_source(pack: Pack, source: SourceCapabilities) -> Pack:
    """The pack with the limits that this source has."""

    def limited(rule: ClauseRule) -> ClauseRule:
        if rule.unless in source.shares:
            return replace(rule, limit="", ceiling=STATUSES[0])
        if rule.unless and not source.known:
            return replace(rule, limit=f"Whether it records an {rule.unless} is not assessed.")
        return rule

    return replace(pack, clauses=tuple(map(limited, pack.clauses)))


def days_held(inputs: ReportInputs) -> int:
    first, last = inputs.coverage.first_at, inputs.coverage.last_at
    if first is None or last is None:
        return 0
    days: tuple[date, date] = (first.date(), last.date())
    return (days[1] - days[0]).days + 1


def framework_table(
    pack: Pack, states: dict[str, str], open_controls: Counter[str], held: int, pending: int,
    *, judged: bool = True,
) -> Framework:  # fmt: skip
    clauses = []
    for rule in pack.clauses:
        open_here = sum(open_controls[f"{one}:{rule.clause}".casefold()] for one in pack.aliases)
        if "E08" in rule.evidence:
            open_here = max(open_here, pending)
        status = clause_status(rule, [states[one] for one in rule.evidence], open_here, held)
        if not judged and status != STATUSES[4] and JUDGED.intersection(rule.evidence):
            status = NOT_ASSESSED
        because = decided_by(rule, states, status)
        clauses.append(
            Clause(rule.clause, rule.words, status, rule.evidence, because, open_here, rule.limit)
        )
    counted = Counter(clause.status for clause in clauses)
    return Framework(
        framework=pack.framework,
        name=pack.name,
        note=pack.note,
        counts=tuple((status, counted[status]) for status in IN_ORDER),
        clauses=tuple(clauses),
    )


def clause_status(rule: ClauseRule, states: list[str], open_here: int, held: int) -> str:
    """The status of a clause whose events were judged; the weakest evidence decides.

    Args:
        rule: The clause.
        states: State of each evidence it rests on, such as ``partial``, ``absent`` or ``failed``.
        open_here: Open findings about the clause.
        held: Days from the first event held to the last.

    Returns:
        One of STATUSES.
    """
    supported, excepted, gap, partly, blind, _ = STATUSES
    if rule.ceiling == blind or not states or all(state == "absent" for state in states):
        return blind
    if "failed" in states or (rule.days is not None and held < rule.days):
        return gap
    if "partial" in states or "absent" in states or rule.ceiling == partly:
        return partly
    return excepted if open_here else supported


def decided_by(rule: ClauseRule, states: dict[str, str], status: str) -> tuple[str, ...]:
    """The evidence that keeps a clause from being supported.

    Args:
        rule: The clause.
        states: State of each evidence by its id.
        status: The clause's status, one of STATUSES.

    Returns:
        Ids of evidence in the order of the clause; none where the clause is supported, with
        exceptions or without, or the log itself keeps it from that.
    """
    supported, excepted, gap, _, blind, _ = STATUSES
    if status == NOT_ASSESSED:
        return tuple(one for one in rule.evidence if one in JUDGED)
    if status in (supported, excepted):
        return ()
    weak = {gap: ("failed",), blind: ("absent",)}.get(status, ("partial", "absent"))
    found = tuple(one for one in rule.evidence if states[one] in weak)
    return found or (rule.evidence if status == gap else ())
