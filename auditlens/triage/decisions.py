"""What the journal says about findings: decisions, exceptions, how often rules were right."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from auditlens.cases import CASE_SCHEMA, KnownCase
from auditlens.findings import FINDING_SCHEMA, FOR_THE_RECORD, LEVELS, UNFINISHED
from auditlens.triage.journal import (
    Disposition,
    FindingException,
    Journal,
    entry_line,
    exception_id,
)
from auditlens.triage.ledger import CaseLedger

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
    """A verdict of the journal as findings and reports spell it.

    Args:
        verdict: One of VERDICTS, such as ``needs_work``.

    Returns:
        Its words, such as ``needs work``.
    """
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


def case_states(
    cases: pl.DataFrame, findings: pl.DataFrame, journal: Journal, ledger: CaseLedger, period: str
) -> pl.DataFrame:
    """Cases with what the journal decided about them.

    A case is decided when each of its findings is, or when a decision about the case was made and
    what joined it since is of a kind and level that the decision saw. A finding of a new kind or
    of a higher level, or a case that was undecided and became one with it, reopens it.

    Args:
        cases: Cases (CASE_SCHEMA).
        findings: Their findings, with dispositions, exceptions and ``case_id``.
        journal: What reviewers wrote.
        ledger: The cases that were shown before.
        period: Label of the period: a case that was shown in an earlier one goes on.

    Returns:
        The cases with ``state``, ``disposition``, ``decided_on``, ``joined_after`` and
        ``continues``.
    """
    rows = findings.select("finding_id", "rule_id", "level", "disposition", "exception_id")
    members = {row["finding_id"]: row for row in rows.iter_rows(named=True)}
    known = {one.id: one for one in ledger.cases}
    by_case: dict[str, list[Disposition]] = {}
    for one in journal.dispositions:
        if one.case:
            by_case.setdefault(ledger.merged.get(one.case, one.case), []).append(one)
    shown_as = {name: one.case for one in ledger.lines for name, _, _ in one.members}
    told = []
    for row in cases.iter_rows(named=True):
        mine = [members[name] for name in row["finding_ids"]]
        before = known.get(row["case_id"])
        state = case_state(mine, by_case.get(row["case_id"], []), journal, before, shown_as)
        earlier = before is not None and any(one != period for one in before.periods)
        earlier = earlier and before is not None and before.first_at < row["first_at"]
        told.append({**state, "continues": bool(row["continues"] or earlier)})
    columns = ("state", "disposition", "decided_on", "joined_after", "continues")
    schema = {name: CASE_SCHEMA[name] for name in columns}
    return cases.with_columns(pl.DataFrame(told, schema=schema).get_columns())


def case_state(
    members: list[dict[str, Any]],
    decisions: list[Disposition],
    journal: Journal,
    known: KnownCase | None,
    shown_as: Mapping[str, str],
) -> dict[str, Any]:
    """State, disposition and day of one case; ``decisions`` are those about the case itself."""
    visible = [one for one in members if one["exception_id"] is None]
    asked = [one for one in visible if one["level"] != FOR_THE_RECORD] or visible
    made = [journal.latest[one["finding_id"]] for one in asked if one["disposition"]]
    undecided = [one for one in asked if not one["disposition"]]
    last = max(decisions, key=lambda one: one.at) if decisions else None
    words = {decision_words(one.verdict) for one in made}
    if last is not None and undecided:
        words = {decision_words(last.verdict)}
    nothing = {"state": "new", "disposition": None, "decided_on": None, "joined_after": 0}
    told = nothing | {
        "disposition": "mixed" if len(words) > 1 else next(iter(words), None),
        "decided_on": max((one.at for one in made), default=last.at if last else None),
    }
    if not visible:
        return {**told, "state": "excepted"}
    if not undecided:
        return {**told, "state": "in progress" if UNFINISHED in words else "decided"}
    if last is None:
        return nothing
    if words == {UNFINISHED}:
        return {**told, "state": "in progress"}
    same = [one for one in decisions if one.at == last.at]
    if reopens(undecided, same, members, known, shown_as):
        return {**told, "state": "reopened"}
    return {**told, "state": "decided", "joined_after": len(undecided)}


def reopens(
    late: list[dict[str, Any]],
    decisions: list[Disposition],
    members: list[dict[str, Any]],
    known: KnownCase | None,
    shown_as: Mapping[str, str],
) -> bool:
    """Whether findings that joined after a decision ask for another one."""
    decided = {one.finding for one in decisions}
    seen = {one["finding_id"]: (one["rule_id"], one["level"]) for one in members}
    seen |= {name: (kind, level) for name, kind, level in known.members} if known else {}
    kinds = {seen[name][0] for name in decided if name in seen} | {one.rule for one in decisions}
    levels = [LEVELS.index(seen[name][1]) for name in decided if name in seen]
    for one in late:
        if one["rule_id"] not in kinds or LEVELS.index(one["level"]) > max(levels, default=-1):
            return True
        # It was a case of its own that nobody decided, before it became one with this.
        if shown_as.get(one["finding_id"], "") not in ("", *(d.case for d in decisions)):
            return True
    return False


def covers(
    match: Mapping[str, str], rule_names: Mapping[str, str], until: date | None = None
) -> pl.Expr:
    """Whether a finding is one that an exception expects.

    Args:
        match: One or more of rule, sender, resource and family; all must fit.
        rule_names: Names of the rules by their ids: ``match`` may hold either.
        until: The last day (UTC) of the exception; default: all times.

    Returns:
        A Boolean expression over FINDING_SCHEMA, never null.
    """
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
    """Every exception with how many findings it hid, ended ones too.

    Args:
        findings: The findings of the period (FINDING_SCHEMA), with those that exceptions hid.
        journal: The exceptions.
        today: The day (UTC) for which ``status`` is told.

    Returns:
        One row an exception (EXCEPTION_SCHEMA), sorted by ``until`` and ``exception_id``.
    """
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
    """Exceptions whose rule is not loaded.

    Args:
        exceptions: Which to look at.
        rule_names: Names of the loaded rules by their ids.

    Returns:
        Pairs of an exception's id and a sentence that says so, in the order of ``exceptions``.
    """
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
    from what the journal noted beside the decision. A decision about a case counts once for
    each rule in it, however many findings the rule has there.
    """
    columns = ("finding_id", "rule_id", "subject_id", "subject_kind")
    about = {row[0]: row[1:] for row in findings.select(columns).iter_rows()}
    found = []
    counted = set()
    for name, one in sorted(journal.latest.items()):
        rule, subject, kind = about.get(name, (one.rule, one.subject, ""))
        if one.case and (one.case, one.at, rule) in counted:
            continue
        if rule and one.verdict in COUNTED:
            counted.add((one.case, one.at, rule))
            found.append((rule, subject or "", kind or "", COUNTED[one.verdict]))
    return found


