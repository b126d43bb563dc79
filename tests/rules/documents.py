"""Short ways to make rules and events in tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from auditlens.events import EVENT_SCHEMA
from auditlens.period import Period
from auditlens.rules import DATE_KEYS, STRICT_KEYS, evaluate, load_documents
from auditlens.yaml_documents import parse_documents

KEYS = {"date_keys": DATE_KEYS, "strict_keys": STRICT_KEYS}
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
EVER = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), "ever")
BASE = """
title: Base
name: base
logsource: {product: test}
detection: {s: {event: x}, condition: s}
"""


def rules_of(*texts, **placeholders):
    """Load documents given as text."""
    documents = [one for text in texts for one in parse_documents(text, Path("test.yml"), **KEYS)]
    return load_documents(documents, placeholders=placeholders)


def behaviour(**block):
    """A set with a base rule for ``event: x`` and one behaviour over it."""
    import json

    text = {
        "title": "Odd",
        "name": "odd",
        "level": "low",
        "behaviour": {"rules": ["base"], **block},
    }
    return rules_of(BASE, json.dumps(text))


def log(*events):
    """Events from (seconds after START, sender, further columns) triples, ids in that order."""
    rows = [
        {"id": f"e{n:04d}", "created_at": START + timedelta(seconds=at), "event": "x",
         "sender_id": sender, **more}
        for n, (at, sender, more) in enumerate(events)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema={n: t for n, t in EVENT_SCHEMA.items() if n != "leaf"})
    return frame.with_columns(pl.lit(b"", pl.Binary).alias("leaf"))


def episodes(rules, frame, **more):
    return evaluate(rules, frame, EVER, **more).episodes


def learning(rules, frame):
    """How many hits the behaviour could not judge."""
    health = evaluate(rules, frame, EVER).health
    return health.filter(pl.col("name") == "odd")["learning"][0]
