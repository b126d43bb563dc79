"""Strict YAML: one meaning per text, bounded work, and a place for every fault.

Scalars are those of YAML 1.2's core schema: 00000429 is the number 429, 0o17 is 15, yes and off
are texts. Duplicate keys, anchors and aliases, tags, tabs, numbers only YAML 1.1 has (12:30,
1_000), bare dates, deep nesting and large files are faults with line and column, found before
anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from auditlens.errors import AuditLensError, DocumentError
from auditlens.files import read

__all__ = ["MAX_BYTES", "Document", "parse_documents", "read_documents"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000

NULL = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
MAX_DIGITS = 4000
"""More are no number to Python; a text of so many digits stays text."""
INTEGER = re.compile(rf"[-+]?[0-9]{{1,{MAX_DIGITS}}}")
OTHER_BASE = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
YAML_1_1 = re.compile(
    r"[-+]?(0b[01_]+|0[0-9]*_[0-9_]*|0x[0-9a-fA-F_]+|[0-9]+(:[0-5]?[0-9])+|[1-9][0-9]*(_[0-9]+)+)"
)
DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")

Position = tuple[int, int]
Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML document: its plain data, and the place of every value.

    Attributes:
        path: Its file.
        data: Mappings, lists, texts, numbers, booleans and None.
        marks: The way to a value (keys and list positions) to its line and column, both from 1; a
            mapping's entry carries the place of its key.
    """

    path: Path
    data: Any
    marks: Mapping[Where, Position]

    def error(self, message: str, *where: str | int, fix: str = "") -> DocumentError:
        """Make the error for a value of the document.

        Args:
            message: What was found.
            *where: The way to the value; without a place of its own, the nearest parent's is used.
            fix: What would be right.

        Returns:
            The error, to be raised.
        """
        while where and where not in self.marks:
            where = where[:-1]
        line, column = self.marks.get(where, (1, 1))
        return DocumentError(message, path=self.path, line=line, column=column, fix=fix)


def read_documents(
    path: Path,
    *,
    date_keys: frozenset[str] = frozenset(),
    strict_keys: frozenset[str] | None = None,
) -> tuple[Document, ...]:
    """Read every document of a YAML file.

    Args:
        path: The file.
        date_keys: As in :func:`parse_documents`.
        strict_keys: As in :func:`parse_documents`.

    Returns:
        The documents, in order.

    Raises:
        DocumentError: The first fault with its place, or why the file cannot be read.
    """
    try:
        raw = read(path, most=MAX_BYTES, follow=True)
    except OSError as error:
        raise DocumentError(f"cannot be read ({error.strerror})", path=path) from None
    except AuditLensError as error:
        reason = error.message.removeprefix(f"{path} ")
        raise DocumentError(reason, path=path, fix=error.fix) from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DocumentError("is not UTF-8 text", path=path, line=line) from None
    return parse_documents(text, path, date_keys=date_keys, strict_keys=strict_keys)


def parse_documents(
    text: str,
    path: Path,
    *,
    date_keys: frozenset[str] = frozenset(),
    strict_keys: frozenset[str] | None = None,
) -> tuple[Document, ...]:
    """Parse every YAML document of a text.

    Args:
        text: One or more documents.
        path: Named in messages only.
        date_keys: Keys whose bare dates are read as text; elsewhere one is a fault. Default: none.
        strict_keys: Top-level keys under which a value that readers of YAML take differently is a
            fault; elsewhere it is text, as in prose it does no harm. Default: everywhere.

    Returns:
        The documents, in order.

    Raises:
        DocumentError: The first fault, with its place.
    """
    if len(text) > MAX_BYTES:
        raise DocumentError(f"is larger than {MAX_BYTES:,} bytes", path=path, fix="Split the file")
    return tuple(Reader(text, path, date_keys, strict_keys).documents())


def place(event: yaml.Event) -> Position:
    """Line and column where an event starts, counted from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class Reader:
    """Builds plain data from YAML events, keeping the place of each value."""

    def __init__(
        self, text: str, path: Path, date_keys: frozenset[str], strict_keys: frozenset[str] | None
    ) -> None:
        self.text = text
        self.path = path
        self.date_keys = date_keys
        self.strict_keys = strict_keys
        self.events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.marks: dict[Where, Position] = {}
        self.nodes = 0

    def documents(self) -> Iterator[Document]:
        """Yield each document in turn."""
        while True:
            event = self.next()
            if isinstance(event, yaml.StreamEndEvent):
                return
            if isinstance(event, yaml.DocumentStartEvent):
                self.marks = {}
                data = self.value(self.next(), ())
                yield Document(self.path, data, self.marks)

    def next(self) -> yaml.Event:
        """Return the next event; a syntax fault becomes a DocumentError."""
        try:
            return next(self.events)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = str(getattr(error, "problem", None) or "is not valid YAML")
            if "'\\t'" in problem or (mark and self.indented_by_tab(mark.line)):
                problem = "a tab is used for indentation; use spaces"
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise DocumentError(problem, path=self.path, line=line, column=column) from None

    def indented_by_tab(self, line: int) -> bool:
        lines = self.text.splitlines()
        text = lines[line] if line < len(lines) else ""
        return "\t" in text[: len(text) - len(text.lstrip())]

    def fault(self, message: str, event: yaml.Event, fix: str = "") -> DocumentError:
        line, column = place(event)
        return DocumentError(message, path=self.path, line=line, column=column, fix=fix)

    def value(self, event: yaml.Event, where: Where) -> Any:
        """Build one value, checking the bounds that hold for every node."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.fault(f"has more than {MAX_NODES:,} values", event, "Split the file")
        if len(where) > MAX_DEPTH:
            raise self.fault(f"is nested deeper than {MAX_DEPTH} levels", event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self.fault("anchors and aliases are not allowed", event, "Write the value out")
        if tag := getattr(event, "tag", None):
            raise self.fault(f"the tag {tag} is not allowed", event, "Remove the tag")
        self.marks.setdefault(where, place(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(where)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(where)
        assert isinstance(event, yaml.ScalarEvent)
        return self.scalar(event, where)

    def mapping(self, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.fault("a key must be plain text", event)
            key = str(event.value)
            if key in found:
                line, _ = self.marks[(*where, key)]
                raise self.fault(f"the key '{key}' stands twice, first in line {line}", event)
            self.marks[(*where, key)] = place(event)
            found[key] = self.value(self.next(), (*where, key))
        return found

    def sequence(self, where: Where) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            found.append(self.value(event, (*where, len(found))))
        return found

    def scalar(self, event: yaml.ScalarEvent, where: Where) -> Any:
        """Resolve a scalar by the YAML 1.2 core schema; quoted text stays text."""
        text = str(event.value)
        if event.style:
            return text
        if text in NULL:
            return None
        if text in BOOLEANS:
            return BOOLEANS[text]
        if INTEGER.fullmatch(text):
            return int(text)
        if OTHER_BASE.fullmatch(text):
            return int(text, 0)
        if FLOAT.fullmatch(text):
            return float(text.replace(".", "") if text[-1].isalpha() else text)
        if self.strict_keys is not None and where and where[0] not in self.strict_keys:
            return text
        if YAML_1_1.fullmatch(text):
            raise self.fault(f"'{text}' is another number to some readers", event, "Quote it")
        if DATE.fullmatch(text) and not (where and where[-1] in self.date_keys):
            raise self.fault(f"'{text}' is a date to some readers of YAML", event, "Quote it")
        return text
