"""What a sender did on a day: values met, with what is known of them, and plain counts."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Ints, distinct_before, sums_before, sums_by_group
from auditlens.anomalies.encode import MISSING, EncodedEvents
from auditlens.events import ACTION_GROUPS, HIGH_IMPACT

__all__ = [
    "REMOVED_FOR", "SESSION_PAUSE", "day_counts", "day_pairs", "foreign_folders", "pair_counts",
    "with_evening",
]  # fmt: skip

RISKY = tuple(ACTION_GROUPS.index(name) for name in HIGH_IMPACT)
"""Codes of the groups of high-impact actions."""

RIGHTS = tuple(ACTION_GROUPS.index(name) for name in ("permission", "admin"))

MINUTE = 60 * 1_000_000
BURST = 5 * MINUTE
SESSION_PAUSE = 30 * MINUTE
"""Microseconds without an event after which the next one begins a session."""

REMOVED_FOR = 30 * 24 * 60 * MINUTE
"""Microseconds after the removal of an account during which its events are counted apart."""

LINKS_FOLLOWED = 2
"""So many things of one remote folder are links followed; whoever opens more looks through it."""

RARE = 50
"""A value is rare for a sender below one in so many earlier events."""

REMOTE = 1000
"""A folder is remote where everyone is at least e times as often as sender and peers."""


def day_pairs(encoded: EncodedEvents, key: str) -> pl.DataFrame:
    """One row a sender, day and value of a column, with what is known of it from earlier days.

    Args:
        encoded: The events.
        key: ``resource``, ``container``, ``kind`` or ``type``.

    Returns:
        ``sender``, ``day``, ``key`` (sorted by these); ``events``, and how many of them are
        ``risky``, ``sensitive`` and a ``sensitive_export``. ``own`` and ``crowd`` count the value's
        events on earlier days by the sender and by everyone, ``own_all`` and ``crowd_all`` all
        their events; ``first`` says that the sender never had the value before, ``known`` how many
        values anyone had. Resources also have a column a group of actions, and their ``container``
        and ``type``.
    """
    pairs = (
        encoded.rows.lazy()
        .filter(pl.col(key) != MISSING)
        .group_by("sender", "day", key)
        .agg(events=pl.len().cast(pl.Int64), **group_counts(key))
        .sort("sender", "day", key)
        .collect()
    )
    sender, day, value = (
        pairs[name].to_numpy().astype(np.int64) for name in ("sender", "day", key)
    )
    count = pairs["events"].to_numpy()
    kept = encoded.history.tables[key]
    kept_sender, kept_value, kept_count = (
        kept[name].to_numpy().astype(np.int64) for name in ("sender", key, "events")
    )
    width = max(int(value.max(initial=0)), int(kept_value.max(initial=0))) + 1
    pair, kept_pair = sender * width + value, kept_sender * width + kept_value

    def total(group: Ints, kept_group: Ints) -> Ints:
        return sums_before(group, day, count) + sums_by_group(kept_group, kept_count, group)

    own, crowd = total(pair, kept_pair), total(value, kept_value)
    return pairs.with_columns(
        pl.Series("own", own),
        pl.Series("own_all", total(sender, kept_sender)),
        pl.Series("crowd", crowd),
        pl.Series("crowd_all", sums_before(np.zeros_like(day), day, count) + kept_count.sum()),
        pl.Series("known", distinct_before(value, day, crowd) + len(encoded.history.names[key])),
        pl.Series("first", own == 0),
    )


def group_counts(key: str) -> dict[str, pl.Expr]:
    groups = ACTION_GROUPS if key == "resource" else ("export",)
    risky = pl.col("group").is_in(RISKY)
    export = pl.col("group") == ACTION_GROUPS.index("export")
    sensitive = pl.col("sensitive") == 1
    marks = {name: pl.col("group") == ACTION_GROUPS.index(name) for name in groups}
    marks |= {"risky": risky, "sensitive": sensitive, "sensitive_export": export & sensitive}
    place = ("container", "type")
    sums = {name: mark.cast(pl.Int64).sum() for name, mark in marks.items()}
    return sums | ({name: pl.col(name).max() for name in place} if key == "resource" else {})


def day_counts(encoded: EncodedEvents) -> pl.DataFrame:
    """One row a sender and day with Int64 counts of events by group, things, bursts, sessions."""
    groups = {name: (pl.col("group") == code).sum() for code, name in enumerate(ACTION_GROUPS)}
    risky = pl.col("group").is_in(RISKY)
    moments = with_evening(encoded)
    today = moments["day"] >= encoded.first_day
    marked = encoded.rows.select(
        "sender", "day", "group", "hour", "sensitive", "on_self", "resource", "container", "kind"
    ).with_columns(
        burst=burst_sizes(moments).filter(today),
        session=session_starts(moments).filter(today),
        risky=risky,
    )
    danger = moments.filter(risky)
    bursts = (
        danger.select("sender", "day", risky_burst=burst_sizes(danger))
        .group_by("sender", "day")
        .max()
    )
    counts = marked.group_by("sender", "day").agg(
        events=pl.len(),
        resources=pl.col("resource").filter(pl.col("resource") != MISSING).n_unique(),
        containers=pl.col("container").n_unique(),
        kinds=pl.col("kind").n_unique(),
        active_hours=pl.col("hour").n_unique(),
        burst=pl.col("burst").max(),
        sessions=pl.col("session").sum(),
        risky=pl.col("risky").sum(),
        sensitive=pl.col("sensitive").sum(),
        own_rights=(pl.col("on_self") * pl.col("group").is_in(RIGHTS)).sum(),
        **groups,
    )
    joined = counts.join(bursts, on=["sender", "day"], how="left").join(
        after_removal(encoded), on=["sender", "day"], how="left"
    )
    return joined.with_columns(pl.exclude("sender", "day").fill_null(0).cast(pl.Int64)).sort(
        "sender", "day"
    )


def with_evening(encoded: EncodedEvents) -> pl.DataFrame:
    """Sender, time, day and group of every event, and of those shortly before the first day."""
    rows = encoded.rows.select("sender", "time", "day", "group")
    evening = encoded.history.tables["evening"]
    if not len(evening) or not len(rows):
        return rows
    return pl.concat([evening, rows]).sort("sender", "time", maintain_order=True)


def after_removal(encoded: EncodedEvents) -> pl.DataFrame:
    """``sender``, ``day``, ``removed``: events within thirty days after the account was removed."""
    rows = (
        encoded.rows.select("sender", "day", "time")
        .join(encoded.removals, on="sender", how="semi")
        .sort("time")
    )
    removals = encoded.removals.with_columns(at="time")
    after = rows.join_asof(
        removals, on="time", by="sender", allow_exact_matches=False, check_sortedness=False
    ).filter(pl.col("time") - pl.col("at") <= REMOVED_FOR)
    return after.group_by("sender", "day").agg(removed=pl.len())


def sender_axis(rows: pl.DataFrame) -> Ints:
    """Senders laid end to end on one axis of microseconds, far enough apart not to meet."""
    time = rows["time"].to_numpy()
    if not len(time):
        return np.zeros(0, np.int64)
    span = int(time.max() - time.min()) + SESSION_PAUSE + 1
    return np.asarray(
        rows["sender"].to_numpy().astype(np.int64) * span + (time - time.min()), np.int64
    )


def burst_sizes(rows: pl.DataFrame) -> pl.Series:
    """Per event: the sender's events in the five minutes that end with it."""
    line = sender_axis(rows)
    return pl.Series("burst", np.arange(len(line)) - np.searchsorted(line, line - BURST) + 1)


