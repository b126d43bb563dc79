"""The simulated workspace over real HTTP: both audit endpoints and the directory's."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Self

import polars as pl

from auditlens.errors import SourceError, UsageError
from auditlens.simulator.doorway import AuditHTTPServer
from auditlens.simulator.envelopes import ENVELOPES
from auditlens.simulator.feed import Feed
from auditlens.simulator.recording import Recording, servable
from auditlens.simulator.roster import Directory
from auditlens.simulator.workspace import GENERATIONS, Workspace

__all__ = ["KEY", "VIEWER_KEY", "Answered", "Server", "Terms", "serve"]

KEY = "simulated-admin-key"
VIEWER_KEY = "simulated-viewer-key"
DEFAULT_SIZE = {"legacy": 20, "current": 50}
RETRY_FORMS = ("seconds", "date")
LISTINGS = {
    "/user": "users",
    "/auth/group": "groups",
    "/auth/teams/": "teams",
    "/tag": "tags",
    "/resource/catalog": "resources",
}


@dataclass(frozen=True)
class Terms:
    """How the server behaves; see :func:`serve`."""

    key: str
    viewer_key: str
    envelope: str
    page_size: int | None
    page_cap: int
    rate_limit: int | None
    rate_window: float
    retry_after: str
    growth: int
    latency: float


@dataclass(frozen=True)
class Answered:
    """One answered request: path, query, status, and whether it carried a key."""

    path: str
    query: str
    status: int
    with_key: bool


@dataclass
class Server:
    """A running server; closing it, or leaving its ``with`` block, frees the port.

    ``feeds`` holds one listing a generation, ``directory`` one a path; ``answered`` is what the
    server was asked so far.
    """

    terms: Terms
    feeds: dict[str, Feed]
    directory: dict[str, Feed]
    address: tuple[str, int]
    answered: list[Answered] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = Lock()
        self.passed: deque[float] = deque()
        try:
            self.http = AuditHTTPServer(self.address, self)
        except (OSError, OverflowError) as error:
            raise SourceError(
                f"Cannot listen on {self.address[0]}:{self.address[1]}: {error}",
                fix="Choose another port (0 picks a free one)",
            ) from None
        self.thread = Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Base address, without a slash at its end."""
        host, port = self.http.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def key(self) -> str:
        """The key of a workspace admin."""
        return self.terms.key

    @property
    def viewer_key(self) -> str:
        """The key of a viewer: good for the directory, refused on the audit log."""
        return self.terms.viewer_key

    def arrive(self, count: int) -> None:
        """Let ``count`` more records arrive in every generation."""
        for feed in self.feeds.values():
            feed.arrive(count)

    def size(self, generation: str, asked: int | None) -> int:
        """Records a page: what was asked, up to the cap, else the default."""
        default = self.terms.page_size or DEFAULT_SIZE[generation]
        return min(asked or default, self.terms.page_cap)

    def wait(self) -> float:
        """Seconds this request must wait for the rate limit; 0 when it may pass."""
        if self.terms.rate_limit is None:
            return 0.0
        with self.lock:
            now = monotonic()
            while self.passed and self.passed[0] <= now - self.terms.rate_window:
                self.passed.popleft()
            if len(self.passed) >= self.terms.rate_limit:
                return self.passed[0] + self.terms.rate_window - now
            self.passed.append(now)
            return 0.0

    def note(self, path: str, query: str, status: int, *, with_key: bool) -> None:
        """Keep what was asked."""
        with self.lock:
            self.answered.append(Answered(path, query, status, with_key))

    def close(self) -> None:
        """Stop serving and free the port; a second call does nothing."""
        if self.thread.is_alive():
            self.http.shutdown()
            self.thread.join()
            self.http.hang_up()
        self.http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(  # noqa: PLR0913
    workspace: Workspace | Recording | Path | str | Sequence[bytes],
    *,
    generation: str = "both",
    host: str = "127.0.0.1",
    port: int = 0,
    key: str = KEY,
    viewer_key: str = VIEWER_KEY,
    envelope: str = "modern",
    page_size: int | None = None,
    page_cap: int = 1000,
    ceiling: int | None = None,
    rate_limit: int | None = None,
    rate_window: float = 60.0,
    retry_after: str = "seconds",
    growth: int = 0,
    arrivals: int | None = None,
    usual_days: int | None = 90,
    latency: float = 0.0,
) -> Server:
    """Serve a workspace, an NDJSON file of legacy records, or such records, over HTTP.

    ``generation`` is ``legacy``, ``current`` or ``both`` (an endpoint not served answers 404);
    ``envelope`` ``modern``, ``plain`` or ``array``. ``page_size`` is the size of a page nobody
    asked a size for (default: 20 legacy, 50 current), ``page_cap`` the most a page holds,
    ``ceiling`` where the count stops. ``rate_limit`` allows so many requests in ``rate_window``
    seconds, then 429 with ``Retry-After`` in ``seconds`` or as a ``date``. ``growth`` records
    arrive after each page of the log, out of the newest ``arrivals`` (default: a tenth) that are
    held back at first. ``usual_days`` is how far back a legacy request without ``days`` sees (None:
    all). ``latency`` is seconds before each answer. Raises UsageError for an unknown
    value, SourceError when the port is taken.
    """
    chosen = GENERATIONS if generation == "both" else (generation,)
    check_choice("generation", generation, (*GENERATIONS, "both"))
    check_choice("envelope", envelope, tuple(ENVELOPES))
    check_choice("retry_after", retry_after, RETRY_FORMS)
    source = servable(workspace)
    terms = Terms(
        key, viewer_key, envelope, page_size, page_cap,
        rate_limit, rate_window, retry_after, growth, latency,
    )  # fmt: skip
    feeds = {}
    for name in chosen:
        hidden = held_back(source.size, arrivals) if growth else 0
        feeds[name] = Feed(partial(source.records, name), hidden, ceiling, usual_days)
    listings = directory_feeds(source.directory) if source.directory else {}
    return Server(terms, feeds, listings, (host, port))


def held_back(size: int, arrivals: int | None) -> int:
    return size // 10 if arrivals is None else min(arrivals, size)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"No {name} is called {value!r}", fix=f"Use {', '.join(choices)}")


def directory_feeds(directory: Directory) -> dict[str, Feed]:
    """One listing a path; the first row comes first, unlike in the log."""
    return {path: Feed(partial(rows, getattr(directory, name))) for path, name in LISTINGS.items()}


def rows(frame: pl.DataFrame) -> list[bytes]:
    return [line.encode() for line in reversed(frame.write_ndjson().splitlines())]
