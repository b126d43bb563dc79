"""The selections of a detection: forms Sigma allows, and the place of the one at fault."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from auditlens.documents import Document
from auditlens.rules.regex import check_regex
from auditlens.rules.translate import Refused, Translation

__all__ = ["check_selections", "faulty_item", "items"]

LARGEST = 2**53
FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
SCALARS = (str, int, float, bool, type(None))


def check_selections(document: Document, block: str) -> None:
    """Refuse what pySigma would read in silence: empty lists, mappings inside mappings."""
    detection = document.data[block]
    if not isinstance(detection, dict):
        raise document.error(f"'{block}' must be a mapping", block)
    condition = detection.get("condition")
    listed = condition if isinstance(condition, list) else [condition]
    if not listed or not all(isinstance(one, str) and one.strip() for one in listed):
        raise document.error("a condition is needed, as text", block, "condition")
    for name, selection in detection.items():
        if name in ("condition", "rules"):
            continue
        if name == "timeframe":
            raise document.error(
                "'timeframe' is Sigma's old aggregation, which no longer runs",
                block, name, fix="Write a correlation rule with 'timespan'",
            )  # fmt: skip
        if selection in ({}, []):
            raise document.error(f"the selection '{name}' is empty", block, name)
        for where, key, value in items(selection, (block, name)):
            check_item(document, where, key, value)


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
        raise document.error("the value .nan is no number", *where, fix="Quote it")
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


def faulty_item(
    document: Document, block: str, placeholders: Mapping[str, tuple[str, ...]]
) -> tuple[Any, ...] | None:
    """Find the first test that cannot be read by itself; None when the condition is at fault."""
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
            except (SigmaError, Refused):
                return where
    return (block, "condition")
