"""One planted spike of one kind of work among two thousand people with steady habits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.anomalies import (
    MODELS,
    day_tables,
    encode_events,
    fit_days,
    flagged_rows,
    ranked_days,
)
from auditlens.evaluate.steady import GROUPS, Spike, day_of, steady_log

__all__ = ["SpikeFound", "judge_spike"]

DAYS = 44
"""Two weeks of learning, then days enough that each of the last has a full baseline."""

NOUNS = {"read": "reads", "write": "changes", "export": "exports", "share": "shares"}
SENDERS = MODELS[0]


@dataclass(frozen=True)
class SpikeFound:
    """The rank of the spike's day among all days of its date, and whether it is told and how.

    ``shown`` says whether its score is high enough for a report, ``text`` is its first reason,
    which is ``right`` when it tells of the planted count.
    """

    rank: int
    shown: bool
    right: bool
    text: str


def judge_spike(seed: int, *, senders: int = 2000) -> SpikeFound:
    """Plant a spike in the last day of a log of steady habits, then score and explain that day.

    Whose it is and in which group of actions is decided by ``seed``. Only its count is unusual:
    the events are of the same kind, at the same hours and on the same resources as on all days.
    Features, model and reasons are those of ``detect``.
    """
    rng = np.random.default_rng(1000 + seed)
    spike = Spike(int(rng.integers(senders)), DAYS - 1, GROUPS[seed % len(GROUPS)])
    events = steady_log(seed, senders=senders, days=DAYS, spike=spike)
    table, _ = day_tables(encode_events(events, until=None))
    known = table.filter(state="scored").sort("sender_id", "day")
    model = fit_days(
        known, SENDERS.features, seed=0, trees=SENDERS.trees, mad_multiple=SENDERS.mad_multiple
    )
    today = known.filter(day=day_of(spike.day).date())
    scored = today.with_columns(score=pl.Series(model.scores(today)))
    ranked, _ = ranked_days(scored, "sender_id", "score", today["day"][0])
    mine = scored.filter(sender_id=spike.sender_id)
    entry = mine.select("sender_id", "day", "score", days=pl.concat_list("day"), model=pl.lit(""))
    anomaly = flagged_rows(SENDERS, model, table, entry, ranked, events, "UTC").row(0, named=True)
    text = str(anomaly["reasons"][0]["text"])
    return SpikeFound(
        rank=int(anomaly["score_rank"]),
        shown=bool(mine["score"][0] >= model.gate),
        right=f" {mine[spike.group][0]} {NOUNS[spike.group]} " in f" {text} ",
        text=text,
    )
