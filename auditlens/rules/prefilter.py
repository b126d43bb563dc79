"""Matches all detections in one pass over a frame, each only on the rows where it can hold.

Most rules can be true only for a few kinds of event. The rows are first put in order of their
kind (one or two columns with few values); a rule is then tried only on the kinds for which it
can hold, and text columns are read only there. So a hundred rules cost little more than one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from time import perf_counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.rules.condition import (
    And,
    Keyword,
    Match,
    Node,
    Not,
    Or,
    Reference,
    join,
    leaves,
    names,
)
from auditlens.rules.dictionary import DictColumn, Mask, Rows, candidate_columns, column_of, encode
from auditlens.rules.logsource import EVENT_MARKS
from auditlens.rules.matching import Matcher, OverBudget
from auditlens.rules.rule import Detection, Rule

__all__ = ["BUDGET_SECONDS", "Hits", "scan_rules"]

KIND_COLUMNS = 2
KIND_VALUES = 4096
TIERS = (0.25, 0.04, 0.0)
"""Rules are tried in turns by the share of the rows they may hold on: more than each of these.

A rule that may hold almost anywhere must not make the others read text almost everywhere.
"""

SMALL = 1 << 16
"""Up to so many rows a test is answered for all of them at once, and its answer kept."""

FEW_KINDS = 8
OFTEN = 4
"""So many rules must ask for a field inside ``metadata`` before it is read for every event."""

BUDGET_SECONDS = 60.0
"""How long the patterns of one rule may run; engines are linear, so this is rarely met."""


@dataclass(frozen=True)
class Hits:
    """Rows a detection matched, rising; how many rows were tried; seconds it took."""

    rows: Rows
    examined: int
    seconds: float
    stopped: bool = False


@dataclass(frozen=True)
class Candidate:
    """What is tried of a rule: the kinds for which it can hold, and what they leave open.

    ``rest`` is None when the kind alone decides.
    """

    wanted: Mask
    rest: Node | None

    @classmethod
    def of(cls, node: Node, kinds: Matcher) -> Candidate:
        """Drop from a top ``and`` what holds for all of the kinds for which it can hold."""
        children = node.children if isinstance(node, And) else (node,)
        pairs = [possible_answers(child, kinds) for child in children]
        wanted = np.logical_and.reduce([true for true, _ in pairs])
        open_ones = tuple(
            child
            for child, (_, false) in zip(children, pairs, strict=True)
            if (false & wanted).any()
        )
        return cls(wanted, join(And, open_ones) if open_ones else None)


def possible_answers(node: Node, kinds: Matcher) -> tuple[Mask, Mask]:
    """For each kind of event: can the tree be true, and can it be false?"""
    if isinstance(node, Not):
        true, false = possible_answers(node.child, kinds)
        return false, true
    if isinstance(node, And | Or):
        pairs = [possible_answers(child, kinds) for child in node.children]
        trues = [true for true, _ in pairs]
        falses = [false for _, false in pairs]
        if isinstance(node, And):
            return np.logical_and.reduce(trues), np.logical_or.reduce(falses)
        return np.logical_or.reduce(trues), np.logical_and.reduce(falses)
    decided_by_kind = isinstance(node, Match) and node.field in kinds.frame.columns
    if decided_by_kind and not isinstance(node.value, Reference):
        held = kinds.leaf(node, kinds.every_row)
        return held, ~held
    return kinds.all_true, kinds.all_true


@dataclass(frozen=True)
class Partition:
    """The distinct kinds of event as a small frame, and the kind of every row."""

    frame: pl.DataFrame
    of_row: NDArray[np.unsignedinteger]


def required(node: Node) -> Iterator[str]:
    """Yield the fields a tree asks something of, outside any ``not``."""
    if isinstance(node, And | Or):
        for child in node.children:
            yield from required(child)
    elif isinstance(node, Match):
        yield node.field


def fields_by_demand(conditions: Sequence[Node]) -> list[tuple[str, int]]:
    """Return the fields rules ask something of and how many rules do, the most asked first."""
    asked = Counter(name for condition in conditions for name in set(required(condition)))
    return sorted(asked.items(), key=lambda pair: (-pair[1], pair[0]))


def extract_json_columns(frame: pl.DataFrame, asked: Sequence[tuple[str, int]]) -> pl.DataFrame:
    """Give the fields inside ``metadata`` that many rules ask for columns of their own.

    Where records stay whole, most rules name such a field; with a column it tells the kind of
    an event. Only in the event table: elsewhere keywords would search the new column.
    """
    if not set(frame.columns) >= EVENT_MARKS or frame.schema.get("metadata") != pl.String:
        return frame
    columns: list[pl.Series] = []
    for name, rules in asked[:KIND_COLUMNS]:
        if rules < OFTEN or candidate_columns(frame, name)[-1] != "metadata":
            break
        column = column_of(frame, name)
        if column is not None and column.dtype == pl.String:
            columns.append(column.alias(name))
    return frame.with_columns(columns)


def partition_rows(frame: pl.DataFrame, asked: Sequence[tuple[str, int]]) -> Partition:
    """Choose the columns most rules ask for that have few values, and number their pairs."""
    chosen: dict[str, DictColumn] = {}
    for name, _ in asked:
        if name not in frame.columns or len(chosen) == KIND_COLUMNS:
            continue
        if encoded := low_cardinality(frame.get_column(name)):
            chosen[name] = encoded
    kind = np.zeros(frame.height, dtype=np.uint32)
    for encoded in chosen.values():
        kind = kind * np.uint32(len(encoded.values) + 1) + encoded.codes.astype(np.uint32)
    met = np.flatnonzero(np.bincount(kind)) if frame.height else np.empty(0, dtype=np.int64)
    number = np.zeros(int(met.max(initial=0)) + 1, dtype=np.min_scalar_type(len(met)))
    number[met] = np.arange(len(met))
    columns: list[pl.Series] = []
    rest = met
    for name, encoded in reversed(chosen.items()):
        rest, code = np.divmod(rest, len(encoded.values) + 1)
        places = pl.Series(code).replace(len(encoded.values), None)
        columns.append(encoded.values.gather(places).alias(name))
    small = pl.DataFrame(columns) if columns else pl.DataFrame({"": [None] * len(met)})
    return Partition(small, number[kind])


def low_cardinality(column: pl.Series) -> DictColumn | None:
    """Encode a column of texts or whole numbers if it has few values, judged by its front first."""
    if not (column.dtype == pl.String or column.dtype.is_integer()):
        return None
    if column.head(50_000).n_unique() > KIND_VALUES:
        return None
    encoded = encode(column)
    return encoded if len(encoded.values) <= KIND_VALUES else None


@dataclass(frozen=True)
class RowIndex:
    """Which rows each rule is tried on: rows by kind, cut to the kinds any rule wants."""

    kept: Rows
    kinds: Rows
    marks: dict[int, Mask] = field(default_factory=dict)

    @classmethod
    def over(cls, kinds: Partition, wanted: Mask) -> RowIndex:
        """Keep the rows of the wanted kinds."""
        kept = np.flatnonzero(wanted[kinds.of_row]) if len(wanted) else np.empty(0, np.int64)
        return cls(kept, kinds.of_row[kept].astype(np.int64))

    def within(self, wanted: Mask) -> Mask:
        """Mark the kept rows of these kinds; a few kinds are put together from marks kept."""
        some_kinds = np.flatnonzero(wanted).tolist()
        if not 0 < len(some_kinds) <= FEW_KINDS:
            return wanted[self.kinds]
        for kind in some_kinds:
            if kind not in self.marks:
                self.marks[kind] = self.kinds == kind
        return reduce(np.logical_or, [self.marks[kind] for kind in some_kinds])

    @cached_property
    def order(self) -> Rows:
        """The kept rows in the order of their kind."""
        return np.argsort(self.kinds, kind="stable")

    @cached_property
    def starts(self) -> Rows:
        last = int(self.kinds.max(initial=-1))
        return np.searchsorted(self.kinds[self.order], np.arange(last + 2))

    def rows(self, wanted: Mask) -> Rows:
        """Return the places (among the kept rows) of these kinds, kind by kind."""
        pieces = [
            self.order[self.starts[k] : self.starts[k + 1]]
            for k in np.flatnonzero(wanted[: len(self.starts) - 1])
        ]
        if not pieces:
            return np.empty(0, dtype=np.int64)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def scan_rules(
    rules: Sequence[Rule], frame: pl.DataFrame, timezone: str, budget: float = BUDGET_SECONDS
) -> dict[str, Hits]:
    """Match every detection of ``rules`` against the frame; other kinds are left out.

    A rule whose patterns take longer than ``budget`` seconds is stopped, without hits.
    """
    bodies = {rule.id: rule.body for rule in rules if isinstance(rule.body, Detection)}
    conditions = [body.condition for body in bodies.values()]
    asked = fields_by_demand(conditions)
    frame = extract_json_columns(frame, asked)
    kinds = partition_rows(frame, asked)
    small = Matcher(kinds.frame, timezone)
    candidates = {rule_id: Candidate.of(body.condition, small) for rule_id, body in bodies.items()}
    size = np.bincount(kinds.of_row, minlength=kinds.frame.height)
    hits: dict[str, Hits] = {}
    for some in cost_tiers(candidates, size):
        hits |= run_tier(some, frame, kinds, timezone, budget)
    return hits


def cost_tiers(candidates: Mapping[str, Candidate], size: Rows) -> Iterator[dict[str, Candidate]]:
    """Put rules together that may hold on about as many rows, given the rows of each kind."""
    share = {
        one: size[candidate.wanted].sum() / max(1, size.sum())
        for one, candidate in candidates.items()
    }
    upper = math.inf
    for lower in TIERS:
        yield {
            one: candidate
            for one, candidate in candidates.items()
            if lower < share[one] <= upper or (lower == 0.0 and not share[one])
        }
        upper = lower


def run_tier(
    candidates: Mapping[str, Candidate],
    frame: pl.DataFrame,
    kinds: Partition,
    timezone: str,
    budget: float,
) -> dict[str, Hits]:
    """Try these rules on the rows any of them wants, and each on its own."""
    union = np.zeros(kinds.frame.height, dtype=np.bool_)
    for candidate in candidates.values():
        union |= candidate.wanted
    row_index = RowIndex.over(kinds, union)
    read = columns_read(frame, [one.rest for one in candidates.values() if one.rest])
    columns_in = frame.select(read or frame.columns[:1])
    part = Matcher(
        columns_in if len(row_index.kept) == frame.height else columns_in[row_index.kept], timezone
    )
    size = np.bincount(row_index.kinds, minlength=kinds.frame.height)
    hits: dict[str, Hits] = {}
    for rule_id, candidate in candidates.items():
        start = perf_counter()
        part.deadline = start + budget
        examined = int(size[candidate.wanted].sum())
        try:
            rows = candidate_rows(candidate, part, row_index)
            hits[rule_id] = Hits(rows, examined, perf_counter() - start)
        except OverBudget:
            hits[rule_id] = Hits(row_index.kept[:0], examined, perf_counter() - start, stopped=True)
    return hits


def candidate_rows(candidate: Candidate, part: Matcher, row_index: RowIndex) -> Rows:
    """Return the rows of the wanted kinds for which the rest of the rule holds, rising."""
    rest = candidate.rest
    if len(row_index.kept) <= SMALL:
        within = row_index.within(candidate.wanted)
        return row_index.kept[
            np.flatnonzero(within if rest is None else part.cached_mask(rest, within))
        ]
    rows = row_index.rows(candidate.wanted)
    matching = rows[part.mask(rest, rows)] if rest and len(rows) else rows
    # Rows come kind by kind, each rising: a stable sort merges them in one pass.
    return np.sort(row_index.kept[matching], kind="stable")


def columns_read(frame: pl.DataFrame, conditions: Sequence[Node]) -> list[str]:
    """Return the columns that fields of these trees may stand in; all of them for keywords."""
    found: set[str] = set()
    for condition in conditions:
        if any(isinstance(leaf, Keyword) for leaf in leaves(condition)):
            return frame.columns
        found.update(names(condition))
    read = {name for field in found for name in candidate_columns(frame, field)}
    return [name for name in frame.columns if name in read]
