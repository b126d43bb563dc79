"""Benign oddities: work that looks like an incident and is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from auditlens.simulator.cast import Cast
from auditlens.simulator.draft import draft
from auditlens.simulator.presence import Presence
from auditlens.simulator.scene import Scene
from auditlens.simulator.seeds import generator
from auditlens.simulator.vocabulary import kind

__all__ = ["TRAP_KINDS", "Trap", "draft_traps", "label_traps"]


@dataclass(frozen=True)
class Trap:
    """One benign oddity: its kind, who did it (a row of the cast), and its draft events."""

    kind: str
    sender: int
    events: pl.DataFrame


Spell = Callable[[Scene, np.random.Generator, int, int], pl.DataFrame]


def burst(
    scene: Scene, rng: np.random.Generator, person: int, day: int,
    tokens: tuple[str, ...], count: int, *, other: str = "", minutes: float = 60,
) -> pl.DataFrame:  # fmt: skip
    """A burst of one or two kinds of event on distinct assets of the own team."""
    team = int(scene.cast.team[person])
    assets = rng.permutation(np.unique(scene.of_team(rng, team, count * 3)))[:count]
    at = scene.moments(
        rng, person, day, hour=scene.office_hour(rng, person), minutes=minutes, count=len(assets)
    )
    what = np.array([kind(token) for token in tokens])[rng.integers(0, len(tokens), len(assets))]
    entity = int(rng.choice(scene.catalog.pools[other])) if other else -1
    return draft(at, person, what, assets, entity=entity)


def bulk_tagging(scene: Scene, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    return burst(scene, rng, person, day, ("tag_added",), int(rng.integers(35, 80)), other="tag")


def clean_up(scene: Scene, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    count = int(rng.integers(12, 26))
    return burst(scene, rng, person, day, ("resource_archived", "resource_deleted"), count)


def month_export(scene: Scene, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    """Own assets, as every month."""
    count = int(rng.integers(12, 28))
    own = scene.own(rng, person, day, count)
    hour = scene.office_hour(rng, person)
    at = scene.moments(rng, person, day, hour=hour, minutes=70, count=count)
    return draft(at, person, kind("resource_exported"), own)


def documentation_sprint(
    scene: Scene, rng: np.random.Generator, person: int, day: int
) -> pl.DataFrame:
    tokens = ("description_updated", "documentation_updated")
    return burst(scene, rng, person, day, tokens, int(rng.integers(40, 70)), minutes=240)


def term_import(scene: Scene, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    """A steward loads a page of terms at once."""
    terms = scene.catalog.pools["term"]
    loaded = rng.choice(terms, min(len(terms), int(rng.integers(20, 45))), replace=False)
    hour = scene.office_hour(rng, person)
    at = scene.moments(rng, person, day, hour=hour, minutes=10, count=len(loaded))
    return draft(at, person, kind("dictionary_term_created"), loaded)


def onboarding(scene: Scene, rng: np.random.Generator, person: int, day: int) -> pl.DataFrame:
    """An admin puts a handful of people into teams and groups of rights."""
    pools = scene.catalog.pools
    count = int(rng.integers(6, 14))
    users = rng.choice(pools["user"], count)
    team = int(rng.choice(pools["team"]))
    hour = scene.office_hour(rng, person)
    at = scene.moments(rng, person, day, hour=hour, minutes=45, count=count)
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
TRAP_KINDS = (*SPELLS, *CALENDAR)
"""Every kind of benign oddity."""


def draft_traps(scene: Scene) -> list[Trap]:
    """Draft the bursts of ordinary work, quarter ends, and what admins do for comers and goers."""
    traps: list[Trap] = []
    for name, (jobs, monthly, spell) in SPELLS.items():
        rng = generator(scene.seed, f"trap {name}")
        for person in scene.cast.with_job(*jobs).tolist():
            for _ in range(rng.poisson(monthly * scene.presence.days / 30)):
                days = np.flatnonzero(scene.presence.present[person])
                if len(days):
                    day = int(rng.choice(days))
                    traps.append(Trap(name, person, spell(scene, rng, person, day)))
    return traps + quarter_ends(scene) + comings_and_goings(scene)


def quarter_ends(scene: Scene) -> list[Trap]:
    """In the last days of a quarter, a third of managers and analysts export their own assets."""
    rng = generator(scene.seed, "trap quarter end")
    traps = []
    last = [day for day in range(scene.presence.days) if ends_quarter(scene.presence, day)]
    for person in scene.cast.with_job("analyst", "manager").tolist():
        for day in last:
            if rng.random() < 0.15 and scene.presence.present[person, day]:
                spell = month_export(scene, rng, person, day)
                traps.append(Trap("quarter_end_export", person, spell))
    return traps


def ends_quarter(presence: Presence, day: int) -> bool:
    """Whether the next quarter begins within four days."""
    date = presence.first + timedelta(days=day)
    return (date + timedelta(days=4)).month in (1, 4, 7, 10) and date.month in (3, 6, 9, 12)


def comings_and_goings(scene: Scene) -> list[Trap]:
    """Joiners are invited, join and get a team; leavers are deactivated; movers change team."""
    rng = generator(scene.seed, "trap comings and goings")
    presence, cast = scene.presence, scene.cast
    admins = cast.with_job("admin")
    traps: list[Trap] = []
    for person in np.flatnonzero(presence.joined > 0).tolist():
        events = arrival(scene, rng, person, int(rng.choice(admins)))
        traps.append(Trap("joiner", person, events))
    for person in np.flatnonzero(presence.left < presence.days).tolist():
        day, admin = int(presence.left[person]), int(rng.choice(admins))
        at = scene.moments(rng, admin, day, hour=10, minutes=300, count=1)
        user = scene.catalog.pools["user"][person]
        traps.append(Trap("leaver", person, draft(at, admin, kind("user_deactivated"), user)))
    for person in np.flatnonzero(cast.moves < presence.days).tolist():
        day, admin = int(cast.moves[person]), int(rng.choice(admins))
        at = scene.moments(rng, admin, day, hour=10, minutes=60, count=2)
        what = np.array([kind("users_removed_from_team"), kind("users_added_to_team")])
        teams = scene.catalog.pools["team"]
        pair = teams[[cast.team[person], cast.later_team[person]]]
        user = int(scene.catalog.pools["user"][person])
        traps.append(Trap("transfer", person, draft(at, admin, what, pair, entity=user)))
    return traps


def arrival(scene: Scene, rng: np.random.Generator, person: int, admin: int) -> pl.DataFrame:
    day = int(scene.presence.joined[person])
    user = int(scene.catalog.pools["user"][person])
    team = int(scene.catalog.pools["team"][scene.cast.team[person]])
    invited = scene.moments(rng, admin, max(0, day - 1), hour=10, minutes=200, count=1)
    placed = scene.moments(rng, admin, day, hour=9, minutes=60, count=1)
    joined = scene.moments(rng, person, day, hour=9, minutes=20, count=1)
    return pl.concat(
        [
            draft(invited, admin, kind("user_invited"), user),
            draft(placed, admin, kind("users_added_to_team"), team, entity=user),
            draft(joined, person, kind("member_joined"), user),
        ]
    )


def label_traps(scene: Scene, traps: list[Trap]) -> pl.DataFrame:
    """One row a trap: ``kind``, ``sender_id``, ``start`` and ``end`` (Datetime µs UTC)."""
    rows = [
        (trap.kind, trap.sender, trap.events["at"].min(), trap.events["at"].max())
        for trap in traps
        if trap.events.height
    ]
    rows += spans("oncall", scene.presence.oncall, scene.presence, scene.cast)
    rows += spans("travel", scene.presence.travel, scene.presence, scene.cast)
    schema = {"kind": pl.String, "sender": pl.Int32, "start": pl.Int64, "end": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    instants = pl.from_epoch(pl.col("start", "end"), "us").dt.replace_time_zone("UTC")
    named = scene.cast.senders["id"].gather(frame["sender"]).alias("sender_id")
    return frame.select("kind", named, instants).sort("start", "kind", "sender_id")


def spans(
    name: str, marked: np.ndarray, presence: Presence, cast: Cast
) -> list[tuple[str, int, int, int]]:
    """Stretches of marked days on which the person was at work."""
    found = []
    for person in range(cast.people):
        edges = np.flatnonzero(np.diff(np.r_[0, marked[person].astype(np.int8), 0]))
        for first, after in zip(edges[::2], edges[1::2], strict=True):
            if presence.present[person, first:after].any():
                begin = int(presence.midnight[person, first])
                end = int(presence.midnight[person, after - 1]) + 86_400_000_000
                found.append((name, person, begin, end))
    return found
