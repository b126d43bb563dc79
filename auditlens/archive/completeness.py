"""Is the archive complete? What a scan of the pages showed, against the source's own count.

Of every record it is known when it was met first, and when last.

A count at the end proves nothing: of two events that changed places in it, one removed and one
that came late, only one was read. But of a moment between two requests much is known. A record
that was seen before it (in this walk, or by an earlier sync) and was seen again after it stood in
the listing then, since what a source removes does not return. When these are as many as the
source counted at that moment, they are all that it listed, and none of them is missing.

A log in which events arrive all the time has no such moment, but there pages overlap. A page
shows all that stands between its first and its last record, so between two pages that share a
record nothing is hidden, and a chain of such pages from the newest end to the oldest has seen all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from auditlens.archive.dedup import (
    NEW,
    UNTIMED,
    Keys,
    SeenIndex,
    Times,
    first_of_each,
    moment,
)
from auditlens.archive.scan import PageScan
from auditlens.archive.writer import PageResult
from auditlens.events import micros
from auditlens.text import count

__all__ = ["Moment", "Sightings", "Verdict", "arrived", "assess", "is_saturated", "stopped_early"]

Reads = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moment:
    """The moment of a walk of which most is known.

    ``at`` is the request (from 0), ``count`` what the source counted with it, and ``known`` how
    many records are known to have stood in the listing then.
    """

    at: int
    count: int
    known: int

    @property
    def lacking(self) -> int:
        """How many events the source listed then that may be missing; below 0: too many known."""
        return self.count - self.known


@dataclass(frozen=True)
class Sightings:
    """Each record once (sorted keys), its time, and the requests that met it first and last.

    ``first`` is -1 for a record that was held before the sync began. ``pages`` are the requests
    themselves.
    """

    keys: Keys
    times: Times
    first: Reads
    last: Reads
    pages: list[PageResult]

    @classmethod
    def of(cls, pages: list[PageResult], ends: list[bool]) -> Sightings:
        """From the pages as they were read; ``ends`` says which of them was the last page."""
        # A page that came again, the same to the byte, shares its keys with the first.
        began: dict[int, int] = {}
        latest: dict[int, int] = {}
        for number, page in enumerate(pages):
            began.setdefault(id(page.keys), number)
            latest[id(page.keys)] = number
        once = [pages[number] for number in began.values()]
        sizes = [page.keys.size for page in once]
        keys = np.concatenate([page.keys for page in once])
        times = np.concatenate([page.times for page in once])
        new = np.concatenate([page.states for page in once]) == NEW
        order = np.argsort(keys, kind="stable")
        begins = first_of_each(keys[order])
        met = order[begins]
        first = np.where(new[met], np.repeat(list(began.values()), sizes)[met], -1)
        last = np.repeat(list(latest.values()), sizes)[order]
        last = np.maximum.reduceat(last, np.flatnonzero(begins)) if last.size else last
        return cls(keys[met], times[met], first, last, pages).with_expired(pages, ends)

    def with_expired(self, pages: list[PageResult], ends: list[bool]) -> Sightings:
        """Records older than all that is still listed expired, from the old end on.

        Such a record stood in the listing as long as the last page reached back to it.
        """
        tails = [
            (number, int(page.times[page.times > UNTIMED].min()))
            for number, (page, end) in enumerate(zip(pages, ends, strict=True))
            if end and (page.times > UNTIMED).any()
        ]
        if not tails:
            return self
        last, expired = self.last.copy(), (self.times > UNTIMED) & (self.times < tails[-1][1])
        for number, oldest in tails:
            here = expired & (self.times >= oldest)
            last[here] = np.maximum(last[here], number)
        return replace(self, last=last)

    def moment(self, counts: list[int | None], beyond: int = 0) -> Moment | None:
        """The last moment of which most is known; None where the source gave no count.

        ``beyond`` is how many records are held that the walk did not come to.
        """
        known = beyond + np.cumsum(
            np.bincount(np.maximum(self.first, 0), minlength=len(self.pages) + 1)
            - np.bincount(self.last + 1, minlength=len(self.pages) + 1)
        )
        best: Moment | None = None
        for at, counted in enumerate(counts):
            if counted is not None and (best is None or counted - known[at] <= best.lacking):
                best = Moment(at, counted, int(known[at]))
        return best

    def stood(self, ids: Keys, at: int) -> npt.NDArray[np.bool_]:
        """Which of these ids were met at the request ``at`` or later."""
        place = np.searchsorted(self.keys, ids)
        place[place == self.keys.size] = 0
        if not self.keys.size:
            return np.zeros(ids.size, np.bool_)
        met: npt.NDArray[Any] = (self.keys[place] == ids) & (self.last[place] >= at)
        return met

    def chained(self, numbers: list[int], size: int, rose: int, fell: int) -> list[int]:
        """Of each request a name (its first request) of the chain of pages it belongs to.

        ``numbers`` are those of the pages, ``size`` is the rows of a full one. Two pages are linked
        by a record they share, if it moved no further than the count ``rose`` or ``fell``: an id
        that stands in the listing twice links nothing.
        """
        sizes = [page.keys.size for page in self.pages]
        request = np.repeat(np.arange(len(sizes)), sizes)
        place = (np.asarray(numbers) - 1)[request] * size
        place += np.concatenate([np.arange(rows) for rows in sizes])
        keys = np.concatenate([page.keys for page in self.pages])
        order = np.argsort(keys, kind="stable")
        request, place, same = request[order], place[order], ~first_of_each(keys[order])
        shift = np.diff(place, prepend=0)
        linked = np.flatnonzero(same & (shift <= rose) & (shift >= -fell))
        pairs = np.unique(request[linked - 1] * len(self.pages) + request[linked])
        chain = list(range(len(self.pages)))

        def head(one: int) -> int:
            while chain[one] != one:
                chain[one] = chain[chain[one]]
                one = chain[one]
            return one

        for pair in pairs.tolist():
            one, other = sorted((head(pair // len(self.pages)), head(pair % len(self.pages))))
            chain[other] = one
        return [head(one) for one in range(len(self.pages))]


MAX_GONE = 1000
"""Of more removed events no list is kept; each walk then goes to the last page."""

CEILING = 10_000
"""A count that is a multiple of this may be where the source stops counting."""


@dataclass(frozen=True)
class Verdict:
    """``missing`` is how many events the source counts and the archive lacks, if known.

    ``moved`` says that the archive cannot tell what the source lists after the moment proven.
    """

    outcome: Literal["complete", "incomplete", "unprovable", "saturated"]
    missing: int | None
    statement: str
    moved: bool = False
    gone: tuple[datetime, ...] | None = ()


def assess(
    scan: PageScan, index: SeenIndex, watermark: datetime | None, gone: Sequence[datetime] = ()
) -> Verdict:
    """Judge a walk that came to its end: the last page, or territory that is held.

    Complete needs a moment at which as many events are known to have stood in the listing as the
    source counted, or pages that overlap all the way. A short walk takes those it
    did not come to from the archive, without those that were ``gone`` when the source was last
    read; where more are known than the source counts, one of them is gone too and may hide a late
    one, so nothing is proven.
    """
    seen = Sightings.of(scan.taken, scan.ends)
    unseen = gone_now(scan, seen, 0, index, gone)
    if scan.count is None:
        return Verdict("unprovable", None, unprovable(scan), gone=unseen)
    beyond = 0 if scan.whole else held_beyond(scan, seen, index, gone)
    held, last = seen.keys.size + beyond, scan.latest_count or 0
    if is_saturated(scan):
        missing = max(0, last - held) or None
        return Verdict("saturated", missing, saturated(scan, watermark), gone=unseen)
    best = seen.moment(scan.counts, beyond)
    assert best is not None
    if best.lacking == 0 or (scan.whole and best.lacking < 0):
        lost = gone_now(scan, seen, best.at, index, gone)
        moved = has_moved(scan, seen, best.at)
        return Verdict("complete", 0, complete(scan, best.count), moved=moved, gone=lost)
    rose, fell = scan.moves()
    limit = UNTIMED if scan.anchor is None else micros(scan.anchor)
    found = int((seen.times <= limit).sum()) + beyond
    if found + fell < scan.count:
        missing = scan.count - found
        return Verdict(
            "incomplete",
            missing,
            f"Incomplete by {missing:,}: the source counts {count(scan.count, 'event')}"
            f"{upto(scan.anchor)}, the archive contains {found:,} of them.",
        )
    if overlap(scan, seen, rose, fell) and (scan.whole or listed_beyond(scan) == beyond):
        moved = has_moved(scan, seen, scan.first_end)
        return Verdict("complete", 0, complete(scan, scan.count), moved=moved, gone=unseen)
    return Verdict("incomplete", None, MOVED)


def overlap(scan: PageScan, seen: Sightings, rose: int, fell: int) -> bool:
    """Whether pages that share records lead from the newest event to the oldest asked for."""
    if not rose + fell:
        return False
    chain = seen.chained(scan.numbers, scan.taken[0].keys.size, rose, fell)
    tops = {chain[at] for at, number in enumerate(scan.numbers) if number == 1}
    if not scan.whole:
        return chain[scan.first_end] in tops
    ends = zip(scan.ends, scan.taken, strict=True)
    last = {chain[at] for at, (end, taken) in enumerate(ends) if end and taken.keys.size}
    return bool(tops & last)


def listed_beyond(scan: PageScan) -> int:
    """How many events the source listed below the page at which a short walk ended."""
    count, rows = scan.counts[scan.first_end] or 0, scan.taken[scan.first_end].keys.size
    return count - (scan.short_of - 1) * scan.taken[0].keys.size - rows


def is_saturated(scan: PageScan) -> bool:
    """Whether the source's count is at a ceiling, or short of what it lists."""
    counted = scan.count is not None and scan.count >= CEILING and scan.count % CEILING == 0
    return scan.beyond_count or counted


