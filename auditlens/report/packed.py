"""The JSON inside the page: what the page shows, written without repeating itself.

Rows of one shape become ``{"same": {...}, "columns": [...], "rows": [[...]]}``: a value all rows
share stands once in ``same``, the rest are lists in the order of ``columns``. Findings stand
with their rule; the reasons of later ones are figures alone. ``embedded`` is what the page
carries, ``read_embedded`` turns it back into plain rows; ``findings.json`` is never packed and
has everything.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import msgspec

from auditlens.report.content import Content, FindingRow
from auditlens.report.finding_rows import DETAILED, IDS_LISTED, REASONS_LISTED
from auditlens.report.text import json_text

__all__ = ["FEW", "embedded", "packed", "read_embedded", "unpack"]

FEW = 5
"""How many rows of each kind a page without findings shows of activity, profiles and samples."""

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
    "activity": ("headline",),
    "activity.actions": ("findings", "kind"),
    "profiles": ("by_day", "subject_id", "first_at", "last_at", "actions", "finding_ids"),
    "sender_months": ("sender_id",),
    "access": ("method",),
    "rule_summary": ("digest",),
    "completeness": ("input_digest", "statement"),
    "method": ("limits",),
    "sign_off.lines": ("statement",),
    "appendix": ("glossary", "statement", "files"),
}
"""What the page does not show, shows with the group, says once already, or prints alike in every
report. Of the sample of access changes the times are kept: the rest is a table on the page."""

FIGURE = re.compile(r"\d[\d.,:-]*\d|\d")
DAYS_OF_A_YEAR = 365
EMPTY: tuple[Any, ...] = ("", [], {}, ())

FINDING_COLUMNS = tuple(
    sorted(one.name for one in fields(FindingRow) if one.name not in NOT_EMBEDDED)
)

RULE_COLUMNS = (
    "title",
    "digest",
    "examined",
    "hits",
    "findings",
    "health",
    "decided",
    "precision_percent",
    "fields_missing",
    "tests_match",
    "tests_other",
)

FULL_ONLY = (
    "activity",
    "profiles",
    "sender_months",
    "access",
    "rules",
    "rule_summary",
    "method",
    "exceptions",
    "appendix",
)
"""Sections that the brief edition does not show."""


def embedded(content: Content) -> str:
    """The packed data as JSON in which no character can close a script block."""
    return json_text(packed(content))


def read_embedded(text: str) -> Any:
    """Plain rows from the JSON inside a page."""
    return unpack(json.loads(text))


def packed(content: Content) -> Any:
    """The part of ``content`` that the page shows, as plain packed data."""
    quiet = not content.shown.total
    groups = tuple(replace(group, finding_ids=()) for group in content.groups)
    whole: dict[str, Any] = msgspec.to_builtins(replace(content, findings=(), groups=groups))
    del whole["findings"]
    rows = by_group(content)
    for group in whole["groups"]:
        found = rows[group["level"], group["rule_id"]]
        group["findings"] = pack_rows(found) if len(found) > 1 else [filled(one) for one in found]
    for table in whole["frameworks"]:
        table["open"] = {one["clause"]: one["open"] for one in table["clauses"] if one["open"]}
        table["clauses"] = by_status(table["clauses"])
        table["counts"] = [count for _, count in table["counts"]]
    for section, names in LEFT_OUT.items():
        leave_out(whole, section.split("."), names)
    whole["activity"] = seen_activity(whole["activity"], quiet=quiet)
    whole["rules"] = told_rules(content)
    sampled = [row["at"] for row in whole["access"]["sample"]]
    whole["access"]["sample"] = sampled[:FEW] if quiet else sampled
    if not any(one["count"] or one["last"] for one in whole["conclusion"]["levels"]):
        del whole["conclusion"]["levels"]
    if quiet:
        whole["profiles"] = whole["profiles"][:FEW]
        for name in ("actions", "top_senders", "top_resources"):
            whole["activity"][name] = whole["activity"][name][:FEW]
    whole["completeness"] = seen_completeness(whole["completeness"])
    whole["appendix"]["provenance"] = provenance_beyond(content)
    if content.cover.edition == "brief":
        held = whole["completeness"]
        whole["completeness"] = {"evidence": held["evidence"], "figures": held["figures"]}
        for section in FULL_ONLY:
            del whole[section]
    return pack(filled(whole))


def filled(value: Any) -> Any:
    """``value`` without what is empty: null, no text, no rows."""
    if isinstance(value, Packed) or not isinstance(value, dict):
        return value
    inner = {key: filled(one) for key, one in value.items()}
    return {key: one for key, one in inner.items() if one is not None and one not in EMPTY}


def provenance_beyond(content: Content) -> dict[str, str]:
    """What the cover does not say."""
    said = (content.cover.input_digest, content.cover.rules_digest, "")
    return {key: value for key, value in content.appendix.provenance if value not in said}


def seen_activity(activity: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Activity by day and hour without the classes and rows in which nothing was counted.

    A page without findings shows no table by class and none by weekday, but their sums.
    """
    seen = [one for one in activity["series"] if one["total"]]
    if quiet:
        del activity["hours"], activity["hours_peak"]
        totals = {one["name"]: one["total"] for one in seen}
        return {**activity, "days": [], "findings_by_day": [], "series": totals}
    del activity["by_hour"]
    return {
        **activity,
        "series": seen,
        "findings_by_day": activity["findings_by_day"] if any(activity["findings_by_day"]) else [],
        "hours": [row if row != [0] * len(row) else [] for row in activity["hours"]],
    }


