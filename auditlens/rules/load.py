"""From files to a RuleSet: every fault of a folder is found, none is skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditlens.documents import Document, read_documents
from auditlens.errors import DocumentError, DocumentErrors, UsageError
from auditlens.rules.condition import And
from auditlens.rules.parse import DATE_KEYS, STRICT_KEYS, Filter, parse_rule
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule, RuleSet
from auditlens.rules.translate import join
from auditlens.shipped import rules_folder

__all__ = ["load_documents", "load_rules", "rule_files"]

MAX_CHAIN = 8
YAML_KEYS = {"date_keys": DATE_KEYS, "strict_keys": STRICT_KEYS}
SKIPPED_FOLDERS = frozenset({"profiles"})
SKIPPED_FILES = frozenset({"actions.yml"})

Read = tuple[Document, Rule]


def load_rules(
    path: Path | str | Sequence[Path | str] | None = None,
    *,
    product: str = "secoda",
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> RuleSet:
    """Load rules from a file, a folder (searched deeply) or several; None = the shipped ones.

    ``placeholders`` gives the values of ``%name%`` in rules with the ``expand`` modifier. Raises
    DocumentErrors with every fault of every file, and UsageError when there is no rule at all.
    """
    if path is None:
        path = rules_folder() / product
        if not path.is_dir():
            raise UsageError(f"No rules are shipped for {product!r}", fix="Give a folder of rules")
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    documents: list[Document] = []
    errors: list[DocumentError] = []
    for file in rule_files(paths):
        try:
            documents.extend(filled(read_documents(file, **YAML_KEYS)))
        except DocumentError as error:
            errors.append(error)
    return load_documents(documents, placeholders=placeholders, errors=errors)


def filled(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    """Leave out what is empty beside others: the text after a closing ``---``."""
    return tuple(one for one in documents if one.data is not None) or documents


def rule_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the rule files at these paths, each folder's sorted by name.

    Left out are tests (``*.test.yml``), names that begin with ``_`` or ``.``, the classifier and
    the profiles. Raises UsageError for a path that is not there.
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
) -> RuleSet:
    """Parse documents into rules, apply filters, and resolve what refers to what."""
    documents = tuple(documents)
    given = {name: tuple(values) for name, values in (placeholders or {}).items()}
    faults = list(errors)
    read: list[Read] = []
    filters: list[Filter] = []
    for document in documents:
        try:
            parsed = parse_rule(document, given)
        except DocumentError as error:
            faults.append(error)
            continue
        if isinstance(parsed, Filter):
            filters.append(parsed)
        else:
            read.append((document, parsed))
    faults.extend(doubles(read))
    known = lookup(rule for _, rule in read)
    read = [(document, rule) for document, rule in resolved(read, known, faults)]
    read = filtered(read, filters, known, faults)
    faults.extend(cycles(read))
    if faults:
        raise DocumentErrors(sorted(faults, key=lambda e: (str(e.path), e.line, e.column)))
    if not read:
        raise UsageError("There is no rule here", fix="A rule is a .yml file with 'detection:'")
    files = tuple(dict.fromkeys(document.path for document in documents))
    return RuleSet(switched_off(tuple(rule for _, rule in read)), given, files)


def switched_off(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
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


def lookup(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Index rules by name and by id; an id wins over a name."""
    found: dict[str, Rule] = {}
    by_id: dict[str, Rule] = {}
    for rule in rules:
        found.setdefault(rule.name, rule)
        by_id.setdefault(rule.id, rule)
    return found | by_id


def doubles(read: Sequence[Read]) -> Iterator[DocumentError]:
    """Yield a fault for every id or name that two rules share."""
    for attribute in ("id", "name"):
        first: dict[str, Rule] = {}
        for document, rule in read:
            value = getattr(rule, attribute)
            if attribute == "name" and "name" not in document.data:
                continue
            if value in first:
                other = first[value]
                yield document.error(
                    f"the {attribute} {value} is also that of {other.path}:{other.line}", attribute,
                    fix=f"Give this rule {attribute} of its own",
                )  # fmt: skip
            first.setdefault(value, rule)


def resolved(
    read: Sequence[Read], known: Mapping[str, Rule], faults: list[DocumentError]
) -> Iterator[Read]:
    """Replace references by ids; a reference to nothing is a fault."""
    for document, rule in read:
        body = rule.body
        if isinstance(body, Detection):
            yield document, rule
            continue
        block = "correlation" if isinstance(body, Correlation) else "behaviour"
        missing = [ref for ref in body.rules if ref not in known]
        faults.extend(unknown(document, ref, known, block) for ref in missing)
        if not missing:
            yield document, replace(rule, body=with_ids(body, known))


def with_ids(body: Correlation | Behaviour, known: Mapping[str, Rule]) -> Correlation | Behaviour:
    ids = tuple(known[ref].id for ref in body.rules)
    if isinstance(body, Behaviour):
        return replace(body, rules=ids)
    terms = tuple(
        (tuple(known[ref].id for ref in present), tuple(known[ref].id for ref in absent))
        for present, absent in body.terms
    )
    aliases = {
        alias: {known[ref].id: name for ref, name in mapping.items() if ref in known}
        for alias, mapping in body.aliases.items()
    }
    return replace(body, rules=ids, terms=terms, aliases=aliases)


def unknown(document: Document, ref: str, known: Mapping[str, Rule], block: str) -> DocumentError:
    """Make the fault of a reference to nothing, with the closest name."""
    from difflib import get_close_matches

    near = get_close_matches(ref, [name for name in known if known[name].name == name], n=1)
    fix = f"Did you mean '{near[0]}'?" if near else "Load the folder that holds it as well"
    return document.error(f"no rule has the id or name '{ref}'", block, "rules", fix=fix)


def filtered(
    read: Sequence[Read],
    filters: Sequence[Filter],
    known: Mapping[str, Rule],
    faults: list[DocumentError],
) -> list[Read]:
    """Join each filter's condition to the rules it names, or to all of its log source."""
    for one in filters:
        missing = [ref for ref in one.rules if ref not in known]
        faults.extend(unknown(one.document, ref, known, "filter") for ref in missing)
    return [(document, with_filters(rule, filters, known)) for document, rule in read]


def with_filters(rule: Rule, filters: Sequence[Filter], known: Mapping[str, Rule]) -> Rule:
    for one in filters:
        body = rule.body
        if not isinstance(body, Detection) or not one.logsource.covers(rule.logsource):
            continue
        named = {known[ref].id for ref in one.rules if ref in known}
        if one.rules and rule.id not in named:
            continue
        condition = join(And, (body.condition, one.condition))
        rule = replace(
            rule,
            body=replace(body, condition=condition, filters=(*body.filters, one.name)),
            digest=f"{rule.digest}+{one.digest}",
        )
    return rule


def cycles(read: Sequence[Read]) -> Iterator[DocumentError]:
    """Yield a fault for each rule that is built on itself, or on too long a chain."""
    by_id = {rule.id: rule for _, rule in read}
    for document, rule in read:
        level, depth = {rule.id}, 0
        while level and depth <= MAX_CHAIN:
            level = {ref for one in level if one in by_id for ref in by_id[one].references_to}
            depth += 1
            if rule.id in level:
                yield document.error("the rule is built on itself", rule.kind, "rules")
                break
        else:
            if level:
                yield document.error(f"more than {MAX_CHAIN} rules in a chain", rule.kind, "rules")