def held_beyond(scan: PageScan, seen: Sightings, index: SeenIndex, gone: Sequence[datetime]) -> int:
    """How many events are held that a short walk did not come to, and the source still lists."""
    edge = scan.reached
    if edge is None:
        return 0
    ids = index.within(scan.server_oldest, edge)[0]
    return int((~seen.stood(ids, 0)).sum()) - len(still_gone(scan, gone))


def still_gone(scan: PageScan, gone: Sequence[datetime]) -> tuple[datetime, ...]:
    """Those of the removed events that a short walk did not come to and that cannot be expired."""
    oldest, edge = scan.server_oldest, scan.reached
    return tuple(at for at in gone if (not oldest or at >= oldest) and (not edge or at <= edge))


def gone_now(
    scan: PageScan, seen: Sightings, at: int, index: SeenIndex, gone: Sequence[datetime]
) -> tuple[datetime, ...] | None:
    """Times of events held that the source did not list at a moment; None when they are many."""
    before = () if scan.whole else still_gone(scan, gone)
    if scan.anchor is None:
        return before
    ids, times = index.within(scan.server_oldest, scan.anchor)
    if not scan.whole:
        edge = UNTIMED if scan.reached is None else micros(scan.reached)
        ids, times = ids[times > edge], times[times > edge]
    found = times[~seen.stood(ids, at) & (times > UNTIMED)]
    if found.size + len(before) > MAX_GONE:
        return None
    return tuple(sorted([*before, *(moment(at) for at in found.tolist())]))


