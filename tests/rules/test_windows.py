"""Windows: our vectorised engine and a naive one qualify at the same hits."""

import random

import numpy as np
import pytest
from naive_correlation import qualifying

from auditlens.rules import Correlation, Threshold

# Windows alone: thousands of small cases without documents and frames.
from auditlens.rules.windows import Timeline, anchors

KINDS = ["event_count", "value_count", "value_sum", "value_avg", "value_median",
         "value_percentile", "temporal", "temporal_ordered"]  # fmt: skip


def random_case(rng, kind):
    """A correlation and hits with many ties: few instants, few groups, few values."""
    slots = rng.choice([1, 2, 3]) if not kind.startswith("temporal") else rng.choice([2, 3])
    terms = ()
    if kind.startswith("temporal") and rng.random() < 0.4:
        terms = tuple(random_term(rng, slots) for _ in range(rng.choice([1, 2])))
    ordered = kind == "temporal_ordered"
    rule = {
        "kind": kind,
        "op": rng.choice(["gte", "gt"] if ordered else ["gte", "gt", "lt", "lte", "eq", "neq"]),
        "limit": rng.randint(1, slots) if kind.startswith("temporal") else rng.randint(0, 5),
        "percentile": rng.choice([0, 10, 50, 90, 100]),
        "span": rng.randint(1, 6),
        "slots": slots,
        "terms": terms,
    }
    if ordered and rule["op"] == "gt":
        rule["limit"] = max(1, rule["limit"] - 1)
    hits = [
        {
            "row": row,
            "group": rng.randint(0, 2),
            "time": rng.randint(0, 12),
            "slot": rng.randrange(slots),
            "value": None if rng.random() < 0.2 else rng.choice([0, 1, 2, 5, 0.5, 0.1]),
        }
        for row in range(rng.randint(0, 14))
    ]
    return rule, hits, rng.randint(10, 16)


def random_term(rng, slots):
    order = list(range(slots))
    rng.shuffle(order)
    cut = rng.randint(1, slots)
    return tuple(sorted(order[:cut])), tuple(sorted(order[cut:])) if rng.random() < 0.6 else ()


def our_rows(rule, hits, horizon):
    hits = sorted(hits, key=lambda hit: (hit["group"], hit["time"], hit["row"]))
    column = lambda name, dtype: np.array([hit[name] for hit in hits], dtype=dtype)  # noqa: E731
    values = [hit["value"] for hit in hits]
    if rule["kind"] == "value_count":
        codes = {one: n for n, one in enumerate(sorted({v for v in values if v is not None}))}
        values = [None if one is None else codes[one] for one in values]
    line = Timeline(
        row=column("row", np.int64),
        group=column("group", np.int64),
        time=column("time", np.int64) * 1_000_000,
        slot=column("slot", np.int64),
        value=np.array([0 if one is None else one for one in values], dtype=np.float64),
        valued=np.array([one is not None for one in values], dtype=np.bool_),
        horizon=horizon * 1_000_000,
    )
    names = tuple(f"r{slot}" for slot in range(rule["slots"]))
    terms = tuple(
        (tuple(names[s] for s in present), tuple(names[s] for s in absent))
        for present, absent in rule["terms"]
    )
    threshold = Threshold(rule["op"], rule["limit"], percentile=rule["percentile"])
    body = Correlation(rule["kind"], names, rule["span"], threshold=threshold, terms=terms)
    return set(line.row[anchors(body, line).at].tolist())


def disagreements(seed, cases, kind):
    rng = random.Random(f"{seed} {kind}")
    found = []
    for _ in range(cases):
        rule, hits, horizon = random_case(rng, kind)
        mine, theirs = our_rows(rule, hits, horizon), qualifying(rule, hits, horizon)
        if mine != theirs:
            found.append((rule, hits, horizon, mine, theirs))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_windows_agree_with_the_naive_engine(kind):
    """Every kind of correlation qualifies at the same hits, ties included."""
    assert disagreements(1, 150, kind) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_windows_agree_in_a_hundred_thousand_cases(kind):
    """The same in 12,500 cases a kind, 100,000 in all."""
    assert disagreements(2, 12_500, kind) == []
