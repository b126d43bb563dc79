"""Benign lookalikes: work that looks like an incident and is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from auditlens.simulator._random import generator
from auditlens.simulator.accounts import Accounts
from auditlens.simulator.calendar import Calendar
from auditlens.simulator.context import Context
from auditlens.simulator.events import draft, kind

__all__ = ["LOOKALIKE_KINDS", "Lookalike", "draft_lookalikes", "label_lookalikes"]


@dataclass(frozen=True)
class Lookalike:
    """One benign lookalike: its kind, who did it (a row of the accounts), and its draft events."""

    kind: str
    sender: int
    events: pl.DataFrame


Spell = Callable[[Context, np.random.Generator, int, int], pl.DataFrame]


def burst(
    context: Context, rng: np.random.Generator, person: int, day: int,
    tokens: tuple[str, ...], count: int, *, other: str = "", minutes: float = 60,
) -> pl.DataFrame:  # fmt: skip
    """A burst of one or two kinds of event on distinct assets of the own team."""
    team = int(context.accounts.team[person])
    assets = rng.permutation(np.unique(context.of_team(rng, team, count * 3)))[:count]
    at = context.moments(
        rng, person, day, hour=context.office_hour(rng, person), minutes=minutes, count=len(assets)
    )
    what = np.array([kind(token) for token in tokens])[rng.integers(0, len(tokens), len(assets))]
    entity = int(rng.choice(context.catalog.pools[other])) if other else -1
    return draft(at, person, what, assets, entity=entity)


def bulk_tagging(context: Context, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    return burst(context, rng, person, day, ("tag_added",), int(rng.integers(35, 80)), other="tag")


def clean_up(context: Context, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    count = int(rng.integers(12, 26))
    return burst(context, rng, person, day, ("resource_archived", "resource_deleted"), count)


def month_export(context: Context, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    """Own assets, as every month."""
    count = int(rng.integers(12, 28))
    own = context.own(rng, person, day, count)
    hour = context.office_hour(rng, person)
    at = context.moments(rng, person, day, hour=hour, minutes=70, count=count)
    return draft(at, person, kind("resource_exported"), own)


def documentation_sprint(
    context: Context, rng: np.random.Generator, person: int, day: int
) -> pl.DataFrame:
    tokens = ("description_updated", "documentation_updated")
    return burst(context, rng, person, day, tokens, int(rng.integers(40, 70)), minutes=240)


def term_import(context: Context, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    """A steward loads a page of terms at once."""
    options = context.catalog.pools["term"]
    loaded = rng.choice(options, min(len(options), int(rng.integers(20, 45))), replace=False)
    hour = context.office_hour(rng, person)
    at = context.moments(rng, person, day, hour=hour, minutes=10, count=len(loaded))
    return draft(at, person, kind("dictionary_term_created"), loaded)


def onboarding(context: Context, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    """An admin puts a handful of people into teams and groups of rights."""
    pools = context.catalog.pools
    count = int(rng.integers(6, 14))
    users = rng.choice(pools["user"], count)
    team = int(rng.choice(pools["team"]))
    hour = context.office_hour(rng, person)
    at = context.moments(rng, person, day, hour=hour, minutes=45, count=count)
    return draft(at, person, kind("users_added_to_team"), team, entity=users)


#                        jobs, times in 30 days for each person of them, the spell
SPELLS: dict[str, tuple[tuple[str, ...], float, Spell]] = {
    "bulk_tagging": (("steward",), 0.35, bulk_tagging),
    "clean_up": (("engineer", "steward"), 0.25, clean_up),
    "month_export": (("analyst", "manager"), 0.12, month_export),
    "documentation_sprint": (("steward", "engineer"), 0.15, documentation_sprint),
    "term_import": (("steward",), 0.1, term_import),
    "onboarding": (("admin",), 1.5, onboarding),
}
CALENDAR = ("oncall", "travel", "joiner", "leaver", "transfer", "quarter_end_export")
LOOKALIKE_KINDS = (*SPELLS, *CALENDAR)
"""Every kind of benign oddity."""


def draft_lookalikes(context: Context) -> list[Lookalike]:
    """Draft the bursts of ordinary work, quarter ends, and what admins do for comers and goers."""
    traps: list[Lookalike] = []
    for name, (jobs, monthly, spell) in SPELLS.items():
        rng = generator(context.seed, f"trap {name}")
        for person in context.accounts.with_job(*jobs).tolist():
            for _ in range(rng.poisson(monthly * context.calendar.days / 30)):
                days = np.flatnonzero(context.calendar.present[person])
                if len(days):
                    day = int(rng.choice(days))
                    traps.append(Lookalike(name, person, spell(context, rng, person, day)))
    return traps + quarter_ends(context) + comings_and_goings(context)


def quarter_ends(context: Context) -> list[Lookalike]:
    """In the last days of a quarter, a third of managers and analysts export their own assets."""
    rng = generator(context.seed, "trap quarter end")
    traps = []
    last = [day for day in range(context.calendar.days) if ends_quarter(context.calendar, day)]
    for person in context.accounts.with_job("analyst", "manager").tolist():
        for day in last:
            if rng.random() < 0.15 and context.calendar.present[person, day]:
                spell = month_export(context, rng, person, day)
                traps.append(Lookalike("quarter_end_export", person, spell))
    return traps


def ends_quarter(calendar: Calendar, day: int) -> bool:
    """Whether the next quarter begins within four days."""
    date = calendar.first + timedelta(days=day)
    return (date + timedelta(days=4)).month in (1, 4, 7, 10) and date.month in (3, 6, 9, 12)


def comings_and_goings(context: Context) -> list[Lookalike]:
    """Joiners are invited, join and get a team; leavers are deactivated; movers change team."""
    rng = generator(context.seed, "trap comings and goings")
    calendar, accounts = context.calendar, context.accounts
    admins = accounts.with_job("admin")
    traps: list[Lookalike] = []
    for person in np.flatnonzero(calendar.joined > 0).tolist():
        events = arrival(context, rng, person, int(rng.choice(admins)))
        traps.append(Lookalike("joiner", person, events))
    for person in np.flatnonzero(calendar.left < calendar.days).tolist():
        day, admin = int(calendar.left[person]), int(rng.choice(admins))
        at = context.moments(rng, admin, day, hour=10, minutes=300, count=1)
        user = context.catalog.pools["user"][person]
        traps.append(Lookalike("leaver", person, draft(at, admin, kind("user_deactivated"), user)))
    for person in np.flatnonzero(accounts.moves < calendar.days).tolist():
        day, admin = int(accounts.moves[person]), int(rng.choice(admins))
        at = context.moments(rng, admin, day, hour=10, minutes=60, count=2)
        what = np.array([kind("users_removed_from_team"), kind("users_added_to_team")])
        teams = context.catalog.pools["team"]
        pair = teams[[accounts.team[person], accounts.later_team[person]]]
        user = int(context.catalog.pools["user"][person])
        traps.append(Lookalike("transfer", person, draft(at, admin, what, pair, entity=user)))
    return traps


def arrival(context: Context, rng: np.random.Generator, person: int, admin: int) -> pl.DataFrame:
    day = int(context.calendar.joined[person])
    user = int(context.catalog.pools["user"][person])
    team = int(context.catalog.pools["team"][context.accounts.team[person]])
    invited = context.moments(rng, admin, max(0, day - 1), hour=10, minutes=200, count=1)
    placed = context.moments(rng, admin, day, hour=9, minutes=60, count=1)
    joined = context.moments(rng, person, day, hour=9, minutes=20, count=1)
    return pl.concat(
        [
            draft(invited, admin, kind("user_invited"), user),
            draft(placed, admin, kind("users_added_to_team"), team, entity=user),
            draft(joined, person, kind("member_joined"), user),
        ]
    )


def label_lookalikes(context: Context, traps: list[Lookalike]) -> pl.DataFrame:
    """One row a lookalike: ``kind``, ``sender_id``, ``start`` and ``end`` (Datetime µs UTC)."""
    rows = [
        (
            lookalike.kind,
            lookalike.sender,
            lookalike.events["at"].min(),
            lookalike.events["at"].max(),
        )
        for lookalike in traps
        if lookalike.events.height
    ]
    rows += spans("oncall", context.calendar.oncall, context.calendar, context.accounts)
    rows += spans("travel", context.calendar.travel, context.calendar, context.accounts)
    schema = {"kind": pl.String, "sender": pl.Int32, "start": pl.Int64, "end": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    instants = pl.from_epoch(pl.col("start", "end"), "us").dt.replace_time_zone("UTC")
    named = context.accounts.senders["id"].gather(frame["sender"]).alias("sender_id")
    return frame.select("kind", named, instants).sort("start", "kind", "sender_id")


def spans(
    name: str, marked: np.ndarray, calendar: Calendar, accounts: Accounts
) -> list[tuple[str, int, int, int]]:
    """Stretches of marked days on which the person was at work."""
    found = []
    for person in range(accounts.people):
        edges = np.flatnonzero(np.diff(np.r_[0, marked[person].astype(np.int8), 0]))
        for first, after in zip(edges[::2], edges[1::2], strict=True):
            if calendar.present[person, first:after].any():
                begin = int(calendar.midnight[person, first])
                end = int(calendar.midnight[person, after - 1]) + 86_400_000_000
                found.append((name, person, begin, end))
    return found