def session_starts(rows: pl.DataFrame) -> pl.Series:
    """Per event: 1 when it comes more than half an hour after the sender's last one."""
    line = sender_axis(rows)
    starts = (
        np.diff(line, prepend=np.int64(-SESSION_PAUSE - 1)) > SESSION_PAUSE
        if len(line)
        else line > 0
    )
    return pl.Series("session", starts.astype(np.int64))


def pair_counts(
    pairs: dict[str, pl.DataFrame], peers_with: dict[str, Ints], remoteness: Ints
) -> list[pl.DataFrame]:
    """Counts of new, foreign, rare and sensitive things, a frame for each kind of pair.

    A resource is foreign when neither the sender nor a peer ever touched it, and alien when that
    is true of its folder too.

    Args:
        pairs: ``day_pairs`` by column.
        peers_with: By column, for each row of its pairs: how many peers had the value before.
        remoteness: For each pair of ``container``: how remote the folder is (thousandths).

    Returns:
        Frames with ``sender``, ``day`` and Int64 counts.
    """
    first = pl.col("first")
    types = pairs["type"].group_by("sender", "day").agg(new_types=first.sum())
    resources = with_folders(pairs, peers_with, remoteness)
    tables = (
        resource_counts(resources),
        depth_counts(resources),
        kind_counts(pairs["kind"]),
        types,
        folder_counts(pairs["container"]),
    )
    return [each.with_columns(pl.exclude("sender", "day").cast(pl.Int64)) for each in tables]


