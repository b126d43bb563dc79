"""From an event table to ranked, explained anomalies of one period."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Floats
from auditlens.anomalies.budget import within_budget
from auditlens.anomalies.catalogue import IDENTITY_MODEL, RESOURCES, SENDERS, ModelSpec
from auditlens.anomalies.encode import EncodedEvents, encode_events
from auditlens.anomalies.features import LEARNING_DAYS, day_tables
from auditlens.anomalies.identity import REFERENCE, SPAN, day_deviations, identity_entries
from auditlens.anomalies.model import (
    FEWEST_OWN_ROWS,
    FEWEST_ROWS,
    DayModel,
    Mute,
    can_be_fitted,
    fit_days,
    mark_muted,
    model_facts,
    prior_model,
    ranked_days,
)
from auditlens.anomalies.reasons import FLAGGED_SCHEMA, flagged_rows, identity_rows
from auditlens.period import Period

__all__ = ["AnomalyOutcome", "detect", "measure_drift"]

HISTORY_DAYS = 400
"""Events older than this before the period are left out: habits of years ago are none."""

REFERENCE_DAYS = 60
"""Days before the period whose scores the period's days are compared with."""

REFERENCE_ROWS = 20_000
"""Of more comparable days than this, every n-th one is scored: percentiles need no more."""

RESOURCES_A_WEEK = 15
RESOURCES_A_MONTH = 10
IDENTITIES_A_MONTH = 10


