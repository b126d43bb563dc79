"""Why a finding was made, or what a case is: events, what is usual, rules, decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import polars as pl

from auditlens.anomalies import (
    BAND_COUNTS,
    baseline_bands,
    counts_of,
    hour_grid,
    sender_timeline,
)
from auditlens.cases import JOINED_BY, case_timeline, why_raised
from auditlens.errors import UsageError
from auditlens.plots import Audited, finding_of
from auditlens.rules import Rule, RuleSet, explain_rule
from auditlens.text import cell_table, cell_text, count, cut, visible
from auditlens.triage import CaseLedger, Disposition, FindingException, Journal, decision_words

__all__ = ["CaseExplanation", "Explanation", "case_named", "explain_case", "explain_finding"]

EVENTS_SHOWN = 10
"""How many events the printed text lists; ``events`` holds them all."""

SUBJECTS = {"sender": "sender_id", "resource": "resource_id"}


class Explained(Audited, Protocol):
    """An audit that can be explained: what is drawn, and its rules and journal."""

    @property
    def rules(self) -> RuleSet: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def cases(self) -> pl.DataFrame: ...
    @property
    def ledger(self) -> CaseLedger: ...


@dataclass(frozen=True)
class RuleTold:
    """A rule as a reader needs it: ``condition`` is its logic in plain English."""

    id: str
    name: str
    title: str
    level: str
    description: str
    condition: str
    falsepositives: tuple[str, ...]
    path: str


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """One finding with all it rests on; ``print`` shows it as text, a notebook as a table.

    Attributes:
        finding: Its row (FINDING_SCHEMA).
        events: The events it lists that lie in period or history (EVENT_SCHEMA), in order of time.
        timeline: ``day``, ``action_group`` and ``events`` of its subject, period and history.
        hours: ``weekday``, ``hour``, ``usual`` and ``now`` of its subject; empty where the subject
            has no events.
        bands: For each count that moved ``day``, ``value``, ``low``, ``typical`` and ``high``.
        rule: The rule that made it; None for an anomaly.
        decisions: Those of the journal about this finding, oldest first.
        exception: The exception that expects it, if there is one.
        timezone: IANA name of the zone of days and hours.
    """

    finding: Mapping[str, Any]
    events: pl.DataFrame
    timeline: pl.DataFrame
    hours: pl.DataFrame
    bands: Mapping[str, pl.DataFrame]
    rule: RuleTold | None
    decisions: tuple[Disposition, ...]
    exception: FindingException | None
    timezone: str

    @property
    def days(self) -> tuple[date, ...]:
        """The local days on which the listed events lie, or the finding's first and last."""
        return event_days(self.events, self.finding, self.timezone)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists and mappings, for JSON."""
        return {
            "finding": dict(self.finding),
            "events": self.events.drop("leaf").to_dicts(),
            "timeline": self.timeline.to_dicts(),
            "hours": self.hours.to_dicts(),
            "bands": {name: frame.to_dicts() for name, frame in self.bands.items()},
            "rule": None if self.rule is None else vars(self.rule),
            "decisions": [shown_entry(one) for one in self.decisions],
            "exception": None if self.exception is None else shown_entry(self.exception),
        }

    def __repr__(self) -> str:
        return f"Explanation({self.finding['finding_id']}, {count(self.events.height, 'event')})"

    def __str__(self) -> str:
        finding = self.finding
        lines = [f"{finding['finding_id']}  {finding['level']}  {visible(finding['title'])}"]
        for name, value in self.facts():
            text = visible_lines(value)
            lines += [f"{name + ':':<12}{text[0]}", *(f"{'':<12}{line}" for line in text[1:])]
        shown = self.events.head(EVENTS_SHOWN)
        for row in shown.select("created_at", "event", "resource_title", "id").iter_rows():
            at, *texts = row
            told = "  ".join(cut(visible(one), 60) for one in texts if one)
            lines.append(f"  {at:%Y-%m-%d %H:%M} UTC  {told}")
        if self.events.height > EVENTS_SHOWN:
            lines.append(f"  and {self.events.height - EVENTS_SHOWN:,} more in .events")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        finding = self.finding
        title = f"{finding['finding_id']} {finding['level']} {finding['title']}"
        return cell_table(title, self.facts())

    def facts(self) -> list[tuple[str, object]]:
        """What a reader is told of the finding, each with its name."""
        finding = self.finding
        name, subject = finding["subject_label"], finding["subject_id"]
        facts: list[tuple[str, object]] = [
            (str(finding["subject_kind"]), f"{name} ({subject})" if name else subject),
            ("from", finding["first_at"]),
            ("to", finding["last_at"]),
        ]
        facts += [(f"reason {at}", one["text"]) for at, one in enumerate(finding["reasons"], 1)]
        if self.rule is not None:
            facts.append(("rule", f"{self.rule.name}: {self.rule.condition}"))
        facts += [
            ("decided", f"{decision_words(one.verdict)} by {one.reviewer}: {one.reason}")
            for one in self.decisions
        ]
        if self.exception is not None:
            facts.append(("expected", f"until {self.exception.until}: {self.exception.reason}"))
        return [*facts, ("events", finding["event_count"])]


@dataclass(frozen=True, eq=False, repr=False)
class CaseExplanation:
    """One case with all it rests on; ``print`` shows it as text, a notebook as a table.

    Attributes:
        case: Its row (CASE_SCHEMA).
        timeline: Its findings in order of time (FINDING_SCHEMA) with ``within``: the id of the
            finding that holds all its events, else null.
        events: The events of the period that it rests on (EVENT_SCHEMA), in order of time, with
            ``findings``: the ids of those they belong to.
        raised: Why it is of a higher level than its findings; empty where it is not.
    """

    case: Mapping[str, Any]
    timeline: pl.DataFrame
    events: pl.DataFrame
    raised: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists and mappings, for JSON."""
        return {
            "case": dict(self.case),
            "timeline": self.timeline.to_dicts(),
            "events": self.events.drop("leaf").to_dicts(),
        }

    def __repr__(self) -> str:
        return f"CaseExplanation({self.case['case_id']}, {count(self.timeline.height, 'finding')})"

    def __str__(self) -> str:
        lines = [f"{self.case['case_id']}  {self.case['level']}  {visible(self.case['headline'])}"]
        for name, value in self.facts():
            text = visible_lines(value)
            lines += [f"{name + ':':<12}{text[0]}", *(f"{'':<12}{line}" for line in text[1:])]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = f"{self.case['case_id']} {self.case['level']} {self.case['headline']}"
        return cell_table(title, self.facts())

    def facts(self) -> list[tuple[str, object]]:
        """What a reader is told of the case, each with its name."""
        case = self.case
        facts: list[tuple[str, object]] = [("from", case["first_at"]), ("to", case["last_at"])]
        if case["joined_by"]:
            facts.append(("joined by", ", ".join(JOINED_BY[one] for one in case["joined_by"])))
        if self.raised:
            facts.append(("raised", f"from {case['level_from']} because {self.raised}"))
        columns = ("finding_id", "level", "title", "reasons", "within")
        for name, level, title, reasons, within in self.timeline.select(columns).iter_rows():
            why = [one["text"] for one in reasons[:1]]
            inside = [f"within {within}"] if within else []
            facts.append((name, "; ".join([f"{level}: {title}", *why, *inside])))
        state = case["state"] if case["decide"] else f"{case['state']}, an observation"
        return [
            *facts,
            ("state", f"{state}: {case['disposition']}" if case["disposition"] else state),
            ("events", case["event_count"]),
        ]


