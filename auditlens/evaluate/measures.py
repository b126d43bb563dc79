"""How well a ranking finds what was planted: measures a reader with three alerts a day feels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies import daily_places, unusual_month

__all__ = [
    "Outcome",
    "area_under_curve",
    "average_precision",
    "found_within",
    "judge",
    "placed_days",
]

A_DAY = 3
A_MONTH = 30


@dataclass(frozen=True)
class Outcome:
    """Shares in 0..1: incidents found at three entries a day (all, and ``by_kind``), in the top 1 %
    of days and, ``unmerged``, among the three highest scores of a day; average precision, area
    under the curve, and bad subjects of the last month in its top 30.
    """  # noqa: D205 - one sentence

    incidents: int
    found: float
    top_percent: float
    precision: float
    area: float
    month: float
    by_kind: Mapping[str, float]
    unmerged: float = 0.0


def judge(days: pl.DataFrame, labels: pl.DataFrame, subject: str, first: date) -> Outcome:
    """Compare scored ``days`` (``subject``, ``day``, ``score``) from ``first`` on with labels.

    ``labels`` are the simulator's: ``incident_id``, ``kind``, ``days`` and the subject's id.
    """
    planted = (
        labels.explode("days")
        .select("incident_id", "kind", subject, day="days")
        .filter(pl.col("day") >= first, pl.col(subject).is_not_null())
    )
    placed = placed_days(days, subject, first)
    hits = found_within(placed, planted, subject)
    bad = placed.join(planted, on=[subject, "day"], how="left", maintain_order="left")
    marks = bad.unique([subject, "day"], keep="first", maintain_order=True)
    truth = marks["kind"].is_not_null().to_numpy()
    kinds = hits.group_by("kind").agg(pl.col("shown").mean()).sort("kind")
    return Outcome(
        incidents=len(hits),
        found=mean(hits["shown"]),
        top_percent=mean(hits["high"]),
        precision=average_precision(truth),
        area=area_under_curve(truth, marks["score"].to_numpy()),
        month=in_monthly_top(placed, planted, subject),
        by_kind=dict(kinds.iter_rows()),
        unmerged=mean(hits["first"]),
    )


def placed_days(days: pl.DataFrame, subject: str, first: date) -> pl.DataFrame:
    """Days from ``first`` on, most unusual first, with the places they take.

    ``high``: in the top 1 %. ``first``: among the three highest of the day. ``shown``: shown at
    three entries a day, where a subject has one entry a week.
    """
    placed = (
        days.filter(pl.col("day") >= first, pl.col("score").is_not_null())
        .select(subject, "day", "score")
        .sort("score", "day", subject, descending=[True, False, False])
        .with_columns(
            high=pl.int_range(pl.len()) < pl.len() // 100,
            first=pl.int_range(pl.len()).over("day") < A_DAY,
        )
        .sort("day", maintain_order=True)
    )
    shown = placed.with_columns(shown=daily_places(placed, subject, A_DAY))
    return shown.sort("score", "day", subject, descending=[True, False, False])


def mean(column: pl.Series) -> float:
    return float(column.cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]


def found_within(placed: pl.DataFrame, planted: pl.DataFrame, subject: str) -> pl.DataFrame:
    """One row an incident: ``kind``, and whether a day is ``shown``, ``high``, ``first``."""
    return (
        planted.join(placed, on=[subject, "day"], how="left")
        .group_by("incident_id", "kind")
        .agg(pl.col("shown", "high", "first").fill_null(value=False).any())
        .sort("incident_id")
    )


def in_monthly_top(placed: pl.DataFrame, planted: pl.DataFrame, subject: str) -> float:
    """Share of the last month's bad subjects among its A_MONTH highest subjects.

    A month is as unusual as in ``sender_months``.
    """
    last = placed["day"].max()
    if not isinstance(last, date):
        return 0.0
    month = pl.col("day") >= last.replace(day=1)
    worst = (
        placed.filter(month)
        .group_by(subject)
        .agg(unusual_month(pl.col("score")).alias("score"))
        .sort("score", subject, descending=[True, False])
        .head(A_MONTH)
    )
    bad = set(planted.filter(month)[subject].to_list())
    return len(bad & set(worst[subject].to_list())) / max(1, len(bad))


def average_precision(truth: NDArray[np.bool_]) -> float:
    """Of rows sorted from the most unusual on: mean precision at each true row."""
    if not truth.any():
        return 0.0
    precision = np.cumsum(truth) / np.arange(1, len(truth) + 1)
    return float(precision[truth].mean())


def area_under_curve(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Chance that a true row scores above another; ties count half."""
    positive, negative = np.sort(score[truth]), score[~truth]
    if not len(positive) or not len(negative):
        return 0.0
    below = np.searchsorted(positive, negative, side="left")
    within = np.searchsorted(positive, negative, side="right")
    above = len(positive) - (below + within) / 2
    return float(above.sum() / (len(positive) * len(negative)))
