"""The tests beside a rule, ``<rule>.test.yml``: reading them, and counting them unread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.events import EVENT_SCHEMA, Classifier, classify
from auditlens.files import read
from auditlens.period import Period
from auditlens.rules.parse import Faults, check_keys, span_seconds
from auditlens.rules.rule import Rule
from auditlens.yaml_documents import Document, read_documents

__all__ = [
    "NO_SAMPLES",
    "Case",
    "Samples",
    "read_cases",
    "samples_of",
    "sidecar_path",
    "with_actions",
]

START = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
"""When offset 0 is: a Wednesday morning."""

SIDECAR_KEYS = frozenset({"rule", "placeholders", "tests"})
CASE_KEYS = frozenset({"name", "expect", "findings", "group", "metric", "start", "period", "events",
                       "case"})  # fmt: skip
EXPECTED = ("match", "no_match", "learning")
EVENT_KEYS = frozenset({"offset", "repeat", "every", "event"})
COLUMNS = frozenset(EVENT_SCHEMA) - {"leaf"}


@dataclass(frozen=True)
class Case:
    """One test of a sidecar: events in, and what must come out."""

    rule: str
    name: str
    expect: str
    findings: int | None
    group: Mapping[str, str]
    metric: float | None
    events: pl.DataFrame
    path: Path
    line: int
    kind: str = ""
    period: Period | None = None
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def sidecar_path(rule_path: Path) -> Path:
    """Where a rule's tests are: beside it, ``.test.yml`` in place of ``.yml``.

    Args:
        rule_path: The rule's file.

    Returns:
        The path, whether or not there is a file.
    """
    return rule_path.with_name(rule_path.stem + ".test.yml")


def read_cases(
    path: Path, *, classifier: Classifier | None = None, classified: bool = True
) -> tuple[Case, ...]:
    """Read the tests beside a rule.

    Args:
        path: The file, ``<rule>.test.yml``.
        classifier: Names the actions of events that have none; None = the shipped one.
        classified: False leaves such events without an action, when only the shape of the
            tests is wanted.

    Returns:
        The tests in the order of the file, each with its events as a frame of EVENT_SCHEMA.

    Raises:
        DocumentErrors: With the first fault of every test; an impossible event is one.
    """
    faults = Faults()
    found: list[Case | None] = []
    for document in faults.attempt(read_documents, path, default=()):
        data = document.data
        if not isinstance(data, dict) or not isinstance(data.get("tests"), list):
            faults.errors.append(document.error("a test file has 'rule' and a list 'tests'"))
            continue
        faults.attempt(check_keys, document, data, SIDECAR_KEYS, default=None)
        found.extend(
            faults.attempt(read_case, document, data, test, number, default=None)
            for number, test in enumerate(data["tests"])
        )
    faults.raise_all()
    cases = tuple(one for one in found if one is not None)
    return with_actions(cases, classifier) if classified else cases


def with_actions(cases: tuple[Case, ...], classifier: Classifier | None) -> tuple[Case, ...]:
    """Classify the events of all cases in one go; an action that a test gives stays."""
    if not cases:
        return ()
    frame = pl.concat([one.events for one in cases])
    if frame.get_column("action").null_count():
        known = classify(frame, classifier)
        frame = frame.with_columns(
            pl.coalesce(frame.get_column(name), known.get_column(name)).alias(name)
            for name in ("action", "action_group", "action_basis")
        )
    ends = list(accumulate(one.events.height for one in cases))
    return tuple(
        replace(one, events=frame.slice(end - one.events.height, one.events.height))
        for one, end in zip(cases, ends, strict=True)
    )


def read_case(document: Document, data: Mapping[str, Any], test: Any, number: int) -> Case:
    where = ("tests", number)
    if not isinstance(test, dict):
        raise document.error("a test is a mapping", *where)
    check_keys(document, test, CASE_KEYS, *where)
    if test.get("expect") not in EXPECTED:
        near = get_close_matches(str(test.get("expect")), EXPECTED, n=1)
        fix = f"Did you mean '{near[0]}'?" if near else ""
        raise document.error("'expect' is match, no_match or learning", *where, fix=fix)
    findings = of_kind(document, test, "findings", int, "a whole number", where)
    metric = of_kind(document, test, "metric", int | float, "a number", where)
    group = of_kind(document, test, "group", dict, "a mapping of fields to values", where)
    events = of_kind(document, test, "events", list, "a list", where)
    start = start_of(document, test.get("start"), where)
    return Case(
        rule=str(data.get("rule") or document.path.name.split(".")[0]),
        name=str(test.get("name") or f"test {number + 1}"),
        expect=test["expect"],
        findings=findings,
        group={str(key): str(value) for key, value in (group or {}).items()},
        metric=None if metric is None else float(metric),
        events=event_frame(document, events or [], start, where),
        path=document.path,
        line=document.marks.get(where, (1, 1))[0],
        kind=str(test.get("case") or ""),
        period=period_of(document, test.get("period"), start, where),
        placeholders=placeholder_values(document, data.get("placeholders") or {}),
    )


def of_kind(
    document: Document, test: Mapping[str, Any], key: str, kind: Any, words: str,
    where: tuple[Any, ...],
) -> Any:  # fmt: skip
    """Return a value of a test; a DocumentError when it is there and of another kind."""
    value = test.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
        raise document.error(f"'{key}' is {words}", *where, key)
    return value


def start_of(document: Document, value: Any, where: tuple[Any, ...]) -> datetime:
    """Read when offset 0 is: an instant such as '2026-03-07 22:00', in UTC without a zone."""
    if value is None:
        return START
    try:
        start = datetime.fromisoformat(str(value))
    except ValueError:
        raise document.error(f"'{value}' is not an instant", *where, "start",
                             fix="Write it as '2026-03-07 22:00', in quotes") from None  # fmt: skip
    return start.astimezone(UTC) if start.tzinfo else start.replace(tzinfo=UTC)


def period_of(
    document: Document, value: Any, start: datetime, where: tuple[Any, ...]
) -> Period | None:
    """Read the period audited, two offsets: what ended before or after it is not a finding."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise document.error("'period' is a list of two offsets, from and to", *where, "period",
                             fix="Write it as [0s, 1d]")  # fmt: skip
    first, last = (offset(document, one, *where, "period", n) for n, one in enumerate(value))
    if first >= last:
        raise document.error("'period' ends before it begins", *where, "period")
    return Period(start + timedelta(seconds=first), start + timedelta(seconds=last), "test")


