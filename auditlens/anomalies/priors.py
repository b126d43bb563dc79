"""The forests that come with AuditLens, for logs too small to grow their own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from auditlens.anomalies.model import DayModel
from auditlens.anomalies.saved import load_model

__all__ = ["OWN_ROWS", "prior_folder", "prior_model"]

OWN_ROWS = 300
"""With fewer comparable days than this the prior forest is used.

Features are relative, so a forest grown on another workspace serves as well.
"""


def prior_folder() -> Path:
    """Where the bundled forests are; ``benchmarks/anomalies.py prior`` rebuilds them."""
    return Path(__file__).with_name("prior")


@cache
def prior_model(name: str, features: tuple[str, ...]) -> DayModel | None:
    """The bundled forest called ``name``; None when it was grown on other features."""
    path = prior_folder() / f"{name}.npz"
    if not path.exists():
        return None
    model = replace(load_model(path), prior=True)
    return model if model.features == features else None
