"""Planted incidents whose subject is a sender: a dozen ways in which an account goes wrong."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.simulator.plots import Stage, Story

__all__ = ["SENDER_STORIES"]


def mass_export(stage: Stage) -> list[pl.DataFrame]:
    """Dozens of exports within an hour, own assets and a foreign team's."""
    hour, count = stage.hour(), stage.size(80)
    plot = stage.plot
    own = stage.scene.own(stage.rng, plot.sender, plot.day, count // 2)
    mixed = np.r_[own, stage.foreign(count - count // 2, pii=True)]
    return [stage.act("resource_exported", mixed, hour=hour, minutes=50)]


def foreign_snooping(stage: Stage) -> list[pl.DataFrame]:
    """Three days of looking through the sensitive tables of another team, in office hours."""
    team = stage.scene.foreign_team(stage.rng, stage.plot.sender)
    drafts = []
    for day in stage.at_work():
        hour = stage.hour()
        looked = stage.scene.tables(stage.rng, stage.size(32), team=team, pii=True)
        drafts.append(stage.act("resource_viewed", looked, hour=hour, minutes=120, day=day))
        opened = stage.rng.choice(looked, stage.size(12))
        drafts.append(stage.act("table_previewed", opened, hour=hour + 0.2, minutes=110, day=day))
    return drafts


def slow_drip(stage: Stage) -> list[pl.DataFrame]:
    """A handful of sensitive exports a day, for two weeks."""
    drafts = []
    for day in stage.at_work():
        taken = stage.scene.tables(stage.rng, stage.size(6), pii=True)
        drafts.append(
            stage.act("query_results_exported", taken, hour=stage.hour(), minutes=150, day=day)
        )
    return drafts


def account_takeover(stage: Stage) -> list[pl.DataFrame]:
    """A login at night, then a search for what the owner never opens, then downloads."""
    drafts = []
    night = float(stage.rng.uniform(0.5, 3.5))
    for day in range(stage.plot.days):
        self_row = stage.user(stage.plot.sender)
        found = stage.foreign(stage.size(30))
        workspace = np.repeat(stage.scene.catalog.pools["workspace"], stage.size(10))
        taken = stage.rng.choice(found, stage.size(12))
        drafts += [
            stage.act("user_logged_in", self_row, hour=night, minutes=2, day=day),
            stage.act("search_performed", workspace, hour=night + 0.1, minutes=70, day=day),
            stage.act("resource_viewed", found, hour=night + 0.1, minutes=100, day=day),
            stage.act("query_results_exported", taken, hour=night + 1, minutes=60, day=day),
        ]
    return drafts


def mass_delete(stage: Stage) -> list[pl.DataFrame]:
    """Assets of the own team deleted and archived in half an hour."""
    hour, count = stage.hour(), stage.size(60)
    team = int(stage.scene.cast.team[stage.plot.sender])
    gone = np.unique(stage.scene.of_team(stage.rng, team, count * 3))
    gone = stage.rng.permutation(gone)[:count]
    split = len(gone) * 2 // 3
    return [
        stage.act("resource_deleted", gone[:split], hour=hour, minutes=30),
        stage.act("resource_archived", gone[split:], hour=hour, minutes=30),
    ]


def privilege_chain(stage: Stage) -> list[pl.DataFrame]:
    """Own role raised to admin, rights handed out, then what they open is used."""
    hour, me = stage.hour(), stage.user(stage.plot.sender)
    before = stage.scene.cast.role(stage.plot.sender)
    role = f'"role":{{"from":"{before}","to":"admin"}}'
    granted = stage.foreign(stage.size(9), pii=True)
    teams = stage.rng.choice(stage.scene.catalog.pools["team"], stage.size(3))
    seen = stage.foreign(stage.size(14), pii=True)
    return [
        stage.act("role_changed", me, hour=hour, minutes=1, entity=me, extra=role),
        stage.act("users_added_to_team", teams, hour=hour + 0.1, minutes=15, entity=me),
        stage.act("permission_granted", granted, hour=hour + 0.2, minutes=25, entity=me),
        stage.act("table_previewed", seen, hour=hour + 0.6, minutes=40),
        stage.act("query_results_exported", seen[: stage.size(6)], hour=hour + 1, minutes=40),
    ]


def dormant_return(stage: Stage) -> list[pl.DataFrame]:
    """An account silent for five weeks comes back and looks where it never did."""
    hour = stage.hour()
    own = stage.scene.own(stage.rng, stage.plot.sender, stage.plot.day, stage.size(8))
    found = stage.foreign(stage.size(20))
    return [
        stage.act("user_logged_in", stage.user(stage.plot.sender), hour=hour, minutes=1),
        stage.act("resource_viewed", own, hour=hour, minutes=60),
        stage.act("resource_viewed", found, hour=hour + 0.2, minutes=90),
        stage.act("query_results_exported", found[: stage.size(6)], hour=hour + 1, minutes=60),
    ]


def service_misuse(stage: Stage) -> list[pl.DataFrame]:
    """A service account used by hand: off its schedule, not by API, on assets it never reads."""
    hour = float(stage.rng.uniform(8, 20))
    found = stage.foreign(stage.size(34), pii=True)
    workspace = np.repeat(stage.scene.catalog.pools["workspace"], stage.size(6))
    taken = stage.rng.choice(found, stage.size(12))
    return [
        stage.act("search_performed", workspace, hour=hour, minutes=50),
        stage.act("resource_viewed", found, hour=hour, minutes=80),
        stage.act("query_results_exported", taken, hour=hour + 0.7, minutes=50),
    ]


def pii_stripped(stage: Stage) -> list[pl.DataFrame]:
    """PII marks taken off many tables in an hour, some of which are then published."""
    hour = stage.hour()
    tables = stage.scene.tables(stage.rng, stage.size(45), pii=True)
    shown = tables[: stage.size(8)]
    return [
        stage.act("pii_removed", tables, hour=hour, minutes=50),
        stage.act("resource_published", shown, hour=hour + 1, minutes=20),
    ]


def api_key_bulk(stage: Stage) -> list[pl.DataFrame]:
    """A new API key, and soon after it descriptions rewritten in bulk."""
    hour = stage.hour()
    pools = stage.scene.catalog.pools
    key = int(stage.rng.choice(pools["api_key"]))
    changed = np.r_[stage.foreign(stage.size(45)), stage.foreign(stage.size(45))]
    return [
        stage.act("api_key_created", pools["workspace"], hour=hour, minutes=1, entity=key),
        stage.act("description_updated", changed, hour=hour + 0.4, minutes=35, api=True),
    ]


def departing_employee(stage: Stage) -> list[pl.DataFrame]:
    """In the last week before leaving: everything of the own team is opened, exported, shared."""
    drafts = []
    team = int(stage.scene.cast.team[stage.plot.sender])
    for day in stage.at_work():
        hour = stage.hour()
        kept = stage.scene.of_team(stage.rng, team, stage.size(9 + 3 * day))
        shared = stage.rng.choice(kept, stage.size(5))
        away = stage.rng.choice(stage.scene.catalog.pools["team"], len(shared))
        drafts += [
            stage.act("resource_exported", kept, hour=hour, minutes=120, day=day),
            stage.act("resource_shared", shared, hour=hour + 1, minutes=60, day=day, entity=away),
        ]
    return drafts


def self_approval(stage: Stage) -> list[pl.DataFrame]:
    """Access to sensitive tables requested and approved by the same person, then used."""
    hour, me = stage.hour(), stage.user(stage.plot.sender)
    tables = stage.foreign(stage.size(6), pii=True)
    read = np.repeat(tables, 2)
    return [
        stage.act("access_request_created", tables, hour=hour, minutes=20),
        stage.act(
            "access_request_approved", tables, hour=hour + 0.35, minutes=15, entity=me,
            extra='"expires":null',
        ),
        stage.act("table_previewed", read, hour=hour + 0.7, minutes=60),
    ]  # fmt: skip


def gone_but_active(stage: Stage) -> list[pl.DataFrame]:
    """An account deactivated days ago still logs in, looks around and downloads."""
    hour = stage.hour()
    seen = stage.scene.own(stage.rng, stage.plot.sender, stage.plot.day, stage.size(18))
    taken = stage.rng.choice(seen, stage.size(10))
    return [
        stage.act("user_logged_in", stage.user(stage.plot.sender), hour=hour, minutes=1),
        stage.act("resource_viewed", seen, hour=hour, minutes=60),
        stage.act("resource_exported", taken, hour=hour + 0.5, minutes=40),
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
