"""Plain counts of a sender's day: what a reader understands and every baseline starts from."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.ledger import Ledger
from auditlens.anomalies.pairs import RISKY
from auditlens.anomalies.past import NOTHING
from auditlens.anomalies.remote import FAR
from auditlens.anomalies.windows import Ints

__all__ = ["AFTER", "PAUSE", "day_counts", "foreign_folders", "pair_counts", "with_evening"]

MINUTE = 60 * 1_000_000
BURST = 5 * MINUTE
PAUSE = 30 * MINUTE
AFTER = 30 * 24 * 60 * MINUTE
RIGHTS = tuple(ACTION_GROUPS.index(name) for name in ("permission", "admin"))
FOLLOWED = 2
"""So many things of one remote folder are links followed; whoever opens more looks through it."""

RARE = 50
"""A kind of event is rare for a sender below one in so many earlier events."""


def day_counts(ledger: Ledger) -> pl.DataFrame:
    """One row a sender and day with Int64 counts of events by group, things, bursts, sessions."""
    groups = {name: (pl.col("g") == code).sum() for code, name in enumerate(ACTION_GROUPS)}
    risky = pl.col("g").is_in([ACTION_GROUPS.index(name) for name in RISKY])
    moments = with_evening(ledger)
    today = moments["d"] >= ledger.first_day
    marked = ledger.rows.select("s", "d", "g", "h", "p", "o", "r", "c", "e").with_columns(
        burst=burst(moments).filter(today),
        session=sessions(moments).filter(today),
        risky=risky,
    )
    danger = moments.filter(risky)
    bursts = danger.select("s", "d", risky_burst=burst(danger)).group_by("s", "d").max()
    counts = marked.group_by("s", "d").agg(
        events=pl.len(),
        resources=pl.col("r").filter(pl.col("r") != NOTHING).n_unique(),
        containers=pl.col("c").n_unique(),
        kinds=pl.col("e").n_unique(),
        active_hours=pl.col("h").n_unique(),
        burst=pl.col("burst").max(),
        sessions=pl.col("session").sum(),
        risky=pl.col("risky").sum(),
        sensitive=pl.col("p").sum(),
        own_rights=(pl.col("o") * pl.col("g").is_in(RIGHTS)).sum(),
        **groups,
    )
    joined = counts.join(bursts, on=["s", "d"], how="left").join(
        after_removal(ledger), on=["s", "d"], how="left"
    )
    return joined.with_columns(pl.exclude("s", "d").fill_null(0).cast(pl.Int64)).sort("s", "d")


def with_evening(ledger: Ledger) -> pl.DataFrame:
    """Sender, time, day and group of every event, and of those shortly before the first day."""
    rows, evening = ledger.rows.select("s", "t", "d", "g"), ledger.past.tables["evening"]
    if not len(evening) or not len(rows):
        return rows
    return pl.concat([evening, rows]).sort("s", "t", maintain_order=True)


def after_removal(ledger: Ledger) -> pl.DataFrame:
    """``s``, ``d``, ``removed``: events within thirty days after the account was removed."""
    mine = ledger.rows.select("s", "d", "t").join(ledger.removals, on="s", how="semi").sort("t")
    gone = ledger.removals.with_columns(at="t")
    found = mine.join_asof(
        gone, on="t", by="s", allow_exact_matches=False, check_sortedness=False
    ).filter(pl.col("t") - pl.col("at") <= AFTER)
    return found.group_by("s", "d").agg(removed=pl.len())


def timeline(rows: pl.DataFrame) -> Ints:
    """Senders laid end to end on one axis of microseconds, far enough apart not to meet."""
    t = rows["t"].to_numpy()
    if not len(t):
        return np.zeros(0, np.int64)
    span = int(t.max() - t.min()) + PAUSE + 1
    return np.asarray(rows["s"].to_numpy().astype(np.int64) * span + (t - t.min()), np.int64)


def burst(rows: pl.DataFrame) -> pl.Series:
    """Per event: the sender's events in the five minutes that end with it."""
    line = timeline(rows)
    return pl.Series("burst", np.arange(len(line)) - np.searchsorted(line, line - BURST) + 1)


def sessions(rows: pl.DataFrame) -> pl.Series:
    """Per event: 1 when it comes more than half an hour after the sender's last one."""
    line = timeline(rows)
    starts = np.diff(line, prepend=np.int64(-PAUSE - 1)) > PAUSE if len(line) else line > 0
    return pl.Series("session", starts.astype(np.int64))


