"""Findings: what a person reads, from rules and model alike, with stable ids."""

from __future__ import annotations

import base64
from datetime import datetime

import polars as pl

from auditlens.canonical import json_line, sha256_hex
from auditlens.settings import LEVELS

__all__ = [
    "FINDING_SCHEMA",
    "FOR_THE_RECORD",
    "LEVELS",
    "REASON",
    "UNFINISHED",
    "build_findings",
    "is_excepted",
    "is_open",
    "levels_from",
    "reaches",
]

REASON = pl.Struct(
    {
        "family": pl.String(),
        "share": pl.Float64(),
        "text": pl.String(),
        "value": pl.Float64(),
        "own_baseline": pl.Float64(),
        "peer_baseline": pl.Float64(),
        "label": pl.String(),
        "phrase": pl.String(),
    }
)
"""One reason: its share of the score (0..1), a sentence, the value and both baselines.

``label`` is FREQUENT, INFREQUENT, RARE or UNSEEN. ``phrase`` says the same after a name, in the
past tense ("exported 43 resources"), for headlines: of a model finding one reason has it. What does
not apply is null.
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
    "case_id": pl.String(),
}
"""Column name to dtype of the findings frame, in order; one row a finding."""

FOR_THE_RECORD = LEVELS[0]
"""The level of findings that ask for no decision: they are on record, and not judged."""

UNFINISHED = "needs work"
"""The one disposition that leaves a finding open."""

MODEL_CONTROLS = ["ISO27001:A.8.16", "NIST80053:AU-6", "NIST80053:SI-4", "SOC2:CC7.2"]
"""Clauses that ask for anomalies to be watched for."""


def is_excepted() -> pl.Expr:
    """Whether an exception covers a finding.

    Returns:
        A Boolean expression over FINDING_SCHEMA, never null.
    """
    return pl.col("exception_id").is_not_null()


def is_open() -> pl.Expr:
    """Whether a finding waits for a person's decision.

    It does while nobody decided it or somebody said it needs work, and no exception covers it. A
    finding of level informational is for the record and waits for nobody, unless a person said that
    it needs work.

    Returns:
        A Boolean expression over FINDING_SCHEMA.
    """
    undecided = pl.col("disposition").is_null() & (pl.col("level") != FOR_THE_RECORD)
    unfinished = (pl.col("disposition") == UNFINISHED).fill_null(value=False)
    return (undecided | unfinished) & ~is_excepted()


def levels_from(level: str) -> tuple[str, ...]:
    """A level and the levels above it.

    Args:
        level: One of LEVELS.

    Returns:
        The levels, lowest first.

    Raises:
        ValueError: It is none of LEVELS.
    """
    return LEVELS[LEVELS.index(level) :]


def reaches(level: str) -> pl.Expr:
    """Whether a finding that no exception covers is of a level or above.

    Args:
        level: One of LEVELS; empty: no finding is.

    Returns:
        A Boolean expression over FINDING_SCHEMA.

    Raises:
        ValueError: It is none of LEVELS.
    """
    if not level:
        return pl.lit(value=False)
    return pl.col("level").is_in(levels_from(level)) & ~is_excepted()


def build_findings(
    episodes: pl.DataFrame, flagged: pl.DataFrame, *, detected_at: datetime
) -> pl.DataFrame:
    """Put rule episodes and model anomalies into one frame.

    Ids depend on kind, rule or model, subject and first evidence alone, so they stay the same when
    a run is repeated.

    Args:
        episodes: One row a rule episode: the columns of FINDING_SCHEMA that a rule fills, with
            ``reason`` and ``phrase`` in place of ``reasons``.
        flagged: One row an anomaly: the columns that the model fills, with ``model`` in place of
            ``rule_id``.
        detected_at: When this run found them, in UTC.

    Returns:
        FINDING_SCHEMA, sorted by level (highest first), rules before anomalies, ``first_at`` and
        id; all are new and undecided.
    """
    parts = [from_rules(episodes), from_model(flagged)]
    found = pl.concat(parts, how="diagonal_relaxed")
    if found.is_empty():
        return pl.DataFrame(schema=FINDING_SCHEMA)
    found = found.with_columns(
        pl.Series("finding_id", finding_ids(found), pl.String),
        pl.lit(detected_at).alias("detected_at"),
        pl.lit("new").alias("state"),
        pl.lit(None, pl.String).alias("disposition"),
        pl.lit(None, pl.String).alias("exception_id"),
        pl.lit(None, pl.String).alias("case_id"),
        pl.col("value", "expected", "score_percentile").round(6),
    )
    rank = pl.col("level").replace_strict({level: n for n, level in enumerate(LEVELS)}, default=0)
    order = found.sort(-rank.cast(pl.Int64), pl.col("kind") != "rule", "first_at", "finding_id")
    return order.select(pl.col(name).cast(dtype) for name, dtype in FINDING_SCHEMA.items())


def from_rules(episodes: pl.DataFrame) -> pl.DataFrame:
    """Rule episodes as findings: the rule's sentence is their only reason."""
    share = pl.lit(1.0)
    nothing = pl.lit(None, pl.Float64)
    reason = pl.struct(
        pl.lit("rule").alias("family"),
        share.alias("share"),
        pl.col("reason").alias("text"),
        pl.col("value").cast(pl.Float64).alias("value"),
        nothing.alias("own_baseline"),
        nothing.alias("peer_baseline"),
        pl.lit(None, pl.String).alias("label"),
        pl.col("phrase"),
    )
    return episodes.with_columns(
        pl.lit("rule").alias("kind"),
        pl.concat_list(reason).cast(pl.List(REASON)).alias("reasons"),
        pl.lit(None, pl.Int64).alias("score_rank"),
        nothing.alias("score_percentile"),
    ).drop("reason", "phrase")


def from_model(flagged: pl.DataFrame) -> pl.DataFrame:
    """Anomalies as findings: the model's family stands where a rule's id would."""
    nothing = pl.lit([], pl.List(pl.String))
    return flagged.with_columns(
        pl.lit("anomaly").alias("kind"),
        pl.col("model").alias("rule_id"),
        nothing.alias("tags"),
        pl.lit(MODEL_CONTROLS, pl.List(pl.String)).alias("controls"),
    ).drop("model")


def finding_ids(found: pl.DataFrame) -> list[str]:
    """Stable ids; two findings that share kind, rule, subject and first event are numbered."""
    seen: dict[str, int] = {}
    ids = []
    rows = found.select("kind", "rule_id", "subject_kind", "subject_id", "event_ids").iter_rows()
    for kind, rule, subject_kind, subject, events in rows:
        first = events[0] if events else ""
        parts = [kind, rule or "", subject_kind or "", subject or "", first]
        digest = bytes.fromhex(sha256_hex(json_line(parts)))
        base = f"F-{base64.b32encode(digest).decode()[:10]}"
        seen[base] = seen.get(base, 0) + 1
        ids.append(base if seen[base] == 1 else f"{base}-{seen[base]}")
    return ids
