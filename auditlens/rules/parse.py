"""From one YAML document to one rule: strict keys, metadata, and the block that says its kind.

``rules/behaviour.schema.json`` says the same of behaviours to editors; a test compares the two.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from string import Formatter
from typing import Any, TypeVar
from uuid import UUID

from auditlens.canonical import json_line, sha256_hex
from auditlens.errors import DocumentError, DocumentErrors
from auditlens.rules.condition import Node, Or
from auditlens.rules.detection import (
    Refused,
    condition_faults,
    condition_tree,
    faulty_items,
    selection_faults,
)
from auditlens.rules.logsource import LogSource
from auditlens.rules.rule import (
    COUNTED,
    KIND_WORDS,
    LONGEST_PHRASE,
    REASON_WORDS,
    Behaviour,
    Correlation,
    Detection,
    Rule,
    Threshold,
)
from auditlens.settings import LEVELS
from auditlens.yaml_documents import Document

__all__ = [
    "DATE_KEYS",
    "FORMS",
    "STRICT_KEYS",
    "Faults",
    "Filter",
    "check_keys",
    "parse_rule",
    "span_seconds",
]

CORRELATION_KEYS = frozenset(
    {"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}
)
COUNTING = frozenset({"event_count", "value_count", "value_sum", "value_avg", "value_median",
                      "value_percentile"})  # fmt: skip
TEMPORAL = frozenset({"temporal", "temporal_ordered"})
MAX_TERMS = 64
SPAN_UNITS = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "M": 2_629_746,
    "y": 31_556_952,
}
"""Seconds in each unit of a time span; month and year are averages, as Sigma has it."""
EXTRA_KEYS = frozenset({"controls", "data", "enabled", "needs", "phrase", "placeholders", "reason"})


T = TypeVar("T")
D = TypeVar("D")


class Faults:
    """The faults of one document, gathered so that its author sees all of them at once."""

    def __init__(self, errors: Iterable[DocumentError] = ()) -> None:
        self.errors = list(errors)

    def attempt(self, read: Callable[..., T], *arguments: Any, default: D, **options: Any) -> T | D:
        """Call ``read``; when it refuses, note its faults and return ``default``."""
        try:
            return read(*arguments, **options)
        except DocumentError as error:
            self.errors.append(error)
        except DocumentErrors as several:
            self.errors.extend(several.errors)
        return default

    def raise_all(self) -> None:
        """Raise DocumentErrors if there are any."""
        if self.errors:
            raise DocumentErrors(self.errors)


def check_keys(
    document: Document,
    data: Mapping[str, Any],
    known: frozenset[str] | set[str],
    *where: str | int,
    strict: bool = True,
) -> None:
    """Refuse the keys that are not known here; a foreign rule may add keys that resemble none."""
    faults = Faults()
    for key in data:
        if key in known:
            continue
        near = get_close_matches(str(key), sorted(known), n=1, cutoff=0.8)
        if strict or near:
            fix = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(sorted(known))}"
            faults.errors.append(
                document.error(f"the key '{key}' is not known here", *where, key, fix=fix)
            )
    faults.raise_all()


def meant(word: object, known: Iterable[str]) -> str:
    """Ask for the known word that was probably meant, or list them all."""
    words = list(known)
    near = get_close_matches(str(word).lower(), words, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Use {', '.join(words)}"


def read_extras(document: Document) -> dict[str, Any]:
    """Return the ``auditlens:`` block: what a rule says to this engine alone."""
    block = document.data.get("auditlens")
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise document.error("'auditlens' must be a mapping", "auditlens")
    faults = Faults()
    faults.attempt(check_keys, document, block, EXTRA_KEYS, "auditlens", default=None)
    if not isinstance(block.get("enabled", True), bool):
        faults.errors.append(document.error("'enabled' is true or false", "auditlens", "enabled"))
    if block.get("data", "A") not in ("A", "B", "C"):
        faults.errors.append(document.error("'data' is A, B or C", "auditlens", "data"))
    for key in ("reason", "phrase"):
        faults.attempt(check_template, document, key, str(block.get(key) or ""), default=None)
    if block.get("enabled") is False and not block.get("needs"):
        faults.errors.append(
            document.error("a rule that is off says under 'needs' what it lacks", "auditlens")
        )
    faults.raise_all()
    return block


def check_template(document: Document, key: str, template: str) -> None:
    """Refuse a reason or phrase that names what no episode has, or gives a noun to no number."""
    where = ("auditlens", key)
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise document.error(f"the {key} cannot be read ({error})", *where) from None
    block = document.data.get("behaviour")
    kind = str(block.get("type")) if isinstance(block, dict) else ""
    known = REASON_WORDS | KIND_WORDS.get(kind, frozenset())
    for _, field, form, conversion in parts:
        if field is None:
            continue
        name, *nouns = field.split("|")
        if name not in known or form or conversion:
            raise document.error(f"the {key} names '{field}', which no episode has", *where,
                                 fix=f"Use {', '.join(sorted(known))}")  # fmt: skip
        if nouns and (name not in COUNTED or len(nouns) > 2 or not all(nouns)):
            raise document.error(
                f"'{field}' in the {key} is not a number with its noun", *where,
                fix="Write {count|event}, or {count|policy|policies}",
            )  # fmt: skip
    said = sum(len(words) + len((field or "").partition("|")[2]) for words, field, _, _ in parts)
    if key == "phrase" and said > LONGEST_PHRASE:
        raise document.error(
            f"the phrase has {said} characters without what is filled in", *where,
            fix=f"Use at most {LONGEST_PHRASE}, what was done in the past tense: "
            "'exported {value} resources'",
        )  # fmt: skip


def string_lists(
    document: Document, block: Mapping[str, Any], key: str
) -> dict[str, tuple[str, ...]]:
    lists = block.get(key) or {}
    if not isinstance(lists, dict) or not all(isinstance(one, list) for one in lists.values()):
        raise document.error(f"'{key}' maps names to lists", "auditlens", key)
    return {name: tuple(str(one) for one in values) for name, values in lists.items()}


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
    """Turn a document into a Rule or a Filter. Raises DocumentErrors with all its faults."""
    faults = Faults()
    kind = faults.attempt(document_kind, document, default="")
    faults.raise_all()
    data = document.data
    faults.attempt(check_keys, document, data, KEYS[kind], strict=is_ours(data), default=None)
    faults.attempt(check_version, document, default=None)
    parsed: Rule | Filter | None
    if kind == "filter":
        parsed = faults.attempt(parse_filter, document, placeholders, default=None)
    else:
        no_extra: dict[str, Any] = {}
        extra = faults.attempt(read_extras, document, default=no_extra)
        body, off = faults.attempt(
            read_body, document, kind, placeholders, default=(Detection(Or(())), "")
        )
        parsed = faults.attempt(with_metadata, document, body, extra, off, default=None)
    faults.raise_all()
    assert parsed is not None
    return parsed


def document_kind(document: Document) -> str:
    """Return the one block of BLOCKS that says what the document is."""
    data = document.data
    if not isinstance(data, dict):
        raise document.error("a rule is a mapping", fix="Begin with 'title:'")
    kinds = [key for key in BLOCKS if key in data]
    if len(kinds) == 1:
        return kinds[0]
    found, where, fix = " and ".join(kinds), kinds[:1], ""
    if not kinds:
        near = {str(key): get_close_matches(str(key), BLOCKS, n=1, cutoff=0.8) for key in data}
        slip = next((key for key in near if near[key]), "")
        found, where = ("none", [slip]) if slip else ("none", [])
        fix = f"Did you mean '{near[slip][0]}' by '{slip}'?" if slip else ""
    raise document.error(
        f"a rule has exactly one of {', '.join(BLOCKS)}; found: {found}", *where, fix=fix
    )


def read_body(
    document: Document, kind: str, placeholders: Mapping[str, tuple[str, ...]]
) -> tuple[Detection | Correlation | Behaviour, str]:
    """Return the block of a rule, and why it must stay off, if it must."""
    if kind == "correlation":
        return correlation_body(document), ""
    if kind == "behaviour":
        return behaviour_body(document), ""
    extra = document.data.get("auditlens")
    own = string_lists(document, extra if isinstance(extra, dict) else {}, "placeholders")
    return detection_body(document, {**own, **placeholders}, own)


def is_ours(data: Mapping[str, Any]) -> bool:
    """Say whether a rule is held to the stricter form: it is ours, not a foreign log's."""
    source = data.get("logsource")
    return "auditlens" in data or (isinstance(source, dict) and source.get("product") == "secoda")


