"""One pass of all rules over a frame.

Most rules can be true only for a few kinds of event. The rows are first put in order of their
kind (one or two columns with few values); a rule is then tried only on the kinds for which it
can hold, text columns are read only there, and each further test of an ``and`` only where the
earlier ones held. So a hundred rules cost little more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import polars as pl

from auditlens.rules.compare import holds, holds_any, keyword_holds
from auditlens.rules.condition import (
    And,
    Exists,
    Keyword,
    Leaf,
    Match,
    Node,
    Not,
    Null,
    Or,
    Reference,
    Text,
    Wild,
    leaves,
)
from auditlens.rules.rule import Detection, Rule, RuleSet
from auditlens.rules.vocabulary import Mask, Rows, Vocabulary, column_of, encode

__all__ = ["KEYWORD_COLUMNS", "Hits", "Scan", "match_frame", "scan_rules"]

KEYWORD_COLUMNS = ("content", "summary", "subject", "resource_title", "metadata")
"""Where keywords are searched in the event table; in other frames, every text column."""

KIND_COLUMNS = 2
KIND_VALUES = 4096


@dataclass(frozen=True)
class Hits:
    """Rows a detection matched, rising; how many rows were tried; seconds it took."""

    rows: Rows
    examined: int
    seconds: float
    missing: tuple[str, ...] = ()


@dataclass
class Scan:
    """A frame and what has been learnt about its columns, for the length of one pass."""

    frame: pl.DataFrame
    timezone: str = "UTC"
    vocabularies: dict[str, Vocabulary | None] = field(default_factory=dict)
    answers: dict[tuple[str, object], Mask] = field(default_factory=dict)

    def vocabulary(self, name: str) -> Vocabulary | None:
        """Return a field's vocabulary, or None when the frame has no such field."""
        if name not in self.vocabularies:
            column = column_of(self.frame, name)
            self.vocabularies[name] = None if column is None else encode(column)
        return self.vocabularies[name]

    def mask(self, node: Node, rows: Rows) -> Mask:
        """Say for each of ``rows`` whether the tree holds."""
        if isinstance(node, Not):
            return ~self.mask(node.child, rows)
        if isinstance(node, And):
            held = np.ones(len(rows), dtype=np.bool_)
            for child in sorted(node.children, key=self.cost):
                held[held] = self.mask(child, rows[held])
            return held
        if isinstance(node, Or):
            held = np.zeros(len(rows), dtype=np.bool_)
            groups, others = alike(node.children)
            for name, texts in groups:
                held[~held] = self.any_text(name, texts, rows[~held])
            for child in sorted(others, key=self.cost):
                held[~held] = self.mask(child, rows[~held])
            return held
        return self.leaf(node, rows)

    def cost(self, node: Node) -> int:
        """Rank a test by how many values it must look at."""
        total = 0
        for leaf in leaves(node):
            if isinstance(leaf, Keyword):
                total += 5 * self.frame.height
            elif vocabulary := self.vocabulary(leaf.field):
                total += len(vocabulary.values)
        return total

    def leaf(self, leaf: Leaf, rows: Rows) -> Mask:
        if isinstance(leaf, Keyword):
            return self.keyword(leaf, rows)
        value = leaf.value
        if isinstance(value, Reference):
            return self.reference(leaf.field, value, rows)
        vocabulary = self.vocabulary(leaf.field)
        if isinstance(value, Null | Exists):
            wanted = isinstance(value, Null) or not value.present
            if vocabulary is None:
                return np.full(len(rows), wanted)
            return vocabulary.nulls[rows] if wanted else ~vocabulary.nulls[rows]
        if vocabulary is None:
            return np.zeros(len(rows), dtype=np.bool_)
        key = (leaf.field, value)
        if key not in self.answers:
            self.answers[key] = holds(vocabulary, value, self.timezone)
        return vocabulary.spread(self.answers[key], rows)

    def any_text(self, name: str, texts: Sequence[Text], rows: Rows) -> Mask:
        vocabulary = self.vocabulary(name)
        if vocabulary is None:
            return np.zeros(len(rows), dtype=np.bool_)
        key = (name, tuple(texts))
        if key not in self.answers:
            self.answers[key] = holds_any(vocabulary, texts)
        return vocabulary.spread(self.answers[key], rows)

    def keyword(self, leaf: Keyword, rows: Rows) -> Mask:
        held = np.zeros(len(rows), dtype=np.bool_)
        for name in self.keyword_columns:
            vocabulary = self.vocabulary(name)
            assert vocabulary is not None
            key = (name, leaf)
            if key not in self.answers:
                self.answers[key] = keyword_holds(vocabulary, leaf, self.timezone)
            held |= vocabulary.spread(self.answers[key], rows)
        return held

    @property
    def keyword_columns(self) -> tuple[str, ...]:
        schema = self.frame.schema
        if "content" in schema and "resource_title" in schema:
            return tuple(name for name in KEYWORD_COLUMNS if name in schema)
        texts = (pl.String, pl.List(pl.String), pl.Categorical)
        return tuple(name for name, dtype in schema.items() if dtype in texts)

    def reference(self, name: str, value: Reference, rows: Rows) -> Mask:
        """Compare two fields of the same event as text, without regard to case."""
        left, right = self.vocabulary(name), self.vocabulary(value.field)
        if left is None or right is None:
            return np.zeros(len(rows), dtype=np.bool_)
        pairs = members(left, rows, "left").join(members(right, rows, "right"), on="row")
        a, b = pl.col("left"), pl.col("right")
        tests = {
            "equals": a == b,
            "startswith": a.str.starts_with(b),
            "endswith": a.str.ends_with(b),
            "contains": a.str.contains(b, literal=True),
        }
        found = pairs.filter(tests[value.how]).get_column("row").to_numpy()
        held = np.zeros(len(rows), dtype=np.bool_)
        held[found] = True
        return held


