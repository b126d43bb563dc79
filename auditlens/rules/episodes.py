"""Episodes: hits of one subject close in time, with the sentence that says what was found.

An episode becomes one finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import Formatter

import numpy as np
import polars as pl

from auditlens.period import Period
from auditlens.rules.dictionary import Rows
from auditlens.rules.rule import Behaviour, Correlation, Rule
from auditlens.rules.windows import Anchors, Timeline

__all__ = [
    "EPISODE_SCHEMA",
    "Evidence",
    "episode_rows",
    "evidence",
    "from_anchors",
    "from_hits",
    "no_evidence",
]

QUIET_SECONDS = 12 * 3600
"""Session gap: hits of a plain rule by one sender that are closer than this form one episode."""

EPISODE_SCHEMA: dict[str, pl.DataType] = {
    "rule_id": pl.String(),
    "title": pl.String(),
    "level": pl.String(),
    "subject_kind": pl.String(),
    "subject_id": pl.String(),
    "subject_label": pl.String(),
    "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"),
    "event_count": pl.Int64(),
    "event_ids": pl.List(pl.String()),
    "value": pl.Float64(),
    "expected": pl.Float64(),
    "reason": pl.String(),
    "phrase": pl.String(),
    "tags": pl.List(pl.String()),
    "controls": pl.List(pl.String()),
}
"""Columns of the episodes frame. ``value`` is the peak of what was measured (events, distinct
values, a sum), ``expected`` the threshold or baseline it passed; null for a plain rule. ``phrase``
says the reason after a name, for headlines; null where the rule gives none."""


FACTS: dict[str, pl.DataType] = {
    "level": pl.String(),
    "days": pl.Int64(),
    "peers": pl.Int64(),
    "others": pl.Int64(),
    "since": pl.String(),
    "gap_before": pl.Float64(),
    "hour": pl.String(),
}
"""What behaviours know of an episode besides: a level in place of the rule's, and what its reason
may name."""


@dataclass(frozen=True)
class Evidence:
    """What a rule rests on.

    ``anchors``: rows at which it fired, rising. ``instants``: ``group``, ``time``, ``row`` of one
    anchor an instant. ``rows``: pairs (``episode``, ``row``). ``metrics``: ``episode``, ``value``,
    ``expected`` and some of FACTS.
    """

    anchors: Rows
    instants: pl.DataFrame
    rows: pl.DataFrame
    metrics: pl.DataFrame


def no_evidence() -> Evidence:
    """What a correlation or behaviour rests on whose rules matched nothing."""
    schema = {"group": pl.Int64, "time": pl.Int64, "episode": pl.Int64, "row": pl.Int64}
    none = pl.DataFrame(schema=schema | {"value": pl.Float64, "expected": pl.Float64})
    return Evidence(
        np.empty(0, dtype=np.int64),
        none.select("group", "time", "row"),
        none.select("episode", "row"),
        none.select("episode", "value", "expected"),
    )


def from_hits(frame: pl.DataFrame, rows: Rows) -> Evidence:
    """Group a plain rule's hits by sender (or resource, where nobody acted) and quiet time."""
    subject = pl.coalesce("sender_id", pl.lit("\x1f") + pl.col("resource_id"), pl.lit(""))
    table = (
        frame[rows]
        .select(subject.alias("subject"), pl.col("created_at").alias("time"))
        .with_columns(pl.Series("row", rows, dtype=pl.Int64))
        .sort("subject", "time", "row")
    )
    gap = pl.col("time").diff().over("subject") > pl.duration(seconds=QUIET_SECONDS)
    begins = gap.fill_null(True)
    table = table.with_columns((begins.cast(pl.Int64).cum_sum() - 1).alias("episode"))
    pairs = table.select("episode", "row")
    metrics = pairs.group_by("episode").agg(
        pl.len().cast(pl.Float64).alias("value"), pl.lit(None, pl.Float64).alias("expected")
    )
    return Evidence(rows, table.select("time", "row"), pairs, metrics)


