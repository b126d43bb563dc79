"""What runs by itself: service accounts on schedules, syncs, automations, monitors."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.simulator._random import generator
from auditlens.simulator.accounts import AUTOMATION, MONITOR, SCHEDULER, Accounts
from auditlens.simulator.activity import team_assets
from auditlens.simulator.calendar import DAY, HOUR, MINUTE, Calendar
from auditlens.simulator.catalog import Catalog
from auditlens.simulator.events import draft, kind

__all__ = ["draft_service_accounts"]

SECOND = 1_000_000
DUTIES = (
    "documentation_updated",
    "description_updated",
    "tag_added",
    "resource_exported",
    "lineage_created",
    "collection_added",
    "owner_assigned",
    "resource_viewed",
)
EVERY_HOURS = (1, 2, 4, 6, 12, 24)


def draft_service_accounts(
    seed: int, accounts: Accounts, calendar: Calendar, catalog: Catalog, *, pace: float
) -> list[pl.DataFrame]:
    """Draft the events of service accounts, integrations, automations and monitors.

    ``pace`` scales the work of the service accounts (1: as in a workspace of 300 people).
    """
    rng = generator(seed, "machinery")
    drafts = [
        service_runs(rng, accounts, calendar, catalog, n, pace=pace)
        for n in range(accounts.services)
    ]
    drafts.append(syncs(rng, calendar, catalog, kind("job_completed"), every=6, failing=0.0))
    drafts.append(syncs(rng, calendar, catalog, kind("sync_failed"), every=24, failing=0.96))
    drafts.append(schema_changes(rng, accounts, calendar, catalog))
    drafts.append(
        runs(rng, calendar, accounts.machine(AUTOMATION), kind("automation_triggered"),
             catalog.pools["automation"], every=12)
    )  # fmt: skip
    drafts.append(automated_tags(rng, accounts, calendar, catalog))
    drafts.append(
        runs(rng, calendar, accounts.machine(MONITOR), kind("monitor_ran"),
             catalog.pools["monitor"], every=24)
    )  # fmt: skip
    return drafts


def service_runs(
    rng: np.random.Generator,
    accounts: Accounts,
    calendar: Calendar,
    catalog: Catalog,
    service: int,
    *,
    pace: float,
) -> pl.DataFrame:
    """One account: the same duty on the same assets at the same minute, by API."""
    every = int(rng.choice(EVERY_HOURS)) * HOUR
    starts = np.arange(calendar.start + int(rng.integers(0, every)), calendar.end, every)
    starts = starts[rng.random(len(starts)) > 0.01]
    batch = int(rng.integers(3, 14) * every // (4 * HOUR)) + 4
    assets = team_assets(rng, catalog, np.full(60, service % (int(accounts.team.max()) + 1)))
    size = np.maximum(1, rng.poisson(batch * pace, len(starts)))
    run = np.repeat(np.arange(len(starts)), size)
    step = np.arange(len(run)) - np.repeat(np.cumsum(size) - size, size)
    at = starts[run] + step * 2 * SECOND + rng.integers(0, SECOND, len(run))
    duty = DUTIES[service % len(DUTIES)]
    second = DUTIES[(service + 1) % 3]
    what = np.where(rng.random(len(run)) < 0.85, kind(duty), kind(second))
    resource = assets[(run * 3 + step) % len(assets)]
    other = {"tag_added": "tag", "collection_added": "collection", "owner_assigned": "user",
             "lineage_created": "table"}  # fmt: skip
    entity = np.full(len(run), -1)
    for token, pool in other.items():
        rows = np.flatnonzero(what == kind(token))
        entity[rows] = catalog.pools[pool][service % len(catalog.pools[pool])]
    return draft(at, accounts.people + service, what, resource, entity=entity, api=True)


def syncs(
    rng: np.random.Generator,
    calendar: Calendar,
    catalog: Catalog,
    what: int,
    *,
    every: int,
    failing: float,
) -> pl.DataFrame:
    """Integration syncs: rows that name no sender at all."""
    made = runs(rng, calendar, -1, what, catalog.pools["integration"], every=every)
    return made.filter(pl.Series(rng.random(made.height) >= failing))


def runs(
    rng: np.random.Generator,
    calendar: Calendar,
    sender: int,
    what: int,
    pool: np.ndarray,
    *,
    every: int,
) -> pl.DataFrame:
    """Each thing of the pool runs once in ``every`` hours, at its own minute, a little late."""
    ticks = np.arange(calendar.start, calendar.end, every * HOUR)
    phase = rng.integers(0, every * HOUR, len(pool))
    at = (
        ticks[:, None] + phase[None, :] + rng.integers(0, MINUTE, (len(ticks), len(pool)))
    ).ravel()
    return draft(at, sender, what, np.tile(pool, len(ticks)))


def schema_changes(
    rng: np.random.Generator, accounts: Accounts, calendar: Calendar, catalog: Catalog
) -> pl.DataFrame:
    """Columns that changed at the source, reported by the vendor's scheduler."""
    count = rng.poisson(calendar.days * catalog.assets / 1500)
    at = calendar.start + rng.integers(0, calendar.days * DAY, count)
    table = rng.choice(catalog.pools["table"], count)
    return draft(at, accounts.machine(SCHEDULER), kind("schema_changed"), table)


def automated_tags(
    rng: np.random.Generator, accounts: Accounts, calendar: Calendar, catalog: Catalog
) -> pl.DataFrame:
    """An automation that tags a batch of assets every Monday: a burst that means no harm."""
    mondays = np.flatnonzero(calendar.weekday == 0)
    size = max(3, catalog.assets // 150)
    at = calendar.start + np.repeat(mondays, size) * DAY + 6 * HOUR
    at = at + np.tile(np.arange(size), len(mondays)) * SECOND
    assets = team_assets(rng, catalog, np.full(len(at), -1))
    tag = catalog.pools["tag"][0]
    return draft(at, accounts.machine(AUTOMATION), kind("tag_added"), assets, entity=tag)