@dataclass(frozen=True)
class AnomalyOutcome:
    """What the model says about one period.

    Attributes:
        sender_days: One row a sender and active day, by ``day`` and ``sender_id``: ``score``
            (Float64 in 0..1, higher is more unusual; null without a model), ``identity_score``
            ("looks like someone else"), ``rank`` (1: the most unusual), ``percentile`` (percent of
            reference days below), ``state`` (scored, learning, new), ``muted`` and every feature.
        resource_days: The same of resources, by ``day`` and ``resource_id``, with neither
            ``identity_score`` nor ``muted``.
        flagged: One row an anomaly within the alert budget (FLAGGED_SCHEMA).
        model: JSON-able: ``seed``, ``timezone``, facts of each of the ``models`` and ``notes``.
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
    senders_a_week: int = 15,
    senders_a_month: int = 30,
    mutes: Sequence[Mute] = (),
    circles: pl.DataFrame | None = None,
) -> AnomalyOutcome:
    """Score every sender-day and resource-day of a period and choose what to show.

    Args:
        events: Event table (EVENT_SCHEMA, classified) with the history before the period; the
            more of it, up to about 90 days, the better. Rows may come in any order.
        period: The days that are scored and shown.
        seed: Of the forests.
        timezone: IANA name of the zone whose days and hours count.
        senders_a_week: How many senders a week (from Monday) shows at most.
        senders_a_month: How many entries of senders a month shows at most; what looks like someone
            else has ten of its own.
        mutes: Families of features left out of a sender's score for a while; findings say so.
        circles: ``sender_id``, ``circle``: the roles and groups that make senders peers, where
            known.

    Returns:
        Scored days, the chosen anomalies and the facts of the models.
    """
    since = period.start - timedelta(days=HISTORY_DAYS)
    encoded = encode_events(
        events, until=period.end, since=since, timezone=timezone, circles=circles
    )
    senders, resources = day_tables(encoded)
    senders = mark_muted(senders, mutes)
    scoring = PeriodScoring(period, events, timezone, seed, degenerate(encoded))
    del encoded  # a million coded events, of no use to what follows
    accounts = scoring.score(senders, (SENDERS, IDENTITY_MODEL))
    visited = scoring.score(resources, (RESOURCES,))
    flagged = [
        scoring.unusual(accounts, SENDERS, a_week=senders_a_week, a_month=senders_a_month),
        scoring.like_others(accounts, IDENTITY_MODEL, a_month=IDENTITIES_A_MONTH),
        scoring.unusual(visited, RESOURCES, a_week=RESOURCES_A_WEEK, a_month=RESOURCES_A_MONTH),
    ]
    model: dict[str, object] = {
        "seed": seed,
        "timezone": timezone,
        "models": scoring.facts,
        "notes": scoring.notes,
    }
    return AnomalyOutcome(accounts.days, visited.days, pl.concat(flagged), model)


def degenerate(encoded: EncodedEvents) -> list[str]:
    """Sentences on what keeps this log from being compared; empty when nothing does."""
    active = encoded.senders.filter(~pl.col("system"))
    if not len(encoded.rows):
        return ["No event has a sender, so there is nothing to compare."]
    if not len(active):
        return ["Every event comes from the system itself, so no sender is scored."]
    if len(active) < 2:
        return ["Only one sender is active, so there is nobody to compare with."]
    return []


@dataclass(frozen=True)
class ScoredDays:
    """One kind of day, scored.

    Attributes:
        table: Features of all days.
        recent: Days of the period, and of the REFERENCE_DAYS before, with the score of each model.
        fitted: By name, each model that could be fitted.
        ranked: By name of such a model, the period's days with rank and percentile of its score.
        days: The period's days as AnomalyOutcome has them.
    """

    table: pl.DataFrame
    recent: pl.DataFrame
    fitted: dict[str, DayModel]
    ranked: dict[str, pl.DataFrame]
    days: pl.DataFrame


class PeriodScoring:
    """One pass over one period; collects ``facts`` and ``notes`` of each model on its way."""

    def __init__(
        self, period: Period, events: pl.DataFrame, timezone: str, seed: int, notes: list[str]
    ) -> None:
        self.period, self.events, self.timezone, self.seed = period, events, timezone, seed
        self.first = period.days[0]
        self.notes = notes
        self.degenerate = bool(notes)
        self.facts: dict[str, object] = {}

    def score(self, table: pl.DataFrame, specs: Sequence[ModelSpec]) -> ScoredDays:
        """Score one kind of day with each model; the first one's rank and percentile count."""
        recent = table.filter(pl.col("day") >= self.first - timedelta(days=REFERENCE_DAYS))
        fitted: dict[str, DayModel] = {}
        ranked: dict[str, pl.DataFrame] = {}
        main = specs[0]
        # The days that can be compared, in canonical order.
        comparable = recent.filter(pl.col("state") == "scored").sort(main.subject, "day")
        with ThreadPoolExecutor(2) as pool:
            models = list(pool.map(self.fit, specs, repeat(comparable)))
        for spec, model in zip(specs, models, strict=True):
            self.record_facts(spec, model, comparable)
        del comparable  # a copy of nearly all days
        recent = self.thinned(recent, main.subject)
        for spec, model in zip(specs, models, strict=True):
            scores = [None] * len(recent) if model is None else model.scores(recent)
            recent = recent.with_columns(pl.Series(spec.score_column, scores, pl.Float64))
            if model is None:
                continue
            fitted[spec.name] = model
            days, earlier = self.ranked(recent, spec)
            self.watch_drift(spec, days, earlier)
            ranked[spec.name] = days
        alone = len(specs) == 1 and main.name in ranked
        days = ranked[main.name] if alone else self.ranked(recent, main)[0]
        lead = ["day", main.subject, *(each.score_column for each in specs), "rank", "percentile"]
        days = days.select(*lead, "state", pl.exclude(*lead, "state"))
        return ScoredDays(table, recent, fitted, ranked, days)

    def unusual(
        self, scored: ScoredDays, spec: ModelSpec, *, a_week: int, a_month: int
    ) -> pl.DataFrame:
        """The anomalies of single days."""
        if spec.name not in scored.fitted:
            return pl.DataFrame(schema=FLAGGED_SCHEMA)
        model, days = scored.fitted[spec.name], scored.ranked[spec.name]
        judged = days.filter(pl.col("state") == "scored", spec.eligible)
        scores = judged.select(spec.subject, "day", score=spec.score_column)
        entries = within_budget(scores, model.gate, a_week=a_week, a_month=a_month)
        return flagged_rows(spec, model, scored.table, entries, days, self.events, self.timezone)

    def like_others(self, scored: ScoredDays, spec: ModelSpec, *, a_month: int) -> pl.DataFrame:
        """The anomalies of days that look, added up, like somebody else's."""
        if spec.name not in scored.fitted:
            return pl.DataFrame(schema=FLAGGED_SCHEMA)
        model, days = scored.fitted[spec.name], scored.ranked[spec.name]
        own = self.first - timedelta(days=2 * SPAN - 1)
        known = scored.table.select(spec.subject, "day").filter(
            scored.table["state"] == "scored",
            scored.table["day"] >= own - timedelta(days=REFERENCE),
        )
        known = known.sort(spec.subject, "day")
        compared = known.gather_every(max(1, -(-len(known) // REFERENCE_ROWS)))
        judged = known.filter(pl.col("day") >= own)
        scores = self.identity_scores(scored, spec, pl.concat([judged, compared]).unique())
        keys = [spec.subject, "day"]
        summed = day_deviations(judged.join(scores, on=keys), compared.join(scores, on=keys))
        entries = identity_entries(summed, self.first, a_month=a_month)
        return identity_rows(spec, model, scored.table, entries, days, self.events, self.timezone)

    def identity_scores(
        self, scored: ScoredDays, spec: ModelSpec, wanted: pl.DataFrame
    ) -> pl.DataFrame:
        """Subject, ``day`` and score of wanted days; those not scored yet are scored now."""
        keys = [spec.subject, "day"]
        there = scored.recent.select(*keys, spec.score_column).join(wanted, on=keys, how="semi")
        rest = wanted.join(there, on=keys, how="anti")
        rows = scored.table.join(rest, on=keys, how="semi")
        fresh = pl.Series(spec.score_column, scored.fitted[spec.name].scores(rows), pl.Float64)
        return pl.concat([there, rows.select(keys).with_columns(fresh)])

    def ranked(self, recent: pl.DataFrame, spec: ModelSpec) -> tuple[pl.DataFrame, Floats]:
        """The period's days ranked by one model, and the scores of earlier days."""
        return ranked_days(recent, spec.subject, spec.score_column, self.first)

    def thinned(self, recent: pl.DataFrame, subject: str) -> pl.DataFrame:
        """The period's days, and of the comparable ones before REFERENCE_ROWS at most."""
        period = pl.col("day") >= self.first
        earlier = recent.filter(~period, pl.col("state") == "scored").sort(subject, "day")
        thinned = earlier.gather_every(max(1, -(-len(earlier) // REFERENCE_ROWS)))
        return pl.concat([thinned, recent.filter(period)])

    def fit(self, spec: ModelSpec, days: pl.DataFrame) -> DayModel | None:
        """The fitted model; None where ``days`` cannot be compared."""
        model = None
        if not self.degenerate and can_be_fitted(days, spec.features):
            if len(days) < FEWEST_OWN_ROWS:
                names = tuple(feature.name for feature in spec.features)
                model = prior_model(spec.name, names)
            model = model or fit_days(
                days,
                spec.features,
                seed=self.seed,
                trees=spec.trees,
                mad_multiple=spec.mad_multiple,
            )
        return model

    def record_facts(self, spec: ModelSpec, model: DayModel | None, days: pl.DataFrame) -> None:
        """Keep the facts of a model, and a sentence when it is none, or not of this log."""
        self.facts[spec.name] = model_facts(model, days)
        if model is None and not self.notes:
            self.notes.append(why_not_scored(spec, days))
        if model is not None and model.prior and spec.score_column == "score":
            self.notes.append(
                f"Only {len(days)} {spec.name}s can be compared, so the forest that comes "
                "with AuditLens, grown on simulated workspaces, is used."
            )

    def watch_drift(self, spec: ModelSpec, days: pl.DataFrame, earlier: Floats) -> None:
        scored = days.filter(pl.col("state") == "scored")
        drift, warning = measure_drift(earlier, scored[spec.score_column].to_numpy())
        facts = self.facts[spec.name]
        if isinstance(facts, dict):
            facts["drift"] = dict(drift)
        if warning and spec.score_column == "score":
            self.notes.append(f"Drift of {spec.name}s: {warning}")


def why_not_scored(spec: ModelSpec, days: pl.DataFrame) -> str:
    if len(days) < FEWEST_ROWS:
        return (
            f"Not enough history for the anomaly model: {len(days)} of {FEWEST_ROWS} "
            f"{spec.name.replace('sender', 'account')}s needed with a baseline (5 earlier active "
            f"days, {LEARNING_DAYS} days of log). Rules ran."
        )
    return f"All {spec.name}s look the same, so none is unusual and none is scored."


FEWEST_SCORES = 300
HIGH_SHARE = 0.99
WARN_ABOVE = 0.03


class Drift(dict[str, float]):
    """``ks`` (largest gap of the two distributions: Kolmogorov and Smirnov's statistic), ``above``.

    ``above`` is the share of scores over the earlier 99 % day.
    """


def measure_drift(earlier: Floats, now: Floats) -> tuple[Drift, str]:
    """Compare two sets of scores; the sentence is empty while all is as it was.

    About one percent of days is expected above the earlier 99 % day; beyond three percent the
    work itself has changed, and percentiles say less than they seem to.
    """
    if len(earlier) < FEWEST_SCORES or len(now) < FEWEST_SCORES:
        return Drift(), ""
    both = np.sort(np.concatenate([earlier, now]))
    gaps = [
        np.searchsorted(np.sort(each), both, side="right") / len(each) for each in (earlier, now)
    ]
    above = float((now > np.quantile(earlier, HIGH_SHARE, method="higher")).mean())
    drift = Drift(ks=round(float(np.abs(gaps[0] - gaps[1]).max()), 6), above=round(above, 6))
    if above <= WARN_ABOVE:
        return drift, ""
    return drift, (
        f"{100 * above:.1f} % of this period's days score above the earlier 99 % day "
        "(expected about 1 %): work has changed, so read ranks rather than percentiles."
    )
