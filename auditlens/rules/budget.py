"""The monthly budget of rules of level low: one that fires on many is one finding with all of them.

A rule that fires on one account in twenty each month says something of the rule or of the whole
workspace, not of these accounts.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from auditlens.period import Period
from auditlens.rules.episodes import EPISODE_SCHEMA
from auditlens.text import count

__all__ = ["findings_rates", "within_budget"]

PER_HUNDRED = 5
"""Findings of level low of one rule in a month, per 100 active accounts, up to which each stands by
itself: the noisiest shipped rule makes 2 to 4 on real streams."""
FEWEST = 5
"""So many stand by themselves however few accounts there are."""

SUBJECTS = {"sender": "account", "resource": "resource"}


def active_accounts(events: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The local ``month`` (YYYY-MM) of a period and how many ``accounts`` acted in it."""
    moment = pl.col("created_at")
    inside = events.lazy().filter(moment >= period.start, moment < period.end)
    month = local_month(moment, period)
    return (
        inside.select(month, "sender_id")
        .group_by("month")
        .agg(pl.col("sender_id").drop_nulls().n_unique().cast(pl.Int64).alias("accounts"))
        .sort("month")
        .collect()
    )


def local_month(moment: pl.Expr, period: Period) -> pl.Expr:
    return moment.dt.convert_time_zone(period.timezone).dt.strftime("%Y-%m").alias("month")


def findings_rates(episodes: pl.DataFrame, events: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Findings of each rule per 100 active accounts and month.

    Args:
        episodes: Columns of EPISODE_SCHEMA.
        events: At least ``created_at`` and ``sender_id`` of the events of the period.
        period: The period the episodes are of.

    Returns:
        ``rule_id``, ``title``, ``level`` of the rule's most frequent findings, ``findings`` and
        ``per_100``: 100 times the findings over the sum of each month's active accounts (null
        without any). The most frequent rule first.
    """
    months = int(active_accounts(events, period).get_column("accounts").sum())
    rate = pl.col("findings") * 100 / months if months else pl.lit(None, pl.Float64)
    levels = episodes.group_by("rule_id", "title", "level").len()
    levels = levels.sort("len", "level", descending=[True, False])
    return (
        levels.group_by("rule_id", "title", maintain_order=True)
        .agg(pl.col("level").first(), pl.col("len").sum().cast(pl.Int64).alias("findings"))
        .with_columns(rate.cast(pl.Float64).alias("per_100"))
        .sort("findings", "rule_id", descending=[True, False])
    )


def within_budget(episodes: pl.DataFrame, events: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Put the low episodes of a rule above its budget of a month into one that names all of them.

    Args:
        episodes: Columns of EPISODE_SCHEMA.
        events: At least ``created_at`` and ``sender_id`` of the events of the period.
        period: The period the episodes are of; its zone says which month an episode ended in.

    Returns:
        The episodes in the order they had, the joint ones last: about the workspace, with the
        events of all, ``value`` the number of subjects and ``expected`` the budget.
    """
    placed = episodes.with_columns(local_month(pl.col("last_at"), period))
    active = active_accounts(events, period)
    allowed = pl.max_horizontal(pl.lit(FEWEST), pl.col("accounts") * (PER_HUNDRED / 100))
    placed = placed.join(active, on="month", how="left", maintain_order="left").with_columns(
        (pl.col("level") == "low").alias("low"),
        allowed.cast(pl.Float64).fill_null(float(FEWEST)).alias("allowed"),
    )
    counted = pl.col("low").sum().over("rule_id", "month")
    above = placed.filter(pl.col("low") & (counted > pl.col("allowed")))
    if above.is_empty():
        return episodes
    kept = placed.filter(~(pl.col("low") & (counted > pl.col("allowed"))))
    joint = pl.DataFrame(list(joint_episodes(above)), schema=EPISODE_SCHEMA)
    return pl.concat([kept.select(*EPISODE_SCHEMA), joint])


def joint_episodes(above: pl.DataFrame) -> Iterator[dict[str, object]]:
    """One row of EPISODE_SCHEMA for each rule and month of these episodes."""
    for _, part in above.sort("rule_id", "month", "first_at", "last_at", "subject_id").group_by(
        "rule_id", "month", maintain_order=True
    ):
        one = part.row(0, named=True)
        kinds = part["subject_kind"].unique().to_list()
        noun = SUBJECTS.get(kinds[0], "subject") if len(kinds) == 1 else "subject"
        subjects = (
            part.group_by("subject_kind", "subject_id")
            .agg(pl.col("subject_label").first(), pl.len())
            .sort("len", "subject_label", "subject_id", descending=[True, False, False])
        )
        named = ", ".join(
            f"{label} ({times})" for label, times in subjects.select("subject_label", "len").rows()
        )
        found = f"{count(part.height, 'finding')} of this rule for {count(subjects.height, noun)}"
        events = part["event_ids"].explode().drop_nulls().unique(maintain_order=True)
        yield one | {
            "subject_kind": "workspace",
            "subject_id": "workspace",
            "subject_label": "the workspace",
            "first_at": part["first_at"].min(),
            "last_at": part["last_at"].max(),
            "event_count": part["event_count"].sum(),
            "event_ids": events.to_list(),
            "value": float(subjects.height),
            "expected": one["allowed"],
            "reason": f"{found} in {one['month']}, above its budget of {one['allowed']:g} a month "
            f"({one['accounts'] or 0} active accounts): {named}",
            "phrase": f"has {found} in a month",
        }  # fmt: skip