def with_folders(
    pairs: dict[str, pl.DataFrame], peers_with: dict[str, Ints], remoteness: Ints
) -> pl.DataFrame:
    """The resource pairs with how many peers had each, and how its folder stands to them."""
    folders = foreign_folders(pairs["container"], peers_with["container"]).with_columns(
        pl.Series("remoteness", remoteness)
    )
    return (
        pairs["resource"]
        .with_columns(peers_with=pl.Series(peers_with["resource"]))
        .join(
            folders,
            on=["sender", "day", "container"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("alien").fill_null(value=False), pl.col("remoteness").fill_null(0))
    )


def depth_counts(resources: pl.DataFrame) -> pl.DataFrame:
    """How deep a day went into remote folders: most things of one, and all beyond a few of each."""
    opened = pl.col("opened")
    return (
        resources.filter(pl.col("remoteness") >= REMOTE)
        .group_by("sender", "day", "container")
        .agg(opened=pl.len().cast(pl.Int64))
        .group_by("sender", "day")
        .agg(remote_one=opened.max(), remote_deep=(opened - LINKS_FOLLOWED).clip(0).sum())
    )


def resource_counts(resources: pl.DataFrame) -> pl.DataFrame:
    first, sensitive, risky = pl.col("first"), pl.col("sensitive") > 0, pl.col("risky")
    foreign = first & (pl.col("peers_with") <= 0)
    alien, remote = first & pl.col("alien"), pl.col("remoteness") >= REMOTE
    both = ((pl.col("export") > 0) & (pl.col("share") > 0)).sum().cast(pl.Int64)
    return resources.group_by("sender", "day").agg(
        new_resources=first.sum(),
        new_resource_share=first.sum().cast(pl.Int64) * 1000 // pl.len(),
        foreign_resources=foreign.sum(),
        foreign_share=foreign.sum().cast(pl.Int64) * 1000 // pl.len(),
        foreign_risky=risky.filter(foreign).sum(),
        alien_resources=alien.sum(),
        new_taken=(pl.col("export") + pl.col("share")).filter(first).sum(),
        # One is chance where people share what they work with.
        passed_on=(both - 1).clip(0),
        remote_resources=remote.sum(),
        remote_new=(first & remote).sum(),
        remote_sum=pl.col("remoteness").sum() // 100,
        remote_new_sum=pl.col("remoteness").filter(first).sum() // 100,
        remote_share=pl.col("remoteness").sum() // pl.len(),
        alien_risky=risky.filter(alien).sum(),
        alien_export=pl.col("export").filter(alien).sum(),
        alien_share=alien.sum().cast(pl.Int64) * 1000 // pl.len(),
        sensitive_alien=(alien & sensitive).sum(),
        new_risky=risky.filter(first).sum(),
        sensitive_new=(first & sensitive).sum(),
        sensitive_foreign=(foreign & sensitive).sum(),
        sensitive_export=pl.col("sensitive_export").sum(),
    )


def kind_counts(kinds: pl.DataFrame) -> pl.DataFrame:
    first, rare = pl.col("first"), pl.col("own") * RARE < pl.col("own_all")
    return kinds.group_by("sender", "day").agg(
        new_kinds=first.sum(),
        rare_kinds=pl.col("events").filter(rare).sum(),
        new_risky_kinds=(first & (pl.col("risky") > 0)).sum(),
        **kind_mixture(),
    )


def folder_counts(folders: pl.DataFrame) -> pl.DataFrame:
    n, first = pl.col("events"), pl.col("first")
    return folders.group_by("sender", "day").agg(
        new_containers=first.sum(),
        strange_container_events=n.filter(first).sum(),
        strange_share=n.filter(first).sum() * 1000 // n.sum(),
    )


def foreign_folders(folders: pl.DataFrame, peers_with: Ints) -> pl.DataFrame:
    """``sender``, ``day``, ``container``, ``alien``: where hardly the sender and no peer was."""
    seldom = pl.col("own") * RARE < pl.col("own_all") + RARE
    return folders.select("sender", "day", "container", alien=seldom & pl.Series(peers_with <= 0))


def kind_mixture() -> dict[str, pl.Expr]:
    """How the day's mix of kinds differs from the sender's own, in thousandths.

    ``divergence`` is Kullback and Leibler's (1951), ``g_statistic`` that times the events.
    """
    n, total = pl.col("events"), pl.col("events").sum()
    expected = (pl.col("own") + 0.5) / (pl.col("own_all") + 1)
    divergence = (1000 * n * ((n / total).log() - expected.log())).round().cast(pl.Int64).sum()
    entropy = (-1000 * n * (n / total).log()).round().cast(pl.Int64).sum()
    return {
        "divergence": divergence // total,
        "g_statistic": divergence,
        "kind_entropy": entropy // total,
    }
