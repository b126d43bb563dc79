"""Planted incidents: which, on whom and when; their events and their labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from auditlens.errors import UsageError
from auditlens.simulator._random import generator
from auditlens.simulator.calendar import Calendar
from auditlens.simulator.context import Context
from auditlens.simulator.events import draft, kind

__all__ = [
    "INCIDENT_KINDS",
    "RESOURCE_STORIES",
    "SENDER_STORIES",
    "IncidentPlan",
    "IncidentWriter",
    "Story",
    "draft_incidents",
    "label_incidents",
    "plan_incidents",
]


@dataclass(frozen=True)
class IncidentPlan:
    """One planted incident: ``number`` from 0, its ``kind``, who or what it is about, and when.

    ``sender`` is a row of the accounts (-1: several), ``resource`` a row of the catalog's things
    (-1: none in particular), ``day`` the first day, ``days`` how many it may take.
    """

    number: int
    kind: str
    subject_kind: str
    sender: int
    resource: int
    day: int
    days: int

    @property
    def name(self) -> str:
        """The incident's id in labels."""
        return f"I-{self.number + 1:04d}"


@dataclass(frozen=True)
class IncidentWriter:
    """Drafts the events of one planned incident."""

    context: Context
    plan: IncidentPlan
    rng: np.random.Generator

    def act(  # noqa: PLR0913
        self,
        token: str,
        resource: Any,
        *,
        hour: float,
        minutes: float,
        day: int = 0,
        sender: int | None = None,
        entity: Any = -1,
        extra: str | Sequence[str] | None = None,
        api: bool = False,
    ) -> pl.DataFrame:
        """One event for each resource, from ``hour`` of the incident's day + ``day`` on."""
        who = self.plan.sender if sender is None else sender
        things = np.atleast_1d(resource)
        last = self.context.calendar.days - 1
        at = self.context.moments(
            self.rng, who, min(self.plan.day + day, last), hour=hour, minutes=minutes,
            count=len(things),
        )  # fmt: skip
        return draft(
            at, who, kind(token), things,
            entity=entity, extra=extra, api=api, incident=self.plan.number,
        )  # fmt: skip

    def size(self, events: int) -> int:
        """Events at the workspace's strength, varied by a fifth."""
        return self.context.size(round(events * self.rng.uniform(0.8, 1.2)))

    def at_work(self) -> list[int]:
        """Days from the incident's first (0) on which the sender works; at least the first."""
        calendar = self.context.calendar
        days = range(self.plan.day, min(self.plan.day + self.plan.days, calendar.days))
        there = calendar.present[self.plan.sender]
        return [day - self.plan.day for day in days if there[day]] or [0]

    def able(self, people: np.ndarray) -> np.ndarray:
        """Those of the people who are at work on the incident's first day, or all if none is."""
        there = people[self.context.calendar.present[people, self.plan.day]]
        return there if len(there) else people

    def hour(self) -> float:
        """An hour at which the incident's sender usually works."""
        return self.context.office_hour(self.rng, self.plan.sender)

    def foreign(self, count: int, *, pii: bool | None = None) -> np.ndarray:
        """Distinct tables of a team that is not the sender's."""
        team = self.context.foreign_team(self.rng, self.plan.sender)
        return self.context.tables(self.rng, count, team=team, pii=pii)

    def user(self, person: int) -> int:
        """The thing that stands for a person."""
        return int(self.context.catalog.pools["user"][person])

    def others(self, count: int) -> np.ndarray:
        """Things of other people, drawn at random."""
        users = self.context.catalog.pools["user"][: self.context.accounts.people]
        others = users[users != self.user(max(self.plan.sender, 0))]
        pool = others if len(others) else users
        return self.rng.choice(pool, count, replace=count > len(pool))


Story = Callable[[IncidentWriter], list[pl.DataFrame]]


