"""Unusual senders and resources: features, forest, budget and reasons."""

from auditlens.anomalies.detect import AnomalyOutcome, detect
from auditlens.anomalies.explain import baseline_bands, hour_grid, sender_timeline
from auditlens.anomalies.months import sender_months
from auditlens.anomalies.mutes import Mute
from auditlens.anomalies.saved import load_model, save_model

__all__ = [
    "AnomalyOutcome",
    "Mute",
    "baseline_bands",
    "detect",
    "hour_grid",
    "load_model",
    "save_model",
    "sender_months",
    "sender_timeline",
]
