"""One pass of all rules over a frame, each only where it can hold.

Most rules can be true only for a few kinds of event. The rows are first put in order of their
kind (one or two columns with few values); a rule is then tried only on the kinds for which it
can hold, and text columns are read only there. So a hundred rules cost little more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.rules.compare import OverBudget
from auditlens.rules.condition import And, Keyword, Match, Node, Not, Or, Reference, leaves, names
from auditlens.rules.rule import Detection, Rule
from auditlens.rules.scan import Scan
from auditlens.rules.vocabulary import Mask, Rows, Vocabulary, encode

__all__ = ["BUDGET_SECONDS", "Hits", "scan_rules"]

KIND_COLUMNS = 2
KIND_VALUES = 4096
WIDE = 0.25
"""A rule that may hold on more than this share of the rows is tried apart."""

BUDGET_SECONDS = 60.0
"""How long the patterns of one rule may run; engines are linear, so this is rarely met."""


@dataclass(frozen=True)
class Hits:
    """Rows a detection matched, rising; how many rows were tried; seconds it took."""

    rows: Rows
    examined: int
    seconds: float
    stopped: bool = False


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


def kinds_of(frame: pl.DataFrame, conditions: Sequence[Node]) -> Kinds:
    """Choose the columns most rules ask for that have few values, and number their pairs."""
    asked = Counter(
        name for condition in conditions for name in set(required(condition)) & set(frame.columns)
    )
    chosen: dict[str, Vocabulary] = {}
    for name, _ in sorted(asked.items(), key=lambda pair: (-pair[1], pair[0])):
        if len(chosen) < KIND_COLUMNS and (vocabulary := few_values(frame.get_column(name))):
            chosen[name] = vocabulary
    kind = np.zeros(frame.height, dtype=np.uint32)
    for vocabulary in chosen.values():
        kind = kind * np.uint32(len(vocabulary.values) + 1) + vocabulary.codes.astype(np.uint32)
    met = np.flatnonzero(np.bincount(kind)) if frame.height else np.empty(0, dtype=np.int64)
    number = np.zeros(int(met.max(initial=0)) + 1, dtype=np.min_scalar_type(len(met)))
    number[met] = np.arange(len(met))
    columns: list[pl.Series] = []
    rest = met
    for name, vocabulary in reversed(chosen.items()):
        rest, code = np.divmod(rest, len(vocabulary.values) + 1)
        places = pl.Series(code).replace(len(vocabulary.values), None)
        columns.append(vocabulary.values.gather(places).alias(name))
    small = pl.DataFrame(columns) if columns else pl.DataFrame({"": [None] * len(met)})
    return Kinds(small, number[kind])


def few_values(column: pl.Series) -> Vocabulary | None:
    """Encode a column of texts or whole numbers if it has few values, judged by its front first."""
    if not (column.dtype == pl.String or column.dtype.is_integer()):
        return None
    if column.head(50_000).n_unique() > KIND_VALUES:
        return None
    vocabulary = encode(column)
    return vocabulary if len(vocabulary.values) <= KIND_VALUES else None


@dataclass(frozen=True)
class Routes:
    """Which rows each rule is tried on: rows by kind, cut to the kinds any rule wants."""

    kept: Rows
    order: Rows
    starts: Rows

    @classmethod
    def over(cls, kinds: Kinds, wanted: Mask) -> Routes:
        """Keep the rows of the wanted kinds, and put them in the order of their kind."""
        kept = np.flatnonzero(wanted[kinds.of_row]) if len(wanted) else np.empty(0, np.int64)
        held = kinds.of_row[kept]
        order = np.argsort(held, kind="stable")
        starts = np.searchsorted(held[order], np.arange(len(wanted) + 1))
        return cls(kept, order, starts)

    def rows(self, wanted: Mask) -> Rows:
        """Return the places (among the kept rows) of these kinds, kind by kind."""
        pieces = [self.order[self.starts[k] : self.starts[k + 1]] for k in np.flatnonzero(wanted)]
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
    kinds = kinds_of(frame, [body.condition for body in bodies.values()])
    known = frozenset(kinds.frame.columns)
    small = Scan(kinds.frame, timezone)
    everything = np.arange(kinds.frame.height)
    wanted = {
        rule_id: possible(body.condition, small, known, everything)[0]
        for rule_id, body in bodies.items()
    }
    size = np.bincount(kinds.of_row, minlength=kinds.frame.height)
    wide = {one for one in bodies if size[wanted[one]].sum() > WIDE * frame.height}
    # A few rules may hold anywhere; the others must not read text everywhere for their sake.
    hits: dict[str, Hits] = {}
    for some in (wide, bodies.keys() - wide):
        chosen = {rule_id: body for rule_id, body in bodies.items() if rule_id in some}
        hits |= tried(chosen, frame, kinds, wanted, small, budget)
    return hits


def tried(
    bodies: Mapping[str, Detection],
    frame: pl.DataFrame,
    kinds: Kinds,
    wanted: Mapping[str, Mask],
    small: Scan,
    budget: float,
) -> dict[str, Hits]:
    """Try these rules on the rows any of them wants, and each on its own."""
    union = np.zeros(kinds.frame.height, dtype=np.bool_)
    for rule_id in bodies:
        union |= wanted[rule_id]
    routes = Routes.over(kinds, union)
    whole = frame.select(columns_read(frame, [body.condition for body in bodies.values()]))
    part = Scan(whole if len(routes.kept) == frame.height else whole[routes.kept], small.timezone)
    known = frozenset(small.frame.columns)
    hits: dict[str, Hits] = {}
    for rule_id, body in bodies.items():
        start = perf_counter()
        part.deadline = start + budget
        rows = routes.rows(wanted[rule_id])
        rest = undecided(body.condition, small, known, np.flatnonzero(wanted[rule_id]))
        try:
            held = part.mask(rest, rows) if rest and len(rows) else np.ones(len(rows), np.bool_)
        except OverBudget:
            hits[rule_id] = Hits(rows[:0], len(rows), perf_counter() - start, stopped=True)
            continue
        # Rows come kind by kind, each rising: a stable sort merges them in one pass.
        found = np.sort(routes.kept[rows[held]], kind="stable")
        hits[rule_id] = Hits(found, len(rows), perf_counter() - start)
    return hits


def undecided(node: Node, small: Scan, known: frozenset[str], kinds: Rows) -> Node | None:
    """Drop from a top ``and`` what holds for all of these kinds; None when nothing is left."""
    children = node.children if isinstance(node, And) else (node,)
    left = tuple(
        child
        for child in children
        if possible(child, small, known, kinds)[1].any() or not len(kinds)
    )
    return None if not left else left[0] if len(left) == 1 else And(left)


def columns_read(frame: pl.DataFrame, conditions: Sequence[Node]) -> list[str]:
    """Return the columns that fields of these trees may stand in; all of them for keywords."""
    found: set[str] = set()
    for condition in conditions:
        if any(isinstance(leaf, Keyword) for leaf in leaves(condition)):
            return frame.columns
        found.update(names(condition))
    read = {name for field in found for name in places(frame, field)}
    return [name for name in frame.columns if name in read]


def places(frame: pl.DataFrame, field: str) -> tuple[str, ...]:
    """Return where column_of would look for a field."""
    for name in (field, field.replace(".", "_")):
        if name in frame.columns:
            return (name,)
    return (field.split(".", maxsplit=1)[0], "metadata")
