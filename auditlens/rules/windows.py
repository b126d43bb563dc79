"""Sliding windows over the hits of other rules.

A window is ``[t - timespan, t]``, both ends included, anchored at each hit; hits at the same
instant are all in it. A condition with an absent rule looks forward, ``[t, t + timespan]``, and
only where the frame reaches that far. Windows never cross groups.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditlens.rules.ranks import RangeRanks, previous_same
from auditlens.rules.rule import Correlation, Threshold
from auditlens.rules.vocabulary import Mask, Rows

__all__ = ["Anchors", "Timeline", "anchors", "reached"]

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
MAX_SUBSETS = 256


@dataclass(frozen=True)
class Timeline:
    """Hits in the order of (group, time, row), as parallel arrays.

    ``slot`` is the position of the rule among the correlation's rules; ``time`` is in
    microseconds; ``value`` is the number or the code of the field that is measured, with
    ``valued`` False where it is null. ``horizon`` is the last instant of the whole frame.
    """

    row: Rows
    group: Ints
    time: Ints
    slot: Ints
    value: Reals
    valued: Mask
    horizon: int


@dataclass(frozen=True)
class Anchors:
    """Where a correlation qualifies: positions in the timeline, metric, window ``[low, high)``."""

    at: Ints
    metric: Reals
    low: Ints
    high: Ints


class Ruler:
    """Finds positions by group and time: the first at or after, the first after an instant."""

    def __init__(self, line: Timeline) -> None:
        self.times = np.unique(line.time)
        self.keys = self.key(line.group, np.searchsorted(self.times, line.time))

    def key(self, group: Ints, rank: Ints) -> Ints:
        return group * (len(self.times) + 1) + rank

    def first_from(self, group: Ints, time: Ints, keys: Ints | None = None) -> Ints:
        """Count hits before (group, time)."""
        rank = np.searchsorted(self.times, time, side="left")
        return np.searchsorted(self.keys if keys is None else keys, self.key(group, rank), "left")

    def first_after(self, group: Ints, time: Ints, keys: Ints | None = None) -> Ints:
        """Count hits at or before (group, time)."""
        rank = np.searchsorted(self.times, time, side="right") - 1
        return np.searchsorted(self.keys if keys is None else keys, self.key(group, rank), "right")


OPERATORS = {
    "lt": np.less,
    "lte": np.less_equal,
    "gt": np.greater,
    "gte": np.greater_equal,
    "eq": np.equal,
    "neq": np.not_equal,
}


def anchors(rule: Correlation, line: Timeline) -> Anchors:
    """Return every hit at which the correlation qualifies, in the timeline's order."""
    span = rule.seconds * 1_000_000
    if not len(line.row):
        none = np.empty(0, dtype=np.int64)
        return Anchors(none, none.astype(np.float64), none, none)
    ruler = Ruler(line)
    if rule.type.startswith("temporal"):
        return temporal(rule, line, ruler, span)
    low = ruler.first_from(line.group, line.time - span)
    high = ruler.first_after(line.group, line.time)
    assert rule.threshold is not None
    metric, valid = measure(rule.type, rule.threshold, line, low, high)
    held = valid & OPERATORS[rule.threshold.op](metric, rule.threshold.value)
    at = np.flatnonzero(held)
    return Anchors(at, metric[at], low[at], high[at])


def reached(rule: Correlation, line: Timeline) -> tuple[Reals, Mask]:
    """Measure the window that ends at each hit, and say which windows have a measure at all."""
    assert rule.threshold is not None
    ruler = Ruler(line)
    low = ruler.first_from(line.group, line.time - rule.seconds * 1_000_000)
    high = ruler.first_after(line.group, line.time)
    return measure(rule.type, rule.threshold, line, low, high)


