"""The classifier: raw kinds of event become actions, and actions belong to groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.documents import Document, read_documents
from auditlens.errors import UsageError
from auditlens.shipped import rules_folder

__all__ = ["ACTION_GROUPS", "Classifier", "classify", "load_classifier"]

ACTION_GROUPS = (
    "auth", "read", "write", "export", "share", "permission", "delete", "admin", "system",
)  # fmt: skip
FIELDS = ("what", "entity", "text")
KINDS = ["event", "subject", "entity_type", "resource_type"]
WORDS = ["summary", "content"]


@dataclass(frozen=True)
class Pattern:
    """One entry: the action it names, and the expressions each field must match."""

    action: str
    group: str
    conditions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Classifier:
    """Ordered patterns; the first that matches names the action. ``digest`` is of the file."""

    patterns: tuple[Pattern, ...]
    digest: str

    @cached_property
    def groups(self) -> dict[str, str]:
        """Action to group."""
        return {pattern.action: pattern.group for pattern in self.patterns}

    def first_match(self, *, with_text: bool) -> pl.Expr:
        """Position of the first matching pattern, null when none does.

        Without text, a pattern that asks for text is taken as matching: its row must be looked
        at again with its text.
        """
        held = []
        for number, pattern in enumerate(self.patterns):
            fields = FIELDS if with_text else FIELDS[:2]
            parts = [
                pl.col(f"{field}_searched").str.contains(expression)
                for field in fields
                for expression in pattern.conditions.get(field, ())
            ]
            held.append(pl.when(pl.all_horizontal(parts)).then(pl.lit(number, pl.Int16)))
        return pl.coalesce(held)


def load_classifier(path: Path | None = None) -> Classifier:
    """Load the shipped ``actions.yml`` or one of yours.

    Raises DocumentError, with its line, for an unknown key, group or a broken expression.
    """
    path = path or rules_folder() / "actions.yml"
    documents = read_documents(path)
    if len(documents) != 1 or not isinstance(documents[0].data, dict):
        raise UsageError(f"{path} is no classifier", fix="It is one YAML mapping with 'actions'")
    document = documents[0]
    entries = document.data.get("actions")
    if not isinstance(entries, list) or not entries:
        raise document.error("'actions' is missing or empty", "actions")
    patterns = tuple(read_pattern(document, number) for number in range(len(entries)))
    digest = sha256_hex(repr([(p.action, p.group, p.conditions) for p in patterns]))
    return Classifier(patterns, digest)


def read_pattern(document: Document, number: int) -> Pattern:
    where = ("actions", number)
    entry: Any = document.data["actions"][number]
    if not isinstance(entry, dict) or not isinstance(entry.get("action"), str):
        raise document.error("an entry needs an 'action'", *where)
    for key in entry:
        if key not in ("action", "group", *FIELDS):
            fix = f"Known: action, group, {', '.join(FIELDS)}"
            raise document.error(f"'{key}' is not known here", *where, key, fix=fix)
    if entry.get("group") not in ACTION_GROUPS:
        fix = f"Use one of {', '.join(ACTION_GROUPS)}"
        raise document.error(f"{entry.get('group')!r} is no group", *where, "group", fix=fix)
    conditions = {}
    for name in FIELDS:
        if value := entry.get(name):
            conditions[name] = (value,) if isinstance(value, str) else tuple(value)
            for expression in conditions[name]:
                check_expression(document, expression, *where, name)
    if not conditions:
        raise document.error("an entry needs 'what', 'entity' or 'text'", *where)
    return Pattern(entry["action"], entry["group"], conditions)


def check_expression(document: Document, expression: object, *where: str | int) -> None:
    """Compile one expression in the engine that will run it."""
    if not isinstance(expression, str) or len(expression) > 1000:
        raise document.error("an expression is text of at most 1,000 characters", *where)
    try:
        pl.Series([""]).str.contains(expression)
    except pl.exceptions.ComputeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise document.error(f"{expression!r} is no expression: {reason}", *where) from None


def classify(frame: pl.DataFrame, classifier: Classifier | None = None) -> pl.DataFrame:
    """Return ``frame`` (EVENT_SCHEMA) with ``action`` and ``action_group`` filled.

    The few distinct kinds are classified once; text is searched only in rows whose kind leaves
    it open. Unclassified rows stay null.
    """
    classifier = classifier or load_classifier()
    kinds = frame.lazy().select(KINDS).unique().with_columns(searched(KINDS)).collect()
    kinds = kinds.with_columns(classifier.first_match(with_text=False).alias("pattern"))
    asks_text = [n for n, p in enumerate(classifier.patterns) if "text" in p.conditions]
    open_kinds = kinds.filter(pl.col("pattern").is_in(asks_text))
    known = kinds.filter(~pl.col("pattern").is_in(asks_text).fill_null(value=False))
    found = frame.drop("action", "action_group", strict=False).with_row_index("row")
    rows = found.select("row", *KINDS).join(
        known.select(*KINDS, "pattern"), on=KINDS, how="left", nulls_equal=True
    )
    pattern = rows.sort("row")["pattern"]
    if not open_kinds.is_empty():
        read = found.join(open_kinds.select(KINDS), on=KINDS, how="semi", nulls_equal=True)
        read = read.select("row", *KINDS, *WORDS).with_columns(searched([*KINDS, *WORDS]))
        read = read.select("row", classifier.first_match(with_text=True).alias("pattern"))
        pattern = pattern.scatter(read["row"], read["pattern"])
    actions = [item.action for item in classifier.patterns]
    groups = [item.group for item in classifier.patterns]
    named = found.drop("row").with_columns(
        name(pattern, actions, "action"), name(pattern, groups, "action_group")
    )
    return named.select(frame.columns)


def searched(columns: list[str]) -> list[pl.Expr]:
    """The texts the conditions search: kinds as lower-case words, prose in lower case."""
    found = [
        joined("event", "subject", words=True).alias("what_searched"),
        joined("entity_type", "resource_type", words=True).alias("entity_searched"),
    ]
    if WORDS[0] in columns:
        found.append(joined(*WORDS, words=False).alias("text_searched"))
    return found


def joined(*columns: str, words: bool) -> pl.Expr:
    """Columns as one lower-case text; as words, TagAdded and tag_added are 'tag added'."""
    texts = [pl.col(column).fill_null("") for column in columns]
    if words:
        texts = [
            text.str.replace_all(r"([a-z0-9])([A-Z])", "${1} ${2}").str.replace_all(
                r"[_\-./:\s]+", " "
            )
            for text in texts
        ]
    separator = " | " if columns[0] == "event" else "\n"
    return pl.concat_str(texts, separator=separator).str.to_lowercase()


def name(pattern: pl.Series, names: list[str], column: str) -> pl.Series:
    """Look up each row's name by the position of its pattern; null stays null."""
    return pl.Series(names, dtype=pl.String).gather(pattern.cast(pl.UInt32)).alias(column)