def check_version(document: Document) -> None:
    version = document.data.get("sigma-version")
    if version is not None and str(version).split(".")[0] not in ("1", "2"):
        raise document.error(f"Sigma version {version} is not supported", "sigma-version",
                             fix="Write the rule for Sigma 2")  # fmt: skip


def string_list(document: Document, key: str) -> tuple[str, ...]:
    """Return a list of texts; a single text is a list of one."""
    value = document.data.get(key)
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if not is_ours(document.data):
        # A colon in prose makes a mapping of it; in a foreign rule that harms nothing.
        values = [as_prose(one) if isinstance(one, dict) else one for one in values]
    if not all(isinstance(one, str | int | float) for one in values):
        raise document.error(f"'{key}' must be a list of texts", key)
    return tuple(str(one) for one in values)


def as_prose(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in mapping.items())


def with_metadata(
    document: Document,
    body: Detection | Correlation | Behaviour,
    extra: Mapping[str, Any],
    off: str,
) -> Rule:
    data, faults = document.data, Faults()
    title = faults.attempt(read_title, document, default="")
    level = faults.attempt(read_level, document, default="")
    status = str(data.get("status") or "")
    if status == "unsupported":
        off = off or "its status is 'unsupported'"
    if extra.get("enabled") is False:
        off = str(extra["needs"])
    name = str(data.get("name") or document.path.name.split(".")[0])
    source = LogSource()
    if "logsource" in data or "detection" in data:
        source = faults.attempt(log_source, document, default=source)
    rule = Rule(
        id=faults.attempt(identifier, document, name, default=""),
        name=name,
        title=title,
        body=body,
        level=level,
        status=status,
        description=str(data.get("description") or "").strip(),
        author=str(data.get("author") or ""),
        tags=faults.attempt(string_list, document, "tags", default=()),
        controls=tuple(str(one) for one in extra.get("controls") or ()),
        falsepositives=faults.attempt(string_list, document, "falsepositives", default=()),
        references=faults.attempt(string_list, document, "references", default=()),
        logsource=source,
        enabled=not off,
        reason_off=off,
        reason=str(extra.get("reason") or ""),
        phrase=str(extra.get("phrase") or ""),
        data=str(extra.get("data", "A")),
        path=document.path,
        line=document.marks.get((), (1, 1))[0],
        digest=document_digest(data),
    )
    faults.raise_all()
    return rule


