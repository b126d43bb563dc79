"""Was anything hidden from a walk? Every record it met, when it was met first, and when last.

A count at the end proves nothing: of two events that changed places in it, one removed and one
that came late, only one was read. But of a moment between two requests much is known. A record
that was seen before it (in this walk, or by an earlier sync) and was seen again after it stood in
the listing then, since what a source removes does not return. When these are as many as the
source counted at that moment, they are all that it listed, and none of them is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auditlens.archive.intake import Taken
from auditlens.archive.ledger import NEW, UNTIMED, Keys, Times, first_of_each

__all__ = ["Moment", "Sightings"]

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

    ``first`` is -1 for a record that was held before the sync began.
    """

    keys: Keys
    times: Times
    first: Reads
    last: Reads
    requests: int

    @classmethod
    def of(cls, pages: list[Taken], ends: list[bool]) -> Sightings:
        """From the pages as they were read; ``ends`` says which of them was the last page."""
        keys = np.concatenate([page.keys for page in pages])
        times = np.concatenate([page.times for page in pages])
        states = np.concatenate([page.states for page in pages])
        request = np.repeat(np.arange(len(pages)), [page.keys.size for page in pages])
        order = np.argsort(keys, kind="stable")
        begins = first_of_each(keys[order])
        stops = np.append(begins[1:], np.ones(min(1, begins.size), np.bool_))
        met, left = order[begins], order[stops]
        first = np.where(states[met] == NEW, request[met], -1)
        found = cls(keys[met], times[met], first, request[left], len(pages))
        return found.with_expired(pages, ends)

    def with_expired(self, pages: list[Taken], ends: list[bool]) -> Sightings:
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
        return Sightings(self.keys, self.times, self.first, last, self.requests)

    def moment(self, counts: list[int | None], beyond: int = 0) -> Moment | None:
        """The last moment of which most is known; None where the source gave no count.

        ``beyond`` is how many records are held that the walk did not come to.
        """
        known = beyond + np.cumsum(
            np.bincount(np.maximum(self.first, 0), minlength=self.requests + 1)
            - np.bincount(self.last + 1, minlength=self.requests + 1)
        )
        best: Moment | None = None
        for at, count in enumerate(counts):
            if count is not None and (best is None or count - known[at] <= best.lacking):
                best = Moment(at, count, int(known[at]))
        return best

    def stood(self, ids: Keys, at: int) -> npt.NDArray[np.bool_]:
        """Which of these ids were met at the request ``at`` or later."""
        place = np.searchsorted(self.keys, ids)
        place[place == self.keys.size] = 0
        if not self.keys.size:
            return np.zeros(ids.size, np.bool_)
        met: npt.NDArray[Any] = (self.keys[place] == ids) & (self.last[place] >= at)
        return met

    def latest_new(self) -> int:
        """The last request that met a record for the first time; -1 when none did."""
        return int(self.first.max(initial=-1))