def from_anchors(rule: Correlation, line: Timeline, anchors: Anchors) -> Evidence:
    """Merge a group's anchors whose gaps are at most the time span; windows become evidence."""
    group, time = line.group[anchors.at], line.time[anchors.at]
    span = rule.seconds * 1_000_000
    begins = np.ones(len(anchors.at), dtype=np.bool_)
    begins[1:] = (group[1:] != group[:-1]) | (time[1:] - time[:-1] > span)
    starts = np.flatnonzero(begins)
    ends = np.flatnonzero(np.append(begins[1:], True)[: len(begins)])
    threshold = float(rule.threshold.value) if rule.threshold else None
    peak = np.maximum.reduceat(anchors.metric, starts) if len(starts) else anchors.metric
    spans = pl.DataFrame(
        {"episode": np.arange(len(starts)), "low": anchors.low[starts], "high": anchors.high[ends]},
        schema={"episode": pl.Int64, "low": pl.Int64, "high": pl.Int64},
    )
    pairs = spans.select("episode", pl.int_ranges("low", "high").alias("at")).explode("at")
    rows = pl.Series("row", line.row, dtype=pl.Int64).gather(pairs.get_column("at"))
    pairs = pairs.select("episode").with_columns(rows).unique(maintain_order=True)
    metrics = pl.DataFrame(
        {"episode": np.arange(len(starts)), "value": peak},
        schema={"episode": pl.Int64, "value": pl.Float64},
    ).with_columns(pl.lit(threshold, pl.Float64).alias("expected"))
    instants = pl.DataFrame({"group": group, "time": time, "row": line.row[anchors.at]}).unique(
        ["group", "time"], keep="first", maintain_order=True
    )
    return Evidence(np.unique(line.row[anchors.at]), instants, pairs, metrics)


def with_evidence_below(evidence: Evidence, below: Sequence[Evidence]) -> Evidence:
    """Add to a chain's evidence the evidence of the episodes below it."""
    pairs = [evidence.rows]
    for one in below:
        fired = one.rows.filter(pl.col("row").is_in(pl.Series(one.anchors).implode()))
        inner = evidence.rows.join(fired.rename({"episode": "inner"}), on="row")
        deeper = inner.select("episode", "inner").join(
            one.rows.rename({"episode": "inner"}), on="inner"
        )
        pairs.append(deeper.select("episode", "row"))
    rows = pl.concat(pairs).unique().sort("episode", "row")
    return replace(evidence, rows=rows)


def evidence(table: pl.DataFrame, *, last_only: bool = False) -> Evidence:
    """Collect evidence from lines of ``episode``, ``row``, ``time``, ``value``, ``expected``.

    Every line is an anchor, or with ``last_only`` each episode's last.
    """
    facts = [pl.col(name).first() for name in FACTS if name in table.columns]
    metrics = table.group_by("episode", maintain_order=True).agg(
        pl.col("value").max().cast(pl.Float64), pl.col("expected").max().cast(pl.Float64), *facts
    )
    fired = table.group_by("episode", maintain_order=True).last() if last_only else table
    pairs = table.select("episode", "row").unique(maintain_order=True)
    instants = fired.select(pl.col("episode").alias("group"), "time", "row")
    return Evidence(np.unique(fired.get_column("row").to_numpy()), instants, pairs, metrics)


def episode_rows(
    rule: Rule, frame: pl.DataFrame, evidence: Evidence, period: Period
) -> pl.DataFrame:
    """Turn evidence into rows of EPISODE_SCHEMA, those that ended inside the period."""
    rows = evidence.rows.get_column("row")
    events = frame[rows].select(
        "id",
        "created_at",
        "sender_id",
        "sender_name",
        "sender_email",
        "resource_id",
        "resource_title",
    )
    table = evidence.rows.hstack(events).sort("episode", "created_at", "id")
    sender, resource = pl.col("sender_id"), pl.col("resource_id")
    one_sender = (sender.n_unique() == 1) & (sender.null_count() == 0)
    acted, named = sender.first(), pl.coalesce("sender_name", "sender_email", "sender_id")
    if ends_with_its_account(rule):
        one_sender, acted, named = sender.last().is_not_null(), sender.last(), named.reverse()
    one_resource = (resource.n_unique() == 1) & (resource.null_count() == 0)
    if isinstance(rule.body, Behaviour) and rule.body.type == "silence":
        # Who happened to act before and after it is not what fell silent.
        by_sender = rule.body.group_by in (("sender.id",), ("sender_id",))
        one_sender, one_resource = one_sender & by_sender, one_resource & bool(rule.body.group_by)
    name = named.drop_nulls().first()
    title = pl.coalesce("resource_title", "resource_id").drop_nulls().first()
    episodes = table.group_by("episode", maintain_order=True).agg(
        pl.when(one_sender).then(pl.lit("sender")).when(one_resource).then(pl.lit("resource"))
        .otherwise(pl.lit("workspace")).alias("subject_kind"),
        pl.when(one_sender).then(acted).when(one_resource).then(resource.first())
        .otherwise(pl.lit("workspace")).alias("subject_id"),
        pl.when(one_sender).then(name).when(one_resource).then(title)
        .otherwise(pl.lit("the workspace")).alias("subject_label"),
        pl.col("created_at").min().alias("first_at"),
        pl.col("created_at").max().alias("last_at"),
        pl.len().cast(pl.Int64).alias("event_count"),
        pl.col("id").alias("event_ids"),
        resource.n_unique().alias("resources"),
        sender.n_unique().alias("senders"),
    )  # fmt: skip
    episodes = episodes.filter(
        pl.col("last_at").is_between(period.start, period.end, closed="left")
    )
    episodes = episodes.join(evidence.metrics, on="episode", maintain_order="left")
    unknown = [pl.lit(None, dtype).alias(name) for name, dtype in FACTS.items()
               if name not in episodes.columns]  # fmt: skip
    episodes = episodes.with_columns(unknown)
    return episodes.with_columns(
        pl.lit(rule.id).alias("rule_id"),
        pl.lit(rule.title).alias("title"),
        pl.col("level").fill_null(pl.lit(rule.level)),
        filled(rule.reason or default_reason(rule)).alias("reason"),
        phrase_of(rule).alias("phrase"),
        pl.lit(pl.Series([list(rule.tags)], dtype=pl.List(pl.String))).first().alias("tags"),
        pl.lit(pl.Series([list(rule.controls)], dtype=pl.List(pl.String)))
        .first()
        .alias("controls"),
    ).select(pl.col(column).cast(dtype) for column, dtype in EPISODE_SCHEMA.items())


