"""What an exception would have hidden in the months the archive holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from auditlens.archive import Archive
from auditlens.audit import run_audit
from auditlens.findings import FINDING_SCHEMA
from auditlens.period import Period, zone
from auditlens.rules import RuleSet
from auditlens.seals import SignOffChain
from auditlens.settings import Settings
from auditlens.triage import Journal, covers, signed_findings


@dataclass(frozen=True)
class ExceptionTrial:
    """Which findings of one past month an exception would have hidden.

    Attributes:
        label: The month, such as ``2026-10``.
        source: ``signed`` (the findings as they were signed) or ``run again`` (with the rules and
            the archive of today).
        findings: How many findings the month has.
        hidden: Those that the exception fits (FINDING_SCHEMA).
        subjects: How many subjects the findings of the month have.
        rules: How many rules, or models, they are of.
    """

    label: str
    source: str
    findings: int
    hidden: pl.DataFrame
    subjects: int = 0
    rules: int = 0


def past_months(archive: Archive, settings: Settings, count: int, now: datetime) -> list[Period]:
    """The last whole months that an archive touches.

    Args:
        archive: The log.
        settings: Their time zone is that of the months.
        count: How many months at most.
        now: The time of the run, in UTC; its month is not whole.

    Returns:
        Months, oldest first; none where the archive holds no event.
    """
    status = archive.status(now)
    if status.first_at is None or status.last_at is None:
        return []
    local = zone(settings.timezone)
    after_last = status.last_at.astimezone(local).date().replace(day=28) + timedelta(days=4)
    day = min(now.astimezone(local).date(), after_last).replace(day=1)
    first = f"{status.first_at.astimezone(local):%Y-%m}"
    found: list[Period] = []
    while len(found) < count:
        day = (day - timedelta(days=1)).replace(day=1)
        if f"{day:%Y-%m}" < first:
            break
        found.append(Period.parse(f"{day:%Y-%m}", timezone=settings.timezone))
    return found[::-1]


def try_exception(
    match: Mapping[str, str],
    period: Period,
    *,
    archive: Archive,
    sign_offs: SignOffChain,
    rules: RuleSet,
    settings: Settings,
    now: datetime,
) -> ExceptionTrial:
    """Which findings of one past month an exception would have hidden.

    A signed month is taken as it was signed; any other is run again, without the journal. When
    the exception ends plays no part.

    Args:
        match: What the exception names: ``rule``, ``sender``, ``resource``, ``family``.
        period: The month.
        archive: The log.
        sign_offs: What was signed.
        rules: The rules of today.
        settings: The settings of today.
        now: The time of the run.

    Returns:
        The month, where its findings are from, and those of them that the exception fits.
    """
    signed = sign_offs.of(period.label)
    if signed:
        source, findings = "signed", signed_findings(signed[-1])
    else:
        audit = run_audit(
            archive, rules, period=period, settings=settings, now=now, journal=Journal(), earlier=()
        )
        source, findings = "run again", audit.findings
    names = {rule.id: rule.name for rule in rules.rules}
    hidden = findings.filter(covers(match, names)).select(list(FINDING_SCHEMA))
    subjects = findings.select("subject_kind", "subject_id").n_unique() if findings.height else 0
    return ExceptionTrial(
        label=period.label,
        source=source,
        findings=findings.height,
        hidden=hidden,
        subjects=subjects,
        rules=findings["rule_id"].n_unique() if findings.height else 0,
    )
