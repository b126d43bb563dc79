"""Unusual senders and resources: features, forest, budget and reasons."""

from auditlens.anomalies.detect import AnomalyOutcome, detect

__all__ = ["AnomalyOutcome", "detect"]
