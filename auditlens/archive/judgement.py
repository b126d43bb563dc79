"""Is the archive complete? What a walk showed, held against the source's own count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from auditlens.archive.ledger import UNTIMED, Ledger, micros, moment
from auditlens.archive.proof import Sightings
from auditlens.archive.walk import Walk

__all__ = ["Verdict", "arrived", "is_saturated", "judge", "stopped_early"]

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


def judge(
    walk: Walk, ledger: Ledger, watermark: datetime | None, gone: Sequence[datetime] = ()
) -> Verdict:
    """Judge a walk that came to its end: the last page, or territory that is held.

    Complete needs a moment at which as many events are known to have stood in the listing as the
    source counted, or pages that overlap all the way (see ``proof``). A short walk takes those it
    did not come to from the archive, without those that were ``gone`` when the source was last
    read; where more are known than the source counts, one of them is gone too and may hide a late
    one, so nothing is proven.
    """
    seen = walk.sightings()
    unseen = gone_now(walk, seen, 0, ledger, gone)
    if walk.count is None:
        return Verdict("unprovable", None, unprovable(walk), gone=unseen)
    beyond = 0 if walk.whole else held_beyond(walk, seen, ledger, gone)
    held, last = seen.keys.size + beyond, walk.latest_count or 0
    if is_saturated(walk):
        missing = max(0, last - held) or None
        return Verdict("saturated", missing, saturated(walk, watermark), gone=unseen)
    best = seen.moment(walk.counts, beyond)
    assert best is not None
    if best.lacking == 0 or (walk.whole and best.lacking < 0):
        lost = gone_now(walk, seen, best.at, ledger, gone)
        moved = has_moved(walk, seen, best.at)
        return Verdict("complete", 0, complete(walk, best.count), moved=moved, gone=lost)
    rose, fell = walk.moves()
    limit = UNTIMED if walk.anchor is None else micros(walk.anchor)
    found = int((seen.times <= limit).sum()) + beyond
    if found + fell < walk.count:
        missing = walk.count - found
        return Verdict(
            "incomplete",
            missing,
            f"Incomplete by {missing:,}: the source counts {walk.count:,} events"
            f"{upto(walk.anchor)}, the archive holds {found:,} of them.",
        )
    if overlap(walk, seen, rose, fell) and (walk.whole or listed_beyond(walk) == beyond):
        moved = has_moved(walk, seen, walk.first_end)
        return Verdict("complete", 0, complete(walk, walk.count), moved=moved, gone=unseen)
    return Verdict("incomplete", None, MOVED)


def overlap(walk: Walk, seen: Sightings, rose: int, fell: int) -> bool:
    """Whether pages that share records lead from the newest event to the oldest asked for."""
    if not rose + fell:
        return False
    chain = seen.chained(walk.numbers, walk.taken[0].keys.size, rose, fell)
    tops = {chain[at] for at, number in enumerate(walk.numbers) if number == 1}
    if not walk.whole:
        return chain[walk.first_end] in tops
    ends = zip(walk.ends, walk.taken, strict=True)
    last = {chain[at] for at, (end, taken) in enumerate(ends) if end and taken.keys.size}
    return bool(tops & last)


def listed_beyond(walk: Walk) -> int:
    """How many events the source listed below the page at which a short walk ended."""
    count, rows = walk.counts[walk.first_end] or 0, walk.taken[walk.first_end].keys.size
    return count - (walk.short_of - 1) * walk.taken[0].keys.size - rows


def is_saturated(walk: Walk) -> bool:
    """Whether the source's count is at a ceiling, or short of what it lists."""
    counted = walk.count is not None and walk.count >= CEILING and walk.count % CEILING == 0
    return walk.beyond_count or counted


def held_beyond(walk: Walk, seen: Sightings, ledger: Ledger, gone: Sequence[datetime]) -> int:
    """How many events are held that a short walk did not come to, and the source still lists."""
    edge = walk.reached
    if edge is None:
        return 0
    ids = ledger.within(walk.server_oldest, edge)[0]
    return int((~seen.stood(ids, 0)).sum()) - len(still_gone(walk, gone))


