"""Sync: bring the archive up to its source, and say whether it is complete.

The first signal asks it to stop with grace, the second insists.
"""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Literal, Protocol

from auditlens.archive.chain import Chain, read_chain
from auditlens.archive.completeness import (
    Sightings,
    Verdict,
    arrived,
    assess,
    is_saturated,
    stopped_early,
)
from auditlens.archive.covering import prepare, with_beside
from auditlens.archive.manifest import OutcomeNote
from auditlens.archive.scan import (
    MAX_READS,
    PageScan,
    Progress,
    Steps,
    read_again,
    scan_on,
    scan_pages,
)
from auditlens.archive.table import Table
from auditlens.archive.writer import SegmentWriter
from auditlens.errors import AuditLensError, Interrupted, SourceError, UsageError
from auditlens.files import lock, make_folder
from auditlens.pages import Source

__all__ = ["Flag", "SyncOutcome", "pull", "stop_on_signal"]


@contextmanager
def stop_on_signal(*also: Callable[[], object]) -> Iterator[threading.Event]:
    """Give a flag that Ctrl-C or SIGTERM sets; a second one raises KeyboardInterrupt.

    Args:
        *also: Called when the flag is set, to stop what waits elsewhere, such as a source.

    Yields:
        The flag. The handlers that stood before are put back at the end. Outside the main thread,
        where Python allows no handlers, nothing sets it.
    """
    flag = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()
        for call in also:
            call()

    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


STEPS = 20
"""Into so many parts the pages are divided when they are read again and again."""

MAX_TOPS = 3
"""Pages read again to see what arrived during a sync, or a STEPS-th of all pages."""