def measure(
    kind: str, threshold: Threshold, line: Timeline, low: Ints, high: Ints
) -> tuple[Reals, Mask]:
    """Compute each window's metric, and whether it has one (a window without values has not)."""
    if kind == "event_count":
        return (high - low).astype(np.float64), np.ones(len(low), dtype=np.bool_)
    kept = np.flatnonzero(line.valued)
    before = np.concatenate([[0], np.cumsum(line.valued)])
    low, high = before[low], before[high]
    values = line.value[kept]
    count = high - low
    if kind == "value_count":
        codes = np.unique(
            np.stack([line.group[kept], values.astype(np.int64)]), axis=1, return_inverse=True
        )[1].reshape(-1)
        ranks = RangeRanks(previous_same(codes.astype(np.int64)) + 1)
        return ranks.smaller(low, high, low + 1).astype(np.float64), np.ones(len(low), np.bool_)
    valid = count > 0
    safe_low, safe_high = np.where(valid, low, 0), np.where(valid, high, 1)
    if not len(values):
        return np.zeros(len(low)), valid
    if kind in ("value_sum", "value_avg"):
        total = window_sums(values, safe_low, safe_high)
        metric = total / np.maximum(count, 1) if kind == "value_avg" else total
    else:
        share = 0.5 if kind == "value_median" else float(threshold.percentile or 0) / 100
        metric = quantile(values, safe_low, safe_high, share)
    return np.round(metric, 9), valid


def window_sums(values: Reals, low: Ints, high: Ints) -> Reals:
    """Sum each range: exactly for whole numbers, by ranges otherwise while that is affordable."""
    whole = np.all(values == np.floor(values)) and np.abs(values).sum() < 2**53
    if whole or (high - low).sum() > 50_000_000:
        running: Reals = np.concatenate([[0.0], np.cumsum(values)])
        whole_sums: Reals = running[high] - running[low]
        return whole_sums
    # A running sum would carry the rounding of everything before the window into it.
    padded = np.append(values, 0.0)
    sums: Reals = np.add.reduceat(padded, np.stack([low, high], axis=1).reshape(-1))[::2]
    return sums


def quantile(values: Reals, low: Ints, high: Ints, share: float) -> Reals:
    """Return each range's quantile, between neighbours by straight line."""
    distinct, codes = np.unique(values, return_inverse=True)
    ranks = RangeRanks(codes.reshape(-1).astype(np.int64))
    position = (high - low - 1) * share
    under = np.floor(position).astype(np.int64)
    over = np.minimum(under + 1, high - low - 1)
    left, right = distinct[ranks.nth(low, high, under)], distinct[ranks.nth(low, high, over)]
    between: Reals = left + (right - left) * (position - under)
    return between


def temporal(rule: Correlation, line: Timeline, ruler: Ruler, span: int) -> Anchors:
    """Correlate by occurrence: all of, some of, in order, or a boolean condition."""
    slots = list(range(len(rule.rules)))
    keys = [ruler.keys[line.slot == slot] for slot in slots]
    if rule.terms:
        index = {rule_id: slot for slot, rule_id in enumerate(rule.rules)}
        terms = [
            ([index[ref] for ref in present], [index[ref] for ref in absent])
            for present, absent in rule.terms
        ]
        found = [term(rule, line, ruler, span, keys, *one) for one in terms]
        return merged(found)
    threshold = rule.threshold
    assert threshold is not None
    low = ruler.first_from(line.group, line.time - span)
    high = ruler.first_after(line.group, line.time)
    metric = np.zeros(len(line.row))
    for key in keys:
        metric += occurs(ruler, line, key, line.time - span, line.time)
    if rule.type == "temporal":
        at = np.flatnonzero(OPERATORS[threshold.op](metric, threshold.value))
        return Anchors(at, metric[at], low[at], high[at])
    needed = math.floor(threshold.value) + 1 if threshold.op == "gt" else math.ceil(threshold.value)
    found = []
    for chosen in itertools.islice(itertools.combinations(slots, max(1, needed)), MAX_SUBSETS):
        held, began = chain(line, ruler, span, keys, list(chosen))
        at = np.flatnonzero(held)
        low = ruler.first_from(line.group, began)
        found.append(Anchors(at, metric[at], low[at], high[at]))
    return merged(found) if found else Anchors(low[:0], metric[:0], low[:0], high[:0])


