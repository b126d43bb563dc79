"""The directory pulled beside the log: what fails is told, and spoils nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from auditlens.archive import Archive
from auditlens.errors import LockHeld, SourceError, UsageError
from auditlens.monthly.last_run import stamp
from auditlens.pages import DirectorySource, Listing

__all__ = ["HasDirectory", "directory_told", "problems_told", "pull_directory"]


@runtime_checkable
class HasDirectory(Protocol):
    """A source that knows users, groups, teams, tags and resources as well."""

    def directory(self) -> DirectorySource:
        """What to pull them from."""


def pull_directory(
    archive: Archive, source: DirectorySource, now: Callable[[], datetime] | None = None
) -> dict[str, Any]:
    """Pull every listing and seal what came: ``at``, ``hash``, ``rows`` by name, ``problems``.

    Raises Interrupted when stopped, and IntegrityError for a damaged archive.
    """
    told: dict[str, Any] = {"at": None, "hash": None, "rows": {}, "problems": {}}
    listings: tuple[Listing, ...] = ()
    try:
        when = {"now": now} if now else {}
        sealed, listings = archive.pull_directory(source, **when)
        if sealed is not None:
            told |= {"at": stamp(sealed.snapshot.at), "hash": sealed.hash}
    except (SourceError, UsageError, LockHeld) as error:
        told["problems"]["directory"] = error.message
    told["rows"] = {one.name: len(one.records) for one in listings if not one.problem}
    told["problems"] |= {one.name: one.problem for one in listings if one.problem}
    return told


def directory_told(told: dict[str, Any]) -> str:
    """One line about what came; empty when nothing did."""
    if not told["hash"]:
        return ""
    rows = ", ".join(f"{count:,} {name}" for name, count in told["rows"].items())
    return f"directory: {rows}, sealed {told['hash'][:16]}…"


def problems_told(told: dict[str, Any]) -> str:
    """One line about what did not come; empty when all came."""
    if not told["problems"]:
        return ""
    return "the directory is not whole: " + "; ".join(told["problems"].values())
