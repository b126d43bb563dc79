"""Unusual senders and resources: features, forest, alert budget and reasons."""

from auditlens.anomalies.catalogue import FAMILIES, MODELS, feature_page
from auditlens.anomalies.detector import AnomalyOutcome, detect
from auditlens.anomalies.encode import encode_events
from auditlens.anomalies.features import day_tables
from auditlens.anomalies.model import (
    DayModel,
    Mute,
    feature_matrix,
    fit_days,
    load_model,
    prior_folder,
    ranked_days,
    save_model,
    service_mask,
)
from auditlens.anomalies.reasons import flagged_rows, muted_reason
from auditlens.anomalies.state import FeatureState, NewDays, add_days, load_state, save_state
from auditlens.anomalies.views import (
    BAND_COUNTS,
    baseline_bands,
    hour_grid,
    sender_months,
    sender_timeline,
    unusual_month,
)
from auditlens.anomalies.wording import counts_of

__all__ = [
    "BAND_COUNTS",
    "FAMILIES",
    "MODELS",
    "AnomalyOutcome",
    "DayModel",
    "FeatureState",
    "Mute",
    "NewDays",
    "add_days",
    "baseline_bands",
    "counts_of",
    "day_tables",
    "detect",
    "encode_events",
    "feature_matrix",
    "feature_page",
    "fit_days",
    "flagged_rows",
    "hour_grid",
    "load_model",
    "load_state",
    "muted_reason",
    "prior_folder",
    "ranked_days",
    "save_model",
    "save_state",
    "sender_months",
    "sender_timeline",
    "service_mask",
    "unusual_month",
]