class Flag(Protocol):
    """Something that can be set from elsewhere, such as threading.Event."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class SyncOutcome:
    """What a sync did, and how complete the archive is after it.

    Attributes:
        outcome: ``complete``; ``incomplete`` (short of the source's count); ``unprovable`` (the
            source gives no count); or ``saturated`` (its count stopped at a ceiling).
        missing: Events known to be missing; None when not known.
        new: Records stored.
        seen: Records met that were held before.
        changed: Of the new ones, those whose id was held with other content.
        late: Of the new ones, those older than what was complete before.
        quarantined: Of the new ones, those that could not be decoded.
        pages: Pages read, each time one was.
        oldest: The oldest event read, in UTC; None without one.
        newest: The newest event of the first page, in UTC; None without one.
        days_until_loss: Whole days until the source may drop an event that is not saved; None
            before any sync came to its end.
        head: Hash (hex) of the last manifest, which seals all of it.
        statement: The outcome in a sentence.
    """

    outcome: Literal["complete", "incomplete", "unprovable", "saturated"]
    missing: int | None
    new: int
    seen: int
    changed: int
    late: int
    quarantined: int
    pages: int
    oldest: datetime | None
    newest: datetime | None
    days_until_loss: int | None
    head: str
    statement: str


@dataclass(frozen=True)
class Terms:
    """How a sync is to be done; the arguments of ``Archive.sync``."""

    overlap: timedelta
    full_every: timedelta
    progress: Callable[[Progress], None] | None
    stop: Flag | Callable[[], bool] | None
    now: Callable[[], datetime]

    @property
    def steps(self) -> Steps:
        stop = self.stop
        asked: Callable[[], bool]
        if stop is None:
            asked = lambda: False  # noqa: E731
        elif callable(stop):
            asked = stop
        else:
            asked = stop.is_set
        return Steps(self.now, asked, self.progress or (lambda _: None))

    def until(self, chain: Chain) -> datetime | None:
        """How far back a walk must go at least; None for all the way."""
        whole, watermark = chain.last_whole, chain.watermark
        if watermark is None or whole is None or chain.gone is None or chain.moved:
            return None
        if self.now() - whole >= self.full_every:
            return None
        return watermark - self.overlap


def pull(
    folder: Path, signed: Path, source: Source, table: Table, terms: Terms
) -> tuple[Chain, OutcomeNote]:
    """Sync ``folder`` from ``source`` and return the chain and the outcome sealed last.

    Raises IntegrityError when the directory or the sign-offs (in ``signed``) are not what the
    log sealed; what the source sent is saved first.
    """
    make_folder(folder)
    with lock(folder):
        chain, wrong = with_beside(folder, signed, read_chain(folder))
        refuse_other_source(folder, chain, source)
        prepare(folder, chain)
        index = table.refresh(chain, folder)
        writer = SegmentWriter(
            folder, chain, table, index, source.name, secrets.token_hex(8), terms.now()
        )
        done = run(source, writer, terms)
        if wrong:
            raise wrong
        return done


def refuse_other_source(folder: Path, chain: Chain, source: Source) -> None:
    """Raise UsageError when the archive holds records of another workspace."""
    if chain.segments and chain.source != source.name:
        raise UsageError(
            f"The archive {folder} belongs to {chain.source}, not to {source.name}",
            fix="Use one archive folder for each workspace",
        )


def run(source: Source, writer: SegmentWriter, terms: Terms) -> tuple[Chain, OutcomeNote]:
    """PageScan until the archive is complete or trying again does not help; seal the outcome."""
    until = terms.until(writer.chain)
    found = PageScan(began=terms.now())
    try:
        scan_pages(source, writer, terms.steps, found, until)
        verdict = None if found.whole else verified(source, writer, terms, found)
        if not found.whole and (verdict is None or verdict.outcome == "incomplete"):
            scan_on(source, writer, terms.steps, found)
            verdict = None
        if verdict is None:
            verdict = verified(source, writer, terms, found)
        writer.seal(terms.now(), force=True)
    except (SourceError, Interrupted) as error:
        save_what_was_read(writer, terms, found, error)
        raise
    note = outcome_note(writer, found, verdict, walked=True)
    writer.conclude(terms.now(), note)
    return writer.chain, note


def verified(source: Source, writer: SegmentWriter, terms: Terms, found: PageScan) -> Verdict:
    """Read pages again until a moment is proven: each page that was read before the last new one.

    A short walk is done then, whatever it shows. A whole one goes on, over all pages, as often
    as MAX_READS allows.
    """
    gone = writer.chain.gone or ()
    found.settle(writer)
    number, left = 1, found.again
    if found.count is None or is_saturated(found):
        left = 0
    found.planned = len(found.numbers) + left
    if left and found.moves()[0]:
        # Where events arrived between all pages, these overlap.
        verdict = assess(found, writer.seen_index, writer.watermark, gone)
        left = 0 if verdict.outcome == "complete" else left
    while True:
        for _ in range(left):
            number = read_again(source, writer, terms.steps, found, number)
        found.settle(writer)
        verdict = assess(found, writer.seen_index, writer.watermark, gone)
        settled = verdict.outcome != "incomplete" or not found.whole
        if settled or len(found.numbers) >= MAX_READS * found.pages:
            break
        left = max(1, found.pages // STEPS)
    rose = found.moves()[0]
    if verdict.outcome != "complete" or not rose or len(found.numbers) > found.planned:
        return verdict
    unmet = rose - arrived(found, Sightings.of(found.taken, found.ends))
    if unmet <= 0:
        return verdict
    # What arrived since the first page was read stands at the top.
    pages = -(-unmet // max(1, found.taken[0].keys.size))
    found.tops = min(max(MAX_TOPS, found.pages // STEPS), pages)
    for top in range(1, found.tops + 1):
        read_again(source, writer, terms.steps, found, top)
    found.settle(writer)
    return assess(found, writer.seen_index, writer.watermark, gone)


def save_what_was_read(
    writer: SegmentWriter, terms: Terms, found: PageScan, error: AuditLensError
) -> None:
    """Seal what came before the error, and that the sync did not come to its end."""
    why = "stopped" if isinstance(error, Interrupted) else "the source failed"
    # When the disk is what failed, the error to show is the first one.
    with suppress(AuditLensError):
        known = len(found.taken)
        found.settle(writer)
        for page in found.taken[known:]:
            found.note_reached(page)
        verdict = stopped_early(found, writer.tally.pages, why)
        writer.seal(terms.now(), force=True)
        writer.conclude(terms.now(), outcome_note(writer, found, verdict, walked=False))


def outcome_note(
    writer: SegmentWriter, found: PageScan, verdict: Verdict, *, walked: bool
) -> OutcomeNote:
    tally = writer.tally
    return OutcomeNote(
        outcome=verdict.outcome,
        missing=verdict.missing,
        walked=walked,
        whole=found.whole,
        anchor=found.anchor,
        reached=found.reached,
        server_oldest=found.server_oldest,
        server_count=found.latest_count,
        gone=verdict.gone,
        endpoint=found.endpoint,
        new=tally.new,
        seen=tally.seen,
        changed=tally.changed,
        late=tally.late,
        quarantined=tally.quarantined,
        pages=tally.pages,
        rounds=-(-len(found.numbers) // max(1, found.pages)),
        statement=verdict.statement,
        vouched_until=found.vouched_until,
        moved=verdict.moved,
    )
