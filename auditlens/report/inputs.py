"""Input of the report: audit and review, identities already redacted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from auditlens.accounts import ACCOUNT_SCHEMA
from auditlens.anomalies import sender_months
from auditlens.audit import Audit
from auditlens.canonical import sha256_hex
from auditlens.cases import case_timeline, is_to_decide, why_raised
from auditlens.directory import Directory
from auditlens.events import shipped_profiles
from auditlens.findings import LEVELS, is_open
from auditlens.period import Period, zone
from auditlens.report.model import (
    Disposition,
    ExceptionEntry,
    PreviousPeriod,
    Resolved,
    Review,
    Signature,
)
from auditlens.report.redact import (
    WITHHELD,
    case_names,
    check_mode,
    labels,
    redact_cases,
    redact_events,
    redact_findings,
)
from auditlens.report.text import percent
from auditlens.rules import Samples, Scope, samples_of
from auditlens.triage import SAME, SignedMonth, decision_words, resolved

STRONGEST_FIRST = tuple(reversed(LEVELS))
CATALOG = frozenset({"legacy", "current"})


@dataclass(frozen=True)
class ReportInputs:
    """One audit as the report reads it: identities redacted, most severe first.

    ``timelines`` has for each case its findings in order of time, each with the finding of the
    case that holds it whole, or "". ``raised`` says why a case is above its findings' level.
    """

    period: Period
    events: pl.DataFrame
    findings: pl.DataFrame
    shown_cases: pl.DataFrame
    timelines: Mapping[str, tuple[tuple[str, str], ...]]
    raised: Mapping[str, str]
    health: pl.DataFrame
    coverage: Any
    rules: tuple[Any, ...]
    rules_digest: str
    skipped: tuple[str, ...]
    model: Mapping[str, object]
    provenance: Mapping[str, str]
    workspace: str
    frameworks: tuple[str, ...]
    run_at: datetime
    review: Review
    edition: str
    identity: str
    capabilities: SourceCapabilities
    past: Mapping[str, tuple[str, ...]]
    sender_months: pl.DataFrame
    samples: Mapping[str, Samples]
    directory: Directory | None
    accounts: pl.DataFrame
    scopes: tuple[Scope, ...]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone whose days and hours the report counts."""
        return zone(self.period.timezone)

    @property
    def deciding(self) -> tuple[tuple[str, str], ...]:
        """The provenance by name, without the archive's head: that rests on single pulls too."""
        held = sorted(self.provenance.items())
        return tuple((key, str(value)) for key, value in held if key != "archive_head")

    @property
    def named(self) -> bool:
        """Whether single senders may be told apart at all."""
        return self.identity != "aggregate"

    @property
    def unjudged(self) -> tuple[Scope, ...]:
        """The log sources whose events of the period no rule looked at."""
        return tuple(one for one in self.scopes if not one.judged)

    @property
    def wholly_unjudged(self) -> bool:
        """Whether no rule looked at any event of the period."""
        return bool(self.unjudged) and not any(one.rules and one.events for one in self.scopes)

    @cached_property
    def rules_elsewhere(self) -> int:
        """How many rules that are on were made for other log sources than the log's."""
        if "applies" not in self.health.columns:
            return 0
        return self.health.filter("enabled", ~pl.col("applies")).height

    @cached_property
    def run_id(self) -> str:
        """``R-`` and 12 hex digits over everything that decides the findings."""
        parts = [self.coverage.input_digest, self.rules_digest, self.period.label]
        parts += [f"{key}={value}" for key, value in self.deciding]
        return "R-" + sha256_hex("\n".join(map(str, parts)))[:12]

    @cached_property
    def open_findings(self) -> pl.DataFrame:
        """Findings that nobody decided, by the findings and what the review adds to them."""
        added = {entry.finding_id: entry.decision for entry in self.review.dispositions}
        later = pl.col("finding_id").replace_strict(added, default=None, return_dtype=pl.String)
        decided = pl.coalesce(later, "disposition").replace(["", "open"], None)
        return self.findings.filter(
            self.findings.with_columns(decided.alias("disposition")).select(is_open()).to_series()
        )

    @cached_property
    def cases(self) -> pl.DataFrame:
        """The cases in order, with their ``group``: to decide, decided, observation, excepted.

        A case whose findings the review decides is decided, whatever the audit knew of it.
        """
        undone = set(self.open_findings["finding_id"])
        waits = pl.lit(
            pl.Series(
                [not undone.isdisjoint(one) for one in self.shown_cases["finding_ids"]],
                dtype=pl.Boolean,
            )
        )
        late = is_to_decide() & ~waits
        group = (
            pl.when(pl.col("state") == "excepted")
            .then(pl.lit("excepted"))
            .when(~pl.col("decide"))
            .then(pl.lit("observation"))
            .when(is_to_decide() & waits)
            .then(pl.lit("to decide"))
            .otherwise(pl.lit("decided"))
        )
        state = pl.when(late).then(pl.lit("decided")).otherwise("state")
        return self.shown_cases.with_columns(group.alias("group"), state.alias("state"))

    @cached_property
    def told_cases(self) -> pl.DataFrame:
        """The cases for other programs, in order (CASE_SCHEMA), with the state they have here."""
        return self.cases.select(self.shown_cases.columns)

    @cached_property
    def undecided(self) -> pl.DataFrame:
        """Findings of cases to decide that nobody decided: a reviewer is asked about these."""
        asked = self.cases.filter(pl.col("group") == "to decide")["finding_ids"]
        names = asked.explode().drop_nulls().implode()
        return self.open_findings.filter(pl.col("finding_id").is_in(names))


