"""Ordinary days: what people do in their sessions, on the assets they work with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.simulator._random import generator, pick_rows
from auditlens.simulator.accounts import JOBS, Accounts
from auditlens.simulator.calendar import HOUR, MINUTE, Calendar
from auditlens.simulator.catalog import Catalog
from auditlens.simulator.events import KINDS, draft, kind

__all__ = ["WorkingSets", "build_working_sets", "draft_activity"]

SLOTS = 40
ANCHORS = 6
NEVER = 1 << 30
ASSET_POOLS = ("table", "dashboard", "document", "term")

#                          analyst steward engineer manager admin
MIX: dict[str, tuple[float, ...]] = {
    "resource_viewed": (46.0, 34, 30, 52, 30),
    "search_performed": (17.0, 12, 10, 15, 10),
    "table_previewed": (9.0, 6, 9, 3, 3),
    "query_ran": (12.0, 3, 14, 1, 2),
    "description_updated": (2.5, 12, 8, 2, 2),
    "documentation_updated": (2.0, 9, 8, 2, 2),
    "owner_assigned": (0.2, 2.5, 0.9, 1.4, 1.5),
    "owner_removed": (0.05, 0.6, 0.2, 0.3, 0.4),
    "tag_added": (0.8, 6, 1.5, 0.5, 1.5),
    "tag_removed": (0.15, 1.2, 0.4, 0.1, 0.4),
    "collection_added": (0.8, 2, 0.6, 0.6, 0.6),
    "collection_removed": (0.15, 0.5, 0.15, 0.15, 0.2),
    "table_created": (0.05, 0.3, 1.5, 0, 0.2),
    "dashboard_created": (0.7, 0.1, 0.3, 0.1, 0.1),
    "dictionary_term_created": (0.1, 1.2, 0.1, 0.1, 0.1),
    "document_created": (0.5, 0.8, 0.6, 0.7, 0.3),
    "question_asked": (1.6, 0.5, 0.6, 1.4, 0.2),
    "question_replied": (0.9, 1.6, 1.4, 0.9, 0.8),
    "resource_verified": (0.05, 2, 0.3, 0.2, 0.4),
    "verified_removed": (0.0, 0.25, 0.04, 0.02, 0.1),
    "resource_published": (0.3, 1, 0.7, 0.3, 0.4),
    "resource_unpublished": (0.05, 0.2, 0.1, 0.05, 0.1),
    "pii_added": (0.02, 1.2, 0.3, 0.02, 0.4),
    "pii_removed": (0.0, 0.15, 0.03, 0, 0.08),
    "lineage_created": (0.05, 0.6, 1.4, 0, 0.2),
    "resource_exported": (0.8, 0.4, 0.3, 0.9, 0.4),
    "query_results_exported": (1.1, 0.2, 0.8, 0.2, 0.1),
    "resource_shared": (0.8, 0.6, 0.3, 1.4, 0.5),
    "permission_granted": (0.0, 0.35, 0.15, 0.5, 4.0),
    "permission_revoked": (0.0, 0.12, 0.05, 0.15, 1.6),
    "users_added_to_team": (0.0, 0.02, 0.0, 0.25, 2.5),
    "access_request_created": (0.35, 0.1, 0.25, 0.2, 0.02),
    "access_request_approved": (0.0, 0.6, 0.1, 0.5, 1.8),
    "api_key_created": (0.0, 0.005, 0.015, 0.0, 0.12),
    "ai_access_rule_updated": (0.0, 0.0, 0.0, 0.0, 0.4),
    "role_changed": (0.0, 0.0, 0.0, 0.0, 0.6),
    "members_exported": (0.0, 0.0, 0.0, 0.05, 0.15),
    "integration_teams_added": (0.0, 0.0, 0.0, 0.0, 0.3),
    "resource_archived": (0.06, 0.7, 0.6, 0.06, 0.4),
    "resource_deleted": (0.03, 0.3, 0.4, 0.02, 0.3),
    "quality_preferences_updated": (0.0, 0.15, 0.15, 0.0, 0.5),
    "integration_updated": (0.0, 0.0, 0.03, 0.0, 0.35),
    "sync_pulled": (0.0, 0.1, 0.9, 0.0, 1.4),
    "automation_updated": (0.0, 0.03, 0.06, 0.0, 0.3),
    "lineage_deleted": (0.0, 0.05, 0.12, 0.0, 0.02),
    "answer_accepted": (0.5, 0.2, 0.2, 0.4, 0.1),
    "announcement_created": (0.0, 0.05, 0.02, 0.2, 0.2),
    "tag_deleted": (0.0, 0.03, 0.0, 0.0, 0.05),
    "collection_deleted": (0.01, 0.05, 0.01, 0.01, 0.03),
    "policy_updated": (0.0, 0.05, 0.0, 0.0, 0.15),
    "security_setting_updated": (0.0, 0.0, 0.0, 0.0, 0.06),
    "monitor_updated": (0.0, 0.1, 0.25, 0.0, 0.15),
}
EXTRAS = {
    "role_changed": '"role":{"from":"viewer","to":"editor"}',
    "access_request_approved": '"expires":"90d"',
}


@dataclass(frozen=True)
class WorkingSets:
    """The assets a person keeps coming back to.

    ``before`` and ``after`` are people by slots (rows of things), ``swaps`` the day on which a
    slot changes from one to the other; ``weights`` the cumulative pull of the slots.
    """

    before: np.ndarray
    after: np.ndarray
    swaps: np.ndarray
    weights: np.ndarray

    def pick(self, rng: np.random.Generator, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Draw one asset of the working set for each (person, day)."""
        slot = np.searchsorted(self.weights, rng.random(len(person)), side="right")
        slot = np.minimum(slot, SLOTS - 1)
        swapped = day >= self.swaps[person, slot]
        picked = np.where(swapped, self.after[person, slot], self.before[person, slot])
        return np.asarray(picked)


