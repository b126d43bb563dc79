"""Explanation fidelity: single columns and whole families are pushed; are they named as reasons?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.anomalies import DayModel, feature_matrix, service_mask

__all__ = ["ExplanationFidelity", "measure_fidelity"]

HIGH = 0.999


@dataclass(frozen=True)
class ExplanationFidelity:
    """How often a reason names what was pushed.

    Attributes:
        feature: Share of pushed rows whose planted feature is among the first three.
        family: Share of pushed rows whose planted family is among the first three.
        rows: How many rows were pushed.
    """

    feature: float
    family: float
    rows: int


def measure_fidelity(
    model: DayModel, days: pl.DataFrame, *, rows: int = 200, seed: int = 0
) -> ExplanationFidelity:
    """Push features of ordinary days to their 99.9 % value and look which reasons are named.

    One feature a row is pushed for the feature's share; for the family's, three of one family (all,
    when it has fewer).

    Args:
        model: A fitted model.
        days: Scored days with its features.
        rows: How many rows are pushed.
        seed: Of the choice of rows and features.

    Returns:
        How often the pushed feature and family are among the first three.
    """
    rng = np.random.default_rng(seed)
    raw = feature_matrix(days, model.features)
    scored = model.scores(days)
    calm = np.flatnonzero(scored <= np.median(scored))
    chosen = rng.choice(calm, rows, replace=len(calm) < rows)
    high = np.quantile(raw, HIGH, axis=0, method="higher")
    service = service_mask(days)[chosen]
    can = np.flatnonzero(model.scaler.deviations(high[None, :], np.array([False]))[0] > 1)
    families = np.array(model.families)
    one = raw[chosen].copy()
    pushed = rng.choice(can, rows)
    one[np.arange(rows), pushed] = high[pushed]
    several = raw[chosen].copy()
    family = rng.choice(sorted(set(families[can])), rows)
    for row, name in enumerate(family):
        places = can[families[can] == name]
        places = rng.choice(places, min(3, len(places)), replace=False)
        several[row, places] = high[places]
    named = strongest_features(model, one, service)
    reported = [
        strongest_families(model, several[row : row + 1], service[row : row + 1])
        for row in range(rows)
    ]
    return ExplanationFidelity(
        feature=float(np.mean([pushed[row] in named[row] for row in range(rows)])),
        family=float(np.mean([family[row] in reported[row] for row in range(rows)])),
        rows=rows,
    )


def strongest_features(model: DayModel, raw: np.ndarray, service: np.ndarray) -> np.ndarray:
    credit = model.forest.credit(model.scaler.scaled(raw, service))
    strength = np.maximum(credit, 0) * np.maximum(model.scaler.deviations(raw, service), 0)
    return np.argsort(-strength, axis=1)[:, :3]


def strongest_families(model: DayModel, raw: np.ndarray, service: np.ndarray) -> list[str]:
    credit = np.maximum(model.forest.credit(model.scaler.scaled(raw, service))[0], 0)
    credit = np.where(model.scaler.deviations(raw, service)[0] > 0, credit, 0)
    names = sorted(set(model.families))
    total = [credit[np.array(model.families) == name].sum() for name in names]
    return [names[at] for at in np.argsort(-np.array(total))[:3]]
