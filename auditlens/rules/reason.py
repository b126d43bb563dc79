"""The sentence of a finding: a rule's template, filled from an episode."""

from __future__ import annotations

import re
from string import Formatter

import polars as pl

from auditlens.rules.rule import Rule

__all__ = ["reason_of"]

ENDING = re.compile(r"\((s|es|ies)\)")
ONE = {"s": "", "es": "", "ies": "y"}
COUNTED = ("count", "value", "expected", "resources", "senders")


def reason_of(rule: Rule) -> pl.Expr:
    """Fill the rule's reason template; texts of the log are filled in once, never read again.

    ``event(s)`` after a number becomes *event* or *events*.
    """
    values = {
        "subject": pl.col("subject_label"),
        "count": pl.col("event_count").cast(pl.String),
        "value": number("value", "expected"),
        "expected": number("expected", "value"),
        "resources": pl.col("resources").cast(pl.String),
        "senders": pl.col("senders").cast(pl.String),
        "first": pl.col("first_at").dt.to_string("%Y-%m-%d %H:%M UTC"),
        "last": pl.col("last_at").dt.to_string("%Y-%m-%d %H:%M UTC"),
    }
    parts: list[pl.Expr] = []
    counted: pl.Expr | None = None
    for words, field, _, _ in Formatter().parse(rule.reason or default_reason(rule)):
        parts.append(in_number(words, counted))
        if field is not None:
            parts.append(values[field].fill_null(pl.lit("an unknown number")))
            counted = values[field] if field in COUNTED else counted
    return pl.concat_str(parts)


def default_reason(rule: Rule) -> str:
    if rule.kind == "rule":
        return "{subject}: {count} matching event(s) between {first} and {last}"
    return "{subject}: {value} within one window, where {expected} is the limit; {count} event(s)"


def in_number(words: str, counted: pl.Expr | None) -> pl.Expr:
    """Write ``event(s)`` as one event or as several, by the number that stands before it."""
    several = pl.lit(ENDING.sub(r"\1", words))
    if counted is None or not ENDING.search(words):
        return several
    one = pl.lit(ENDING.sub(lambda found: ONE[found[1]], words))
    return pl.when((counted == "1").fill_null(False)).then(one).otherwise(several)


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
