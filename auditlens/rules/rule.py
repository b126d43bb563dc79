"""What a rule is once it is loaded: frozen data, with nothing of the YAML left in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from auditlens.errors import DocumentError
from auditlens.rules.condition import Node, names
from auditlens.rules.logsource import LogSource

__all__ = [
    "REASON_WORDS",
    "Behaviour",
    "Correlation",
    "Detection",
    "Rule",
    "RuleSet",
    "Threshold",
]

REASON_WORDS = frozenset(
    {"subject", "count", "value", "expected", "resources", "senders", "first", "last"}
)
"""What a rule's reason template may name between braces."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A rule on single events."""

    condition: Node
    filters: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison of a window's metric with a number; ``op`` as in Bound."""

    op: str
    value: int | float
    fields: tuple[str, ...] = ()
    percentile: float | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rule on windows of other rules' hits.

    ``rules`` are ids, in the order written. ``aliases`` maps an alias to a field for each rule
    id. ``terms`` is a boolean condition in disjunctive form: pairs of the rule ids that must and
    must not occur; empty when ``threshold`` decides. ``seconds`` is the time span.
    """

    type: str
    rules: tuple[str, ...]
    seconds: int
    group_by: tuple[str, ...] = ()
    threshold: Threshold | None = None
    terms: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    generate: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A rule on how a subject's hits compare with its past or with its peers.

    ``settings`` holds the kind's own keys, time spans already in seconds.
    """

    type: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    generate: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule with its metadata; ``body`` says which kind it is."""

    id: str
    name: str
    title: str
    body: Detection | Correlation | Behaviour
    level: str = "medium"
    status: str = ""
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    logsource: LogSource = field(default_factory=LogSource)
    enabled: bool = True
    reason_off: str = ""
    reason: str = ""
    data: str = "A"
    path: Path = Path()
    line: int = 1
    digest: str = ""

    @property
    def kind(self) -> str:
        """Return ``rule``, ``correlation`` or ``behaviour``."""
        if isinstance(self.body, Detection):
            return "rule"
        return "correlation" if isinstance(self.body, Correlation) else "behaviour"

    @property
    def product(self) -> str:
        return self.logsource.product or ""

    @property
    def references_to(self) -> tuple[str, ...]:
        """Ids of the rules this one is built on."""
        return () if isinstance(self.body, Detection) else self.body.rules

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields this rule reads itself."""
        body = self.body
        if isinstance(body, Detection):
            return names(body.condition)
        found = set(body.group_by)
        if isinstance(body, Correlation):
            found -= set(body.aliases)
            found.update(name for of_rule in body.aliases.values() for name in of_rule.values())
            found.update(body.threshold.fields if body.threshold else ())
        else:
            wanted = body.settings.get("fields", ())
            found.update(wanted if isinstance(wanted, tuple) else ())
        return tuple(sorted(found))


@dataclass(frozen=True)
class RuleSet:
    """Loaded rules in the order of their files, the placeholders that filled them, the files.

    ``skipped`` are the faults of the documents that were left out on request.
    """

    rules: tuple[Rule, ...]
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    skipped: tuple[DocumentError, ...] = ()

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, key: str) -> Rule:
        """Return a rule by id, name or title; raise KeyError when there is none."""
        for attribute in ("id", "name", "title"):
            for rule in self.rules:
                if getattr(rule, attribute) == key:
                    return rule
        raise KeyError(key)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over every rule and every placeholder value, whatever their order."""
        total = hashlib.sha256()
        for rule in sorted(self.rules, key=lambda rule: rule.id):
            total.update(f"{rule.id} {rule.digest} {rule.enabled}\n".encode())
        for fault in self.skipped:
            total.update(f"skipped {fault.path.name} {fault.line} {fault.message}\n".encode())
        for name, values in sorted(self.placeholders.items()):
            total.update(f"{name} {sorted(values)!r}\n".encode())
        return total.hexdigest()

    @property
    def internal(self) -> frozenset[str]:
        """Ids that only feed other rules and are not reported themselves (Sigma's ``generate``)."""
        used = {
            used
            for rule in self.rules
            if not isinstance(rule.body, Detection) and not rule.body.generate and rule.enabled
            for used in rule.body.rules
        }
        return frozenset(used)

    def only(self, *ids: str) -> RuleSet:
        """Return a set with these rules, and those they are built on, each enabled."""
        wanted: set[str] = set()
        stack = list(ids)
        while stack:
            rule = self[stack.pop()]
            if rule.id not in wanted:
                wanted.add(rule.id)
                stack.extend(rule.references_to)
        kept = tuple(replace(rule, enabled=True) for rule in self.rules if rule.id in wanted)
        return replace(self, rules=kept)

    def match(
        self,
        frame: pl.DataFrame | pl.LazyFrame,
        *,
        time: str | None = None,
        timezone: str = "UTC",
    ) -> pl.DataFrame:
        """Match every enabled rule against any frame, whatever its columns.

        Returns one row a hit: ``rule_id`` (String) and ``row`` (UInt32, position in ``frame``),
        sorted by both. A correlation's hit is its anchor: the event at which the window
        qualifies. ``time`` names the column of event times; needed for correlations and
        behaviours only, and found by itself under the usual names. Raises UsageError without it.
        """
        from auditlens.rules.evaluate import match_frame

        held = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
        return match_frame(self, held, time=time, timezone=timezone)

    def _repr_html_(self) -> str:
        from auditlens.rules.notation import html_table

        return html_table(self)
