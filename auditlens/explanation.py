"""Why one finding was made: what moved, what is usual, which rule and events, what was decided."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import polars as pl

from auditlens.anomalies import (
    BAND_COUNTS,
    NOUNS,
    baseline_bands,
    hour_grid,
    sender_timeline,
)
from auditlens.plots import Audited, finding_of
from auditlens.rules import Rule, RuleSet
from auditlens.text import cell_table
from auditlens.triage import Disposition, FindingException, Journal, decision_words

__all__ = ["Explanation", "RuleTold", "explain_finding"]

SUBJECTS = {"sender": "sender_id", "resource": "resource_id"}


class Explained(Audited, Protocol):
    """An audit that can be explained: what is drawn, and its rules and journal."""

    @property
    def rules(self) -> RuleSet: ...
    @property
    def journal(self) -> Journal: ...


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


@dataclass(frozen=True, eq=False)
class Explanation:
    """One finding with all it rests on.

    ``finding`` is its row; ``events`` the events it lists that lie in period or history, in order
    of time. ``timeline``: day, action_group, events of the subject, period and history. ``hours``
    (senders): weekday, hour, usual, now. ``bands`` maps each count that moved to day, value, low,
    typical, high. ``rule`` is None for an anomaly. ``decisions`` are those of the journal about
    this finding, oldest first; ``exception`` the one that expects it.
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

    def _repr_html_(self) -> str:
        finding = self.finding
        rows: list[tuple[str, object]] = [
            (str(finding["subject_kind"]), finding["subject_label"] or finding["subject_id"]),
            ("level", finding["level"]),
            ("from", finding["first_at"]),
            ("to", finding["last_at"]),
            ("events", finding["event_count"]),
        ]
        rows += [(f"reason {at}", one["text"]) for at, one in enumerate(finding["reasons"], 1)]
        if self.rule is not None:
            rows.append(("rule", f"{self.rule.name}: {self.rule.condition}"))
        rows += [
            ("decided", f"{decision_words(one.verdict)} by {one.reviewer}: {one.reason}")
            for one in self.decisions
        ]
        return cell_table(f"{finding['finding_id']} {finding['title']}", rows)


def explain_finding(audit: Explained, finding_id: str) -> Explanation:
    """Explain a finding of an audit. Raises UsageError when the audit has none of this id."""
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
    found = ["events"]
    for reason in finding["reasons"]:
        for count in BAND_COUNTS:
            nouns = "|".join(re.escape(noun) for noun in NOUNS.get(count, count).split("|"))
            said = re.search(rf"(?:^|; )[0-9.e+]+ (?:{nouns})(?=$|[:;]| \()", reason["text"])
            if said and count not in found:
                found.append(count)
    return found


def event_days(events: pl.DataFrame, finding: Mapping[str, Any], zone: str) -> tuple[date, ...]:
    moments = events["created_at"]
    if moments.is_empty():
        moments = pl.Series([finding["first_at"], finding["last_at"]], dtype=moments.dtype)
    return tuple(moments.dt.convert_time_zone(zone).dt.date().unique().sort().to_list())


def told(rules: RuleSet, rule: Rule) -> RuleTold:

    from auditlens.rules import explain_rule

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