def build_working_sets(
    seed: int, accounts: Accounts, catalog: Catalog, *, days: int
) -> WorkingSets:
    """Mostly assets of the own team, some of two neighbour teams, some that everybody knows."""
    rng = generator(seed, "working sets")
    people = accounts.people
    own = np.repeat(accounts.team[:, None], SLOTS, axis=1)
    teams = int(accounts.team.max()) + 1
    near = (own + rng.choice([1, -1, 2], own.shape)) % teams
    kinds = rng.random(own.shape)
    team = np.where(kinds < 0.76, own, np.where(kinds < 0.88, near, -1))
    later = np.where(team == own, accounts.later_team[:, None], team)
    drift = np.where(rng.random(own.shape) < 0.3, rng.integers(0, max(1, days), own.shape), NEVER)
    moved = (accounts.moves < days)[:, None] & (team == own)
    pull = 1 / np.arange(1, SLOTS + 1) ** 0.9
    return WorkingSets(
        before=team_assets(rng, catalog, team.ravel()).reshape(people, SLOTS),
        after=team_assets(rng, catalog, later.ravel()).reshape(people, SLOTS),
        swaps=np.where(moved, accounts.moves[:, None], drift),
        weights=np.cumsum(pull / pull.sum()),
    )


def team_assets(rng: np.random.Generator, catalog: Catalog, team: np.ndarray) -> np.ndarray:
    """One asset of each named team (-1: of any), popular ones more often."""
    owner = catalog.team[: catalog.assets]
    shares = np.cumsum(catalog.popularity)
    whole = np.searchsorted(shares, rng.random(len(team)), side="right")
    drawn = np.minimum(whole, catalog.assets - 1)
    for place in np.unique(team[team >= 0]):
        rows = np.flatnonzero(owner == place)
        if not len(rows):
            continue
        wanted = np.flatnonzero(team == place)
        pull = np.cumsum(catalog.popularity[rows])
        found = np.searchsorted(pull, rng.random(len(wanted)) * pull[-1], side="right")
        drawn[wanted] = rows[np.minimum(found, len(rows) - 1)]
    return drawn


def draft_activity(
    seed: int,
    accounts: Accounts,
    calendar: Calendar,
    sets: WorkingSets,
    catalog: Catalog,
    *,
    events_per_day: float,
) -> list[pl.DataFrame]:
    """Draft every ordinary event of the people."""
    rng = generator(seed, "activity")
    person, day = np.nonzero(calendar.present)
    mood = rng.gamma(2.2, 1 / 2.2, len(person))
    month_end = 1 + 0.3 * (calendar.days - day <= 2)
    mean = events_per_day * accounts.pace[person] * mood * month_end
    count = rng.poisson(mean * np.where(calendar.weekday[day] < 5, 1.0, 0.35))
    row = np.repeat(np.arange(len(person)), count)
    at = moments(rng, accounts, calendar, person, day, row)
    order = np.lexsort((at, row))
    at, who, when = at[order], person[row], day[row]
    what = pick_rows(rng, mix_shares(rng, accounts), who)
    resource, entity = targets(rng, accounts, catalog, sets, (row, who, when, what))
    extra = pl.Series(what).replace_strict(
        {kind(token): text for token, text in EXTRAS.items()}, default=None, return_dtype=pl.String
    )
    events = draft(at, who, what, resource, entity=entity, extra=extra.to_list())
    return [events, logins(rng, catalog, accounts, (row, who, at))]


