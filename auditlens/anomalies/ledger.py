"""The event table as whole numbers: one coded row an event, the input of every feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl

from auditlens.actions import ACTION_GROUPS
from auditlens.anomalies.past import NOTHING, Past
from auditlens.errors import UsageError

__all__ = ["NOTHING", "Ledger", "open_ledger", "removed_accounts"]

CONTAINERS = ("container", "container_id", "parent_id", "schema_id", "database_id")
NEEDED = (
    "created_at", "event", "action", "action_group", "sender_id", "sender_email", "sender_name",
    "sender_kind", "resource_id", "resource_type", "entity_type", "entity_id", "metadata",
    "parent_id",
)  # fmt: skip
HUMAN_KINDS = ("user", "unknown")
REMOVED = "member_removed"


@dataclass(frozen=True)
class Ledger:
    """Events as codes, and the names the codes stand for.

    ``rows`` has Int32 columns ``s`` (sender), ``d`` (local day since 1970), ``h`` (local hour),
    ``w`` (weekend: 0 or 1), ``r`` (resource), ``e`` (event kind), ``g`` (index into
    ACTION_GROUPS), ``k`` (entity type), ``c`` (container), ``p`` (sensitive: 0 or 1) and Int64
    ``t`` (microseconds since 1970), sorted by all of them from ``s``, ``t`` on. A code is the
    place of the value in the sorted list of values, so it does not depend on the order of the
    events. ``senders`` has ``s``, ``sender_id``, ``label``, ``service``, ``system`` and ``since``,
    the first day; ``removals`` says by ``s`` and ``t`` when somebody removed or deactivated a
    sender's account; ``circles`` by ``s`` and ``q`` which roles and groups a sender belongs to,
    where a directory tells, with the ``rarity`` of each. ``past`` is what days before the first
    of these left behind, in the same codes.
    """

    rows: pl.DataFrame
    senders: pl.DataFrame
    resources: pl.Series
    kinds: pl.Series
    containers: pl.Series
    types: pl.Series
    sensitivity: bool
    removals: pl.DataFrame
    circles: pl.DataFrame
    past: Past = field(default_factory=Past)

    @property
    def start(self) -> int:
        """The first day of the log, kept days included; 0 without events."""
        return self.first_day if self.past.start is None else self.past.start

    @property
    def first_day(self) -> int:
        """The first day of these events; 0 without events."""
        first = self.rows["d"].min()
        return first if isinstance(first, int) else 0

    @property
    def this_week(self) -> Mapping[str, pl.DataFrame]:
        """What is kept of the week of the first day, where earlier days of it were counted.

        Who belongs together may have changed within the week; then nothing of peers is known.
        """
        past = self.past
        if past.week != (self.first_day + 3) // 7:
            return {}
        same = past.tables["circles"].equals(self.circles)
        names = ("top", "types", "peers", "usual") if same else ("top", "types")
        return {name: past.tables[name] for name in names}

    @cached_property
    def sender_days(self) -> pl.DataFrame:
        """One row a sender and active day: ``s``, ``d``, ``events``, sorted."""
        return self.rows.group_by("s", "d").agg(events=pl.len().cast(pl.Int64)).sort("s", "d")


def open_ledger(
    events: pl.DataFrame,
    *,
    until: datetime | None,
    since: datetime | None = None,
    timezone: str = "UTC",
    circles: pl.DataFrame | None = None,
    past: Past | None = None,
) -> Ledger:
    """Code the events from ``since`` to before ``until`` that have a sender.

    Days and hours are those of ``timezone``. ``circles`` has ``sender_id`` and ``circle``.
    ``past`` is what earlier days left behind; raises UsageError for an event of one of them.
    """
    past = past or Past()
    inside = pl.col("sender_id").is_not_null()
    if until is not None:
        inside &= pl.col("created_at") < until
    if since is not None:
        inside &= pl.col("created_at") >= since
    events = events.lazy().select(NEEDED).filter(inside).collect()
    named = named_values(events, timezone)
    refuse_late(named["d"], past)
    senders = sender_table(events.with_columns(named["d"]), past.senders)
    resources, kinds, containers, types = (
        names(pl.concat([past.names[key], named[column].unique().rename(key)]))
        for key, column in (("r", "resource"), ("e", "kind"), ("c", "container"), ("k", "type"))
    )
    rows = named.select(
        s=codes("sender_id", senders["sender_id"]),
        d="d",
        t="t",
        h="h",
        w="w",
        r=codes("resource", resources),
        e=codes("kind", kinds),
        g=codes("group", pl.Series(ACTION_GROUPS)),
        k=codes("type", types),
        c=codes("container", containers),
        p=pl.col("sensitive").fill_null(value=False).cast(pl.Int32),
        o=pl.col("oneself").cast(pl.Int32),
    ).sort("s", "t", "d", "r", "e", "g", "k", "c", "p", "o")
    sensitivity = bool(named["sensitive"].is_not_null().any())
    gone = removals(events, senders, past.tables["removals"])
    near = coded_circles(circles, senders)
    values = {"r": resources, "c": containers, "e": kinds, "k": types}
    return Ledger(
        rows, senders, resources, kinds, containers, types, sensitivity, gone, near,
        past.recoded(senders["sender_id"], values),
    )  # fmt: skip


def refuse_late(days: pl.Series, past: Past) -> None:
    first = days.min()
    if past.end is not None and isinstance(first, int) and first <= past.end:
        day = date(1970, 1, 1) + timedelta(days=first)
        raise UsageError(
            f"An event of {day} came after its day was counted",
            fix="Count the features from the whole log again.",
        )


def named_values(events: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """What an event did, to what, when and where, by name; days and hours in ``timezone``."""
    local = pl.col("created_at").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    named = events.select(
        "sender_id",
        resource=pl.coalesce("resource_id", "entity_id"),
        kind=pl.coalesce("event", "action", pl.lit("unknown")),
        group=pl.col("action_group"),
        type=pl.coalesce("entity_type", "resource_type", pl.lit("unknown")),
        t=pl.col("created_at").dt.timestamp("us"),
        d=local.dt.date().to_physical(),
        h=local.dt.hour().cast(pl.Int32),
        w=(local.dt.weekday() > 5).cast(pl.Int32),
        parent_id=pl.col("parent_id"),
        oneself=pl.any_horizontal(
            (pl.col(side) == pl.col("sender_id")).fill_null(value=False)
            for side in ("resource_id", "entity_id")
        ),
    )
    context = metadata_context(events["metadata"])
    return pl.concat([named, context], how="horizontal").with_columns(
        container=pl.coalesce("container", "parent_id", "type"),
    )


def coded_circles(circles: pl.DataFrame | None, senders: pl.DataFrame) -> pl.DataFrame:
    """Sender (``s``), circle (``q``) and how rare it is among all members, sorted."""
    if circles is None:
        return pl.DataFrame(schema={"s": pl.Int32, "q": pl.Int32, "rarity": pl.Float64})
    members = circles.select("sender_id", "circle").drop_nulls().unique()
    people = members["sender_id"].n_unique()
    # Of all the directory holds, so that a sender seen for the first time changes nobody's peers.
    rarity = ((people + 1) / (pl.len().over("circle") + 1)).log()
    known = members.with_columns(q=codes("circle", names(members["circle"])), rarity=rarity).join(
        senders.select("s", "sender_id"), on="sender_id"
    )
    return known.select("s", "q", "rarity").sort("s", "q")


def names(column: pl.Series) -> pl.Series:
    return column.drop_nulls().unique().sort()


def codes(column: str, known: pl.Series) -> pl.Expr:
    # strict=False: a group the classifier of a later version knows is "nothing" here.
    coded = pl.col(column).cast(pl.Enum(known), strict=False).to_physical()
    return coded.cast(pl.Int32).fill_null(NOTHING)


def sender_table(events: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """One row a sender, in the order of its id, with what ``before`` knew of it."""
    human = pl.col("sender_kind").is_null() | pl.col("sender_kind").is_in(HUMAN_KINDS)
    new = events.group_by("sender_id").agg(
        name=pl.col("sender_name").max(),
        email=pl.col("sender_email").max(),
        human=human.sum().cast(pl.Int64),
        machine=(pl.col("sender_kind") == "system").sum().cast(pl.Int64),
        events=pl.len().cast(pl.Int64),
        since=pl.col("d").min(),
    )
    total = [pl.col("name", "email").max(), pl.col("human", "machine", "events").sum()]
    return (
        pl.concat([before, new])
        .group_by("sender_id")
        .agg(*total, pl.col("since").min())
        .with_columns(
            label=pl.coalesce("name", "email", "sender_id"),
            # A service account used by hand for an hour stays a service account.
            service=2 * pl.col("human") < pl.col("events"),
            system=pl.col("machine") == pl.col("events"),
        )
        .sort("sender_id")
        .with_row_index("s")
        .with_columns(pl.col("s").cast(pl.Int32))
    )


def removals(events: pl.DataFrame, senders: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """When an account was removed by somebody else: ``s``, ``t``, sorted by ``t``."""
    return (
        pl.concat([before, removed_accounts(events)])
        .join(senders.select("s", "sender_id"), on="sender_id")
        .select("s", "t")
        .sort("t", "s")
    )


def removed_accounts(events: pl.DataFrame) -> pl.DataFrame:
    """``sender_id`` and ``t`` of every removal by somebody else."""
    gone = (pl.col("action") == REMOVED) & (pl.col("resource_id") != pl.col("sender_id"))
    return events.filter(gone).select(
        sender_id="resource_id", t=pl.col("created_at").dt.timestamp("us")
    )


def metadata_context(metadata: pl.Series) -> pl.DataFrame:
    """Read ``container`` and ``sensitive`` (null when never stated) from JSON text.

    Each distinct text is read once, and only texts that hold the word are parsed: parsing
    every record would cost more than all features together.
    """
    texts = pl.DataFrame({"metadata": metadata.unique().drop_nulls().sort()})
    found = texts.select(
        "metadata",
        container=read_first("metadata", CONTAINERS),
        pii=read_first("metadata", ("pii",)),
    ).with_columns(
        sensitive=pl.when(pl.col("pii").is_not_null()).then(
            pl.col("pii").str.to_lowercase().is_in(["true", "1", "yes"])
        )
    )
    return (
        metadata.to_frame("metadata")
        .join(found, on="metadata", how="left", maintain_order="left")
        .select("container", "sensitive")
    )


def read_first(column: str, fields: tuple[str, ...]) -> pl.Expr:
    """The first of ``fields`` present, at the top or under ``resource_metadata``."""
    text = pl.col(column)
    holds = {field: text.str.contains(f'"{field}"', literal=True) for field in fields}
    return pl.coalesce(
        pl.when(holds[field]).then(text).str.json_path_match(path)
        for field in fields
        for path in (f"$.{field}", f"$.resource_metadata.{field}")
    )