def arrived(scan: PageScan, seen: Sightings) -> int:
    """How many events were met that are newer than the first answer's newest."""
    anchor = UNTIMED if scan.anchor is None else micros(scan.anchor)
    return int(((seen.first >= 0) & (seen.times > anchor)).sum())


def has_moved(scan: PageScan, seen: Sightings, at: int) -> bool:
    """Whether the listing moved otherwise than by events that arrive at its newest end.

    ``at`` is the request up to which what came late is known.

    What was removed or came late after the moment proven is not known, and of one removed and
    one come late the next short walk would see nothing.
    """
    rose, fell = scan.moves()
    expired = 0
    if scan.whole and fell:
        listed = [taken for taken, end in zip(scan.taken, scan.ends, strict=True) if end]
        oldest = listed[-1].oldest if listed else None
        expired = (
            0
            if oldest is None
            else int(((seen.times > UNTIMED) & (seen.times < micros(oldest))).sum())
        )
    anchor = UNTIMED if scan.anchor is None else micros(scan.anchor)
    late = (seen.first > at) & (seen.times <= anchor)
    return (
        fell > expired
        or rose > arrived(scan, seen)
        or bool(late.any())
        or len(scan.numbers) > scan.planned + scan.tops
    )


MOVED = (
    "Incomplete: events were removed or came late while the log was read, so nothing proves that "
    "none was skipped; the next sync reads it again."
)


def complete(scan: PageScan, total: int) -> str:
    if not total:
        return "Complete: the source lists no events."
    listed = f"{count(total, 'event')} the source lists{upto(scan.anchor)}"
    return f"Complete: the archive contains all {listed}."


def unprovable(scan: PageScan) -> str:
    how = "its last page" if scan.whole else f"what was held before{since(scan.reached)}"
    return f"Unprovable: the source gives no count; it was read back to {how}."


def saturated(scan: PageScan, watermark: datetime | None) -> str:
    text = f"Saturated: the source's count stands at {scan.count:,}, where it may stop counting"
    if watermark and scan.whole and scan.reached and scan.reached > watermark:
        gap = f"{stamp(watermark)} and {stamp(scan.reached)}"
        return f"{text}; events between {gap} were not listed."
    return f"{text}; events older than{since(scan.reached, ' ')} may be missing."


def stopped_early(scan: PageScan, pages: int, why: str) -> Verdict:
    """The verdict on a walk that did not come to its end."""
    back = f", back to {stamp(scan.reached)}" if scan.reached else ""
    return Verdict("incomplete", None, f"Incomplete: {why} after {count(pages, 'page')}{back}.")


def upto(at: datetime | None) -> str:
    return f" up to {stamp(at)}" if at else ""


def since(at: datetime | None, before: str = ", ") -> str:
    return f"{before}{stamp(at)}" if at else ""


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
