"""An audit: one run over one period. Events in; findings and coverage out.

This is the main path of AuditLens. Read :func:`run_audit` from top to bottom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.accounts import (
    ACCOUNT_COLUMNS,
    ACCOUNT_SCHEMA,
    accounts_on_record,
    inactive_accounts,
)
from auditlens.anomalies import AnomalyOutcome, detect
from auditlens.archive import Archive
from auditlens.cases import CASE_SCHEMA, build_cases, case_reaches, is_to_decide
from auditlens.coverage import Coverage
from auditlens.directory import (
    MARKS,
    Directory,
    DirectoryHistory,
    with_catalog_context,
    with_marks,
)
from auditlens.events import Profile, shipped_profiles
from auditlens.explanation import (
    CaseExplanation,
    Explanation,
    explain_case,
    explain_finding,
)
from auditlens.findings import LEVELS, build_findings, reaches
from auditlens.loading import (
    EventSource,
    history,
    load_earlier,
    load_events,
    load_population,
    open_source,
    within,
)
from auditlens.period import Period, run_time
from auditlens.plots import Plots
from auditlens.provenance import describe_run
from auditlens.rules import (
    Behaviour,
    Rule,
    RuleOutcome,
    RuleSet,
    Scope,
    columns_of_record,
    evaluate,
    load_rules,
    log_sources,
    rule_roots,
    within_budget,
)
from auditlens.seals import read_sign_offs, signed_folder
from auditlens.settings import JOURNAL, Settings, beside
from auditlens.sources import Log
from auditlens.text import cell_table, count
from auditlens.triage import (
    EXCEPTION_SCHEMA,
    CaseLedger,
    Journal,
    SignedMonth,
    Suppression,
    apply_journal,
    case_states,
    exceptions_used,
    ledger_path,
    mark_states,
    months_before,
    name_suppressions,
    read_journal,
    read_ledger,
    rule_precision,
    suppressions,
    with_precision,
)

__all__ = ["Audit", "run_audit"]

UNNAMED = "frame"
"""The generation of events that came as a frame without one."""


@dataclass(frozen=True)
class Audit:
    """What one run found, and what it looked at.

    Attributes:
        period: What was asked about.
        events: The events of the period (EVENT_SCHEMA).
        cases: One row a case (CASE_SCHEMA), most severe first: findings that are one story; what a
            person decides.
        findings: One row a finding (FINDING_SCHEMA), strongest first.
        sender_days: One row a day and sender with score, rank, percentile and every feature.
        resource_days: The same of resources.
        rule_health: One row a rule: whether it could fire, and how often it did.
        coverage: What was looked at, and what is missing.
        rules: The rules that judged the events.
        settings: The settings of the run.
        run_at: When it ran, in UTC.
        model: Parameters and notes of the model.
        provenance: Versions and digests, by name, with which a third party repeats the run.
        journal: What reviewers wrote.
        exceptions: One row an exception with what it hid (EXCEPTION_SCHEMA).
        earlier: The signed months before the period, oldest first.
        directory: What was known of users, groups, tags and resources when the period ended; None
            if nothing.
        ledger: The cases that a person was shown before; ids of cases rest on it.
        scopes: For each log source its events in the period and the rules that judged them.
        accounts: One row an account of a person, seen on record up to the end of the period or
            listed in the directory, with its last activity (ACCOUNT_SCHEMA).
        source: What the events came from; :attr:`past` reads it again.
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
    earlier: tuple[SignedMonth, ...] = ()
    directory: Directory | None = None
    scopes: tuple[Scope, ...] = ()
    cases: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CASE_SCHEMA))
    ledger: CaseLedger = field(default_factory=CaseLedger)
    accounts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCOUNT_SCHEMA))
    source: EventSource | None = field(default=None, repr=False, compare=False)

    @cached_property
    def past(self) -> pl.DataFrame:
        """The events of the period and of the history before it, read again at first use."""
        if self.source is None:
            return self.events
        return load_events(self.source, self.period, self.settings, self.run_at)

    @property
    def inactive_accounts(self) -> pl.DataFrame:
        """Accounts without activity for 45 days or more at the end of the period.

        ACCOUNT_SCHEMA and ``over``: 45 or 90, the days of CIS 5.3 and PCI DSS 8.2.6 that are
        reached; null for one without activity on record. Disabled accounts are left out.
        """
        return inactive_accounts(self.accounts)

    @property
    def unjudged(self) -> tuple[Scope, ...]:
        """The log sources whose events of the period no rule looked at."""
        return tuple(one for one in self.scopes if not one.judged)

    def fails(self, cases: pl.DataFrame | None = None) -> bool:
        """Whether a job that asked for a level ends with 1.

        Args:
            cases: The cases that count (CASE_SCHEMA). Default: all of the audit.

        Returns:
            True when one to decide reaches the setting ``fail_on``, or a finding of these cases,
            decided or not, the setting ``fail_on_finding``; what an exception expects does not.
        """
        counted = self.cases if cases is None else cases
        held = self.findings.filter(pl.col("case_id").is_in(counted["case_id"].implode()))
        return not (
            counted.filter(case_reaches(self.settings.fail_on)).is_empty()
            and held.filter(reaches(self.settings.fail_on_finding)).is_empty()
        )

    @property
    def plot(self) -> Plots:
        """Plots: ``.timeline()``, ``.sender(id)``, ``.hours(id)``, ``.scores()``."""
        return Plots(self)

    def explain(self, name: str) -> Explanation | CaseExplanation:
        """Why a finding was made, or what a case is, with all it rests on.

        Args:
            name: Id of a finding (``F-…``) or of a case (``C-…``).

        Returns:
            The explanation, of a case for a name that begins with ``C-``.

        Raises:
            UsageError: No finding or case has this id.
        """
        return explain_case(self, name) if name.startswith("C-") else explain_finding(self, name)

    def __repr__(self) -> str:
        asked = self.cases.filter(is_to_decide()).height
        held = (
            f"{count(self.events.height, 'event')}, {count(self.findings.height, 'finding')}, "
            f"{count(asked, 'case')} to decide"
        )
        return f"Audit({self.period}, {held})"

    def _repr_html_(self) -> str:
        counts = dict(self.findings["level"].value_counts(name="n").rows())
        levels = ", ".join(f"{counts[x]} {x}" for x in reversed(LEVELS) if x in counts)
        rows = {
            "completeness": f"{self.coverage.outcome}: {self.coverage.statement}",
            "events in the period": self.events.height,
            "rules": self.rule_health.height,
            "cases to decide": self.cases.filter(is_to_decide()).height,
            "findings": levels or "none",
            "run at": self.run_at,
        }
        return cell_table(f"Audit of {self.period} ({self.period.timezone})", rows.items())


