"""Evaluates condition trees on chosen rows of a frame; caches the answer of each leaf.

Of an ``and``, the cheapest test comes first and each further one looks only at the rows that are
left; of an ``or``, only at those not yet found.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from ipaddress import IPv4Network, ip_address, ip_network
from time import perf_counter

import numpy as np
import polars as pl

from auditlens.rules.condition import (
    And,
    Bound,
    Exists,
    Flag,
    Keyword,
    Leaf,
    Match,
    Moment,
    Network,
    Node,
    Not,
    Null,
    Number,
    Or,
    Pattern,
    Reference,
    Text,
    Value,
    Wild,
    leaves,
    rust_regex,
)
from auditlens.rules.dictionary import DictColumn, Mask, Rows, column_of, encode, fold_word
from auditlens.rules.logsource import EVENT_MARKS

__all__ = ["Matcher", "OverBudget"]

KEYWORD_COLUMNS = ("content", "summary", "subject", "resource_title", "metadata")
"""Where keywords are searched in the event table; in other frames, every text column."""

BATCH_FROM = 8
"""So many plain texts are tried in one go; fewer are tried one by one, for other rules to reuse."""


@dataclass
class Matcher:
    """A frame with its encoded columns and the answers of leaves so far, for one pass."""

    frame: pl.DataFrame
    timezone: str = "UTC"
    deadline: float = math.inf
    encoded_columns: dict[str, DictColumn | None] = field(default_factory=dict)
    answers: dict[tuple[str, object], Mask] = field(default_factory=dict)
    leaf_masks: dict[Leaf, Mask] = field(default_factory=dict)

    def encoded(self, name: str) -> DictColumn | None:
        """Return a field's encoded column, or None when the frame has no such field."""
        if name not in self.encoded_columns:
            column = column_of(self.frame, name)
            self.encoded_columns[name] = None if column is None else encode(column)
        return self.encoded_columns[name]

    def mask(self, node: Node, rows: Rows) -> Mask:
        """Say for each of ``rows`` whether the tree holds."""
        if isinstance(node, Not):
            return ~self.mask(node.child, rows)
        if isinstance(node, And):
            mask = np.ones(len(rows), dtype=np.bool_)
            for child in sorted(node.children, key=self.cost):
                mask[mask] = self.mask(child, rows[mask])
                if not mask.any():
                    break
            return mask
        if isinstance(node, Or):
            mask = np.zeros(len(rows), dtype=np.bool_)
            groups, rest = group_texts(node.children)
            for name, texts in groups:
                mask[~mask] = self.any_text(name, texts, rows[~mask])
            for child in sorted(rest, key=self.cost):
                mask[~mask] = self.mask(child, rows[~mask])
            return mask
        return self.leaf(node, rows)

    def cached_mask(self, node: Node, within: Mask) -> Mask:
        """Say for each row whether it is ``within`` and the tree holds; answers are kept."""
        if isinstance(node, Not):
            return within & ~self.cached_mask(node.child, within)
        if isinstance(node, And):
            for child in sorted(node.children, key=self.cost):
                if not within.any():
                    break
                within = self.cached_mask(child, within)
            return within
        if isinstance(node, Or):
            groups, rest = group_texts(node.children)
            masks = [self.any_text(name, texts, self.every_row) for name, texts in groups]
            masks += [self.cached_mask(child, within) for child in rest]
            return within & reduce(np.logical_or, masks)
        if node not in self.leaf_masks:
            self.leaf_masks[node] = self.leaf(node, self.every_row)
        return within & self.leaf_masks[node]

    @cached_property
    def every_row(self) -> Rows:
        return np.arange(self.frame.height)

    @cached_property
    def all_true(self) -> Mask:
        return np.ones(self.frame.height, dtype=np.bool_)

    def cost(self, node: Node) -> int:
        """Rank a test by how many values it must look at, reading no new column for that."""
        total = 0
        for leaf in leaves(node):
            if isinstance(leaf, Keyword):
                total += 5 * self.frame.height
            elif leaf.field not in self.encoded_columns:
                total += self.frame.height
            elif encoded := self.encoded_columns[leaf.field]:
                total += len(encoded.values)
        return total

    def leaf(self, leaf: Leaf, rows: Rows) -> Mask:
        if isinstance(leaf, Keyword):
            return self.keyword(leaf, rows)
        value = leaf.value
        if isinstance(value, Reference):
            return self.reference(leaf.field, value, rows)
        encoded = self.encoded(leaf.field)
        if isinstance(value, Null | Exists):
            wanted = isinstance(value, Null) or not value.present
            if encoded is None:
                return np.full(len(rows), wanted)
            return encoded.nulls[rows] if wanted else ~encoded.nulls[rows]
        if encoded is None:
            return np.zeros(len(rows), dtype=np.bool_)
        key = (leaf.field, value)
        if key not in self.answers:
            self.answers[key] = value_mask(encoded, value, self.timezone, self.deadline)
        return encoded.decode_mask(self.answers[key], rows)

    def any_text(self, name: str, texts: Sequence[Text], rows: Rows) -> Mask:
        encoded = self.encoded(name)
        if encoded is None:
            return np.zeros(len(rows), dtype=np.bool_)
        key = (name, tuple(texts))
        if key not in self.answers:
            self.answers[key] = any_text_mask(encoded, texts)
        return encoded.decode_mask(self.answers[key], rows)

    def keyword(self, leaf: Keyword, rows: Rows) -> Mask:
        mask = np.zeros(len(rows), dtype=np.bool_)
        for name in self.keyword_columns:
            encoded = self.encoded(name)
            assert encoded is not None
            key = (name, leaf)
            if key not in self.answers:
                self.answers[key] = keyword_mask(encoded, leaf, self.timezone, self.deadline)
            mask |= encoded.decode_mask(self.answers[key], rows)
        return mask

    @property
    def keyword_columns(self) -> tuple[str, ...]:
        texts = (pl.String, pl.List(pl.String), pl.Categorical)
        return searched_columns({name: one in texts for name, one in self.frame.schema.items()})

    def reference(self, name: str, value: Reference, rows: Rows) -> Mask:
        """Compare two fields of the same event as text, without regard to case."""
        left, right = self.encoded(name), self.encoded(value.field)
        if left is None or right is None:
            return np.zeros(len(rows), dtype=np.bool_)
        pairs = member_texts(left, rows, "left").join(member_texts(right, rows, "right"), on="row")
        a, b = pl.col("left"), pl.col("right")
        tests = {
            "equals": a == b,
            "startswith": a.str.starts_with(b),
            "endswith": a.str.ends_with(b),
            "contains": a.str.contains(b, literal=True),
        }
        rows_found = pairs.filter(tests[value.how]).get_column("row").to_numpy()
        mask = np.zeros(len(rows), dtype=np.bool_)
        mask[rows_found] = True
        return mask


