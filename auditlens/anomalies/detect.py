"""From an event table to ranked, explained anomalies of one period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from auditlens.anomalies.budget import Candidates, within_budget
from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.flagged import FLAGGED_SCHEMA, flagged_rows
from auditlens.anomalies.ledger import Ledger, open_ledger
from auditlens.anomalies.model import FEWEST_ROWS, DayModel, describe, fit_days, ranked
from auditlens.anomalies.resource_catalogue import RESOURCE_FEATURES
from auditlens.anomalies.sender_catalogue import IDENTITY_FEATURES, SENDER_FEATURES
from auditlens.anomalies.tables import LEARNING_DAYS, day_tables
from auditlens.period import Period

__all__ = ["REFERENCE_DAYS", "AnomalyOutcome", "detect"]

REFERENCE_DAYS = 60
"""Days before the period whose scores the period's days are compared with."""

RESOURCES_A_DAY = 3
RESOURCES_A_MONTH = 10


@dataclass(frozen=True)
class AnomalyOutcome:
    """What the model says about one period.

    ``sender_days`` and ``resource_days``: one row a subject and active day with ``score``
    (higher is more unusual; null without a model), ``rank`` (1 = most unusual), ``percentile``
    (of reference days below), ``state`` (scored, learning, new) and every feature; senders also
    have ``identity_score`` ("looks like someone else"). ``flagged``: one row an anomaly, within
    the alert budget. ``model``: JSON-able facts and ``notes``.
    """

    sender_days: pl.DataFrame
    resource_days: pl.DataFrame
    flagged: pl.DataFrame
    model: dict[str, object]


@dataclass(frozen=True)
class Channel:
    """One model over one kind of day: name, subject, columns, score column, material days.

    A handful of events is no finding, however far from its baseline.
    """

    name: str
    subject: str
    features: tuple[Feature, ...]
    material: pl.Expr
    column: str = "score"


SENDERS = Channel("sender-day", "sender_id", SENDER_FEATURES, pl.col("events") >= 3)
IDENTITY = Channel(
    "identity", "sender_id", IDENTITY_FEATURES, pl.col("events") >= 5, "identity_score"
)
RESOURCES = Channel(
    "resource-day",
    "resource_id",
    RESOURCE_FEATURES,
    (pl.col("events") >= 10) | (pl.col("risky") >= 3) | (pl.col("strangers") >= 3),
)


def detect(
    events: pl.DataFrame,
    period: Period,
    *,
    seed: int = 0,
    timezone: str = "UTC",
    senders_a_day: int = 3,
    senders_a_month: int = 30,
) -> AnomalyOutcome:
    """Score every sender-day and resource-day of ``period`` and choose what to show.

    ``events`` is an event table (EVENT_SCHEMA, classified) with the history before the period;
    the more history, up to about 90 days, the better. Rows may come in any order.
    """
    ledger = open_ledger(events, until=period.end, timezone=timezone)
    senders, resources = day_tables(ledger)
    run = Run(period, events, timezone, seed, degenerate(ledger))
    sender_days, shown_senders = run.score(
        senders, (SENDERS, IDENTITY), a_day=senders_a_day, a_month=senders_a_month
    )
    resource_days, shown_resources = run.score(
        resources, (RESOURCES,), a_day=RESOURCES_A_DAY, a_month=RESOURCES_A_MONTH
    )
    model: dict[str, object] = {
        "seed": seed,
        "timezone": timezone,
        "models": run.facts,
        "notes": run.notes,
    }
    return AnomalyOutcome(
        sender_days, resource_days, pl.concat([shown_senders, shown_resources]), model
    )


def degenerate(ledger: Ledger) -> list[str]:
    """Sentences on what keeps this log from being compared; empty when nothing does."""
    active = ledger.senders.filter(~pl.col("system"))
    if not len(ledger.rows):
        return ["No event has a sender, so there is nothing to compare."]
    if not len(active):
        return ["Every event comes from the system itself, so no sender is scored."]
    if len(active) < 2:
        return ["Only one sender is active, so there is nobody to compare with."]
    return []


class Run:
    """One pass over one period; collects ``facts`` and ``notes`` of each model on its way."""

    def __init__(
        self, period: Period, events: pl.DataFrame, timezone: str, seed: int, notes: list[str]
    ) -> None:
        self.period, self.events, self.timezone, self.seed = period, events, timezone, seed
        self.first = period.days[0]
        self.notes = notes
        self.hopeless = bool(notes)
        self.facts: dict[str, object] = {}

    def score(
        self, table: pl.DataFrame, channels: Sequence[Channel], *, a_day: int, a_month: int
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Score one kind of day with each channel; return the period's days and the anomalies."""
        recent = table.filter(pl.col("day") >= self.first - timedelta(days=REFERENCE_DAYS))
        fitted: dict[str, DayModel] = {}
        placed: dict[str, pl.DataFrame] = {}
        candidates = []
        main = channels[0]
        for channel in channels:
            model = self.fit(channel, recent)
            if model is None:
                recent = recent.with_columns(pl.lit(None, pl.Float64).alias(channel.column))
                continue
            fitted[channel.name] = model
            recent = recent.with_columns(pl.Series(channel.column, model.scores(recent)))
            days, gate = ranked(recent, channel.subject, channel.column, self.first)
            scored = days.filter(pl.col("state") == "scored", channel.material)
            renamed = scored.select(channel.subject, "day", score=channel.column)
            candidates.append(Candidates(channel.name, channel.subject, renamed, gate))
            placed[channel.name] = days
        days, _ = ranked(recent, main.subject, main.column, self.first)
        lead = ["day", main.subject, *(each.column for each in channels), "rank", "percentile"]
        days = days.select(*lead, "state", pl.exclude(*lead, "state")).sort("day", main.subject)
        if not candidates:
            return days, pl.DataFrame(schema=FLAGGED_SCHEMA)
        chosen = within_budget(candidates, a_day=a_day, a_month=a_month)
        shown = [
            flagged_rows(
                channel.name,
                channel.features,
                fitted[channel.name],
                table,
                chosen.filter(pl.col("model") == channel.name),
                placed[channel.name],
                self.events,
                self.timezone,
            )
            for channel in channels
            if channel.name in fitted
        ]
        return days, pl.concat(shown)

    def fit(self, channel: Channel, recent: pl.DataFrame) -> DayModel | None:
        known = recent.filter(pl.col("state") == "scored").sort(channel.subject, "day")
        model = None if self.hopeless else fit_days(known, channel.features, seed=self.seed)
        self.facts[channel.name] = describe(model, known)
        if model is None and not self.notes:
            self.notes.append(too_little(channel, known))
        return model


def too_little(channel: Channel, known: pl.DataFrame) -> str:
    if len(known) < FEWEST_ROWS:
        return (
            f"Only {len(known)} {channel.name}s have a baseline (5 earlier active days, "
            f"{LEARNING_DAYS} days of log); {FEWEST_ROWS} are needed, so none is scored."
        )
    return f"All {channel.name}s look the same, so none is unusual and none is scored."
