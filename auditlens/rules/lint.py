"""``rules check``: faults, doubtful places and departures from convention in rules.

Rules with doubtful places load and run, but may not mean what their author thinks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.directory import MARKS
from auditlens.errors import DocumentError, DocumentErrors
from auditlens.events import ACTION_GROUPS, EVENT_SCHEMA, load_classifier
from auditlens.rules.condition import Keyword, Match, Number, Text, leaves
from auditlens.rules.coverage import ATTACK_VERSION, REPLACED, TACTICS, TECHNIQUES
from auditlens.rules.detection import items
from auditlens.rules.draft import PLACEHOLDER_FIXES, PLACEHOLDERS
from auditlens.rules.matching import Matcher
from auditlens.rules.parse import DATE_KEYS, STRICT_KEYS
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule
from auditlens.rules.ruleset import RuleSet, load_rules
from auditlens.rules.sidecar import read_cases, sidecar_path
from auditlens.yaml_documents import Document, read_documents

__all__ = ["CheckOutcome", "Problem", "check_rules"]

SEVERITIES = ("error", "warning", "note")
"""Gravest first: the rule cannot be trusted; it may not mean what it says; worth knowing."""


@dataclass(frozen=True)
class Problem:
    """A remark: how grave, a code for it, what was found, where, and what would be right."""

    severity: str
    code: str
    message: str
    path: Path
    line: int
    column: int
    rule: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = (
            f"{self.path}:{self.line}:{self.column}: {self.severity} [{self.code}] {self.message}"
        )
        return f"{text}. {self.fix}" if self.fix else text


@dataclass(frozen=True)
class CheckOutcome:
    """What was found: problems in the order of files and lines, and the rules that loaded."""

    problems: tuple[Problem, ...]
    rules: RuleSet | None

    def worst(self) -> str:
        """Return the gravest severity found, or an empty text."""
        found = {problem.severity for problem in self.problems}
        return next((one for one in SEVERITIES if one in found), "")

    def table(self) -> pl.DataFrame:
        """Return one row a problem."""
        rows = [asdict(problem) | {"path": problem.path.as_posix()} for problem in self.problems]
        names = ("severity", "code", "message", "path", "line", "column", "rule", "fix")
        schema = {name: pl.Int64 if name in ("line", "column") else pl.String for name in names}
        return pl.DataFrame(rows, schema=schema)

    def rule_table(self) -> pl.DataFrame:
        """Return one row a rule: which data it needs, and whether it is on."""
        rules = self.rules.rules if self.rules else ()
        return pl.DataFrame(
            {
                "name": [rule.name for rule in rules],
                "kind": [rule.kind for rule in rules],
                "data": [rule.data for rule in rules],
                "enabled": [rule.enabled for rule in rules],
                "reason_off": [rule.reason_off for rule in rules],
            },
            schema_overrides={"enabled": pl.Boolean},
        )

    def sarif(self) -> str:
        """Return the problems as a SARIF 2.1.0 document."""
        return json.dumps(sarif_document(self.problems), indent=2, ensure_ascii=False)

    def junit(self) -> str:
        """Return the problems as a JUnit document, a test case a rule."""
        return junit_document(self.problems, self.rules.rules if self.rules else ())


def check_rules(
    path: Path | str | Sequence[Path] | None = None,
    *,
    product: str = "secoda",
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> CheckOutcome:
    """Load the rules and look for faults, doubtful places and departures from convention.

    Args:
        path: A file, a folder or several; None = the shipped rules of ``product``.
        product: Whose shipped rules, when there is no path.
        placeholders: The values of ``%name%`` in rules with the ``expand`` modifier.

    Returns:
        Every fault of every document as a problem of severity ``error``, the remarks on the
        rules that load, and these rules; no rules when none loads.

    Raises:
        UsageError: When there is nothing to check.
    """
    problems: list[Problem] = []
    rules: RuleSet | None = None
    try:
        rules = load_rules(path, product=product, placeholders=placeholders)
    except DocumentErrors as faults:
        problems.extend(problem_of(error) for error in faults.errors)
        with suppress(DocumentErrors):
            rules = load_rules(path, product=product, placeholders=placeholders, skip_broken=True)
    if rules:
        problems.extend(set_remarks(rules))
    return CheckOutcome(tuple(sorted(problems, key=problem_order)), rules)


def problem_order(problem: Problem) -> tuple[str, int, int, str]:
    return problem.path.as_posix(), problem.line, problem.column, problem.code


def problem_of(error: DocumentError) -> Problem:
    return Problem("error", "invalid", error.message, error.path, error.line, error.column,
                   "", error.fix)  # fmt: skip


def set_remarks(rules: RuleSet) -> Iterator[Problem]:
    """Yield the remarks on every document of the set."""
    by_place = {(rule.path, rule.line): rule for rule in rules.rules}
    for path in rules.files:
        for document in read_documents(path, date_keys=DATE_KEYS, strict_keys=STRICT_KEYS):
            rule = by_place.get((path, document.marks.get((), (1, 1))[0]))
            if rule is not None:
                yield from rule_remarks(document, rule, product_of(rules, rule))
            elif isinstance(document.data, dict) and isinstance(document.data.get("filter"), dict):
                yield from filter_remarks(document)


def product_of(rules: RuleSet, rule: Rule) -> str | None:
    """Return the product of a rule's events: of a window or a behaviour, that of its rules."""
    while rule.references_to:
        rule = rules[rule.references_to[0]]
    return rule.logsource.product


