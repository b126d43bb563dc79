"""Feedback: a family of features that a reviewer has explained for one sender, for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

__all__ = ["Mute", "mark_muted"]


@dataclass(frozen=True)
class Mute:
    """Leave ``family`` out of the score of ``sender_id`` on days after ``since`` before ``until``.

    Without ``since`` it holds for all earlier days too.
    """

    sender_id: str
    family: str
    until: date
    reason: str = ""
    since: date = date.min


def mark_muted(table: pl.DataFrame, mutes: Sequence[Mute]) -> pl.DataFrame:
    """Add ``muted``: the families left out of each sender-day's score, sorted."""
    if not mutes:
        return table.with_columns(muted=pl.lit([], pl.List(pl.String)))
    known = pl.DataFrame(
        {
            "sender_id": [mute.sender_id for mute in mutes],
            "family": [mute.family for mute in mutes],
            "since": [mute.since for mute in mutes],
            "until": [mute.until for mute in mutes],
        }
    )
    muted = (
        table.select("sender_id", "day")
        .join(known, on="sender_id")
        .filter(pl.col("day") > pl.col("since"), pl.col("day") < pl.col("until"))
        .group_by("sender_id", "day")
        .agg(muted=pl.col("family").unique().sort())
    )
    joined = table.join(muted, on=["sender_id", "day"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("muted").fill_null(pl.lit([], pl.List(pl.String))))
