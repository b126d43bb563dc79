"""Growing the forests that come with AuditLens, on simulated workspaces."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from auditlens.actions import classify
from auditlens.anomalies.channels import CHANNELS
from auditlens.anomalies.ledger import open_ledger
from auditlens.anomalies.model import fit_days
from auditlens.anomalies.priors import prior_folder
from auditlens.anomalies.saved import save_model
from auditlens.anomalies.tables import day_tables
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
    ledger = open_ledger(events, until=workspace.end)
    senders, resources = day_tables(ledger)
    target = folder or prior_folder()
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for channel in CHANNELS:
        table = senders if channel.subject == "sender_id" else resources
        known = table.filter(pl.col("state") == "scored").sort(channel.subject, "day")
        model = fit_days(known, channel.features, seed=0, trees=TREES, spreads=channel.spreads)
        written.append(save_model(model, target / channel.name))
    return tuple(written)
