"""What happened in the period: events by day, hour and action, who acted, access changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime

import polars as pl

from auditlens.accounts import INACTIVE_DAYS, inactive_accounts
from auditlens.canonical import sha256_hex
from auditlens.report.inputs import ReportInputs
from auditlens.report.model import (
    Access,
    AccessRow,
    Activity,
    Inactive,
    InactiveAccount,
    Profile,
    SenderMonth,
    Series,
    Share,
)
from auditlens.report.redact import GROUP_FLOOR
from auditlens.report.text import figure, mixed_scripts, percent
from auditlens.text import count

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
ACCESS_GROUPS = ("permission", "share")
PRIVILEGED_GROUPS = ("permission", "admin")
SAMPLE = 25
METHOD = (
    "Order the population by SHA-256 of the seed followed by the event id, and take the first rows."
)
PROFILES_SHOWN = 30
ACTIONS_SHOWN = 4
FINDINGS_SHOWN = 3
MONTHS_SHOWN = 3


def local_day(inputs: ReportInputs) -> pl.Expr:
    """The day an event fell on in the report's zone."""
    return pl.col("created_at").dt.convert_time_zone(inputs.period.timezone).dt.date()


def build_activity(inputs: ReportInputs) -> Activity:
    """Counts of the period's events; in aggregate mode small groups are withheld."""
    events = inputs.events
    days = inputs.period.days
    floor = None if inputs.named else GROUP_FLOOR
    by_day = dict(events.group_by(local_day(inputs).alias("d")).len().iter_rows())
    busiest = max(by_day, key=lambda day: (by_day[day], -day.toordinal()), default=None)
    hours = hour_grid(inputs, floor)
    flagged = findings_by_day(inputs)
    return Activity(
        events=events.height,
        senders=events["sender_number"].drop_nulls().n_unique(),
        resources=events["resource_number"].drop_nulls().n_unique(),
        days=days,
        series=day_series(inputs, days, floor),
        findings_by_day=tuple(flagged[day] for day in days),
        peak=max(by_day.values(), default=0),
        busiest_day=busiest,
        hours=hours,
        hours_peak=max((n or 0 for row in hours for n in row), default=0),
        by_hour=by_hour(inputs, floor),
        actions=action_shares(events, floor),
        top_senders=busiest_subjects(events, "sender", flagged_subjects(inputs, "sender"))
        if inputs.named
        else (),
        top_resources=(
            busiest_subjects(events, "resource", flagged_subjects(inputs, "resource"))
            if inputs.named
            else ()
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


def class_of_action() -> pl.Expr:
    return pl.col("action_group").replace_strict(
        list(CLASS_OF), list(CLASS_OF.values()), default="Other", return_dtype=pl.String
    )


def withheld(counted: int, senders: int, floor: int | None) -> int | None:
    """The count, or null where too few senders stand behind it."""
    return None if floor is not None and 0 < senders < floor else counted


def day_series(
    inputs: ReportInputs, days: tuple[date, ...], floor: int | None
) -> tuple[Series, ...]:
    cells = inputs.events.group_by(class_of_action().alias("c"), local_day(inputs).alias("d")).agg(
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


def findings_by_day(inputs: ReportInputs) -> Counter[date]:
    """How many findings began on each local day."""
    began = inputs.findings.select(
        pl.col("first_at").dt.convert_time_zone(inputs.period.timezone).dt.date()
    )["first_at"]
    return Counter(day for day in began.to_list() if day is not None)


def hour_grid(inputs: ReportInputs, floor: int | None) -> tuple[tuple[int | None, ...], ...]:
    at = pl.col("created_at").dt.convert_time_zone(inputs.period.timezone)
    cells = inputs.events.group_by(at.dt.weekday().alias("w"), at.dt.hour().alias("h")).agg(
        pl.len(), pl.col("sender_number").n_unique()
    )
    found = {(w, h): withheld(n, who, floor) for w, h, n, who in cells.iter_rows()}
    return tuple(tuple(found.get((w, h), 0) for h in range(24)) for w in range(1, 8))


def by_hour(inputs: ReportInputs, floor: int | None) -> tuple[tuple[str, int | None], ...]:
    """The hours of the day that have events, and how many."""
    hour = pl.col("created_at").dt.convert_time_zone(inputs.period.timezone).dt.hour()
    cells = inputs.events.group_by(hour.alias("h")).agg(
        pl.len(), pl.col("sender_number").n_unique()
    )
    return tuple((f"{h:02d}", withheld(n, who, floor)) for h, n, who in sorted(cells.iter_rows()))


def action_shares(events: pl.DataFrame, floor: int | None) -> tuple[Share, ...]:
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


def flagged_subjects(inputs: ReportInputs, kind: str) -> Counter[str]:
    """How many findings each subject of ``kind`` has."""
    rows = inputs.findings.filter(pl.col("subject_kind") == kind)
    return Counter(rows["subject_id"].drop_nulls().to_list())


def busiest_subjects(events: pl.DataFrame, kind: str, flagged: Counter[str]) -> tuple[Share, ...]:
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


def build_access(inputs: ReportInputs) -> Access:
    """The population of permission, sharing and admin events, with a seeded sample."""
    groups = sorted({*ACCESS_GROUPS, *PRIVILEGED_GROUPS})
    found = inputs.events.filter(pl.col("action_group").is_in(groups))
    counted = (
        found.group_by(pl.col("action").fill_null("unclassified"))
        .len()
        .sort(["len", "action"], descending=[True, False])
    )
    seed = inputs.coverage.input_digest[:16]
    return Access(
        population=found.height,
        privileged=found.filter(pl.col("action_group").is_in(PRIVILEGED_GROUPS)).height,
        by_action=tuple(counted.iter_rows()),
        seed=seed,
        method=METHOD,
        sample=draw_sample(found, seed) if inputs.named else (),
    )


INACTIVE_CONTROLS = ("CIS:5.3", "PCIDSS:8.2.6", "NIST80053:AC-2(3)")
"""Controls that ask for inactive accounts to be found and disabled."""


def build_inactive(inputs: ReportInputs) -> Inactive:
    """Accounts without activity at the end of the period; named in the full edition alone."""
    accounts = inputs.accounts
    found = inactive_accounts(accounts)
    since = accounts["first_at"].min()
    rows = found.select("label", "last_at", "days", "role").iter_rows()
    return Inactive(
        seen=accounts["first_at"].count(),
        since=since if isinstance(since, datetime) else None,
        listed=inputs.directory is not None,
        disabled=int(accounts["disabled"].fill_null(value=False).sum()),
        over=tuple((days, found.filter(pl.col("days") >= days).height) for days in INACTIVE_DAYS),
        never=found["days"].null_count(),
        controls=INACTIVE_CONTROLS,
        rows=tuple(InactiveAccount(who, at, days, role or "") for who, at, days, role in rows)
        if inputs.identity == "full"
        else (),
    )


def draw_sample(found: pl.DataFrame, seed: str) -> tuple[AccessRow, ...]:
    """The first rows by hash; the order is the same for everyone who has the events."""
    ids = sorted(found["id"].to_list(), key=lambda one: draw_order(seed, one))[:SAMPLE]
    place = {one: n for n, one in enumerate(ids, 1)}
    columns = ("id", "created_at", "action", "event", "sender_label", "resource_label")
    rows = found.filter(pl.col("id").is_in(ids)).unique("id", keep="first").select(columns)
    return tuple(
        sorted(
            (
                AccessRow(place[one], one, at, action or "", event or "", who, what)
                for one, at, action, event, who, what in rows.iter_rows()
            ),
            key=lambda row: row.order,
        )
    )


def draw_order(seed: str, event_id: str) -> str:
    return sha256_hex(f"{seed}{event_id}")


def build_profiles(inputs: ReportInputs) -> tuple[Profile, ...]:
    """Profiles, most findings first; none where single people may not be told apart."""
    if not inputs.named:
        return ()
    return (*profiles_of_kind(inputs, "sender"), *profiles_of_kind(inputs, "resource"))


def profiles_of_kind(inputs: ReportInputs, kind: str) -> tuple[Profile, ...]:
    """Up to ``SHOWN`` profiles of senders or of resources."""
    flagged: dict[str, list[str]] = defaultdict(list)
    about = inputs.findings.filter(pl.col("subject_kind") == kind)
    for finding, subject in about.select("finding_id", "subject_id").iter_rows():
        if subject:
            flagged[subject].append(finding)
    who = pl.col(f"{kind}_id")
    privileged = pl.col("action_group").is_in(PRIVILEGED_GROUPS)
    acted = inputs.events.filter(privileged)["sender_id"].drop_nulls().unique()
    wanted = sorted({*flagged, *(acted.to_list() if kind == "sender" else ())})
    events = inputs.events.filter(who.is_in(wanted)).with_columns(
        privileged.fill_null(value=False).alias("privileged"), local_day(inputs).alias("day")
    )
    rows = [
        build_profile(inputs, kind, key[0], part, flagged.get(str(key[0]), []))
        for key, part in events.group_by(f"{kind}_id")
    ]
    rows.sort(key=lambda row: (-row.findings, -row.privileged, -row.events, row.subject_id))
    return tuple(rows[:PROFILES_SHOWN])


def build_profile(
    inputs: ReportInputs, kind: str, subject: object, part: pl.DataFrame, found: list[str]
) -> Profile:
    days: tuple[date, ...] = inputs.period.days
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
        usual_hours=usual_hours(inputs, part),
        actions=commonest(part),
        privileged=int(part["privileged"].sum()),
        by_day=tuple(counts.get(day, 0) for day in days),
        finding_ids=tuple(found[:FINDINGS_SHOWN]),
        findings=len(found),
    )


def usual_hours(inputs: ReportInputs, part: pl.DataFrame) -> str:
    """The hours that hold the middle 80 % of the events: ``09-17``."""
    hours = part["created_at"].dt.convert_time_zone(inputs.period.timezone).dt.hour()
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


def sender_month_rows(inputs: ReportInputs) -> tuple[SenderMonth, ...]:
    """The months with the highest scores; none where single senders may not be told apart."""
    months = inputs.sender_months
    if not months.height:
        return ()
    scored = months.filter(pl.col("score").is_not_null())
    compared = dict(scored.group_by("month").len().iter_rows())
    label = pl.col("sender_label").min()
    names = dict(inputs.events.group_by("sender_id").agg(label).drop_nulls().iter_rows())
    highest = scored.sort(["score", "month", "sender_id"], descending=[True, False, False])
    return tuple(
        SenderMonth(
            label=names.get(row["sender_id"], row["sender_id"]),
            sender_id=row["sender_id"],
            score=round(row["score"], 4),
            rank=row["rank"],
            compared=compared[row["month"]],
            active_days=row["active"],
            high_days=row["high_days"],
            highest=figure(row["score_max"]),
            events=row["events"],
        )
        for row in highest.head(MONTHS_SHOWN).iter_rows(named=True)
    )
