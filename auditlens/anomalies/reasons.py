"""Chosen days become anomalies: subject, evidence, and why the day stands out.

Families of features stand by path credit, facts inside a family by credit and deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Floats
from auditlens.anomalies.baselines import WINDOW
from auditlens.anomalies.catalogue import Feature, ModelSpec
from auditlens.anomalies.model import DayModel
from auditlens.findings import FINDING_SCHEMA, MAX_EVIDENCE

__all__ = [
    "FLAGGED_SCHEMA", "NO_DRIVER", "Baselines", "flagged_rows", "muted_reason", "reasons_of",
]  # fmt: skip

NO_DRIVER = "No clear driver: many small departures together"
MOST_REASONS = 3
MOST_FACTS = 2

AMONG_OTHERS = ("peer", "type", "audience")
"""Families that compare with others; above their 95 % day is rare, whatever the own habit."""


@dataclass(frozen=True)
class Baselines:
    """What one row is compared with, by name of the count.

    ``values`` are the row's own, ``own`` those of the baseline days, ``usual`` the 95 % day of
    those called ``whose``.
    """

    values: Mapping[str, Any]
    own: Mapping[str, Sequence[int]]
    usual: Mapping[str, float | None]
    whose: str


def reasons_of(
    features: Sequence[Feature], credit: Floats, away: Floats, baselines: Baselines
) -> list[dict[str, Any]]:
    """The three strongest reasons of one row, as FINDING_SCHEMA's ``reasons``.

    Args:
        features: The model's columns.
        credit: Path credit by feature.
        away: Robust deviation by feature.
        baselines: What the row is compared with.

    Returns:
        Families in the order of their credit; facts inside a family in that of credit times
        deviation.
    """
    gain = np.where(away <= 0, 0.0, np.maximum(credit, 0.0))
    total = float(gain.sum())
    shares: dict[str, float] = {}
    for feature, part in zip(features, gain, strict=True):
        shares[feature.family] = shares.get(feature.family, 0.0) + float(part) / max(total, 1e-9)
    strength = gain * np.abs(away)
    reasons = []
    for family in sorted(shares, key=lambda name: (-shares[name], name)):
        facts = strongest(features, strength, family, baselines)
        if facts:
            reasons.append(family_reason(family, shares[family], facts, baselines))
    return reasons[:MOST_REASONS] or [reason("none", 0.0, NO_DRIVER, None, None, None, None)]


def strongest(
    features: Sequence[Feature], strength: Floats, family: str, baselines: Baselines
) -> list[Feature]:
    """The family's strongest features, one for each count that explains them and is there."""
    ranked = sorted(
        (i for i, f in enumerate(features) if f.family == family and strength[i] > 0),
        key=lambda i: (-strength[i], i),
    )
    facts: dict[str, Feature] = {}
    for i in ranked:
        if baselines.values.get(features[i].count, 0) > 0:
            facts.setdefault(features[i].count, features[i])
    # A count that the subject reaches all the time explains nothing while others do.
    rare = [each for each in facts.values() if label_of(each, baselines) != "FREQUENT"]
    return (rare or list(facts.values()))[:MOST_FACTS]


def family_reason(
    family: str, share: float, facts: list[Feature], baselines: Baselines
) -> dict[str, Any]:
    lead = facts[0]
    value, days = baselines.values[lead.count], baselines.own.get(lead.count, ())
    label = label_of(lead, baselines)
    text = "; ".join(fact_text(fact, baselines) for fact in facts)
    usual = baselines.usual.get(lead.count)
    return reason(
        family,
        share,
        f"{text}: {label}" if label else text,
        float(lead.for_reader(value)),
        float(lead.for_reader(float(np.median(days)))) if len(days) else None,
        None if usual is None else lead.for_reader(usual),
        label,
    )


def fact_text(feature: Feature, baselines: Baselines) -> str:
    counted = feature.counted(feature.for_reader(baselines.values[feature.count]))
    days, usual = baselines.own.get(feature.count, ()), baselines.usual.get(feature.count)
    context = []
    if len(days):
        typical, low, high = (
            feature.for_reader(float(each)) for each in (np.median(days), min(days), max(days))
        )
        context.append(f"own typical day {typical:g}, range {low:g} to {high:g}")
    if usual is not None:
        context.append(f"{baselines.whose} 95 % day {feature.for_reader(usual):g}")
    return f"{counted} ({'; '.join(context)})" if context else counted


