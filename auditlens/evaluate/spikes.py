"""One planted counter spike among two thousand people with steady habits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.anomalies.channels import CHANNELS
from auditlens.anomalies.detect import FOREST_SIZES
from auditlens.anomalies.model import fit_days
from auditlens.anomalies.reasons import Baselines, reasons_of
from auditlens.anomalies.relative import READ, with_baselines
from auditlens.anomalies.windows import WINDOW
from auditlens.evaluate.steady import GROUPS, Spike, steady_counts

__all__ = ["SpikeFound", "judge_spike"]

DAYS = 44
COMPARED = 4
"""The last days, whose features are computed; the days before them are their baselines."""

NOUNS = {"read": "reads", "write": "changes", "export": "exports", "share": "shares"}
SENDERS = CHANNELS[0]


@dataclass(frozen=True)
class SpikeFound:
    """The rank of the spike's day among all days of its date, and whether its first reason says so.

    ``text`` is that first reason.
    """

    rank: int
    right: bool
    text: str


def judge_spike(seed: int, *, senders: int = 2000) -> SpikeFound:
    """Plant a spike four times the usual maximum in counters that nothing else disturbs.

    Who and which group of actions is decided by ``seed``. Works on counts of days rather than on
    events: counts are what a spike is in.
    """
    rng = np.random.default_rng(1000 + seed)
    spike = Spike(int(rng.integers(senders)), DAYS - 1, GROUPS[seed % len(GROUPS)])
    days = counted_days(steady_counts(seed, senders=senders, days=DAYS, spike=spike))
    table = compared(days)
    model = fit_days(table, SENDERS.features, seed=0, trees=FOREST_SIZES[SENDERS.name])
    today = table.filter(pl.col("d") == DAYS - 1).sort("s")
    scores = model.scores(today)
    at = int(today["s"].search_sorted(spike.sender))
    mine = today[at : at + 1]
    own = days.filter(pl.col("s") == spike.sender, pl.col("d") < DAYS - 1).tail(WINDOW)
    counts = {name: own[name].to_list() for name in GROUPS}
    known = Baselines(mine.row(0, named=True), counts, {}, "peers'")
    why = reasons_of(SENDERS.features, model.credit(mine)[0], model.deviations(mine)[0], known)
    text = str(why[0]["text"])
    rank = 1 + int((scores > scores[at]).sum())
    return SpikeFound(rank, NOUNS[spike.group] in text, text)


def counted_days(counts: np.ndarray) -> pl.DataFrame:
    """Sender-days with the columns baselines read; what steady work never shows is zero."""
    s, d = np.nonzero(counts.sum(axis=2))
    columns = {name: counts[s, d, at] for at, name in enumerate(GROUPS)}
    events = counts.sum(axis=2)[s, d]
    quiet = {name: np.zeros(len(s), np.int64) for name in READ}
    quiet |= {name: quiet[name] - 1 for name in READ if name.startswith(("usual_", "top_"))}
    known = {
        "events": events,
        "resources": events,
        "risky": columns["export"] + columns["share"],
        "own_likeness": quiet["events"] + 1000,
    }
    frame = pl.DataFrame({"s": s, "d": d} | quiet | columns | known)
    before = pl.int_range(pl.len()).over("s")
    return frame.with_columns(days_before=before, service=pl.lit(value=False)).sort("s", "d")


def compared(days: pl.DataFrame) -> pl.DataFrame:
    """The last COMPARED days with every feature; what no count tells of is zero."""
    new = pl.col("d") >= DAYS - COMPARED
    table = with_baselines(days.filter(new).drop("days_before"), days.filter(~new))
    missing = [each.name for each in SENDERS.features if each.name not in table.columns]
    return table.with_columns(pl.lit(0.0).alias(name) for name in missing)