def run_audit(  # noqa: PLR0913 - what a run may be given, each by its name
    source: object,
    rules: RuleSet | None = None,
    *,
    period: Period | str,
    settings: Settings | None = None,
    seed: int | None = None,
    now: datetime | None = None,
    journal: Journal | Path | str | None = None,
    earlier: Sequence[SignedMonth] | None = None,
    directory: DirectoryHistory | None = None,
    ledger: CaseLedger | None = None,
) -> Audit:
    """Check one period of a log against rules and model.

    Args:
        source: An archive, what ``read_log`` gives, a path of either, or a table with event columns
            (Polars, pandas, PyArrow, DuckDB). Events before the period form the baselines.
        rules: Default: those of the settings, and without them the shipped ones of the log's
            product.
        period: A Period, or its text: ``2026-10``, ``2026-10-01..2026-10-31`` or ``last``.
        settings: Default: every setting's default; no file is read.
        seed: Seed of the model; default: that of the settings.
        now: When the run happens (UTC); default: SOURCE_DATE_EPOCH, else the clock.
        journal: What reviewers wrote, or its path; default: the settings' or the one beside the
            archive.
        earlier: Signed months before the period; default: those beside the journal.
        directory: Users, groups, tags and resources over time; default: the archive's.
        ledger: The cases that a person was shown before; default: those noted beside the journal.

    Returns:
        Findings, scores, rule health and coverage, with what is needed to repeat the run.

    Raises:
        UsageError: The period or the source cannot be used.
        DocumentErrors: Faults in journal or rules.
        IntegrityError: Archive or sign-offs are not the bytes that were sealed.
    """
    settings, run_at = settings or Settings(), run_time(now)
    source = open_source(source, settings, run_at)
    period = period_of(period, settings)
    journal = journal_of(source, settings, journal)
    earlier = prior_sign_offs(source, journal, period) if earlier is None else tuple(earlier)
    events, coverage = load_population(source, period, settings, run_at, journal.acknowledged)
    known = directory_history(source, period, settings, directory)
    rules = rules_of(settings, events, source) if rules is None else rules
    marks = directory_fields(rules)
    read = {*columns_of_record(rules), *ACCOUNT_COLUMNS}
    earlier_events = load_earlier(source, period, settings, run_at, read)
    verdict = judge(
        rules,
        with_marks(events, known, marks),
        with_marks(earlier_events, known, marks),
        period,
        settings,
        source,
    )
    suppressed, last = suppressions(journal, period), known.at(period.end)
    unusual = detect_anomalies(events, period, settings, seed, suppressed, last, run_at)
    findings = build_findings(verdict.episodes, unusual.flagged, detected_at=run_at)
    audit = Audit(
        period=period,
        events=within(events, period),
        findings=name_suppressions(findings, suppressed),
        sender_days=unusual.sender_days,
        resource_days=unusual.resource_days,
        rule_health=verdict.health,
        scopes=verdict.scopes,
        coverage=coverage,
        rules=rules,
        settings=settings,
        run_at=run_at,
        model=unusual.model,
        provenance=provenance(coverage, rules, settings, period, last),
        directory=last,
        accounts=accounts_on_record(earlier_events, events, min(period.end, run_at), last),
        source=source,
    )
    return apply_review(audit, journal, earlier, ledger_of(journal) if ledger is None else ledger)