def occurs(ruler: Ruler, line: Timeline, keys: Ints, start: Ints, end: Ints) -> Mask:
    """Say for each hit whether a rule (given by its keys) occurs between two instants."""
    return ruler.first_after(line.group, end, keys) > ruler.first_from(line.group, start, keys)


def chain(
    line: Timeline, ruler: Ruler, span: int, keys: list[Ints], slots: list[int]
) -> tuple[Mask, Ints]:
    """Say at which hits of the last slot the slots occurred in order, each strictly later.

    The latest possible start is carried from stage to stage: a later hit never has an earlier
    one. It is returned as well, so that the evidence begins with the first step.
    """
    width = len(ruler.times) + 1
    never = np.int64(-1)
    starts = keys[slots[0]] % width
    for before, after in itertools.pairwise(slots):
        position = np.searchsorted(keys[before], keys[after], "left") - 1
        ok = position >= 0
        safe = np.where(ok, position, 0)
        if len(keys[before]):
            ok &= keys[before][safe] // width == keys[after] // width
            starts = np.where(ok, starts[safe], never)
        else:
            starts = np.full(len(keys[after]), never)
    held = np.zeros(len(line.row), dtype=np.bool_)
    last = np.flatnonzero(line.slot == slots[-1])
    began = np.where(starts >= 0, ruler.times[np.maximum(starts, 0)], 0)
    held[last] = (starts >= 0) & (began >= line.time[last] - span)
    since = line.time - span
    since[last] = np.where(held[last], began, since[last])
    return held, since


def term(
    rule: Correlation,
    line: Timeline,
    ruler: Ruler,
    span: int,
    keys: list[Ints],
    present: list[int],
    absent: list[int],
) -> Anchors:
    """Find the hits at which every present rule occurs and, looking forward, no absent one."""
    forward = bool(absent)
    start = line.time if forward else line.time - span
    end = line.time + span if forward else line.time
    held = np.isin(line.slot, present)
    for slot in present:
        held &= occurs(ruler, line, keys[slot], start, end)
    for slot in absent:
        held &= ~occurs(ruler, line, keys[slot], start, end)
    if forward:
        held &= end <= line.horizon
    if rule.type == "temporal_ordered" and len(present) > 1:
        if forward:
            held &= followed(line, ruler, span, keys, present)
        else:
            in_order, start = chain(line, ruler, span, keys, present)
            held &= in_order
    low, high = ruler.first_from(line.group, start), ruler.first_after(line.group, end)
    at = np.flatnonzero(held)
    return Anchors(at, np.full(len(at), float(len(present))), low[at], high[at])


def followed(line: Timeline, ruler: Ruler, span: int, keys: list[Ints], slots: list[int]) -> Mask:
    """Say from which hits of the first slot the others follow in order."""
    width = len(ruler.times) + 1
    first = np.flatnonzero(line.slot == slots[0])
    key = keys[slots[0]]
    ok = np.ones(len(first), dtype=np.bool_)
    for slot in slots[1:]:
        # The first hit of the next slot at a strictly later instant of the same group.
        position = np.searchsorted(keys[slot], key, "right")
        inside = position < len(keys[slot])
        following = keys[slot][np.where(inside, position, 0)] if len(keys[slot]) else key
        ok &= inside & (following // width == key // width)
        key = np.where(ok, following, key)
    held = np.zeros(len(line.row), dtype=np.bool_)
    held[first] = ok & (ruler.times[key % width] <= line.time[first] + span)
    return held


def merged(found: list[Anchors]) -> Anchors:
    """Join alternatives; a hit that qualifies by several keeps the widest window."""
    at = np.unique(np.concatenate([one.at for one in found]))
    metric, low, high = (
        np.zeros(len(at)),
        np.full(len(at), np.iinfo(np.int64).max),
        np.zeros_like(at),
    )
    for one in found:
        place = np.searchsorted(at, one.at)
        metric[place] = np.maximum(metric[place], one.metric)
        low[place] = np.minimum(low[place], one.low)
        high[place] = np.maximum(high[place], one.high)
    return Anchors(at, metric, low, high)
