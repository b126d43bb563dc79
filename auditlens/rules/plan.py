"""One pass of all rules over a frame, each only where it can hold.

Most rules can be true only for a few kinds of event. The rows are first put in order of their
kind (one or two columns with few values); a rule is then tried only on the kinds for which it
can hold, and text columns are read only there. So a hundred rules cost little more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import polars as pl

from auditlens.rules.condition import And, Match, Node, Not, Or, Reference, leaves
from auditlens.rules.rule import Detection, Rule
from auditlens.rules.scan import Scan
from auditlens.rules.vocabulary import Mask, Rows, Vocabulary, encode

__all__ = ["Hits", "scan_rules"]

KIND_COLUMNS = 2
KIND_VALUES = 4096


@dataclass(frozen=True)
class Hits:
    """Rows a detection matched, rising; how many rows were tried; seconds it took."""

    rows: Rows
    examined: int
    seconds: float


def possible(node: Node, kinds: Scan, known: frozenset[str], rows: Rows) -> tuple[Mask, Mask]:
    """For each kind of event: can the tree be true, and can it be false?"""
    if isinstance(node, Not):
        true, false = possible(node.child, kinds, known, rows)
        return false, true
    if isinstance(node, And | Or):
        pairs = [possible(child, kinds, known, rows) for child in node.children]
        trues = np.array([true for true, _ in pairs])
        falses = np.array([false for _, false in pairs])
        if isinstance(node, And):
            return np.logical_and.reduce(trues), np.logical_or.reduce(falses)
        return np.logical_or.reduce(trues), np.logical_and.reduce(falses)
    if isinstance(node, Match) and node.field in known and not isinstance(node.value, Reference):
        held = kinds.leaf(node, rows)
        return held, ~held
    return np.ones(len(rows), dtype=np.bool_), np.ones(len(rows), dtype=np.bool_)


@dataclass(frozen=True)
class Kinds:
    """The rows of a frame in order of their kind, and the distinct kinds as a small frame."""

    frame: pl.DataFrame
    order: Rows
    starts: Rows

    def rows(self, wanted: Mask) -> Rows:
        """Return the rows of the wanted kinds, rising."""
        if wanted.all():
            return np.arange(len(self.order), dtype=np.int64)
        pieces = [self.order[self.starts[k] : self.starts[k + 1]] for k in np.flatnonzero(wanted)]
        return np.sort(np.concatenate(pieces)) if pieces else np.empty(0, dtype=np.int64)


def kinds_of(frame: pl.DataFrame, conditions: Sequence[Node]) -> Kinds:
    """Choose the columns most rules test that have few values, and sort the rows by them."""
    tested = Counter(
        leaf.field
        for condition in conditions
        for leaf in dict.fromkeys(leaves(condition))
        if isinstance(leaf, Match) and leaf.field in frame.columns
    )
    kind = np.zeros(frame.height, dtype=np.int64)
    chosen: list[str] = []
    vocabularies: list[Vocabulary] = []
    for name, _ in sorted(tested.items(), key=lambda pair: (-pair[1], pair[0])):
        dtype = frame.schema[name]
        if len(chosen) == KIND_COLUMNS or not (dtype == pl.String or dtype.is_integer()):
            continue
        column = frame.get_column(name)
        if column.head(50_000).n_unique() > KIND_VALUES:
            continue
        vocabulary = encode(column)
        if len(vocabulary.values) > max(KIND_VALUES, frame.height if frame.height < 300 else 0):
            continue
        kind = kind * (len(vocabulary.values) + 1) + vocabulary.codes
        chosen.append(name)
        vocabularies.append(vocabulary)
    distinct, first, codes = np.unique(kind, return_index=True, return_inverse=True)
    small = codes.astype(np.min_scalar_type(len(distinct)))
    order = np.argsort(small, kind="stable")
    starts = np.append(np.searchsorted(small[order], np.arange(len(distinct))), len(order))
    picked = frame.select(chosen)[first.tolist()] if chosen else pl.DataFrame({"": [None]})
    return Kinds(picked, order, starts)


def scan_rules(rules: Sequence[Rule], frame: pl.DataFrame, timezone: str) -> dict[str, Hits]:
    """Match every detection of ``rules`` against the frame; other kinds are left out."""
    bodies = {rule.id: rule.body for rule in rules if isinstance(rule.body, Detection)}
    conditions = [body.condition for body in bodies.values()]
    kinds = kinds_of(frame, conditions)
    known = frozenset(kinds.frame.columns)
    small = Scan(kinds.frame, timezone)
    all_kinds = np.arange(kinds.frame.height)
    wanted = {
        rule_id: kinds.rows(possible(body.condition, small, known, all_kinds)[0])
        for rule_id, body in bodies.items()
    }
    union = np.zeros(frame.height, dtype=np.bool_)
    for rows in wanted.values():
        union[rows] = True
    kept = np.flatnonzero(union)
    place = np.cumsum(union) - 1
    part = Scan(frame if len(kept) == frame.height else frame[kept], timezone)
    hits: dict[str, Hits] = {}
    for rule_id, body in bodies.items():
        start = perf_counter()
        rows = wanted[rule_id]
        held = part.mask(body.condition, place[rows]) if len(rows) else np.empty(0, dtype=np.bool_)
        hits[rule_id] = Hits(rows[held], len(rows), perf_counter() - start)
    return hits
