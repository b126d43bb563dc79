"""From one YAML document to one Rule: routing by kind, strict keys, metadata, detections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from auditlens.canonical import json_line, sha256_hex
from auditlens.documents import Document
from auditlens.errors import DocumentError
from auditlens.rules.condition import Node
from auditlens.rules.extras import check_keys, extras, text_lists
from auditlens.rules.logsource import LogSource
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule
from auditlens.rules.translate import Refused, condition_tree
from auditlens.settings import LEVELS

__all__ = ["DATE_KEYS", "STRICT_KEYS", "Filter", "parse_rule"]

DATE_KEYS = frozenset({"date", "modified"})
STRICT_KEYS = frozenset(
    {"detection", "correlation", "filter", "behaviour", "logsource", "auditlens", "level", "id"}
)
"""Where an ambiguous value would change what a rule does."""

BLOCKS = ("detection", "correlation", "filter", "behaviour")
METADATA = frozenset(
    {"title", "id", "name", "taxonomy", "related", "status", "description", "license", "author",
     "references", "date", "modified", "fields", "falsepositives", "level", "tags", "scope",
     "auditlens", "sigma-version"}
)  # fmt: skip
KEYS = {
    "detection": METADATA | {"logsource", "detection"},
    "correlation": METADATA | {"correlation"},
    "filter": METADATA | {"logsource", "filter"},
    "behaviour": METADATA | {"behaviour"},
}


@dataclass(frozen=True)
class Filter:
    """A Sigma filter: a condition joined by And to the rules it names (none named = all)."""

    name: str
    logsource: LogSource
    condition: Node
    rules: tuple[str, ...]
    document: Document
    digest: str


def parse_rule(document: Document, placeholders: Mapping[str, tuple[str, ...]]) -> Rule | Filter:
    """Turn a document into a Rule or a Filter. Raises DocumentError at the first fault."""
    data = document.data
    if not isinstance(data, dict):
        raise document.error("a rule is a mapping", fix="Begin with 'title:'")
    kinds = [key for key in BLOCKS if key in data]
    if len(kinds) != 1:
        found = " and ".join(kinds) if kinds else "none"
        raise document.error(
            f"a rule has exactly one of {', '.join(BLOCKS)}; found: {found}", *kinds[:1]
        )
    kind = kinds[0]
    check_keys(document, data, KEYS[kind], strict=is_ours(data))
    check_version(document)
    if kind == "filter":
        return parse_filter(document, placeholders)
    extra = extras(document)
    placeholders = {**text_lists(document, extra, "placeholders"), **placeholders}
    if kind == "detection":
        body: Detection | Correlation | Behaviour
        body, off = detection_body(document, placeholders, extra)
    elif kind == "correlation":
        from auditlens.rules.correlation import correlation_body

        body, off = correlation_body(document), ""
    else:
        from auditlens.rules.behaviour import behaviour_body

        body, off = behaviour_body(document), ""
    return with_metadata(document, body, extra, off)


def is_ours(data: Mapping[str, Any]) -> bool:
    """Say whether a rule is held to the stricter form: it is ours, not a foreign log's."""
    source = data.get("logsource")
    return "auditlens" in data or (isinstance(source, dict) and source.get("product") == "secoda")


def check_version(document: Document) -> None:
    version = document.data.get("sigma-version")
    if version is not None and str(version).split(".")[0] not in ("1", "2"):
        raise document.error(f"Sigma version {version} is not supported", "sigma-version",
                             fix="Write the rule for Sigma 2")  # fmt: skip


def texts(document: Document, key: str) -> tuple[str, ...]:
    """Return a list of texts; a single text is a list of one."""
    value = document.data.get(key)
    if value is None:
        return ()
    found = value if isinstance(value, list) else [value]
    if not is_ours(document.data):
        # A colon in prose makes a mapping of it; in a foreign rule that harms nothing.
        found = [as_prose(one) if isinstance(one, dict) else one for one in found]
    if not all(isinstance(one, str | int | float) for one in found):
        raise document.error(f"'{key}' must be a list of texts", key)
    return tuple(str(one) for one in found)


def as_prose(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in mapping.items())