def rule_precision(findings: pl.DataFrame, journal: Journal) -> pl.DataFrame:
    """How often each rule, or model, was right, by the decisions in the journal.

    Duplicates and open work are not counted. A decision about a case counts once for each rule in
    it.

    Args:
        findings: The findings of this period (FINDING_SCHEMA).
        journal: Decisions about findings of every period.

    Returns:
        One row a rule that has decided findings, sorted by ``rule_id``: ``decided`` findings,
        ``false_alarms`` among them, and ``precision``: the share that were true positives or
        accepted risks.
    """
    all_of: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for rule, _, _, right in counted_decisions(findings, journal):
        all_of[rule] += 1
        wrong[rule] += not right
    rows = [(rule, n, wrong[rule], round(1 - wrong[rule] / n, 6)) for rule, n in all_of.items()]
    return pl.DataFrame(rows, schema=PRECISION_SCHEMA, orient="row").sort("rule_id")


def with_precision(health: pl.DataFrame, precision: pl.DataFrame) -> pl.DataFrame:
    """Rule health with the precision of each rule.

    Args:
        health: One row a rule, with ``rule_id``.
        precision: What :func:`rule_precision` gives.

    Returns:
        The same rows in the same order with ``decided``, ``false_alarms`` and ``precision`` (null:
        none decided).
    """
    bare = health.drop("decided", "false_alarms", "precision", strict=False)
    return bare.join(precision, on="rule_id", how="left", maintain_order="left").with_columns(
        pl.col("decided", "false_alarms").fill_null(0)
    )


def tuning_hints(findings: pl.DataFrame, journal: Journal, now: datetime) -> tuple[Tuning, ...]:
    """A hint for each rule with FALSE_ALARMS benign decisions or more.

    Args:
        findings: The findings of this period (FINDING_SCHEMA).
        journal: Decisions about findings of every period.
        now: When the proposed exception would be made, in UTC.

    Returns:
        Hints sorted by rule. Their exception names the subject that caused most of the benign
        findings; where none did, the rule alone.
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
