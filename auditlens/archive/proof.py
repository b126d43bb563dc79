"""Was anything hidden from a walk? Every record it met, when it was met first, and when last.

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

from dataclasses import dataclass, replace
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

    ``first`` is -1 for a record that was held before the sync began. ``pages`` are the requests
    themselves.
    """

    keys: Keys
    times: Times
    first: Reads
    last: Reads
    pages: list[Taken]

    @classmethod
    def of(cls, pages: list[Taken], ends: list[bool]) -> Sightings:
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
