"""The JSON inside the page: what the page shows, written without repeating itself.

Rows of one shape become ``{"same": {...}, "columns": [...], "rows": [[...]]}``: a value all rows
share stands once in ``same``, the rest are lists in the order of ``columns``. Findings stand
with their rule. ``embedded`` is what the page carries, ``read_embedded`` turns it back into
plain rows; ``findings.json`` is never packed and has everything.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import msgspec

from auditlens.report.content import Content, FindingRow
from auditlens.report.text import json_text

__all__ = ["embedded", "packed", "read_embedded", "unpack"]

NOT_EMBEDDED = (
    "subject_id",
    "rule_id",
    "level",
    "kind",
    "tags",
    "controls",
    "event_ids",
    "evidence",
    "confidence",
)
LEFT_OUT = {
    "groups": ("finding_ids", "why"),
    "frameworks": ("note",),
    "rules": ("rule_id", "name", "logic", "kind", "title", "level", "status"),
    "profiles": ("by_day",),
    "access": ("sample",),
    "method": ("limits",),
    "appendix": ("glossary",),
}
"""What the page does not show, shows with the group, prints alike in every report, or has as a
table already: a rule is known by its digest, and the sample of access changes is on the page."""

FINDING_COLUMNS = tuple(
    sorted(one.name for one in fields(FindingRow) if one.name not in NOT_EMBEDDED)
)

FULL_ONLY = ("activity", "profiles", "access", "rules", "method", "exceptions", "appendix")
"""Sections that the brief edition does not show."""


def embedded(content: Content) -> str:
    """The packed data as JSON in which no character can close a script block."""
    return json_text(packed(content))


def read_embedded(text: str) -> Any:
    """Plain rows from the JSON inside a page."""
    return unpack(json.loads(text))


def packed(content: Content) -> Any:
    """The part of ``content`` that the page shows, as plain packed data."""
    groups = tuple(replace(group, finding_ids=()) for group in content.groups)
    whole: dict[str, Any] = msgspec.to_builtins(replace(content, findings=(), groups=groups))
    del whole["findings"]
    rows = by_group(content)
    for group in whole["groups"]:
        group["findings"] = pack_rows(rows[group["level"], group["rule_id"]])
    for table in whole["frameworks"]:
        table["clauses"] = by_status(table["clauses"])
    held = whole["completeness"]
    held["strip"] = [[one["state"], one["events"]] for one in held["strip"]]
    if content.cover.edition == "brief":
        whole["completeness"] = {"evidence": held["evidence"]}
        for section in FULL_ONLY:
            del whole[section]
    leave_out(whole)
    return pack(whole)


def by_group(content: Content) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The findings on the page as plain rows, by level and rule."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    titles = {(group.level, group.rule_id): group.title for group in content.groups}
    for row in content.findings[: content.shown.shown]:
        plain = {name: getattr(row, name) for name in FINDING_COLUMNS}
        plain["title"] = "" if titles[row.level, row.rule_id] == row.title else row.title
        plain["reasons"] = [[one.text, one.share_percent] for one in row.reasons]
        rows[row.level, row.rule_id].append(plain)
    return rows


def by_status(clauses: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Clause ids under each status."""
    found: dict[str, list[str]] = defaultdict(list)
    for clause in clauses:
        found[clause["status"]].append(clause["clause"])
    return dict(found)


def leave_out(value: Any, section: str = "") -> None:
    """Remove from each row what LEFT_OUT names for the list or mapping it stands in."""
    if isinstance(value, dict) and not isinstance(value, Packed):
        for name in LEFT_OUT.get(section, ()):
            value.pop(name, None)
        for key, one in value.items():
            leave_out(one, key)
    elif isinstance(value, list | tuple):
        for one in value:
            leave_out(one, section)


class Packed(dict[str, Any]):
    """Rows that are packed already."""


def pack(value: Any) -> Any:
    """``value`` with every list of two or more rows of one shape packed."""
    if isinstance(value, Packed):
        return value
    if isinstance(value, dict):
        return {key: pack(one) for key, one in value.items()}
    if not isinstance(value, list | tuple):
        return value
    rows = [pack(one) for one in value]
    first = rows[0] if rows else None
    if not isinstance(first, dict):
        return rows
    if any(not isinstance(row, dict) or row.keys() != first.keys() for row in rows):
        return rows
    return pack_rows(rows)


def pack_rows(rows: list[dict[str, Any]]) -> Packed | list[dict[str, Any]]:
    """Rows of one shape, packed where there are two or more."""
    if len(rows) < 2:
        return rows
    first = rows[0]
    same = {key: one for key, one in first.items() if all(row[key] == one for row in rows)}
    columns = [key for key in sorted(first) if key not in same]
    return Packed(same=same, columns=columns, rows=[[row[key] for key in columns] for row in rows])


def unpack(value: Any) -> Any:
    """Plain rows from packed data."""
    if isinstance(value, list):
        return [unpack(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"same", "columns", "rows"}:
        rows = (dict(zip(value["columns"], row, strict=True)) for row in value["rows"])
        return [unpack({**value["same"], **row}) for row in rows]
    return {key: unpack(one) for key, one in value.items()}