def read_title(document: Document) -> str:
    title = document.data.get("title")
    if not isinstance(title, str) or not title.strip():
        raise document.error("a rule needs a title", "title")
    return title.strip()


def read_level(document: Document) -> str:
    level = document.data.get("level") or "informational"
    if level not in LEVELS:
        raise document.error(f"unknown level '{level}'", "level", fix=meant(level, LEVELS))
    return str(level)


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
        raise document.error(f"the id '{given}' is not a UUID", "id") from None


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
    document: Document,
    placeholders: Mapping[str, tuple[str, ...]],
    own: Mapping[str, tuple[str, ...]],
) -> tuple[Detection, str]:
    """Return a detection, and why it must stay off if a placeholder of its own is still empty."""
    empty = [name for name in own if not placeholders.get(name)]
    off = ""
    if empty:
        listed = ", ".join(f"%{name}%" for name in empty)
        off = f"the placeholder {listed} has no values in the settings"
        placeholders = {**placeholders, **dict.fromkeys(empty, ("",))}
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
    faults = Faults()
    tree, _ = faults.attempt(
        parsed_condition, document, "filter", placeholders, default=(Or(()), ())
    )
    source = faults.attempt(log_source, document, default=LogSource())
    faults.raise_all()
    name = str(data.get("name") or data.get("title") or document.path.stem)
    return Filter(name, source, tree, tuple(named), document, document_digest(data))


