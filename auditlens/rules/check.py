"""``rules check``: everything that can be said of rules without running them on a log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.documents import read_documents
from auditlens.errors import DocumentError, DocumentErrors
from auditlens.rules.lint import filter_lints, lints
from auditlens.rules.load import load_rules
from auditlens.rules.parse import DATE_KEYS, STRICT_KEYS
from auditlens.rules.problem import SEVERITIES, Problem
from auditlens.rules.rule import Rule, RuleSet

__all__ = ["CheckOutcome", "check_rules"]


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

    Faults in documents are returned as problems of severity ``error``, not raised. UsageError
    still says that there is nothing to check.
    """
    try:
        rules = load_rules(path, product=product, placeholders=placeholders)
    except DocumentErrors as errors:
        found = [problem_of(error) for error in errors.errors]
        return CheckOutcome(tuple(sorted(found, key=order)), None)
    found = list(remarks(rules))
    return CheckOutcome(tuple(sorted(found, key=order)), rules)


def order(problem: Problem) -> tuple[str, int, int, str]:
    return problem.path.as_posix(), problem.line, problem.column, problem.code


def problem_of(error: DocumentError) -> Problem:
    return Problem("error", "invalid", error.message, error.path, error.line, error.column,
                   "", error.fix)  # fmt: skip


def remarks(rules: RuleSet) -> Iterator[Problem]:
    """Yield the remarks on every document of the set."""
    by_place = {(rule.path, rule.line): rule for rule in rules.rules}
    for path in rules.files:
        for document in read_documents(path, date_keys=DATE_KEYS, strict_keys=STRICT_KEYS):
            rule = by_place.get((path, document.marks.get((), (1, 1))[0]))
            if rule is not None:
                yield from lints(document, rule, product_of(rules, rule))
            else:
                yield from filter_lints(document)


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
