"""Keys of a document: which are known, and the one block that is ours, ``auditlens:``."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any

from auditlens.documents import Document
from auditlens.rules.rule import REASON_WORDS

__all__ = ["check_keys", "extras", "text_lists"]

EXTRA_KEYS = frozenset({"controls", "enabled", "needs", "reason", "data", "placeholders"})


def check_keys(
    document: Document,
    data: Mapping[str, Any],
    known: frozenset[str] | set[str],
    *where: str,
    strict: bool = True,
) -> None:
    """Refuse a key that is not known here; a foreign rule may add keys that resemble none."""
    from difflib import get_close_matches

    for key in data:
        if key in known:
            continue
        near = get_close_matches(key, sorted(known), n=1, cutoff=0.8)
        if strict or near:
            fix = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(sorted(known))}"
            raise document.error(f"the key '{key}' is not known here", *where, key, fix=fix)


def extras(document: Document) -> dict[str, Any]:
    """Return the ``auditlens:`` block: what a rule says to this engine alone."""
    block = document.data.get("auditlens")
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise document.error("'auditlens' must be a mapping", "auditlens")
    check_keys(document, block, EXTRA_KEYS, "auditlens")
    if not isinstance(block.get("enabled", True), bool):
        raise document.error("'enabled' is true or false", "auditlens", "enabled")
    if block.get("data", "A") not in ("A", "B", "C"):
        raise document.error("'data' is A, B or C", "auditlens", "data")
    check_reason(document, str(block.get("reason") or ""))
    if block.get("enabled") is False and not block.get("needs"):
        raise document.error("a rule that is off says under 'needs' what it lacks", "auditlens")
    return block


def check_reason(document: Document, reason: str) -> None:
    """Refuse a reason template that names what no episode has."""
    try:
        parts = list(Formatter().parse(reason))
    except ValueError as error:
        raise document.error(
            f"the reason cannot be read ({error})", "auditlens", "reason"
        ) from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in REASON_WORDS or form or conversion):
            raise document.error(
                f"the reason names '{name}', which no episode has", "auditlens", "reason",
                fix=f"Use {', '.join(sorted(REASON_WORDS))}",
            )  # fmt: skip


def text_lists(
    document: Document, block: Mapping[str, Any], key: str
) -> dict[str, tuple[str, ...]]:
    found = block.get(key) or {}
    if not isinstance(found, dict) or not all(isinstance(one, list) for one in found.values()):
        raise document.error(f"'{key}' maps names to lists", "auditlens", key)
    return {name: tuple(str(one) for one in values) for name, values in found.items()}
