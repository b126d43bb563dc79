"""What the journal says about findings: decisions, exceptions, how often rules were right."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from auditlens.findings import FINDING_SCHEMA
from auditlens.triage.journal import FindingException, Journal, entry_line, exception_id

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
FALSE_ALARMS = 5
"""So many findings of one rule decided benign call for tuning it."""
HINT_DAYS = 90
COUNTED = {"true_positive": True, "accepted_risk": True, "benign": False}
PRECISION_SCHEMA = {
    "rule_id": pl.String(),
    "decided": pl.Int64(),
    "false_alarms": pl.Int64(),
    "precision": pl.Float64(),
}


def decision_words(verdict: str) -> str:
    """A verdict of the journal as findings and reports spell it: ``needs work``."""
    return verdict.replace("_", " ")


def apply_journal(
    findings: pl.DataFrame, journal: Journal, *, rule_names: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Lay a journal over findings.

    The latest decision about a finding counts. An exception holds for a finding that ended on
    or before its last day; of several the one with the smallest id is named.

    Args:
        findings: Findings (FINDING_SCHEMA).
        journal: What reviewers wrote.
        rule_names: A rule's id to its name, so that exceptions may use either.

    Returns:
        The findings with ``disposition`` and ``exception_id`` as the journal has them.
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
            "status": exception_status(one, today),
            "hidden": hidden.get(one.id, 0),
        }
        for one in journal.exceptions
    ]
    return pl.DataFrame(rows, schema=EXCEPTION_SCHEMA).sort("until", "exception_id")


def exception_status(exception: FindingException, today: date) -> str:
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


@dataclass(frozen=True)
class Tuning:
    """A rule that keeps being wrong, and a line for the journal that only lacks its approver."""

    rule_id: str
    decided: int
    false_alarms: int
    subject: str
    line: str


def counted_decisions(findings: pl.DataFrame, journal: Journal) -> list[tuple[str, str, str, bool]]:
    """Rule, subject, its kind and whether it was right, of each decision that counts.

    What a finding of this period was about is taken from the finding; of any other period
    from what the journal noted beside the decision.
    """
    columns = ("finding_id", "rule_id", "subject_id", "subject_kind")
    about = {row[0]: row[1:] for row in findings.select(columns).iter_rows()}
    found = []
    for name, one in sorted(journal.latest.items()):
        rule, subject, kind = about.get(name, (one.rule, one.subject, ""))
        if rule and one.verdict in COUNTED:
            found.append((rule, subject or "", kind or "", COUNTED[one.verdict]))
    return found


def rule_precision(findings: pl.DataFrame, journal: Journal) -> pl.DataFrame:
    """Per rule (or model): ``decided`` findings, ``false_alarms`` and ``precision``.

    ``precision`` is the share of decided findings, of every period in the journal, that were
    true positives or accepted risks. Duplicates and open work are not counted.
    """
    all_of: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for rule, _, _, right in counted_decisions(findings, journal):
        all_of[rule] += 1
        wrong[rule] += not right
    rows = [(rule, n, wrong[rule], round(1 - wrong[rule] / n, 6)) for rule, n in all_of.items()]
    return pl.DataFrame(rows, schema=PRECISION_SCHEMA, orient="row").sort("rule_id")


def with_precision(health: pl.DataFrame, precision: pl.DataFrame) -> pl.DataFrame:
    """Rule health with ``decided``, ``false_alarms`` and ``precision`` (null: none decided)."""
    bare = health.drop("decided", "false_alarms", "precision", strict=False)
    return bare.join(precision, on="rule_id", how="left", maintain_order="left").with_columns(
        pl.col("decided", "false_alarms").fill_null(0)
    )


def tuning_hints(findings: pl.DataFrame, journal: Journal, now: datetime) -> tuple[Tuning, ...]:
    """A hint for each rule with FALSE_ALARMS benign decisions or more.

    When one subject caused most of them the exception names it, else the rule alone.
    """
    wrong: dict[str, list[tuple[str, str]]] = {}
    all_of: Counter[str] = Counter()
    for rule, subject, kind, right in counted_decisions(findings, journal):
        all_of[rule] += 1
        if not right:
            wrong.setdefault(rule, []).append((subject, kind))
    return tuple(
        tuning_hint(rule, all_of[rule], alarms, journal, now)
        for rule, alarms in sorted(wrong.items())
        if len(alarms) >= FALSE_ALARMS
    )


def tuning_hint(
    rule: str, count: int, alarms: list[tuple[str, str]], journal: Journal, now: datetime
) -> Tuning:
    (subject, times), *_ = sorted(
        Counter(subject for subject, _ in alarms).items(), key=lambda item: (-item[1], item[0])
    )
    kinds = {kind for one, kind in alarms if one == subject and kind in ("sender", "resource")}
    match = {"rule": rule}
    if subject and kinds and times * 2 > len(alarms):
        match[min(kinds)] = subject
    last = max(journal.dispositions, key=lambda one: one.at)
    entry = {
        "exception": exception_id(match, now),
        **match,
        "owner": last.reviewer,
        "reason": f"{len(alarms)} of {count} decided findings were benign",
        "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{(now + timedelta(days=HINT_DAYS)).date()}",
    }
    # Without an approver the journal refuses the line: somebody has to put a name there.
    line = entry_line(entry).rstrip().replace(', reason: "', ', approver: "", reason: "', 1)
    return Tuning(rule, count, len(alarms), match.get("sender", ""), line)
