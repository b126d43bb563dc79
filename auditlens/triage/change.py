"""The change of the month: what is new, still there, back again or gone.

Two findings of different months are about the same thing when kind, rule (or model) and subject
are the same. Ids cannot tell: an id rests on the first event, and each month has its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from auditlens.findings import is_excepted

__all__ = ["MONTH_SCHEMA", "SAME", "SealedMonth", "mark_states", "resolved", "unseen"]

SAME = ("kind", "rule_id", "subject_kind", "subject_id")
"""The columns that say what a finding is about, in every month."""

MONTH_SCHEMA = {
    "finding_id": pl.String(),
    "level": pl.String(),
    "kind": pl.String(),
    "rule_id": pl.String(),
    "title": pl.String(),
    "subject_kind": pl.String(),
    "subject_id": pl.String(),
    "subject_label": pl.String(),
}


@dataclass(frozen=True)
class SealedMonth:
    """What a signed period found: enough to compare a later one with it.

    ``findings`` has one row a finding (MONTH_SCHEMA); ``rules`` maps rule ids to digests;
    ``seal`` is the hash of the sign-off.
    """

    label: str
    start: datetime
    end: datetime
    seal: str
    findings: pl.DataFrame = field(repr=False)
    events: int = 0
    rules: Mapping[str, str] = field(default_factory=dict, repr=False)


def mark_states(findings: pl.DataFrame, earlier: Sequence[SealedMonth]) -> pl.DataFrame:
    """Return ``findings`` with ``state`` against the sealed months before, oldest first.

    ``persisting``: the last sealed month had one about the same thing. ``reopened``: an older
    one had, the last had not. ``new``: none had; without a sealed month all are new.
    """
    if not earlier or findings.is_empty():
        return findings.with_columns(pl.lit("new").alias("state"))
    last = keys(earlier[-1].findings)
    older = set().union(*(keys(month.findings) for month in earlier[:-1]))
    states = [
        "persisting" if row in last else "reopened" if row in older else "new"
        for row in findings.select(SAME).iter_rows()
    ]
    return findings.with_columns(pl.Series("state", states, pl.String))


def keys(findings: pl.DataFrame) -> set[tuple[str | None, ...]]:
    return set(findings.select(SAME).iter_rows())


def resolved(findings: pl.DataFrame, last: SealedMonth | None) -> pl.DataFrame:
    """Findings of the last sealed month about which there is none now (MONTH_SCHEMA)."""
    if last is None:
        return pl.DataFrame(schema=MONTH_SCHEMA)
    now = findings.select(pl.col(name).cast(pl.String) for name in SAME).unique()
    return last.findings.join(now, on=SAME, how="anti", nulls_equal=True, maintain_order="left")


def unseen(findings: pl.DataFrame, same_period: SealedMonth | None = None) -> pl.DataFrame:
    """Findings for a daily glance: not in the last sealed month, not decided, not expected.

    ``same_period`` is the sealed state of this very period, if it was signed already: what it
    lists has been seen.
    """
    seen = [] if same_period is None else same_period.findings["finding_id"].to_list()
    return findings.filter(
        pl.col("state").is_in(["new", "reopened"])
        & pl.col("disposition").is_null()
        & ~is_excepted()
        & ~pl.col("finding_id").is_in(seen)
    )