def mix_shares(rng: np.random.Generator, accounts: Accounts) -> np.ndarray:
    """People by kinds: cumulative shares, the job's mix bent by personal taste."""
    mix = np.zeros((len(JOBS), len(KINDS)))
    for token, weights in MIX.items():
        mix[:, kind(token)] = weights
    shares = mix[accounts.job] * rng.gamma(3.0, 1 / 3.0, (accounts.people, len(KINDS)))
    total = np.cumsum(shares, axis=1)
    return np.asarray(total / total[:, -1:])


def moments(
    rng: np.random.Generator,
    accounts: Accounts,
    calendar: Calendar,
    person: np.ndarray,
    day: np.ndarray,
    row: np.ndarray,
) -> np.ndarray:
    """The instant of each event: sessions around habitual hours, evenings and on-call nights."""
    anchors = np.sort(rng.random((accounts.people, ANCHORS)) * 8.5, axis=1)
    anchors[:, 0] = rng.random(accounts.people) * 0.6
    hours = accounts.starts[person][:, None] + anchors[person]
    hours += rng.normal(0, 0.4, hours.shape)
    late = rng.random(len(person)) < rng.beta(0.7, 16, accounts.people)[person]
    hours[late, -1] += rng.uniform(2, 5, late.sum())
    called = calendar.oncall[person, day] & (rng.random(len(person)) < 0.3)
    hours[called, -2] = rng.uniform(0, 24, called.sum())
    length = rng.uniform(10, 50, hours.shape)
    session = np.minimum(rng.integers(0, ANCHORS, len(row)), rng.poisson(3.2, len(row)))
    start = calendar.midnight[person, day][row] + (hours[row, session] * HOUR).astype(np.int64)
    inside = rng.beta(1, 1.6, len(row)) * length[row, session]
    return np.asarray(start + (inside * MINUTE).astype(np.int64))


def targets(
    rng: np.random.Generator,
    accounts: Accounts,
    catalog: Catalog,
    sets: WorkingSets,
    events: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Resource and other side of each event; people stay on an asset for a few events."""
    row, who, when, what = events
    asset = sets.pick(rng, who, when)
    curious = np.flatnonzero(rng.random(len(who)) < accounts.curiosity[who])
    team = np.where(when < accounts.moves[who], accounts.team[who], accounts.later_team[who])
    somewhere = np.where(rng.random(len(curious)) < 0.7, team[curious], -1)
    asset[curious] = team_assets(rng, catalog, somewhere)
    fresh = (rng.random(len(who)) > 0.45) | np.r_[True, row[1:] != row[:-1]][: len(row)]
    asset = asset[np.maximum.accumulate(np.where(fresh, np.arange(len(who)), 0))]
    resource, entity = asset.copy(), np.full(len(who), -1)
    for place in np.unique(what):
        at = np.flatnonzero(what == place)
        on = KINDS[place].on
        if on in ASSET_POOLS:
            resource[at] = nearest(catalog.pools[on], asset[at])
        elif on != "asset":
            resource[at] = choose(rng, catalog, on, who[at])
        if KINDS[place].other:
            entity[at] = choose(rng, catalog, KINDS[place].other, who[at])
    return resource, entity


def nearest(pool: np.ndarray, asset: np.ndarray) -> np.ndarray:
    """The member of the pool beside each asset; assets of a team stand together."""
    if not len(pool):
        return asset
    return np.asarray(pool[np.minimum(np.searchsorted(pool, asset), len(pool) - 1)])


def choose(rng: np.random.Generator, catalog: Catalog, pool: str, who: np.ndarray) -> np.ndarray:
    """A thing of the pool for each person, few favourites each; users from the first hundreds."""
    if pool == "self":
        return np.asarray(catalog.pools["user"][who])
    rows = catalog.pools[pool]
    favourite = (who * 7 + rng.geometric(0.35, len(who))) % len(rows)
    if pool == "user":
        # Nobody grants, invites or approves himself in ordinary work.
        favourite = np.where(favourite == who, (favourite + 1) % len(rows), favourite)
    return np.asarray(rows[favourite])


def logins(
    rng: np.random.Generator,
    catalog: Catalog,
    accounts: Accounts,
    events: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> pl.DataFrame:
    """A login shortly before the first event of most days."""
    row, who, at = events
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]][: len(row)])
    first = first[rng.random(len(first)) < 0.85]
    ahead = rng.integers(5, 90, len(first)) * 1_000_000
    person = who[first]
    assert not len(person) or person.max() < accounts.people
    return draft(at[first] - ahead, person, kind("user_logged_in"), catalog.pools["user"][person])
