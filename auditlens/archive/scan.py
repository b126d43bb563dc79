"""One scan of the source's pages, newest first, and what it showed.

Pages shift while they are read. Events that arrive push records on to the next page: they are
read twice and told apart by id. Events that are removed pull records back over the edge of a
page: they are missed, and the count need not show it, since an event that came late below stands
in for one removed above. So no count at the end proves anything. What proves is a moment: when
the source counted as many events as are known to have stood there then, because each of them was
seen before and was seen again after, nothing was hidden from the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np

from auditlens.archive.dedup import KNOWN, NEW, UNTIMED, SeenKeys, halves
from auditlens.archive.writer import PageResult, SegmentWriter
from auditlens.errors import Interrupted, SourceError, UsageError
from auditlens.events import micros
from auditlens.pages import Page, Source
from auditlens.text import count

__all__ = ["MAX_READS", "PageScan", "Progress", "Steps", "read_again", "scan_on", "scan_pages"]

MAX_REPEATS = 3
MAX_PUSHED = 100
MAX_PAGES = 500_000
MAX_READS = 4
"""So often each page of the log is read, on average, before a sync gives up."""
FOREIGN_ROWS = 10
"""So many records of a span held completely, none of them known: another workspace."""


@dataclass(frozen=True)
class Progress:
    """Where a sync stands after a page; ``str`` gives it as one line.

    Attributes:
        page: Number of the page read, from 1.
        total_pages: How many the server says there are; None when it gives no total.
        new: Events stored so far in this sync.
        seen: Records met so far in this sync that were held before it.
        back_to: The oldest event read so far, in UTC; None before one.
        again: Whether the page was read once more, to prove that none was skipped.
    """

    page: int
    total_pages: int | None
    new: int
    seen: int
    back_to: datetime | None
    again: bool = False

    def __str__(self) -> str:
        pages = f"page {self.page:,}"
        if self.total_pages:
            pages += f" of {self.total_pages:,}"
        if self.again:
            pages += " once more"
        back = f", back to {self.back_to:%Y-%m-%d}" if self.back_to else ""
        return f"{pages}, {count(self.new, 'new event')}{back}"


@dataclass
class PageScan:
    """What the pages of one sync showed. ``whole``: they were read to the last page.

    ``numbers``, ``counts`` and ``ends`` have one entry a request: which page, the source's count
    with it, whether it was the last page. ``taken`` follows them once pages are told apart.
    ``short_of`` is the page at which a short walk ended; ``first_end``
    is the request with which the pages had been read for the first time, ``planned`` is
    how many requests a proof takes when the log is at rest, ``tops`` how many pages were read
    for what arrived meanwhile, ``latest_new`` the last request that
    met a new record (-1: none).
    """

    endpoint: str = ""
    count: int | None = None
    highest_count: int = 0
    anchor: datetime | None = None
    reached: datetime | None = None
    server_oldest: datetime | None = None
    newest_first: bool = True
    beyond_count: bool = False
    whole: bool = False
    tail_first: bool = False
    short_of: int = 0
    depth: int = 0
    first_end: int = 0
    planned: int = 0
    tops: int = 0
    latest_new: int = -1
    repeats: int = 0
    began: datetime | None = None
    server_time: datetime | None = None
    met: SeenKeys = field(default_factory=SeenKeys)
    numbers: list[int] = field(default_factory=list)
    counts: list[int | None] = field(default_factory=list)
    ends: list[bool] = field(default_factory=list)
    taken: list[PageResult] = field(default_factory=list)

    def ask(self, source: Source, writer: SegmentWriter, number: int) -> Page:
        """Read the next page and queue it."""
        page, leaves = self.ask_aside(source, writer, number)
        self.depth = max(self.depth, number)
        # A page that came before has no leaves, and nothing fresh.
        fresh = bool(self.met.add(halves(leaves)[0]))
        self.repeats = 0 if fresh or not page.records else self.repeats + 1
        if page.count is not None:
            slack = 2 * len(page.records)
            self.beyond_count |= fresh and self.met.count > self.highest_count + slack
        return page

    def ask_aside(
        self, source: Source, writer: SegmentWriter, number: int
    ) -> tuple[Page, list[bytes]]:
        """Read a page out of turn and queue it; the leaves of its records if it is a new one."""
        page = source.page(number)
        leaves = writer.queue(page).leaves
        self.numbers.append(number)
        self.counts.append(page.count)
        self.ends.append(page.last)
        if page.count is not None:
            self.highest_count = max(self.highest_count, page.count)
        return page, leaves

    def settle(self, writer: SegmentWriter) -> PageResult | None:
        """Let the queued pages be told apart; returns the last of them, if any."""
        settled = writer.settle()
        for number, taken in enumerate(settled, len(self.taken)):
            if (taken.states == NEW).any():
                self.latest_new = number
        self.taken.extend(settled)
        return settled[-1] if settled else None

    def note_reached(self, taken: PageResult) -> None:
        if taken.oldest:
            self.reached = min(self.reached or taken.oldest, taken.oldest)

    @property
    def pages(self) -> int:
        """How many pages the log was found to have."""
        return max(self.numbers, default=0)

    @property
    def latest_count(self) -> int | None:
        return next((count for count in reversed(self.counts) if count is not None), None)

    @property
    def vouched_until(self) -> datetime | None:
        """Our clock when the walk began, or the server's with its first page if that is earlier."""
        return min(filter(None, (self.began, self.server_time)), default=None)

    def moves(self) -> tuple[int, int]:
        """By how much the count rose between two requests, and by how much it fell, in all."""
        counts = [count for count in self.counts if count is not None]
        steps = [after - before for before, after in pairwise(counts)]
        return sum(step for step in steps if step > 0), -sum(step for step in steps if step < 0)

    @property
    def again(self) -> int:
        """How many pages must be read again, so that all were read after the last new record."""
        if self.latest_new <= 0:
            return 0
        tail = self.tail_first and self.latest_new == 1
        return 1 if tail else self.numbers[self.latest_new] - 1


