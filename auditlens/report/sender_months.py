"""The most unusual months of senders: what their days add up to."""

from __future__ import annotations

import polars as pl

from auditlens.report.facts import Facts
from auditlens.report.sections import SenderMonth
from auditlens.report.wording import figure

__all__ = ["sender_month_rows"]

SHOWN = 3


def sender_month_rows(facts: Facts) -> tuple[SenderMonth, ...]:
    """The months with the highest scores; none where single senders may not be told apart."""
    months = facts.sender_months
    if not months.height:
        return ()
    scored = months.filter(pl.col("score").is_not_null())
    compared = dict(scored.group_by("month").len().iter_rows())
    label = pl.col("sender_label").min()
    names = dict(facts.events.group_by("sender_id").agg(label).drop_nulls().iter_rows())
    highest = scored.sort(["score", "month", "sender_id"], descending=[True, False, False])
    return tuple(
        SenderMonth(
            label=names.get(row["sender_id"], row["sender_id"]),
            sender_id=row["sender_id"],
            score=round(row["score"], 4),
            rank=row["rank"],
            compared=compared[row["month"]],
            active_days=row["active"],
            high_days=row["high_days"],
            highest=figure(row["score_max"]),
            events=row["events"],
        )
        for row in highest.head(SHOWN).iter_rows(named=True)
    )
