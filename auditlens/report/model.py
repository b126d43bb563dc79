"""What a report says, as frozen plain data: the page, the JSON and the PDF are drawn from it.

Times are aware UTC datetimes, days are dates in the report's zone, percentages are numbers from
0 to 100, and what does not apply is null. A number a reader sees is a number in here.

First what people add to a run (all of it optional; the report says "none recorded" where a shape
is empty), then the sections, then the whole, with its published JSON Schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec

SCHEMA_VERSION = "auditlens.report/5"


@dataclass(frozen=True)
class Disposition:
    """What a reviewer decided about one finding, and why.

    Attributes:
        finding_id: The finding.
        decision: What was decided, in words.
        reviewer: Who decided.
        reason: Why.
        decided_at: When, in UTC; None where it is not known.
        owner: Who does what is left to do.
        ticket: Where the work is followed.
    """

    finding_id: str
    decision: str
    reviewer: str = ""
    reason: str = ""
    decided_at: datetime | None = None
    owner: str = ""
    ticket: str = ""


@dataclass(frozen=True)
class ExceptionEntry:
    """One accepted exception.

    Attributes:
        exception_id: Its id.
        scope: What it matches, in words.
        reason: Why it is accepted.
        owner: Who answers for it.
        approver: Who approved it.
        until: The last day (UTC) on which it holds; None: no end is known.
        hid: How many findings of the period it hid.
        state: ``active``, ``ending`` or ``ended``; default: ``active``.
    """

    exception_id: str
    scope: str
    reason: str = ""
    owner: str = ""
    approver: str = ""
    until: date | None = None
    hid: int = 0
    state: str = "active"


@dataclass(frozen=True)
class Signature:
    """One line of the sign-off.

    Attributes:
        role: ``preparer``, ``reviewer`` or ``approver``.
        name: Who.
        signed_at: When, in UTC; None: not yet.
        statement: What was said with it.
        keys: Fingerprints of the keys it was signed with.
    """

    role: str
    name: str
    signed_at: datetime | None = None
    statement: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resolved:
    """A finding of the period before about which there is none now.

    Attributes:
        finding_id: Its id.
        level: Its level then.
        title: What it found.
        subject: Whom or what it was about.
    """

    finding_id: str
    level: str
    title: str = ""
    subject: str = ""


@dataclass(frozen=True)
class PreviousPeriod:
    """The period before: enough to say what is new, still open, resolved and changed.

    Attributes:
        label: Its name, such as ``2026-10``.
        findings: Levels by the ids of its findings.
        events: How many events it had; None where it is not known.
        rules: Digests by the ids of its rules.
        resolved: Findings about which there is none now. They are told and not taken from the ids:
            an id rests on the first event, which each period has anew.
    """

    label: str
    findings: Mapping[str, str] = field(default_factory=dict)
    events: int | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    resolved: tuple[Resolved, ...] = ()


@dataclass(frozen=True)
class Review:
    """Everything people added to one run. An empty review is a draft.

    Attributes:
        dispositions: Decisions about findings.
        exceptions: Accepted exceptions.
        signatures: Lines of the sign-off.
        previous: The period before; None where there is none to compare with.
        purpose: Why the log is looked at, for the cover.
        recipients: Who gets the report, for the cover.
        delete_by: The day by which the report is to be deleted, for the cover; None: none is named.
        due: The day by which the review is due; None: none is named.
        amendment: How many issues of this report came before.
    """

    dispositions: tuple[Disposition, ...] = ()
    exceptions: tuple[ExceptionEntry, ...] = ()
    signatures: tuple[Signature, ...] = ()
    previous: PreviousPeriod | None = None
    purpose: str = ""
    recipients: str = ""
    delete_by: date | None = None
    due: date | None = None
    amendment: int = 0

    @property
    def status(self) -> str:
        """``draft``, ``reviewed`` or ``approved``, from the signatures alone."""
        roles = {entry.role for entry in self.signatures if entry.signed_at is not None}
        if "approver" in roles:
            return "approved"
        return "reviewed" if "reviewer" in roles else "draft"


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


@dataclass(frozen=True)
class RuleRow:
    """One rule, hit or not. ``health``: hit, quiet, idle, partial, failed, off or elsewhere.

    ``elsewhere`` is a rule made for another log source than the log's.
    ``status`` is the rule's own word for how tried it is.
    ``learning`` counts the events it could not judge, for what it compares with is too short.
    ``precision_percent`` is the share of its findings ``decided`` in any period that were right.
    ``tests_match`` and ``tests_other`` count the samples beside the rule that must match and those
    that must not; ``tests_digest`` names their file as it was.
    """

    rule_id: str
    name: str
    title: str
    level: str
    kind: str
    status: str
    health: str
    reason_off: str
    logic: str
    digest: str
    examined: int
    learning: int
    hits: int
    findings: int
    decided: int
    precision_percent: float | None
    fields_missing: tuple[str, ...]
    tests_match: int
    tests_other: int
    tests_digest: str

    @property
    def told(self) -> bool:
        """Whether the page has a row for it: it has findings, or could not run."""
        return self.health == "failed" or bool(self.findings)


@dataclass(frozen=True)
class RuleSummary:
    """The rules together: how many in each health, and the samples they come with.

    ``skipped`` are the faults of what could not be read and was left out on request.
    """

    total: int
    health: tuple[tuple[str, int], ...]
    tried: tuple[tuple[str, int], ...]
    tests_match: int
    tests_other: int
    untested: tuple[str, ...]
    skipped: tuple[str, ...]
    digest: str
    file: str


@dataclass(frozen=True)
class Span:
    """The period: half-open, edges in UTC and as local wall-clock text of ``timezone``."""

    label: str
    timezone: str
    start: datetime
    end: datetime
    start_local: str
    end_local: str
    days: int


@dataclass(frozen=True)
class Cover:
    """Which report this is. ``run_id`` is derived from the inputs, never from the clock."""

    title: str
    workspace: str
    period: Span
    edition: str
    identity: str
    status: str
    amendment: int
    run_id: str
    run_at: datetime
    data_as_of: datetime | None
    tool: str
    rules_digest: str
    input_digest: str
    purpose: str
    recipients: str
    delete_by: date | None


@dataclass(frozen=True)
class CaseCounts:
    """Cases by what is to be done with them, each with the findings inside.

    ``decided`` asked for a decision and has one. ``observations`` ask for none: low and
    informational findings alone. ``excepted`` are those whose findings exceptions cover.
    ``continuing`` counts the cases that an earlier period showed already.
    """

    total: int
    findings: int
    to_decide: int
    findings_to_decide: int
    decided: int
    findings_decided: int
    observations: int
    findings_observed: int
    excepted: int
    findings_excepted: int
    continuing: int


@dataclass(frozen=True)
class LevelCount:
    """Cases to decide of one level, the findings inside, and how many of the level are decided."""

    level: str
    to_decide: int
    findings: int
    decided: int


@dataclass(frozen=True)
class Decision:
    """One of the cases to decide first; ``why`` is what its strongest finding rests on."""

    case_id: str
    level: str
    headline: str
    why: str
    findings: int


@dataclass(frozen=True)
class TrustFigure:
    """One number on trust. ``state`` is good, warn or bad."""

    name: str
    figure: str
    note: str
    state: str


@dataclass(frozen=True)
class Conclusion:
    """The first screen. ``verdict``: clear, attention, urgent; ``trust``: good, warn, bad."""

    verdict: str
    headline: str
    trust: str
    trust_headline: str
    sentences: tuple[str, ...]
    cases: CaseCounts
    levels: tuple[LevelCount, ...]
    decide: tuple[Decision, ...]
    figures: tuple[TrustFigure, ...]


@dataclass(frozen=True)
class ResolvedRow:
    """A finding of the period before that is gone; title and subject are "" where withheld."""

    finding_id: str
    level: str
    title: str
    subject: str


@dataclass(frozen=True)
class LevelChange:
    """Findings of one level: now, in the period before, and the difference."""

    level: str
    count: int
    last: int
    difference: int


@dataclass(frozen=True)
class Change:
    """Against the period before; ``recorded`` is false when none was given. It counts findings."""

    recorded: bool
    note: str
    previous: str
    levels: tuple[LevelChange, ...]
    new: int | None
    persisting: int | None
    reopened: int | None
    resolved: tuple[ResolvedRow, ...]
    resolved_count: int | None
    events_before: int | None
    events_now: int
    events_percent: float | None
    rules_changed: tuple[str, ...]


@dataclass(frozen=True)
class Reason:
    """One reason: its share of the score in percent, a sentence, the figures behind it."""

    family: str
    share_percent: float | None
    text: str
    value: float | None
    own_baseline: float | None
    peer_baseline: float | None
    label: str


@dataclass(frozen=True)
class EvidenceRow:
    """One event that a finding rests on, as the log has it."""

    event_id: str
    at: datetime | None
    event: str
    sender: str
    resource: str


@dataclass(frozen=True)
class FindingRow:
    """One finding with everything a reviewer needs to decide it.

    ``within`` is the finding of the same case that holds all its events, or empty.
    ``seen_before`` names the signed months that had a finding about the same thing, latest first.
    """

    finding_id: str
    case_id: str
    within: str
    kind: str
    rule_id: str
    title: str
    level: str
    subject_kind: str
    subject_id: str
    subject_label: str
    lookalike: bool
    first_at: datetime | None
    last_at: datetime | None
    detected_at: datetime | None
    event_count: int
    event_ids: tuple[str, ...]
    evidence: tuple[EvidenceRow, ...]
    value: float | None
    expected: float | None
    score_rank: int | None
    score_percentile: float | None
    confidence: str
    reasons: tuple[Reason, ...]
    tags: tuple[str, ...]
    controls: tuple[str, ...]
    state: str
    seen_before: tuple[str, ...]
    disposition: str
    reviewer: str
    owner: str
    ticket: str
    decided_at: datetime | None
    decision_reason: str
    exception_id: str


@dataclass(frozen=True)
class CaseRow:
    """One case: findings that are one story, which is what a reviewer decides.

    ``group`` is ``to decide``, ``decided``, ``observation`` or ``excepted``. ``raised_because``
    says why ``level`` is above ``level_from``. ``finding_ids`` are in the order of the timeline,
    those inside another below it. ``joined_by`` says in words what made them one case. ``hidden``
    findings are covered by an exception, ``joined_after`` came after the decision.
    """

    case_id: str
    group: str
    headline: str
    level: str
    level_from: str
    raised_because: str
    score: float
    subject_kind: str
    subject_id: str
    subject_label: str
    lookalike: bool
    actors: tuple[str, ...]
    actor_count: int
    resources: tuple[str, ...]
    resource_count: int
    first_at: datetime | None
    last_at: datetime | None
    event_count: int
    finding_ids: tuple[str, ...]
    joined_by: tuple[str, ...]
    no_longer_joined: tuple[str, ...]
    kinds: tuple[str, ...]
    tactics: tuple[str, ...]
    controls: tuple[str, ...]
    hidden: int
    state: str
    continues: bool
    joined_after: int
    disposition: str
    reviewer: str
    owner: str
    ticket: str
    decided_at: datetime | None
    decision_reason: str
    related: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """How many findings there are, how many the page shows, which file has them all."""

    total: int
    shown: int
    file: str
    sha256: str


@dataclass(frozen=True)
class AccessRow:
    """One event of the access-change sample; ``order`` is its place by hash, from 1."""

    order: int
    event_id: str
    at: datetime
    action: str
    event: str
    sender: str
    resource: str


@dataclass(frozen=True)
class Access:
    """Privileged and access changes: the population, and a sample anyone can draw again."""

    population: int
    privileged: int
    by_action: tuple[tuple[str, int], ...]
    seed: str
    method: str
    sample: tuple[AccessRow, ...]


@dataclass(frozen=True)
class InactiveAccount:
    """An account without activity: its last one and the days since (none on record: null)."""

    account: str
    last_at: datetime | None
    days: int | None
    role: str


@dataclass(frozen=True)
class Inactive:
    """Inactive accounts at the end of the period, and the population they are of.

    ``over`` pairs days with the accounts inactive for so long or longer; ``never`` are those listed
    in the directory (null: there is none) without activity on record, which begins at ``since``.
    """

    seen: int
    since: datetime | None
    listed: bool
    disabled: int
    over: tuple[tuple[int, int], ...]
    never: int
    controls: tuple[str, ...]
    rows: tuple[InactiveAccount, ...]


@dataclass(frozen=True)
class Content:
    """The whole report. ``schema`` names the version of these shapes."""

    schema: str
    cover: Cover
    conclusion: Conclusion
    change: Change
    frameworks: tuple[Framework, ...]
    cases: tuple[CaseRow, ...]
    findings: tuple[FindingRow, ...]
    shown: Shown
    activity: Activity
    profiles: tuple[Profile, ...]
    sender_months: tuple[SenderMonth, ...]
    access: Access
    inactive: Inactive
    rules: tuple[RuleRow, ...]
    rule_summary: RuleSummary
    completeness: Completeness
    method: Method
    exceptions: tuple[ExceptionRow, ...]
    sign_off: SignOff
    appendix: Appendix


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``findings.json``, drawn from the content's own types."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA_VERSION,
        **closed(msgspec.json.schema(Content)),
    }


def closed(value: Any) -> Any:
    """The schema with every object closed and every field required: content is complete."""
    if isinstance(value, list):
        return [closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: closed(one) for key, one in value.items()}
    if inner.get("type") == "object" and "properties" in inner:
        inner["required"] = sorted(inner["properties"])
        inner["additionalProperties"] = False
    return inner


def schema_text() -> str:
    """The JSON schema of the report's content as the file holds it.

    Returns:
        JSON with sorted keys, indented by one space.
    """
    return json.dumps(report_schema(), indent=1, sort_keys=True) + "\n"