def with_metadata(
    document: Document,
    body: Detection | Correlation | Behaviour,
    extra: Mapping[str, Any],
    off: str,
) -> Rule:
    data = document.data
    title = data.get("title")
    if not isinstance(title, str) or not title.strip():
        raise document.error("a rule needs a title", "title")
    level = data.get("level") or "informational"
    if level not in LEVELS:
        raise document.error(f"'{level}' is no level", "level", fix=f"Use {', '.join(LEVELS)}")
    status = str(data.get("status") or "")
    if status == "unsupported":
        off = off or "its status is 'unsupported'"
    if extra.get("enabled") is False:
        off = str(extra["needs"])
    name = str(data.get("name") or document.path.name.split(".")[0])
    return Rule(
        id=identifier(document, name),
        name=name,
        title=title.strip(),
        body=body,
        level=level,
        status=status,
        description=str(data.get("description") or "").strip(),
        author=str(data.get("author") or ""),
        tags=texts(document, "tags"),
        controls=tuple(str(one) for one in extra.get("controls") or ()),
        falsepositives=texts(document, "falsepositives"),
        references=texts(document, "references"),
        logsource=log_source(document) if "logsource" in data else LogSource(),
        enabled=not off,
        reason_off=off,
        reason=str(extra.get("reason") or ""),
        data=str(extra.get("data", "A")),
        path=document.path,
        line=document.marks.get((), (1, 1))[0],
        digest=document_digest(data),
    )


def identifier(document: Document, name: str) -> str:
    """Return the rule's UUID; without one, its name stands for it."""
    given = document.data.get("id")
    if given is None:
        if is_ours(document.data):
            raise document.error("a rule needs an id", fix="Give it a new UUID (version 4)")
        return name
    try:
        return str(UUID(str(given)))
    except ValueError:
        raise document.error(f"the id '{given}' is no UUID", "id") from None


def document_digest(data: Any) -> str:
    return sha256_hex(json_line(data, ascii_only=False, default=str))


def log_source(document: Document) -> LogSource:
    source = document.data.get("logsource")
    if not isinstance(source, dict):
        raise document.error("'logsource' must be a mapping", "logsource")
    check_keys(document, source, frozenset({"product", "service", "category", "definition"}),
               "logsource", strict=is_ours(document.data))  # fmt: skip
    parts = {key: source.get(key) for key in ("product", "service", "category")}
    for key, part in parts.items():
        if part is not None and not isinstance(part, str):
            raise document.error(f"'{key}' must be a text", "logsource", key)
    if not any(parts.values()):
        raise document.error("a log source names a product, a service or a category", "logsource")
    return LogSource(**parts)


def detection_body(
    document: Document, placeholders: Mapping[str, tuple[str, ...]], extra: Mapping[str, Any]
) -> tuple[Detection, str]:
    """Return a detection, and why it must stay off if a placeholder of its own is still empty."""
    log_source(document)
    own = [name for name in extra.get("placeholders") or {} if not placeholders.get(name)]
    if own:
        listed = ", ".join(f"%{name}%" for name in own)
        off = f"the placeholder {listed} has no values in the settings"
        placeholders = {**placeholders, **dict.fromkeys(own, ("",))}
    else:
        off = ""
    tree, used = parsed_condition(document, "detection", placeholders)
    return Detection(tree, placeholders=used), off


def parse_filter(document: Document, placeholders: Mapping[str, tuple[str, ...]]) -> Filter:
    data = document.data
    block = data["filter"]
    if not isinstance(block, dict):
        raise document.error("'filter' must be a mapping", "filter")
    rules = block.get("rules")
    if rules is None:
        raise document.error("a filter says which rules it is for", "filter",
                             fix="Write 'rules: any' or a list of ids or names")  # fmt: skip
    named = () if rules in ("any", []) else rules if isinstance(rules, list) else [rules]
    if not all(isinstance(one, str) for one in named):
        raise document.error("'rules' is 'any' or a list of ids or names", "filter", "rules")
    tree, _ = parsed_condition(document, "filter", placeholders)
    name = str(data.get("name") or data.get("title") or document.path.stem)
    return Filter(name, log_source(document), tree, tuple(named), document, document_digest(data))


def parsed_condition(
    document: Document, block: str, placeholders: Mapping[str, tuple[str, ...]]
) -> tuple[Node, tuple[str, ...]]:
    """Parse the block's selections and condition by pySigma, and translate them."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetections

    from auditlens.rules.selections import check_selections, faulty_item

    detection = document.data[block]
    check_selections(document, block)
    plain = {key: value for key, value in detection.items() if key != "rules" or block != "filter"}
    try:
        parsed = SigmaDetections.from_dict(plain)
        return condition_tree(parsed.parsed_condition, placeholders)
    except (SigmaError, Refused) as error:
        where = faulty_item(document, block, placeholders) or (block,)
        raise refusal(document, error, where) from None


def refusal(document: Document, error: Exception, where: tuple[str, ...]) -> DocumentError:
    """Put pySigma's or our own words for a fault at its place in the document."""
    message = " ".join(str(error).split(" in ")[0].split()) if str(error) else type(error).__name__
    fix = "Fill it in the settings, under [placeholders]" if "has no values" in message else ""
    return document.error(message[:1].lower() + message[1:], *where, fix=fix)
