"""Plain data of the sections behind the findings: activity, rules, completeness, method.

Kept apart from ``content`` for size alone; the conventions are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

__all__ = [
    "Activity",
    "Appendix",
    "Clause",
    "Completeness",
    "DayState",
    "Evidence",
    "ExceptionRow",
    "FieldFill",
    "Framework",
    "Method",
    "Profile",
    "Quarantine",
    "Scope",
    "SenderMonth",
    "Series",
    "Share",
    "SignOff",
    "SignOffLine",
]


@dataclass(frozen=True)
class Clause:
    """One clause: our words for it, its status, the evidence it rests on, open findings.

    ``decided_by`` is the evidence that keeps it from being supported; it is empty where the
    clause is supported, and where a log of this kind can say no more (then ``limit`` says why).
    """

    clause: str
    words: str
    status: str
    evidence: tuple[str, ...]
    decided_by: tuple[str, ...]
    open: int
    limit: str

    @property
    def pressing(self) -> bool:
        """Whether somebody has something to do about it: the page then spells it out."""
        return bool(self.open) or self.status in ("gap", "supported with exceptions")


@dataclass(frozen=True)
class Framework:
    """One framework's table. ``counts`` is how many clauses stand in each status."""

    framework: str
    name: str
    note: str
    counts: tuple[tuple[str, int], ...]
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Evidence:
    """One of E01 to E18. ``state``: present, partial, failed or absent."""

    evidence_id: str
    name: str
    state: str
    statement: str


@dataclass(frozen=True)
class Series:
    """Events a day of one class, in the order of ``Activity.days``; null = withheld."""

    name: str
    counts: tuple[int | None, ...]
    total: int


@dataclass(frozen=True)
class Share:
    """One bar: who or what, its kind, events, percent of all, findings about it."""

    label: str
    kind: str
    events: int
    percent: float
    findings: int


@dataclass(frozen=True)
class Activity:
    """What happened. ``hours`` is 7 rows (Monday first) of 24 counts in the report's zone.

    ``by_hour`` has the hours of the day with events, and how many; null = withheld.
    """

    events: int
    senders: int
    resources: int
    days: tuple[date, ...]
    series: tuple[Series, ...]
    findings_by_day: tuple[int, ...]
    peak: int
    busiest_day: date | None
    hours: tuple[tuple[int | None, ...], ...]
    hours_peak: int
    by_hour: tuple[tuple[str, int | None], ...]
    actions: tuple[Share, ...]
    top_senders: tuple[Share, ...]
    top_resources: tuple[Share, ...]
    headline: str
    withheld_below: int | None


@dataclass(frozen=True)
class Profile:
    """A sender or resource with findings or privileged acts. ``by_day`` counts its events."""

    subject_kind: str
    label: str
    subject_id: str
    sender_kind: str
    lookalike: bool
    events: int
    active_days: int
    first_at: datetime | None
    last_at: datetime | None
    usual_hours: str
    actions: tuple[str, ...]
    privileged: int
    by_day: tuple[int, ...]
    finding_ids: tuple[str, ...]
    findings: int


@dataclass(frozen=True)
class SenderMonth:
    """A sender's month among the most unusual: what its days add up to.

    ``rank`` is its place among ``compared`` senders, 1 the most unusual. ``high_days`` are the
    days that score above the 95 % day of all.
    """

    label: str
    sender_id: str
    score: float
    rank: int
    compared: int
    active_days: int
    high_days: int
    highest: float | None
    events: int


@dataclass(frozen=True)
class Quarantine:
    """One record that could not be read, and where it lies; a page about an archive omits where."""

    source: str
    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Misdated:
    """An event that does not belong to its date, and the date it claims, in UTC."""

    id: str
    created_at: str


@dataclass(frozen=True)
class FieldFill:
    """One attribute an auditor asks for. ``state``: present, partial or not recorded."""

    question: str
    field: str
    percent: float | None
    state: str
    note: str


@dataclass(frozen=True)
class Scope:
    """One log source: its events in the period, and the rules that looked at them.

    ``judged`` is false where no rule did; ``statement`` says it in words.
    """

    product: str
    service: str
    events: int
    rules: int
    judged: bool
    statement: str


@dataclass(frozen=True)
class DayState:
    """One local day of the strip. ``state``: events, none (proven) or unknown."""

    day: date
    state: str
    events: int


@dataclass(frozen=True)
class Completeness:
    """The population page: what was pulled, what is missing, how we know.

    All of it rests on the records; when each was pulled is in ``collection.json``. ``duplicates``
    are records that came twice in files, null of an archive. ``misdated`` events are dated before
    1970 or after they were pulled; the first of them are listed. ``classified`` says how the events
    were told apart, ``verb_only`` lists kinds that only their verb names. ``scopes`` has one entry
    a log source, ``rules_elsewhere`` counts the rules made for other log sources than these.
    ``directory_at`` is when the list of users, groups, tags and resources was pulled whose roles
    and marks the rules and the model read; null when there was none.
    """

    outcome: str
    statement: str
    missing: int | None
    source: str
    first_at: datetime | None
    last_at: datetime | None
    days_held: int | None
    events_held: int
    events_in_period: int
    unclassified: int
    unclassified_percent: float
    classified: str
    verb_only: tuple[tuple[str, int], ...]
    verb_only_kinds: int
    scopes: tuple[Scope, ...]
    rules_elsewhere: int
    duplicates: int | None
    changed: int
    changed_ids: tuple[str, ...]
    quarantined: int
    acknowledged: int
    quarantine: tuple[Quarantine, ...]
    misdated: int
    misdated_events: tuple[Misdated, ...]
    gaps: tuple[tuple[date, date], ...]
    days_without: int
    strip: tuple[DayState, ...]
    input_digest: str
    directory_at: datetime | None
    directory_head: str
    fields: tuple[FieldFill, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Method:
    """How the findings were made, and what the log cannot show."""

    model: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True)
class ExceptionRow:
    """One exception with what it hid."""

    exception_id: str
    scope: str
    reason: str
    owner: str
    approver: str
    until: date | None
    hid: int
    state: str


@dataclass(frozen=True)
class SignOffLine:
    """One line of the sign-off; an empty name prints as a ruled line.

    ``keys`` are the fingerprints of the keys it was signed with. They show that somebody who
    holds the key signed; whose it is stands in a list that no report holds.
    """

    role: str
    name: str
    signed_at: datetime | None
    statement: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignOff:
    """Who prepared, reviewed and approved. ``conflict`` names a reviewer with open findings."""

    status: str
    lines: tuple[SignOffLine, ...]
    conflict: str
    due: date | None
    days_late: int | None


@dataclass(frozen=True)
class Appendix:
    """How to do it all again, and the words used."""

    command: str
    statement: str
    provenance: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]
    glossary: tuple[tuple[str, str], ...]
