"""What the journal says about findings: decisions carried over, exceptions counted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import polars as pl

from auditlens.findings import FINDING_SCHEMA
from auditlens.triage.entry import FindingException
from auditlens.triage.journal import Journal

__all__ = [
    "EXCEPTION_SCHEMA",
    "apply_journal",
    "covers",
    "decision_words",
    "exceptions_used",
    "unmatched",
]

MODELS = ("sender-day", "identity", "resource-day")
"""What stands in place of a rule in a finding of the model; an exception may name it."""

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


def decision_words(verdict: str) -> str:
    """A verdict of the journal as findings and reports spell it: ``needs work``."""
    return verdict.replace("_", " ")


def apply_journal(
    findings: pl.DataFrame, journal: Journal, *, rule_names: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Return ``findings`` with ``disposition`` and ``exception_id`` as the journal has them.

    The latest decision about a finding counts. An exception holds for a finding that ended on
    or before its last day; of several the one with the smallest id is named. ``rule_names``
    maps a rule's id to its name, so that exceptions may use either.
    """
    decided = {name: decision_words(one.verdict) for name, one in journal.latest.items()}
    disposition = pl.col("finding_id").replace_strict(decided, default=None, return_dtype=pl.String)
    held = [
        pl.when(covers(one.match, rule_names or {}, one.until)).then(pl.lit(one.id))
        for one in sorted(journal.exceptions, key=lambda one: one.id)
    ]
    return findings.with_columns(
        disposition.alias("disposition"),
        pl.coalesce([*held, pl.lit(None, pl.String)]).alias("exception_id"),
    ).select(pl.col(name).cast(dtype) for name, dtype in FINDING_SCHEMA.items())


def covers(
    match: Mapping[str, str], rule_names: Mapping[str, str], until: date | None = None
) -> pl.Expr:
    """Whether a finding is one that an exception expects; ``until`` None asks for all times."""
    parts = [pl.lit(value=True) if until is None else pl.col("last_at").dt.date() <= until]
    for key, value in match.items():
        if key == "rule":
            ids = [rule for rule, name in rule_names.items() if value in (rule, name)]
            parts.append(pl.col("rule_id").is_in([value, *ids]))
        elif key == "family":
            first = pl.col("reasons").list.first().struct.field("family")
            parts.append(first == value)
        else:
            subject = pl.col("subject_id", "subject_label").str.to_lowercase() == value.lower()
            parts += [pl.col("subject_kind") == key, pl.any_horizontal(subject)]
    return pl.all_horizontal(parts).fill_null(value=False)


def exceptions_used(findings: pl.DataFrame, journal: Journal, *, today: date) -> pl.DataFrame:
    """Every exception with how many findings it hid (EXCEPTION_SCHEMA), ended ones too."""
    hidden = dict(findings.group_by("exception_id").len().iter_rows())
    rows = [
        {
            "exception_id": one.id,
            "match": one.scope,
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


def unmatched(
    exceptions: Iterable[FindingException], rule_names: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Ids of exceptions whose rule is not loaded, each with a sentence that says so."""
    known = sorted({*MODELS, *rule_names, *rule_names.values()})
    found = []
    for one in exceptions:
        rule = one.match.get("rule")
        if rule is not None and rule not in known:
            near = difflib.get_close_matches(rule, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            found.append((one.id, f"no rule is called '{rule}'{hint}"))
    return tuple(found)
