"""What a report says, as frozen plain data: the page, the JSON and the PDF are drawn from it.

Times are aware UTC datetimes, days are dates in the report's zone, percentages are numbers from
0 to 100, and what does not apply is null. A number a reader sees is a number in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from auditlens.report.rulebook import RuleRow, RuleSummary
from auditlens.report.sections import (
    Activity,
    Appendix,
    Completeness,
    ExceptionRow,
    Framework,
    Method,
    Profile,
    SenderMonth,
    SignOff,
)

__all__ = [
    "SCHEMA_VERSION",
    "Access",
    "AccessRow",
    "Change",
    "Conclusion",
    "Content",
    "Cover",
    "Decision",
    "EvidenceRow",
    "FindingRow",
    "LevelCount",
    "Reason",
    "ResolvedRow",
    "RuleGroup",
    "Shown",
    "Span",
    "TrustFigure",
]

SCHEMA_VERSION = "auditlens.report/4"


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
class LevelCount:
    """Findings of one level: now, last period, the difference, and how many await a decision."""

    level: str
    count: int
    last: int | None
    difference: int | None
    undecided: int


@dataclass(frozen=True)
class Decision:
    """One of the findings to decide first; ``alike`` more have its rule, level and subject."""

    finding_id: str
    level: str
    title: str
    subject: str
    why: str
    alike: int


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
    levels: tuple[LevelCount, ...]
    decide: tuple[Decision, ...]
    undecided: int
    figures: tuple[TrustFigure, ...]


@dataclass(frozen=True)
class ResolvedRow:
    """A finding of the period before that is gone; title and subject are "" where withheld."""

    finding_id: str
    level: str
    title: str
    subject: str


@dataclass(frozen=True)
class Change:
    """Against the period before; ``recorded`` is false when none was given."""

    recorded: bool
    note: str
    previous: str
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

    ``seen_before`` names the signed months that had a finding about the same thing, latest first.
    """

    finding_id: str
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
class RuleGroup:
    """The findings of one rule or one model, in the order of the page."""

    rule_id: str
    title: str
    kind: str
    level: str
    why: str
    count: int
    shown: int
    subjects: int
    controls: tuple[str, ...]
    tags: tuple[str, ...]
    finding_ids: tuple[str, ...]


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
class Content:
    """The whole report. ``schema`` names the version of these shapes."""

    schema: str
    cover: Cover
    conclusion: Conclusion
    change: Change
    frameworks: tuple[Framework, ...]
    groups: tuple[RuleGroup, ...]
    findings: tuple[FindingRow, ...]
    shown: Shown
    activity: Activity
    profiles: tuple[Profile, ...]
    sender_months: tuple[SenderMonth, ...]
    access: Access
    rules: tuple[RuleRow, ...]
    rule_summary: RuleSummary
    completeness: Completeness
    method: Method
    exceptions: tuple[ExceptionRow, ...]
    sign_off: SignOff
    appendix: Appendix