def members(vocabulary: Vocabulary, rows: Rows, name: str) -> pl.DataFrame:
    """Return (position in ``rows``, folded text), one line for each value a row holds."""
    if vocabulary.members is None:
        frame = pl.DataFrame({"row": np.arange(len(rows)), "code": vocabulary.codes[rows]})
    else:
        place = pl.DataFrame({"at": rows, "row": np.arange(len(rows))})
        held = pl.DataFrame({"at": vocabulary.members, "code": vocabulary.codes})
        frame = held.join(place, on="at").select("row", "code")
    frame = frame.filter(pl.col("code") < len(vocabulary.values))
    return frame.select("row", vocabulary.folded.gather(frame.get_column("code")).alias(name))


def alike(children: Sequence[Node]) -> tuple[list[tuple[str, list[Text]]], list[Node]]:
    """Put plain texts of one field and one form together; return them and the other children."""
    groups: dict[tuple[str, bool], list[Text]] = {}
    others: list[Node] = []
    for child in children:
        form = simple_form(child)
        if form is None:
            others.append(child)
        else:
            assert isinstance(child, Match)
            assert isinstance(child.value, Text)
            groups.setdefault((child.field, form), []).append(child.value)
    merged: list[tuple[str, list[Text]]] = []
    for (name, _), texts in groups.items():
        if len(texts) > 1:
            merged.append((name, texts))
        else:
            others.append(Match(name, texts[0]))
    return merged, others


def simple_form(node: Node) -> bool | None:
    """True for 'contains this word', False for 'equals this word', None for all else."""
    if not isinstance(node, Match) or not isinstance(node.value, Text) or node.value.cased:
        return None
    match node.value.parts:
        case (str(_),):
            return False
        case (Wild.MANY, str(_), Wild.MANY):
            return True
    return None


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


def match_frame(
    rules: RuleSet, frame: pl.DataFrame, *, time: str | None, timezone: str
) -> pl.DataFrame:
    """See RuleSet.match."""
    from auditlens.rules.evaluate import all_hits

    found = all_hits(rules, frame, time=time, timezone=timezone)
    pieces = [
        pl.DataFrame({"rule_id": pl.repeat(rule_id, len(rows), eager=True), "row": rows})
        for rule_id, rows in found.items()
    ]
    empty = pl.DataFrame(schema={"rule_id": pl.String, "row": pl.UInt32})
    row = pl.col("row").cast(pl.UInt32)
    return pl.concat([empty, *(piece.with_columns(row) for piece in pieces)]).sort("rule_id", "row")
