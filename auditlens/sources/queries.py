"""The two generations of the audit log, and the parameters each of them knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from auditlens.errors import UsageError

__all__ = ["CURRENT", "ENDPOINTS", "LEGACY", "Query", "read_query"]

CURRENT, LEGACY = "current", "legacy"
ENDPOINTS = {
    CURRENT: "/api/v1/activity_log/audit_logs/",
    LEGACY: "/api/v1/notification/workspace/",
}
NEWEST_FIRST = '{"field":"created_at","order":"desc"}'
PAGE_SIZE = 100
ALL_DAYS = 3650
"""The legacy API looks back 90 days unless asked for more; the log itself reaches further."""
MOST_PAGE_SIZE = 10_000


@dataclass(frozen=True)
class Query:
    """What to ask for. ``chosen`` is what the user set; ``usual`` is ours, and may be dropped.

    Both map a generation to its parameters. ``generations`` are those that know all of them, in
    the order to try.
    """

    generations: tuple[str, ...]
    chosen: Mapping[str, Mapping[str, str]]
    usual: Mapping[str, Mapping[str, str]]

    @property
    def view(self) -> str:
        """The part of the log asked for, as text; empty when it is all of it."""
        parts = {
            name: text
            for parameters in self.chosen.values()
            for name, text in parameters.items()
            if name in ("sender_id", "resource_id", "filter")
        }
        return "&".join(f"{name}={parts[name]}" for name in sorted(parts))


def read_query(
    *,
    api: str,
    legacy: Mapping[str, int | str | None],
    current: Mapping[str, Mapping[str, Any] | str | None],
    page_size: int | None,
) -> Query:
    """Check the parameters and choose the generations that can honour them.

    Raises UsageError for a bad value and for parameters that no one generation knows.
    """
    if api not in ("auto", CURRENT, LEGACY):
        raise UsageError(f"No API is called {str(api)[:40]!r}", fix="Use auto, current or legacy")
    old = {name: legacy_text(name, value) for name, value in legacy.items() if value is not None}
    new = {name: json_text(name, value) for name, value in current.items() if value is not None}
    generations: tuple[str, ...] = (CURRENT, LEGACY) if api == "auto" else (api,)
    if old:
        generations = tuple(each for each in generations if each == LEGACY)
    if new:
        generations = tuple(each for each in generations if each == CURRENT)
    if not generations:
        raise UsageError(
            f"No API knows all of: api={api}, {', '.join([*old, *new])}",
            fix="days, sender_id, resource_id are legacy parameters; filter, sort are current ones",
        )
    if page_size is not None:
        old["page_size"] = legacy_text("page_size", page_size)
    usual_old = {"days": str(ALL_DAYS), "page_size": str(PAGE_SIZE)}
    usual_old = {name: text for name, text in usual_old.items() if name not in old}
    usual_new = {} if "sort" in new else {"sort": NEWEST_FIRST}
    return Query(generations, {CURRENT: new, LEGACY: old}, {CURRENT: usual_new, LEGACY: usual_old})


def legacy_text(name: str, value: int | str) -> str:
    if name in ("days", "page_size"):
        most = MOST_PAGE_SIZE if name == "page_size" else 36_500
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise UsageError(f"{name} must be a whole number from 1 to {most}, not {value!r:.40}")
        return str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise UsageError(f"{name} must be an id, not {value!r:.40}", fix="Copy it from an event")
    return value.strip()


def json_text(name: str, value: Mapping[str, Any] | str) -> str:
    """A filter or sort as compact JSON text; text is checked and sent as it is."""
    try:
        if not isinstance(value, str):
            return msgspec.json.encode(value).decode()
        msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise UsageError(
            f"{name} is no JSON object ({str(error)[:80]})",
            fix='For example {"operator":"exact","field":"performer_type","value":"USER"}',
        ) from None
    return value
