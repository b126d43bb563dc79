"""Surprisal of what a sender did, in which order and at which hours, from earlier days only.

Surprisal (self-information, Shannon 1948) is -log of a probability. Every one is a whole number of
thousandths, so that sums do not depend on the order of adding.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import (
    Floats,
    Ints,
    distinct_before,
    first_rows,
    sums_before,
    sums_by_group,
)
from auditlens.anomalies.encode import MISSING, EncodedEvents
from auditlens.anomalies.peers import PEERS

__all__ = [
    "day_transitions", "hour_cells", "hour_surprisal", "presence", "surprisal_by_day",
    "transition_surprisal", "value_surprisal",
]  # fmt: skip

VALUE_PRIOR = 2.0
"""Events of everyone that stand beside the sender's own."""

TRANSITION_PRIOR = 5.0
HOUR_PRIOR = 2.0
SLOTS = 48
"""Hours of a working day, then of a day of the weekend."""

ODD_HOUR_SHARE = 0.06
"""An hour is odd that was used on a smaller share of the sender's earlier days."""


def value_surprisal(pairs: pl.DataFrame, peers_with: Ints) -> dict[str, Ints]:
    """Surprisal of each pair in thousandths, each smoothed with everyone's habit.

    Args:
        pairs: ``day_pairs`` of one column.
        peers_with: How many of the sender's peers had the value before; -1 without peers.

    Returns:
        ``own``: given the sender's earlier events. ``crowd``: given everyone's. ``peer``: given
        the peers (0 without peers).
    """
    own, own_all, crowd, crowd_all, known = (
        pairs[name].to_numpy().astype(np.float64)
        for name in ("own", "own_all", "crowd", "crowd_all", "known")
    )
    by_everyone = (crowd + 1) / (crowd_all + known + 1)
    by_sender = (own + VALUE_PRIOR * by_everyone) / (own_all + VALUE_PRIOR)
    by_peers = (np.maximum(peers_with, 0) + by_everyone) / (PEERS + 1)
    return {
        "own": thousandths(by_sender),
        "crowd": thousandths(by_everyone),
        "peer": np.where(peers_with >= 0, thousandths(by_peers), 0),
    }


def thousandths(probability: Floats) -> Ints:
    """Surprisal in thousandths of a natural unit."""
    return np.round(-np.log(probability) * 1000).astype(np.int64)


