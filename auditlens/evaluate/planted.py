"""Planted incidents: a simulated workspace, an audit of it, and what of the planted was found."""

from __future__ import annotations

from collections.abc import Mapping
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

    ``told`` is the share of sender incidents that the report's anomalies tell of, where quiet
    days are held back; ``rule_alerts`` counts rule findings of level medium and above, ``shown``
    the model's.
    """

    senders: Outcome
    senders_with_rules: Outcome
    resources: Outcome
    naive: Outcome
    told: float
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
    alone, resources, naive = (
        judge(scored(days), of_kind(workspace, kind), f"{kind}_id", first)
        for days, kind in (
            (audit.sender_days, "sender"),
            (audit.resource_days, "resource"),
            (naive_days(audit.sender_days), "sender"),
        )
    )
    return Planted(
        senders=alone,
        senders_with_rules=with_rules(audit.sender_days, rules, workspace, first),
        resources=resources,
        naive=naive,
        told=told_of(audit.findings.filter(pl.col("kind") == "anomaly"), workspace, first),
        rule_alerts=len(rules),
        shown=len(audit.findings.filter(pl.col("kind") == "anomaly")),
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
    days: pl.DataFrame, rules: pl.DataFrame, workspace: Workspace, first: date
) -> Outcome:
    """The model's outcome, with an incident also found when a rule's finding tells of it."""
    labels = of_kind(workspace, "sender").filter(pl.col("end").dt.date() >= first)
    known = scored(days)
    planted = labels.explode("days").select("incident_id", "kind", "sender_id", day="days")
    hits = found_within(
        placed_days(known, "sender_id", first), planted.filter(pl.col("day") >= first), "sender_id"
    )
    caught = caught_by_rules(rules, labels)
    found = hits.with_columns(shown=pl.col("shown") | pl.col("incident_id").is_in(caught))
    kinds: Mapping[str, float] = dict(
        found.group_by("kind").agg(pl.col("shown").mean()).sort("kind").iter_rows()
    )
    share = float(found["shown"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    return replace(judge(known, labels, "sender_id", first), found=share, by_kind=kinds)


def told_of(anomalies: pl.DataFrame, workspace: Workspace, first: date) -> float:
    """Share of the sender incidents that a finding of the model is about."""
    labels = of_kind(workspace, "sender").filter(pl.col("end").dt.date() >= first)
    return len(caught_by_rules(anomalies, labels)) / max(1, len(labels))


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
