"""Rules on any frame Narwhals knows: Polars, DuckDB, PySpark give the same rows.

The portable subset is what all three are known to do alike. ``portability`` says of each rule
whether it lies within; the rest runs on Polars alone. Text is compared in lower case without the
special small sigma; times are read in UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

from auditlens.errors import UsageError
from auditlens.events.columns import EVENT_SCHEMA
from auditlens.rules.compare import OPERATORS, wildcard_regex
from auditlens.rules.condition import (
    And,
    Bound,
    Exists,
    Flag,
    Keyword,
    Leaf,
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
    Wild,
    leaves,
)
from auditlens.rules.networks import network_regex
from auditlens.rules.regex import portable_regex
from auditlens.rules.rule import Correlation, Detection, Rule, RuleSet
from auditlens.rules.scan import keyword_places

__all__ = ["match_portable", "portability"]

PORTABLE = "Polars, DuckDB, PySpark"
EVENT_PRODUCTS = frozenset({"secoda", "aws"})
MOMENTS = frozenset({"minute", "hour", "day", "month", "year"})


def portability(rules: RuleSet | None, rule: Rule) -> str:
    """Say where a rule runs: ``Polars, DuckDB, PySpark``, or ``Polars only: why``."""
    body = rule.body
    if isinstance(body, Detection):
        known = rule.logsource.product in EVENT_PRODUCTS
        limits = (leaf_limit(leaf, known) for leaf in leaves(body.condition))
        reason = next(filter(None, limits), "")
    elif isinstance(body, Correlation):
        reason = correlation_limit(body)
        for ref in body.rules if rules and not reason else ():
            assert rules is not None
            below = portability(rules, rules[ref])
            reason = reason or below.partition("Polars only: ")[2]
    else:
        reason = f"behaviour {body.type}"
    return f"Polars only: {reason}" if reason else PORTABLE


def leaf_limit(leaf: Leaf, known: bool) -> str:
    """Return why a test is not portable, or an empty text.

    ``known`` log sources come as the event table, where a field without a column of its own is
    looked up in ``metadata``; in a frame of another source it is a column.
    """
    if isinstance(leaf, Keyword):
        return ""
    value = leaf.value
    path = leaf.field if known or "." in leaf.field else ""
    if path and path.replace(".", "_") not in EVENT_SCHEMA:
        return f"{path} is a path into metadata"
    if leaf.field == "related_ids":
        return "related_ids is a list"
    if isinstance(value, Reference) and value.how != "equals":
        return f"fieldref with {value.how}"
    if isinstance(value, Network) and not isinstance(ip_network(value.cidr), IPv4Network):
        return "an IPv6 network"
    if isinstance(value, Moment) and value.part not in MOMENTS:
        return f"the {value.part} of a time"
    return ""


def correlation_limit(body: Correlation) -> str:
    if body.type != "event_count" or body.threshold is None:
        return f"correlation {body.type}"
    if body.threshold.op not in ("gte", "gt"):
        return f"event_count with {body.threshold.op}"
    if body.aliases:
        return "aliases"
    return "list of fields in metadata" if any("metadata" in f for f in body.group_by) else ""


def match_portable(rules: RuleSet, frame: Any, *, key: str = "id") -> dict[str, list[str]]:
    """Match every portable rule on a native frame; return the sorted keys of its hits by rule id.

    ``frame`` is a Polars, DuckDB or PySpark frame (or anything Narwhals takes). ``key`` is a
    column that names each row. Hits of a correlation are its anchors. Raises UsageError when the
    set holds a rule that is not portable.
    """
    import narwhals as nw

    table = nw.from_native(frame).lazy()
    found: dict[str, list[str]] = {}
    schema = table.collect_schema()
    for rule in rules.rules:
        where = portability(rules, rule)
        if where == PORTABLE and "metadata" in schema:
            inside = [name for name in rule.fields if column_name(name, schema) is None]
            where = f"Polars only: {inside[0]} is a path into metadata" if inside else where
        if where != PORTABLE:
            raise UsageError(f"The rule {rule.name} is not portable ({where})",
                             fix="Run it on Polars, or leave it out")  # fmt: skip
        if isinstance(rule.body, Detection):
            hits = table.filter(expression(rule.body.condition, schema)).select(key)
        else:
            assert isinstance(rule.body, Correlation)
            hits = counted(rules, rule.body, table, schema, key)
        native = hits.collect().to_native()
        column = nw.from_native(native, eager_only=True).get_column(key)
        found[rule.id] = sorted(str(one) for one in column.to_list())
    return found


def counted(
    rules: RuleSet, body: Correlation, table: Any, schema: Mapping[str, Any], key: str
) -> Any:
    """Find the hits whose n-th hit back, in their group, lies within the time span."""
    from datetime import timedelta

    import narwhals as nw

    assert body.threshold is not None
    needed = math.floor(body.threshold.value) + 1
    if body.threshold.op == "gte":
        needed = math.ceil(body.threshold.value)
    bodies = [rules[ref].body for ref in body.rules]
    condition = Or(tuple(one.condition for one in bodies if isinstance(one, Detection)))
    names = [f"g{n}" for n in range(len(body.group_by))] or ["g"]
    keys = [group_key(name, schema).alias(f"g{n}") for n, name in enumerate(body.group_by)]
    hits = table.filter(expression(condition, schema)).select(
        nw.col(key), nw.col("created_at").alias("t"), *(keys or [nw.lit(0).alias("g")])
    )
    for name in names:
        hits = hits.filter(~nw.col(name).is_null())
    if needed <= 1:
        return hits.select(key)
    back = nw.col("t").shift(needed - 1).over(*names, order_by=["t", key])
    held = (nw.col("t") - back <= timedelta(seconds=body.seconds)).fill_null(False)
    ranked = hits.with_columns(held.cast(nw.Int64).alias("held"))
    # Of hits at the same instant the last one sees them all, and they share its window.
    shared = ranked.with_columns(nw.col("held").max().over(*names, "t").alias("shared"))
    return shared.filter(nw.col("shared") == 1).select(key)


def group_key(field: str, schema: Mapping[str, Any]) -> Any:
    import narwhals as nw

    name = column_name(field, schema)
    return nw.col(name).str.to_lowercase() if name else nw.lit(None).cast(nw.String)


def column_name(field: str, schema: Mapping[str, Any]) -> str | None:
    for name in (field, field.replace(".", "_")):
        if name in schema:
            return name
    return None


def expression(node: Node, schema: Mapping[str, Any]) -> Any:
    """Translate a tree to a Narwhals expression; every leaf is true or false, never null."""
    import narwhals as nw

    if isinstance(node, Not):
        return ~expression(node.child, schema)
    if isinstance(node, And | Or):
        parts = [expression(child, schema) for child in node.children]
        join = nw.all_horizontal if isinstance(node, And) else nw.any_horizontal
        return join(*parts, ignore_nulls=True)
    if isinstance(node, Keyword):
        return keyword(node, schema)
    name = column_name(node.field, schema)
    value = node.value
    if isinstance(value, Null | Exists):
        wanted = isinstance(value, Null) or not value.present
        if name is None:
            return always(schema, wanted)
        return nw.col(name).is_null() if wanted else ~nw.col(name).is_null()
    other = column_name(value.field, schema) if isinstance(value, Reference) else ""
    if name is None or other is None:
        return always(schema, False)
    return leaf(nw.col(name), schema[name], value, schema).fill_null(False)


def always(schema: Mapping[str, Any], answer: bool) -> Any:
    """Answer the same for every row; a bare literal has no rows of its own."""
    import narwhals as nw

    null = nw.col(next(iter(schema))).is_null()
    return null | ~null if answer else null & ~null


def keyword(node: Keyword, schema: Mapping[str, Any]) -> Any:
    import narwhals as nw

    value = node.value
    if isinstance(value, Number | Flag):
        value = Text((str(value.value).lower(),))
    if isinstance(value, Text):
        value = Text((Wild.MANY, *value.parts, Wild.MANY), value.cased)
    columns = keyword_places({name: dtype == nw.String for name, dtype in schema.items()})
    parts = [leaf(nw.col(one), nw.String(), value, schema).fill_null(False) for one in columns]
    return nw.any_horizontal(*parts, ignore_nulls=True) if parts else always(schema, False)


def leaf(column: Any, dtype: Any, value: Any, schema: Mapping[str, Any]) -> Any:
    import narwhals as nw

    text = column if dtype == nw.String else column.cast(nw.String)
    match value:
        case Text():
            return text_expression(text, value)
        case Number():
            if dtype.is_numeric():
                return column == value.value
            return text.str.to_lowercase() == str(value.value)
        case Flag():
            return text.str.to_lowercase() == str(value.value).lower()
        case Pattern():
            return text.str.contains(portable_regex(value.regex, value.flags))
        case Network():
            return text.str.contains(network_regex(value.cidr))
        case Reference():
            other = column_name(value.field, schema) or value.field
            right = nw.col(other)
            right = right if schema[other] == nw.String else right.cast(nw.String)
            return text.str.to_lowercase() == right.str.to_lowercase()
        case Bound():
            return compared(number(column, dtype), value.op, value.value)
        case Moment():
            return compared(getattr(column.dt, value.part)(), value.op, value.value)
    raise TypeError(value)


def number(column: Any, dtype: Any) -> Any:
    """Read a text as a number where it looks like one; elsewhere null."""
    import narwhals as nw

    if dtype.is_numeric():
        return column
    looks = column.str.contains(r"^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$")
    return nw.when(looks).then(column).otherwise(nw.lit(None)).cast(nw.Float64)


def compared(left: Any, op: str, right: float) -> Any:
    return OPERATORS[op](left, right)


def text_expression(column: Any, text: Text) -> Any:
    def same(word: str) -> str:
        return word if text.cased else word.lower()

    series = column if text.cased else column.str.to_lowercase()
    match text.parts:
        case ():
            return series == ""
        case (str(word),):
            return series == same(word)
        case (Wild.MANY,):
            return ~column.is_null()
        case (Wild.MANY, str(word)):
            return series.str.ends_with(same(word))
        case (str(word), Wild.MANY):
            return series.str.starts_with(same(word))
        case (Wild.MANY, str(word), Wild.MANY):
            return series.str.contains(same(word), literal=True)
    folded = tuple(same(part) if isinstance(part, str) else part for part in text.parts)
    return series.str.contains(wildcard_regex(folded))