def searched_columns(columns: Mapping[str, bool]) -> tuple[str, ...]:
    """Say where keywords are searched, given each column's name and whether it holds text."""
    if columns.keys() >= EVENT_MARKS:
        return tuple(name for name in KEYWORD_COLUMNS if columns.get(name))
    return tuple(name for name, is_text in columns.items() if is_text)


def member_texts(encoded: DictColumn, rows: Rows, name: str) -> pl.DataFrame:
    """Return (position in ``rows``, folded text), one line for each value a row holds."""
    if encoded.members is None:
        frame = pl.DataFrame({"row": np.arange(len(rows)), "code": encoded.codes[rows]})
    else:
        place = pl.DataFrame({"at": rows, "row": np.arange(len(rows))})
        members = pl.DataFrame({"at": encoded.members, "code": encoded.codes})
        frame = members.join(place, on="at").select("row", "code")
    frame = frame.filter(pl.col("code") < len(encoded.values))
    return frame.select("row", encoded.folded.gather(frame.get_column("code")).alias(name))


def group_texts(children: Sequence[Node]) -> tuple[list[tuple[str, list[Text]]], list[Node]]:
    """Put plain texts of one field and one form together; return them and the other children."""
    groups: dict[tuple[str, bool], list[Text]] = {}
    rest: list[Node] = []
    if len(children) <= BATCH_FROM:
        return [], list(children)
    for child in children:
        form = simple_form(child)
        if form is None:
            rest.append(child)
        else:
            assert isinstance(child, Match)
            assert isinstance(child.value, Text)
            groups.setdefault((child.field, form), []).append(child.value)
    merged: list[tuple[str, list[Text]]] = []
    for (name, _), texts in groups.items():
        if len(texts) > BATCH_FROM:
            merged.append((name, texts))
        else:
            rest.extend(Match(name, text) for text in texts)
    return merged, rest


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