@dataclass(frozen=True)
class Steps:
    """What happens between pages: saving, telling, and asking whether to stop."""

    now: Callable[[], datetime]
    stopped: Callable[[], bool]
    progress: Callable[[Progress], None]


def scan_pages(
    source: Source, writer: SegmentWriter, steps: Steps, found: PageScan, until: datetime | None
) -> None:
    """Read pages into ``writer`` and note them in ``found``, newest first.

    Ends at the last page, or, when ``until`` is given, at a page that is known as a whole and
    older than that. Raises SourceError when paging does not end, Interrupted when asked to stop.
    """
    page = found.ask(source, writer, 1)
    taken = begin(source, writer, found, page)
    go_on(source, writer, steps, found, page, taken, until)


def scan_on(source: Source, writer: SegmentWriter, steps: Steps, found: PageScan) -> None:
    """Go on from where a short walk ended, to the last page."""
    page = found.ask(source, writer, found.short_of + 1)
    taken = found.settle(writer)
    assert taken is not None
    found.note_reached(taken)
    go_on(source, writer, steps, found, page, taken, None)


def go_on(
    source: Source,
    writer: SegmentWriter,
    steps: Steps,
    found: PageScan,
    page: Page,
    taken: PageResult,
    until: datetime | None,
) -> None:
    """Read on from ``page``, which holds ``taken``."""
    while True:
        # A total may stop at a ceiling; only the source's word or an empty page is the end.
        ended = page.last or not page.records
        # Where each page decides whether to go on it is looked into at once; else in batches.
        if ended or until or writer.due:
            known = len(found.taken)
            taken = found.settle(writer) or taken
            for each in found.taken[known:]:
                found.note_reached(each)
        after_page(writer, steps, page, found)
        found.first_end = len(found.numbers) - 1
        if ended:
            found.whole = True
            return
        if until and found.newest_first and taken.older_and_known(until):
            found.short_of = page.number
            return
        stay_bounded(found, page)
        page = found.ask(source, writer, page.number + 1)


