"""Incident recall: how much of what is planted in a simulated workspace is found.

By measures a reader with three alerts a day feels, and by the usual ones of rankings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies import unusual_month
from auditlens.audit import Audit, run_audit
from auditlens.evaluate.case_quality import CaseQuality, judge_cases
from auditlens.events import classify, conform
from auditlens.period import Period
from auditlens.simulator import Workspace, simulate

__all__ = [
    "DESIGN_SEEDS",
    "REPORTED_SEEDS",
    "IncidentRecall",
    "RankingQuality",
    "area_under_curve",
    "asked_findings",
    "average_precision",
    "daily_places",
    "incidents_caught_by_rules",
    "judge_ranking",
    "measure_pairs",
    "measure_recall",
    "naive_days",
    "reported_incidents",
]

DESIGN_SEEDS = (0, 1, 2, 10, 11, 12, 30, 31, 32, 33, 34, 35)
"""Seeds that were looked at while features were chosen."""

REPORTED_SEEDS = (20, 21, 22, 23)
"""Seeds whose results are reported and nothing else."""

HISTORY = 28
RULES_MATTER = ("medium", "high", "critical")


@dataclass(frozen=True)
class IncidentRecall:
    """What was found in one workspace.

    Attributes:
        senders: By the model of senders alone.
        senders_with_rules: The same, with what rules caught.
        resources: By the model of resources.
        naive: By a plain forest on daily counts.
        listed: Share of sender incidents of which a day is in a finding of a model of senders,
            observations included.
        listed_with_rules: The same, or caught by a rule.
        told: Share of those in a finding of a model that a person is asked about.
        told_with_rules: The same, or in such a finding of a rule.
        rule_alerts: Rule findings of level medium and above.
        shown: Findings of the models.
        cases: The cases of the audit, against everything that was planted.
    """

    senders: RankingQuality
    senders_with_rules: RankingQuality
    resources: RankingQuality
    naive: RankingQuality
    listed: float
    listed_with_rules: float
    told: float
    told_with_rules: float
    rule_alerts: int
    shown: int
    cases: CaseQuality


def measure_recall(
    seed: int, *, strength: float = 1.0, marks: bool = True, people: int = 300
) -> IncidentRecall:
    """Simulate, audit and judge one workspace; the first four weeks are history.

    Args:
        seed: Of the workspace.
        strength: How far an incident departs from habit.
        marks: Whether it is known which resources are sensitive.
        people: In the workspace.

    Returns:
        What was found of the planted incidents.
    """
    workspace = simulate(seed, strength=strength, marks=marks, people=people)
    events = classify(conform(workspace.events))
    first = (workspace.start + timedelta(days=HISTORY)).date()
    last = (workspace.end - timedelta(days=1)).date()
    audit = run_audit(events, period=Period.parse(f"{first}..{last}"))
    rules = audit.findings.filter(pl.col("kind") == "rule", pl.col("level").is_in(RULES_MATTER))
    anomalies = audit.findings.filter(pl.col("kind") == "anomaly")
    asked = asked_findings(audit.findings, audit.cases)
    alone, resources, naive = (
        judge_ranking(scored(days), of_kind(workspace, kind), f"{kind}_id", first)
        for days, kind in (
            (audit.sender_days, "sender"),
            (audit.resource_days, "resource"),
            (naive_days(audit.sender_days), "sender"),
        )
    )
    labels = of_kind(workspace, "sender").filter(pl.col("end").dt.date() >= first)
    caught = set(incidents_caught_by_rules(rules, labels))
    listed = set(reported_incidents(anomalies, events, labels))
    told = set(reported_incidents(asked.filter(kind="anomaly"), events, labels))
    told_by_rules = set(incidents_caught_by_rules(asked.filter(kind="rule"), labels))
    count = max(1, len(labels))
    return IncidentRecall(
        senders=alone,
        senders_with_rules=with_rules(scored(audit.sender_days), caught, labels, first),
        resources=resources,
        naive=naive,
        listed=len(listed) / count,
        listed_with_rules=len(listed | caught) / count,
        told=len(told) / count,
        told_with_rules=len(told | told_by_rules) / count,
        rule_alerts=len(rules),
        shown=len(anomalies),
        cases=case_quality(audit, workspace, first),
    )


def case_quality(audit: Audit, workspace: Workspace, first: date) -> CaseQuality:
    """The cases of an audit against the incidents and look-alikes that end in its period."""
    labels, traps = (
        frame.filter(pl.col("end").dt.date() >= first)
        for frame in (workspace.labels, workspace.traps)
    )
    return judge_cases(audit.cases, audit.findings, labels, traps)


def measure_pairs(seed: int, *, again: Sequence[int] = (5, 12), people: int = 300) -> CaseQuality:
    """Cases of a workspace in which accounts have a second incident so many days after the first.

    Args:
        seed: Of the workspace.
        again: Days between the two, taken in turn.
        people: In the workspace.

    Returns:
        The cases against what was planted; ``near`` and ``far`` count the pairs.
    """
    workspace = simulate(seed, people=people, again=again)
    first = (workspace.start + timedelta(days=HISTORY)).date()
    last = (workspace.end - timedelta(days=1)).date()
    events = classify(conform(workspace.events))
    audit = run_audit(events, period=Period.parse(f"{first}..{last}"))
    return case_quality(audit, workspace, first)


def asked_findings(findings: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """The findings of cases that a person decides; those of observations ask for nothing.

    Args:
        findings: As an audit has them, with ``case_id``.
        cases: The cases of the audit.

    Returns:
        Rows of ``findings``, in their order.
    """
    decided = cases.filter("decide")
    return findings.join(decided, on="case_id", how="semi", maintain_order="left")


def of_kind(workspace: Workspace, kind: str) -> pl.DataFrame:
    return workspace.labels.filter(pl.col("subject_kind") == kind)


def scored(days: pl.DataFrame) -> pl.DataFrame:
    """Days the model stands for: neither learning nor new."""
    return days.filter(pl.col("state") == "scored")


def naive_days(days: pl.DataFrame) -> pl.DataFrame:
    """Days scored by a forest on plain daily counts, to compare with.

    Args:
        days: Sender-days of an audit.

    Returns:
        Those that were scored, sorted by ``sender_id`` and ``day``, with ``score`` of that forest;
        higher is more unusual.
    """
    from sklearn.ensemble import IsolationForest

    known = scored(days).sort("sender_id", "day")
    counts = known.select(
        "events", "resources", "read", "write", "export", "share", "permission", "delete", "admin"
    ).to_numpy()
    model = IsolationForest(n_estimators=100, random_state=0).fit(counts)
    return known.with_columns(score=-pl.Series(model.score_samples(counts)))


def with_rules(
    known: pl.DataFrame, caught: Collection[str], labels: pl.DataFrame, first: date
) -> RankingQuality:
    """The model's outcome on ``known`` days, where ``caught`` incidents are found as well."""
    planted = planted_days(labels).filter(pl.col("day") >= first)
    hits = incidents_found(with_places(known, "sender_id", first), planted, "sender_id")
    found = hits.with_columns(shown=pl.col("shown") | pl.col("incident_id").is_in(caught))
    kinds: Mapping[str, float] = dict(
        found.group_by("kind").agg(pl.col("shown").mean()).sort("kind").iter_rows()
    )
    quality = judge_ranking(known, labels, "sender_id", first)
    return replace(quality, found=mean(found["shown"]), by_kind=kinds)


