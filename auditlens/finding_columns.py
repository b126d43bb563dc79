"""The findings frame: its columns, and the form of one reason."""

from __future__ import annotations

import polars as pl

__all__ = ["FINDING_SCHEMA", "MAX_EVIDENCE", "REASON"]

MAX_EVIDENCE = 100
"""How many event ids one finding lists; ``event_count`` is always the true number."""

REASON = pl.Struct(
    {
        "family": pl.String(),
        "share": pl.Float64(),
        "text": pl.String(),
        "value": pl.Float64(),
        "own_baseline": pl.Float64(),
        "peer_baseline": pl.Float64(),
        "label": pl.String(),
    }
)
"""One reason: its share of the score (0..1), a sentence, the value and both baselines.

``label`` is FREQUENT, INFREQUENT, RARE or UNSEEN. What does not apply is null.
"""

FINDING_SCHEMA: dict[str, pl.DataType] = {
    "finding_id": pl.String(),
    "kind": pl.String(),
    "rule_id": pl.String(),
    "title": pl.String(),
    "level": pl.String(),
    "subject_kind": pl.String(),
    "subject_id": pl.String(),
    "subject_label": pl.String(),
    "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"),
    "detected_at": pl.Datetime("us", "UTC"),
    "event_count": pl.Int64(),
    "event_ids": pl.List(pl.String()),
    "value": pl.Float64(),
    "expected": pl.Float64(),
    "score_rank": pl.Int64(),
    "score_percentile": pl.Float64(),
    "reasons": pl.List(REASON),
    "tags": pl.List(pl.String()),
    "controls": pl.List(pl.String()),
    "state": pl.String(),
    "disposition": pl.String(),
    "exception_id": pl.String(),
}
"""Column name to dtype of the findings frame, in order; one row a finding."""
