"""Senders and resources worth a closer look: those with findings or privileged acts."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import polars as pl

from auditlens.report.access import PRIVILEGED_GROUPS
from auditlens.report.activity import local_day
from auditlens.report.facts import Facts
from auditlens.report.sections import Profile
from auditlens.report.text import mixed_scripts

__all__ = ["profiles"]

SHOWN = 30
ACTIONS_SHOWN = 4
FINDINGS_SHOWN = 3


def profiles(facts: Facts) -> tuple[Profile, ...]:
    """Profiles, most findings first; none where single people may not be told apart."""
    if not facts.named:
        return ()
    return (*of_kind(facts, "sender"), *of_kind(facts, "resource"))


def of_kind(facts: Facts, kind: str) -> tuple[Profile, ...]:
    """Up to ``SHOWN`` profiles of senders or of resources."""
    flagged: dict[str, list[str]] = defaultdict(list)
    about = facts.findings.filter(pl.col("subject_kind") == kind)
    for finding, subject in about.select("finding_id", "subject_id").iter_rows():
        if subject:
            flagged[subject].append(finding)
    who = pl.col(f"{kind}_id")
    privileged = pl.col("action_group").is_in(PRIVILEGED_GROUPS)
    acted = facts.events.filter(privileged)["sender_id"].drop_nulls().unique()
    wanted = sorted({*flagged, *(acted.to_list() if kind == "sender" else ())})
    events = facts.events.filter(who.is_in(wanted)).with_columns(
        privileged.fill_null(value=False).alias("privileged"), local_day(facts).alias("day")
    )
    rows = [
        profile(facts, kind, key[0], part, flagged.get(str(key[0]), []))
        for key, part in events.group_by(f"{kind}_id")
    ]
    rows.sort(key=lambda row: (-row.findings, -row.privileged, -row.events, row.subject_id))
    return tuple(rows[:SHOWN])


def profile(
    facts: Facts, kind: str, subject: object, part: pl.DataFrame, found: list[str]
) -> Profile:
    days: tuple[date, ...] = facts.period.days
    counts = dict(part.group_by("day").len().iter_rows())
    label = str(part[f"{kind}_label"].min() or subject)
    kinds = part["sender_kind"] if kind == "sender" else part["resource_type"]
    first, last = part.select(
        pl.col("created_at").min().alias("first"), pl.col("created_at").max().alias("last")
    ).row(0)
    return Profile(
        subject_kind=kind,
        label=label,
        subject_id=str(subject),
        sender_kind=str(kinds.drop_nulls().min() or ""),
        lookalike=mixed_scripts(label),
        events=part.height,
        active_days=len(counts),
        first_at=first,
        last_at=last,
        usual_hours=usual_hours(facts, part),
        actions=commonest(part),
        privileged=int(part["privileged"].sum()),
        by_day=tuple(counts.get(day, 0) for day in days),
        finding_ids=tuple(found[:FINDINGS_SHOWN]),
        findings=len(found),
    )


def usual_hours(facts: Facts, part: pl.DataFrame) -> str:
    """The hours that hold the middle 80 % of the events: ``09-17``."""
    hours = part["created_at"].dt.convert_time_zone(facts.period.timezone).dt.hour()
    low, high = (int(hours.quantile(q, "lower") or 0) for q in (0.1, 0.9))
    return f"{low:02d}-{high:02d}"


def commonest(part: pl.DataFrame) -> tuple[str, ...]:
    counted = (
        part.group_by(pl.col("action").fill_null("unclassified"))
        .len()
        .sort(["len", "action"], descending=[True, False])
        .head(ACTIONS_SHOWN)
    )
    return tuple(counted["action"].to_list())
