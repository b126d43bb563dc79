"""The ``detection:`` and ``filter:`` blocks: selections and condition, to a condition tree.

pySigma parses; what has no translation is refused with its place, never ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from auditlens.errors import DocumentError
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
    check_regex,
    join,
)
from auditlens.yaml_documents import Document

__all__ = [
    "Refused",
    "condition_faults",
    "condition_tree",
    "faulty_items",
    "items",
    "selection_faults",
]

MAX_NODES = 20_000
MAX_TREE_DEPTH = 64
LARGEST = 2**53
FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
SCALARS = (str, int, float, bool, type(None))


def selection_faults(document: Document, block: str) -> Iterator[DocumentError]:
    """Yield what pySigma would read in silence: empty lists, mappings inside mappings."""
    detection = document.data[block]
    if not isinstance(detection, dict):
        yield document.error(f"'{block}' must be a mapping", block)
        return
    condition = detection.get("condition")
    listed = condition if isinstance(condition, list) else [condition]
    if not listed or not all(isinstance(one, str) and one.strip() for one in listed):
        yield document.error("a condition is needed, as text", block, "condition")
    for name, selection in detection.items():
        if name in ("condition", "rules"):
            continue
        if name == "timeframe":
            yield document.error(
                "'timeframe' is Sigma's old aggregation, which no longer runs",
                block, name, fix="Write a correlation rule with 'timespan'",
            )  # fmt: skip
            continue
        if selection in ({}, []):
            yield document.error(f"the selection '{name}' is empty", block, name)
        for where, key, value in items(selection, (block, name)):
            try:
                check_item(document, where, key, value)
            except DocumentError as error:
                yield error


def items(
    selection: Any, where: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str | None, Any]]:
    """Yield every test of a selection: its place, its key (None = keyword), its value."""
    if isinstance(selection, dict):
        for key, value in selection.items():
            yield (*where, key), key, value
    elif isinstance(selection, list):
        if all(isinstance(one, SCALARS) for one in selection):
            yield where, None, selection
            return
        for position, one in enumerate(selection):
            yield from items(one, (*where, position))
    else:
        yield where, None, selection


def check_item(
    document: Document, where: tuple[str | int, ...], key: str | None, value: Any
) -> None:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise document.error("a list of values is empty", *where, fix="Give a value, or null")
    if not all(isinstance(one, SCALARS) for one in values):
        raise document.error("a value is a text, a number, a boolean, null or a list of these",
                             *where)  # fmt: skip
    if any(isinstance(one, int | float) and abs(one) > LARGEST for one in values):
        raise document.error("a number beyond 2^53 would lose digits", *where, fix="Quote it")
    if any(isinstance(one, float) and math.isnan(one) for one in values):
        raise document.error("the value .nan is not a number", *where, fix="Quote it")
    check_pattern(document, where, (key or "").split("|")[1:], values)
    if key is None and any(one is None or one == "" for one in values):
        raise document.error("a keyword cannot be empty", *where)


def check_pattern(
    document: Document, where: tuple[str | int, ...], modifiers: list[str], values: list[Any]
) -> None:
    """Try a pattern in the engine that will run it, before pySigma tries it in another."""
    if "re" not in modifiers:
        return
    flags = "".join(sorted({FLAGS[one] for one in modifiers if one in FLAGS}))
    for value in values:
        if not isinstance(value, str):
            raise document.error("a pattern of 're' is a text", *where, fix="Put it in quotes")
        if problem := check_regex(value, flags):
            raise document.error(problem, *where)


def faulty_items(
    document: Document, block: str, placeholders: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[tuple[str | int, ...], Exception]]:
    """Yield the place of every test that cannot be read by itself, and why."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetectionItem

    walk = Translation(placeholders)
    for name, selection in document.data[block].items():
        if name in ("condition", "rules"):
            continue
        for where, key, value in items(selection, (block, name)):
            try:
                item = SigmaDetectionItem.from_mapping(key, value)
                for one in item.value:
                    walk.match(item.field, one) if item.field else walk.keyword(one)
            except (SigmaError, Refused) as error:
                yield where, error


def condition_faults(document: Document, block: str) -> Iterator[DocumentError]:
    """Yield what is wrong with the condition itself, whatever its selections hold."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetections

    detection = document.data[block]
    if not isinstance(detection, dict):
        return
    condition = detection.get("condition")
    names = [name for name in detection if name not in ("condition", "rules", "timeframe")]
    stand_ins = {name: {"field": "value"} for name in names}
    for one in condition if isinstance(condition, list) else [condition]:
        if not isinstance(one, str) or not one.strip():
            continue
        try:
            for parsed in SigmaDetections.from_dict(
                {**stand_ins, "condition": one}
            ).parsed_condition:
                _ = parsed.parsed
        except SigmaError as error:
            found = condition_words(one, [str(name) for name in names])
            message, fix = found or (" ".join(str(error).split()), "")
            yield document.error(message, block, "condition", fix=fix)


def condition_words(condition: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Say what is wrong with a condition that does not parse, and what would be right."""
    if "|" in condition:
        return "'|' is Sigma's old aggregation, which no longer runs", "Write a correlation rule"
    words = re.findall(r"[()]|[^\s()]+", condition)
    depth, wants_selection = 0, True
    while words:
        word = words.pop(0)
        if wants_selection and word in ("(", "not"):
            depth += word == "("
        elif wants_selection:
            if words[:1] == ["of"]:
                word, words = " ".join([word, *words[:2]]), words[2:]
            if fault := selection_fault(word, names):
                return fault
            wants_selection = False
        elif word == ")" and depth:
            depth -= 1
        elif word in ("and", "or"):
            wants_selection = True
        else:
            return operator_fault(word)
    if wants_selection:
        return "the condition ends where a selection belongs", listed(names)
    return ("the condition does not close every parenthesis", "Add ')'") if depth else None


def operator_fault(word: str) -> tuple[str, str]:
    if word == ")":
        return "the condition closes a parenthesis that was not opened", "Take ')' out"
    near = get_close_matches(word.lower(), ("and", "or"), n=1)
    fix = f"Did you mean '{near[0]}'?" if near else "Join selections by 'and' or 'or'"
    return f"the condition has '{word}' where 'and' or 'or' belongs", fix


def selection_fault(word: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Say why a name, or ``1 of PATTERN``, selects nothing; None when it does."""
    if word in (")", "and", "or"):
        return f"the condition has '{word}' where a selection belongs", listed(names)
    quantity, of, pattern = word.partition(" of")
    if of:
        if quantity not in ("1", "any", "all"):
            return f"'{quantity} of' is not supported", "Write '1 of' or 'all of'"
        pattern = pattern.strip()
        if pattern != "them" and not any(fnmatchcase(name, pattern) for name in names):
            return f"no selection is called '{pattern}'", listed(names)
        return None
    if word in names:
        return None
    near = get_close_matches(word, names, n=1)
    fix = f"Did you mean '{near[0]}'?" if near else listed(names)
    return f"the condition names '{word}', which is not a selection here", fix


def listed(names: Sequence[str]) -> str:
    return f"Selections here: {', '.join(names)}" if names else "Write a selection first"


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
