"""Measuring rules and model: planted incidents, swapped identities, logs where nothing happens."""

from auditlens.evaluate.case_quality import FIRST, CaseQuality, judge_cases
from auditlens.evaluate.explanation_fidelity import ExplanationFidelity, measure_fidelity
from auditlens.evaluate.identity_swap import (
    IdentitySwap,
    SwapAlerts,
    SwapResult,
    measure_swap_alerts,
    measure_swaps,
    swap_identities,
    with_swaps,
)
from auditlens.evaluate.incident_recall import (
    REPORTED_SEEDS,
    IncidentRecall,
    RankingQuality,
    area_under_curve,
    asked_findings,
    average_precision,
    daily_places,
    incidents_caught_by_rules,
    judge_ranking,
    measure_recall,
    naive_days,
    reported_incidents,
)
from auditlens.evaluate.scorecard import (
    Case,
    evaluation_page,
    kinds_of,
    means_of,
    measured_case,
)
from auditlens.evaluate.stationary import (
    Spike,
    SpikeResult,
    day_start,
    measure_spike,
    stationary_log,
)

__all__ = [
    "FIRST",
    "REPORTED_SEEDS",
    "Case",
    "CaseQuality",
    "ExplanationFidelity",
    "IdentitySwap",
    "IncidentRecall",
    "RankingQuality",
    "Spike",
    "SpikeResult",
    "SwapAlerts",
    "SwapResult",
    "area_under_curve",
    "asked_findings",
    "average_precision",
    "daily_places",
    "day_start",
    "evaluation_page",
    "incidents_caught_by_rules",
    "judge_cases",
    "judge_ranking",
    "kinds_of",
    "means_of",
    "measure_fidelity",
    "measure_recall",
    "measure_spike",
    "measure_swap_alerts",
    "measure_swaps",
    "measured_case",
    "naive_days",
    "reported_incidents",
    "stationary_log",
    "swap_identities",
    "with_swaps",
]
