"""One test over a vocabulary: which of its values hold. Two-valued: null never holds."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, ip_address, ip_network
from time import perf_counter

import numpy as np
import polars as pl

from auditlens.rules.condition import (
    Bound,
    Flag,
    Keyword,
    Moment,
    Network,
    Number,
    Pattern,
    Text,
    Value,
    Wild,
)
from auditlens.rules.regex import rust_regex
from auditlens.rules.vocabulary import Mask, Vocabulary, fold_word

__all__ = ["OverBudget", "holds", "holds_any", "keyword_holds", "wildcard_regex"]

PIECE = 65_536
"""So many values are searched for a pattern between two looks at the clock."""


class OverBudget(Exception):
    """A rule's patterns took longer than its time budget allows."""


def holds(vocabulary: Vocabulary, value: Value, timezone: str, deadline: float = math.inf) -> Mask:
    """Test every value of the vocabulary; one answer a value, and False for null at the end.

    Raises OverBudget when patterns are not done at ``deadline`` (as of perf_counter).
    """
    match value:
        case Text():
            found = text_test(vocabulary, value)
        case Number():
            found = number_test(vocabulary, value.value)
        case Flag():
            found = vocabulary.folded == ("true" if value.value else "false")
        case Pattern():
            found = pattern_test(vocabulary.text, value, deadline)
        case Network():
            found = network_test(vocabulary.text, value.cidr)
        case Bound():
            found = bound_test(vocabulary.values, value.op, value.value)
        case Moment():
            found = moment_test(vocabulary.values, value, timezone)
        case _:
            raise TypeError(value)
    return answers(found)


def pattern_test(text: pl.Series, pattern: Pattern, deadline: float) -> pl.Series:
    """Search a pattern piece by piece, looking at the clock in between."""
    regex = rust_regex(pattern.regex, pattern.flags)
    pieces = []
    for start in range(0, max(1, len(text)), PIECE):
        if perf_counter() > deadline:
            raise OverBudget
        pieces.append(text.slice(start, PIECE).str.contains(regex))
    return pl.concat(pieces)


def holds_any(vocabulary: Vocabulary, texts: Sequence[Text]) -> Mask:
    """Test many plain texts of one form at once: all equal to, or all contained in, a value."""
    words = [fold_word(plain_word(text)) for text in texts]
    if isinstance(texts[0].parts[0] if texts[0].parts else "", Wild):
        found = vocabulary.folded.str.contains_any(words)
    else:
        found = vocabulary.folded.is_in(words)
    return answers(found)


def answers(found: pl.Series) -> Mask:
    """Return the answers with null as False, and False for the null at the end."""
    if found.null_count():
        found = found.fill_null(False)
    return np.append(found.to_numpy(), False)


def plain_word(text: Text) -> str:
    return "".join(part for part in text.parts if isinstance(part, str))


def keyword_holds(
    vocabulary: Vocabulary, keyword: Keyword, timezone: str, deadline: float = math.inf
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
    return holds(vocabulary, value, timezone, deadline)


def text_test(vocabulary: Vocabulary, text: Text) -> pl.Series:
    """Compare with a text: literal forms first, a pattern for wildcards inside."""
    series = vocabulary.text if text.cased else vocabulary.folded
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


def number_test(vocabulary: Vocabulary, number: float) -> pl.Series:
    dtype = vocabulary.values.dtype
    if dtype.is_numeric():
        return vocabulary.values == number
    return vocabulary.folded == str(number)


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
