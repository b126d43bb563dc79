"""Correlations: sliding windows over the hits of other rules.

A window is ``[t - timespan, t]``, both ends included, anchored at each hit; hits at the same
instant are all in it. A condition with an absent rule looks forward, ``[t, t + timespan]``, and
only where the frame reaches that far. Windows never cross groups.

Order statistics of windows (distinct values, percentiles) come from a wavelet matrix: Claude,
Navarro and Ordonez, "The wavelet matrix", Information Systems 47 (2015).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.errors import UsageError
from auditlens.rules.dictionary import (
    Mask,
    Rows,
    column_of,
    members_apart,
    part_of,
    text_of,
)
from auditlens.rules.matching import as_times
from auditlens.rules.rule import Correlation, Threshold

__all__ = ["Anchors", "Timeline", "anchors", "build_timeline", "event_times", "window_metrics"]

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


class TimeIndex:
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
    time_index = TimeIndex(line)
    if rule.type.startswith("temporal"):
        return temporal(rule, line, time_index, span)
    low = time_index.first_from(line.group, line.time - span)
    high = time_index.first_after(line.group, line.time)
    assert rule.threshold is not None
    metric, valid = measure(rule.type, rule.threshold, line, low, high)
    qualifies = valid & OPERATORS[rule.threshold.op](metric, rule.threshold.value)
    at = np.flatnonzero(qualifies)
    return Anchors(at, metric[at], low[at], high[at])


def window_metrics(rule: Correlation, line: Timeline) -> tuple[Reals, Mask]:
    """Measure the window that ends at each hit, and say which windows have a measure at all."""
    assert rule.threshold is not None
    time_index = TimeIndex(line)
    low = time_index.first_from(line.group, line.time - rule.seconds * 1_000_000)
    high = time_index.first_after(line.group, line.time)
    return measure(rule.type, rule.threshold, line, low, high)


def measure(
    kind: str, threshold: Threshold, line: Timeline, low: Ints, high: Ints
) -> tuple[Reals, Mask]:
    """Compute each window's metric, and whether it has one (a window without values has not)."""
    if kind == "event_count":
        return (high - low).astype(np.float64), np.ones(len(low), dtype=np.bool_)
    valued = np.flatnonzero(line.valued)
    before = np.concatenate([[0], np.cumsum(line.valued)])
    low, high = before[low], before[high]
    values = line.value[valued]
    count = high - low
    if kind == "value_count":
        codes = np.unique(
            np.stack([line.group[valued], values.astype(np.int64)]), axis=1, return_inverse=True
        )[1].reshape(-1)
        ranks = WaveletMatrix(previous_occurrence(codes.astype(np.int64)) + 1)
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
    ranks = WaveletMatrix(codes.reshape(-1).astype(np.int64))
    position = (high - low - 1) * share
    under = np.floor(position).astype(np.int64)
    over = np.minimum(under + 1, high - low - 1)
    left, right = distinct[ranks.nth(low, high, under)], distinct[ranks.nth(low, high, over)]
    between: Reals = left + (right - left) * (position - under)
    return between


def temporal(rule: Correlation, line: Timeline, time_index: TimeIndex, span: int) -> Anchors:
    """Correlate by occurrence: all of, some of, in order, or a boolean condition."""
    slots = list(range(len(rule.rules)))
    keys = [time_index.keys[line.slot == slot] for slot in slots]
    if rule.terms:
        index = {rule_id: slot for slot, rule_id in enumerate(rule.rules)}
        terms = [
            ([index[ref] for ref in present], [index[ref] for ref in absent])
            for present, absent in rule.terms
        ]
        alternatives = [term_anchors(rule, line, time_index, span, keys, *one) for one in terms]
        return join_anchors(alternatives)
    threshold = rule.threshold
    assert threshold is not None
    low = time_index.first_from(line.group, line.time - span)
    high = time_index.first_after(line.group, line.time)
    metric = np.zeros(len(line.row))
    for key in keys:
        metric += occurs(time_index, line, key, line.time - span, line.time)
    if rule.type == "temporal":
        at = np.flatnonzero(OPERATORS[threshold.op](metric, threshold.value))
        return Anchors(at, metric[at], low[at], high[at])
    needed = math.floor(threshold.value) + 1 if threshold.op == "gt" else math.ceil(threshold.value)
    alternatives = []
    for chosen in itertools.islice(itertools.combinations(slots, max(1, needed)), MAX_SUBSETS):
        qualifies, began = ordered_chain(line, time_index, span, keys, list(chosen))
        at = np.flatnonzero(qualifies)
        low = time_index.first_from(line.group, began)
        alternatives.append(Anchors(at, metric[at], low[at], high[at]))
    return (
        join_anchors(alternatives)
        if alternatives
        else Anchors(low[:0], metric[:0], low[:0], high[:0])
    )


def occurs(time_index: TimeIndex, line: Timeline, keys: Ints, start: Ints, end: Ints) -> Mask:
    """Say for each hit whether a rule (given by its keys) occurs between two instants."""
    return time_index.first_after(line.group, end, keys) > time_index.first_from(
        line.group, start, keys
    )