def case_named(audit: Explained, name: str) -> dict[str, Any]:
    """A case by its id, or by one it had before it became one with another.

    Raises UsageError when the audit has none of this id.
    """
    for row in audit.cases.filter(case_id=audit.ledger.merged.get(name, name)).to_dicts():
        return row
    raise UsageError(
        f"No case {name!r} in {audit.period}",
        fix="Run 'auditlens check' with the same log and period for their ids",
    )


def explain_case(audit: Explained, name: str) -> CaseExplanation:
    """Explain a case of an audit.

    Args:
        audit: The audit.
        name: The case's id, or one it had before it became one with another.

    Returns:
        The case with its findings and events.

    Raises:
        UsageError: The audit has no case of this id.
    """
    case = case_named(audit, name)
    lines = case_timeline(case, audit.findings)
    rows = [{**line.finding, "within": line.within} for line in lines]
    schema = {**audit.findings.schema, "within": pl.String()}
    listed = pl.DataFrame(rows, schema=schema)
    ids = listed.explode("event_ids").group_by("event_ids").agg(findings=pl.col("finding_id"))
    events = audit.past.join(ids, left_on="id", right_on="event_ids").sort("created_at", "id")
    raised = why_raised(case, [line.finding for line in lines])
    return CaseExplanation(case, listed, events, raised)


