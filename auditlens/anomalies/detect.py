"""From an event table to ranked, explained anomalies of one period."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat

import polars as pl

from auditlens.anomalies.budget import Candidates, within_budget
from auditlens.anomalies.channels import CHANNELS, Channel
from auditlens.anomalies.drift import measure_drift
from auditlens.anomalies.flagged import FLAGGED_SCHEMA, flagged_rows
from auditlens.anomalies.ledger import Ledger, open_ledger
from auditlens.anomalies.model import (
    FEWEST_ROWS,
    DayModel,
    comparable,
    describe,
    fit_days,
    ranked,
)
from auditlens.anomalies.mutes import Mute, mark_muted
from auditlens.anomalies.priors import OWN_ROWS, prior_model
from auditlens.anomalies.tables import LEARNING_DAYS, day_tables
from auditlens.anomalies.windows import Floats
from auditlens.period import Period

__all__ = ["REFERENCE_DAYS", "AnomalyOutcome", "detect"]

HISTORY_DAYS = 400
"""Events older than this before the period are left out: habits of years ago are none."""

REFERENCE_DAYS = 60
"""Days before the period whose scores the period's days are compared with."""

REFERENCE_ROWS = 20_000
"""Of more comparable days than this, every n-th one is scored: percentiles need no more."""

FOREST_SIZES = {"sender-day": 1000, "identity": 300, "resource-day": 300}
"""Trees of each model. The list of senders shall hardly depend on the seed: with 500 trees the
top 1 % of two seeds overlap by .84 to .86, with 900 by .89. The others serve smaller lists."""

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


def detect(
    events: pl.DataFrame,
    period: Period,
    *,
    seed: int = 0,
    timezone: str = "UTC",
    senders_a_day: int = 3,
    senders_a_month: int = 30,
    mutes: Sequence[Mute] = (),
    circles: pl.DataFrame | None = None,
) -> AnomalyOutcome:
    """Score every sender-day and resource-day of ``period`` and choose what to show.

    ``events`` is an event table (EVENT_SCHEMA, classified) with the history before the period;
    the more history, up to about 90 days, the better. Rows may come in any order. ``mutes`` leave
    a family of features out of a sender's score until a date, and findings say so. ``circles``
    (``sender_id``, ``circle``) are the roles and groups that make senders peers, where known.
    """
    since = period.start - timedelta(days=HISTORY_DAYS)
    ledger = open_ledger(events, until=period.end, since=since, timezone=timezone, circles=circles)
    senders, resources = day_tables(ledger)
    senders = mark_muted(senders, mutes)
    run = Run(period, events, timezone, seed, degenerate(ledger))
    del ledger  # a million coded events, of no use to what follows
    sender_days, shown_senders = run.score(
        senders, CHANNELS[:2], a_day=senders_a_day, a_month=senders_a_month
    )
    resource_days, shown_resources = run.score(
        resources, CHANNELS[2:], a_day=RESOURCES_A_DAY, a_month=RESOURCES_A_MONTH
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
        known = known_days(main.subject, recent)
        with ThreadPoolExecutor(2) as pool:
            models = list(pool.map(self.grow, channels, repeat(known)))
        for channel, model in zip(channels, models, strict=True):
            self.tell(channel, model, known)
        del known  # a copy of nearly all days
        recent = self.thinned(recent, main.subject)
        for channel, model in zip(channels, models, strict=True):
            scores = [None] * len(recent) if model is None else model.scores(recent)
            recent = recent.with_columns(pl.Series(channel.column, scores, pl.Float64))
            if model is None:
                continue
            fitted[channel.name] = model
            days, earlier = self.placed(recent, channel)
            self.watch_drift(channel, days, earlier)
            scored = days.filter(pl.col("state") == "scored", channel.material)
            renamed = scored.select(channel.subject, "day", score=channel.column)
            candidates.append(Candidates(channel.name, channel.subject, renamed, model.gate))
            placed[channel.name] = days
        alone = len(channels) == 1 and main.name in placed
        days = placed[main.name] if alone else self.placed(recent, main)[0]
        lead = ["day", main.subject, *(each.column for each in channels), "rank", "percentile"]
        days = days.select(*lead, "state", pl.exclude(*lead, "state"))
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

    def placed(self, recent: pl.DataFrame, channel: Channel) -> tuple[pl.DataFrame, Floats]:
        """The period's days with the places of one channel, by day; and the reference's scores."""
        return ranked(recent, channel.subject, channel.column, self.first)

    def thinned(self, recent: pl.DataFrame, subject: str) -> pl.DataFrame:
        """The period's days, and of the comparable ones before REFERENCE_ROWS at most."""
        period = pl.col("day") >= self.first
        earlier = recent.filter(~period, pl.col("state") == "scored").sort(subject, "day")
        few = earlier.gather_every(max(1, -(-len(earlier) // REFERENCE_ROWS)))
        return pl.concat([few, recent.filter(period)])

    def grow(self, channel: Channel, known: pl.DataFrame) -> DayModel | None:
        """The channel's model; None where the days of ``known`` cannot be compared."""
        model = None
        if not self.hopeless and comparable(known, channel.features):
            if len(known) < OWN_ROWS:
                names = tuple(feature.name for feature in channel.features)
                model = prior_model(channel.name, names)
            trees = FOREST_SIZES[channel.name]
            model = model or fit_days(
                known, channel.features, seed=self.seed, trees=trees, spreads=channel.spreads
            )
        return model

    def tell(self, channel: Channel, model: DayModel | None, known: pl.DataFrame) -> None:
        """Keep the facts of a model, and a sentence when it is none, or not of this log."""
        self.facts[channel.name] = describe(model, known)
        if model is None and not self.notes:
            self.notes.append(too_little(channel, known))
        if model is not None and model.prior and channel.column == "score":
            self.notes.append(
                f"Only {len(known)} {channel.name}s can be compared, so the forest that comes "
                "with AuditLens, grown on simulated workspaces, is used."
            )

    def watch_drift(self, channel: Channel, days: pl.DataFrame, earlier: Floats) -> None:
        scored = days.filter(pl.col("state") == "scored")
        drift, warning = measure_drift(earlier, scored[channel.column].to_numpy())
        facts = self.facts[channel.name]
        if isinstance(facts, dict):
            facts["drift"] = dict(drift)
        if warning and channel.column == "score":
            self.notes.append(f"Drift of {channel.name}s: {warning}")


def known_days(subject: str, recent: pl.DataFrame) -> pl.DataFrame:
    """The days that can be compared, in canonical order."""
    return recent.filter(pl.col("state") == "scored").sort(subject, "day")


def too_little(channel: Channel, known: pl.DataFrame) -> str:
    if len(known) < FEWEST_ROWS:
        return (
            f"Only {len(known)} {channel.name}s have a baseline (5 earlier active days, "
            f"{LEARNING_DAYS} days of log); {FEWEST_ROWS} are needed, so none is scored."
        )
    return f"All {channel.name}s look the same, so none is unusual and none is scored."
