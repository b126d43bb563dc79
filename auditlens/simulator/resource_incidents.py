"""Planted incidents whose subject is a resource."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.simulator.plots import Stage, Story

__all__ = ["RESOURCE_STORIES"]


def permission_churn(stage: Stage) -> list[pl.DataFrame]:
    """Rights on one table granted, revoked and shared back and forth by several people."""
    cast, rng = stage.scene.cast, stage.rng
    able = stage.able(cast.with_job("admin", "steward", "manager", "engineer"))
    hands = rng.choice(able, min(4, len(able)), replace=False)
    drafts = []
    for person in hands.tolist():
        hour = stage.scene.office_hour(rng, person)
        for token, count in (("permission_granted", 4), ("permission_revoked", 3)):
            events = np.repeat(stage.plot.resource, stage.size(count))
            drafts.append(
                stage.act(
                    token, events, hour=hour, minutes=150, sender=person,
                    entity=stage.others(len(events)),
                )
            )  # fmt: skip
    return drafts


def scrape(stage: Stage) -> list[pl.DataFrame]:
    """One person reads and downloads one table over and over."""
    hour = stage.hour()
    read = np.repeat(stage.plot.resource, stage.size(60))
    taken = np.repeat(stage.plot.resource, stage.size(25))
    return [
        stage.act("table_previewed", read, hour=hour, minutes=150),
        stage.act("query_results_exported", taken, hour=hour + 0.5, minutes=140),
    ]


def foreign_crowd(stage: Stage) -> list[pl.DataFrame]:
    """Many people of other teams open one sensitive table on the same day."""
    cast = stage.scene.cast
    owner = stage.scene.catalog.team[stage.plot.resource]
    away = stage.able(np.flatnonzero(cast.team != owner))
    crowd = stage.rng.choice(away, min(stage.size(18), len(away)), replace=False)
    drafts = []
    for person in crowd.tolist():
        hour = stage.scene.office_hour(stage.rng, person)
        seen = np.repeat(stage.plot.resource, 2)
        drafts.append(stage.act("resource_viewed", seen, hour=hour, minutes=40, sender=person))
    return drafts


RESOURCE_STORIES: dict[str, tuple[Story, int]] = {
    "permission_churn": (permission_churn, 1),
    "scrape": (scrape, 1),
    "foreign_crowd": (foreign_crowd, 1),
}
"""Kind to story and how many days it takes."""
