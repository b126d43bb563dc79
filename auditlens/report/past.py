"""Similar findings of earlier months: what a reviewer looks up before deciding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import polars as pl

from auditlens.triage.change import SAME, SealedMonth

__all__ = ["past_findings"]


def past_findings(
    findings: pl.DataFrame, earlier: Sequence[SealedMonth]
) -> Mapping[str, tuple[str, ...]]:
    """The signed months, latest first, that had a finding about the same thing, by finding id."""
    months: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for month in reversed(earlier):
        for about in set(month.findings.select(SAME).iter_rows()):
            months[about].append(month.label)
    if not months:
        return {}
    rows = findings.select("finding_id", *SAME).iter_rows()
    return {row[0]: tuple(months[row[1:]]) for row in rows if row[1:] in months}
