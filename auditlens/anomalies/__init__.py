"""Unusual senders and resources: features, forest, budget and reasons."""

from auditlens.anomalies.detect import AnomalyOutcome, detect
from auditlens.anomalies.explain import baseline_bands, hour_grid, sender_timeline
from auditlens.anomalies.kept import FeatureState, NewDays
from auditlens.anomalies.kept_file import add_days, load_state, save_state
from auditlens.anomalies.months import sender_months
from auditlens.anomalies.mutes import Mute
from auditlens.anomalies.saved import load_model, save_model

__all__ = [
    "AnomalyOutcome",
    "FeatureState",
    "Mute",
    "NewDays",
    "add_days",
    "baseline_bands",
    "detect",
    "hour_grid",
    "load_model",
    "load_state",
    "save_model",
    "save_state",
    "sender_months",
    "sender_timeline",
]
