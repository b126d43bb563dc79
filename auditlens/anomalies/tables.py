"""Features with names and states: the frames that are scored and published."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import polars as pl

from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.resource_days import resource_features
from auditlens.anomalies.sender_days import compare, sender_features
from auditlens.anomalies.windows import ENOUGH

__all__ = ["LEARNING_DAYS", "day_tables"]

LEARNING_DAYS = 14
"""Days of log before anything is compared."""


def day_tables(ledger: Ledger) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sender-days and resource-days of the whole log, with ``day``, ``state`` and every feature.

    ``state`` is ``learning`` in the first LEARNING_DAYS of the log, ``new`` while a sender has
    too few earlier active days, else ``scored``. Sorted by subject and day.
    """
    seen = compare(ledger)
    with ThreadPoolExecutor(2) as pool:
        senders = pool.submit(sender_features, ledger, seen)
        resources, _ = resource_features(ledger, seen)
        return sender_table(ledger, senders.result()), resource_table(ledger, resources)


def sender_table(ledger: Ledger, features: pl.DataFrame) -> pl.DataFrame:
    """Sender-days with the names of senders, and their state."""
    names = ledger.senders.select("s", "sender_id", "service", subject_label="label")
    active = ledger.senders.filter(~pl.col("system")).select("s")
    others = ledger.senders.select(pl.col("s").cast(pl.Int64), resembles="sender_id")
    table = (
        features.join(active, on="s", how="semi")
        .join(names, on="s")
        .join(others, left_on="like", right_on="s", how="left")
    )
    return with_state(table.drop("s", "like").sort("sender_id", "d"), ledger, ENOUGH)


def resource_table(ledger: Ledger, features: pl.DataFrame) -> pl.DataFrame:
    """Resource-days with the names of resources, and their state."""
    # Codes stand in the order of names, so the table is sorted already.
    names = ledger.resources.gather(features["r"]).alias("resource_id")
    return with_state(features.drop("r", "type").with_columns(names), ledger, 0)


def with_state(table: pl.DataFrame, ledger: Ledger, enough: int) -> pl.DataFrame:
    learning = pl.col("d") < ledger.start + LEARNING_DAYS
    state = (
        pl.when(learning)
        .then(pl.lit("learning"))
        .when(pl.col("days_before") < enough)
        .then(pl.lit("new"))
        .otherwise(pl.lit("scored"))
    )
    named = table.with_columns(day=pl.col("d").cast(pl.Date), state=state)
    return named.drop("d")
