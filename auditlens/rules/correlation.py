"""The ``correlation:`` block of a document: strict keys, then pySigma, then our own form."""

from __future__ import annotations

import itertools
from typing import Any

from auditlens.documents import Document
from auditlens.rules.extras import check_keys
from auditlens.rules.rule import Correlation, Threshold

__all__ = ["correlation_body", "span_seconds"]

KEYS = frozenset({"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"})
COUNTING = frozenset({"event_count", "value_count", "value_sum", "value_avg", "value_median",
                      "value_percentile"})  # fmt: skip
TEMPORAL = frozenset({"temporal", "temporal_ordered"})
MAX_TERMS = 64
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952}
"""Seconds in each unit of a time span; month and year are averages, as Sigma has it."""


def span_seconds(document: Document, value: Any, *where: str) -> int:
    """Read a time span such as ``10m``; raise DocumentError for anything else."""
    text = str(value)
    if isinstance(value, str) and text[:-1].isascii() and text[:-1].isdigit() and text[-1] in UNITS:
        seconds = int(text[:-1]) * UNITS[text[-1]]
        if 0 < seconds <= 100 * UNITS["y"]:
            return seconds
    raise document.error(f"'{value}' is no time span", *where,
                         fix="Write a number and one of s, m, h, d, w: 10m")  # fmt: skip


def correlation_body(document: Document) -> Correlation:
    """Parse the block. References are still as written; the loader turns them into ids."""
    from sigma.correlations import SigmaCorrelationRule
    from sigma.exceptions import SigmaError

    from auditlens.rules.parse import refusal

    block = document.data["correlation"]
    if not isinstance(block, dict):
        raise document.error("'correlation' must be a mapping", "correlation")
    check_keys(document, block, KEYS, "correlation")
    check_rules(document, block)
    seconds = span_seconds(document, block.get("timespan"), "correlation", "timespan")
    metadata = {"title": "correlation", "correlation": block}
    try:
        parsed = SigmaCorrelationRule.from_dict(metadata)
    except SigmaError as error:
        key = "condition" if "condition" in str(error) else "type"
        raise refusal(document, error, ("correlation", key)) from None
    kind = parsed.type.name.lower()
    threshold, terms, rules = decision(document, parsed, kind)
    group_by = tuple(parsed.group_by or ())
    return Correlation(
        type=kind,
        rules=rules,
        seconds=seconds,
        group_by=group_by,
        threshold=threshold,
        terms=terms,
        aliases=aliases(document, block, rules, group_by, threshold),
        generate=parsed.generate,
    )


def check_rules(document: Document, block: dict[str, Any]) -> None:
    rules = block.get("rules", [])
    listed = rules if isinstance(rules, list) else [rules]
    if not all(isinstance(one, str) for one in listed):
        raise document.error("'rules' is a list of ids or names", "correlation", "rules")
    if len(set(listed)) != len(listed):
        raise document.error("a rule stands twice in 'rules'", "correlation", "rules")
    if not isinstance(block.get("type"), str):
        raise document.error("a correlation needs a type", "correlation", "type")


Decision = tuple[
    Threshold | None, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], tuple[str, ...]
]


def decision(document: Document, parsed: Any, kind: str) -> Decision:
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
    found = disjunction(tree, negative=False)
    terms = []
    for present, absent in found:
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


def aliases(
    document: Document,
    block: dict[str, Any],
    rules: tuple[str, ...],
    group_by: tuple[str, ...],
    threshold: Threshold | None,
) -> dict[str, dict[str, str]]:
    """Return field names by alias and rule; an alias nobody uses, or of no rule, is a fault."""
    found: dict[str, dict[str, str]] = {}
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
        found[alias] = dict(mapping)
    return found