def surprisal_by_day(pairs: pl.DataFrame, **columns: Ints) -> pl.DataFrame:
    """Mean by event (``<name>_mean``) and largest (``<name>_max``) surprisal a sender-day."""
    events = pl.col("events")
    facts = [
        fact
        for name in columns
        for fact in (
            ((pl.col(name) * events).sum() // events.sum()).alias(f"{name}_mean"),
            pl.col(name).max().alias(f"{name}_max"),
        )
    ]
    series = {name: pl.Series(values) for name, values in columns.items()}
    return pairs.select("sender", "day", "events", **series).group_by("sender", "day").agg(facts)


def transition_surprisal(encoded: EncodedEvents) -> pl.DataFrame:
    """Surprisal of the transitions from one kind of event to the next, by ``sender`` and ``day``.

    Gives ``step_mean`` (given the kind before, from earlier days, smoothed with everyone's
    transitions) and ``strange_steps``, those the sender never made before.
    """
    taken, days = day_transitions(encoded)
    row, sender, day, previous, kind, count = (
        taken[name].to_numpy() for name in ("row", "sender", "day", "previous", "kind", "events")
    )
    table = encoded.history.tables["steps"]
    kept = [
        table[name].to_numpy().astype(np.int64) for name in ("sender", "previous", "kind", "events")
    ]
    size = len(encoded.kinds) + 1

    def total(of_sender: int, of_previous: int, of_kind: int) -> Ints:
        """Per transition, how often any with the same weighted sum was made on earlier days."""
        group, kept_group = (
            of_sender * each[0] + of_previous * each[1] + of_kind * each[2]
            for each in ((sender, previous, kind), kept)
        )
        return sums_before(group, day, count) + sums_by_group(kept_group, kept[3], group)

    own, own_all = total(size * size, size, 1), total(size, 1, 0)
    crowd, crowd_all = total(0, size, 1), total(0, 1, 0)
    kinds, everything = total(0, 0, 1), total(0, 0, 0)
    known = distinct_before(kind, day, kinds) + len(encoded.history.names["kind"])
    any_time = (kinds + 1) / (everything + known + 1)
    by_everyone = (crowd + TRANSITION_PRIOR * any_time) / (crowd_all + TRANSITION_PRIOR)
    by_sender = (own + TRANSITION_PRIOR * by_everyone) / (own_all + TRANSITION_PRIOR)
    start = np.searchsorted(row, np.arange(len(days)))
    mean = run_sums(thousandths(by_sender) * count, start) // run_sums(count, start)
    strange = run_sums(np.where(own == 0, count, 0), start)
    return days.with_columns(pl.Series("step_mean", mean), pl.Series("strange_steps", strange))


def run_sums(values: Ints, start: Ints) -> Ints:
    """Sums from each start to the next."""
    return np.add.reduceat(values, start) if len(start) else np.zeros(0, np.int64)


def day_transitions(encoded: EncodedEvents) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How often each transition was made on each sender-day, and the sender-days.

    Returns:
        ``row`` (number of the sender-day), ``sender``, ``day``, ``previous`` and ``kind`` (of
        event), ``events``; and ``sender``, ``day`` by row. The first event of a day comes from
        MISSING. Events stand by sender and time, so each sender-day is one run of them.
    """
    days = encoded.rows.select("sender", "day")
    sender, day, kind = (
        encoded.rows[name].to_numpy().astype(np.int64) for name in ("sender", "day", "kind")
    )
    size = len(encoded.kinds) + 1
    opening = np.diff(sender, prepend=-1) != 0
    opening |= np.diff(day, prepend=-1) != 0
    before = np.where(opening, MISSING, np.roll(kind, 1)) + 1
    line = ((np.cumsum(opening) - 1) * size + before) * size + kind
    distinct, count = np.unique(line, return_counts=True)
    row, step = np.divmod(distinct, size * size)
    taken = {"row": row, "sender": sender[opening][row], "day": day[opening][row]}
    taken |= {"previous": step // size + MISSING, "kind": step % size}
    taken |= {"events": count.astype(np.int64)}
    return pl.DataFrame(taken), days.filter(pl.Series(opening))


def hour_surprisal(encoded: EncodedEvents) -> pl.DataFrame:
    """Mean and largest surprisal of the hours of each sender-day, and events at odd hours.

    Gives ``sender``, ``day``, ``hour_mean``, ``hour_max`` and ``odd_hour_events``: those in hours
    present on under 6 % of own earlier days. An hour counts with half the weight of its
    neighbours, so 9:59 and 10:01 are not strangers; working days and weekends are kept apart.
    """
    row, slot, count = hour_cells(encoded)
    habit, days, crowd = earlier_presence(encoded, row, slot)
    share = (habit[row, slot] / 4 + HOUR_PRIOR * crowd) / (days[row, slot // 24] + HOUR_PRIOR)
    rare = habit[row, slot] / 4 < ODD_HOUR_SHARE * days[row, slot // 24]
    cells = pl.DataFrame(
        {
            "row": row.astype(np.uint32),
            "events": count,
            "surprisal": thousandths(np.minimum(share, 1)),
            "odd": np.where(rare, count, 0),
        }
    )
    return (
        cells.group_by("row")
        .agg(
            hour_mean=(pl.col("surprisal") * pl.col("events")).sum() // pl.col("events").sum(),
            hour_max=pl.col("surprisal").max(),
            odd_hour_events=pl.col("odd").sum(),
        )
        .join(encoded.sender_days.with_row_index("row").select("row", "sender", "day"), on="row")
        .drop("row")
    )


def hour_cells(encoded: EncodedEvents) -> tuple[Ints, Ints, Ints]:
    """Row of the sender-day, slot (hour of a workday or of a weekend day), and events in it."""
    rows = encoded.sender_days.with_row_index("row").select("row", "sender", "day")
    cells = (
        encoded.rows.group_by("sender", "day", slot=pl.col("weekend") * 24 + pl.col("hour"))
        .agg(events=pl.len().cast(pl.Int64))
        .join(rows, on=["sender", "day"])
        .sort("row", "slot")
    )
    row, slot, count = (
        cells[name].to_numpy().astype(np.int64) for name in ("row", "slot", "events")
    )
    return row, slot, count


def earlier_presence(encoded: EncodedEvents, row: Ints, slot: Ints) -> tuple[Ints, Ints, Floats]:
    """Earlier presence by slot (in quarters of a day), earlier days by kind of day.

    And of each pair of ``row`` and ``slot``, how much of earlier days everyone was present then.
    """
    days = presence(encoded.sender_days, row, slot)
    table = encoded.history.tables["hours"]
    kept = np.zeros((len(encoded.senders), SLOTS + 2), np.int64)
    kept[table["sender"].to_numpy(), table["slot"].to_numpy()] = table["quarters"].to_numpy()
    sender, day = (encoded.sender_days[name].to_numpy() for name in ("sender", "day"))
    own = earlier_sums(days, sender) + kept[sender]
    at = np.unique(day, return_inverse=True)[1]
    everyone = daily_sums(days, at) + kept.sum(axis=0)
    present, active = everyone[at[row], slot], everyone[at[row], SLOTS + slot // 24]
    return own[:, :SLOTS], own[:, SLOTS:] // 4, (present / 4 + 1) / (active / 4 + SLOTS)


def presence(days: pl.DataFrame, row: Ints, slot: Ints) -> Ints:
    """Per sender-day, quarters of presence in each slot, and 4 if it was a workday or weekend."""
    present = np.zeros((len(days), SLOTS), np.int64)
    present[row, slot] = 4
    week = present.reshape(-1, 2, 24)
    near = np.maximum(np.roll(week, 1, axis=2), np.roll(week, -1, axis=2)) // 2
    week = np.maximum(week, near)
    active = 4 * week.any(axis=2).astype(np.int64)
    return np.hstack([week.reshape(-1, SLOTS), active])


def daily_sums(values: Ints, day: Ints) -> Ints:
    """Per day (numbered from 0) and column, the sum over the rows of earlier days."""
    order = np.argsort(day, kind="stable")
    total = np.vstack([np.zeros_like(values[:1]), np.cumsum(values[order], axis=0)])
    return np.asarray(total[np.searchsorted(day[order], np.arange(day.max(initial=-1) + 1))])


def earlier_sums(values: Ints, sender: Ints) -> Ints:
    """Per column, the sum over the sender's earlier rows (rows sorted by sender)."""
    total = np.cumsum(values, axis=0) - values
    before: Ints = total[first_rows(sender)] if len(total) else total
    return np.asarray(total - before, np.int64)