def pair_counts(
    pairs: dict[str, pl.DataFrame], had: dict[str, Ints], away: Ints
) -> list[pl.DataFrame]:
    """Counts of new, foreign, rare and sensitive things, a frame for each kind of pair.

    ``had`` says of each pair how many peers had the value before. A resource is foreign when
    neither the sender nor a peer ever touched it, and alien when that is true of its folder too;
    ``away`` says how remote each folder is.
    """
    first = pl.col("first")
    types = pairs["k"].group_by("s", "d").agg(new_types=first.sum())
    placed = with_folders(pairs, had, away)
    tables = (
        resource_counts(placed),
        depth_counts(placed),
        kind_counts(pairs["e"]),
        types,
        folder_counts(pairs["c"]),
    )
    return [each.with_columns(pl.exclude("s", "d").cast(pl.Int64)) for each in tables]


def with_folders(pairs: dict[str, pl.DataFrame], had: dict[str, Ints], away: Ints) -> pl.DataFrame:
    """The resource pairs with how many peers ``had`` each, and how its folder stands to them."""
    folders = foreign_folders(pairs["c"], had["c"]).with_columns(pl.Series("away", away))
    return (
        pairs["r"]
        .with_columns(had=pl.Series(had["r"]))
        .join(
            folders,
            on=["s", "d", "folder"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("alien").fill_null(value=False), pl.col("away").fill_null(0))
    )


def depth_counts(placed: pl.DataFrame) -> pl.DataFrame:
    """How deep a day went into remote folders: most things of one, and all beyond a few of each."""
    opened = pl.col("opened")
    return (
        placed.filter(pl.col("away") >= FAR)
        .group_by("s", "d", "folder")
        .agg(opened=pl.len().cast(pl.Int64))
        .group_by("s", "d")
        .agg(remote_one=opened.max(), remote_deep=(opened - FOLLOWED).clip(0).sum())
    )


def resource_counts(placed: pl.DataFrame) -> pl.DataFrame:
    first, p, risky = pl.col("first"), pl.col("p") > 0, pl.col("risky")
    foreign = first & (pl.col("had") <= 0)
    alien, remote = first & pl.col("alien"), pl.col("away") >= FAR
    both = ((pl.col("export") > 0) & (pl.col("share") > 0)).sum().cast(pl.Int64)
    return placed.group_by("s", "d").agg(
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
        remote_sum=pl.col("away").sum() // 100,
        remote_new_sum=pl.col("away").filter(first).sum() // 100,
        remote_share=pl.col("away").sum() // pl.len(),
        alien_risky=risky.filter(alien).sum(),
        alien_export=pl.col("export").filter(alien).sum(),
        alien_share=alien.sum().cast(pl.Int64) * 1000 // pl.len(),
        sensitive_alien=(alien & p).sum(),
        new_risky=risky.filter(first).sum(),
        sensitive_new=(first & p).sum(),
        sensitive_foreign=(foreign & p).sum(),
        sensitive_export=pl.col("export_p").sum(),
    )


def kind_counts(kinds: pl.DataFrame) -> pl.DataFrame:
    first, rare = pl.col("first"), pl.col("own") * RARE < pl.col("own_all")
    return kinds.group_by("s", "d").agg(
        new_kinds=first.sum(),
        rare_kinds=pl.col("n").filter(rare).sum(),
        new_risky_kinds=(first & (pl.col("risky") > 0)).sum(),
        **mixture(),
    )


def folder_counts(folders: pl.DataFrame) -> pl.DataFrame:
    n, first = pl.col("n"), pl.col("first")
    return folders.group_by("s", "d").agg(
        new_containers=first.sum(),
        strange_container_events=n.filter(first).sum(),
        strange_share=n.filter(first).sum() * 1000 // n.sum(),
    )


def foreign_folders(folders: pl.DataFrame, had: Ints) -> pl.DataFrame:
    """``s``, ``d``, ``folder``, ``alien``: the sender hardly ever and no peer visited it."""
    seldom = pl.col("own") * RARE < pl.col("own_all") + RARE
    return folders.select("s", "d", folder="c", alien=seldom & pl.Series(had <= 0))


def mixture() -> dict[str, pl.Expr]:
    """Distance of the day's mix of kinds from the sender's own, in thousandths."""
    n, total = pl.col("n"), pl.col("n").sum()
    expected = (pl.col("own") + 0.5) / (pl.col("own_all") + 1)
    away = (1000 * n * ((n / total).log() - expected.log())).round().cast(pl.Int64).sum()
    spread = (-1000 * n * (n / total).log()).round().cast(pl.Int64).sum()
    return {"divergence": away // total, "g_statistic": away, "kind_entropy": spread // total}
