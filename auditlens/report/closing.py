"""The last sections: method and limits, exceptions, sign-off, how to do it all again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditlens.report.facts import Facts
from auditlens.report.sections import Appendix, ExceptionRow, Method, SignOff, SignOffLine
from auditlens.report.wording import count

__all__ = ["appendix", "exceptions", "method", "sign_off"]

BLIND = {
    "outcome": "The source records no outcome: an attempt that failed looks like one that worked.",
    "address": (
        "The source records no address, device or session: where an act came from cannot be told."
    ),
}
OTHER_SOURCE = (
    "Outcome, address and device are not assessed, whether or not this source records them.",
)
LIMITS = (
    "A log shows that a control operated. It does not show design, approval or intent.",
    "How far back the source keeps its log is not known; what was never pulled is not here.",
    "One bulk act may be recorded once or once a resource: counts of acts are a lower bound.",
    "Rank and percentile say how unusual a day is among the days compared, not how likely harm is.",
    "A sender or resource without a history has no baseline; peers stand in for it.",
)
INTERNAL = ("usual_leaps",)
"""Settings that a run works out anew and that say nothing to a reader."""
LISTED = 3
"""Up to how many members of a list the model's settings spell out."""

ROLES = ("preparer", "reviewer", "approver")
STATEMENTS = {
    "preparer": "Drawn up by the tool from the inputs named in the appendix.",
    "reviewer": "I examined the findings and the completeness page and decided each finding.",
    "approver": "I accept the review and the exceptions it lists.",
}
GLOSSARY = (
    ("sender", "Who acted: a person, a key's owner, the system, an automation."),
    ("finding", "What a rule or the model flagged: one episode, with its reasons and events."),
    ("rule", "A written condition over events; every rule is listed, hit or not."),
    ("baseline", "What is usual for a sender or resource, or for its peers."),
    ("exception", "A finding accepted until a date; it stays listed."),
    ("disposition", "What a reviewer decided about a finding."),
    ("coverage", "What was pulled, what is missing, and how that is known."),
)


def method(facts: Facts) -> Method:
    """How the model was fitted, and what the log cannot show."""
    settings = tuple(
        row
        for key, value in sorted(facts.model.items())
        if key != "notes"
        for row in model_rows(key.replace("_", " "), value)
    )
    notes = facts.model.get("notes", ())
    return Method(
        model=settings,
        notes=tuple(str(note) for note in notes) if isinstance(notes, list | tuple) else (),
        limits=(*blind_spots(facts), *LIMITS),
    )


def blind_spots(facts: Facts) -> tuple[str, ...]:
    """What this source is known not to record, or that nobody looked."""
    if not facts.recorded.known:
        return OTHER_SOURCE
    return tuple(said for one, said in BLIND.items() if one not in facts.recorded.shares)


def model_rows(key: str, value: Any) -> list[tuple[str, str]]:
    """One line of settings, or one a model where the value holds several."""
    if isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()):
        return [(name, settings_of(one)) for name, one in sorted(value.items())]
    return [(key, in_words(value))]


def settings_of(model: Mapping[str, Any]) -> str:
    """Every setting of one model that has a value."""
    held = {
        key: one
        for key, one in sorted(model.items())
        if key not in INTERNAL and not isinstance(one, bool) and one not in ({}, [], (), "", None)
    }
    return ", ".join(f"{key.replace('_', ' ')} {in_words(one)}" for key, one in held.items())


def in_words(value: Any) -> str:
    """One setting of the model as text."""
    if isinstance(value, list | tuple):
        return members_of([in_words(one) for one in value])
    if isinstance(value, dict):
        return members_of([f"{key} {in_words(one)}" for key, one in sorted(value.items())])
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def members_of(members: list[str]) -> str:
    """The members of a small collection, or how many a large one has."""
    return f"{len(members):,}" if len(members) > LISTED else ", ".join(members) or "none"


def exceptions(facts: Facts) -> tuple[ExceptionRow, ...]:
    """Every exception with how many findings it hid, soonest to end first."""
    hidden = dict(
        facts.findings.drop_nulls("exception_id").group_by("exception_id").len().iter_rows()
    )
    rows = (
        ExceptionRow(
            exception_id=one.exception_id,
            scope=one.scope,
            reason=one.reason,
            owner=one.owner,
            approver=one.approver,
            until=one.until,
            hid=one.hid or hidden.get(one.exception_id, 0),
            state=one.state,
        )
        for one in facts.review.exceptions
    )
    return tuple(sorted(rows, key=lambda row: (str(row.until or "9999"), row.exception_id)))


def sign_off(facts: Facts) -> SignOff:
    """The signatures; a role nobody has taken is an empty line to sign on paper."""
    review = facts.review
    signed = {entry.role: entry for entry in review.signatures}
    lines = []
    for role in ROLES:
        entry = signed.get(role)
        name = entry.name if entry else ("AuditLens" if role == "preparer" else "")
        at = entry.signed_at if entry else (facts.run_at if role == "preparer" else None)
        said = (entry.statement if entry else "") or STATEMENTS[role]
        lines.append(SignOffLine(role, name, at, said, entry.keys if entry else ()))
    late = None
    if review.due is not None:
        done = signed["reviewer"].signed_at if "reviewer" in signed else None
        late = max(((done or facts.run_at).date() - review.due).days, 0)
    return SignOff(review.status, tuple(lines), conflict(facts), review.due, late)


def conflict(facts: Facts) -> str:
    """A sentence when the reviewer is the subject of an undecided finding."""
    names = {entry.name for entry in facts.review.signatures if entry.role == "reviewer"}
    subjects = facts.undecided.select("subject_id", "subject_label").iter_rows()
    about = sum(bool(names & set(row)) for row in subjects)
    return f"The reviewer is the subject of {count(about, 'undecided finding')}." if about else ""


def appendix(facts: Facts, hashes: Mapping[str, str]) -> Appendix:
    """The command that does it again, every version and digest, and the words used."""
    period = facts.period
    source = "--archive ARCHIVE" if facts.coverage.head else "FILE"
    seed = facts.model.get("seed")
    command = (
        f"auditlens report {source} --period {period.label} --timezone {period.timezone}"
        f"{f' --seed {seed}' if seed else ''} --out OUT"
    )
    statement = "The same archive, rules, settings and versions give these findings to the byte."
    return Appendix(
        command=command,
        statement=statement,
        provenance=facts.deciding,
        files=tuple(sorted(hashes.items())),
        glossary=GLOSSARY,
    )
