"""Features: one row a sender, or a resource, and active day, with counts and how unusual they are.

Every feature of a day rests on it and earlier days alone. docs/features.md defines each.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Floats, Ints, first_rows, row_keys
from auditlens.anomalies.baselines import (
    ENOUGH_DAYS,
    FORTNIGHT,
    WORKWEEK,
    WeeklyQuantile,
    anscombe,
    highest_count,
    log_counts,
    log_ratio_to_before,
    poisson_z,
    recent_mean,
    robust_deviation,
    trailing_baseline,
    trailing_baselines,
    window_poisson_z,
    window_starts,
    window_sums,
)
from auditlens.anomalies.counts import day_counts, day_pairs, foreign_folders, pair_counts
from auditlens.anomalies.encode import EncodedEvents, week_of
from auditlens.anomalies.peers import PEER_COUNTS, TOP_COUNTS, PeerComparison, compare_with_peers
from auditlens.anomalies.surprisal import (
    hour_surprisal,
    surprisal_by_day,
    transition_surprisal,
    value_surprisal,
)

__all__ = [
    "LEARNING_DAYS", "OWN_COUNTS", "RESOURCE_READ", "SENDER_READ", "TYPE_COUNTS", "ComparedDays",
    "compare_days", "day_tables", "resource_features", "resource_table", "sender_features",
    "sender_table",
]  # fmt: skip

LEARNING_DAYS = 14
"""Days of log before anything is compared."""


def day_tables(encoded: EncodedEvents) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compute the features of the whole log.

    Args:
        encoded: The events.

    Returns:
        Sender-days (by ``sender_id``, ``day``) and resource-days (by ``resource_id``, ``day``),
        sorted, with every feature. ``state`` is ``learning`` in the first LEARNING_DAYS of the
        log, ``new`` while a sender has too few earlier active days, else ``scored``.
    """
    compared = compare_days(encoded)
    with ThreadPoolExecutor(2) as pool:
        senders = pool.submit(sender_features, encoded, compared)
        resources, _ = resource_features(encoded, compared)
        return sender_table(encoded, senders.result()), resource_table(encoded, resources)


@dataclass(frozen=True)
class ComparedDays:
    """What sender and resource features share: who touched what, and how surprising it was.

    Attributes:
        counts: ``day_counts``.
        pairs: ``day_pairs`` of ``resource``, ``container``, ``kind`` and ``type``.
        peers: Sender-days beside those of peers.
        surprisal: For each row of the pairs of the first three: ``own``, ``crowd``, ``peer``.
    """

    counts: pl.DataFrame
    pairs: dict[str, pl.DataFrame]
    peers: PeerComparison
    surprisal: dict[str, dict[str, Ints]]


def compare_days(encoded: EncodedEvents) -> ComparedDays:
    """Do the shared work of sender and resource features."""
    pairs = {key: day_pairs(encoded, key) for key in ("resource", "container", "kind", "type")}
    counts = day_counts(encoded)
    peers = compare_with_peers(encoded, pairs, counts)
    surprisal = {
        key: value_surprisal(pairs[key], peers_with) for key, peers_with in peers.peers_with.items()
    }
    return ComparedDays(counts, pairs, peers, surprisal)


def sender_features(encoded: EncodedEvents, compared: ComparedDays) -> pl.DataFrame:
    """One row a sender and active day: ``sender``, ``day``, counts and relative features, sorted.

    ``days_before`` is the number of earlier active days; ``usual_<count>`` the peers' 95 % day
    (-1 without peers) and ``most_alike`` the code of the sender the day resembles most.
    """
    pairs, peers = compared.pairs, compared.peers
    resource, container, kind = (
        compared.surprisal[key] for key in ("resource", "container", "kind")
    )
    parts = [
        peers.days,
        hour_surprisal(encoded),
        transition_surprisal(encoded),
        *pair_counts(pairs, peers.peers_with, peers.remoteness),
        surprisal_by_day(
            pairs["kind"],
            kind=kind["own"],
            peer_kind=kind["peer"],
            kind_llr=kind["own"] - kind["crowd"],
        ),
        surprisal_by_day(
            pairs["container"],
            container=container["own"],
            container_llr=container["own"] - container["crowd"],
            peer_container=container["peer"],
        ),
        surprisal_by_day(pairs["resource"], peer_resource=resource["peer"]),
    ]
    kept = encoded.history.tables.get("sender_days")
    return with_baselines(side_by_side(compared.counts, parts), kept)


