"""From pySigma's objects to our own tree. What has no translation is refused, never ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditlens.rules.condition import (
    And,
    Bound,
    Exists,
    Flag,
    Keyword,
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
)
from auditlens.rules.regex import check_regex

__all__ = ["Refused", "condition_tree"]

MAX_NODES = 20_000
MAX_TREE_DEPTH = 64


class Refused(ValueError):
    """A construct this engine does not run, in words for the rule's author."""


def condition_tree(
    conditions: Sequence[Any], placeholders: Mapping[str, Sequence[str]]
) -> tuple[Node, tuple[str, ...]]:
    """Translate parsed pySigma conditions (joined by Or) into one tree.

    Returns the tree and the sorted names of placeholders it used. Raises Refused for what is
    not supported and for a placeholder without values.
    """
    walk = Translation(placeholders)
    trees = tuple(walk.node(condition.parsed, 0) for condition in conditions)
    return join(Or, trees), tuple(sorted(walk.used))


def join(kind: type[And | Or], children: tuple[Node, ...]) -> Node:
    """Join children, lifting those of the same kind, so that a tree is as flat as it can be."""
    flat: list[Node] = []
    for child in children:
        flat.extend(child.children if isinstance(child, kind) else (child,))
    flat = list(dict.fromkeys(flat))
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


class Translation:
    """One walk over one rule's conditions."""

    def __init__(self, placeholders: Mapping[str, Sequence[str]]) -> None:
        self.placeholders = placeholders
        self.used: set[str] = set()
        self.count = 0

    def node(self, item: Any, depth: int) -> Node:
        from sigma import conditions as sigma

        self.count += 1
        if self.count > MAX_NODES:
            raise Refused(f"the condition has more than {MAX_NODES:,} tests")
        if depth > MAX_TREE_DEPTH:
            raise Refused(f"the condition is nested deeper than {MAX_TREE_DEPTH} levels")
        if isinstance(item, sigma.ConditionFieldEqualsValueExpression):
            return self.match(str(item.field), item.value)
        if isinstance(item, sigma.ConditionValueExpression):
            return self.keyword(item.value)
        if isinstance(item, sigma.ConditionNOT):
            return Not(self.node(item.args[0], depth + 1))
        if isinstance(item, sigma.ConditionAND | sigma.ConditionOR):
            children = tuple(self.node(arg, depth + 1) for arg in item.args)
            return join(And if isinstance(item, sigma.ConditionAND) else Or, children)
        raise Refused("the condition is empty")

    def match(self, field: str, value: Any) -> Node:
        from sigma import types as sigma

        if isinstance(value, sigma.SigmaExpansion):
            return join(Or, tuple(self.match(field, one) for one in value.values))
        if isinstance(value, sigma.SigmaString | sigma.SigmaRegularExpression):
            filled = self.filled(value)
            return join(Or, tuple(Match(field, plain_value(one)) for one in filled))
        return Match(field, plain_value(value))

    def keyword(self, value: Any) -> Node:
        from sigma import types as sigma

        if isinstance(value, sigma.SigmaExpansion):
            return join(Or, tuple(self.keyword(one) for one in value.values))
        if isinstance(value, sigma.SigmaString | sigma.SigmaRegularExpression):
            return join(Or, tuple(keyword_leaf(plain_value(one)) for one in self.filled(value)))
        return keyword_leaf(plain_value(value))

    def filled(self, value: Any) -> list[Any]:
        """Replace the placeholders of a text or pattern by the values given for them."""
        from sigma.types import Placeholder, SigmaCasedString, SigmaString

        text = value if isinstance(value, SigmaString) else value.regexp
        found = [part.name for part in text.s if isinstance(part, Placeholder)]
        if not found:
            return [value]
        for name in found:
            if not self.placeholders.get(name):
                raise Refused(f"the placeholder %{name}% has no values")
        self.used.update(found)

        def values(placeholder: Any) -> Any:
            # A placeholder's values are literal text: no wildcard may enter through settings.
            for one in self.placeholders[placeholder.name]:
                yield literal(one) if text is value else escaped(one)

        filled: list[Any] = value.replace_placeholders(values)
        if isinstance(value, SigmaCasedString):
            # Filling forgets that the text was to be compared exactly.
            filled = [SigmaCasedString.from_sigma_string(one) for one in filled]
        return filled


def literal(text: str) -> Any:
    """Return a pySigma string that holds ``text`` as it is, without wildcards."""
    from sigma.types import SigmaString

    return SigmaString.from_str(text)


def escaped(text: str) -> Any:
    """Return ``text`` with every character that has a meaning in a pattern escaped."""
    import re

    return literal(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text))


def plain_value(value: Any) -> Value:  # noqa: C901 - one case a kind of value
    """Translate one value object of pySigma."""
    from sigma import types as sigma

    match value:
        case sigma.SigmaString():
            return text_value(value)
        case sigma.SigmaTimestampPart():
            return Moment(value.timestamp_part.name.lower(), "eq", value.number)
        case sigma.SigmaNumber():
            return Number(value.number)
        case sigma.SigmaBool():
            return Flag(value.boolean)
        case sigma.SigmaNull():
            return Null()
        case sigma.SigmaExists():
            return Exists(value.exists)
        case sigma.SigmaRegularExpression():
            flags = "".join(sorted(sigma_flag(flag) for flag in value.flags))
            regex = str(value.regexp)
            if problem := check_regex(regex, flags):
                raise Refused(problem)
            return Pattern(regex, flags)
        case sigma.SigmaCIDRExpression():
            return Network(str(value.network))
        case sigma.SigmaFieldReference():
            return Reference(str(value.field), reference_kind(value))
        case sigma.SigmaCompareExpression():
            return bound_value(value)
    raise Refused(f"values of the kind {type(value).__name__} are not supported")


def sigma_flag(flag: Any) -> str:
    return {"IGNORECASE": "i", "MULTILINE": "m", "DOTALL": "s"}[flag.name]


def reference_kind(value: Any) -> str:
    # pySigma reads contains as "starts with" and "ends with" together.
    kinds = {
        (False, False): "equals",
        (True, False): "startswith",
        (False, True): "endswith",
        (True, True): "contains",
    }
    return kinds[bool(value.starts_with), bool(value.ends_with)]


def bound_value(value: Any) -> Bound | Moment:
    """Translate a comparison; around a time part it compares the part, not the time."""
    from sigma.types import SigmaTimestampPart

    op = value.op.name.lower()
    number = value.number
    if isinstance(number, SigmaTimestampPart):
        return Moment(number.timestamp_part.name.lower(), op, number.number)
    return Bound(op, number.number)


def text_value(value: Any) -> Text:
    """Translate a string's parsed parts, never its raw text: escapes are already resolved."""
    from sigma.types import SigmaCasedString, SpecialChars

    parts: list[str | Wild] = []
    for part in value.s:
        if isinstance(part, str):
            if parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part:
                parts.append(part)
        elif part is SpecialChars.WILDCARD_MULTI:
            if not parts or parts[-1] is not Wild.MANY:
                parts.append(Wild.MANY)
        elif part is SpecialChars.WILDCARD_SINGLE:
            parts.append(Wild.ONE)
        else:
            raise Refused(f"the placeholder %{part.name}% has no values")
    return Text(tuple(parts), isinstance(value, SigmaCasedString))


def keyword_leaf(value: Value) -> Keyword:
    if isinstance(value, Text | Number | Flag | Pattern):
        return Keyword(value)
    raise Refused(f"a keyword cannot be a {type(value).__name__.lower()} test")
