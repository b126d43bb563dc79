"""What a rule is once it is loaded: frozen data, with nothing of the YAML left in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auditlens.rules.condition import Node, names
from auditlens.rules.logsource import LogSource

__all__ = [
    "COUNTED",
    "KIND_WORDS",
    "LONGEST_PHRASE",
    "REASON_WORDS",
    "Behaviour",
    "Correlation",
    "Detection",
    "Rule",
    "Threshold",
    "internal_ids",
]

REASON_WORDS = frozenset(
    {"subject", "count", "value", "expected", "resources", "senders", "first", "last"}
)
"""What a rule's reason and phrase may name between braces."""

COUNTED = frozenset(
    {"count", "value", "expected", "resources", "senders", "days", "gap", "peers", "others"}
)
"""Those of them that are numbers, which may carry a noun: ``{count|event}``."""

LONGEST_PHRASE = 60
"""How many characters a phrase has at most, without what is filled in."""

KIND_WORDS: Mapping[str, frozenset[str]] = {
    "first_seen": frozenset({"days", "peers", "others", "since"}),
    "dormant_return": frozenset({"days", "gap"}),
    "off_hours": frozenset({"days", "hour"}),
}
"""What it may name besides, by the kind of behaviour: active days before, other accounts that did
the same and all others, the record's first day, the longest earlier gap in days, the hour."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A rule on single events.

    Attributes:
        condition: The parsed condition.
        filters: The filters that were joined to it; default: none.
        placeholders: Names of the placeholders it uses; default: none.
    """

    condition: Node
    filters: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison of a window's metric with a number.

    Attributes:
        op: ``lt``, ``lte``, ``gt``, ``gte``, ``eq`` or ``neq``.
        value: The number.
        fields: The fields that the metric is of; default: none, for a count of events.
        percentile: Which percentile, 0 to 100, of ``value_percentile``; else None.
    """

    op: str
    value: int | float
    fields: tuple[str, ...] = ()
    percentile: float | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rule on windows of other rules' hits.

    Attributes:
        type: A metric such as ``event_count``, or ``temporal`` or ``temporal_ordered``.
        rules: Ids of the rules whose hits count, in the order written.
        seconds: The time span.
        group_by: Fields that hits of one window share; default: none.
        threshold: What the window's metric is compared with; None where ``terms`` decide.
        terms: A boolean condition in disjunctive form: pairs of the rule ids that must and must not
            occur; empty when ``threshold`` decides.
        aliases: By alias and rule id, the field that it stands for.
        generate: Whether the rules it is built on make findings of their own too; default: no.
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

    Attributes:
        type: ``first_seen``, ``dormant_return``, ``off_hours``, ``deviation`` or another kind of
            behaviour.
        rules: Ids of the rules whose hits count, in the order written.
        group_by: Fields that together make a subject; default: none.
        settings: The kind's own keys, time spans already in seconds; default: none.
        generate: Whether the rules it is built on make findings of their own too; default: no.
    """

    type: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    generate: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule with its metadata.

    Attributes:
        id: Its id, by which other rules and journals name it.
        name: Its short name; where the file gives none, the name of the file up to its first dot.
        title: What it finds, in a few words.
        body: What it looks for; its class says which kind of rule this is.
        level: ``informational`` to ``critical``, as in Sigma; default: ``medium``.
        status: Its maturity in Sigma's words.
        description: What it is about, in prose.
        author: Who wrote it.
        tags: Sigma's tags, such as ``attack.t1530``.
        controls: Clauses of frameworks that it serves.
        falsepositives: What is harmless and looks alike.
        references: Addresses of its sources.
        logsource: The log it is about; default: any.
        enabled: Whether it runs.
        reason_off: Why it does not run; empty where it does.
        reason: Text of a finding's reason, with the names of REASON_WORDS between braces.
        phrase: The same for a headline, LONGEST_PHRASE characters at most.
        data: ``A``: a log shows it; ``B``: very likely; ``C``: no record was seen that does.
            Default: ``A``.
        path: The file it was read from.
        line: Where it begins in the file, from 1.
        digest: SHA-256 (hex) of what its document says.
    """

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
    phrase: str = ""
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
        names_read = set(body.group_by)
        if isinstance(body, Correlation):
            names_read -= set(body.aliases)
            names_read.update(
                name for of_rule in body.aliases.values() for name in of_rule.values()
            )
            names_read.update(body.threshold.fields if body.threshold else ())
        else:
            wanted = body.settings.get("fields", ())
            names_read.update(wanted if isinstance(wanted, tuple) else ())
        return tuple(sorted(names_read))


def internal_ids(rules: Iterable[Rule]) -> frozenset[str]:
    """Ids that only feed other rules and are not reported themselves (Sigma's ``generate``)."""
    return frozenset(
        used
        for rule in rules
        if not isinstance(rule.body, Detection) and not rule.body.generate and rule.enabled
        for used in rule.body.rules
    )
