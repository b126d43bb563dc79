"""What the journal says about findings: decisions carried over, exceptions counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from auditlens.findings import FINDING_SCHEMA
from auditlens.triage.journal import FindingException, Journal

__all__ = ["EXCEPTION_SCHEMA", "apply_journal", "exceptions_used", "rule_precision"]

WARN_BEFORE = timedelta(days=14)

EXCEPTION_SCHEMA: dict[str, pl.DataType] = {
    "exception_id": pl.String(),
    "match": pl.String(),
    "owner": pl.String(),
    "approver": pl.String(),
    "reason": pl.String(),
    "ticket": pl.String(),
    "added": pl.Date(),
    "until": pl.Date(),
    "status": pl.String(),
    "hidden": pl.Int64(),
}
"""One row an exception; ``status`` is active, ending (within 14 days) or ended."""


def apply_journal(
    findings: pl.DataFrame, journal: Journal, *, rule_names: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Return ``findings`` with ``disposition`` and ``exception_id`` as the journal has them.

    The latest decision about a finding counts. An exception holds for a finding that ended on
    or before its last day; of several the one with the smallest id is named. ``rule_names``
    maps a rule's id to its name, so that exceptions may use either.
    """
    decided = {one.finding: one.verdict for one in journal.dispositions}
    disposition = pl.col("finding_id").replace_strict(decided, default=None, return_dtype=pl.String)
    nothing: pl.Expr = pl.lit(None, pl.String)
    held = [
        nothing.fill_null(pl.when(covers(one, rule_names or {})).then(pl.lit(one.id)))
        for one in sorted(journal.exceptions, key=lambda one: one.id)
    ]
    return findings.with_columns(
        disposition.alias("disposition"), pl.coalesce([*held, nothing]).alias("exception_id")
    ).select(pl.col(name).cast(dtype) for name, dtype in FINDING_SCHEMA.items())


def covers(exception: FindingException, rule_names: Mapping[str, str]) -> pl.Expr:
    """Whether a finding is one that the exception expects."""
    ended = pl.col("last_at").dt.date() <= exception.until
    parts = [ended]
    for key, value in exception.match.items():
        if key == "rule":
            ids = [rule for rule, name in rule_names.items() if value in (rule, name)]
            parts.append(pl.col("rule_id").is_in([value, *ids]))
        elif key == "family":
            first = pl.col("reasons").list.first().struct.field("family")
            parts.append(first == value)
        else:
            parts.append(pl.col("subject_kind") == key)
            subject = pl.col("subject_id", "subject_label").str.to_lowercase() == value.lower()
            parts.append(pl.any_horizontal(subject))
    return pl.all_horizontal(parts).fill_null(value=False)


def exceptions_used(findings: pl.DataFrame, journal: Journal, *, today: date) -> pl.DataFrame:
    """Every exception with how many findings it hid (EXCEPTION_SCHEMA), ended ones too."""
    hidden = dict(findings.group_by("exception_id").len().iter_rows())
    rows = [
        {
            "exception_id": one.id,
            "match": ", ".join(f"{key} {value}" for key, value in sorted(one.match.items())),
            "owner": one.owner,
            "approver": one.approver,
            "reason": one.reason,
            "ticket": one.ticket,
            "added": one.at.date(),
            "until": one.until,
            "status": status(one, today),
            "hidden": hidden.get(one.id, 0),
        }
        for one in journal.exceptions
    ]
    return pl.DataFrame(rows, schema=EXCEPTION_SCHEMA).sort("until", "exception_id")


def status(exception: FindingException, today: date) -> str:
    if exception.until < today:
        return "ended"
    return "ending" if exception.until <= today + WARN_BEFORE else "active"


def rule_precision(findings: pl.DataFrame) -> pl.DataFrame:
    """Per rule: decided findings, false alarms and precision, from dispositions.

    Columns ``rule_id``, ``decided``, ``false_alarms``, ``precision`` (share of decided findings
    that were true positives or accepted risks). Duplicates and open work are not counted.
    """
    counted = findings.filter(
        pl.col("disposition").is_in(["true_positive", "accepted_risk", "benign"])
    )
    false_alarm = (pl.col("disposition") == "benign").sum().cast(pl.Int64)
    return (
        counted.group_by("rule_id")
        .agg(pl.len().cast(pl.Int64).alias("decided"), false_alarm.alias("false_alarms"))
        .with_columns((1 - pl.col("false_alarms") / pl.col("decided")).round(6).alias("precision"))
        .sort("rule_id")
    )