def parsed_condition(
    document: Document, block: str, placeholders: Mapping[str, tuple[str, ...]]
) -> tuple[Node, tuple[str, ...]]:
    """Parse the block's selections and condition by pySigma, and translate them."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetections

    faults = Faults(selection_faults(document, block))
    if not faults.errors:
        detection = document.data[block]
        plain = {k: value for k, value in detection.items() if k != "rules" or block != "filter"}
        try:
            parsed = SigmaDetections.from_dict(plain)
            return condition_tree(parsed.parsed_condition, placeholders)
        except (SigmaError, Refused) as error:
            for where, fault in faulty_items(document, block, placeholders):
                faults.errors.append(refusal(document, fault, where))
            last = refusal(document, error, (block, "condition"))
        faults.errors.extend(condition_faults(document, block))
        raise DocumentErrors(faults.errors or [last])
    faults.errors.extend(condition_faults(document, block))
    raise DocumentErrors(faults.errors)


def refusal(document: Document, error: Exception, where: tuple[str | int, ...]) -> DocumentError:
    """Put pySigma's or our own words for a fault at its place in the document."""
    from sigma.modifiers import modifier_mapping

    message = " ".join(str(error).split(" in ")[0].split()) if str(error) else type(error).__name__
    fix = "Fill it in the settings, under [placeholders]" if "has no values" in message else ""
    if unknown := re.search(r"[Uu]nknown modifier '?(\w+)", message):
        fix = meant(unknown[1], sorted(modifier_mapping))
    return document.error(message[:1].lower() + message[1:], *where, fix=fix)


def span_seconds(document: Document, value: Any, *where: str) -> int:
    """Read a time span such as ``10m``; raise DocumentError for anything else."""
    text = str(value)
    if (
        isinstance(value, str)
        and text[:-1].isascii()
        and text[:-1].isdigit()
        and text[-1] in SPAN_UNITS
    ):
        seconds = int(text[:-1]) * SPAN_UNITS[text[-1]]
        if 0 < seconds <= 100 * SPAN_UNITS["y"]:
            return seconds
    raise document.error(f"'{value}' is not a time span", *where,
                         fix="Write a number and one of s, m, h, d, w: 10m")  # fmt: skip


def correlation_body(document: Document) -> Correlation:
    """Parse the block. References are still as written; the loader turns them into ids."""
    from sigma.correlations import SigmaCorrelationRule
    from sigma.exceptions import SigmaError

    block = document.data["correlation"]
    if not isinstance(block, dict):
        raise document.error("'correlation' must be a mapping", "correlation")
    faults = Faults()
    faults.attempt(check_keys, document, block, CORRELATION_KEYS, "correlation", default=None)
    faults.attempt(check_correlation_rules, document, block, default=None)
    faults.attempt(check_correlation_type, document, block, default=None)
    seconds = faults.attempt(
        span_seconds, document, block.get("timespan"), "correlation", "timespan", default=1
    )
    faults.raise_all()
    metadata = {"title": "correlation", "correlation": block}
    try:
        parsed = SigmaCorrelationRule.from_dict(metadata)
    except SigmaError as error:
        key = "condition" if "condition" in str(error) else "type"
        raise refusal(document, error, ("correlation", key)) from None
    kind = parsed.type.name.lower()
    threshold, terms, rules = threshold_or_terms(document, parsed, kind)
    group_by = tuple(parsed.group_by or ())
    return Correlation(
        type=kind,
        rules=rules,
        seconds=seconds,
        group_by=group_by,
        threshold=threshold,
        terms=terms,
        aliases=alias_fields(document, block, rules, group_by, threshold),
        generate=parsed.generate,
    )


