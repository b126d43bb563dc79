"""One walk over the source's pages, newest first, and what it showed.

Pages shift while they are read. Events that arrive push records on to the next page: they are
read twice and told apart by id. Events that are removed pull records back over the edge of a
page: they are missed, and the source's count falls. So a walk notes every fall of the count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from auditlens.archive.intake import Intake, Taken
from auditlens.archive.ledger import (
    KNOWN,
    UNTIMED,
    Keys,
    Met,
    Times,
    count_distinct,
    halves,
    micros,
    standing,
)
from auditlens.errors import Interrupted, SourceError, UsageError
from auditlens.pages import Page, Source

__all__ = ["Progress", "Walk", "walk"]

MAX_REPEATS = 3
MAX_PAGES = 500_000
FOREIGN_ROWS = 10
"""So many records of a span held completely, none of them known: another workspace."""


@dataclass(frozen=True)
class Progress:
    """Where a sync stands: pages read (of how many, if known), events stored, how far back."""

    page: int
    total_pages: int | None
    new: int
    seen: int
    back_to: datetime | None

    def __str__(self) -> str:
        pages = f"page {self.page:,}"
        if self.total_pages:
            pages += f" of {self.total_pages:,}"
        back = f", back to {self.back_to:%Y-%m-%d}" if self.back_to else ""
        return f"{pages}, {self.new:,} new events{back}"


@dataclass
class Walk:
    """What a walk showed. ``whole``: it ended at the last page, not in known territory."""

    endpoint: str = ""
    count: int | None = None
    highest_count: int = 0
    latest_count: int | None = None
    fallen: int = 0
    risen: int = 0
    anchor: datetime | None = None
    reached: datetime | None = None
    server_oldest: datetime | None = None
    last_oldest: datetime | None = None
    newest_first: bool = True
    beyond_count: bool = False
    whole: bool = False
    repeats: int = 0
    began: datetime | None = None
    server_time: datetime | None = None
    met: Met = field(default_factory=Met)
    taken: list[Taken] = field(default_factory=list)

    def see(self, page: Page, leaves: list[bytes]) -> None:
        """Note one page as it came, in the order of the walk."""
        fresh = bool(self.met.add(halves(leaves)[0]))
        self.repeats = 0 if fresh or not page.records else self.repeats + 1
        self.note_count(page)
        if page.count is not None:
            slack = 2 * len(page.records)
            self.beyond_count |= fresh and self.met.count > self.highest_count + slack

    def note_count(self, page: Page) -> None:
        """Note how the source's count moved since the page before."""
        if page.count is not None:
            if self.latest_count is not None:
                self.fallen += max(0, self.latest_count - page.count)
                self.risen += max(0, page.count - self.latest_count)
            self.latest_count = page.count
            self.highest_count = max(self.highest_count, page.count)

    def settle(self, intake: Intake) -> Taken | None:
        """Let the queued pages be told apart; returns the last of them, if any."""
        settled = intake.settle()
        for taken in settled:
            oldest = taken.oldest
            if oldest:
                self.reached = min(self.reached or oldest, oldest)
                self.last_oldest = oldest
            self.taken.append(taken)
        return settled[-1] if settled else None

    def present(self) -> int:
        """Number of ids seen with a time up to the anchor; records without a time count."""
        keys, times = self.arrays()
        limit = UNTIMED if self.anchor is None else micros(self.anchor)
        return count_distinct(keys[times <= limit])

    def unseen(self, ids: Keys) -> npt.NDArray[np.bool_]:
        """Which of these ids the walk did not meet."""
        seen = np.sort(self.arrays()[0])
        return ~standing(seen, ids, np.searchsorted(seen, ids))

    def expired(self) -> int:
        """Number of ids seen that are older than anything the last page still listed."""
        if not self.whole or self.last_oldest is None:
            return 0
        keys, times = self.arrays()
        gone = (times < micros(self.last_oldest)) & (times > UNTIMED)
        return count_distinct(keys[gone])

    def arrays(self) -> tuple[Keys, Times]:
        """Key and time of every record seen, the tail's included; repeats stand twice."""
        keys = np.concatenate([taken.keys for taken in self.taken])
        return keys, np.concatenate([taken.times for taken in self.taken])

    @property
    def vouched_until(self) -> datetime | None:
        """Our clock when the walk began, or the server's with its first page if that is earlier."""
        return min(filter(None, (self.began, self.server_time)), default=None)

    @property
    def shaken(self) -> bool:
        """Whether the count fell by more than what expired at the old end explains."""
        return self.fallen > self.expired()

    @property
    def overtaken(self) -> bool:
        """Whether a record read late in a short walk may have arrived after the count was given.

        Held but not counted, it would stand in for one that was counted and is not held.
        """
        if self.whole or not self.risen or self.anchor is None:
            return False
        limit = micros(self.anchor)
        later = self.taken[1:]
        return any(bool(((t.states != KNOWN) & (t.times <= limit)).any()) for t in later)


