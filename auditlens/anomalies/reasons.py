"""Why a day stands out: families by path credit, facts by credit and deviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.windows import Floats

__all__ = ["NO_DRIVER", "Baseline", "reasons_of"]

NO_DRIVER = "No clear driver: many small departures together"
SHOWN = 3
FACTS = 2

Baseline = tuple[float | None, float | None, float | None]
"""Typical value, lowest and highest of the own baseline days."""


def reasons_of(
    features: Sequence[Feature],
    credit: Floats,
    away: Floats,
    values: dict[str, int],
    own: dict[str, Sequence[int]],
    peers: dict[str, float | None],
) -> list[dict[str, Any]]:
    """The three strongest reasons of one row, as FINDING_SCHEMA's ``reasons``.

    ``credit`` and ``away`` have one number a feature; ``values`` the day's counts, ``own`` the
    counts of the baseline days and ``peers`` the peers' 95 % day, by name of the count.
    """
    usable = np.where(away <= 0, 0.0, credit)
    gain = np.maximum(usable, 0.0)
    total = float(gain.sum())
    if total <= 0:
        return [reason("none", 0.0, NO_DRIVER, None, None, None, None)]
    shares: dict[str, float] = {}
    for feature, part in zip(features, gain, strict=True):
        shares[feature.family] = shares.get(feature.family, 0.0) + float(part) / total
    strength = gain * np.abs(away)
    found = []
    for family in sorted(shares, key=lambda name: (-shares[name], name)):
        facts = strongest(features, strength, family)
        if facts:
            found.append(told(family, shares[family], facts, values, own, peers))
    return found[:SHOWN] or [reason("none", 0.0, NO_DRIVER, None, None, None, None)]


def strongest(features: Sequence[Feature], strength: Floats, family: str) -> list[Feature]:
    """The family's strongest features, one for each count they are told by."""
    ranked = sorted(
        (i for i, f in enumerate(features) if f.family == family and strength[i] > 0),
        key=lambda i: (-strength[i], i),
    )
    facts: dict[str, Feature] = {}
    for i in ranked:
        facts.setdefault(features[i].count, features[i])
    return list(facts.values())[:FACTS]


def told(
    family: str,
    share: float,
    facts: list[Feature],
    values: dict[str, int],
    own: dict[str, Sequence[int]],
    peers: dict[str, float | None],
) -> dict[str, Any]:
    first = facts[0].count
    days = own.get(first, ())
    typical = float(np.median(days)) if len(days) else None
    label = rarity(values.get(first, 0), days)
    text = "; ".join(fact_text(f, values, own, peers) for f in facts)
    sentence = f"{text}: {label}" if label else text
    return reason(
        family, share, sentence, float(values.get(first, 0)), typical, peers.get(first), label
    )


def fact_text(
    feature: Feature,
    values: dict[str, int],
    own: dict[str, Sequence[int]],
    peers: dict[str, float | None],
) -> str:
    said = feature.counted(values.get(feature.count, 0))
    days, peer = own.get(feature.count, ()), peers.get(feature.count)
    known = []
    if len(days):
        known.append(f"own typical day {np.median(days):g}, range {min(days)} to {max(days)}")
    if peer is not None:
        known.append(f"peers' 95 % day {peer:g}")
    return f"{said} ({'; '.join(known)})" if known else said


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