PIECE = 65_536
"""So many values are searched for a pattern between two looks at the clock."""


class OverBudget(Exception):
    """A rule's patterns took longer than its time budget allows."""


def value_mask(
    encoded: DictColumn, value: Value, timezone: str, deadline: float = math.inf
) -> Mask:
    """Test every distinct value of a column; one answer a value, and False for null at the end.

    Raises OverBudget when patterns are not done at ``deadline`` (as of perf_counter).
    """
    match value:
        case Text():
            answers = text_test(encoded, value)
        case Number():
            answers = number_test(encoded, value.value)
        case Flag():
            answers = encoded.folded == ("true" if value.value else "false")
        case Pattern():
            answers = pattern_test(encoded.text, value, deadline)
        case Network():
            answers = network_test(encoded.text, value.cidr)
        case Bound():
            answers = bound_test(encoded.values, value.op, value.value)
        case Moment():
            answers = moment_test(encoded.values, value, timezone)
        case _:
            raise TypeError(value)
    return two_valued(answers)


def pattern_test(text: pl.Series, pattern: Pattern, deadline: float) -> pl.Series:
    """Search a pattern piece by piece, looking at the clock in between."""
    regex = rust_regex(pattern.regex, pattern.flags)
    pieces = []
    for start in range(0, max(1, len(text)), PIECE):
        if perf_counter() > deadline:
            raise OverBudget
        pieces.append(text.slice(start, PIECE).str.contains(regex))
    return pl.concat(pieces)


def any_text_mask(encoded: DictColumn, texts: Sequence[Text]) -> Mask:
    """Test many plain texts of one form at once: all equal to, or all contained in, a value."""
    words = [fold_word(plain_word(text)) for text in texts]
    if isinstance(texts[0].parts[0] if texts[0].parts else "", Wild):
        answers = encoded.folded.str.contains_any(words)
    else:
        answers = encoded.folded.is_in(words)
    return two_valued(answers)


def two_valued(answers: pl.Series) -> Mask:
    """Return the answers with null as False, and False for the null at the end."""
    if answers.null_count():
        answers = answers.fill_null(False)
    return np.append(answers.to_numpy(), False)


def plain_word(text: Text) -> str:
    return "".join(part for part in text.parts if isinstance(part, str))


def keyword_mask(
    encoded: DictColumn, keyword: Keyword, timezone: str, deadline: float = math.inf
) -> Mask:
    """Test for a keyword, which may stand anywhere in the value."""
    value = keyword.value
    if isinstance(value, Number | Flag):
        word = str(value.value).lower()
        value = Text((word,))
    if isinstance(value, Text):
        parts = list(value.parts)
        if not parts or parts[0] is not Wild.MANY:
            parts.insert(0, Wild.MANY)
        if parts[-1] is not Wild.MANY:
            parts.append(Wild.MANY)
        value = Text(tuple(parts), value.cased)
    return value_mask(encoded, value, timezone, deadline)


def text_test(encoded: DictColumn, text: Text) -> pl.Series:
    """Compare with a text: literal forms first, a pattern for wildcards inside."""
    series = encoded.text if text.cased else encoded.folded
    parts = text.parts

    def same(word: str) -> str:
        return word if text.cased else fold_word(word)

    match parts:
        case ():
            return series == ""
        case (str(word),):
            return series == same(word)
        case (Wild.MANY,):
            return series.is_not_null()
        case (Wild.MANY, str(word)):
            return series.str.ends_with(same(word))
        case (str(word), Wild.MANY):
            return series.str.starts_with(same(word))
        case (Wild.MANY, str(word), Wild.MANY):
            return series.str.contains(same(word), literal=True)
    folded = tuple(same(part) if isinstance(part, str) else part for part in parts)
    return series.str.contains(wildcard_regex(folded))


