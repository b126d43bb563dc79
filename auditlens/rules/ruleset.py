"""Sets of rules: what a set can do, where its files are, and how they are loaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import polars as pl

from auditlens.errors import DocumentError, UsageError
from auditlens.resources import rules_folder
from auditlens.rules.condition import And, join
from auditlens.rules.engine import match_frame
from auditlens.rules.parse import DATE_KEYS, STRICT_KEYS, Faults, Filter, parse_rule
from auditlens.rules.rule import Behaviour, Detection, Rule, internal_ids
from auditlens.settings import Settings
from auditlens.text import count
from auditlens.yaml_documents import Document, read_documents

__all__ = [
    "RuleSet",
    "load_documents",
    "load_rules",
    "roots_read",
    "rule_files",
    "rule_roots",
    "rule_source",
]


MAX_CHAIN = 8
YAML_KEYS = {"date_keys": DATE_KEYS, "strict_keys": STRICT_KEYS}
SKIPPED_FOLDERS = frozenset({"profiles"})
SKIPPED_FILES = frozenset({"actions.yml"})

ParsedRule = tuple[Document, Rule]
Fault = tuple[Rule, DocumentError]


@dataclass(frozen=True)
class RuleSet:
    """Loaded rules: a sequence of them, found by id, name or title.

    Attributes:
        rules: The rules in the order of their files.
        placeholders: The values that filled ``%name%`` in them.
        files: The files they were read from.
        skipped: The faults of the documents that were left out on request.
    """

    rules: tuple[Rule, ...]
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    skipped: tuple[DocumentError, ...] = ()

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

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
        return internal_ids(self.rules)

    def only(self, *ids: str) -> RuleSet:
        """A set with some rules and those they are built on, each enabled.

        Args:
            ids: Id, name or title of each.

        Returns:
            A new set, in the order of this one.

        Raises:
            KeyError: A rule is not in this set.
        """
        wanted: set[str] = set()
        stack = list(ids)
        while stack:
            rule = self[stack.pop()]
            if rule.id not in wanted:
                wanted.add(rule.id)
                stack.extend(rule.references_to)
        chosen = tuple(replace(rule, enabled=True) for rule in self.rules if rule.id in wanted)
        return replace(self, rules=chosen)

    def match(
        self,
        frame: pl.DataFrame | pl.LazyFrame,
        *,
        time: str | None = None,
        timezone: str = "UTC",
    ) -> pl.DataFrame:
        """Match every enabled rule against any frame, whatever its columns.

        Args:
            frame: Events, one a row. A rule's field is a column, a path into a struct, or a path
                into the JSON text of ``metadata``.
            time: The column of event times, which correlations and behaviours need (datetime, date
                or ISO 8601 text); None = found by itself under the usual names.
            timezone: IANA zone in which parts of a time (the hour, the weekday) are read.

        Returns:
            One row a hit: ``rule_id`` (String) and ``row`` (UInt32, position in ``frame``), sorted
            by both. A correlation's hit is its anchor: the event at which the window qualifies.

        Raises:
            UsageError: When times are needed and not found, or patterns ran too long.
        """
        collected = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
        return match_frame(self.rules, collected, time=time, timezone=timezone)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("Rule", "Level", "Kind", "State"))
        rows = "".join(
            "<tr>"
            f"<td>{escape(rule.title)}</td><td>{escape(rule.level)}</td><td>{rule.kind}</td>"
            f"<td>{'on' if rule.enabled else 'off: ' + escape(rule.reason_off)}</td>"
            "</tr>"
            for rule in self.rules
        )
        caption = f"{count(len(self.rules), 'rule')}, digest {self.digest[:12]}"
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"


def load_rules(
    path: Path | str | Sequence[Path | str] | None = None,
    *,
    product: str = "secoda",
    placeholders: Mapping[str, Sequence[str]] | None = None,
    skip_broken: bool = False,
) -> RuleSet:
    """Load rules from files and folders.

    Args:
        path: A file, a folder (searched deeply) or several; None = the shipped rules of
            ``product``. An empty sequence gives a set without rules, for a log that no rule is
            about.
        product: Whose shipped rules, when there is no path: ``secoda`` (default) or ``cloudtrail``.
        placeholders: The values of ``%name%`` in rules with the ``expand`` modifier, by name.
        skip_broken: True leaves out broken documents and what is built on them, and lists their
            faults in ``RuleSet.skipped``.

    Returns:
        The rules in the order of their files, folders sorted by name.

    Raises:
        DocumentErrors: With every fault of every file; with ``skip_broken`` when no rule is left.
        UsageError: When a path is not there, or there is no rule at all.
    """
    if path is None:
        path = rules_folder() / product
        if not path.is_dir():
            raise UsageError(f"No rules are shipped for {product!r}", fix="Give a folder of rules")
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    if not paths:
        return RuleSet(())
    documents: list[Document] = []
    errors: list[DocumentError] = []
    for file in rule_files(paths):
        try:
            documents.extend(nonempty(read_documents(file, **YAML_KEYS)))
        except DocumentError as error:
            errors.append(error)
    return load_documents(
        documents, placeholders=placeholders, errors=errors, skip_broken=skip_broken
    )


def nonempty(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    """Leave out what is empty beside others: the text after a closing ``---``."""
    return tuple(one for one in documents if one.data is not None) or documents


def rule_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The rule files at some paths, each folder's sorted by name.

    Left out are tests (``*.test.yml``), names that begin with ``_`` or ``.``, the classifier and
    the profiles.

    Args:
        paths: Files, which are taken as they are, and folders, which are searched at any depth.

    Yields:
        Each file.

    Raises:
        UsageError: For a path that is not there.
    """
    for path in paths:
        if path.is_file():
            yield path
            continue
        if not path.is_dir():
            raise UsageError(
                f"There is no file or folder {path}", fix="Check the path of the rules"
            )
        for file in sorted(path.rglob("*"), key=lambda file: file.relative_to(path).as_posix()):
            inside = file.relative_to(path)
            if file.suffix not in (".yml", ".yaml") or not file.is_file():
                continue
            if file.name.endswith((".test.yml", ".test.yaml")) or file.name in SKIPPED_FILES:
                continue
            if any(part.startswith(("_", ".")) for part in inside.parts):
                continue
            if not SKIPPED_FOLDERS.intersection(inside.parts[:-1]):
                yield file


