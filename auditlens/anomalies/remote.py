"""How far from home a folder is: people visit what they and their colleagues hardly ever do."""

from __future__ import annotations

import numpy as np

from auditlens.anomalies.peers import Sparse, Week
from auditlens.anomalies.windows import Floats, Ints

__all__ = ["FAR", "remoteness"]

PRIOR = 5.0
"""Days of everyone that stand beside the days of the sender or of the peers."""

FAR = 1000
"""A folder is remote where everyone is at least e times as often as sender and peers."""


def remoteness(week: Week, s: Ints, c: Ints, first: int) -> Ints:
    """Thousandths of the log ratio of everyone's share of a folder to the nearest share.

    The nearest share is that of the sender's days or of the peers', whichever is larger, in the
    weeks before, both smoothed with everyone's. ``c`` codes folders, which stand from ``first``
    on among the things of the week. Zero without peers, and where the nearest share is larger.
    """
    if not len(s):
        return np.zeros(0, np.int64)
    own = week.days[:, first:]
    crowd = np.asarray(own.sum(axis=0)).ravel()
    # Folders of later days are coded too, but nobody has touched them yet.
    everyone = (crowd + 1) / (crowd.sum() + np.count_nonzero(crowd) + 1)
    nearest = np.maximum(*(shares(held, s, c, everyone) for held in (own, week.peers @ own)))
    away = np.round(1000 * np.log(everyone[c] / nearest)).astype(np.int64)
    return np.where(week.known[s], np.maximum(away, 0), 0)


def shares(held: Sparse, s: Ints, c: Ints, everyone: Floats) -> Floats:
    """Of all days in ``held`` (senders x folders), the share of each folder ``c`` for ``s``."""
    total = np.asarray(held.sum(axis=1)).ravel()[s]
    count = np.asarray(held[s, c]).ravel()
    return np.asarray((count + PRIOR * everyone[c]) / (total + PRIOR), np.float64)
