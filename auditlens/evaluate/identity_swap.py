"""Identity swaps: pairs of real senders act in each other's name for thirty days."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from auditlens.anomalies import detect
from auditlens.audit import Audit, run_audit
from auditlens.evaluate.incident_recall import area_under_curve, asked_findings
from auditlens.period import Period

__all__ = [
    "IdentitySwap",
    "SwapAlerts",
    "SwapResult",
    "measure_swap_alerts",
    "measure_swaps",
    "swap_identities",
    "with_swaps",
]

SPAN = timedelta(days=29)
EVERY = timedelta(days=60)
HISTORY = timedelta(days=180)
DAYS_BEFORE = 8
ALIKE = 0.15
TOP = 0.95


@dataclass(frozen=True)
class IdentitySwap:
    """Two senders who act in each other's name for 30 days.

    Attributes:
        start: The first day, in UTC.
        one: Id of one sender.
        other: Id of the other.
    """

    start: date
    one: str
    other: str


@dataclass(frozen=True)
class SwapResult:
    """How well a score ranks the days of swapped senders.

    Attributes:
        column: Column of the score.
        area: Area under the ROC curve.
        found: Share of the accounts with a day in the top 5 %.
        accounts: How many were swapped.
    """

    column: str
    area: float
    found: float
    accounts: int


@dataclass(frozen=True)
class SwapAlerts:
    """Whom audits of swapped spans name, and what it costs; counts, so that worlds add up.

    Attributes:
        accounts: How many were swapped.
        listed: Of those, the accounts with a finding of the model, observations included.
        told: Of those, the accounts with such a finding in a case that a person decides.
        account_days: Scored days of all other accounts.
        findings: Findings of the model about those.
        asked: Cases to decide with such a finding.
    """

    accounts: int
    listed: int
    told: int
    account_days: int
    findings: int
    asked: int

    def __add__(self, other: SwapAlerts) -> SwapAlerts:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return SwapAlerts(*(one + another for one, another in pairs))


def swap_identities(events: pl.DataFrame, seed: int = 0) -> tuple[pl.DataFrame, list[IdentitySwap]]:
    """Swap a pair of dissimilar, active senders every two months; nobody twice.

    Pairs have a cosine below 0.15 between their containers of the half year before. In a stream of
    few people hardly more than one pair is there at a time.

    Args:
        events: Event table of the stream; ``metadata`` names the container.
        seed: Chooses among the pairs, and on which day of the first two months the swaps begin;
            default: 0.

    Returns:
        The events that have a sender, some with another ``sender_id``, and the swaps in order of
        time. A stream in which no event has a sender comes back as it is.
    """
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
    placed = events.filter(pl.col("sender_id").is_not_null()).with_columns(
        day=pl.col("created_at").dt.date(),
        container=pl.col("metadata").str.json_path_match("$.container"),
    )
    if placed.is_empty():
        return events, []
    swaps: list[IdentitySwap] = []
    used: set[str] = set()
    start, last = placed["day"].min(), placed["day"].max()
    assert isinstance(start, date)
    assert isinstance(last, date)
    start += HISTORY + timedelta(days=rng.randrange(EVERY.days))
    while start + SPAN < last:
        pairs = dissimilar_pairs(placed, start, used)
        if pairs:
            one, other = rng.choice(pairs)
            swaps.append(IdentitySwap(start, one, other))
            used |= {one, other}
        start += EVERY
    return with_swaps(placed, swaps).drop("day", "container"), swaps


def dissimilar_pairs(placed: pl.DataFrame, start: date, used: set[str]) -> list[tuple[str, str]]:
    now = placed.filter(pl.col("day").is_between(start, start + SPAN))
    before = placed.filter(pl.col("day").is_between(start - HISTORY, start - timedelta(days=1)))
    active = active_senders(now, 4) & active_senders(before, 12) - used
    names = sorted(active)
    held = before.filter(pl.col("sender_id").is_in(names)).group_by("sender_id", "container").len()
    folders = {name: at for at, name in enumerate(sorted(held["container"].drop_nulls().unique()))}
    vectors = np.zeros((len(names), len(folders)))
    for sender, container, count in held.iter_rows():
        if container is not None:
            vectors[names.index(sender), folders[container]] = np.log1p(count)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = (vectors / np.maximum(length, 1e-9)) @ (vectors / np.maximum(length, 1e-9)).T
    return [
        (names[i], names[j])
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if alike[i, j] < ALIKE
    ]


def active_senders(rows: pl.DataFrame, days: int) -> set[str]:
    counted = rows.group_by("sender_id").agg(pl.col("day").n_unique())
    return set(counted.filter(pl.col("day") >= days)["sender_id"].to_list())


def with_swaps(placed: pl.DataFrame, swaps: Sequence[IdentitySwap]) -> pl.DataFrame:
    """Events of swapped senders in each other's name, each pair for 30 days.

    Args:
        placed: Events with ``sender_id`` and their ``day``.
        swaps: The pairs, one after the other.

    Returns:
        The same rows in the same order; only ``sender_id`` changes.
    """
    sender = pl.col("sender_id")
    for each in swaps:
        within = pl.col("day").is_between(each.start, each.start + SPAN)
        placed = placed.with_columns(
            sender_id=pl.when(within & (sender == each.one))
            .then(pl.lit(each.other))
            .when(within & (sender == each.other))
            .then(pl.lit(each.one))
            .otherwise(sender)
        )
    return placed


def measure_swaps(events: pl.DataFrame, seed: int = 0) -> tuple[SwapResult, ...]:
    """Swap identities in a real stream and measure both sender models on it.

    Args:
        events: Event table of the stream, in which a pair can be swapped.
        seed: Of the swaps; default: 0.

    Returns:
        Two results: of ``score``, then of ``identity_score``.
    """
    changed, swaps = swap_identities(events, seed)
    last = changed["created_at"].dt.date().max()
    assert isinstance(last, date)
    days = detect(changed, Period.parse(f"{swaps[0].start}..{last}")).sender_days
    days = days.filter(pl.col("days_before") >= DAYS_BEFORE)
    account = np.full(len(days), -1)
    sender, day = days["sender_id"].to_numpy(), days["day"].to_numpy()
    for at, each in enumerate(swaps):
        within = (day >= np.datetime64(each.start)) & (day <= np.datetime64(each.start + SPAN))
        for side, name in enumerate((each.one, each.other)):
            account[within & (sender == name)] = 2 * at + side
    return tuple(swap_result(days, account, column) for column in ("score", "identity_score"))


def swap_result(days: pl.DataFrame, account: np.ndarray, column: str) -> SwapResult:
    score = days[column].to_numpy()
    high = np.quantile(score, TOP)
    accounts = np.unique(account[account >= 0])
    found = [bool((score[account == each] >= high).any()) for each in accounts]
    area = area_under_curve(account >= 0, score)
    return SwapResult(column, round(area, 4), float(np.mean(found)), len(accounts))


BASELINE = timedelta(days=120)
"""History of an audit of a swapped span, as much as one has by default."""


def measure_swap_alerts(events: pl.DataFrame, seed: int = 0) -> SwapAlerts:
    """Swap identities in a real stream and audit each swapped span by itself, with all rules.

    Args:
        events: Event table of the stream.
        seed: Of the swaps.

    Returns:
        The counts of all spans.
    """
    changed, swaps = swap_identities(events, seed)
    total = SwapAlerts(0, 0, 0, 0, 0, 0)
    for each in swaps:
        day = pl.col("created_at").dt.date()
        span = changed.filter(day.is_between(each.start - BASELINE, each.start + SPAN))
        audit = run_audit(span, period=f"{each.start}..{each.start + SPAN}")
        total += alerts_of(audit, {each.one, each.other})
    return total


def alerts_of(audit: Audit, swapped: set[str]) -> SwapAlerts:
    """Count what one audit says of swapped accounts and of others."""
    account = pl.col("subject_kind") == "sender"
    other = ~pl.col("subject_id").is_in(sorted(swapped))
    model = audit.findings.filter(account, kind="anomaly")
    asked = asked_findings(model, audit.cases)
    days = audit.sender_days.filter(state="scored")
    return SwapAlerts(
        accounts=len(swapped),
        listed=len(swapped & set(model["subject_id"])),
        told=len(swapped & set(asked["subject_id"])),
        account_days=len(days.filter(~pl.col("sender_id").is_in(sorted(swapped)))),
        findings=len(model.filter(other)),
        asked=asked.filter(other)["case_id"].n_unique(),
    )
