"""Coverage: what was pulled or read, what is missing, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

__all__ = ["OUTCOMES", "Coverage", "Pull", "Quarantined"]

OUTCOMES = ("complete", "incomplete", "unprovable", "saturated")
"""Proven complete; short of the server's count; no proof to be had; count at its ceiling."""


@dataclass(frozen=True)
class Quarantined:
    """A record that is no event: the file or pull it came in, its line, why, and its start."""

    source: str
    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Pull:
    """One run of a sync: when (UTC), what it asked, what it brought and how it ended."""

    at: datetime
    endpoint: str
    new: int
    seen: int
    server_count: int | None
    outcome: str
    missing: int | None = None


@dataclass(frozen=True)
class Coverage:
    """The completeness statement of one audit.

    ``outcome`` is one of OUTCOMES and ``statement`` says it in a sentence. ``first_at`` and
    ``last_at`` span everything held, in UTC. ``gaps`` are pairs of first and last day: of an
    archive, days that no sync vouches for; of files, days without an event between two with.
    ``input_digest`` is the SHA-256 over the sorted
    ``id`` and ``leaf`` of every event used; ``head`` is the archive's head hash. Lists are
    capped; the counts beside them are true.
    """

    outcome: str
    statement: str
    source: str = ""
    missing: int | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    events_held: int = 0
    events_in_period: int = 0
    unclassified: int = 0
    quarantined: tuple[Quarantined, ...] = ()
    quarantined_count: int = 0
    duplicates: int = 0
    changed_ids: tuple[str, ...] = ()
    changed_count: int = 0
    late: int = 0
    gaps: tuple[tuple[date, date], ...] = ()
    pulls: tuple[Pull, ...] = ()
    head: str | None = None
    input_digest: str = ""