def ends_with_its_account(rule: Rule) -> bool:
    """Whether the account a sequence is grouped by is who acts in its last step.

    Somebody else took the first step, such as removing it; the finding is about the account.
    """
    body = rule.body
    if not isinstance(body, Correlation) or body.type != "temporal_ordered":
        return False
    fields = [body.aliases.get(name, {}).get(body.rules[-1]) for name in body.group_by]
    return fields in (["sender.id"], ["sender_id"])


def default_reason(rule: Rule) -> str:
    if rule.kind == "rule":
        return "{subject}: {count|matching event} between {first} and {last}"
    return "{subject}: {value} in one window (threshold {expected}); {count|event}"


def phrase_of(rule: Rule) -> pl.Expr:
    return filled(rule.phrase) if rule.phrase else pl.lit(None, pl.String)


def filled(template: str) -> pl.Expr:
    """Fill a template; texts of the log are filled in once, never read again."""
    values = {
        "subject": pl.col("subject_label"),
        "count": pl.col("event_count").cast(pl.String),
        "value": number("value", "expected"),
        "expected": number("expected", "value"),
        "resources": pl.col("resources").cast(pl.String),
        "senders": pl.col("senders").cast(pl.String),
        "first": pl.col("first_at").dt.to_string("%Y-%m-%d %H:%M UTC"),
        "last": pl.col("last_at").dt.to_string("%Y-%m-%d %H:%M UTC"),
        "days": pl.col("days").cast(pl.String),
        "peers": pl.col("peers").cast(pl.String),
        "others": pl.col("others").cast(pl.String),
        "since": pl.col("since"),
        "gap": number("gap_before", "value"),
        "hour": pl.col("hour"),
    }
    parts: list[pl.Expr] = []
    for words, field, _, _ in Formatter().parse(template):
        parts.append(pl.lit(words))
        if field is not None:
            name, *nouns = field.split("|")
            text = values[name].fill_null(pl.lit("an unknown number"))
            parts.append(in_number(text, *nouns) if nouns else text)
    return pl.concat_str(parts)


def in_number(number: pl.Expr, noun: str, plural: str = "") -> pl.Expr:
    """Write a number with its noun, as :func:`auditlens.text.count` does; times as a word."""
    several = pl.concat_str(number, pl.lit(f" {plural or noun + 's'}"))
    if noun == "time" and not plural:
        return (
            pl.when(number == "1")
            .then(pl.lit("once"))
            .when(number == "2")
            .then(pl.lit("twice"))
            .otherwise(several)
        )
    return pl.when(number == "1").then(pl.lit(f"1 {noun}")).otherwise(several)


def number(name: str, beside: str) -> pl.Expr:
    """Write a measured number with three digits, or as many as tell it from the one beside it."""
    short, exact = digits(pl.col(name)), plain(pl.col(name).round(3))
    alike = (short == digits(pl.col(beside))) & (pl.col(name) != pl.col(beside))
    return pl.when(alike.fill_null(False)).then(exact).otherwise(short)


def digits(column: pl.Expr) -> pl.Expr:
    size = column.abs()
    rounded = pl.when(size < 10).then(column.round(2)).otherwise(column.round(1))
    return plain(pl.when(size < 100).then(rounded).otherwise(column.round(0)))


def plain(column: pl.Expr) -> pl.Expr:
    whole = column.cast(pl.Int64, strict=False).cast(pl.String)
    return pl.when(column == column.floor()).then(whole).otherwise(column.cast(pl.String))
