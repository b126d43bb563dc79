"""Chosen days become anomalies with subject, evidence and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.model import DayModel
from auditlens.anomalies.reasons import Baselines, muted_reason, reasons_of
from auditlens.anomalies.windows import WINDOW
from auditlens.finding_columns import FINDING_SCHEMA, MAX_EVIDENCE

__all__ = ["FLAGGED_SCHEMA", "flagged_rows"]

FLAGGED_SCHEMA: dict[str, pl.DataType] = {
    "model": pl.String(),
    **{
        name: FINDING_SCHEMA[name]
        for name in (
            "title", "level", "subject_kind", "subject_id", "subject_label", "first_at", "last_at",
            "event_count", "event_ids", "value", "expected", "score_rank", "score_percentile",
            "reasons",
        )
    },
}  # fmt: skip
"""Column name to dtype of ``AnomalyOutcome.flagged``."""

PEERS_DAY = 0.95


def flagged_rows(
    model: str,
    features: Sequence[Feature],
    fitted: DayModel,
    table: pl.DataFrame,
    chosen: pl.DataFrame,
    placed: pl.DataFrame,
    events: pl.DataFrame,
    timezone: str,
) -> pl.DataFrame:
    """One row an entry of ``chosen``, in its order.

    ``table`` holds the features of all days, ``placed`` rank and percentile of the period's.
    """
    subject = chosen.columns[0]
    places = placed.select(subject, "day", "rank", "percentile")
    days = chosen.drop("model").join(table, on=[subject, "day"], maintain_order="left")
    days = days.join(places, on=[subject, "day"], maintain_order="left")
    credit, away = fitted.credit(days), fitted.deviations(days)
    counts = sorted({"events", *(feature.count for feature in features)})
    peers = peer_days(table, counts)
    held = events_of(events, subject, days, timezone)
    rows = []
    for at, entry in enumerate(days.iter_rows(named=True)):
        own = own_days(table, subject, entry, counts)
        peer = peers[bool(entry.get("service", False))]
        whose = "peers'" if subject == "sender_id" else "resources'"
        why = reasons_of(features, credit[at], away[at], Baselines(entry, own, peer, whose))
        why += [muted_reason(family) for family in entry.get("muted") or ()]
        evidence = evidence_of(held, entry[subject], entry["days"])
        typical = float(np.median(own["events"])) if own["events"] else None
        label = entry.get("subject_label") or title_of(held, entry[subject])
        rows.append(
            {
                "model": model,
                "title": title(model, why, entry["days"]),
                "level": level(entry, fitted.gate),
                "subject_kind": subject.removesuffix("_id"),
                "subject_id": entry[subject],
                "subject_label": label,
                **evidence,
                "value": float(entry["events"]),
                "expected": typical,
                "score_rank": entry["rank"],
                "score_percentile": entry["percentile"],
                "reasons": why,
            }
        )
    return pl.DataFrame(rows, schema=FLAGGED_SCHEMA)


def title(model: str, why: Sequence[dict[str, Any]], days: Sequence[date]) -> str:
    families = " and ".join(str(each["family"]) for each in why[:2])
    span = "Unusual day" if len(days) == 1 else f"{len(days)} unusual days in one week"
    if model == "identity":
        return "Looks like someone else"
    return f"{span}: {families}" if families != "none" else f"{span}: no clear driver"


def level(entry: dict[str, Any], gate: float) -> str:
    """By how far the score passed the gate, or by rarity: small logs have no 99.9 % day."""
    passed = (entry["score"] - gate) / (1 - gate)
    if passed >= 0.4 or entry["percentile"] >= 99.9:
        return "high"
    return "medium" if passed >= 0.2 or entry["percentile"] >= 99 else "low"


def own_days(
    table: pl.DataFrame, subject: str, entry: dict[str, Any], counts: Sequence[str]
) -> dict[str, Sequence[int]]:
    """The counts of the last WINDOW active days before the entry's day."""
    before = (
        table.filter(pl.col(subject) == entry[subject], pl.col("day") < entry["day"])
        .sort("day")
        .tail(WINDOW)
    )
    return {name: before[name].to_list() for name in counts}


def peer_days(table: pl.DataFrame, counts: Sequence[str]) -> dict[bool, dict[str, float | None]]:
    """The 95 % day of each count, people (False) and services (True) apart."""
    service = pl.col("service") if "service" in table.columns else pl.lit(value=False)
    return {
        which: table.filter(service == which)
        .select(pl.col(name).quantile(PEERS_DAY, "nearest").cast(pl.Float64) for name in counts)
        .row(0, named=True)
        for which in (False, True)
    }


def events_of(
    events: pl.DataFrame, subject: str, days: pl.DataFrame, timezone: str
) -> pl.DataFrame:
    """The chosen subjects' events in order: ``who``, ``day``, ``created_at``, ``id``, title."""
    local = pl.col("created_at").dt.convert_time_zone(timezone).dt.date()
    who = pl.coalesce("resource_id", "entity_id") if subject == "resource_id" else pl.col(subject)
    return (
        events.lazy()
        .select("created_at", "id", "resource_title", "sender_id", who=who)
        .filter(pl.col("who").is_in(days[subject].to_list()), pl.col("sender_id").is_not_null())
        .with_columns(day=local)
        .sort("created_at", "id")
        .collect()
    )


def evidence_of(held: pl.DataFrame, who: str, days: Sequence[date]) -> dict[str, Any]:
    mine = held.filter(pl.col("who") == who, pl.col("day").is_in(list(days)))
    return {
        "first_at": mine["created_at"][0],
        "last_at": mine["created_at"][-1],
        "event_count": len(mine),
        "event_ids": mine["id"].head(MAX_EVIDENCE).to_list(),
    }


def title_of(held: pl.DataFrame, resource: str) -> str:
    name = held.filter(pl.col("who") == resource)["resource_title"].max()
    return str(name) if name is not None else resource