def report_inputs(
    audit: Any,
    *,
    edition: str,
    identity: str,
    review: Review,
    key: bytes | None = None,
    samples: Mapping[str, Samples] | None = None,
) -> ReportInputs:
    """Gather ``audit`` into inputs; raise UsageError for an unknown identity mode."""
    check_mode(identity, key)
    names = labels(audit.events, audit.findings, key) if identity == "pseudonymous" and key else {}
    titles = dict(audit.rule_health.select("rule_id", "title").iter_rows())
    ids = case_names(audit.cases, identity)
    findings = redact_findings(audit.findings, identity, names, titles, ids)
    lines = {
        ids[case["case_id"]]: case_timeline(case, audit.findings)
        for case in audit.cases.iter_rows(named=True)
    }
    return ReportInputs(
        period=audit.period,
        events=redact_events(audit.events, identity, names),
        findings=ordered(findings),
        shown_cases=redact_cases(audit.cases, findings, identity, names, ids),
        timelines={
            name: tuple((one.finding["finding_id"], one.within or "") for one in timeline)
            for name, timeline in lines.items()
        },
        raised={
            ids[case["case_id"]]: why_raised(
                case, [one.finding for one in lines[ids[case["case_id"]]]]
            )
            for case in audit.cases.iter_rows(named=True)
        },
        health=audit.rule_health,
        coverage=audit.coverage,
        rules=tuple(audit.rules.rules),
        rules_digest=audit.rules.digest,
        skipped=tuple(
            f"{one.path.name}:{one.line}: {one.message}"
            for one in getattr(audit.rules, "skipped", ())
        ),
        model=audit.model if identity == "full" else without_notes(audit.model),
        provenance=audit.provenance,
        workspace=getattr(audit.settings, "workspace", "") or "",
        frameworks=tuple(getattr(audit.settings, "frameworks", ())),
        run_at=audit.run_at,
        review=review if identity == "full" else without_free_text(review),
        edition=edition,
        identity=identity,
        capabilities=source_capabilities(audit.events),
        past=earlier_months(audit.findings, getattr(audit, "earlier", ())),
        sender_months=redacted_months(audit.sender_days, identity, names),
        samples=samples_of(audit.rules.rules) if samples is None else samples,
        directory=getattr(audit, "directory", None),
        accounts=getattr(audit, "accounts", pl.DataFrame(schema=ACCOUNT_SCHEMA)),
        scopes=tuple(getattr(audit, "scopes", ())),
    )


def redacted_months(
    sender_days: pl.DataFrame, identity: str, names: Mapping[str, str]
) -> pl.DataFrame:
    """The months that ``sender_days`` add up to, redacted; none where nobody may be told apart."""
    if identity == "aggregate" or not sender_days.height:
        return pl.DataFrame()
    months = sender_months(sender_days)
    if identity == "full":
        return months
    known = pl.col("sender_id").replace_strict(names, default=WITHHELD, return_dtype=pl.String)
    return months.with_columns(known.alias("sender_id"))


def ordered(findings: pl.DataFrame) -> pl.DataFrame:
    """Most severe first, then by rule, time and id: a full order, whatever came in."""
    rank = pl.col("level").replace_strict(
        list(STRONGEST_FIRST), list(range(len(LEVELS))), default=len(LEVELS), return_dtype=pl.Int64
    )
    return findings.sort(
        rank,
        "rule_id",
        "score_rank",
        "first_at",
        "finding_id",
        nulls_last=True,
        maintain_order=True,
    )


def without_free_text(review: Review) -> Review:
    """The review without free text: a reason may name the person it is about."""
    return replace(
        review,
        dispositions=tuple(replace(one, reason="") for one in review.dispositions),
        exceptions=tuple(replace(one, scope="withheld", reason="") for one in review.exceptions),
        previous=review.previous
        and replace(
            review.previous,
            resolved=tuple(replace(one, title="", subject="") for one in review.previous.resolved),
        ),
    )