def placeholder_values(document: Document, given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not all(isinstance(one, list) for one in given.values()):
        raise document.error("'placeholders' maps names to lists", "placeholders")
    return {name: tuple(str(one) for one in values) for name, values in given.items()}


def event_frame(
    document: Document, entries: Sequence[Any], start: datetime, where: tuple[Any, ...]
) -> pl.DataFrame:
    """Write the events out: repeats, offsets from the start, nested names to columns."""
    rows: list[dict[str, Any]] = []
    for number, entry in enumerate(entries):
        place = (*where, "events", number)
        if not isinstance(entry, dict):
            raise document.error("an entry of 'events' is a mapping", *place)
        check_keys(document, entry, EVENT_KEYS, *place)
        first = offset(document, entry.get("offset", "0s"), *place)
        every = offset(document, entry.get("every", "0s"), *place)
        event = of_kind(document, entry, "event", dict, "a mapping of fields to values", place)
        times = of_kind(document, entry, "repeat", int, "a whole number", place)
        for n in range(1 if times is None else times):
            row = event_columns(document, event or {}, n, place)
            row.setdefault("id", f"e-{len(rows):05d}")
            row["created_at"] = start + timedelta(seconds=first + n * every)
            rows.append(row)
    frame = pl.DataFrame(rows, schema={n: t for n, t in EVENT_SCHEMA.items() if n != "leaf"})
    return frame.with_columns(pl.col("id").cast(pl.Binary).alias("leaf")).select(list(EVENT_SCHEMA))


def offset(document: Document, value: Any, *where: Any) -> float:
    """Read ``90s``, ``-2d`` or ``0s`` in seconds; fractions of a second as ``0.5s``."""
    text = str(value)
    if re.fullmatch(r"-?\d+(\.\d+)?s", text):
        return float(text[:-1])
    sign = -1 if text.startswith("-") else 1
    return sign * span_seconds(document, text.lstrip("-"), *where)


def event_columns(
    document: Document, event: Mapping[str, Any], n: int, where: tuple[Any, ...]
) -> dict[str, Any]:
    """Turn one event of a test into columns; ``{n}`` in a text counts the repeats."""
    import json

    row: dict[str, Any] = {}
    for name, value in flattened(event):
        column = name.replace(".", "_")
        if column not in COLUMNS:
            raise document.error(f"no event has the field '{name}'", *where,
                                 fix="Put fields of your own under 'metadata'")  # fmt: skip
        row[column] = numbered(value, n)
    if isinstance(row.get("metadata"), dict | list):
        row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False, sort_keys=True)
    return row


def flattened(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in event.items():
        if isinstance(value, dict) and name != "metadata":
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield name, value


def numbered(value: Any, n: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, list):
        return [numbered(one, n) for one in value]
    if isinstance(value, dict):
        return {key: numbered(one, n) for key, one in value.items()}
    return value


EXPECTATION = re.compile(rb"^\s*(?:- +)?expect: *(\w+)", re.MULTILINE)
"""What a sample expects; reading the whole YAML would take longer than a report does."""
NAME = re.compile(rb"^rule: *['\"]?([\w.-]+)", re.MULTILINE)
SEPARATOR = re.compile(rb"^---", re.MULTILINE)


@dataclass(frozen=True)
class Samples:
    """How many tests a rule has.

    Attributes:
        match: How many samples must match.
        other: How many must not.
        digest: SHA-256 (hex) of the file they stand in; empty where there is none.
    """

    match: int
    other: int
    digest: str


NO_SAMPLES = Samples(0, 0, "")


def samples_of(rules: Iterable[Rule]) -> dict[str, Samples]:
    """Count the tests of every rule that has some, without reading their YAML.

    Args:
        rules: Rules with the paths they were read from.

    Returns:
        The counts by the rule's name.
    """
    beside = {sidecar_path(rule.path) for rule in rules if rule.path.name}
    return {
        name: found
        for path in sorted(beside)
        if path.is_file()
        for name, found in count_samples(path).items()
    }


def count_samples(path: Path) -> dict[str, Samples]:
    """The samples of one file, by the rule each of its documents names."""
    raw = read(path, follow=True)
    digest = sha256_hex(raw)
    found = {}
    for document in SEPARATOR.split(raw):
        if expected := EXPECTATION.findall(document):
            named = NAME.search(document)
            name = named[1].decode() if named else path.name.split(".")[0]
            matching = expected.count(b"match")
            found[name] = Samples(matching, len(expected) - matching, digest)
    return found