def wildcard_regex(parts: Sequence[str | Wild]) -> str:
    """Write a text with wildcards as a pattern for the whole value, newlines included."""
    signs = {Wild.MANY: ".*", Wild.ONE: "."}
    inner = "".join(
        re.sub(r"([\\.+*?()|\[\]{}^$#&~-])", r"\\\1", part)
        if isinstance(part, str)
        else signs[part]
        for part in parts
    )
    return rf"(?s)\A{inner}\z"


def number_test(encoded: DictColumn, number: float) -> pl.Series:
    dtype = encoded.values.dtype
    if dtype.is_numeric():
        return encoded.values == number
    return encoded.folded == str(number)


OPERATORS: dict[str, Callable[[pl.Series, float], pl.Series]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def bound_test(values: pl.Series, op: str, number: float) -> pl.Series:
    """Compare by value; a text that is no number never holds."""
    compare = OPERATORS[op]
    if values.dtype.is_numeric():
        return compare(values, number)
    if values.dtype != pl.String:
        return pl.Series([False]).new_from_index(0, len(values))
    whole = values.cast(pl.Int64, strict=False)
    real = values.cast(pl.Float64, strict=False)
    real = real.set(~real.is_finite().fill_null(False), None)
    if isinstance(number, int) and abs(number) < 2**63:
        return compare(whole, number).fill_null(compare(real, float(number)))
    return compare(real, float(number))


def moment_test(values: pl.Series, moment: Moment, timezone: str) -> pl.Series:
    """Compare a part of a time in the run's zone; what is no time never holds."""
    times = as_times(values)
    if times is None:
        return pl.Series([False]).new_from_index(0, len(values))
    local = times.dt.convert_time_zone(timezone)
    part: pl.Series = getattr(local.dt, moment.part)()
    return OPERATORS[moment.op](part.cast(pl.Int64), moment.value)


def as_times(values: pl.Series) -> pl.Series | None:
    """Read values as instants in UTC: datetimes, dates, or texts in ISO 8601."""
    if isinstance(values.dtype, pl.Datetime):
        aware = values.dtype.time_zone
        return values.dt.convert_time_zone("UTC") if aware else values.dt.replace_time_zone("UTC")
    if values.dtype == pl.Date:
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if values.dtype != pl.String:
        return None
    pattern = (
        r"\A(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?\s*(Z|[+-]\d\d:?\d\d)?)?\z"
    )
    parts = values.str.extract_groups(pattern).struct.unnest()
    day, clock, fraction, zone = (parts.to_series(n) for n in range(4))
    clock = clock.fill_null("00:00")
    clock = clock.zip_with(clock.str.len_bytes() > 5, clock + ":00")
    zone = zone.fill_null("Z").replace("Z", "+0000").str.replace_all(":", "", literal=True)
    text = day + "T" + clock + fraction.fill_null(".0") + zone
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False,
                                time_zone="UTC")  # fmt: skip


def network_test(text: pl.Series, cidr: str) -> pl.Series:
    """Test addresses by number: IPv4 over the whole column, IPv6 over its distinct texts."""
    network = ip_network(cidr)
    if isinstance(network, IPv4Network):
        octet = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
        groups = text.str.extract_groups(rf"\A{octet}\.{octet}\.{octet}\.{octet}\z").struct.unnest()
        number = pl.Series(np.zeros(len(text), dtype=np.int64))
        for column in groups.iter_columns():
            number = number * 256 + column.cast(pl.Int64, strict=False)
        first, last = int(network.network_address), int(network.broadcast_address)
        return (number >= first) & (number <= last)
    inside = []
    for one in text.filter(text.str.contains(":", literal=True).fill_null(False)).unique():
        try:
            if ip_address(one) in network:
                inside.append(one)
        except ValueError:
            continue
    return text.is_in(inside)
