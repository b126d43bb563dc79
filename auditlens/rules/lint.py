"""Doubtful places in rules that load: they run, but may not mean what their author thinks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import polars as pl

from auditlens.documents import Document
from auditlens.events.columns import EVENT_SCHEMA
from auditlens.rules.attack import ATTACK_VERSION, REPLACED, TACTICS, TECHNIQUES
from auditlens.rules.condition import Keyword, Match, Number, Text, leaves
from auditlens.rules.problem import Problem
from auditlens.rules.records import nearest, unknown_field
from auditlens.rules.rule import Correlation, Detection, Rule
from auditlens.rules.scan import Scan
from auditlens.rules.selections import items

__all__ = ["filter_lints", "lints"]

RETENTION_DAYS = 90
Found = Iterator[Problem]


def lints(document: Document, rule: Rule, product: str | None) -> Found:
    """Yield every remark on one rule; ``product`` is whose events it is about in the end."""
    checks: tuple[Callable[[Document, Rule], Found], ...] = (
        tags, actions, modifiers, selections, catch_alls, empty_events, windows, metadata
    )  # fmt: skip
    for one in checks:
        yield from one(document, rule)
    yield from fields(document, rule, product)
    yield from sidecar(document, rule)
    yield from conventions(document, rule)


def remark(
    document: Document, rule: Rule, severity: str, code: str, message: str,
    *where: str | int, fix: str = "",
) -> Problem:  # fmt: skip
    error = document.error(message, *where)
    return Problem(severity, code, message, document.path, error.line, error.column, rule.name, fix)


def filter_lints(document: Document) -> Found:
    """A filter without ``not`` keeps what it names, where most authors mean to leave it out."""
    condition = str(document.data["filter"].get("condition"))
    if not re.search(r"\bnot\b", condition):
        error = document.error("", "filter", "condition")
        name = str(document.data.get("name") or document.data.get("title") or "")
        yield Problem(
            "warning", "filter-keeps", "a filter without 'not' keeps only the events it names",
            document.path, error.line, error.column, name,
            f"Write 'not ({condition})' to leave them out",
        )  # fmt: skip


def tags(document: Document, rule: Rule) -> Found:
    """ATT&CK ids and tactics against the bundled table."""
    for n, tag in enumerate(rule.tags):
        name = tag.removeprefix("attack.").lower()
        if name == tag.lower() or re.fullmatch(r"[gs]\d{4}", name):
            continue
        if name in REPLACED:
            yield remark(document, rule, "warning", "attack-replaced",
                         f"{tag} is the number of an older ATT&CK", "tags", n,
                         fix=f"Version {ATTACK_VERSION} has {REPLACED[name]}")  # fmt: skip
        elif name not in TACTICS and name not in TECHNIQUES:
            near = get_close_matches(name, [*TACTICS, *TECHNIQUES], n=1)
            yield remark(document, rule, "note", "attack-unknown",
                         f"{tag} is not in the bundled part of ATT&CK {ATTACK_VERSION}", "tags", n,
                         fix=f"Did you mean attack.{near[0]}?" if near else "")  # fmt: skip
        elif name in TECHNIQUES and not tactic_named(rule, name):
            yield remark(document, rule, "note", "attack-tactic",
                         f"{tag} stands without one of its tactics", "tags", n,
                         fix=f"Add attack.{TECHNIQUES[name][1][0]}")  # fmt: skip


def tactic_named(rule: Rule, technique: str) -> bool:
    return any(f"attack.{tactic}" in rule.tags for tactic in TECHNIQUES[technique][1])


def fields(document: Document, rule: Rule, product: str | None) -> Found:
    """Fields that no event has; ``product`` is the log source, of a window that of its rules."""
    for name in rule.fields:
        if unknown_field(name, product):
            near = nearest(name, product)
            free = "Write metadata.NAME for a field of the record's own"
            yield remark(document, rule, "error", "unknown-field",
                         f"no event has the field '{name}'", *place_of(document, name),
                         fix=f"Did you mean '{near}'?" if near else free)  # fmt: skip


def place_of(document: Document, field: str) -> tuple[str | int, ...]:
    """Find where a field stands in the document: as a key, or as a value of a list."""
    for where in document.marks:
        if where and str(where[-1]).split("|")[0] == field:
            return where
    for where in document.marks:
        value = document.data
        for step in where:
            value = value[step]
        if value == field:
            return where
    return ("correlation",) if "correlation" in document.data else ()


def actions(document: Document, rule: Rule) -> Found:
    """Values of ``action`` and ``action_group`` that the classifier never gives."""
    if rule.logsource.product != "secoda" or not isinstance(rule.body, Detection):
        return
    from auditlens.actions import ACTION_GROUPS, load_classifier

    known = {pattern.action for pattern in load_classifier().patterns}
    for leaf in dict.fromkeys(leaves(rule.body.condition)):
        if not isinstance(leaf, Match) or not isinstance(leaf.value, Text):
            continue
        words = known if leaf.field == "action" else set(ACTION_GROUPS)
        exact = len(leaf.value.parts) == 1 and isinstance(leaf.value.parts[0], str)
        if leaf.field in ("action", "action_group") and exact and str(leaf.value) not in words:
            near = get_close_matches(str(leaf.value), sorted(words), n=1)
            yield remark(
                document,
                rule,
                "error",
                "unknown-action",
                f"no event is classified as '{leaf.value}'",
                *place_of(document, leaf.field),
                fix=f"Did you mean '{near[0]}'?" if near else "",
            )


def tested(document: Document) -> Iterator[tuple[tuple[str | int, ...], str | None, Any]]:
    block = "detection" if "detection" in document.data else "filter"
    for name, selection in document.data.get(block, {}).items():
        if name not in ("condition", "rules"):
            yield from items(selection, (block, name))


def modifiers(document: Document, rule: Rule) -> Found:
    """Modifiers and values that Sigma allows and authors rarely mean."""
    if not isinstance(rule.body, Detection):
        return
    keys = [key or "" for _, key, _ in tested(document)]
    for where, key, value in tested(document):
        name, *used = (key or "").split("|")
        values = value if isinstance(value, list) else [value]
        if "all" in used and len(values) < 2:
            yield remark(
                document,
                rule,
                "warning",
                "single-all",
                f"'all' on a single value of '{name}'",
                *where,
                fix="Drop 'all'",
            )
        if len(values) > 1 and None in values:
            yield remark(document, rule, "warning", "null-in-list",
                         f"null inside a list of '{name}'", *where,
                         fix="Write null as a selection of its own")  # fmt: skip
        if "neq" in used and f"{name}|exists" not in keys:
            yield remark(document, rule, "warning", "neq-missing",
                         f"'neq' also matches events without '{name}'", *where,
                         fix=f"Add '{name}|exists: true' beside it")  # fmt: skip
        if key is None or (not name and "re" not in used):
            yield remark(document, rule, "note", "keyword",
                         "a keyword searches every text of the event", *where,
                         fix="Name a field if you know it")  # fmt: skip
    for leaf in dict.fromkeys(leaves(rule.body.condition)):
        if isinstance(leaf, Match) and isinstance(leaf.value, Number) and str(
            EVENT_SCHEMA.get(leaf.field.replace(".", "_"), "")) == "String":  # fmt: skip
            yield remark(document, rule, "note", "number-as-text",
                         f"'{leaf.field}' is text; {leaf.value.value} is compared as text",
                         *place_of(document, leaf.field))  # fmt: skip


def selections(document: Document, rule: Rule) -> Found:
    """Selections that no condition uses."""
    if not isinstance(rule.body, Detection):
        return
    detection = document.data["detection"]
    condition = detection["condition"]
    text = " ".join(condition if isinstance(condition, list) else [condition])
    words = re.findall(r"[A-Za-z0-9_*-]+", text)
    for name in detection:
        if name == "condition" or any(uses(word, name) for word in words):
            continue
        yield remark(document, rule, "warning", "unused-selection",
                     f"nothing uses the selection '{name}'", "detection", name)  # fmt: skip


def uses(word: str, name: str) -> bool:
    if word == "them":
        return not name.startswith("_")
    return re.fullmatch(word.replace("*", ".*"), name) is not None


def catch_alls(document: Document, rule: Rule) -> Found:
    """Conditions that say ``of them``."""
    if isinstance(rule.body, Detection):
        condition = str(document.data["detection"]["condition"])
        if "of them" in condition:
            yield remark(
                document,
                rule,
                "note",
                "of-them",
                "'of them' changes its meaning with every selection that is added",
                "detection",
                "condition",
                fix="Name the selections: 1 of selection_*",
            )


def empty_events(document: Document, rule: Rule) -> Found:
    """Conditions that hold for an event without any field: only the log source keeps them off."""
    if not isinstance(rule.body, Detection):
        return
    nothing = Scan(pl.DataFrame({"": [None]}, schema={"": pl.String}))
    if nothing.mask(rule.body.condition, nothing.every_row).all():
        yield remark(
            document,
            rule,
            "warning",
            "true-of-nothing",
            "the condition is true of an event without any field",
            "detection",
            "condition",
            fix="Ask for a value as well: 'selection and not filter'",
        )


def windows(document: Document, rule: Rule) -> Found:
    """Windows longer than the log, and windows over everybody."""
    if not isinstance(rule.body, Correlation):
        return
    block: Mapping[str, Any] = document.data["correlation"]
    if rule.body.seconds > RETENTION_DAYS * 86_400:
        yield remark(document, rule, "warning", "long-window",
                     f"the time span is longer than the {RETENTION_DAYS} days a source may keep",
                     "correlation", "timespan")  # fmt: skip
    if str(block.get("timespan", ""))[-1:] in ("M", "y"):
        yield remark(document, rule, "warning", "average-unit",
                     "months and years are average lengths in Sigma", "correlation", "timespan",
                     fix="Write days")  # fmt: skip
    if not rule.body.group_by:
        yield remark(
            document,
            rule,
            "warning",
            "no-group",
            "without 'group-by' the events of everybody are counted together",
            "correlation",
            fix="Add 'group-by: [sender.id]' if one sender is meant",
        )


def metadata(document: Document, rule: Rule) -> Found:
    """What a reader of a finding needs and a rule may lack."""
    for key in ("description", "falsepositives", "level", "author", "date", "status"):
        if not document.data.get(key):
            yield remark(document, rule, "note", "metadata", f"'{key}' is missing")
    if rule.level == "critical" and rule.status == "experimental" and not rule.description:
        yield remark(document, rule, "warning", "bold", "critical, and not described", "level")
    if isinstance(rule.body, Detection) and any(
        isinstance(leaf, Keyword) for leaf in leaves(rule.body.condition)
    ) and rule.level in ("high", "critical"):  # fmt: skip
        yield remark(document, rule, "note", "loud-keyword",
                     f"keywords alone rarely carry the level {rule.level}", "level")  # fmt: skip


def sidecar(document: Document, rule: Rule) -> Found:
    """Tests beside the rule: one that matches and one that does not, and what the kind asks."""
    from auditlens.errors import DocumentError
    from auditlens.rules.sidecar import read_cases, sidecar_path

    path = sidecar_path(rule.path)
    if not path.is_file():
        yield remark(document, rule, "warning", "no-tests", f"there is no {path.name} beside it")
        return
    try:
        cases = read_cases(path, classified=False)
    except DocumentError as error:
        yield Problem("error", "invalid-test", error.message, path, error.line, error.column,
                      rule.name, error.fix)  # fmt: skip
        return
    expected = {case.expect for case in cases}
    needed = {"match", "no_match"} | ({"learning"} if needs_learning(rule) else set())
    for one in sorted(needed - expected):
        yield remark(document, rule, "warning", "tests-missing", f"no test expects {one}")
    shapes = {case.kind for case in cases}
    if isinstance(rule.body, Correlation):
        wanted = {"just inside", "just outside"} | (
            {"other group"} if rule.body.group_by else set()
        )
        wanted |= {"wrong order"} if rule.body.type == "temporal_ordered" else set()
        for one in sorted(wanted - shapes):
            yield remark(document, rule, "warning", "tests-missing", f"no test is marked '{one}'")


def needs_learning(rule: Rule) -> bool:
    return rule.kind == "behaviour"


def conventions(document: Document, rule: Rule) -> Found:
    """SigmaHQ's own validators, those that need no network."""
    from auditlens.rules.validators import sigmahq_remarks

    for severity, code, message in sigmahq_remarks(document, rule):
        yield remark(document, rule, severity, code, message)