def ordered_chain(
    line: Timeline, time_index: TimeIndex, span: int, keys: list[Ints], slots: list[int]
) -> tuple[Mask, Ints]:
    """Say at which hits of the last slot the slots occurred in order, each strictly later.

    The latest possible start is carried from stage to stage: a later hit never has an earlier
    one. It is returned as well, so that the evidence begins with the first step.
    """
    width = len(time_index.times) + 1
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
    qualifies = np.zeros(len(line.row), dtype=np.bool_)
    last = np.flatnonzero(line.slot == slots[-1])
    began = np.where(starts >= 0, time_index.times[np.maximum(starts, 0)], 0)
    qualifies[last] = (starts >= 0) & (began >= line.time[last] - span)
    since = line.time - span
    since[last] = np.where(qualifies[last], began, since[last])
    return qualifies, since


def term_anchors(
    rule: Correlation,
    line: Timeline,
    time_index: TimeIndex,
    span: int,
    keys: list[Ints],
    present: list[int],
    absent: list[int],
) -> Anchors:
    """Find the hits at which every present rule occurs and, looking forward, no absent one."""
    forward = bool(absent)
    start = line.time if forward else line.time - span
    end = line.time + span if forward else line.time
    qualifies = np.isin(line.slot, present)
    for slot in present:
        qualifies &= occurs(time_index, line, keys[slot], start, end)
    for slot in absent:
        qualifies &= ~occurs(time_index, line, keys[slot], start, end)
    if forward:
        qualifies &= end <= line.horizon
    if rule.type == "temporal_ordered" and len(present) > 1:
        if forward:
            qualifies &= followed_in_order(line, time_index, span, keys, present)
        else:
            in_order, start = ordered_chain(line, time_index, span, keys, present)
            qualifies &= in_order
    low, high = time_index.first_from(line.group, start), time_index.first_after(line.group, end)
    at = np.flatnonzero(qualifies)
    return Anchors(at, np.full(len(at), float(len(present))), low[at], high[at])


def followed_in_order(
    line: Timeline, time_index: TimeIndex, span: int, keys: list[Ints], slots: list[int]
) -> Mask:
    """Say from which hits of the first slot the others follow in order."""
    width = len(time_index.times) + 1
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
    qualifies = np.zeros(len(line.row), dtype=np.bool_)
    qualifies[first] = ok & (time_index.times[key % width] <= line.time[first] + span)
    return qualifies


def join_anchors(alternatives: list[Anchors]) -> Anchors:
    """Join alternatives; a hit that qualifies by several keeps the widest window."""
    at = np.unique(np.concatenate([one.at for one in alternatives]))
    metric, low, high = (
        np.zeros(len(at)),
        np.full(len(at), np.iinfo(np.int64).max),
        np.zeros_like(at),
    )
    for one in alternatives:
        place = np.searchsorted(at, one.at)
        metric[place] = np.maximum(metric[place], one.metric)
        low[place] = np.minimum(low[place], one.low)
        high[place] = np.maximum(high[place], one.high)
    return Anchors(at, metric, low, high)


TIME_COLUMNS = ("created_at", "@timestamp", "timestamp", "eventTime", "UtcTime", "TimeCreated",
                "time", "_time", "ts")  # fmt: skip


def event_times(frame: pl.DataFrame, name: str | None) -> pl.Series:
    """Return the column of event times, in microseconds since 1970 (Int64, null if unreadable)."""
    known = [name] if name else [one for one in TIME_COLUMNS if one in frame.columns]
    if not known or known[0] not in frame.columns:
        raise UsageError(
            "No column of event times was found; correlations need one",
            fix=f"Name it with time=..., or call it one of {', '.join(TIME_COLUMNS[:3])}",
        )
    times = as_times(frame.get_column(known[0]))
    if times is None:
        raise UsageError(
            f"The column {known[0]!r} holds no times", fix="Give datetimes or ISO 8601"
        )
    return times.dt.cast_time_unit("us").to_physical()


