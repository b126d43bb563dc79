"""The listing behind an endpoint: which records a request may see, in which order.

With the filter and sort grammar of the current endpoint, over decoded records.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any

import msgspec

__all__ = ["Feed", "FilterError", "Listing", "Predicate", "SortOrder", "parse_filter", "parse_sort"]

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


LEGACY_DAYS = 90
ALWAYS = 999_999_999
NEWEST_FIRST = ("logged_at", "created_at", "updated_at")


class Key(msgspec.Struct):
    """What the legacy parameters look at."""

    created_at: str
    resource_id: Any = None
    sender: Any = None

    @property
    def sender_id(self) -> Any:
        """The id of who acted, null for nobody."""
        return self.sender.get("id") if isinstance(self.sender, dict) else None


@dataclass(frozen=True)
class Listing:
    """One page: the exact records, and how many match in all."""

    records: Sequence[bytes]
    count: int


@dataclass
class Feed:
    """Records of one generation, oldest first, of which the last have yet to arrive.

    The newest visible record's time is the listing's present: ``days`` counts back from it, so that
    an old recording can be served.

    Attributes:
        load: Gives the exact records; called when they are first asked for.
        hidden: How many of the newest have yet to arrive; default: none.
        ceiling: The most records a listing counts and hands out; None: no limit.
        usual_days: Days back that a legacy request sees where it names none; default: 90; None:
            all.
        lock: Held while records arrive.
    """

    load: Callable[[], Sequence[bytes]]
    hidden: int = 0
    ceiling: int | None = None
    usual_days: int | None = LEGACY_DAYS
    lock: Lock = field(default_factory=Lock, repr=False)

    @cached_property
    def records(self) -> Sequence[bytes]:
        """Every record, also those yet to arrive."""
        return self.load()

    @property
    def visible(self) -> int:
        """How many records have arrived."""
        return len(self.records) - self.hidden

    def arrive(self, count: int) -> None:
        """Let the next ``count`` records arrive."""
        with self.lock:
            self.hidden = max(0, self.hidden - count)

    @cached_property
    def keys(self) -> list[Key]:
        """Times, resources and senders of all records, decoded once."""
        decode = msgspec.json.Decoder(Key).decode
        return [decode(record) for record in self.records]

    @cached_property
    def bodies(self) -> list[dict[str, Any]]:
        """All records decoded, for filters."""
        decode = msgspec.json.Decoder().decode
        return [decode(record) for record in self.records]

    def legacy(self, query: Mapping[str, str], page: int, size: int) -> Listing:
        """A page by the legacy parameters: ``days``, ``sender_id``, ``resource_id``."""
        visible = self.visible
        days = whole_number(query, "days", self.usual_days or ALWAYS)
        first = self.first_within(visible, days)
        sender, resource = query.get("sender_id"), query.get("resource_id")
        if sender is None and resource is None:
            return self.cut(None, first, visible, page, size)
        rows = [
            row
            for row in range(first, visible)
            if sender in (None, self.keys[row].sender_id)
            and resource in (None, self.keys[row].resource_id)
        ]
        return self.cut(rows, 0, len(rows), page, size)

    def first_within(self, visible: int, days: int) -> int:
        """Place of the first record of the last ``days`` days."""
        if not visible:
            return 0
        newest = datetime.fromisoformat(self.keys[visible - 1].created_at)
        try:
            since = newest - timedelta(days=days)
        except OverflowError:
            return 0
        stamp = since.isoformat()[:19]
        return bisect_left(self.keys, stamp, hi=visible, key=lambda key: key.created_at[:19])

    def current(self, query: Mapping[str, str], page: int, size: int) -> Listing:
        """A page by the current parameters: ``filter`` and ``sort``."""
        visible = self.visible
        keep = parse_filter(query["filter"]) if query.get("filter") else None
        order = parse_sort(query["sort"]).keys() if query.get("sort") else []
        if keep is None and (not order or (order[0][0] in NEWEST_FIRST and order[0][1])):
            return self.cut(None, 0, visible, page, size)
        rows = [row for row in range(visible) if keep is None or keep(self.bodies[row])]
        for name, descending in reversed(order):
            rows.sort(key=lambda row: sortable(self.bodies[row].get(name)), reverse=descending)
        return self.cut(rows[::-1] if order else rows, 0, len(rows), page, size)

    def cut(
        self, rows: Sequence[int] | None, first: int, after: int, page: int, size: int
    ) -> Listing:
        """One page, newest first, of a stretch of the records or of chosen rows."""
        count = after - first
        reach = count if self.ceiling is None else min(count, self.ceiling)
        begin = min((page - 1) * size, reach)
        end = min(page * size, reach)
        if rows is None:
            records = self.records[after - end : after - begin]
            return Listing(records[::-1], reach)
        chosen = rows[after - end : after - begin]
        return Listing([self.records[row] for row in reversed(chosen)], reach)


def sortable(value: Any) -> tuple[bool, str]:
    return value is not None, str(value)


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """A positive whole number of the query. Raises FilterError for any other text."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isdecimal() and text.isascii() and len(text) < 10 and int(text) > 0):
        raise FilterError(f"{name}: a positive integer is required")
    return int(text)