def mass_export(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Dozens of exports within an hour, own assets and a foreign team's."""
    hour, count = writer.hour(), writer.size(80)
    plan = writer.plan
    own = writer.context.own(writer.rng, plan.sender, plan.day, count // 2)
    mixed = np.r_[own, writer.foreign(count - count // 2, pii=True)]
    return [writer.act("resource_exported", mixed, hour=hour, minutes=50)]


def foreign_snooping(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Three days of looking through the sensitive tables of another team, in office hours."""
    team = writer.context.foreign_team(writer.rng, writer.plan.sender)
    drafts = []
    for day in writer.at_work():
        hour = writer.hour()
        looked = writer.context.tables(writer.rng, writer.size(32), team=team, pii=True)
        drafts.append(writer.act("resource_viewed", looked, hour=hour, minutes=120, day=day))
        opened = writer.rng.choice(looked, writer.size(12))
        drafts.append(writer.act("table_previewed", opened, hour=hour + 0.2, minutes=110, day=day))
    return drafts


def slow_drip(writer: IncidentWriter) -> list[pl.DataFrame]:
    """A handful of sensitive exports a day, for two weeks."""
    drafts = []
    for day in writer.at_work():
        taken = writer.context.tables(writer.rng, writer.size(6), pii=True)
        drafts.append(
            writer.act("query_results_exported", taken, hour=writer.hour(), minutes=150, day=day)
        )
    return drafts


def account_takeover(writer: IncidentWriter) -> list[pl.DataFrame]:
    """A login at night, then a search for what the owner never opens, then downloads."""
    drafts = []
    night = float(writer.rng.uniform(0.5, 3.5))
    for day in range(writer.plan.days):
        self_row = writer.user(writer.plan.sender)
        found = writer.foreign(writer.size(30))
        workspace = np.repeat(writer.context.catalog.pools["workspace"], writer.size(10))
        taken = writer.rng.choice(found, writer.size(12))
        drafts += [
            writer.act("user_logged_in", self_row, hour=night, minutes=2, day=day),
            writer.act("search_performed", workspace, hour=night + 0.1, minutes=70, day=day),
            writer.act("resource_viewed", found, hour=night + 0.1, minutes=100, day=day),
            writer.act("query_results_exported", taken, hour=night + 1, minutes=60, day=day),
        ]
    return drafts


def mass_delete(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Assets of the own team deleted and archived in half an hour."""
    hour, count = writer.hour(), writer.size(60)
    team = int(writer.context.accounts.team[writer.plan.sender])
    gone = np.unique(writer.context.of_team(writer.rng, team, count * 3))
    gone = writer.rng.permutation(gone)[:count]
    split = len(gone) * 2 // 3
    return [
        writer.act("resource_deleted", gone[:split], hour=hour, minutes=30),
        writer.act("resource_archived", gone[split:], hour=hour, minutes=30),
    ]


def privilege_chain(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Own role raised to admin, rights handed out, then what they open is used."""
    hour, me = writer.hour(), writer.user(writer.plan.sender)
    before = writer.context.accounts.role(writer.plan.sender)
    role = f'"role":{{"from":"{before}","to":"admin"}}'
    granted = writer.foreign(writer.size(9), pii=True)
    teams = writer.rng.choice(writer.context.catalog.pools["team"], writer.size(3))
    seen = writer.foreign(writer.size(14), pii=True)
    return [
        writer.act("role_changed", me, hour=hour, minutes=1, entity=me, extra=role),
        writer.act("users_added_to_team", teams, hour=hour + 0.1, minutes=15, entity=me),
        writer.act("permission_granted", granted, hour=hour + 0.2, minutes=25, entity=me),
        writer.act("table_previewed", seen, hour=hour + 0.6, minutes=40),
        writer.act("query_results_exported", seen[: writer.size(6)], hour=hour + 1, minutes=40),
    ]


def dormant_return(writer: IncidentWriter) -> list[pl.DataFrame]:
    """An account silent for five weeks comes back and looks where it never did."""
    hour = writer.hour()
    own = writer.context.own(writer.rng, writer.plan.sender, writer.plan.day, writer.size(8))
    found = writer.foreign(writer.size(20))
    return [
        writer.act("user_logged_in", writer.user(writer.plan.sender), hour=hour, minutes=1),
        writer.act("resource_viewed", own, hour=hour, minutes=60),
        writer.act("resource_viewed", found, hour=hour + 0.2, minutes=90),
        writer.act("query_results_exported", found[: writer.size(6)], hour=hour + 1, minutes=60),
    ]


def service_misuse(writer: IncidentWriter) -> list[pl.DataFrame]:
    """A service account used by hand: off its schedule, not by API, on assets it never reads."""
    hour = float(writer.rng.uniform(8, 20))
    found = writer.foreign(writer.size(34), pii=True)
    workspace = np.repeat(writer.context.catalog.pools["workspace"], writer.size(6))
    taken = writer.rng.choice(found, writer.size(12))
    return [
        writer.act("search_performed", workspace, hour=hour, minutes=50),
        writer.act("resource_viewed", found, hour=hour, minutes=80),
        writer.act("query_results_exported", taken, hour=hour + 0.7, minutes=50),
    ]


def pii_stripped(writer: IncidentWriter) -> list[pl.DataFrame]:
    """PII marks taken off many tables in an hour, some of which are then published."""
    hour = writer.hour()
    tables = writer.context.tables(writer.rng, writer.size(45), pii=True)
    shown = tables[: writer.size(8)]
    return [
        writer.act("pii_removed", tables, hour=hour, minutes=50),
        writer.act("resource_published", shown, hour=hour + 1, minutes=20),
    ]


def api_key_bulk(writer: IncidentWriter) -> list[pl.DataFrame]:
    """A new API key, and soon after it descriptions rewritten in bulk."""
    hour = writer.hour()
    pools = writer.context.catalog.pools
    key = int(writer.rng.choice(pools["api_key"]))
    changed = np.r_[writer.foreign(writer.size(45)), writer.foreign(writer.size(45))]
    return [
        writer.act("api_key_created", pools["workspace"], hour=hour, minutes=1, entity=key),
        writer.act("description_updated", changed, hour=hour + 0.4, minutes=35, api=True),
    ]


def departing_employee(writer: IncidentWriter) -> list[pl.DataFrame]:
    """In the last week before leaving: everything of the own team is opened, exported, shared."""
    drafts = []
    team = int(writer.context.accounts.team[writer.plan.sender])
    for day in writer.at_work():
        hour = writer.hour()
        kept = writer.context.of_team(writer.rng, team, writer.size(9 + 3 * day))
        shared = writer.rng.choice(kept, writer.size(5))
        away = writer.rng.choice(writer.context.catalog.pools["team"], len(shared))
        drafts += [
            writer.act("resource_exported", kept, hour=hour, minutes=120, day=day),
            writer.act("resource_shared", shared, hour=hour + 1, minutes=60, day=day, entity=away),
        ]
    return drafts


def self_approval(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Access to sensitive tables requested and approved by the same person, then used."""
    hour, me = writer.hour(), writer.user(writer.plan.sender)
    tables = writer.foreign(writer.size(6), pii=True)
    read = np.repeat(tables, 2)
    return [
        writer.act("access_request_created", tables, hour=hour, minutes=20),
        writer.act(
            "access_request_approved", tables, hour=hour + 0.35, minutes=15, entity=me,
            extra='"expires":null',
        ),
        writer.act("table_previewed", read, hour=hour + 0.7, minutes=60),
    ]  # fmt: skip


def gone_but_active(writer: IncidentWriter) -> list[pl.DataFrame]:
    """An account deactivated days ago still logs in, looks around and downloads."""
    hour = writer.hour()
    seen = writer.context.own(writer.rng, writer.plan.sender, writer.plan.day, writer.size(18))
    taken = writer.rng.choice(seen, writer.size(10))
    return [
        writer.act("user_logged_in", writer.user(writer.plan.sender), hour=hour, minutes=1),
        writer.act("resource_viewed", seen, hour=hour, minutes=60),
        writer.act("resource_exported", taken, hour=hour + 0.5, minutes=40),
    ]


SENDER_STORIES: dict[str, tuple[Story, int]] = {
    "mass_export": (mass_export, 1),
    "foreign_snooping": (foreign_snooping, 3),
    "slow_drip": (slow_drip, 14),
    "account_takeover": (account_takeover, 2),
    "mass_delete": (mass_delete, 1),
    "privilege_chain": (privilege_chain, 1),
    "dormant_return": (dormant_return, 1),
    "service_misuse": (service_misuse, 1),
    "pii_stripped": (pii_stripped, 1),
    "api_key_bulk": (api_key_bulk, 1),
    "departing_employee": (departing_employee, 5),
    "self_approval": (self_approval, 1),
    "gone_but_active": (gone_but_active, 1),
}
"""Kind to story and how many days it takes."""


def permission_churn(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Rights on one table granted, revoked and shared back and forth by several people."""
    accounts, rng = writer.context.accounts, writer.rng
    able = writer.able(accounts.with_job("admin", "steward", "manager", "engineer"))
    hands = rng.choice(able, min(4, len(able)), replace=False)
    drafts = []
    for person in hands.tolist():
        hour = writer.context.office_hour(rng, person)
        for token, count in (("permission_granted", 4), ("permission_revoked", 3)):
            events = np.repeat(writer.plan.resource, writer.size(count))
            drafts.append(
                writer.act(
                    token, events, hour=hour, minutes=150, sender=person,
                    entity=writer.others(len(events)),
                )
            )  # fmt: skip
    return drafts


def scrape(writer: IncidentWriter) -> list[pl.DataFrame]:
    """One person reads and downloads one table over and over."""
    hour = writer.hour()
    read = np.repeat(writer.plan.resource, writer.size(60))
    taken = np.repeat(writer.plan.resource, writer.size(25))
    return [
        writer.act("table_previewed", read, hour=hour, minutes=150),
        writer.act("query_results_exported", taken, hour=hour + 0.5, minutes=140),
    ]


def foreign_crowd(writer: IncidentWriter) -> list[pl.DataFrame]:
    """Many people of other teams open one sensitive table on the same day."""
    accounts = writer.context.accounts
    owner = writer.context.catalog.team[writer.plan.resource]
    away = writer.able(np.flatnonzero(accounts.team != owner))
    crowd = writer.rng.choice(away, min(writer.size(18), len(away)), replace=False)
    drafts = []
    for person in crowd.tolist():
        hour = writer.context.office_hour(writer.rng, person)
        seen = np.repeat(writer.plan.resource, 2)
        drafts.append(writer.act("resource_viewed", seen, hour=hour, minutes=40, sender=person))
    return drafts


RESOURCE_STORIES: dict[str, tuple[Story, int]] = {
    "permission_churn": (permission_churn, 1),
    "scrape": (scrape, 1),
    "foreign_crowd": (foreign_crowd, 1),
}
"""Kind to story and how many days it takes."""


STORIES: dict[str, tuple[Story, int]] = {**SENDER_STORIES, **RESOURCE_STORIES}
INCIDENT_KINDS = tuple(STORIES)
"""Every kind of planted incident, sender kinds first."""

JOBS = {
    "mass_export": ("analyst", "engineer", "manager"),
    "foreign_snooping": ("analyst", "engineer", "manager"),
    "slow_drip": ("analyst", "engineer"),
    "mass_delete": ("engineer", "steward"),
    "privilege_chain": ("analyst", "engineer", "steward"),
    "pii_stripped": ("steward", "engineer"),
    "api_key_bulk": ("engineer", "analyst"),
    "self_approval": ("manager", "steward"),
}
ANY = ("analyst", "steward", "engineer", "manager")
ABSENCE = 36
GONE = 9
LABEL_SCHEMA: dict[str, pl.DataType] = {
    "incident_id": pl.String(),
    "kind": pl.String(),
    "subject_kind": pl.String(),
    "sender_id": pl.String(),
    "resource_id": pl.String(),
    "start": pl.Datetime("us", "UTC"),
    "end": pl.Datetime("us", "UTC"),
    "days": pl.List(pl.Date()),
    "event_ids": pl.List(pl.String()),
}


AGAIN = {"mass_export": "mass_delete"}
"""The kind of an account's second incident after one of another kind; after others an export."""


def follow_up(context: Context, plan: IncidentPlan, days: int, number: int) -> IncidentPlan | None:
    """A second incident of the same account so many days after the first ended, if it is there."""
    kind = AGAIN.get(plan.kind, "mass_export")
    day = plan.day + plan.days - 1 + days
    if plan.subject_kind != "sender" or not 0 <= plan.sender < context.accounts.people:
        return None
    if day >= context.calendar.days or not context.calendar.present[plan.sender, day]:
        return None
    return IncidentPlan(number, kind, "sender", plan.sender, -1, day, STORIES[kind][1])


def plan_incidents(
    context: Context,
    incidents: bool | int | Mapping[str, int],
    span: tuple[int, int],
    again: Sequence[int] = (),
) -> tuple[tuple[IncidentPlan, ...], Context]:
    """Plan every incident; return the plans, and the context with the absences they need.

    A sender is the subject of one incident at most, and with ``again`` of a second one so many
    days later, the gaps taken in turn, where the sender is at work then. Where no fitting sender is
    left, or the span is shorter than the incident, it is not planted: the labels say what was.
    """
    rng = generator(context.seed, "plots")
    free = settled(context, span)
    tables = rng.permutation(context.catalog.pools["table"])
    plans: list[IncidentPlan] = []
    for name, times in wanted(context, incidents).items():
        for _ in range(times):
            plan = plan_incident(context, rng, (name, len(plans)), free, span)
            if plan is None:
                continue
            if plan.subject_kind == "resource":
                plan = IncidentPlan(
                    **{**vars(plan), "resource": int(tables[plan.number % len(tables)])}
                )
            plans.append(plan)
            context = context.on(around(context, plan))
    for at, plan in enumerate(tuple(plans) if again else ()):
        second = follow_up(context, plan, again[at % len(again)], len(plans))
        plans += [second] if second else []
    return tuple(plans), context


def wanted(context: Context, incidents: bool | int | Mapping[str, int]) -> dict[str, int]:
    """Kind to how many; the kinds with the fewest fitting senders come first."""
    scarce = sorted(STORIES, key=lambda kind: (kind not in JOBS, len(JOBS.get(kind, ANY)), kind))
    if isinstance(incidents, Mapping):
        if unknown := sorted(set(incidents) - set(STORIES)):
            raise UsageError(
                f"No kind of incident is called {unknown[0]!r}",
                fix=f"The kinds are {', '.join(STORIES)}",
            )
        return {kind: incidents[kind] for kind in scarce if kind in incidents}
    times = max(1, context.accounts.people // 100) if incidents is True else int(incidents)
    return {kind: times * (2 if kind in RESOURCE_STORIES else 1) for kind in scarce}


def settled(context: Context, span: tuple[int, int]) -> np.ndarray:
    """Which senders may get an incident: there long enough before, staying, not moving."""
    calendar, accounts = context.calendar, context.accounts
    early = calendar.joined <= max(0, span[0] - 14)
    stays = (calendar.left >= calendar.days) & (accounts.moves > calendar.days)
    return np.asarray(np.r_[early & stays, np.ones(accounts.services, dtype=bool)])


def plan_incident(
    context: Context, rng: np.random.Generator, what: tuple[str, int], free: np.ndarray,
    span: tuple[int, int],
) -> IncidentPlan | None:  # fmt: skip
    """Give one incident its sender and its day; None when there is nobody or no room."""
    kind, number = what
    _, length = STORIES[kind]
    if kind in ("permission_churn", "foreign_crowd"):
        day = working_day(context, rng, -1, (span[0], span[1] - length))
        return None if day is None else IncidentPlan(number, kind, "resource", -1, -1, day, length)
    fitting = candidates(context, kind)
    fitting = fitting[free[fitting]]
    if not len(fitting):
        return None
    sender = int(rng.choice(fitting))
    earliest = span[0] + (ABSENCE - 14 if kind == "dormant_return" else 0)
    day = working_day(context, rng, sender, (min(earliest, span[1] - length), span[1] - length))
    if day is None:
        return None
    free[sender] = False
    subject = "resource" if kind in RESOURCE_STORIES else "sender"
    return IncidentPlan(number, kind, subject, sender, -1, day, length)


def candidates(context: Context, kind: str) -> np.ndarray:
    if kind == "service_misuse":
        return np.arange(
            context.accounts.people, context.accounts.people + context.accounts.services
        )
    return context.accounts.with_job(*JOBS.get(kind, ANY))


def working_day(
    context: Context, rng: np.random.Generator, sender: int, span: tuple[int, int]
) -> int | None:
    """A weekday in the span, one on which the sender is at work where there is one."""
    days = np.arange(max(0, span[0]), min(span[1] + 1, context.calendar.days))
    if not len(days):
        return None
    weekdays = days[context.calendar.weekday[days] < 5]
    if 0 <= sender < context.accounts.people:
        at_work = weekdays[context.calendar.present[sender, weekdays]]
        weekdays = at_work if len(at_work) else weekdays
    return int(rng.choice(weekdays if len(weekdays) else days))


def around(context: Context, plan: IncidentPlan) -> Calendar:
    """The calendar an incident needs: a silence before a return, nobody after a departure."""
    calendar = context.calendar
    if plan.kind == "dormant_return":
        absence = min(ABSENCE, max(1, plan.day - 8))
        return calendar.without(plan.sender, plan.day - absence, calendar.days)
    if plan.kind == "departing_employee":
        return calendar.leaving(plan.sender, plan.day + plan.days - 1)
    if plan.kind == "gone_but_active":
        return calendar.leaving(plan.sender, max(0, plan.day - GONE))
    return calendar


def draft_incidents(context: Context, plans: tuple[IncidentPlan, ...]) -> list[pl.DataFrame]:
    """The events of every planned incident."""
    drafts: list[pl.DataFrame] = []
    for plan in plans:
        story, _ = STORIES[plan.kind]
        rng = generator(context.seed, f"incident {plan.number} {plan.kind}")
        drafts += story(IncidentWriter(context, plan, rng))
    return drafts


def label_incidents(
    context: Context, plans: tuple[IncidentPlan, ...], events: pl.DataFrame
) -> pl.DataFrame:
    """One row a planted incident, with the ids and days of its events."""
    subjects = pl.DataFrame(
        {
            "number": [plan.number for plan in plans],
            "incident_id": [plan.name for plan in plans],
            "kind": [plan.kind for plan in plans],
            "subject_kind": [plan.subject_kind for plan in plans],
            "sender": [plan.sender if plan.sender >= 0 else None for plan in plans],
            "resource": [plan.resource if plan.resource >= 0 else None for plan in plans],
        },
        schema_overrides={"number": pl.Int32, "sender": pl.Int32, "resource": pl.Int32},
    )
    happened = events.filter(pl.col("incident").is_not_null()).group_by("incident").agg(
        pl.col("created_at").min().alias("start"),
        pl.col("created_at").max().alias("end"),
        pl.col("created_at").dt.date().unique().sort().alias("days"),
        pl.col("id").alias("event_ids"),
    )  # fmt: skip
    things, senders = context.catalog.things["id"], context.accounts.senders["id"]
    joined = subjects.join(happened, left_on="number", right_on="incident").sort("number")
    return joined.with_columns(
        senders.gather(joined["sender"]).alias("sender_id"),
        things.gather(joined["resource"]).alias("resource_id"),
    ).select(pl.col(name).cast(dtype) for name, dtype in LABEL_SCHEMA.items())