def build_timeline(
    rule: Correlation, frame: pl.DataFrame, times: pl.Series, hits: Sequence[Rows], horizon: int
) -> tuple[Timeline, int]:
    """Lay the hits of the correlation's rules (in their order) on one line.

    Hits without a time or with a null group key are left out; the second value counts those
    without a key. A list in ``group-by`` puts the hit in the group of each member.
    """
    fields = rule.threshold.fields if rule.threshold else ()
    pieces = []
    aliases = [name for mapping in rule.aliases.values() for name in mapping.values()]
    for slot, (rule_id, rows) in enumerate(zip(rule.rules, hits, strict=True)):
        part = part_of(frame, [*rule.group_by, *fields, *aliases], pl.Series(rows))
        columns = [
            text_of(part, rule.aliases.get(name, {}).get(rule_id, name)).alias(f"g{n}")
            for n, name in enumerate(rule.group_by)
        ]
        columns.append(measured_field(rule, part, rule_id, fields))
        pieces.append(
            pl.DataFrame({"row": rows, "slot": np.full(len(rows), slot)})
            .with_columns(times.gather(rows).alias("time"))
            .with_columns(columns)
            .pipe(members_apart)
        )
    table = pl.concat(pieces, how="vertical_relaxed").drop_nulls("time")
    if table.schema["value"] == pl.Float64:
        finite = pl.col("value").is_finite()
        table = table.with_columns(pl.when(finite).then("value").alias("value"))
    groups = [f"g{n}" for n in range(len(rule.group_by))]
    lost = table.filter(pl.any_horizontal(pl.col(groups).is_null())) if groups else table.clear()
    table = table.drop_nulls(groups) if groups else table
    keys = ["row", *groups] + (["slot"] if rule.type.startswith("temporal") else ["value"])
    table = with_codes(table, groups).unique(keys).sort("group", "time", "row", "slot", "code")
    valued = table.get_column("value").is_not_null().to_numpy()
    line = Timeline(
        row=table.get_column("row").cast(pl.Int64).to_numpy(),
        group=table.get_column("group").cast(pl.Int64).to_numpy(),
        time=table.get_column("time").to_numpy(),
        slot=table.get_column("slot").to_numpy(),
        value=table.get_column("code").to_numpy(),
        valued=valued,
        horizon=horizon,
    )
    return line, lost.get_column("row").n_unique()


def with_codes(table: pl.DataFrame, groups: list[str]) -> pl.DataFrame:
    """Number the groups, and give texts of ``value`` a number each (``code``)."""
    group = pl.lit(0) if not groups else pl.struct(groups).rank("dense") - 1
    if table.schema["value"] == pl.String:
        code = pl.col("value").rank("dense").cast(pl.Float64).fill_null(0)
    else:
        code = pl.col("value").cast(pl.Float64).fill_null(0)
    return table.with_columns(group.cast(pl.Int64).alias("group"), code.alias("code"))


def measured_field(
    rule: Correlation, part: pl.DataFrame, rule_id: str, fields: tuple[str, ...]
) -> pl.Series:
    """Return the measured field of one rule's hits: texts for value_count, else numbers."""
    if not fields:
        return pl.Series("value", [None], dtype=pl.Float64).new_from_index(0, part.height)
    names = [rule.aliases.get(name, {}).get(rule_id, name) for name in fields]
    if rule.type != "value_count":
        column = column_of(part, names[0])
        if column is None:
            return pl.Series("value", [None], dtype=pl.Float64).new_from_index(0, part.height)
        kind = pl.List(pl.Float64) if isinstance(column.dtype, pl.List) else pl.Float64
        return column.cast(kind, strict=False).alias("value")
    lists = [text_of(part, name) for name in names]
    if len(lists) == 1:
        return lists[0].alias("value")
    table = pl.DataFrame({f"v{n}": one for n, one in enumerate(lists)}).with_row_index("row")
    joined = members_apart(table).select(
        "row", pl.concat_str(pl.exclude("row"), separator="\x1f").alias("value")
    )
    return joined.group_by("row", maintain_order=True).agg("value").get_column("value")


class WaveletMatrix:
    """Questions about ranges ``[low, high)`` of ``values`` (integers from 0)."""

    def __init__(self, values: Ints) -> None:
        self.bits = max(1, int(values.max(initial=0)).bit_length())
        self.levels: list[tuple[int, Ints]] = []
        for bit in reversed(range(self.bits)):
            ones = ((values >> bit) & 1).astype(np.bool_)
            self.levels.append((bit, np.concatenate([[0], np.cumsum(~ones)])))
            values = np.concatenate([values[~ones], values[ones]])

    def smaller(self, low: Ints, high: Ints, bound: Ints) -> Ints:
        """Count values below ``bound`` in each range."""
        found = np.where(bound >= 1 << self.bits, high - low, 0)
        bound = np.where(bound >= 1 << self.bits, 0, bound)
        for bit, zeros in self.levels:
            low0, high0 = zeros[low], zeros[high]
            one = (bound >> bit) & 1 == 1
            found = found + np.where(one, high0 - low0, 0)
            low = np.where(one, zeros[-1] + low - low0, low0)
            high = np.where(one, zeros[-1] + high - high0, high0)
        return found

    def nth(self, low: Ints, high: Ints, n: Ints) -> Ints:
        """Return the n-th smallest value (from 0) of each range; ``n`` must lie within it."""
        found = np.zeros_like(low)
        for bit, zeros in self.levels:
            low0, high0 = zeros[low], zeros[high]
            one = n >= high0 - low0
            found = found | (one.astype(np.int64) << bit)
            n = np.where(one, n - (high0 - low0), n)
            low = np.where(one, zeros[-1] + low - low0, low0)
            high = np.where(one, zeros[-1] + high - high0, high0)
        return found


def previous_occurrence(codes: Ints) -> Ints:
    """Return for each position the last earlier one with the same code, or -1."""
    order = np.argsort(codes, kind="stable")
    same = codes[order][1:] == codes[order][:-1]
    found = np.full(len(codes), -1, dtype=np.int64)
    found[order[1:][same]] = order[:-1][same]
    return found
