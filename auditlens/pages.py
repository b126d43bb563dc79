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

    Attributes:
        number: Its number, from 1.
        records: Exact bytes of each record, in the server's order.
        count: The server's own total of records; None when it gave none.
        total_pages: The server's own total of pages; None when it gave none.
        last: Whether the server says that no page follows.
        endpoint: Generation that was asked: ``legacy`` or ``current``.
        request: Parameters that were sent, never the key.
        server_time: The HTTP ``Date`` header, in UTC; None without one.
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
    """A log that can be read page by page, newest record first.

    Attributes:
        name: Stable identity of the workspace behind the log, without secrets.
    """

    @property
    def name(self) -> str: ...

    def page(self, number: int) -> Page:
        """Fetch one page.

        Args:
            number: Its number, from 1.

        Returns:
            The page; one past the end has no records.

        Raises:
            SourceError: The source failed.
            KeyRefused: The server refused the key.
        """


@dataclass(frozen=True)
class Listing:
    """All of one listing of the directory, or why it did not come.

    Attributes:
        name: ``users``, ``groups``, ``teams``, ``tags`` or ``resources``.
        endpoint: Path that was asked.
        records: Exact bytes of each record; none with a ``problem``: part of a listing is never
            handed over.
        count: The server's own total; None when it gave none.
        problem: Why it did not come; empty when it came.
    """

    name: str
    endpoint: str
    records: tuple[bytes, ...] = ()
    count: int | None = None
    problem: str = ""


class DirectorySource(Protocol):
    """The listings of one workspace.

    Attributes:
        name: Stable identity of the workspace, without secrets.
    """

    @property
    def name(self) -> str: ...

    def listings(self) -> tuple[Listing, ...]:
        """Fetch every listing.

        Returns:
            One entry a listing; what failed has a ``problem``.

        Raises:
            Interrupted: The source was stopped.
        """