def without_notes(model: Mapping[str, object]) -> Mapping[str, object]:
    """The model's settings without its notes: a note may name a sender."""
    return {name: value for name, value in model.items() if name != "notes"}


def file_name(source: str) -> str:
    """``source`` without the folders of the machine it was read on."""
    if PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute():
        return PureWindowsPath(PurePosixPath(source).name).name
    return source


@dataclass(frozen=True)
class SourceCapabilities:
    """Whether we know what the source records, and the share of events that have it, in percent.

    An attribute that ``shares`` lacks is one the source is known not to record. An outcome is
    an error code: its share is that of the acts that failed.
    """

    known: bool
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def catalog(self) -> bool:
        """Whether this is the data catalog's own log, whose blind spots are all known."""
        return self.known and not self.shares


def source_capabilities(events: pl.DataFrame) -> SourceCapabilities:
    """Read off ``events`` (not yet redacted) what their source records."""
    generations = set(events["generation"].drop_nulls().unique())
    if generations <= CATALOG:
        return SourceCapabilities(known=True)
    paths = {one.name: one.records for one in shipped_profiles()}
    if len(generations) != 1 or not paths.get(name := next(iter(generations))):
        return SourceCapabilities(known=False)
    record = pl.col("metadata")
    found = events.select(
        pl.coalesce(record.str.json_path_match(f"$.{path}") for path in several)
        .is_not_null()
        .sum()
        .alias(attribute)
        for attribute, several in paths[name].items()
    )
    return SourceCapabilities(
        True, {one: percent(found[one][0], events.height) for one in found.columns}
    )


def earlier_months(
    findings: pl.DataFrame, earlier: Sequence[SignedMonth]
) -> Mapping[str, tuple[str, ...]]:
    """The signed months, latest first, that had a finding about the same thing, by finding id."""
    months: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for month in reversed(earlier):
        for about in set(month.findings.select(SAME).iter_rows()):
            months[about].append(month.label)
    if not months:
        return {}
    rows = findings.select("finding_id", *SAME).iter_rows()
    return {row[0]: tuple(months[row[1:]]) for row in rows if row[1:] in months}


def review_of(
    audit: Audit,
    *,
    reviewer: str = "",
    statement: str = "",
    signed_at: datetime | None = None,
    amendment: int = 0,
    keys: tuple[str, ...] = (),
) -> Review:
    """Everything people added to one audit, as the report takes it.

    Args:
        audit: A run, with its journal and the signed months before.
        reviewer: Who signed; without one the report is a draft.
        statement: What the reviewer declared.
        signed_at: When.
        amendment: How many reports of the period were signed before.
        keys: Fingerprints of the keys under the seal.

    Returns:
        Decisions, exceptions, the signature and the period before; without a privacy record and a
        due day.
    """
    signature = Signature("reviewer", reviewer, signed_at, statement, keys)
    return Review(
        dispositions=review_dispositions(audit),
        exceptions=review_exceptions(audit),
        signatures=(signature,) if reviewer else (),
        previous=previous_period(audit, audit.earlier[-1]) if audit.earlier else None,
        amendment=amendment,
    )


def review_dispositions(audit: Audit) -> tuple[Disposition, ...]:
    """The decision that counts of each finding."""
    found = (audit.journal.latest.get(one) for one in audit.findings["finding_id"])
    return tuple(
        Disposition(
            finding_id=one.finding,
            decision=decision_words(one.verdict),
            reviewer=one.reviewer,
            reason=one.reason,
            decided_at=one.at,
            owner=one.owner,
            ticket=one.ticket,
        )
        for one in found
        if one is not None
    )


def review_exceptions(audit: Audit) -> tuple[ExceptionEntry, ...]:
    """Every exception with what it hid, ended ones too."""
    return tuple(
        ExceptionEntry(
            exception_id=row["exception_id"],
            scope=row["match"],
            reason=row["reason"],
            owner=row["owner"],
            approver=row["approver"],
            until=row["until"],
            hid=row["hidden"],
            state=row["status"],
        )
        for row in audit.exceptions.iter_rows(named=True)
    )


def previous_period(audit: Audit, last: SignedMonth) -> PreviousPeriod:
    """The last sealed month, and what it found about which there is nothing now."""
    gone = resolved(audit.findings, last)
    columns = ("finding_id", "level", "title", "subject_label")
    return PreviousPeriod(
        label=last.label,
        findings=dict(last.findings.select("finding_id", "level").iter_rows()),
        events=last.events,
        rules=last.rules,
        resolved=tuple(
            Resolved(*(text or "" for text in row)) for row in gone.select(columns).iter_rows()
        ),
    )
