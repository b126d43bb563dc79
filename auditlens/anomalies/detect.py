"""From an event table to ranked, explained anomalies of one period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from auditlens.anomalies.budget import within_budget
from auditlens.anomalies.catalogue import RESOURCE_FEATURES, SENDER_FEATURES, Feature
from auditlens.anomalies.flagged import FLAGGED_SCHEMA, flagged_rows
from auditlens.anomalies.ledger import Ledger, open_ledger
from auditlens.anomalies.model import FEWEST_ROWS, DayModel, fit_days, ranked
from auditlens.anomalies.resource_days import resource_features
from auditlens.anomalies.sender_days import sender_features
from auditlens.anomalies.windows import ENOUGH
from auditlens.period import Period

__all__ = ["REFERENCE_DAYS", "AnomalyOutcome", "detect"]

REFERENCE_DAYS = 60
"""Days before the period whose scores the period's days are compared with."""

LEARNING_DAYS = 14
RESOURCES_A_DAY = 1
RESOURCES_A_MONTH = 10


@dataclass(frozen=True)
class AnomalyOutcome:
    """What the model says about one period.

    ``sender_days`` and ``resource_days``: one row a subject and active day with ``score``
    (higher is more unusual; null without a model), ``rank`` (1 = most unusual), ``percentile``
    (of reference days below), ``state`` (scored, learning, new) and every feature. ``flagged``:
    one row an anomaly, within the alert budget. ``model``: JSON-able facts and ``notes``.
    """

    sender_days: pl.DataFrame
    resource_days: pl.DataFrame
    flagged: pl.DataFrame
    model: dict[str, object]


@dataclass(frozen=True)
class Channel:
    """One kind of day with its features, and how many findings it may give."""

    name: str
    subject: str
    features: tuple[Feature, ...]
    a_day: int
    a_month: int


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
    channels = (
        Channel("sender-day", "sender_id", SENDER_FEATURES, senders_a_day, senders_a_month),
        Channel(
            "resource-day", "resource_id", RESOURCE_FEATURES, RESOURCES_A_DAY, RESOURCES_A_MONTH
        ),
    )
    tables = (sender_table(ledger), resource_table(ledger))
    notes: list[str] = degenerate(ledger)
    days, found, facts = [], [], {}
    for channel, table in zip(channels, tables, strict=True):
        scored, chosen, fitted = run(channel, table, period, seed=seed, notes=notes)
        days.append(scored)
        facts[channel.name] = describe(fitted, table)
        if fitted is not None and len(chosen):
            found.append(
                flagged_rows(
                    channel.name, channel.features, fitted, table, chosen, events, timezone
                )
            )
    flagged = pl.concat(found) if found else pl.DataFrame(schema=FLAGGED_SCHEMA)
    model = {"seed": seed, "timezone": timezone, "models": facts, "notes": notes}
    return AnomalyOutcome(days[0], days[1], flagged, model)


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


def run(
    channel: Channel, table: pl.DataFrame, period: Period, *, seed: int, notes: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame, DayModel | None]:
    first = period.days[0]
    recent = table.filter(pl.col("day") >= first - timedelta(days=REFERENCE_DAYS))
    known = recent.filter(pl.col("state") == "scored").sort(channel.subject, "day")
    fitted = None if notes else fit_days(known, channel.features, seed=seed)
    if fitted is None:
        if not notes:
            notes.append(too_little(channel, known))
        blank = recent.filter(pl.col("day") >= first).with_columns(
            score=pl.lit(None, pl.Float64),
            rank=pl.lit(None, pl.Int64),
            percentile=pl.lit(None, pl.Float64),
        )
        return ordered(blank, channel), blank.clear(), None
    scored = recent.with_columns(score=pl.Series(fitted.scores(recent)))
    days, gate = ranked(scored, channel.subject, first)
    chosen = within_budget(
        days.filter(pl.col("state") == "scored"),
        channel.subject,
        gate=gate,
        a_day=channel.a_day,
        a_month=channel.a_month,
    )
    places = days.select(channel.subject, "day", "rank", "percentile")
    chosen = chosen.join(places, on=[channel.subject, "day"], maintain_order="left")
    return ordered(days, channel), chosen, fitted


def too_little(channel: Channel, known: pl.DataFrame) -> str:
    if len(known) < FEWEST_ROWS:
        return (
            f"Only {len(known)} {channel.name}s have a baseline (5 earlier active days, "
            f"{LEARNING_DAYS} days of log); {FEWEST_ROWS} are needed, so none is scored."
        )
    return f"All {channel.name}s look the same, so none is unusual and none is scored."


def ordered(days: pl.DataFrame, channel: Channel) -> pl.DataFrame:
    lead = ["day", channel.subject, "score", "rank", "percentile", "state"]
    return days.select(*lead, pl.exclude(*lead)).sort("day", channel.subject)


def sender_table(ledger: Ledger) -> pl.DataFrame:
    names = ledger.senders.select("s", "sender_id", subject_label="label", service="service")
    active = ledger.senders.filter(~pl.col("system")).select("s")
    table = sender_features(ledger).join(active, on="s", how="semi").join(names, on="s")
    return with_state(table.drop("s"), ledger, "sender_id")


def resource_table(ledger: Ledger) -> pl.DataFrame:
    names = pl.DataFrame({"resource_id": ledger.resources}).with_row_index("r")
    names = names.with_columns(pl.col("r").cast(pl.Int32))
    table = resource_features(ledger).join(names, on="r").drop("r")
    return with_state(table, ledger, "resource_id")


def with_state(table: pl.DataFrame, ledger: Ledger, subject: str) -> pl.DataFrame:
    start = ledger.rows["d"].min()
    day = pl.col("d").cast(pl.Date)
    learning = pl.col("d") < (start if isinstance(start, int) else 0) + LEARNING_DAYS
    state = (
        pl.when(learning)
        .then(pl.lit("learning"))
        .when(pl.col("days_before") < ENOUGH)
        .then(pl.lit("new"))
        .otherwise(pl.lit("scored"))
    )
    return table.with_columns(day=day, state=state).drop("d").sort(subject, "day")


def describe(fitted: DayModel | None, table: pl.DataFrame) -> dict[str, object]:
    if fitted is None:
        return {"scored": False}
    span: Sequence[date] = table["day"].sort().to_list()
    return {
        "scored": True,
        "trees": len(fitted.forest.feature),
        "samples": fitted.forest.samples,
        "features": list(fitted.features),
        "first_day": span[0].isoformat(),
        "last_day": span[-1].isoformat(),
    }
