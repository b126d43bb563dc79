"""Stationary logs, in which nothing happens, and the same with one planted spike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies import (
    MODELS,
    counts_of,
    day_tables,
    encode_events,
    fit_days,
    flagged_rows,
    ranked_days,
)
from auditlens.events import conform

__all__ = ["Spike", "SpikeResult", "day_start", "measure_spike", "stationary_log"]

KINDS = ("resource_viewed", "description_updated", "resource_exported", "resource_shared")
GROUPS = ("read", "write", "export", "share")
RATES = (4.0, 2.0, 0.3, 0.2)
OWN = 12
START = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Spike:
    """A day on which one sender does four times the usual maximum of one group of action.

    The usual maximum is the highest count of the sender's days, and two at least.

    Attributes:
        sender: Number of the sender, from 0.
        day: Number of the day, from 0.
        group: The group of action: read, write, export or share.
    """

    sender: int
    day: int
    group: str

    @property
    def sender_id(self) -> str:
        """The sender's name in the log."""
        return f"s{self.sender:05d}"


def stationary_log(
    seed: int, *, senders: int = 2000, days: int = 44, spike: Spike | None = None
) -> pl.DataFrame:
    """An event table of people with constant habits: Poisson counts on own resources.

    Each has a pace, and OWN resources that nobody else touches; every event is at a random moment
    from 8 to 17 o'clock and on a random one of them, those of the spike too.

    Args:
        seed: Of everything random.
        senders: How many people; default: 2,000.
        days: How many days; default: 44.
        spike: What stands in place of one count; default: nothing.

    Returns:
        EVENT_SCHEMA.
    """
    counts = stationary_counts(seed, senders=senders, days=days, spike=spike)
    rng = np.random.default_rng([seed, 1])
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    sender, day, which = np.unravel_index(cells, counts.shape)
    second = 8 * 3600 + (rng.random(len(cells)) * 9 * 3600).astype(np.int64)
    resource = sender * OWN + rng.integers(OWN, size=len(cells))
    at = int(START.timestamp()) + day * 86_400 + second
    frame = pl.DataFrame({"sender": sender, "group": which, "resource": resource, "at": at})
    return as_events(frame)


def stationary_counts(
    seed: int, *, senders: int, days: int, spike: Spike | None = None
) -> NDArray[np.int64]:
    """Counts by sender, day and group of GROUPS; the spike stands in its place."""
    rng = np.random.default_rng(seed)
    pace = rng.gamma(4.0, 0.25, size=(senders, 1, 1)) * np.array(RATES)
    counts = rng.poisson(pace.repeat(days, axis=1))
    if spike is not None:
        group = GROUPS.index(spike.group)
        usual = max(2, int(counts[spike.sender, :, group].max()))
        counts[spike.sender, spike.day, group] = 4 * usual
    return np.asarray(counts, np.int64)


def as_events(frame: pl.DataFrame) -> pl.DataFrame:
    kind = pl.lit(pl.Series(KINDS)).gather(pl.col("group"))
    group = pl.lit(pl.Series(GROUPS)).gather(pl.col("group"))
    return conform(
        frame.with_row_index("n").select(
            id=pl.format("e{}", "n"),
            created_at=pl.from_epoch("at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            event=kind,
            action_group=group,
            sender_id=pl.format("s{}", pl.col("sender").cast(pl.String).str.zfill(5)),
            sender_kind=pl.lit("user"),
            resource_id=pl.format("r{}", "resource"),
            entity_type=pl.lit("table"),
        )
    )


def day_start(number: int) -> datetime:
    """The moment at which a numbered day of a steady log begins.

    Args:
        number: Number of the day, from 0.

    Returns:
        Midnight in UTC.
    """
    return START + timedelta(days=number)


DAYS = 44
"""Two weeks of learning, then days enough that each of the last has a full baseline."""

SENDERS = MODELS[0]


@dataclass(frozen=True)
class SpikeResult:
    """How a planted spike was found.

    Attributes:
        rank: Of the spike's day among all days of its date.
        shown: Whether its score is high enough for a report.
        right: Whether its first reason is the planted count.
        text: Its first reason.
    """

    rank: int
    shown: bool
    right: bool
    text: str


def measure_spike(seed: int, *, senders: int = 2000) -> SpikeResult:
    """Plant a spike in the last day of a log of steady habits, then score and explain that day.

    Only its count is unusual: the events are of the same kind, at the same hours and on the same
    resources as on all days. Features, model and reasons are those of ``detect``.

    Args:
        seed: Of the log, of whose spike it is and of its group of actions.
        senders: How many senders the log has; default: 2,000.

    Returns:
        How the spike was found.
    """
    rng = np.random.default_rng(1000 + seed)
    spike = Spike(int(rng.integers(senders)), DAYS - 1, GROUPS[seed % len(GROUPS)])
    events = stationary_log(seed, senders=senders, days=DAYS, spike=spike)
    table, _ = day_tables(encode_events(events, until=None))
    known = table.filter(state="scored").sort("sender_id", "day")
    model = fit_days(
        known, SENDERS.features, seed=0, trees=SENDERS.trees, mad_multiple=SENDERS.mad_multiple
    )
    today = known.filter(day=day_start(spike.day).date())
    scored = today.with_columns(score=pl.Series(model.scores(today)))
    ranked, _ = ranked_days(scored, "sender_id", "score", today["day"][0])
    mine = scored.filter(sender_id=spike.sender_id)
    entry = mine.select("sender_id", "day", "score", days=pl.concat_list("day"))
    anomaly = flagged_rows(SENDERS, model, table, entry, ranked, events, "UTC").row(0, named=True)
    first = anomaly["reasons"][0]
    return SpikeResult(
        rank=int(anomaly["score_rank"]),
        shown=bool(mine["score"][0] >= model.gate),
        right=counts_of([first]) == [spike.group] and first["value"] == mine[spike.group][0],
        text=str(first["text"]),
    )