def explain_finding(audit: Explained, finding_id: str) -> Explanation:
    """Explain a finding of an audit.

    Args:
        audit: The audit.
        finding_id: Its id (``F-…``).

    Returns:
        The finding with the events, baselines, rule and decisions it rests on.

    Raises:
        UsageError: The audit has no such finding.
    """
    finding = finding_of(audit, finding_id)
    zone, past = audit.period.timezone, audit.past
    events = past.filter(pl.col("id").is_in(finding["event_ids"])).sort("created_at", "id", "leaf")
    timeline, hours, bands = surroundings(past, finding, events, zone)
    rule = next((one for one in audit.rules.rules if one.id == finding["rule_id"]), None)
    held = {one.id: one for one in audit.journal.exceptions}
    return Explanation(
        finding=finding,
        events=events,
        timeline=timeline,
        hours=hours,
        bands=bands,
        rule=None if rule is None else told(audit.rules, rule),
        decisions=audit.journal.history(finding_id),
        exception=held.get(finding["exception_id"] or ""),
        timezone=zone,
    )


def surroundings(
    past: pl.DataFrame, finding: Mapping[str, Any], events: pl.DataFrame, zone: str
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, pl.DataFrame]]:
    """Timeline, hours and bands of whom or what the finding is about."""
    column = SUBJECTS.get(finding["subject_kind"])
    # A resource is looked at as a sender is: by the events that carry its id.
    about = past if column is None else past.filter(pl.col(column) == finding["subject_id"])
    about = about.with_columns(sender_id=pl.lit("subject"))
    if about.is_empty():
        return EMPTY_TIMELINE, EMPTY_HOURS, {}
    days = list(event_days(events, finding, zone))
    timeline = sender_timeline(about, "subject", timezone=zone)
    hours = hour_grid(about, "subject", days, timezone=zone)
    moved = {
        count: baseline_bands(about, "subject", count, timezone=zone) for count in moved_by(finding)
    }
    return timeline, hours, moved


EMPTY_TIMELINE = pl.DataFrame(
    schema={"day": pl.Date(), "action_group": pl.String(), "events": pl.Int64()}
)
EMPTY_HOURS = pl.DataFrame(
    schema={"weekday": pl.Int8(), "hour": pl.Int8(), "usual": pl.Int64(), "now": pl.Int64()}
)


def moved_by(finding: Mapping[str, Any]) -> list[str]:
    """The counts the reasons speak of and a band can be drawn for; always the events."""
    counted = [name for name in counts_of(finding["reasons"]) if name in BAND_COUNTS]
    return list(dict.fromkeys(["events", *counted]))


def visible_lines(value: object) -> list[str]:
    """A fact as lines of text, none of it hidden."""
    return [visible(line) for line in cell_text(value).splitlines()] or [""]


def event_days(events: pl.DataFrame, finding: Mapping[str, Any], zone: str) -> tuple[date, ...]:
    moments = events["created_at"]
    if moments.is_empty():
        moments = pl.Series([finding["first_at"], finding["last_at"]], dtype=moments.dtype)
    return tuple(moments.dt.convert_time_zone(zone).dt.date().unique().sort().to_list())


def told(rules: RuleSet, rule: Rule) -> RuleTold:
    return RuleTold(
        id=rule.id,
        name=rule.name,
        title=rule.title,
        level=rule.level,
        description=rule.description,
        condition=explain_rule(rules, rule.id),
        falsepositives=rule.falsepositives,
        path=rule.path.name,
    )


def shown_entry(entry: Disposition | FindingException) -> dict[str, Any]:
    """An entry of the journal as plain values, without its line."""
    parts = {name: value for name, value in vars(entry).items() if name != "line"}
    return {name: dict(one) if isinstance(one, Mapping) else one for name, one in parts.items()}
