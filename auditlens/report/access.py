"""Privileged and access changes: how many there were, and a sample anyone can draw again."""

from __future__ import annotations

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.report.content import Access, AccessRow
from auditlens.report.facts import Facts

__all__ = ["ACCESS_GROUPS", "PRIVILEGED_GROUPS", "access"]

ACCESS_GROUPS = ("permission", "share")
PRIVILEGED_GROUPS = ("permission", "admin")
SAMPLE = 25
METHOD = (
    "Order the population by SHA-256 of the seed followed by the event id, and take the first rows."
)


def access(facts: Facts) -> Access:
    """The population of permission, sharing and admin events, with a seeded sample."""
    groups = sorted({*ACCESS_GROUPS, *PRIVILEGED_GROUPS})
    found = facts.events.filter(pl.col("action_group").is_in(groups))
    counted = (
        found.group_by(pl.col("action").fill_null("unclassified"))
        .len()
        .sort(["len", "action"], descending=[True, False])
    )
    seed = facts.coverage.input_digest[:16]
    return Access(
        population=found.height,
        privileged=found.filter(pl.col("action_group").is_in(PRIVILEGED_GROUPS)).height,
        by_action=tuple(counted.iter_rows()),
        seed=seed,
        method=METHOD,
        sample=sample(found, seed) if facts.named else (),
    )


def sample(found: pl.DataFrame, seed: str) -> tuple[AccessRow, ...]:
    """The first rows by hash; the order is the same for everyone who has the events."""
    ids = sorted(found["id"].to_list(), key=lambda one: drawn(seed, one))[:SAMPLE]
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


def drawn(seed: str, event_id: str) -> str:
    return sha256_hex(f"{seed}{event_id}")