def sarif_document(problems: Sequence[Problem]) -> dict[str, Any]:
    levels = {"error": "error", "warning": "warning", "note": "note"}
    results = [
        {
            "ruleId": problem.code,
            "level": levels[problem.severity],
            "message": {"text": f"{problem.message}. {problem.fix}".rstrip(". ") + "."},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": problem.path.as_posix()},
                        "region": {
                            "startLine": max(1, problem.line),
                            "startColumn": max(1, problem.column),
                        },
                    }
                }
            ],
        }
        for problem in problems
    ]
    codes = sorted({problem.code for problem in problems})
    driver = {"name": "auditlens rules check", "rules": [{"id": code} for code in codes]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def junit_document(problems: Sequence[Problem], rules: Sequence[Rule]) -> str:
    from xml.sax.saxutils import escape, quoteattr

    by_file: dict[str, list[Problem]] = {rule.path.as_posix(): [] for rule in rules}
    for problem in problems:
        by_file.setdefault(problem.path.as_posix(), []).append(problem)
    failed = sum(any(p.severity == "error" for p in found) for found in by_file.values())
    lines = [f'<testsuite name="rules check" tests="{len(by_file)}" failures="{failed}">']
    for path, found in by_file.items():
        lines.append(f"  <testcase classname={quoteattr(path)} name={quoteattr(Path(path).stem)}>")
        for problem in found:
            tag = "failure" if problem.severity == "error" else "system-out"
            lines.append(f"    <{tag}>{escape(str(problem))}</{tag}>")
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>"]) + "\n"


RETENTION_DAYS = 90
Remarks = Iterator[Problem]


def rule_remarks(document: Document, rule: Rule, product: str | None) -> Remarks:
    """Yield every remark on one rule; ``product`` is whose events it is about in the end."""
    checks: tuple[Callable[[Document, Rule], Remarks], ...] = (
        unfilled, endings, tags, actions, modifiers, selections, catch_alls, empty_events,
        time_spans, metadata,
    )  # fmt: skip
    for one in checks:
        yield from one(document, rule)
    yield from unknown_fields(document, rule, product)
    yield from sidecar(document, rule)
    yield from conventions(document, rule)


def remark(
    document: Document, rule: Rule, severity: str, code: str, message: str,
    *where: str | int, fix: str = "",
) -> Problem:  # fmt: skip
    error = document.error(message, *where)
    return Problem(severity, code, message, document.path, error.line, error.column, rule.name, fix)


def filter_remarks(document: Document) -> Remarks:
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


def unfilled(document: Document, rule: Rule) -> Remarks:
    """Words of a template that its author was to replace."""
    for key, words in PLACEHOLDERS.items():
        if str(document.data.get(key, "")).strip() in words:
            yield remark(document, rule, "error", "unfilled",
                         f"'{key}' still holds the words of the template", key,
                         fix=PLACEHOLDER_FIXES[key])  # fmt: skip


def endings(document: Document, rule: Rule) -> Remarks:
    """A plural in brackets, which a reader sees as it is written."""
    for key, template in (("reason", rule.reason), ("phrase", rule.phrase)):
        if found := re.search(r"[a-z]*\((s|es|ies)\)", template):
            yield remark(document, rule, "warning", "plural",
                         f"'{found[0]}' in the {key} is shown as it stands", "auditlens", key,
                         fix="Let the number carry its noun: {count|event}")  # fmt: skip


def tags(document: Document, rule: Rule) -> Remarks:
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


def unknown_fields(document: Document, rule: Rule, product: str | None) -> Remarks:
    """Fields that no event has; ``product`` is the log source, of a window that of its rules."""
    for name in rule.fields:
        if unknown_field(name, product):
            near = nearest_field(name, product)
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


def actions(document: Document, rule: Rule) -> Remarks:
    """Values of ``action`` and ``action_group`` that the classifier never gives."""
    if rule.logsource.product != "secoda" or not isinstance(rule.body, Detection):
        return
    for leaf in dict.fromkeys(leaves(rule.body.condition)):
        if not isinstance(leaf, Match) or not isinstance(leaf.value, Text):
            continue
        words = shipped_actions() if leaf.field == "action" else frozenset(ACTION_GROUPS)
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


@cache
def shipped_actions() -> frozenset[str]:
    """The actions that the shipped classifier gives."""
    return frozenset(pattern.action for pattern in load_classifier().patterns)


def detection_items(document: Document) -> Iterator[tuple[tuple[str | int, ...], str | None, Any]]:
    block = "detection" if "detection" in document.data else "filter"
    for name, selection in document.data.get(block, {}).items():
        if name not in ("condition", "rules"):
            yield from items(selection, (block, name))


def modifiers(document: Document, rule: Rule) -> Remarks:
    """Modifiers and values that Sigma allows and authors rarely mean."""
    if not isinstance(rule.body, Detection):
        return
    keys = [key or "" for _, key, _ in detection_items(document)]
    for where, key, value in detection_items(document):
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


def selections(document: Document, rule: Rule) -> Remarks:
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


def catch_alls(document: Document, rule: Rule) -> Remarks:
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


def empty_events(document: Document, rule: Rule) -> Remarks:
    """Conditions that hold for an event without any field: only the log source keeps them off."""
    if not isinstance(rule.body, Detection):
        return
    nothing = Matcher(pl.DataFrame({"": [None]}, schema={"": pl.String}))
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


def time_spans(document: Document, rule: Rule) -> Remarks:
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


def metadata(document: Document, rule: Rule) -> Remarks:
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


def sidecar(document: Document, rule: Rule) -> Remarks:
    """Tests beside the rule: one that matches and one that does not, and what the kind asks."""
    path = sidecar_path(rule.path)
    if not path.is_file():
        yield remark(document, rule, "warning", "no-tests", f"there is no {path.name} beside it")
        return
    try:
        cases = read_cases(path, classified=False)
    except DocumentErrors as faults:
        for error in faults.errors:
            yield Problem("error", "invalid-test", error.message, path, error.line, error.column,
                          rule.name, error.fix)  # fmt: skip
        return
    expected = {case.expect for case in cases}
    needed = {"match", "no_match"} | ({"learning"} if rule.kind == "behaviour" else set())
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


def conventions(document: Document, rule: Rule) -> Remarks:
    """SigmaHQ's own validators, those that need no network."""
    for severity, code, message in sigmahq_remarks(document, rule):
        yield remark(document, rule, severity, code, message)


NEED_NETWORK = frozenset(
    {"attacktag", "d3_fendtag", "sigmahq_category_event_id",
     "sigmahq_category_windows_provider_name", "sigmahq_fieldname_cast", "sigmahq_filename_prefix",
     "sigmahq_invalid_fieldname", "sigmahq_logsource_unknown", "sigmahq_redundant_field",
     "sigmahq_tags_techniques_without_tactics"}
)  # fmt: skip
NOT_OURS = frozenset(
    {"sigmahq_unknown_field", "tlptag", "tlpv1_tag", "tlpv2_tag", "invalid_related_type",
     "sigmahq_filename_convention", "sigmahq_fieldname_with_space", "duplicate_references",
     "sigmahq_author_existence", "specific_instead_of_generic_logsource"}
)  # fmt: skip
"""Left out: rules of one repository's own house, and our one added key."""


def sigmahq_remarks(document: Document, rule: Rule) -> Iterator[tuple[str, str, str]]:
    """Yield (severity, code, message) of every validator's remark on a document."""
    from sigma.exceptions import SigmaError

    if isinstance(rule.body, Behaviour):
        return
    try:
        parsed = parsed_rule(document, rule)
    except SigmaError as error:
        yield "warning", "sigma", str(error)
        return
    for name, validator in offline_validators():
        for issue in validator.validate(parsed):
            severity = "warning" if issue.severity.name == "HIGH" else "note"
            yield severity, name.replace("_", "-"), issue_text(issue)


def parsed_rule(document: Document, rule: Rule) -> Any:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

    data = {key: value for key, value in document.data.items() if key != "auditlens"}
    if isinstance(rule.body, Correlation):
        return SigmaCorrelationRule.from_dict(data)
    return SigmaRule.from_dict(data)


def offline_validators() -> list[tuple[str, Any]]:
    """Make every installed validator that needs no network, sorted by name."""
    from sigma.validators.core import validators as core

    found = dict(core)
    if find_spec("sigma.validators.sigmahq"):
        from sigma.validators.sigmahq import validators as sigmahq

        found |= sigmahq
    left_out = NEED_NETWORK | NOT_OURS
    return [(name, found[name]()) for name in sorted(found) if name not in left_out]


def issue_text(issue: Any) -> str:
    """Put a validator's description and its own fields in one line."""
    details = {
        name: value
        for name, value in vars(issue).items()
        if name not in ("rules", "severity", "description") and isinstance(value, str | int)
    }
    detail = ", ".join(f"{name} {value}" for name, value in sorted(details.items()))
    text = re.sub(r"\s+", " ", str(issue.description)).strip().rstrip(".")
    return f"{text} ({detail})" if detail else text


COLUMNS = frozenset({*EVENT_SCHEMA, *MARKS} - {"leaf", "metadata"})

CLOUDTRAIL = frozenset(
    {"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion",
     "sourceIPAddress", "userAgent", "errorCode", "errorMessage", "requestParameters",
     "responseElements", "additionalEventData", "requestID", "eventID", "eventType", "apiVersion",
     "managementEvent", "readOnly", "resources", "recipientAccountId", "serviceEventDetails",
     "sharedEventID", "vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "addendum",
     "sessionCredentialFromConsole", "edgeDeviceDetails", "tlsDetails", "insightDetails",
     "eventContext"}
)  # fmt: skip
IDENTITY = frozenset(
    {"type", "userName", "principalId", "arn", "accountId", "accessKeyId", "sessionContext",
     "invokedBy", "inScopeOf", "credentialId", "identityProvider", "onBehalfOf", "userId"}
)  # fmt: skip
"""What stands under ``userIdentity``."""


def unknown_field(name: str, product: str | None) -> bool:
    """Say that no event of this product has the field; other products are not known here.

    Secoda's records are free under ``metadata.``; CloudTrail's begin with one of its own names.
    """
    if name.replace(".", "_") in COLUMNS or name in COLUMNS:
        return False
    if product in (None, "secoda"):
        return not name.startswith("metadata.")
    if product != "aws":
        return False
    first, _, rest = name.removeprefix("metadata.").partition(".")
    if first.partition("[")[0] not in CLOUDTRAIL:
        return True
    return first == "userIdentity" and bool(rest) and rest.partition(".")[0] not in IDENTITY


def nearest_field(name: str, product: str | None) -> str:
    """Return the field that was probably meant, or an empty text."""
    name = name.removeprefix("metadata.")
    if product != "aws":
        near = get_close_matches(name.replace(".", "_"), sorted(COLUMNS), n=1)
        return near[0] if near else ""
    own = {field.lower(): field for field in CLOUDTRAIL}
    first, dot, rest = name.partition(".")
    meant = get_close_matches(first.lower(), sorted(own), n=1, cutoff=0.8)
    if dot and meant and own[meant[0]] != "userIdentity":
        return f"{own[meant[0]]}.{rest}"
    inside = {f"userIdentity.{part}" for part in IDENTITY}
    known = {field.lower(): field for field in (*COLUMNS, *own.values(), *inside)}
    near = get_close_matches(name.lower(), sorted(known), n=1)
    return known[near[0]] if near else ""
