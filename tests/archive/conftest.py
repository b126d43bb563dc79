"""A workspace in memory that can change while it is read, and archives that open quickly."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

# Thousands of archives are opened here, and each would read actions.yml.
from auditlens.archive import archive as archive_module
from auditlens.errors import SourceError
from auditlens.events import load_classifier
from auditlens.pages import Page

START = datetime(2026, 10, 1, tzinfo=UTC)
KINDS = ("table_viewed", "tag_added", "resource_deleted")


def record(number: int, at: datetime, **extra: object) -> bytes:
    """A record in the legacy shape, as a server would write it."""
    return json.dumps(
        {
            "id": f"event-{number:06d}",
            "created_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "event": KINDS[number % len(KINDS)],
            "content": f"did thing {number}",
            "sender": {"id": f"u{number % 7}", "email": f"u{number % 7}@example.org"},
            "metadata": {"number": number},
            **extra,
        }
    ).encode()


@dataclass
class Workspace:
    """A source whose log can grow, shrink and fail between one page and the next.

    ``script`` holds what happens before each further request; ``served`` and ``steady`` are the
    ledger: ids handed out, and ids held from the first request of a sync to its last.
    """

    name: str = "workspace-one"
    size: int = 5
    counted: bool = True
    totalled: bool = True
    events: dict[int, tuple[datetime, bytes]] = field(default_factory=dict)
    script: list[Callable[[Workspace], None]] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    steady: set[str] = field(default_factory=set)
    requests: list[int] = field(default_factory=list)
    clock: datetime = START
    numbers: int = 0

    def arrive(self, count: int = 1, *, age: timedelta = timedelta(0), **extra: object) -> None:
        """Let events happen now, or ``age`` ago."""
        for _ in range(count):
            self.clock += timedelta(minutes=10)
            at = self.clock - age
            self.numbers += 1
            self.events[self.numbers] = (at, record(self.numbers, at, **extra))

    def remove(self, position: int) -> None:
        """Take the event at a position of the listing away."""
        numbers = self.listing()
        if numbers:
            gone = numbers[position % len(numbers)]
            del self.events[gone]
            self.steady.discard(ident(gone))

    def expire(self, count: int) -> None:
        """Drop the oldest events."""
        for _ in range(min(count, len(self.events))):
            self.remove(-1)

    def listing(self) -> list[int]:
        return sorted(self.events, key=lambda n: (self.events[n][0], n), reverse=True)

    def ids(self) -> set[str]:
        return {ident(number) for number in self.events}

    def begin(self) -> None:
        """Start the ledger of one sync."""
        self.steady = self.ids()
        self.served = set()
        self.requests = []

    def page(self, number: int) -> Page:
        self.requests.append(number)
        if len(self.requests) > 1 and self.script:
            self.script.pop(0)(self)
        numbers = self.listing()
        shown = numbers[(number - 1) * self.size : number * self.size]
        self.served |= {ident(n) for n in shown}
        total = max(1, -(-len(numbers) // self.size))
        return Page(
            number,
            tuple(self.events[n][1] for n in shown),
            count=len(numbers) if self.counted else None,
            total_pages=total if self.totalled else None,
            last=number >= total,
            endpoint="legacy",
            request={"page": str(number)},
        )


def ident(number: int) -> str:
    return f"event-{number:06d}"


def fail(_workspace: Workspace) -> None:
    raise SourceError("The server answered 503")


@pytest.fixture(autouse=True)
def _classifier_once(monkeypatch):
    """Read actions.yml once for all tests of this folder."""
    monkeypatch.setattr(archive_module, "load_classifier", cached_classifier)


@functools.cache
def cached_classifier():
    return load_classifier()


@pytest.fixture
def make_workspace():
    """Make a workspace with so many events in it."""

    def make(count: int = 0, **settings):
        workspace = Workspace(**settings)
        workspace.arrive(count)
        return workspace

    return make


@pytest.fixture
def failing():
    """A step of a script at which the source fails."""
    return fail


@pytest.fixture
def make_record():
    return record