def planted_days(labels: pl.DataFrame) -> pl.DataFrame:
    """One row an incident and day on which something of it was done."""
    return labels.explode("days").select("incident_id", "kind", "sender_id", day="days")


def reported_incidents(
    anomalies: pl.DataFrame, events: pl.DataFrame, labels: pl.DataFrame
) -> list[str]:
    """Incidents of which a day is one of those that a finding on their sender is about.

    A finding tells its first and last day, and by its evidence those between.

    Args:
        anomalies: Findings of the model (FINDING_SCHEMA).
        events: EVENT_SCHEMA; holds the evidence.
        labels: The simulator's: ``incident_id``, ``kind``, ``sender_id`` and ``days``.

    Returns:
        Ids of incidents, sorted.
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
    reported = planted_days(labels).join(pl.concat(shown), on=["sender_id", "day"], how="semi")
    return sorted(set(reported["incident_id"]))


def incidents_caught_by_rules(rules: pl.DataFrame, labels: pl.DataFrame) -> list[str]:
    """Incidents whose sender is the subject of a finding at the time, or whose events are evidence.

    A finding on a whole team or workspace has another subject, and still shows what was done.

    Args:
        rules: Findings of rules (FINDING_SCHEMA).
        labels: The simulator's: ``incident_id``, ``sender_id``, ``start``, ``end``, ``event_ids``.

    Returns:
        Ids of incidents, sorted.
    """
    planted = labels.select("incident_id", "sender_id", "start", "end")
    about = planted.join(rules, left_on="sender_id", right_on="subject_id").filter(
        pl.col("first_at") <= pl.col("end"), pl.col("last_at") >= pl.col("start")
    )
    events = labels.explode("event_ids").select("incident_id", "event_ids")
    shown = events.join(rules.select("event_ids").explode("event_ids"), on="event_ids", how="semi")
    return sorted({*about["incident_id"], *shown["incident_id"]})


A_DAY = 3
A_MONTH = 30


@dataclass(frozen=True)
class RankingQuality:
    """How well scores rank what was planted: shares in 0..1.

    Attributes:
        incidents: How many there were.
        found: Incidents found at three entries a day.
        top_percent: Incidents with a day in the top 1 % of days.
        precision: Average precision of the days.
        area: Area under the ROC curve of the days.
        month: Bad subjects of the last month in its top 30.
        by_kind: ``found`` by kind of incident.
        unmerged: Incidents with a day among the three highest scores of its day.
    """

    incidents: int
    found: float
    top_percent: float
    precision: float
    area: float
    month: float
    by_kind: Mapping[str, float]
    unmerged: float = 0.0


def judge_ranking(
    days: pl.DataFrame, labels: pl.DataFrame, subject: str, first: date
) -> RankingQuality:
    """Compare scored days with what was planted.

    Args:
        days: ``subject``, ``day``, ``score``.
        labels: The simulator's: ``incident_id``, ``kind``, ``days`` and the subject's id.
        subject: Name of the subject's column.
        first: First day that counts.

    Returns:
        The shares that were found.
    """
    planted = (
        labels.explode("days")
        .select("incident_id", "kind", subject, day="days")
        .filter(pl.col("day") >= first, pl.col(subject).is_not_null())
    )
    placed = with_places(days, subject, first)
    hits = incidents_found(placed, planted, subject)
    bad = placed.join(planted, on=[subject, "day"], how="left", maintain_order="left")
    marks = bad.unique([subject, "day"], keep="first", maintain_order=True)
    truth = marks["kind"].is_not_null().to_numpy()
    kinds = hits.group_by("kind").agg(pl.col("shown").mean()).sort("kind")
    return RankingQuality(
        incidents=len(hits),
        found=mean(hits["shown"]),
        top_percent=mean(hits["high"]),
        precision=average_precision(truth),
        area=area_under_curve(truth, marks["score"].to_numpy()),
        month=share_in_monthly_top(placed, planted, subject),
        by_kind=dict(kinds.iter_rows()),
        unmerged=mean(hits["first"]),
    )


def with_places(days: pl.DataFrame, subject: str, first: date) -> pl.DataFrame:
    """Days from ``first`` on, most unusual first, with the places they take.

    ``high``: in the top 1 %. ``first``: among the three highest of the day. ``shown``: shown at
    three entries a day, where a subject has one entry a week.
    """
    placed = (
        days.filter(pl.col("day") >= first, pl.col("score").is_not_null())
        .select(subject, "day", "score")
        .sort("score", "day", subject, descending=[True, False, False])
        .with_columns(
            high=pl.int_range(pl.len()) < pl.len() // 100,
            first=pl.int_range(pl.len()).over("day") < A_DAY,
        )
        .sort("day", maintain_order=True)
    )
    shown = placed.with_columns(shown=daily_places(placed, subject, A_DAY))
    return shown.sort("score", "day", subject, descending=[True, False, False])


def daily_places(days: pl.DataFrame, key: str, a_day: int) -> pl.Series:
    """Which days of subjects a reader with a few places a day is shown.

    Each day has places for subjects that have no entry in the week (from Monday) yet; a subject
    that has one joins it, if it stands before the last place is taken.

    Args:
        days: One row a subject and day, sorted by ``day``, then most unusual first.
        key: Name of the subject's column.
        a_day: How many places a day has.

    Returns:
        ``shown``: a Boolean for each row.
    """
    shown = np.zeros(len(days), np.bool_)
    subjects = days[key].to_list()
    runs = days.select(pl.col("day").dt.truncate("1w").alias("week"), "day").group_by(
        "week", "day", maintain_order=True
    )
    start, this_week, entered = 0, None, set[str]()
    for week, _, count in runs.len().iter_rows():
        if week != this_week:
            this_week, entered = week, set()
        places = a_day
        for row in range(start, start + count):
            if subjects[row] not in entered:
                if not places:
                    break
                places -= 1
                entered.add(subjects[row])
            shown[row] = True
        start += count
    return pl.Series("shown", shown)


def mean(column: pl.Series) -> float:
    return float(column.cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]


def incidents_found(placed: pl.DataFrame, planted: pl.DataFrame, subject: str) -> pl.DataFrame:
    """One row an incident: ``kind``, and whether a day is ``shown``, ``high``, ``first``."""
    return (
        planted.join(placed, on=[subject, "day"], how="left")
        .group_by("incident_id", "kind")
        .agg(pl.col("shown", "high", "first").fill_null(value=False).any())
        .sort("incident_id")
    )


def share_in_monthly_top(placed: pl.DataFrame, planted: pl.DataFrame, subject: str) -> float:
    """Share of the last month's bad subjects among its A_MONTH highest subjects.

    A month is as unusual as in ``sender_months``.
    """
    last = placed["day"].max()
    if not isinstance(last, date):
        return 0.0
    month = pl.col("day") >= last.replace(day=1)
    worst = (
        placed.filter(month)
        .group_by(subject)
        .agg(unusual_month(pl.col("score")).alias("score"))
        .sort("score", subject, descending=[True, False])
        .head(A_MONTH)
    )
    bad = set(planted.filter(month)[subject].to_list())
    return len(bad & set(worst[subject].to_list())) / max(1, len(bad))


def average_precision(truth: NDArray[np.bool_]) -> float:
    """Mean precision at each true row, of rows sorted from the most unusual on.

    Args:
        truth: Which rows are true, in that order.

    Returns:
        0 to 1; 0 where no row is true.
    """
    if not truth.any():
        return 0.0
    precision = np.cumsum(truth) / np.arange(1, len(truth) + 1)
    return float(precision[truth].mean())


def area_under_curve(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Area under the ROC curve: the chance that a true row scores above another; ties count half.

    Args:
        truth: Which rows are true.
        score: Score of each row; higher is more unusual.

    Returns:
        0 to 1; 0 where all rows are true or none is.
    """
    positive, negative = np.sort(score[truth]), score[~truth]
    if not len(positive) or not len(negative):
        return 0.0
    below = np.searchsorted(positive, negative, side="left")
    within = np.searchsorted(positive, negative, side="right")
    above = len(positive) - (below + within) / 2
    return float(above.sum() / (len(positive) * len(negative)))
