"""What happened in the period: by day, by hour of the week, by action, sender, resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

import polars as pl

from auditlens.report.facts import Facts
from auditlens.report.identity import GROUP_FLOOR
from auditlens.report.sections import Activity, Series, Share
from auditlens.report.wording import count, percent

__all__ = ["CLASSES", "activity", "local_day"]

TOP = 8
CLASSES = {
    "Read": ("read", "auth"),
    "Change": ("write",),
    "Delete": ("delete",),
    "Access": ("permission", "share", "admin"),
    "Export": ("export",),
    "Other": ("system",),
}
"""The six series of the timeline and the action groups each holds; the rest is Other."""

CLASS_OF = {group: name for name, groups in CLASSES.items() for group in groups}


def local_day(facts: Facts) -> pl.Expr:
    """The day an event fell on in the report's zone."""
    return pl.col("created_at").dt.convert_time_zone(facts.period.timezone).dt.date()


def activity(facts: Facts) -> Activity:
    """Counts of the period's events; in aggregate mode small groups are withheld."""
    events = facts.events
    days = facts.period.days
    floor = None if facts.named else GROUP_FLOOR
    by_day = dict(events.group_by(local_day(facts).alias("d")).len().iter_rows())
    busiest = max(by_day, key=lambda day: (by_day[day], -day.toordinal()), default=None)
    hours = hour_grid(facts, floor)
    flagged = findings_by_day(facts)
    return Activity(
        events=events.height,
        senders=events["sender_number"].drop_nulls().n_unique(),
        resources=events["resource_number"].drop_nulls().n_unique(),
        days=days,
        series=day_series(facts, days, floor),
        findings_by_day=tuple(flagged[day] for day in days),
        peak=max(by_day.values(), default=0),
        busiest_day=busiest,
        hours=hours,
        hours_peak=max((n or 0 for row in hours for n in row), default=0),
        by_hour=by_hour(facts, floor),
        actions=actions(events, floor),
        top_senders=top(events, "sender", flagged_subjects(facts, "sender")) if facts.named else (),
        top_resources=(
            top(events, "resource", flagged_subjects(facts, "resource")) if facts.named else ()
        ),
        headline=headline(busiest, by_day, sum(flagged.values())),
        withheld_below=floor,
    )


def headline(busiest: date | None, by_day: Mapping[date, int], flagged: int) -> str:
    """The chart's main point, for those who cannot see it."""
    if busiest is None:
        return "No event fell into the period."
    return (
        f"The busiest day was {busiest} with {count(by_day[busiest], 'event')}; "
        f"{count(flagged, 'finding')} began in the period."
    )


def classes() -> pl.Expr:
    return pl.col("action_group").replace_strict(
        list(CLASS_OF), list(CLASS_OF.values()), default="Other", return_dtype=pl.String
    )


def withheld(counted: int, senders: int, floor: int | None) -> int | None:
    """The count, or null where too few senders stand behind it."""
    return None if floor is not None and 0 < senders < floor else counted


def day_series(facts: Facts, days: tuple[date, ...], floor: int | None) -> tuple[Series, ...]:
    cells = facts.events.group_by(classes().alias("c"), local_day(facts).alias("d")).agg(
        pl.len(), pl.col("sender_number").n_unique()
    )
    found = {(name, day): withheld(n, who, floor) for name, day, n, who in cells.iter_rows()}
    totals = Counter(dict.fromkeys(CLASSES, 0))
    for name, _, n, _ in cells.iter_rows():
        totals[name] += n
    return tuple(
        Series(name, tuple(found.get((name, day), 0) for day in days), totals[name])
        for name in CLASSES
    )


def findings_by_day(facts: Facts) -> Counter[date]:
    """How many findings began on each local day."""
    began = facts.findings.select(
        pl.col("first_at").dt.convert_time_zone(facts.period.timezone).dt.date()
    )["first_at"]
    return Counter(day for day in began.to_list() if day is not None)


def hour_grid(facts: Facts, floor: int | None) -> tuple[tuple[int | None, ...], ...]:
    at = pl.col("created_at").dt.convert_time_zone(facts.period.timezone)
    cells = facts.events.group_by(at.dt.weekday().alias("w"), at.dt.hour().alias("h")).agg(
        pl.len(), pl.col("sender_number").n_unique()
    )
    found = {(w, h): withheld(n, who, floor) for w, h, n, who in cells.iter_rows()}
    return tuple(tuple(found.get((w, h), 0) for h in range(24)) for w in range(1, 8))


def by_hour(facts: Facts, floor: int | None) -> tuple[tuple[str, int | None], ...]:
    """The hours of the day that have events, and how many."""
    hour = pl.col("created_at").dt.convert_time_zone(facts.period.timezone).dt.hour()
    cells = facts.events.group_by(hour.alias("h")).agg(pl.len(), pl.col("sender_number").n_unique())
    return tuple((f"{h:02d}", withheld(n, who, floor)) for h, n, who in sorted(cells.iter_rows()))


def actions(events: pl.DataFrame, floor: int | None) -> tuple[Share, ...]:
    """Every action seen, commonest first."""
    seen = (
        events.group_by(
            pl.col("action").fill_null("unclassified"), pl.col("action_group").fill_null("none")
        )
        .agg(pl.len().alias("n"), pl.col("sender_number").n_unique().alias("who"))
        .sort(["n", "action", "action_group"], descending=[True, False, False])
    )
    return tuple(
        Share(action, group, n, percent(n, events.height), 0)
        for action, group, n, who in seen.iter_rows()
        if withheld(n, who, floor) is not None
    )


def flagged_subjects(facts: Facts, kind: str) -> Counter[str]:
    """How many findings each subject of ``kind`` has."""
    rows = facts.findings.filter(pl.col("subject_kind") == kind)
    return Counter(rows["subject_id"].drop_nulls().to_list())


def top(events: pl.DataFrame, kind: str, flagged: Counter[str]) -> tuple[Share, ...]:
    """The busiest senders or resources."""
    extra = "sender_kind" if kind == "sender" else "resource_type"
    busiest = (
        events.drop_nulls(f"{kind}_id")
        .group_by(f"{kind}_id")
        .agg(pl.col(f"{kind}_label").min(), pl.col(extra).drop_nulls().min(), pl.len().alias("n"))
        .sort(["n", f"{kind}_id"], descending=[True, False])
        .head(TOP)
    )
    return tuple(
        Share(label, word or "", n, percent(n, events.height), flagged[subject])
        for subject, label, word, n in busiest.iter_rows()
    )
