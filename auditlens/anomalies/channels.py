"""The three models: unusual senders, people who look like someone else, unusual resources."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.resource_catalogue import RESOURCE_FEATURES
from auditlens.anomalies.sender_catalogue import IDENTITY_FEATURES, SENDER_FEATURES

__all__ = ["CHANNELS", "Channel"]


@dataclass(frozen=True)
class Channel:
    """One model over one kind of day: name, subject, columns, score column, material days.

    A handful of events is no finding, however far from its baseline. A score is shown that lies
    ``spreads`` robust spreads above the median: chosen so that of people with steady habits, in
    whose month nothing happens, not one in two hundred is shown.
    """

    name: str
    subject: str
    features: tuple[Feature, ...]
    material: pl.Expr
    column: str = "score"
    spreads: float = 5.5


WORTH_A_LOOK = 0.8
"""Resources are many, so a few leap on any day; only a score that a plain forest never gives, from
a leap several times the usual one, is worth a reader's time."""

SENDERS = Channel("sender-day", "sender_id", SENDER_FEATURES, pl.col("events") >= 3)
IDENTITY = Channel(
    "identity", "sender_id", IDENTITY_FEATURES, pl.col("events") >= 5, "identity_score"
)
RESOURCES = Channel(
    "resource-day",
    "resource_id",
    RESOURCE_FEATURES,
    ((pl.col("events") >= 10) | (pl.col("risky") >= 3) | (pl.col("strangers") >= 3))
    & (pl.col("score") >= WORTH_A_LOOK),
)

CHANNELS = (SENDERS, IDENTITY, RESOURCES)
"""Every model; the first two score the same sender-days."""
