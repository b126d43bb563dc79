"""Counts and surprises against baselines: what the model is fed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from auditlens.anomalies.likeness import PEER_COUNTS, TOP_COUNTS
from auditlens.anomalies.past import with_tail
from auditlens.anomalies.slow import (
    FORTNIGHT,
    WORKWEEK,
    log_ratio_to_before,
    recent_mean,
    stretch_starts,
    sum_of_days,
    surge_of_days,
)
from auditlens.anomalies.windows import (
    Floats,
    Ints,
    deviation,
    first_rows,
    log_counts,
    stabilised,
    surge,
    trails,
)

__all__ = [
    "READ",
    "SELF_COUNTS",
    "SELF_SURPRISES",
    "SLOW_COUNTS",
    "SURGE_COUNTS",
    "with_baselines",
]

SELF_COUNTS = (
    "events", "resources", "containers", "read", "write", "export", "share", "permission",
    "delete", "admin", "burst", "risky_burst", "new_resources", "new_containers", "sensitive",
    "rare_kinds", "foreign_resources", "alien_resources", "removed", "own_rights", "new_risky",
    "foreign_risky", "sensitive_new", "sensitive_foreign", "new_taken", "remote_resources",
    "remote_new", "remote_sum", "remote_new_sum", "remote_deep",
)  # fmt: skip
"""Counts compared with the sender's own days."""

SELF_SURPRISES = (
    "kind_mean", "kind_max", "kind_llr_mean", "divergence", "hour_mean", "hour_max",
    "container_mean", "container_max", "container_llr_mean", "peer_resource_mean", "alien_share",
    "step_mean", "peer_kind_mean", "peer_container_mean", "new_resource_share", "foreign_share",
    "own_unlike", "other_margin", "remote_share",
)  # fmt: skip
"""Surprises compared with the sender's own history of the same surprise."""

SURGE_COUNTS = (
    "events", "read", "write", "export", "share", "permission", "delete", "admin", "removed",
    "own_rights", "sensitive_foreign", "remote_deep",
)  # fmt: skip
"""Counts whose leap above every earlier day is looked at by itself."""

SLOW_COUNTS = (
    "export", "sensitive_export", "sensitive_new", "new_resources", "foreign_resources",
    "alien_resources", "share", "risky", "sensitive_foreign", "new_taken",
    "remote_resources",
)  # fmt: skip
RECENT = ("export", "share", "foreign_resources", "rare_kinds", "sensitive")

SURGING = ("export", "share", "risky", "new_taken", "remote_resources", "passed_on")
"""Counts whose sum over five days is compared with the highest one before."""

TAKING = ("export", "share", "new_taken", "passed_on")
"""Those of them that carry something away: their leap is looked at by itself, like a day's."""

AWAY = 7
"""Days without a trace after which somebody comes back."""

RETURNING = ("new_taken", "remote_new")
"""Counts looked at by themselves on the first day back."""

MADE = ("own_unlike", "other_margin")
USUAL = (*(f"usual_{name}" for name in PEER_COUNTS), *(f"top_{name}" for name in TOP_COUNTS))

READ = tuple(
    name
    for name in dict.fromkeys(
        (*SELF_COUNTS, *SELF_SURPRISES, *SLOW_COUNTS, *RECENT, *SURGING, *PEER_COUNTS, *USUAL,
         "own_likeness", "other_likeness", "odd_hour_events")
    )
    if name not in MADE
)  # fmt: skip
"""Columns of a sender's days that relative features read."""


def with_baselines(table: pl.DataFrame, kept: pl.DataFrame | None = None) -> pl.DataFrame:
    """Add every relative feature; ``table`` is sorted by sender and day.

    ``kept`` holds READ and ``days_before`` of each sender's last days before those of ``table``.
    """
    days = with_tail(table, kept, "s", READ)
    days["own_unlike"] = 1000 - days["own_likeness"]
    days["other_margin"] = days["other_likeness"] - days["own_likeness"]
    first, new = first_rows(days["s"]), np.flatnonzero(days["fresh"])
    now = {name: column[new] for name, column in days.items()}
    before = new - first[new] + days["days_before"][first[new]]
    made: dict[str, Ints | Floats] = {
        "days_before": before,
        "gap_days": np.where(before > 0, now["d"] - days["d"][new - 1], 0),
        "own_unlike": now["own_unlike"],
        "other_margin": now["other_margin"],
        "odd_hour_share": now["odd_hour_events"] * 1000 // np.maximum(now["events"], 1),
    }
    back = made["gap_days"] >= AWAY
    made |= {f"return_{name}": np.where(back, now[name], 0) for name in RETURNING}
    leaps, latest = own_deviations(days, first, new)
    made |= leaps
    made["day_z"] = made["events_z"] - by_day(made["events_z"], now["d"])
    steps = [days[name] / 1000.0 for name in SELF_SURPRISES]
    baselines = trails(steps, first, [new] * len(steps))
    for name, levels, baseline in zip(SELF_SURPRISES, steps, baselines, strict=True):
        made[f"{name}_self"] = deviation(levels[new], baseline)
    for name in PEER_COUNTS:
        usual = now[f"usual_{name}"]
        ratio = np.log((now[name] + 1) / (np.maximum(usual, 0) + 1))
        made[f"peer_{name}"] = np.where(usual >= 0, ratio, 0.0)
    made |= slow_features(days, first, new)
    made |= {f"{name}_5": recent_mean(latest[name], first)[new] for name in RECENT}
    return table.with_columns(
        pl.Series(name, np.round(column, 6) if column.dtype.kind == "f" else column)
        for name, column in made.items()
    )


