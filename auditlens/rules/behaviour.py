"""The ``behaviour:`` block of a document: our one added kind, as strict as the others.

``rules/behaviour.schema.json`` says the same to editors; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditlens.documents import Document
from auditlens.rules.correlation import span_seconds
from auditlens.rules.extras import check_keys
from auditlens.rules.rule import Behaviour

__all__ = ["FORMS", "behaviour_body"]

Where = tuple[str, ...]
Reader = Callable[[Document, Any, Where], Any]


def span(document: Document, value: Any, where: Where) -> int:
    return span_seconds(document, value, *where)


def count(document: Document, value: Any, where: Where) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000:
        return value
    raise document.error(f"'{where[-1]}' is a whole number from 1", *where)


def factor(document: Document, value: Any, where: Where) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1000:
        return float(value)
    raise document.error(f"'{where[-1]}' is a number above 0", *where)


def name(document: Document, value: Any, where: Where) -> str:
    if isinstance(value, str) and value:
        return value
    raise document.error(f"'{where[-1]}' is the name of a field", *where)


def fields(document: Document, value: Any, where: Where) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if 1 <= len(listed) <= 3 and all(isinstance(one, str) and one for one in listed):
        return tuple(listed)
    raise document.error(f"'{where[-1]}' names one to three fields", *where)


def choice(*words: str) -> Reader:
    def read(document: Document, value: Any, where: Where) -> str:
        if value in words:
            return str(value)
        raise document.error(f"'{where[-1]}' is {' or '.join(words)}", *where)

    return read


DAY = 86_400
REQUIRED = object()
FORMS: dict[str, dict[str, tuple[Reader, Any]]] = {
    "first_seen": {
        "field": (fields, REQUIRED),
        "history": (span, 30 * DAY),
        "min-history": (span, 14 * DAY),
    },
    "dormant_return": {"idle": (span, REQUIRED)},
    "off_hours": {
        "profile": (choice("learned"), "learned"),
        "slots": (choice("hour-of-week", "hour-of-day"), "hour-of-week"),
        "min-days": (count, 3),
        "history": (span, 90 * DAY),
        "min-history": (span, 14 * DAY),
    },
    "deviation": {
        "measure": (choice("count", "distinct"), "count"),
        "field": (fields, None),
        "bucket": (choice("1h", "1d"), "1d"),
        "baseline": (choice("own", "peer"), "own"),
        "peer-by": (name, None),
        "history": (span, 28 * DAY),
        "min-buckets": (count, 14),
        "min-peers": (count, 5),
        "at-least": (count, 20),
        "factor": (factor, 6.0),
    },
    "silence": {
        "for": (span, REQUIRED),
        "factor": (factor, 1.5),
        "history": (span, 28 * DAY),
        "min-history": (span, 14 * DAY),
    },
}
"""For each kind its keys: how each is read, and what stands for it when it is left out."""

COMMON = frozenset({"type", "rules", "group-by", "generate"})


def behaviour_body(document: Document) -> Behaviour:
    """Parse the block. References are still as written; the loader turns them into ids."""
    block = document.data["behaviour"]
    if not isinstance(block, dict):
        raise document.error("'behaviour' must be a mapping", "behaviour")
    kind = block.get("type")
    if kind not in FORMS:
        raise document.error(f"'{kind}' is no kind of behaviour", "behaviour", "type",
                             fix=f"Use {', '.join(FORMS)}")  # fmt: skip
    check_keys(document, block, COMMON | set(FORMS[kind]), "behaviour")
    settings = {
        key: read_setting(document, block, key, reader, default)
        for key, (reader, default) in FORMS[kind].items()
    }
    check_measure(document, kind, settings)
    group_by = block.get("group-by") or []
    rules = block.get("rules")
    generate = block.get("generate", False)
    if not isinstance(generate, bool):
        raise document.error("'generate' is true or false", "behaviour", "generate")
    settings["fields"] = (*(settings.get("field") or ()), *filter(None, [settings.get("peer-by")]))
    return Behaviour(
        type=kind,
        rules=references(document, rules),
        group_by=fields(document, group_by, ("behaviour", "group-by")) if group_by else (),
        settings=settings,
        generate=generate,
    )


def read_setting(
    document: Document, block: Mapping[str, Any], key: str, reader: Reader, default: Any
) -> Any:
    if key in block:
        return reader(document, block[key], ("behaviour", key))
    if default is REQUIRED:
        raise document.error(f"{block['type']} needs '{key}'", "behaviour")
    return default


def check_measure(document: Document, kind: str, settings: Mapping[str, Any]) -> None:
    """Refuse a deviation whose keys contradict each other."""
    if kind != "deviation":
        return
    if (settings["measure"] == "distinct") != bool(settings["field"]):
        raise document.error("'field' goes with 'measure: distinct'", "behaviour", "measure")
    if (settings["baseline"] == "peer") != bool(settings["peer-by"]):
        raise document.error("'peer-by' goes with 'baseline: peer'", "behaviour", "baseline")


def references(document: Document, rules: Any) -> tuple[str, ...]:
    listed = rules if isinstance(rules, list) else [rules]
    if not listed or not all(isinstance(one, str) and one for one in listed):
        raise document.error("a behaviour names the rules it watches", "behaviour", "rules")
    if len(set(listed)) != len(listed):
        raise document.error("a rule stands twice in 'rules'", "behaviour", "rules")
    return tuple(listed)
