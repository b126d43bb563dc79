"""What a report is drawn from: one audit and its review, with the veil already laid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from auditlens.anomalies import sender_months
from auditlens.canonical import sha256_hex
from auditlens.directory import Directory
from auditlens.findings import LEVELS, is_open
from auditlens.period import Period, zone
from auditlens.report.identity import WITHHELD, check_mode, labels, veil_events, veil_findings
from auditlens.report.past import past_findings
from auditlens.report.recorded import Recorded, recorded
from auditlens.report.review import Review
from auditlens.rules import Samples, Scope, samples_of

__all__ = ["Facts", "facts_of", "file_name"]

STRONGEST_FIRST = tuple(reversed(LEVELS))


@dataclass(frozen=True)
class Facts:
    """One audit, ready to be told: frames are veiled, findings are in the order of the page."""

    period: Period
    events: pl.DataFrame
    findings: pl.DataFrame
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
    recorded: Recorded
    past: Mapping[str, tuple[str, ...]]
    sender_months: pl.DataFrame
    samples: Mapping[str, Samples]
    directory: Directory | None
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
    def undecided(self) -> pl.DataFrame:
        """Findings that wait for a decision, by the findings and what the review adds to them."""
        added = {entry.finding_id: entry.decision for entry in self.review.dispositions}
        later = pl.col("finding_id").replace_strict(added, default=None, return_dtype=pl.String)
        decided = pl.coalesce(later, "disposition").replace(["", "open"], None)
        return self.findings.filter(
            self.findings.with_columns(decided.alias("disposition")).select(is_open()).to_series()
        )


def facts_of(
    audit: Any,
    *,
    edition: str,
    identity: str,
    review: Review,
    key: bytes | None = None,
    samples: Mapping[str, Samples] | None = None,
) -> Facts:
    """Gather ``audit`` into facts; raise UsageError for an unknown identity mode."""
    check_mode(identity, key)
    names = labels(audit.events, audit.findings, key) if identity == "pseudonymous" and key else {}
    titles = dict(audit.rule_health.select("rule_id", "title").iter_rows())
    findings = veil_findings(audit.findings, identity, names, titles)
    return Facts(
        period=audit.period,
        events=veil_events(audit.events, identity, names),
        findings=ordered(findings),
        health=audit.rule_health,
        coverage=audit.coverage,
        rules=tuple(audit.rules.rules),
        rules_digest=audit.rules.digest,
        skipped=tuple(
            f"{one.path.name}:{one.line}: {one.message}"
            for one in getattr(audit.rules, "skipped", ())
        ),
        model=audit.model if identity == "full" else impersonal_model(audit.model),
        provenance=audit.provenance,
        workspace=getattr(audit.settings, "workspace", "") or "",
        frameworks=tuple(getattr(audit.settings, "frameworks", ())),
        run_at=audit.run_at,
        review=review if identity == "full" else impersonal(review),
        edition=edition,
        identity=identity,
        recorded=recorded(audit.events),
        past=past_findings(audit.findings, getattr(audit, "earlier", ())),
        sender_months=months_of(audit.sender_days, identity, names),
        samples=samples_of(audit.rules.rules) if samples is None else samples,
        directory=getattr(audit, "directory", None),
        scopes=tuple(getattr(audit, "scopes", ())),
    )


def months_of(sender_days: pl.DataFrame, identity: str, names: Mapping[str, str]) -> pl.DataFrame:
    """The months that ``sender_days`` add up to, veiled; none where nobody may be told apart."""
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


def impersonal(review: Review) -> Review:
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


def impersonal_model(model: Mapping[str, object]) -> Mapping[str, object]:
    """The model's settings without its notes: a note may name a sender."""
    return {name: value for name, value in model.items() if name != "notes"}


def file_name(source: str) -> str:
    """``source`` without the folders of the machine it was read on."""
    if PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute():
        return PureWindowsPath(PurePosixPath(source).name).name
    return source