def load_documents(
    documents: Iterable[Document],
    *,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    errors: Sequence[DocumentError] = (),
    skip_broken: bool = False,
) -> RuleSet:
    """Parse documents into rules, apply filters, and resolve what refers to what.

    Args:
        documents: YAML documents, as ``load_rules`` reads them.
        placeholders: As in ``load_rules``.
        errors: Faults met before, to be told with those found here.
        skip_broken: As in ``load_rules``.

    Returns:
        The rules in the order of the documents.

    Raises:
        DocumentErrors: As in ``load_rules``.
        UsageError: When there is no rule at all.
    """
    documents = tuple(documents)
    given = {name: tuple(values) for name, values in (placeholders or {}).items()}
    faults = Faults(errors)
    read: list[ParsedRule] = []
    filters: list[Filter] = []
    for document in documents:
        parsed = faults.attempt(parse_rule, document, given, default=None)
        if parsed is None:
            continue
        if isinstance(parsed, Filter):
            filters.append(parsed)
        else:
            read.append((document, parsed))
    read, more = resolved(list(with_distinct_ids(read)), skip_broken=skip_broken)
    faults.errors.extend(more)
    by_reference = rules_by_reference(rule for _, rule in read)
    filters, more = resolved_filters(filters, by_reference)
    faults.errors.extend(more)
    faults.errors.sort(key=lambda e: (str(e.path), e.line, e.column))
    if not (skip_broken and read):
        faults.raise_all()
    if not read:
        raise UsageError("There is no rule here", fix="A rule is a .yml file with 'detection:'")
    files = tuple(dict.fromkeys(document.path for document in documents))
    rules = tuple(with_filters(rule, filters, by_reference) for _, rule in read)
    return RuleSet(disable_dependents(rules), given, files, tuple(faults.errors))


def with_distinct_ids(read: Sequence[ParsedRule]) -> Iterator[ParsedRule]:
    """Give rules of one file that have neither id nor name ids of their own.

    The first keeps the file's name, so that a file of one rule is not concerned; the others add
    their titles.
    """
    taken: set[tuple[Path, str]] = set()
    for document, rule in read:
        name = rule.id
        if {"id", "name"}.isdisjoint(document.data):
            if (rule.path, name) in taken:
                words = re.sub(r"[^a-z0-9]+", "-", rule.title.lower()).strip("-")
                name = f"{name}-{words or 'rule'}"
            while (rule.path, name) in taken:
                name += "-again"
        taken.add((rule.path, name))
        yield document, rule if name == rule.id else replace(rule, id=name, name=name)


