"""Is the archive complete? What a walk showed, held against the source's own count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from auditlens.archive.ledger import UNTIMED, Ledger, moment
from auditlens.archive.walk import Walk

__all__ = ["Verdict", "gone_now", "judge", "stopped_early"]

MAX_GONE = 1000
"""Of more removed events no list is kept; each walk then goes to the last page."""

CEILING = 10_000
"""A count that is a multiple of this may be where the source stops counting."""


@dataclass(frozen=True)
class Verdict:
    """``missing`` is how many events the source counts and the archive lacks, if known."""

    outcome: Literal["complete", "incomplete", "unprovable", "saturated"]
    missing: int | None
    statement: str
    doubtful: bool = False


def judge(
    walk: Walk, ledger: Ledger, watermark: datetime | None, gone: Sequence[datetime] = ()
) -> Verdict:
    """Judge a walk that came to its end.

    A walk to the last page must itself have seen as many ids, up to the newest event of its
    first answer, as that answer counted. A shorter walk relies on the archive: ids held between
    the source's oldest event and that newest one, without those that were ``gone`` from the
    source when it was last read in full. An event removed since then can stand in for a late
    one: where more are held than the source counts, the verdict is ``doubtful``, and only a
    full walk tells.
    """
    if walk.count is None:
        return Verdict("unprovable", None, unprovable(walk))
    if walk.anchor is None or walk.whole:
        found = walk.present()
    else:
        found = ledger.within(walk.server_oldest, walk.anchor)[0].size
        found -= len(still_gone(walk, gone))
    missing = max(0, walk.count - found)
    if walk.beyond_count or (walk.count >= CEILING and walk.count % CEILING == 0):
        return Verdict("saturated", missing or None, saturated(walk, watermark))
    if missing:
        return Verdict(
            "incomplete",
            missing,
            f"Incomplete by {missing:,}: the source counts {walk.count:,} events"
            f"{upto(walk.anchor)}, the archive holds {found:,} of them.",
        )
    doubtful = not walk.whole and found > walk.count
    return Verdict("complete", 0, complete(walk), doubtful=doubtful)


def still_gone(walk: Walk, gone: Sequence[datetime]) -> tuple[datetime, ...]:
    """Those of the removed events that are not older than all the source still lists."""
    oldest = walk.server_oldest
    return tuple(at for at in gone if oldest is None or at >= oldest)


def gone_now(walk: Walk, ledger: Ledger, gone: Sequence[datetime]) -> tuple[datetime, ...] | None:
    """Times of events held that the source no longer lists; None when they are too many."""
    if not walk.whole or walk.anchor is None:
        return still_gone(walk, gone)
    ids, times = ledger.within(walk.server_oldest, walk.anchor)
    found = times[walk.unseen(ids) & (times > UNTIMED)]
    if found.size > MAX_GONE:
        return None
    return tuple(moment(at) for at in sorted(found.tolist()))


def complete(walk: Walk) -> str:
    if not walk.count:
        return "Complete: the source lists no events."
    listed = f"{walk.count:,} events the source lists{upto(walk.anchor)}"
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
