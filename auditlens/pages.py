"""What a source hands over: one page of a listing, as exact bytes.

Sources and the archive do not know each other. They meet in :class:`Source`: anything that
can fetch page *n* of a listing can be synced into an archive. A :class:`DirectorySource` gives
the listings beside the log: users, groups, teams, tags and catalog resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = ["DirectorySource", "Listing", "Page", "Source"]


@dataclass(frozen=True)
class Page:
    """One page of the audit log, as the server sent it.

    ``records`` are the exact bytes of each record, in the server's order. ``count`` and
    ``total_pages`` are the server's own totals, ``None`` when it gave none. ``last`` is true
    when the server says no page follows. ``request`` holds the parameters sent (never the key),
    ``endpoint`` the generation asked (``legacy`` or ``current``), ``server_time`` the HTTP
    ``Date`` header in UTC.
    """

    number: int
    records: tuple[bytes, ...]
    count: int | None = None
    total_pages: int | None = None
    last: bool = False
    endpoint: str = ""
    request: Mapping[str, str] = field(default_factory=dict)
    server_time: datetime | None = None


class Source(Protocol):
    """A listing that can be read page by page, newest record first."""

    @property
    def name(self) -> str:
        """Stable identity of the workspace behind the listing, without secrets."""

    def page(self, number: int) -> Page:
        """Fetch page ``number`` (from 1). Raises SourceError or KeyRefused."""


@dataclass(frozen=True)
class Listing:
    """All of one listing of the directory, or why it did not come.

    ``name`` is users, groups, teams, tags or resources; ``records`` the exact bytes of each
    record; ``count`` the server's own total, None when it gave none. With a ``problem`` there are
    no records: part of a listing is never handed over.
    """

    name: str
    endpoint: str
    records: tuple[bytes, ...] = ()
    count: int | None = None
    problem: str = ""


class DirectorySource(Protocol):
    """The listings of one workspace."""

    @property
    def name(self) -> str:
        """Stable identity of the workspace, without secrets."""

    def listings(self) -> tuple[Listing, ...]:
        """Fetch every listing. Raises Interrupted when stopped; a failure is in the listing."""
