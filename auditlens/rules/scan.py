"""A frame under test: tries a condition on chosen rows, and remembers what it learnt.

Of an ``and``, the cheapest test comes first and each further one looks only at the rows that are
left; of an ``or``, only at those not yet found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

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
from auditlens.rules.logsource import EVENT_MARKS
from auditlens.rules.vocabulary import Mask, Rows, Vocabulary, column_of, encode

__all__ = ["KEYWORD_COLUMNS", "Scan", "keyword_places"]

KEYWORD_COLUMNS = ("content", "summary", "subject", "resource_title", "metadata")
"""Where keywords are searched in the event table; in other frames, every text column."""

ALIKE_FROM = 8
"""So many plain texts are tried in one go; fewer are tried one by one, for other rules to reuse."""


@dataclass
class Scan:
    """A frame and what has been learnt about its columns, for the length of one pass."""

    frame: pl.DataFrame
    timezone: str = "UTC"
    deadline: float = math.inf
    vocabularies: dict[str, Vocabulary | None] = field(default_factory=dict)
    answers: dict[tuple[str, object], Mask] = field(default_factory=dict)
    everywhere: dict[Leaf, Mask] = field(default_factory=dict)

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
                if not held.any():
                    break
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

    def whole(self, node: Node, within: Mask) -> Mask:
        """Say for each row whether it is ``within`` and the tree holds; answers are kept."""
        if isinstance(node, Not):
            return within & ~self.whole(node.child, within)
        if isinstance(node, And):
            for child in sorted(node.children, key=self.cost):
                if not within.any():
                    break
                within = self.whole(child, within)
            return within
        if isinstance(node, Or):
            groups, others = alike(node.children)
            held = [self.any_text(name, texts, self.every_row) for name, texts in groups]
            held += [self.whole(child, within) for child in others]
            return within & reduce(np.logical_or, held)
        if node not in self.everywhere:
            self.everywhere[node] = self.leaf(node, self.every_row)
        return within & self.everywhere[node]

    @cached_property
    def every_row(self) -> Rows:
        return np.arange(self.frame.height)

    @cached_property
    def always(self) -> Mask:
        return np.ones(self.frame.height, dtype=np.bool_)

    def cost(self, node: Node) -> int:
        """Rank a test by how many values it must look at, reading no new column for that."""
        total = 0
        for leaf in leaves(node):
            if isinstance(leaf, Keyword):
                total += 5 * self.frame.height
            elif leaf.field not in self.vocabularies:
                total += self.frame.height
            elif vocabulary := self.vocabularies[leaf.field]:
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
            self.answers[key] = holds(vocabulary, value, self.timezone, self.deadline)
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
                self.answers[key] = keyword_holds(vocabulary, leaf, self.timezone, self.deadline)
            held |= vocabulary.spread(self.answers[key], rows)
        return held

    @property
    def keyword_columns(self) -> tuple[str, ...]:
        texts = (pl.String, pl.List(pl.String), pl.Categorical)
        return keyword_places({name: one in texts for name, one in self.frame.schema.items()})

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


def keyword_places(columns: Mapping[str, bool]) -> tuple[str, ...]:
    """Say where keywords are searched, given each column's name and whether it holds text."""
    if columns.keys() >= EVENT_MARKS:
        return tuple(name for name in KEYWORD_COLUMNS if columns.get(name))
    return tuple(name for name, is_text in columns.items() if is_text)


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
    if len(children) <= ALIKE_FROM:
        return [], list(children)
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
        if len(texts) > ALIKE_FROM:
            merged.append((name, texts))
        else:
            others.extend(Match(name, text) for text in texts)
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