@dataclass(frozen=True)
class Steps:
    """What happens between pages: saving, telling, and asking whether to stop."""

    now: Callable[[], datetime]
    stopped: Callable[[], bool]
    progress: Callable[[Progress], None]


def walk(source: Source, intake: Intake, steps: Steps, found: Walk, until: datetime | None) -> None:
    """Read pages into ``intake`` and note them in ``found``, newest first.

    Ends at the last page, or, when ``until`` is given, at a page that is known as a whole and
    older than that. Raises SourceError when paging does not end, Interrupted when asked to stop.
    """
    page = source.page(1)
    taken = begin(source, intake, found, page)
    while True:
        # A total may stop at a ceiling; only the source's word or an empty page is the end.
        ended = page.last or not page.records
        # Where each page decides whether to go on it is looked into at once; else in batches.
        if ended or until or intake.due:
            taken = found.settle(intake) or taken
        after_page(intake, steps, page, found)
        if ended:
            found.whole = True
            return
        if until and found.newest_first and taken.older_and_known(until):
            return
        if found.repeats >= MAX_REPEATS:
            raise SourceError(
                f"The source sends the same records again and again, last as page {page.number}",
                fix="Try again later; nothing of the repeated pages was stored",
            )
        if page.number >= MAX_PAGES:
            raise SourceError(f"The source's listing did not end after {MAX_PAGES:,} pages")
        page = source.page(page.number + 1)
        found.see(page, intake.queue(page))


def begin(source: Source, intake: Intake, found: Walk, page: Page) -> Taken:
    """Take the first page, and right after it the last, whose events expire soonest."""
    found.see(page, intake.queue(page))
    taken = found.settle(intake)
    assert taken is not None
    found.endpoint, found.count, found.server_time = page.endpoint, page.count, page.server_time
    found.anchor, found.server_oldest = taken.newest, taken.oldest
    ends = [taken]
    last = last_number(page)
    if last > 1:
        page = source.page(last)
        found.note_count(page)
        intake.queue(page)
        tail = intake.settle()[-1]
        found.taken.append(tail)
        ends.append(tail)
        if tail.newest and taken.newest:
            found.newest_first = tail.newest <= taken.newest
        found.anchor = max(filter(None, (found.anchor, tail.newest)), default=None)
        found.server_oldest = min(filter(None, (found.server_oldest, tail.oldest)), default=None)
    elif not page.last:
        timed = taken.times[taken.times > UNTIMED]
        found.newest_first = not (timed.size and timed[0] < timed[-1])
    refuse_foreign(intake, ends)
    return taken


def last_number(page: Page) -> int:
    """Number of the last page by the first page's totals; 0 when they do not tell."""
    if page.last or not page.records:
        return 0
    if page.total_pages is not None:
        return page.total_pages
    return -(-page.count // len(page.records)) if page.count is not None else 0


def refuse_foreign(intake: Intake, ends: list[Taken]) -> None:
    """Raise UsageError when the pages cover a span held completely but none of it is known."""
    if intake.watermark is None or intake.held_since is None:
        return
    first, last = micros(intake.held_since), micros(intake.watermark)
    states = np.concatenate(
        [taken.states[(taken.times >= first) & (taken.times <= last)] for taken in ends]
    )
    if states.size >= FOREIGN_ROWS and KNOWN not in states:
        raise UsageError(
            f"This looks like another workspace: of {states.size} events from a time that the "
            f"archive {intake.folder} holds, it knows none",
            fix="Use one archive folder for each workspace",
        )


def after_page(intake: Intake, steps: Steps, page: Page, found: Walk) -> None:
    """Save what is due, say where the walk stands, and stop if asked to."""
    intake.seal(steps.now())
    tally = intake.tally
    steps.progress(Progress(page.number, page.total_pages, tally.new, tally.seen, found.reached))
    if steps.stopped():
        raise Interrupted(
            f"Stopped after page {page.number}; what was read is saved",
            fix="Run sync again to go on",
        )
