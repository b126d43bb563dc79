"""Planted incidents: a simulated workspace, an audit of it, and what of the planted was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from auditlens.actions import classify
from auditlens.audit import run_audit
from auditlens.evaluate.measures import Outcome, found_within, judge, placed_days
from auditlens.events import conform
from auditlens.period import Period
from auditlens.simulator import Workspace, simulate

__all__ = ["DESIGN_SEEDS", "REPORTED_SEEDS", "Planted", "plant", "with_rules"]

DESIGN_SEEDS = (0, 1, 2, 10, 11, 12, 30, 31, 32, 33, 34, 35)
"""Seeds that were looked at while features were chosen."""

REPORTED_SEEDS = (20, 21, 22, 23)
"""Seeds whose results are reported and nothing else."""

HISTORY = 28
RULES_MATTER = ("medium", "high", "critical")


@dataclass(frozen=True)
class Planted:
    """What was found in one workspace: senders and resources, by the model and with rules.

    ``told`` is the share of sender incidents of which a day is in an entry that the report shows,
    by either model of senders; ``told_with_rules`` counts those that a rule tells of as well.
    ``rule_alerts`` counts rule findings of level medium and above, ``shown`` the model's.
    """

    senders: Outcome
    senders_with_rules: Outcome
    resources: Outcome
    naive: Outcome
    told: float
    told_with_rules: float
    rule_alerts: int
    shown: int


def plant(seed: int, *, strength: float = 1.0, marks: bool = True, people: int = 300) -> Planted:
    """Simulate, audit and judge one workspace; the first four weeks are history."""
    workspace = simulate(seed, strength=strength, marks=marks, people=people)
    events = classify(conform(workspace.events))
    first = (workspace.start + timedelta(days=HISTORY)).date()
    last = (workspace.end - timedelta(days=1)).date()
    audit = run_audit(events, period=Period.parse(f"{first}..{last}"))
    rules = audit.findings.filter(pl.col("kind") == "rule", pl.col("level").is_in(RULES_MATTER))
    anomalies = audit.findings.filter(pl.col("kind") == "anomaly")
    alone, resources, naive = (
        judge(scored(days), of_kind(workspace, kind), f"{kind}_id", first)
        for days, kind in (
            (audit.sender_days, "sender"),
            (audit.resource_days, "resource"),
            (naive_days(audit.sender_days), "sender"),
        )
    )
    labels = of_kind(workspace, "sender").filter(pl.col("end").dt.date() >= first)
    caught = set(caught_by_rules(rules, labels))
    told = set(told_of(anomalies, events, labels))
    return Planted(
        senders=alone,
        senders_with_rules=with_rules(scored(audit.sender_days), caught, labels, first),
        resources=resources,
        naive=naive,
        told=len(told) / max(1, len(labels)),
        told_with_rules=len(told | caught) / max(1, len(labels)),
        rule_alerts=len(rules),
        shown=len(anomalies),
    )


def of_kind(workspace: Workspace, kind: str) -> pl.DataFrame:
    return workspace.labels.filter(pl.col("subject_kind") == kind)


def scored(days: pl.DataFrame) -> pl.DataFrame:
    """Days the model stands for: neither learning nor new."""
    return days.filter(pl.col("state") == "scored")


def naive_days(days: pl.DataFrame) -> pl.DataFrame:
    """The same days scored by the forest on plain daily counts, as everybody does first."""
    from sklearn.ensemble import IsolationForest

    known = scored(days).sort("sender_id", "day")
    counts = known.select(
        "events", "resources", "read", "write", "export", "share", "permission", "delete", "admin"
    ).to_numpy()
    model = IsolationForest(n_estimators=100, random_state=0).fit(counts)
    return known.with_columns(score=-pl.Series(model.score_samples(counts)))


def with_rules(
    known: pl.DataFrame, caught: Collection[str], labels: pl.DataFrame, first: date
) -> Outcome:
    """The model's outcome on ``known`` days, where ``caught`` incidents are found as well."""
    planted = planted_days(labels).filter(pl.col("day") >= first)
    hits = found_within(placed_days(known, "sender_id", first), planted, "sender_id")
    found = hits.with_columns(shown=pl.col("shown") | pl.col("incident_id").is_in(caught))
    kinds: Mapping[str, float] = dict(
        found.group_by("kind").agg(pl.col("shown").mean()).sort("kind").iter_rows()
    )
    share = float(found["shown"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    return replace(judge(known, labels, "sender_id", first), found=share, by_kind=kinds)


def planted_days(labels: pl.DataFrame) -> pl.DataFrame:
    """One row an incident and day on which something of it was done."""
    return labels.explode("days").select("incident_id", "kind", "sender_id", day="days")


def told_of(anomalies: pl.DataFrame, events: pl.DataFrame, labels: pl.DataFrame) -> list[str]:
    """Incidents of which a day is one of those that a finding on their sender is about.

    A finding tells its first and last day, and by its evidence those between.
    """
    entries = anomalies.filter(subject_kind="sender").select(
        "event_ids", "first_at", "last_at", sender_id="subject_id"
    )
    moments = events.select("created_at", event_ids="id")
    seen = entries.explode("event_ids").join(moments, on="event_ids")
    shown = [
        frame.select("sender_id", day=pl.col(column).dt.date())
        for frame, column in ((entries, "first_at"), (entries, "last_at"), (seen, "created_at"))
    ]
    told = planted_days(labels).join(pl.concat(shown), on=["sender_id", "day"], how="semi")
    return sorted(set(told["incident_id"]))


def caught_by_rules(rules: pl.DataFrame, labels: pl.DataFrame) -> list[str]:
    """Incidents whose sender is the subject of a finding at the time, or whose events are evidence.

    A finding on a whole team or workspace has another subject, and still shows what was done.
    """
    planted = labels.select("incident_id", "sender_id", "start", "end")
    about = planted.join(rules, left_on="sender_id", right_on="subject_id").filter(
        pl.col("first_at") <= pl.col("end"), pl.col("last_at") >= pl.col("start")
    )
    events = labels.explode("event_ids").select("incident_id", "event_ids")
    shown = events.join(rules.select("event_ids").explode("event_ids"), on="event_ids", how="semi")
    return sorted({*about["incident_id"], *shown["incident_id"]})
