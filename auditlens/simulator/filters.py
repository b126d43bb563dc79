"""The filter and sort grammar of the current endpoint, over decoded records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["FilterError", "Predicate", "SortOrder", "parse_filter", "parse_sort"]

Predicate = Callable[[Mapping[str, Any]], bool]
DEPTH = 20


class FilterError(ValueError):
    """The text is no filter or sort; the message is the answer's ``detail``."""


class SortOrder(msgspec.Struct, forbid_unknown_fields=True):
    """One sort: ``field``, ``order`` (asc or desc), and what breaks ties."""

    field: str
    order: str = "desc"
    tie_breaker: SortOrder | None = None

    def keys(self) -> list[tuple[str, bool]]:
        """Fields with whether they are descending, first things first."""
        rest = self.tie_breaker.keys() if self.tie_breaker else []
        return [(self.field, self.order == "desc"), *rest]


def parse_filter(text: str) -> Predicate:
    """Read a filter: leaves of ``exact``, ``contains``, ``in``, ``is_set`` under and, or, not.

    Raises FilterError for anything else.
    """
    try:
        return predicate(msgspec.json.decode(text.encode()), DEPTH)
    except msgspec.DecodeError as error:
        raise FilterError(f"filter: {error}") from None


def predicate(node: Any, depth: int) -> Predicate:
    if not isinstance(node, dict) or depth == 0:
        raise FilterError("filter: expected an object with an operator")
    operator = node.get("operator")
    if operator in ("and", "or", "not"):
        operands = node.get("operands")
        if not isinstance(operands, list):
            raise FilterError(f"filter: '{operator}' needs a list of operands")
        return logical(operator, [predicate(part, depth - 1) for part in operands])
    name = node.get("field")
    if operator not in LEAVES or not isinstance(name, str):
        raise FilterError(f"filter: no operator is called {operator!r}")
    return leaf(LEAVES[operator], name, node.get("value"))


def logical(operator: str, parts: list[Predicate]) -> Predicate:
    if operator == "and":
        return lambda record: all(part(record) for part in parts)
    if operator == "or":
        return lambda record: any(part(record) for part in parts)
    return lambda record: not any(part(record) for part in parts)


def leaf(test: Callable[[Any, Any], bool], name: str, value: Any) -> Predicate:
    path = name.split(".")
    return lambda record: test(walk(record, path), value)


def walk(record: Mapping[str, Any], path: list[str]) -> Any:
    found: Any = record
    for part in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def contains(found: Any, value: Any) -> bool:
    if isinstance(found, list):
        return value in found
    return isinstance(found, str) and str(value).lower() in found.lower()


def is_set(found: Any, value: Any) -> bool:
    return (found is not None) == (value is not False)


LEAVES: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda found, value: bool(found == value),
    "contains": contains,
    "in": lambda found, value: isinstance(value, list) and found in value,
    "is_set": is_set,
}


def parse_sort(text: str) -> SortOrder:
    """Read a sort. Raises FilterError when it is none."""
    try:
        return msgspec.json.decode(text.encode(), type=SortOrder)
    except msgspec.MsgspecError as error:
        raise FilterError(f"sort: {error}") from None
