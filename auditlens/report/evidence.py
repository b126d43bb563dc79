"""Evidence E01 to E18: what this run can show, each present, partial, failed or absent."""

from __future__ import annotations

from auditlens.findings import FOR_THE_RECORD
from auditlens.report.collection import COLLECTION_FILE
from auditlens.report.completeness import gaps_of
from auditlens.report.facts import Facts
from auditlens.report.rule_rows import RAN
from auditlens.report.rulebook import RuleRow
from auditlens.report.sections import Evidence, FieldFill, SignOff
from auditlens.report.wording import capital, count, local

__all__ = ["EVIDENCE_NAMES", "evidence_states"]

EVIDENCE_NAMES = {
    "E01": "Completeness",
    "E02": "Integrity",
    "E03": "Span and retention",
    "E04": "Field sufficiency",
    "E05": "Time basis",
    "E06": "Review operation",
    "E07": "Detection coverage",
    "E08": "Exceptions",
    "E09": "Disposition",
    "E10": "Privileged activity",
    "E11": "Access changes",
    "E12": "Sender behaviour",
    "E13": "Data movement and deletion",
    "E14": "Change population",
    "E15": "Collection failures",
    "E16": "Privacy record",
    "E17": "Provenance",
    "E18": "Use of the audit log itself",
}
State = tuple[str, str]
NOT_READ = "The source does not record who read its audit log."
UNKNOWN_READ = "Whether this source records who read its audit log is not assessed."

POPULATIONS = {
    "E10": (("permission", "admin"), "privileged act"),
    "E11": (("permission", "share"), "access change"),
    "E13": (("export", "share", "delete"), "export, share or deletion"),
    "E14": (("write", "admin"), "change"),
}
PLURALS = {"export, share or deletion": "exports, shares and deletions"}


def evidence_states(
    facts: Facts,
    rules: tuple[RuleRow, ...],
    signed: SignOff,
    fields: tuple[FieldFill, ...],
) -> tuple[Evidence, ...]:
    """The state of each evidence, computed from the run and from nothing else."""
    states: dict[str, State] = {
        "E01": completeness(facts),
        "E02": integrity(facts),
        "E03": span(facts),
        "E04": sufficiency(fields),
        "E05": time_basis(facts),
        "E06": review(signed),
        "E07": detection(facts, rules),
        "E08": (
            "present",
            f"{count(facts.findings.height, 'finding')}, each with both times and its type.",
        ),
        "E09": disposition(facts),
        "E12": behaviour(facts),
        "E15": collection(facts),
        "E16": privacy(facts),
        "E17": ("present", "Versions, digests, seed and command are in the appendix."),
        "E18": ("absent", NOT_READ if facts.recorded.catalog else UNKNOWN_READ),
    }
    states |= {one: population(facts, *what) for one, what in POPULATIONS.items()}
    return tuple(Evidence(one, name, *states[one]) for one, name in EVIDENCE_NAMES.items())


def completeness(facts: Facts) -> State:
    held = facts.coverage
    state = {"complete": "present", "incomplete": "failed"}.get(held.outcome, "partial")
    return state, held.statement


def integrity(facts: Facts) -> State:
    held = facts.coverage
    if held.changed_count:
        return "partial", f"{count(held.changed_count, 'record')} changed between two pulls."
    if not held.head:
        return "partial", "The input has a digest, but no sealed archive stands behind it."
    return "present", "Every record is sealed in a chain of hashes; none changed between pulls."


def span(facts: Facts) -> State:
    held = facts.coverage
    if held.first_at is None or held.last_at is None:
        return "absent", "No event is held."
    words = f"{local(held.first_at, facts.zone)} to {local(held.last_at, facts.zone)}"
    if not held.head:
        return "partial", f"Held from {words}, as an extract and not as an archive."
    return "present", f"Archived from {words}."


def sufficiency(fields: tuple[FieldFill, ...]) -> State:
    """Which of the attributes that auditors ask for the records have."""
    whole = sum(one.state == "present" for one in fields)
    if whole == len(fields):
        return "present", f"All {whole} attributes asked for are in every record."
    lacking = [f"{one.question.lower()}: {one.state}" for one in fields if one.state != "present"]
    said = f"{whole} of {len(fields)} attributes asked for are in every record"
    return "partial", f"{said}; {', '.join(lacking)}."


def time_basis(facts: Facts) -> State:
    future = facts.events.filter(facts.events["created_at"] > facts.run_at).height
    if future:
        return "partial", f"{count(future, 'event')} carry a time after the run."
    return "present", f"Times are kept in UTC and shown in {facts.period.timezone}."


def review(signed: SignOff) -> State:
    if signed.days_late:
        return "failed", f"The review is {count(signed.days_late, 'day')} late."
    if signed.status == "draft":
        return "partial", "The run is recorded; no reviewer has signed."
    return "present", f"The review is {signed.status}."


def detection(facts: Facts, rules: tuple[RuleRow, ...]) -> State:
    if facts.unjudged:
        said = " ".join(capital(one.statement) for one in facts.unjudged)
        return ("failed" if facts.wholly_unjudged else "partial"), said
    failed = sum(rule.health == "failed" for rule in rules)
    ran = sum(rule.health in RAN for rule in rules)
    if not ran:
        return "failed", "No rule ran."
    if failed:
        return "partial", f"{count(ran, 'rule')} ran and {failed:,} could not."
    return "present", f"{count(ran, 'rule')} ran, each with its hash and its count of hits."


def disposition(facts: Facts) -> State:
    asking = facts.findings.filter(facts.findings["level"] != FOR_THE_RECORD)
    total, pending = asking.height, facts.undecided.height
    if not total:
        return "present", "There was nothing to decide."
    said = f"{total - pending:,} of {count(total, 'finding')} decided."
    return ("present" if not pending else "partial"), said


def behaviour(facts: Facts) -> State:
    if not facts.model:
        return "partial", "The model did not run."
    return "present", "Each sender's days were compared with its own past and its peers."


def population(facts: Facts, groups: tuple[str, ...], noun: str) -> State:
    found = facts.events.filter(facts.events["action_group"].is_in(groups)).height
    if not found:
        return "partial", "None was seen; whether the source would record one is not known."
    return "present", f"{count(found, noun, PLURALS.get(noun, ''))} in the period."


def collection(facts: Facts) -> State:
    """Whether a pull that failed or was missed left something behind: a later one may mend it."""
    if not facts.coverage.head:
        return "absent", "The events were read from files; no pull was recorded."
    days = sum((end - start).days + 1 for start, end in gaps_of(facts))
    if days:
        said = f"No pull vouches for {count(days, 'day')} of the period"
        return "partial", f"{said}; {COLLECTION_FILE} lists the pulls."
    return "present", f"Every day is vouched for by a pull; {COLLECTION_FILE} lists the pulls."


def privacy(facts: Facts) -> State:
    said = f"Identity mode {facts.identity}."
    if facts.review.purpose and facts.review.recipients:
        return "present", f"{said} Purpose and recipients are on the cover."
    return "partial", f"{said} Purpose or recipients are not stated."