def check_correlation_rules(document: Document, block: dict[str, Any]) -> None:
    rules = block.get("rules", [])
    listed = rules if isinstance(rules, list) else [rules]
    if not all(isinstance(one, str) for one in listed):
        raise document.error("'rules' is a list of ids or names", "correlation", "rules")
    if len(set(listed)) != len(listed):
        raise document.error("a rule stands twice in 'rules'", "correlation", "rules")


def check_correlation_type(document: Document, block: dict[str, Any]) -> None:
    kind, where = block.get("type"), ("correlation", "type")
    if not isinstance(kind, str):
        raise document.error("a correlation needs a type", *where)
    if kind.lower() not in COUNTING | TEMPORAL:
        fix = meant(kind, sorted(COUNTING | TEMPORAL))
        raise document.error(f"unknown type of correlation '{kind}'", *where, fix=fix)


Decision = tuple[
    Threshold | None, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], tuple[str, ...]
]


def threshold_or_terms(document: Document, parsed: Any, kind: str) -> Decision:
    """Return the threshold or the terms of the condition, and the rules in their order."""
    from sigma.correlations import SigmaExtendedCorrelationCondition

    condition = parsed.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        named = tuple(condition.get_referenced_rules())
        order = tuple(ref.reference for ref in parsed.rules) if parsed.rules else named
        return None, boolean_terms(document, condition.parsed, order), order
    rules = tuple(ref.reference for ref in parsed.rules or ())
    if not rules:
        raise document.error("a correlation names its rules", "correlation", "rules")
    fields = condition.fieldref
    threshold = Threshold(
        op=condition.op.name.lower(),
        value=condition.count,
        fields=() if fields is None else (fields,) if isinstance(fields, str) else tuple(fields),
        percentile=condition.percentile,
    )
    check_threshold(document, threshold, kind)
    return threshold, (), rules


def check_threshold(document: Document, threshold: Threshold, kind: str) -> None:
    where = ("correlation", "condition")
    if kind == "value_percentile" and threshold.percentile is None:
        raise document.error("value_percentile needs 'percentile' (0 to 100)", *where)
    if threshold.percentile is not None:
        if kind != "value_percentile":
            raise document.error(f"{kind} has no 'percentile'", *where, "percentile")
        if not 0 <= threshold.percentile <= 100:
            raise document.error("'percentile' is between 0 and 100", *where, "percentile")
    if threshold.fields and not kind.startswith("value_"):
        raise document.error(f"{kind} has no 'field'", *where, "field")
    if len(threshold.fields) > 1 and kind != "value_count":
        raise document.error(f"{kind} reads one field", *where, "field")
    if kind == "temporal_ordered" and threshold.op not in ("gte", "gt"):
        raise document.error("an ordered correlation counts with gte or gt only", *where)


