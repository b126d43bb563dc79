"""Why a day stands out: families by path credit, facts by credit and deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.windows import Floats

__all__ = ["NO_DRIVER", "Baselines", "muted_reason", "reasons_of"]

NO_DRIVER = "No clear driver: many small departures together"
SHOWN = 3
FACTS = 2

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
    features: Sequence[Feature], credit: Floats, away: Floats, known: Baselines
) -> list[dict[str, Any]]:
    """The three strongest reasons of one row, as FINDING_SCHEMA's ``reasons``.

    ``credit`` and ``away`` have one number a feature. Families stand in the order of their
    credit, facts inside a family in that of credit times deviation.
    """
    gain = np.where(away <= 0, 0.0, np.maximum(credit, 0.0))
    total = float(gain.sum())
    shares: dict[str, float] = {}
    for feature, part in zip(features, gain, strict=True):
        shares[feature.family] = shares.get(feature.family, 0.0) + float(part) / max(total, 1e-9)
    strength = gain * np.abs(away)
    found = []
    for family in sorted(shares, key=lambda name: (-shares[name], name)):
        facts = strongest(features, strength, family, known)
        if facts:
            found.append(told(family, shares[family], facts, known))
    return found[:SHOWN] or [reason("none", 0.0, NO_DRIVER, None, None, None, None)]


def strongest(
    features: Sequence[Feature], strength: Floats, family: str, known: Baselines
) -> list[Feature]:
    """The family's strongest features, one for each count they are told by and that is there."""
    ranked = sorted(
        (i for i, f in enumerate(features) if f.family == family and strength[i] > 0),
        key=lambda i: (-strength[i], i),
    )
    facts: dict[str, Feature] = {}
    for i in ranked:
        if known.values.get(features[i].count, 0) > 0:
            facts.setdefault(features[i].count, features[i])
    # A count that the subject reaches all the time explains nothing while others do.
    telling = [each for each in facts.values() if label_of(each, known) != "FREQUENT"]
    return (telling or list(facts.values()))[:FACTS]


def told(family: str, share: float, facts: list[Feature], known: Baselines) -> dict[str, Any]:
    lead = facts[0]
    value, days = known.values[lead.count], known.own.get(lead.count, ())
    label = label_of(lead, known)
    text = "; ".join(fact_text(fact, known) for fact in facts)
    usual = known.usual.get(lead.count)
    return reason(
        family,
        share,
        f"{text}: {label}" if label else text,
        float(lead.shown(value)),
        float(lead.shown(float(np.median(days)))) if len(days) else None,
        None if usual is None else lead.shown(usual),
        label,
    )


def fact_text(feature: Feature, known: Baselines) -> str:
    said = feature.counted(feature.shown(known.values[feature.count]))
    days, usual = known.own.get(feature.count, ()), known.usual.get(feature.count)
    context = []
    if len(days):
        typical, low, high = (
            feature.shown(float(each)) for each in (np.median(days), min(days), max(days))
        )
        context.append(f"own typical day {typical:g}, range {low:g} to {high:g}")
    if usual is not None:
        context.append(f"{known.whose} 95 % day {feature.shown(usual):g}")
    return f"{said} ({'; '.join(context)})" if context else said


def muted_reason(family: str) -> dict[str, Any]:
    """Says that a reviewer left a family out of this score."""
    text = f"Left out of the score by a reviewer's decision: {family}"
    return reason(family, 0.0, text, None, None, None, None)


def label_of(feature: Feature, known: Baselines) -> str | None:
    """How rare the feature's count is: among others' days where it is compared with those."""
    value, usual = known.values[feature.count], known.usual.get(feature.count)
    own = rarity(value, known.own.get(feature.count, ()))
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
) -> dict[str, Any]:
    return {
        "family": family,
        "share": round(share, 6),
        "text": text,
        "value": value,
        "own_baseline": own,
        "peer_baseline": peers,
        "label": label,
    }