def rules_of(settings: Settings, events: pl.DataFrame, source: EventSource) -> RuleSet:
    """The rules of the settings; without them the shipped ones of the log's products."""
    roots = rule_roots(settings, products=products(events, source))
    return load_rules(roots, placeholders=settings.placeholders, skip_broken=settings.skip_broken)


def judge(
    rules: RuleSet,
    events: pl.DataFrame,
    earlier: pl.DataFrame,
    period: Period,
    settings: Settings,
    source: EventSource,
) -> RuleOutcome:
    """What the rules say of the events, each of its own log source.

    ``earlier`` are those before the history, with which the habits of accounts are compared.
    """
    outcome = evaluate(
        rules,
        events,
        period,
        earlier=earlier,
        timezone=period.timezone,
        holidays=settings.holidays,
        sources=log_sources(profiles_of(source)),
    )
    return replace(outcome, episodes=within_budget(outcome.episodes, events, period))


def profiles_of(source: EventSource) -> tuple[Profile, ...]:
    """The profile that a log's files were read by, where one was given."""
    return (source.profile,) if isinstance(source, Log) and source.profile else ()


def period_of(period: Period | str, settings: Settings) -> Period:
    if isinstance(period, Period):
        return period
    return Period.parse(period, timezone=settings.timezone)


def directory_history(
    source: EventSource,
    period: Period,
    settings: Settings,
    given: DirectoryHistory | None,
) -> DirectoryHistory:
    """What the directory said before the period ended; a later pull never changes an audit."""
    if given is None and isinstance(source, Archive):
        since = history(period, settings).start
        return source.directory(period.end, since=since)
    return (given or DirectoryHistory()).before(period.end)


def directory_fields(rules: RuleSet) -> frozenset[str]:
    """The columns of the directory that some enabled rule reads."""
    fields = {name.replace(".", "_") for rule in rules.rules for name in rule.fields}
    return frozenset(MARKS) & fields


def provenance(
    coverage: Coverage, rules: RuleSet, settings: Settings, period: Period, last: Directory | None
) -> dict[str, str]:
    """What a third party needs to repeat the run: what it was made from, and by what."""
    skipped = {"rules_skipped": str(len(rules.skipped))} if rules.skipped else {}
    return {
        **describe_run(coverage, rules.digest, settings, period),
        **skipped,
        **sealed_by(last),
    }


def sealed_by(directory: Directory | None) -> dict[str, str]:
    """When the directory used was pulled, and the hash that seals it."""
    if directory is None:
        return {}
    at = directory.at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"directory_at": at, "directory_head": directory.digest}


