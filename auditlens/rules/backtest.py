"""``rules backtest``: what the rules would have found over the past of an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from auditlens.period import Period
from auditlens.rules.evaluate import evaluate
from auditlens.rules.rule import RuleSet

__all__ = ["Backtest", "backtest"]

Suppress = Callable[[pl.DataFrame], pl.Series]


@dataclass(frozen=True)
class Backtest:
    """What rules would have found.

    ``weeks``: rule_id, title, level, week (Date, its Monday), episodes, suppressed, events.
    ``senders``: rule_id, title, subject_id, subject_label, episodes, events; the most frequent
    first within each rule. ``health``: as RuleOutcome.health.
    """

    weeks: pl.DataFrame
    senders: pl.DataFrame
    health: pl.DataFrame


def backtest(
    rules: RuleSet,
    events: pl.DataFrame | pl.LazyFrame,
    since: datetime,
    *,
    until: datetime | None = None,
    timezone: str = "UTC",
    holidays: Iterable[date] = (),
    suppress: Suppress | None = None,
    top: int = 5,
) -> Backtest:
    """Run the rules over a log from ``since`` on (what came before is history).

    ``events`` as for evaluate. ``suppress`` answers for each episode whether an exception held
    at that time (a Boolean column of the episodes' height); such episodes are counted apart.
    """
    frame = events.collect() if isinstance(events, pl.LazyFrame) else events
    end = until or last_instant(frame) or since
    period = Period(since, max(end, since), f"since {since:%Y-%m-%d}", timezone)
    outcome = evaluate(rules, frame, period, timezone=timezone, holidays=holidays)
    episodes = outcome.episodes
    held = suppress(episodes) if suppress else pl.Series([False]).new_from_index(0, episodes.height)
    episodes = episodes.with_columns(held.cast(pl.Boolean).fill_null(False).alias("suppressed"))
    local = pl.col("first_at").dt.convert_time_zone(timezone).dt.date()
    rule = ["rule_id", "title", "level"]
    counted = [
        (~pl.col("suppressed")).sum().cast(pl.Int64).alias("episodes"),
        pl.col("suppressed").sum().cast(pl.Int64).alias("suppressed"),
        pl.col("event_count").sum().alias("events"),
    ]
    weeks = episodes.group_by(*rule, local.dt.truncate("1w").alias("week")).agg(counted)
    subject = ["rule_id", "title", "subject_id", "subject_label"]
    senders = (
        episodes.filter(~pl.col("suppressed"))
        .group_by(subject)
        .agg(pl.len().cast(pl.Int64).alias("episodes"), pl.col("event_count").sum().alias("events"))
        .sort("rule_id", "episodes", "events", "subject_id", descending=[False, True, True, False])
        .group_by("rule_id", maintain_order=True)
        .head(top)
    )
    return Backtest(weeks.sort("week", "rule_id"), senders, outcome.health)


def last_instant(frame: pl.DataFrame) -> datetime | None:
    """Return a moment just after the last event."""
    last = frame.get_column("created_at").dt.offset_by("1us").max()
    return last if isinstance(last, datetime) else None
