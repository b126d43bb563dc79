"""Whether this period's scores still look like those they are compared with."""

from __future__ import annotations

import numpy as np

from auditlens.anomalies.windows import Floats

__all__ = ["Drift", "measure_drift"]

FEWEST = 300
USUAL = 0.99
WARN = 0.03


class Drift(dict[str, float]):
    """``ks`` (largest gap of the two distributions) and ``above`` (share over the earlier 99 %)."""


def measure_drift(earlier: Floats, now: Floats) -> tuple[Drift, str]:
    """Compare two sets of scores; the sentence is empty while all is as it was.

    About one percent of days is expected above the earlier 99 % day; beyond three percent the
    work itself has changed, and percentiles say less than they seem to.
    """
    if len(earlier) < FEWEST or len(now) < FEWEST:
        return Drift(), ""
    both = np.sort(np.concatenate([earlier, now]))
    gaps = [
        np.searchsorted(np.sort(each), both, side="right") / len(each) for each in (earlier, now)
    ]
    above = float((now > np.quantile(earlier, USUAL, method="higher")).mean())
    drift = Drift(ks=round(float(np.abs(gaps[0] - gaps[1]).max()), 6), above=round(above, 6))
    if above <= WARN:
        return drift, ""
    return drift, (
        f"{100 * above:.1f} % of this period's days score above the earlier 99 % day "
        "(expected about 1 %): work has changed, so read ranks rather than percentiles."
    )
