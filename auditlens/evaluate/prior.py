"""Growing the forests that come with AuditLens, on simulated workspaces."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from auditlens.actions import classify
from auditlens.anomalies import (
    MODELS,
    day_tables,
    encode_events,
    fit_days,
    prior_folder,
    save_model,
)
from auditlens.events import conform
from auditlens.simulator import simulate

__all__ = ["PRIOR_SEED", "build_prior"]

PRIOR_SEED = 100
"""A seed of its own: neither a design seed nor one whose results are reported."""

TREES = 200


def build_prior(folder: Path | None = None, *, people: int = 150) -> tuple[Path, ...]:
    """Grow every forest on a simulated workspace and save it; same versions, same bytes."""
    workspace = simulate(PRIOR_SEED, people=people, resources=3000)
    events = classify(conform(workspace.events))
    senders, resources = day_tables(encode_events(events, until=workspace.end))
    target = folder or prior_folder()
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for spec in MODELS:
        table = senders if spec.subject == "sender_id" else resources
        known = table.filter(pl.col("state") == "scored").sort(spec.subject, "day")
        model = fit_days(known, spec.features, seed=0, trees=TREES, mad_multiple=spec.mad_multiple)
        written.append(save_model(model, target / spec.name))
    return tuple(written)