def still_gone(walk: Walk, gone: Sequence[datetime]) -> tuple[datetime, ...]:
    """Those of the removed events that a short walk did not come to and that cannot be expired."""
    oldest, edge = walk.server_oldest, walk.reached
    return tuple(at for at in gone if (not oldest or at >= oldest) and (not edge or at <= edge))


def gone_now(
    walk: Walk, seen: Sightings, at: int, ledger: Ledger, gone: Sequence[datetime]
) -> tuple[datetime, ...] | None:
    """Times of events held that the source did not list at a moment; None when they are many."""
    before = () if walk.whole else still_gone(walk, gone)
    if walk.anchor is None:
        return before
    ids, times = ledger.within(walk.server_oldest, walk.anchor)
    if not walk.whole:
        edge = UNTIMED if walk.reached is None else micros(walk.reached)
        ids, times = ids[times > edge], times[times > edge]
    found = times[~seen.stood(ids, at) & (times > UNTIMED)]
    if found.size + len(before) > MAX_GONE:
        return None
    return tuple(sorted([*before, *(moment(at) for at in found.tolist())]))


def arrived(walk: Walk, seen: Sightings) -> int:
    """How many events were met that are newer than the first answer's newest."""
    anchor = UNTIMED if walk.anchor is None else micros(walk.anchor)
    return int(((seen.first >= 0) & (seen.times > anchor)).sum())


def has_moved(walk: Walk, seen: Sightings, at: int) -> bool:
    """Whether the listing moved otherwise than by events that arrive at its newest end.

    ``at`` is the request up to which what came late is known.

    What was removed or came late after the moment proven is not known, and of one removed and
    one come late the next short walk would see nothing.
    """
    rose, fell = walk.moves()
    expired = 0
    if walk.whole and fell:
        listed = [taken for taken, end in zip(walk.taken, walk.ends, strict=True) if end]
        oldest = listed[-1].oldest if listed else None
        expired = (
            0
            if oldest is None
            else int(((seen.times > UNTIMED) & (seen.times < micros(oldest))).sum())
        )
    anchor = UNTIMED if walk.anchor is None else micros(walk.anchor)
    late = (seen.first > at) & (seen.times <= anchor)
    return (
        fell > expired
        or rose > arrived(walk, seen)
        or bool(late.any())
        or len(walk.numbers) > walk.planned + walk.tops
    )


MOVED = (
    "Incomplete: events were removed or came late while the log was read, so nothing proves that "
    "none was skipped; the next sync reads it again."
)


def complete(walk: Walk, count: int) -> str:
    if not count:
        return "Complete: the source lists no events."
    listed = f"{count:,} events the source lists{upto(walk.anchor)}"
    return f"Complete: the archive holds all {listed}."


def unprovable(walk: Walk) -> str:
    how = "its last page" if walk.whole else f"what was held before{since(walk.reached)}"
    return f"Unprovable: the source gives no count; it was read back to {how}."


def saturated(walk: Walk, watermark: datetime | None) -> str:
    text = f"Saturated: the source's count stands at {walk.count:,}, where it may stop counting"
    if watermark and walk.whole and walk.reached and walk.reached > watermark:
        gap = f"{stamp(watermark)} and {stamp(walk.reached)}"
        return f"{text}; events between {gap} were not listed."
    return f"{text}; events older than{since(walk.reached, ' ')} may be missing."


def stopped_early(walk: Walk, pages: int, why: str) -> Verdict:
    """The verdict on a walk that did not come to its end."""
    back = f", back to {stamp(walk.reached)}" if walk.reached else ""
    return Verdict("incomplete", None, f"Incomplete: {why} after {pages:,} pages{back}.")


def upto(at: datetime | None) -> str:
    return f" up to {stamp(at)}" if at else ""


def since(at: datetime | None, before: str = ", ") -> str:
    return f"{before}{stamp(at)}" if at else ""


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