def stay_bounded(found: PageScan, page: Page) -> None:
    """Raise SourceError when a listing repeats itself or does not end."""
    # Events that arrive push records on: so many pages bring what was read before.
    pushed = found.moves()[0] // max(1, len(page.records)) if found.repeats >= MAX_REPEATS else 0
    if found.repeats >= MAX_REPEATS + min(pushed, MAX_PUSHED):
        raise SourceError(
            f"The source sends the same records again and again, last as page {page.number}",
            fix="Try again later; nothing of the repeated pages was stored",
        )
    if page.number >= MAX_PAGES:
        raise SourceError(f"The source's listing did not end after {MAX_PAGES:,} pages")


def read_again(
    source: Source, writer: SegmentWriter, steps: Steps, found: PageScan, number: int
) -> int:
    """Read page ``number`` once more; returns the one to read next: after the last, the first."""
    page, _ = found.ask_aside(source, writer, number)
    if writer.due:
        found.settle(writer)
    after_page(writer, steps, page, found, again=True)
    # A listing that grows without end while it is read again is begun anew.
    return 1 if page.last or not page.records or number > 2 * found.depth else number + 1


def begin(source: Source, writer: SegmentWriter, found: PageScan, page: Page) -> PageResult:
    """Take the first page, and right after it the last, whose events expire soonest."""
    taken = found.settle(writer)
    assert taken is not None
    found.note_reached(taken)
    found.endpoint, found.count, found.server_time = page.endpoint, page.count, page.server_time
    found.anchor, found.server_oldest = taken.newest, taken.oldest
    ends = [taken]
    last = last_number(page)
    if last > 1:
        _, leaves = found.ask_aside(source, writer, last)
        found.met.add(halves(leaves)[0])
        tail = found.settle(writer)
        assert tail is not None
        found.tail_first = True
        ends.append(tail)
        if tail.newest and taken.newest:
            found.newest_first = tail.newest <= taken.newest
        found.anchor = max(filter(None, (found.anchor, tail.newest)), default=None)
        found.server_oldest = min(filter(None, (found.server_oldest, tail.oldest)), default=None)
    elif not page.last:
        timed = taken.times[taken.times > UNTIMED]
        found.newest_first = not (timed.size and timed[0] < timed[-1])
    refuse_foreign(writer, ends)
    return taken


def last_number(page: Page) -> int:
    """Number of the last page by the first page's totals; 0 when they do not tell."""
    if page.last or not page.records:
        return 0
    if page.total_pages is not None:
        return page.total_pages
    return -(-page.count // len(page.records)) if page.count is not None else 0


def refuse_foreign(writer: SegmentWriter, ends: list[PageResult]) -> None:
    """Raise UsageError when the pages cover a span held completely but none of it is known."""
    if writer.watermark is None or writer.held_since is None:
        return
    first, last = micros(writer.held_since), micros(writer.watermark)
    states = np.concatenate(
        [taken.states[(taken.times >= first) & (taken.times <= last)] for taken in ends]
    )
    if states.size >= FOREIGN_ROWS and KNOWN not in states:
        raise UsageError(
            f"This looks like another workspace: of {states.size} events from a time that the "
            f"archive {writer.folder} holds, it knows none",
            fix="Use one archive folder for each workspace",
        )


def after_page(
    writer: SegmentWriter, steps: Steps, page: Page, found: PageScan, *, again: bool = False
) -> None:
    """Save what is due, say where the walk stands, and stop if asked to."""
    writer.seal(steps.now())
    tally = writer.tally
    steps.progress(
        Progress(page.number, page.total_pages, tally.new, tally.seen, found.reached, again)
    )
    if steps.stopped():
        raise Interrupted(
            f"Stopped after page {page.number}; what was read is saved",
            fix="Run sync again to go on",
        )