def side_by_side(days: pl.DataFrame, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """``days``, sorted, with the columns of each part; 0 where a part has no such day."""
    columns = []
    for part in parts:
        before, now = row_keys(days, part, ["sender", "day"])
        at = np.searchsorted(before, now)
        for name in part.columns:
            if name not in ("sender", "day"):
                values = part[name].to_numpy()
                column = np.zeros(len(days), values.dtype)
                column[at] = values
                columns.append(pl.Series(name, column))
    return days.with_columns(columns)


SELF_COUNTS = (
    "events", "resources", "containers", "read", "write", "export", "share", "permission",
    "delete", "admin", "burst", "risky_burst", "new_resources", "new_containers", "sensitive",
    "rare_kinds", "foreign_resources", "alien_resources", "removed", "own_rights", "new_risky",
    "foreign_risky", "sensitive_new", "sensitive_foreign", "new_taken", "remote_resources",
    "remote_new", "remote_sum", "remote_new_sum", "remote_deep",
)  # fmt: skip
"""Counts compared with the sender's own days."""

SELF_SURPRISAL = (
    "kind_mean", "kind_max", "kind_llr_mean", "divergence", "hour_mean", "hour_max",
    "container_mean", "container_max", "container_llr_mean", "peer_resource_mean", "alien_share",
    "step_mean", "peer_kind_mean", "peer_container_mean", "new_resource_share", "foreign_share",
    "own_unlike", "other_margin", "remote_share",
)  # fmt: skip
"""Surprisal and shares compared with the sender's own history of the same."""

LEAP_COUNTS = (
    "events", "read", "write", "export", "share", "permission", "delete", "admin", "removed",
    "own_rights", "sensitive_foreign", "remote_deep",
)  # fmt: skip
"""Counts whose leap above every earlier day is looked at by itself."""

FORTNIGHT_COUNTS = (
    "export", "sensitive_export", "sensitive_new", "new_resources", "foreign_resources",
    "alien_resources", "share", "risky", "sensitive_foreign", "new_taken",
    "remote_resources",
)  # fmt: skip
"""Counts whose sum over fourteen days is compared with the days before them."""

RECENT_COUNTS = ("export", "share", "foreign_resources", "rare_kinds", "sensitive")

WORKWEEK_COUNTS = ("export", "share", "risky", "new_taken", "remote_resources", "passed_on")
"""Counts whose sum over five days is compared with the highest one before."""

TAKING_COUNTS = ("export", "share", "new_taken", "passed_on")
"""Those of them that carry something away: their leap is looked at by itself, like a day's."""

RETURN_GAP = 7
"""Days without a trace after which somebody comes back."""

RETURN_COUNTS = ("new_taken", "remote_new")
"""Counts looked at by themselves on the first day back."""

DERIVED = ("own_unlike", "other_margin")
USUAL = (*(f"usual_{name}" for name in PEER_COUNTS), *(f"top_{name}" for name in TOP_COUNTS))

SENDER_READ = tuple(
    name
    for name in dict.fromkeys(
        (*SELF_COUNTS, *SELF_SURPRISAL, *FORTNIGHT_COUNTS, *RECENT_COUNTS, *WORKWEEK_COUNTS,
         *PEER_COUNTS, *USUAL, "own_likeness", "other_likeness", "odd_hour_events")
    )
    if name not in DERIVED
)  # fmt: skip
"""Columns of a sender's days that relative features read."""


def with_baselines(table: pl.DataFrame, kept: pl.DataFrame | None = None) -> pl.DataFrame:
    """Add every relative feature; ``table`` is sorted by sender and day.

    ``kept`` holds SENDER_READ and ``days_before`` of each sender's last days before these.
    """
    days = with_kept_days(table, kept, "sender", SENDER_READ)
    days["own_unlike"] = 1000 - days["own_likeness"]
    days["other_margin"] = days["other_likeness"] - days["own_likeness"]
    first, new = first_rows(days["sender"]), np.flatnonzero(days["fresh"])
    now = {name: column[new] for name, column in days.items()}
    before = new - first[new] + days["days_before"][first[new]]
    made: dict[str, Ints | Floats] = {
        "days_before": before,
        "gap_days": np.where(before > 0, now["day"] - days["day"][new - 1], 0),
        "own_unlike": now["own_unlike"],
        "other_margin": now["other_margin"],
        "odd_hour_share": now["odd_hour_events"] * 1000 // np.maximum(now["events"], 1),
    }
    back = made["gap_days"] >= RETURN_GAP
    made |= {f"return_{name}": np.where(back, now[name], 0) for name in RETURN_COUNTS}
    own, latest = own_features(days, first, new)
    made |= own
    made["day_z"] = made["events_z"] - daily_medians(made["events_z"], now["day"])
    levels = [days[name] / 1000.0 for name in SELF_SURPRISAL]
    baselines = trailing_baselines(levels, first, [new] * len(levels))
    for name, column, baseline in zip(SELF_SURPRISAL, levels, baselines, strict=True):
        made[f"{name}_self"] = robust_deviation(column[new], baseline)
    for name in PEER_COUNTS:
        usual = now[f"usual_{name}"]
        ratio = np.log((now[name] + 1) / (np.maximum(usual, 0) + 1))
        made[f"peer_{name}"] = np.where(usual >= 0, ratio, 0.0)
    made |= window_features(days, first, new)
    made |= {f"{name}_5": recent_mean(latest[name], first)[new] for name in RECENT_COUNTS}
    return with_rounded(table, made)


def own_features(
    days: Mapping[str, Ints], first: Ints, new: Ints
) -> tuple[dict[str, Ints | Floats], dict[str, Floats]]:
    """Deviations and leaps of the new days' counts; the last days' deviations of RECENT_COUNTS."""
    made: dict[str, Ints | Floats] = {}
    latest: dict[str, Floats] = {}
    wanted = rows_with_recent(days["sender"], first, days["fresh"])
    logs = [log_counts(days[name]) for name in SELF_COUNTS]
    needed = [wanted if name in RECENT_COUNTS else new for name in SELF_COUNTS]
    baselines = trailing_baselines(logs, first, needed)
    for name, levels, rows, recent in zip(SELF_COUNTS, logs, needed, baselines, strict=True):
        baseline = recent
        if name in RECENT_COUNTS:
            latest[name] = np.zeros(len(levels))
            latest[name][rows] = robust_deviation(levels[rows], recent)
            baseline = recent.take(np.searchsorted(rows, new))
        made[f"{name}_z"] = robust_deviation(levels[new], baseline)
        if name in LEAP_COUNTS:
            made[f"{name}_leap"] = poisson_z(days[name][new], baseline)
        if name in TOP_COUNTS:
            top = days[f"top_{name}"][new]
            made[f"{name}_leap"] = capped_leap(made[f"{name}_leap"], days[name][new], top)
    return made, latest


def capped_leap(leap: Ints | Floats, values: Ints, top: Ints) -> Floats:
    """A leap is at most as large as that above everyone's highest days, where there are any."""
    over = np.maximum(anscombe(values) - anscombe(np.maximum(top, 0)), 0.0)
    return np.where(top >= 0, np.minimum(leap, over), leap)


def window_features(days: Mapping[str, Ints], first: Ints, new: Ints) -> dict[str, Ints | Floats]:
    """Sums of fourteen and of five days, and how they compare with earlier ones."""
    made: dict[str, Ints | Floats] = {}
    start = window_starts(days["sender"], days["day"], days=FORTNIGHT)
    for name in FORTNIGHT_COUNTS:
        sums = window_sums(days[name], start)
        made[f"{name}_14"] = sums[new]
        made[f"{name}_14_ratio"] = log_ratio_to_before(days[name], sums, start, first, new)
    exporting = (days["sensitive_export"] > 0).astype(np.int64)
    made["sensitive_export_days_14"] = window_sums(exporting, start)[new]
    start = window_starts(days["sender"], days["day"], days=WORKWEEK)
    for name in WORKWEEK_COUNTS:
        sums = window_sums(days[name], start)
        made[f"{name}_5_sum"] = sums[new]
        made[f"{name}_5_surge"] = window_poisson_z(sums, start, first, new)
    return made | {f"{name}_5_leap": made[f"{name}_5_surge"] for name in TAKING_COUNTS}


def rows_with_recent(sender: Ints, first: Ints, fresh: Ints) -> Ints:
    """The new days and the last few before them, whose deviations their sums rest on."""
    kept = np.bincount(sender[fresh == 0], minlength=int(sender.max(initial=0)) + 1)
    return np.flatnonzero(np.arange(len(sender)) - first >= kept[sender] - WORKWEEK)


def daily_medians(z: Floats | Ints, day: Ints) -> Floats:
    """The median of the same day over all senders: holidays and releases move everyone."""
    order = np.lexsort((z, day))
    edge = (
        np.flatnonzero(np.r_[True, np.diff(day[order]) > 0, True]) if len(day) else np.zeros(1, int)
    )
    low, high = edge[:-1], edge[1:] - 1
    medians = (z[order][(low + high) // 2] + z[order][(low + high + 1) // 2]) / 2
    of_row = np.empty(len(day))
    of_row[order] = np.repeat(medians, np.diff(edge))
    return of_row


def with_rounded(table: pl.DataFrame, columns: Mapping[str, Ints | Floats]) -> pl.DataFrame:
    """Add columns; numbers are rounded to six places, so that no order of adding shows."""
    return table.with_columns(
        pl.Series(name, np.round(column, 6) if column.dtype.kind == "f" else column)
        for name, column in columns.items()
    )


def with_kept_days(
    table: pl.DataFrame, tail: pl.DataFrame | None, subject: str, columns: tuple[str, ...]
) -> dict[str, Ints]:
    """The kept days before the new ones, sorted: ``subject``, ``day`` and ``columns`` as arrays.

    ``fresh`` is 1 on the new days; ``days_before`` is 0 there, and true of the kept ones. In
    ``tail`` the days of a subject stand in order, before those of ``table``.
    """
    names = (subject, "day", *columns)
    new = {name: table[name].to_numpy() for name in names}
    new |= {"days_before": np.zeros(len(table), np.int64), "fresh": np.ones(len(table), np.int64)}
    if tail is not None:
        old = {name: tail[name].to_numpy() for name in (*names, "days_before")}
        old["fresh"] = np.zeros(len(tail), np.int64)
        order = np.argsort(np.r_[old[subject], new[subject]], kind="stable")
        new = {name: np.r_[old[name], column][order] for name, column in new.items()}
    return {name: column.astype(np.int64, copy=False) for name, column in new.items()}


OWN_COUNTS = (
    "events", "senders", "top_events", "read", "delete", "export", "permission", "share", "risky",
    "new_senders", "strangers",
)  # fmt: skip
"""Counts compared with the resource's own days."""

SCARCE_COUNTS = ("delete", "export", "permission", "share", "risky", "strangers")

TYPE_COUNTS = (
    "events", "senders", "top_events", "delete", "export", "permission", "share", "risky",
    "new_senders", "strangers",
)  # fmt: skip
"""Counts compared with the 95 % day of resources of the same type."""

RESOURCE_READ = (*dict.fromkeys((*OWN_COUNTS, *TYPE_COUNTS)), "audience_mean", "type")
"""Columns of a resource's days that relative features read."""

TYPE_SPREAD = 0.5
"""Spread of a log count among resources of a type: the stand-in until there are own days."""


def resource_features(
    encoded: EncodedEvents, compared: ComparedDays
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features of resources, and the high days of types in the last week.

    A resource without enough earlier days is compared with the days of its type.

    Returns:
        One row a resource and day: ``resource``, ``day``, ``type``, counts and relative features,
        sorted by resource and day; and one row a type.
    """
    table = visit_counts(compared)
    kept = encoded.history.tables.get("resource_days")
    days = with_kept_days(table, kept_days_of(table, kept), "resource", RESOURCE_READ)
    first, new = first_rows(days["resource"]), np.flatnonzero(days["fresh"])
    table = table.with_columns(pl.Series("type", latest_types(days["type"], first)[new], pl.Int64))
    before = new - first[new] + days["days_before"][first[new]]
    high_days = type_quantiles(encoded, table)
    usual = high_days.values
    made: dict[str, Ints | Floats] = {
        "days_before": before,
        "idle_days": np.where(before > 0, days["day"][new] - days["day"][new - 1], 0),
    }
    made |= {f"usual_{name}": high for name, high in usual.items()}
    for count in OWN_COUNTS:
        values = days[count][new]
        # One of something, or none, is never more than usual; most resource-days are that.
        several = values > (0 if count in SCARCE_COUNTS else 1)
        own = trailing_baseline(log_counts(days[count]), first, rows=new[several]).spread_out(
            several
        )
        z = robust_deviation(np.log1p(values), own)
        if count in usual:
            high = np.maximum(usual[count], 0)
            ratio = np.where(usual[count] >= 0, np.log((values + 1) / (high + 1)), 0.0)
            made[f"type_{count}"] = ratio
            z = np.where((before < ENOUGH_DAYS) & several, ratio / TYPE_SPREAD, z)
            level, highest = anscombe(values), anscombe(highest_count(own))
            made[f"{count}_leap"] = np.minimum(
                np.maximum(level - anscombe(high), 0.0),
                np.where(own.days >= ENOUGH_DAYS, level - highest, np.inf),
            )
        made[f"{count}_z"] = z
    unusual = days["audience_mean"] / 1000.0
    visited = days["new_senders"][new] > 0
    baseline = trailing_baseline(unusual, first, rows=new[visited]).spread_out(visited)
    made["audience_self"] = robust_deviation(unusual[new], baseline)
    table = with_rounded(table, made)
    return table, high_days.last_week


def latest_types(types: Ints, first: Ints) -> Ints:
    """A resource's type is the last by name that its events so far bore."""
    line = first * (int(types.max(initial=0)) + 1) + types
    return np.asarray(np.maximum.accumulate(line) - (line - types), np.int64)


def kept_days_of(table: pl.DataFrame, kept: pl.DataFrame | None) -> pl.DataFrame | None:
    """The kept days of the table's resources."""
    if kept is None:
        return None
    then, now = kept["resource"].to_numpy(), table["resource"].to_numpy()
    touched = np.zeros(max(then.max(initial=0), now.max(initial=0)) + 1, np.bool_)
    touched[now] = True
    return kept.filter(pl.Series(touched[then]))


def visit_counts(compared: ComparedDays) -> pl.DataFrame:
    """Counts of a resource's day, from who touched it."""
    events, risky = pl.col("events"), pl.col("risky")
    peers_with = compared.peers.peers_with
    pairs = compared.pairs["resource"].with_columns(
        pl.Series("peers_with", peers_with["resource"]),
        pl.Series("surprisal", compared.surprisal["resource"]["peer"]),
    )
    pairs = pairs.join(
        foreign_folders(compared.pairs["container"], peers_with["container"]),
        on=["sender", "day", "container"],
        how="left",
        maintain_order="left",
    )
    alien = pl.col("first") & pl.col("alien").fill_null(value=False)
    # Everyone is new to a resource on its first day; there only its folder tells strangers.
    newcomer = (pl.col("first") & (pl.col("crowd") > 0)) | alien
    stranger = (newcomer & (pl.col("peers_with") == 0)) | alien
    table = pairs.group_by("resource", "day").agg(
        pl.col(
            "events",
            "read",
            "write",
            "delete",
            "export",
            "permission",
            "share",
            "risky",
            "sensitive",
        ).sum(),
        type=pl.col("type").max(),
        senders=pl.len(),
        top_events=events.max(),
        new_senders=newcomer.sum(),
        strangers=stranger.sum(),
        newcomer_risk=risky.filter(newcomer).sum(),
        stranger_events=events.filter(stranger).sum(),
        audience_mean=pl.col("surprisal").sum() // pl.len(),
        audience_sum=pl.col("surprisal").filter(newcomer).sum(),
    )
    return table.with_columns(pl.exclude("resource", "day").cast(pl.Int64)).sort("resource", "day")


def type_quantiles(encoded: EncodedEvents, table: pl.DataFrame) -> WeeklyQuantile:
    """The 95 % day of each type over the four weeks before; -1 where there is none."""
    from scipy.sparse import identity

    types = len(encoded.types)
    before = encoded.history.tables.get("resource_days", table.clear())
    usual = WeeklyQuantile(table, before, "type", TYPE_COUNTS, kept=encoded.kept_week.get("types"))
    same = identity(types, dtype=np.int64, format="csr")
    # Weeks in which nobody touched a resource are read too, so that the last one is known.
    for week in week_of(encoded.sender_days["day"]).unique().sort().to_list():
        usual.fill_week(week, same, np.ones(types, np.bool_))
    return usual


def sender_table(encoded: EncodedEvents, features: pl.DataFrame) -> pl.DataFrame:
    """Sender-days with the names of senders, and their state."""
    names = encoded.senders.select("sender", "sender_id", "service", subject_label="label")
    active = encoded.senders.filter(~pl.col("system")).select("sender")
    others = encoded.senders.select(pl.col("sender").cast(pl.Int64), resembles="sender_id")
    table = (
        features.join(active, on="sender", how="semi")
        .join(names, on="sender")
        .join(others, left_on="most_alike", right_on="sender", how="left")
    )
    return with_state(
        table.drop("sender", "most_alike").sort("sender_id", "day"), encoded, ENOUGH_DAYS
    )


def resource_table(encoded: EncodedEvents, features: pl.DataFrame) -> pl.DataFrame:
    """Resource-days with the names of resources, and their state."""
    # Codes stand in the order of names, so the table is sorted already.
    names = encoded.resources.gather(features["resource"]).alias("resource_id")
    return with_state(features.drop("resource", "type").with_columns(names), encoded, 0)


def with_state(table: pl.DataFrame, encoded: EncodedEvents, enough: int) -> pl.DataFrame:
    learning = pl.col("day") < encoded.start + LEARNING_DAYS
    state = (
        pl.when(learning)
        .then(pl.lit("learning"))
        .when(pl.col("days_before") < enough)
        .then(pl.lit("new"))
        .otherwise(pl.lit("scored"))
    )
    return table.select(pl.exclude("day"), pl.col("day").cast(pl.Date), state=state)