def resolved(
    read: list[ParsedRule], *, skip_broken: bool
) -> tuple[list[ParsedRule], list[DocumentError]]:
    """Replace references by ids; return the rules that stand, and the faults of the others.

    With ``skip_broken`` what is built on a rule that does not stand does not stand either.
    """
    faulty = list(duplicate_faults(read))
    while True:
        if skip_broken:
            out = {id(rule) for rule, _ in faulty}
            read = [pair for pair in read if id(pair[1]) not in out]
        by_reference = rules_by_reference(rule for _, rule in read)
        missing = list(reference_faults(read, by_reference))
        broken = {id(rule) for rule, _ in missing}
        resolved_rules = [
            (doc, rule, with_ids(rule, by_reference))
            for doc, rule in read
            if id(rule) not in broken
        ]
        again = [*missing, *cycle_faults(resolved_rules)]
        faulty += again
        if not skip_broken or not again:
            return [(doc, rule) for doc, _, rule in resolved_rules], [error for _, error in faulty]


def disable_dependents(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Switch off what is built on a rule that is off: it would look at nothing."""
    off = {rule.id: rule for rule in rules if not rule.enabled}
    while True:
        changed = {}
        for rule in rules:
            below = next((off[ref] for ref in rule.references_to if ref in off), None)
            if rule.id not in off and below is not None:
                reason = f"built on {below.name}, which is off: {below.reason_off}"
                changed[rule.id] = replace(rule, enabled=False, reason_off=reason)
        if not changed:
            return tuple(off.get(rule.id, rule) for rule in rules)
        off |= changed


def rules_by_reference(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Index rules by name and by id; an id wins over a name."""
    by_name: dict[str, Rule] = {}
    by_id: dict[str, Rule] = {}
    for rule in rules:
        by_name.setdefault(rule.name, rule)
        by_id.setdefault(rule.id, rule)
    return by_name | by_id


def duplicate_faults(read: Sequence[ParsedRule]) -> Iterator[Fault]:
    """Yield a fault for every id or name that a rule shares with one before it."""
    for attribute in ("id", "name"):
        first: dict[str, Rule] = {}
        for document, rule in read:
            value = getattr(rule, attribute)
            if attribute == "name" and "name" not in document.data:
                continue
            if value in first:
                other = first[value]
                yield rule, document.error(
                    f"the {attribute} {value} is also that of {other.path}:{other.line}", attribute,
                    fix=f"Give this rule {attribute} of its own",
                )  # fmt: skip
            first.setdefault(value, rule)


def reference_faults(
    read: Sequence[ParsedRule], by_reference: Mapping[str, Rule]
) -> Iterator[Fault]:
    """Yield a fault for every reference to nothing."""
    for document, rule in read:
        for ref in rule.references_to:
            if ref not in by_reference:
                yield rule, unknown_reference(document, ref, by_reference, rule.kind)


def with_ids(rule: Rule, by_reference: Mapping[str, Rule]) -> Rule:
    """The rule with its references as ids."""
    body = rule.body
    if isinstance(body, Detection):
        return rule
    ids = tuple(by_reference[ref].id for ref in body.rules)
    if isinstance(body, Behaviour):
        return replace(rule, body=replace(body, rules=ids))
    terms = tuple(
        (
            tuple(by_reference[ref].id for ref in present),
            tuple(by_reference[ref].id for ref in absent),
        )
        for present, absent in body.terms
    )
    aliases = {
        alias: {by_reference[ref].id: name for ref, name in mapping.items() if ref in by_reference}
        for alias, mapping in body.aliases.items()
    }
    return replace(rule, body=replace(body, rules=ids, terms=terms, aliases=aliases))


def unknown_reference(
    document: Document, ref: str, by_reference: Mapping[str, Rule], block: str
) -> DocumentError:
    """Make the fault of a reference to nothing, with the closest name."""
    from difflib import get_close_matches

    near = get_close_matches(
        ref, [name for name in by_reference if by_reference[name].name == name], n=1
    )
    fix = f"Did you mean '{near[0]}'?" if near else "Load the folder that holds it as well"
    return document.error(f"no rule has the id or name '{ref}'", block, "rules", fix=fix)


def resolved_filters(
    filters: Sequence[Filter], by_reference: Mapping[str, Rule]
) -> tuple[list[Filter], list[DocumentError]]:
    """The filters all of whose rules are there, and the faults of the others."""
    faults = [
        unknown_reference(one.document, ref, by_reference, "filter")
        for one in filters
        for ref in one.rules
        if ref not in by_reference
    ]
    return [one for one in filters if all(ref in by_reference for ref in one.rules)], faults


def with_filters(rule: Rule, filters: Sequence[Filter], by_reference: Mapping[str, Rule]) -> Rule:
    for one in filters:
        body = rule.body
        if not isinstance(body, Detection) or not one.logsource.covers(rule.logsource):
            continue
        named = {by_reference[ref].id for ref in one.rules if ref in by_reference}
        if one.rules and rule.id not in named:
            continue
        condition = join(And, (body.condition, one.condition))
        rule = replace(
            rule,
            body=replace(body, condition=condition, filters=(*body.filters, one.name)),
            digest=f"{rule.digest}+{one.digest}",
        )
    return rule


def cycle_faults(read: Sequence[tuple[Document, Rule, Rule]]) -> Iterator[Fault]:
    """Yield a fault for each rule (as read, and with ids) built on itself or on a long chain."""
    by_id = {rule.id: rule for _, _, rule in read}
    for document, as_read, rule in read:
        level, depth = {rule.id}, 0
        while level and depth <= MAX_CHAIN:
            level = {ref for one in level if one in by_id for ref in by_id[one].references_to}
            depth += 1
            if rule.id in level:
                yield as_read, document.error("the rule is built on itself", rule.kind, "rules")
                break
        else:
            if level:
                yield (
                    as_read,
                    document.error(f"more than {MAX_CHAIN} rules in a chain", rule.kind, "rules"),
                )


def rule_roots(
    settings: Settings, given: Path | None = None, *, products: Sequence[str] = ("secoda",)
) -> tuple[Path, ...]:
    """The files or folders to read rules from: ``given`` alone, else what the settings say.

    Args:
        settings: Their ``rules`` (without it the shipped rules), then their ``own_rules``.
        given: A path that takes the place of the settings, such as that of ``--rules``.
        products: Whose shipped rules.

    Returns:
        The paths in the order in which they are read; none when there is nothing to read.

    Raises:
        UsageError: For a setting that names what is not there.
    """
    if given is not None:
        return (given,)
    for name in ("rules", "own_rules"):
        path = getattr(settings, name)
        if path is not None and not path.exists():
            where = settings.origins.get(name, "the settings")
            raise UsageError(
                f"{where}: '{name}' names {path}, which is not there",
                fix="Write the path of your rules, relative to that file, or take the setting out",
            )
    first = settings.rules or shipped_root(products)
    return tuple(one for one in (first, settings.own_rules) if one)


def shipped_root(products: Sequence[str]) -> Path | None:
    """The shipped rules of these products as one root: that of all, where several have some."""
    folders = [one for one in products if one and (rules_folder() / one).is_dir()]
    if len(folders) > 1:
        return rules_folder()
    return rules_folder() / folders[0] if folders else None


def roots_read(rules: RuleSet, settings: Settings, given: Path | None = None) -> tuple[Path, ...]:
    """The roots these rules were read from, whichever products' shipped ones are among them.

    Args:
        rules: The rules as they were loaded.
        settings: Their ``rules`` and ``own_rules``.
        given: A path that took the place of the settings; default: none did.

    Returns:
        The paths in the order in which they were read.

    Raises:
        UsageError: For a setting that names what is not there.
    """
    home = rules_folder()
    products = {
        rule.path.relative_to(home).parts[0]
        for rule in rules.rules
        if rule.path.is_relative_to(home)
    }
    return rule_roots(settings, given, products=sorted(products))


def rule_source(rules: RuleSet, key: str) -> tuple[Rule, str]:
    """A rule and its document as it is written.

    Args:
        rules: The set that holds it.
        key: Its id, name or title.

    Returns:
        The rule, and the text of its document.

    Raises:
        KeyError: For a rule that is not in the set.
    """
    rule = rules[key]
    lines = rule.path.read_text(encoding="utf-8").splitlines(keepends=True)
    after = (n for n, line in enumerate(lines) if n >= rule.line and line.startswith("---"))
    return rule, "".join(lines[rule.line - 1 : next(after, len(lines))])
