"""An audit: one run over one period. Events in; findings and coverage out.

This is the main path of AuditLens. Read :func:`run_audit` from top to bottom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.anomalies import AnomalyOutcome, detect
from auditlens.archive import Archive
from auditlens.cells import cell_table
from auditlens.coverage import Coverage
from auditlens.findings import LEVELS, build_findings
from auditlens.period import Period
from auditlens.population import draw_population, within
from auditlens.provenance import describe_run, run_time
from auditlens.rules import RuleSet, evaluate, load_rules
from auditlens.settings import Settings
from auditlens.sources import Log
from auditlens.triage import (
    EXCEPTION_SCHEMA,
    Journal,
    SealedMonth,
    apply_journal,
    exceptions_used,
    mark_states,
    months_before,
    read_journal,
    read_ledger,
    rule_precision,
    with_precision,
)
from auditlens.triage.seals import FOLDER

__all__ = ["Audit", "run_audit"]


@dataclass(frozen=True)
class Audit:
    """What one run found, and what it looked at.

    ``events`` are the events of the period (EVENT_SCHEMA). ``findings`` has one row a finding
    (FINDING_SCHEMA), strongest first. ``sender_days`` and ``resource_days`` hold one row a day
    and sender or resource with score, rank, percentile and every feature. ``rule_health`` has
    one row a rule. ``coverage`` says what is missing. ``model`` and ``provenance`` hold what
    is needed to repeat the run; ``run_at`` is when it ran, in UTC. ``journal`` is what reviewers
    wrote, ``exceptions`` has one row an exception with what it hid (EXCEPTION_SCHEMA), and
    ``earlier`` holds the signed months before the period, oldest first.
    """

    period: Period
    events: pl.DataFrame
    findings: pl.DataFrame
    sender_days: pl.DataFrame
    resource_days: pl.DataFrame
    rule_health: pl.DataFrame
    coverage: Coverage
    rules: RuleSet
    settings: Settings
    run_at: datetime
    model: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)
    exceptions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EXCEPTION_SCHEMA))
    earlier: tuple[SealedMonth, ...] = ()

    def __repr__(self) -> str:
        held = f"{self.events.height:,} events, {self.findings.height:,} findings"
        return f"Audit({self.period}, {held})"

    def _repr_html_(self) -> str:
        counts = dict(self.findings["level"].value_counts(name="n").rows())
        levels = ", ".join(f"{counts[x]} {x}" for x in reversed(LEVELS) if x in counts)
        rows = {
            "completeness": f"{self.coverage.outcome}: {self.coverage.statement}",
            "events in the period": self.events.height,
            "rules": self.rule_health.height,
            "findings": levels or "none",
            "run at": self.run_at,
        }
        return cell_table(f"Audit of {self.period} ({self.period.timezone})", rows.items())


def run_audit(
    source: Archive | Log | pl.DataFrame,
    rules: RuleSet | None = None,
    *,
    period: Period | str,
    settings: Settings | None = None,
    seed: int | None = None,
    now: datetime | None = None,
    journal: Journal | Path | str | None = None,
    earlier: Sequence[SealedMonth] | None = None,
) -> Audit:
    """Check one period of a log against rules and model.

    ``source`` is an archive, what ``read_log`` gives, or a frame with event columns; events
    before the period form the baselines. ``rules`` default to the shipped ones of the log's
    product. ``period`` is a Period or its text. ``journal`` and ``earlier`` default to what
    stands beside the archive. Raises UsageError for an unusable period or frame, DocumentErrors
    for a faulty journal, IntegrityError for a damaged archive or sign-off.
    """
    settings = settings or Settings()
    if isinstance(period, str):
        period = Period.parse(period, timezone=settings.timezone)
    run_at = run_time(now)
    journal = journal_of(source, settings, journal)
    earlier = signed_before(journal, period) if earlier is None else tuple(earlier)
    events, coverage = draw_population(source, period, settings)
    if rules is None:
        rules = load_rules(product=product(events), placeholders=settings.placeholders)
    verdict = evaluate(rules, events, period, timezone=period.timezone)
    unusual = stand_outs(events, period, settings, seed)
    findings = build_findings(verdict.episodes, unusual.flagged, detected_at=run_at)
    audit = Audit(
        period=period,
        events=within(events, period),
        findings=findings,
        sender_days=unusual.sender_days,
        resource_days=unusual.resource_days,
        rule_health=verdict.health,
        coverage=coverage,
        rules=rules,
        settings=settings,
        run_at=run_at,
        model=unusual.model,
        provenance=describe_run(coverage, rules.digest, settings, period),
    )
    return reviewed(audit, journal, earlier)


def stand_outs(
    events: pl.DataFrame, period: Period, settings: Settings, seed: int | None
) -> AnomalyOutcome:
    """What the model says, with the seed and the alert budget of the settings."""
    return detect(
        events,
        period,
        seed=settings.seed if seed is None else seed,
        timezone=period.timezone,
        senders_a_day=settings.senders_a_day,
        senders_a_month=settings.senders_a_month,
    )


def reviewed(audit: Audit, journal: Journal, earlier: Sequence[SealedMonth] = ()) -> Audit:
    """The audit with decisions and exceptions of a journal, and states against signed months."""
    names = {rule.id: rule.name for rule in audit.rules.rules}
    findings = mark_states(apply_journal(audit.findings, journal, rule_names=names), earlier)
    return replace(
        audit,
        findings=findings,
        rule_health=with_precision(audit.rule_health, rule_precision(findings, journal)),
        journal=journal,
        exceptions=exceptions_used(findings, journal, today=audit.run_at.date()),
        earlier=tuple(earlier),
    )


def journal_of(
    source: Archive | Log | pl.DataFrame, settings: Settings, given: Journal | Path | str | None
) -> Journal:
    """The journal given, else the one in the settings, else the one beside the archive."""
    if isinstance(given, Journal):
        return given
    path = Path(given) if given is not None else settings.journal
    if path is None and isinstance(source, Archive):
        path = source.path.absolute().parent / "triage.yml"
    return Journal() if path is None else read_journal(path)


def signed_before(journal: Journal, period: Period) -> tuple[SealedMonth, ...]:
    """The signed months before the period, from the folder beside the journal."""
    if journal.path is None:
        return ()
    return months_before(read_ledger(journal.path.parent / FOLDER), period)


def product(events: pl.DataFrame) -> str:
    """The product whose shipped rules fit the log: its profile's name, else secoda."""
    generations = set(events["generation"].unique().to_list())
    return "cloudtrail" if generations == {"cloudtrail"} else "secoda"