def detect_anomalies(
    events: pl.DataFrame,
    period: Period,
    settings: Settings,
    seed: int | None,
    suppressed: Sequence[Suppression] = (),
    directory: Directory | None = None,
    run_at: datetime | None = None,
) -> AnomalyOutcome:
    """What the model says, with seed and budget of the settings and reviewers' suppressions.

    It speaks of whole days: a day that is not over at ``run_at`` (UTC) is judged by rules alone.
    """
    whole = period if run_at is None else period.whole_days(run_at)
    found = detect(
        with_catalog_context(events if whole.days else events.clear(), directory),
        whole if whole.days else period,
        seed=settings.seed if seed is None else seed,
        timezone=period.timezone,
        senders_a_week=settings.senders_weekly,
        senders_a_month=settings.senders_a_month,
        mutes=[one.mute for one in suppressed],
        circles=directory.circles if directory else None,
    )
    notes = [*found.model["notes"], *(f"{one.mute.sender_id}: {one.text}" for one in suppressed)]  # type: ignore[misc]
    if whole.end < period.end:
        left = f"{whole.days[-1]} is the last day that is over" if whole.days else "no day is over"
        notes.insert(0, f"{period} goes on: {left}; later events are judged by rules alone.")
    if settings.sets_senders_a_day:
        notes.append(
            f"The setting senders_a_day is deprecated: {settings.senders_a_day} a day count as "
            f"senders_a_week = {settings.senders_weekly}."
        )
    return replace(found, model={**found.model, "notes": notes})


def apply_review(
    audit: Audit,
    journal: Journal,
    earlier: Sequence[SignedMonth] = (),
    ledger: CaseLedger | None = None,
) -> Audit:
    """The audit with decisions and exceptions of a journal, and states against signed months.

    ``ledger`` has the cases shown before; None keeps the audit's.
    """
    ledger = audit.ledger if ledger is None else ledger
    names = {rule.id: rule.name for rule in audit.rules.rules}
    findings = mark_states(apply_journal(audit.findings, journal, rule_names=names), earlier)
    cases, findings = build_cases(
        findings,
        audit.events,
        silences=[rule.id for rule in audit.rules.rules if is_silence(rule)],
        known=ledger.cases,
    )
    return replace(
        audit,
        findings=findings,
        cases=case_states(cases, findings, journal, ledger, audit.period.label),
        ledger=ledger,
        rule_health=with_precision(audit.rule_health, rule_precision(findings, journal)),
        journal=journal,
        exceptions=exceptions_used(findings, journal, today=audit.run_at.date()),
        earlier=tuple(earlier),
    )


def is_silence(rule: Rule) -> bool:
    """Whether a rule tells of something that stopped."""
    return isinstance(rule.body, Behaviour) and rule.body.type == "silence"


def ledger_of(journal: Journal) -> CaseLedger:
    """The cases that were shown before, as noted beside the journal."""
    return CaseLedger() if journal.path is None else read_ledger(ledger_path(journal.path))


def journal_of(
    source: EventSource, settings: Settings, given: Journal | Path | str | None
) -> Journal:
    """The journal given, else the one in the settings, else the one beside the archive."""
    if isinstance(given, Journal):
        return given
    path = Path(given) if given is not None else settings.journal
    if path is None and isinstance(source, Archive):
        path = beside(source.path, JOURNAL)
    return Journal() if path is None else read_journal(path)


def prior_sign_offs(
    source: EventSource, journal: Journal, period: Period
) -> tuple[SignedMonth, ...]:
    """The signed months before the period, from the folder beside the journal.

    Raises IntegrityError when they are not those that the archive's head covers.
    """
    if journal.path is None:
        return ()
    folder = signed_folder(journal.path)
    if isinstance(source, Archive) and folder.absolute() == source.signed.absolute():
        source.refuse_uncovered("signed")
    return months_before(read_sign_offs(folder), period)


def products(events: pl.DataFrame, source: EventSource) -> tuple[str, ...]:
    """The shipped folders of rules that are about the log: those of its products.

    An archive is Secoda's, and so is taken to be a frame that names no generation.
    """
    generations = set(events["generation"].unique())
    if isinstance(source, Archive) or not generations:
        return ("secoda",)
    sources = log_sources(profiles_of(source))
    held = {sources.get(one) for one in generations}
    if UNNAMED in generations:
        held.add(sources["secoda"])
    return tuple(one.name for one in shipped_profiles() if sources[one.name] in held)