def told_rules(content: Content) -> dict[str, Any]:
    """A row for each rule that the page has a row for; of the others, the events examined."""
    rest = [row for row in content.rules if not row.told]
    hit = [[row.hits, row.examined] for row in rest if row.health == "hit"]
    quiet = [row.examined for row in rest if row.health == "quiet"]
    told = [
        {name: getattr(row, name) for name in RULE_COLUMNS} for row in content.rules if row.told
    ]
    return {"told": told, "hit": hit, "quiet": quiet}


def seen_completeness(held: dict[str, Any]) -> dict[str, Any]:
    """The population page: days as counts, evidence as states and the figures of its statements."""
    strip, evidence = held.pop("strip"), held["evidence"]
    named = len("10-31") if len(strip) <= DAYS_OF_A_YEAR else len("2026-10-31")
    return {
        **held,
        "by_day": {one["day"][-named:]: one["events"] for one in strip},
        "without_events": next((one["state"] for one in strip if not one["events"]), ""),
        "fields": {
            one["question"]: one["percent"] for one in held["fields"] if one["percent"] != 100
        },
        "evidence": {
            state: [one["evidence_id"] for one in evidence if one["state"] == state]
            for state in sorted({one["state"] for one in evidence})
        },
        "figures": {one["evidence_id"]: FIGURE.findall(one["statement"]) for one in evidence},
    }


def by_group(content: Content) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The findings on the page as plain rows, by level and rule."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    titles = {(group.level, group.rule_id): group.title for group in content.groups}
    for n, row in enumerate(content.findings[: content.shown.shown]):
        plain = {name: getattr(row, name) for name in FINDING_COLUMNS}
        plain["title"] = "" if titles[row.level, row.rule_id] == row.title else row.title
        plain["reasons"] = reasons_of(row, n)
        rows[row.level, row.rule_id].append(plain)
    return rows


def reasons_of(row: FindingRow, place: int) -> list[list[Any]]:
    """Sentence and share of each reason the page gives; of later findings the figures alone."""
    given = row.reasons if place < IDS_LISTED else row.reasons[:REASONS_LISTED]
    if place < DETAILED:
        return [[one.text, one.share_percent] for one in given]
    return [[" ".join(FIGURE.findall(one.text)), one.share_percent] for one in given]


def by_status(clauses: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Clause ids under each status."""
    found: dict[str, list[str]] = defaultdict(list)
    for clause in clauses:
        found[clause["status"]].append(clause["clause"])
    return dict(found)


def leave_out(value: Any, path: list[str], names: tuple[str, ...]) -> None:
    """Remove ``names`` from the mapping at ``path``, or from each mapping of the list there."""
    for key in path:
        value = value[key]
    for one in value if isinstance(value, list | tuple) else [value]:
        for name in names:
            one.pop(name, None)


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