def own_deviations(
    days: Mapping[str, Ints], first: Ints, new: Ints
) -> tuple[dict[str, Ints | Floats], dict[str, Floats]]:
    """Deviations and leaps of the new days' counts; of RECENT, the last days' deviations too."""
    made: dict[str, Ints | Floats] = {}
    latest: dict[str, Floats] = {}
    wanted = last_rows(days["s"], first, days["fresh"])
    logs = [log_counts(days[name]) for name in SELF_COUNTS]
    needed = [wanted if name in RECENT else new for name in SELF_COUNTS]
    baselines = trails(logs, first, needed)
    for name, levels, rows, found in zip(SELF_COUNTS, logs, needed, baselines, strict=True):
        baseline = found.at(np.searchsorted(rows, new)) if name in RECENT else found
        if name in RECENT:
            latest[name] = np.zeros(len(levels))
            latest[name][rows] = deviation(levels[rows], found)
        made[f"{name}_z"] = deviation(levels[new], baseline)
        if name in SURGE_COUNTS:
            made[f"{name}_leap"] = surge(days[name][new], baseline)
        if name in TOP_COUNTS:
            top = days[f"top_{name}"][new]
            made[f"{name}_leap"] = beyond(made[f"{name}_leap"], days[name][new], top)
    return made, latest


def beyond(leap: Ints | Floats, values: Ints, top: Ints) -> Floats:
    """A leap is at most as large as that above everyone's highest days, where there are any."""
    over = np.maximum(stabilised(values) - stabilised(np.maximum(top, 0)), 0.0)
    return np.where(top >= 0, np.minimum(leap, over), leap)


def slow_features(days: Mapping[str, Ints], first: Ints, new: Ints) -> dict[str, Ints | Floats]:
    """Sums of fourteen and of five days, and how they compare with earlier ones."""
    made: dict[str, Ints | Floats] = {}
    start = stretch_starts(days["s"], days["d"], days=FORTNIGHT)
    for name in SLOW_COUNTS:
        sums = sum_of_days(days[name], start)
        made[f"{name}_14"] = sums[new]
        made[f"{name}_14_ratio"] = log_ratio_to_before(days[name], sums, start, first, new)
    exporting = (days["sensitive_export"] > 0).astype(np.int64)
    made["sensitive_export_days_14"] = sum_of_days(exporting, start)[new]
    start = stretch_starts(days["s"], days["d"], days=WORKWEEK)
    for name in SURGING:
        sums = sum_of_days(days[name], start)
        made[f"{name}_5_sum"] = sums[new]
        made[f"{name}_5_surge"] = surge_of_days(sums, start, first, new)
    return made | {f"{name}_5_leap": made[f"{name}_5_surge"] for name in TAKING}


def last_rows(s: Ints, first: Ints, fresh: Ints) -> Ints:
    """The new days and the last few before them, whose deviations their sums rest on."""
    kept = np.bincount(s[fresh == 0], minlength=int(s.max(initial=0)) + 1)
    return np.flatnonzero(np.arange(len(s)) - first >= kept[s] - WORKWEEK)


def by_day(z: Floats | Ints, day: Ints) -> Floats:
    """The median of the same day over all senders: holidays and releases move everyone."""
    order = np.lexsort((z, day))
    edge = (
        np.flatnonzero(np.r_[True, np.diff(day[order]) > 0, True]) if len(day) else np.zeros(1, int)
    )
    low, high = edge[:-1], edge[1:] - 1
    medians = (z[order][(low + high) // 2] + z[order][(low + high + 1) // 2]) / 2
    found = np.empty(len(day))
    found[order] = np.repeat(medians, np.diff(edge))
    return found
