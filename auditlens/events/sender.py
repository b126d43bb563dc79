"""Who acts: people, API keys, and what only looks like a person."""

from __future__ import annotations

import re

import polars as pl

__all__ = ["VENDOR_DOMAINS", "sender_kind"]

VENDOR_DOMAINS = ("secoda.co", "secoda.com")
"""Mail domains of the vendor, whose scheduler appears as an ordinary viewer."""

VENDOR = rf"(?i)@({'|'.join(map(re.escape, VENDOR_DOMAINS))})\s*$"

PERFORMERS = {
    "user": "user",
    "api": "api",
    "api_key": "api",
    "system": "system",
    "scheduler": "system",
    "automation": "automation",
    "monitor": "monitor",
    "integration": "integration",
    "extension": "integration",
}
NAMES = ("system", "automation", "monitor", "integration", "api")


def sender_kind() -> pl.Expr:
    """Kind of sender (SENDER_KINDS) of a frame with sender columns and ``performer_type``.

    The vendor's own addresses and rows that name nobody are ``system``; the performer type
    decides next; a sender without address that is called Automation or Monitor is one; who has
    an address or an id is a ``user``.
    """
    vendor = pl.col("sender_email").str.contains(VENDOR)
    performer = pl.col("performer_type").str.to_lowercase()
    name = pl.col("sender_name").str.to_lowercase().str.strip_chars()
    nobody = pl.all_horizontal(
        pl.col("sender_id", "sender_email", "sender_name", "performer_type").is_null()
    )
    return (
        pl.when(nobody | vendor)
        .then(pl.lit("system"))
        .when(performer.is_not_null())
        .then(performer.replace_strict(PERFORMERS, default="unknown", return_dtype=pl.String))
        .when(pl.col("sender_email").is_null() & name.is_in(NAMES))
        .then(name)
        .when(pl.col("sender_email").is_not_null() | pl.col("sender_id").is_not_null())
        .then(pl.lit("user"))
        .otherwise(pl.lit("unknown"))
    )