def boolean_terms(
    document: Document, tree: Any, order: tuple[str, ...]
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Turn a boolean condition into terms; each must name a rule that occurs."""
    alternatives = disjunction(tree, negative=False)
    terms = []
    for present, absent in alternatives:
        if not present:
            raise document.error(
                "a condition that only asks for absence has nothing to start from",
                "correlation", "condition", fix="Join it by 'and' to a rule that must occur",
            )  # fmt: skip
        terms.append(
            tuple(tuple(ref for ref in order if ref in side) for side in (present, absent))
        )
    if len(terms) > MAX_TERMS:
        raise document.error(f"the condition has more than {MAX_TERMS} alternatives",
                             "correlation", "condition")  # fmt: skip
    return tuple(dict.fromkeys(terms))  # type: ignore[arg-type]


def disjunction(node: Any, *, negative: bool) -> list[tuple[frozenset[str], frozenset[str]]]:
    from sigma import correlations as sigma

    if isinstance(node, sigma.SigmaRuleReference):
        one = frozenset({node.reference})
        return [(frozenset(), one) if negative else (one, frozenset())]
    if isinstance(node, sigma.CorrelationConditionNOT):
        return disjunction(node.args[0], negative=not negative)
    children = [disjunction(arg, negative=negative) for arg in node.args]
    if isinstance(node, sigma.CorrelationConditionOR) != negative:
        return list(itertools.chain.from_iterable(children))
    terms = []
    for combination in itertools.islice(itertools.product(*children), 4096):
        present = frozenset().union(*(term[0] for term in combination))
        absent = frozenset().union(*(term[1] for term in combination))
        if not present & absent:
            terms.append((present, absent))
    return terms


def alias_fields(
    document: Document,
    block: dict[str, Any],
    rules: tuple[str, ...],
    group_by: tuple[str, ...],
    threshold: Threshold | None,
) -> dict[str, dict[str, str]]:
    """Return field names by alias and rule; an alias nobody uses, or of no rule, is a fault."""
    by_alias: dict[str, dict[str, str]] = {}
    used = {*group_by, *(threshold.fields if threshold else ())}
    for alias, mapping in (block.get("aliases") or {}).items():
        where = ("correlation", "aliases", alias)
        if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
            raise document.error("an alias maps rules to field names", *where)
        if alias not in used:
            raise document.error(
                f"the alias '{alias}' is not used", *where,
                fix="Use it in 'group-by' or as the condition's field",
            )  # fmt: skip
        for ref in mapping:
            if ref not in rules:
                raise document.error(f"'{ref}' is not one of the correlation's rules", *where, ref)
        by_alias[alias] = dict(mapping)
    return by_alias


Where = tuple[str, ...]
Reader = Callable[[Document, Any, Where], Any]


def read_span(document: Document, value: Any, where: Where) -> int:
    return span_seconds(document, value, *where)


def read_count(document: Document, value: Any, where: Where) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000:
        return value
    raise document.error(f"'{where[-1]}' is a whole number from 1", *where)


def read_factor(document: Document, value: Any, where: Where) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1000:
        return float(value)
    raise document.error(f"'{where[-1]}' is a number above 0", *where)


def read_share(document: Document, value: Any, where: Where) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise document.error(f"'{where[-1]}' is a part of all activity: above 0 and below 1", *where)


def read_field(document: Document, value: Any, where: Where) -> str:
    if isinstance(value, str) and value:
        return value
    raise document.error(f"'{where[-1]}' is the name of a field", *where)


def read_fields(document: Document, value: Any, where: Where) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if 1 <= len(listed) <= 3 and all(isinstance(one, str) and one for one in listed):
        return tuple(listed)
    raise document.error(f"'{where[-1]}' names one to three fields", *where)


def one_of(*words: str) -> Reader:
    def read(document: Document, value: Any, where: Where) -> str:
        if value in words:
            return str(value)
        raise document.error(f"'{where[-1]}' is {' or '.join(words)}", *where)

    return read


DAY = 86_400
REQUIRED = object()
FORMS: dict[str, dict[str, tuple[Reader, Any]]] = {
    "first_seen": {
        "field": (read_fields, REQUIRED),
        "history": (read_span, 0),
        "min-history": (read_span, 0),
        "active-days": (read_count, 10),
    },
    "dormant_return": {
        "idle": (read_span, REQUIRED),
        "factor": (read_factor, 1.5),
        "min-history": (read_span, 0),
        "active-days": (read_count, 7),
        "consequential-level": (one_of(*LEVELS), None),
        "new-resources": (read_count, 5),
    },
    "off_hours": {
        "profile": (one_of("learned"), "learned"),
        "slots": (one_of("hour-of-week", "hour-of-day"), "hour-of-week"),
        "tail": (read_share, 0.02),
        "weight": (read_factor, 20.0),
        "spread": (read_factor, 1.0),
        "history": (read_span, 0),
        "min-history": (read_span, 0),
        "active-days": (read_count, 20),
    },
    "deviation": {
        "measure": (one_of("count", "distinct"), "count"),
        "field": (read_fields, None),
        "bucket": (one_of("1h", "1d"), "1d"),
        "baseline": (one_of("own", "peer"), "own"),
        "peer-by": (read_field, None),
        "history": (read_span, 28 * DAY),
        "min-buckets": (read_count, 14),
        "min-peers": (read_count, 5),
        "at-least": (read_count, 20),
        "factor": (read_factor, 6.0),
    },
    "silence": {
        "for": (read_span, REQUIRED),
        "factor": (read_factor, 1.5),
        "history": (read_span, 28 * DAY),
        "min-history": (read_span, 14 * DAY),
        "min-intervals": (read_count, 8),
    },
}
"""For each kind its keys: how each is read, and what stands for it when it is left out.

A ``history`` of 0 is the whole record."""

RETIRED = {
    ("off_hours", "min-days"): (
        "an hour is judged by the part of the activity in hours as rare, no longer by its days",
        "Take 'min-days' out; 'tail' (0.02) and 'active-days' (20) stand for it",
    )
}
"""Keys of earlier versions: why they are gone, and what to write."""

BEHAVIOUR_KEYS = frozenset({"type", "rules", "group-by", "generate"})


def behaviour_body(document: Document) -> Behaviour:
    """Parse the block. References are still as written; the loader turns them into ids."""
    block = document.data["behaviour"]
    if not isinstance(block, dict):
        raise document.error("'behaviour' must be a mapping", "behaviour")
    kind = block.get("type")
    if kind not in FORMS:
        raise document.error(f"unknown kind of behaviour '{kind}'", "behaviour", "type",
                             fix=meant(kind, FORMS))  # fmt: skip
    faults = Faults()
    for key in sorted(block.keys() & {key for of, key in RETIRED if of == kind}):
        why, fix = RETIRED[kind, key]
        faults.errors.append(document.error(why, "behaviour", key, fix=fix))
    block = {key: value for key, value in block.items() if (kind, key) not in RETIRED}
    known = BEHAVIOUR_KEYS | set(FORMS[kind])
    faults.attempt(check_keys, document, block, known, "behaviour", default=None)
    settings = {
        key: faults.attempt(read_setting, document, block, key, reader, default, default=None)
        for key, (reader, default) in FORMS[kind].items()
    }
    if not faults.errors:
        faults.attempt(check_measure, document, kind, settings, default=None)
    rules = faults.attempt(watched_rules, document, block.get("rules"), default=())
    group_by: tuple[str, ...] = ()
    if block.get("group-by"):
        where = ("behaviour", "group-by")
        group_by = faults.attempt(read_fields, document, block["group-by"], where, default=())
    generate = block.get("generate", False)
    if not isinstance(generate, bool):
        faults.errors.append(document.error("'generate' is true or false", "behaviour", "generate"))
    faults.raise_all()
    settings["fields"] = (*(settings.get("field") or ()), *filter(None, [settings.get("peer-by")]))
    return Behaviour(
        type=kind,
        rules=rules,
        group_by=group_by,
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


def watched_rules(document: Document, rules: Any) -> tuple[str, ...]:
    listed = rules if isinstance(rules, list) else [rules]
    if not listed or not all(isinstance(one, str) and one for one in listed):
        raise document.error("a behaviour names the rules it watches", "behaviour", "rules")
    if len(set(listed)) != len(listed):
        raise document.error("a rule stands twice in 'rules'", "behaviour", "rules")
    return tuple(listed)