def muted_reason(family: str) -> dict[str, Any]:
    """Says that a reviewer left a family out of this score."""
    text = f"Left out of the score by a reviewer's decision: {family}"
    return reason(family, 0.0, text, None, None, None, None)


def label_of(feature: Feature, baselines: Baselines) -> str | None:
    """How rare the feature's count is: among others' days where it is compared with those."""
    value, usual = baselines.values[feature.count], baselines.usual.get(feature.count)
    own = rarity(value, baselines.own.get(feature.count, ()))
    above_others = feature.family in AMONG_OTHERS and usual is not None and value > usual
    return "RARE" if above_others and own in (None, "INFREQUENT", "FREQUENT") else own


def rarity(value: int, days: Sequence[int]) -> str | None:
    """How often the subject's own baseline days reached ``value``."""
    if not len(days):
        return None
    reached = sum(day >= value for day in days) / len(days)
    if reached == 0:
        return "UNSEEN"
    return "RARE" if reached <= 0.05 else "INFREQUENT" if reached <= 0.25 else "FREQUENT"


def reason(
    family: str,
    share: float,
    text: str,
    value: float | None,
    own: float | None,
    peers: float | None,
    label: str | None,
    phrase: str | None = None,
) -> dict[str, Any]:
    return {
        "family": family,
        "share": round(share, 6),
        "text": text,
        "value": value,
        "own_baseline": own,
        "peer_baseline": peers,
        "label": label,
        "phrase": phrase,
    }


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

PEERS_SHARE = 0.95


def flagged_rows(
    spec: ModelSpec,
    fitted: DayModel,
    table: pl.DataFrame,
    chosen: pl.DataFrame,
    ranked: pl.DataFrame,
    events: pl.DataFrame,
    timezone: str,
) -> pl.DataFrame:
    """Make anomalies of chosen days.

    Args:
        spec: The model that chose them.
        fitted: The same, fitted.
        table: The features of all days.
        chosen: Subject, ``day`` (the worst), ``days`` (list), ``score`` of each entry.
        ranked: ``rank`` and ``percentile`` of the period's days.
        events: Event table.
        timezone: IANA name of the zone of the days.

    Returns:
        One row an entry of ``chosen``, in its order (FLAGGED_SCHEMA).
    """
    subject = spec.subject
    places = ranked.select(subject, "day", "rank", "percentile")
    days = chosen.drop("model").join(table, on=[subject, "day"], maintain_order="left")
    days = days.join(places, on=[subject, "day"], maintain_order="left")
    credit, away = fitted.credit(days), fitted.deviations(days)
    counts = sorted({"events", *(feature.count for feature in spec.features)})
    peers = peer_days(table, counts)
    evidence = events_of(events, subject, days, timezone)
    rows = []
    for at, entry in enumerate(days.iter_rows(named=True)):
        own = own_days(table, subject, entry, counts)
        peer = peers[bool(entry.get("service", False))]
        whose = "peers'" if subject == "sender_id" else "resources'"
        why = reasons_of(spec.features, credit[at], away[at], Baselines(entry, own, peer, whose))
        why += [muted_reason(family) for family in entry.get("muted") or ()]
        typical = float(np.median(own["events"])) if own["events"] else None
        label = entry.get("subject_label") or title_of(evidence, entry[subject])
        rows.append(
            {
                "model": spec.name,
                "title": title(spec.name, why, entry["days"]),
                "level": level(entry, fitted.gate),
                "subject_kind": subject.removesuffix("_id"),
                "subject_id": entry[subject],
                "subject_label": label,
                **evidence_of(evidence, entry[subject], entry["days"]),
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
        .select(pl.col(name).quantile(PEERS_SHARE, "nearest").cast(pl.Float64) for name in counts)
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


def evidence_of(events: pl.DataFrame, who: str, days: Sequence[date]) -> dict[str, Any]:
    mine = events.filter(pl.col("who") == who, pl.col("day").is_in(list(days)))
    return {
        "first_at": mine["created_at"][0],
        "last_at": mine["created_at"][-1],
        "event_count": len(mine),
        "event_ids": mine["id"].head(MAX_EVIDENCE).to_list(),
    }


def title_of(events: pl.DataFrame, resource: str) -> str:
    name = events.filter(pl.col("who") == resource)["resource_title"].max()
    return str(name) if name is not None else resource
