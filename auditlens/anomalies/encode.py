"""Events as integer codes, and what earlier days left behind in the same codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TypeVar

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Ints
from auditlens.errors import UsageError
from auditlens.events import ACTION_GROUPS

__all__ = [
    "MISSING", "SENDER_SCHEMA", "EncodedEvents", "History", "encode_events", "removed_accounts",
    "week_of",
]  # fmt: skip

MISSING = -1
"""The code of a value the event does not have."""

ENCODED = ("resource", "container", "kind", "type")
"""Columns of codes that stand for values of an event."""

CODE_OF = {"sender": "sender", "peer": "sender", "previous": "kind"} | {
    name: name for name in ENCODED
}
"""Columns of kept tables that hold codes, and what they code."""

SENDER_SCHEMA = {
    "sender_id": pl.String, "name": pl.String, "email": pl.String, "human": pl.Int64,
    "machine": pl.Int64, "events": pl.Int64, "since": pl.Int32,
}  # fmt: skip

HISTORY_COLUMNS = {
    **{name: ("sender", name, "events", "since") for name in ENCODED},
    "steps": ("sender", "previous", "kind", "events"),
    "hours": ("sender", "slot", "quarters"),
    "touched_resource": ("week", "sender", "resource", "days"),
    "touched_container": ("week", "sender", "container", "days"),
    "evening": ("sender", "time", "day", "group"),
    "days": ("day", "events", "high", "low"),
}
INT64_COLUMNS = ("events", "time", "quarters", "days", "high", "low")

Day = TypeVar("Day", pl.Expr, pl.Series, int, Ints)


def week_of(day: Day) -> Day:
    """Number of the Monday-based week of a day number (day 0, 1970-01-01, was a Thursday)."""
    return (day + 3) // 7


def empty_tables() -> dict[str, pl.DataFrame]:
    tables = {
        name: pl.DataFrame(
            schema={each: pl.Int64 if each in INT64_COLUMNS else pl.Int32 for each in columns}
        )
        for name, columns in HISTORY_COLUMNS.items()
    }
    return tables | {"removals": pl.DataFrame(schema={"sender_id": pl.String, "time": pl.Int64})}


@dataclass(frozen=True)
class History:
    """Sums over all days up to ``end``, and the last days of every sender and resource.

    ``start`` and ``end`` are the first and last day of the log (days since 1970; None: no day).
    ``senders`` (SENDER_SCHEMA) has a row a sender; ``names`` holds, by column of ENCODED, the
    sorted values that codes stand for. ``tables`` by name:

    - ``resource``, ``container``, ``kind``, ``type``: how often each sender had each value, and
      since which day;
    - ``steps`` from the ``previous`` kind of event to the next; ``hours`` present;
    - ``touched_resource``, ``touched_container``: days on which they were touched, by week;
    - ``evening``: the events of the last half hour; ``removals`` of accounts;
    - ``days``: how many events each day had, with sums of their hashes;
    - ``sender_days``, ``resource_days``: the last of them;
    - of the week of ``end``: the ``peers``, the ``circles`` they rest on, and the high days that
      are ``usual`` of them, at the ``top`` of everyone's, and of ``types``.
    """

    start: int | None = None
    end: int | None = None
    senders: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SENDER_SCHEMA))
    names: Mapping[str, pl.Series] = field(
        default_factory=lambda: {name: pl.Series(name, [], pl.String) for name in ENCODED}
    )
    tables: Mapping[str, pl.DataFrame] = field(default_factory=empty_tables)

    @property
    def week(self) -> int | None:
        """The number of the week of ``end``."""
        return None if self.end is None else week_of(self.end)

    def recoded(self, senders: pl.Series, names: Mapping[str, pl.Series]) -> History:
        """The same with the codes of longer lists; ``senders`` and ``names`` stay as they are.

        Codes keep their order, so sorted tables stay sorted.
        """
        shorter = {"sender": self.senders["sender_id"], **self.names}
        new_codes = {}
        for key, longer in {"sender": senders, **names}.items():
            if len(longer) != len(shorter[key]):
                place = longer.search_sorted(shorter[key]).to_numpy().astype(np.int32)
                # The last place stands for MISSING, which is -1.
                new_codes[key] = np.r_[place, np.int32(MISSING)]
        return replace(
            self, tables={name: recode(table, new_codes) for name, table in self.tables.items()}
        )


def recode(table: pl.DataFrame, new_codes: Mapping[str, np.ndarray]) -> pl.DataFrame:
    return table.with_columns(
        pl.Series(column, new_codes[coded][table[column].to_numpy()]).cast(table.schema[column])
        for column, coded in CODE_OF.items()
        if column in table.columns and coded in new_codes
    )


CONTAINER_FIELDS = ("container", "container_id", "parent_id", "schema_id", "database_id")
EVENT_COLUMNS = (
    "created_at", "event", "action", "action_group", "sender_id", "sender_email", "sender_name",
    "sender_kind", "resource_id", "resource_type", "entity_type", "entity_id", "metadata",
    "parent_id",
)  # fmt: skip
HUMAN_KINDS = ("user", "unknown")
REMOVED = "member_removed"


@dataclass(frozen=True)
class EncodedEvents:
    """Events as codes, and the values the codes stand for.

    A code is the place of a value in the sorted list of values, so it does not depend on the order
    of the events; MISSING where an event has none.

    Attributes:
        rows: One row an event, sorted by all its columns from ``sender``, ``time`` on. Int32:
            ``sender``, ``day`` (local, since 1970), ``hour`` (local), ``weekend`` (0 or 1),
            ``resource``, ``kind`` (of event), ``group`` (index into ACTION_GROUPS), ``type`` (of
            entity), ``container``, ``sensitive`` and ``on_self`` (0 or 1). Int64: ``time``
            (microseconds since 1970).
        senders: ``sender``, ``sender_id``, ``label``, ``service``, ``system`` and ``since`` (first
            day), by code.
        resources: Ids of resources, by code.
        kinds: Kinds of event, by code.
        containers: Containers, by code.
        types: Types of entity, by code.
        removals: ``sender``, ``time``: when somebody else removed or deactivated an account.
        circles: ``sender``, ``circle``, ``rarity``: the roles and groups of each sender, where a
            directory tells.
        history: What days before the first of these left behind, in the same codes.
    """

    rows: pl.DataFrame
    senders: pl.DataFrame
    resources: pl.Series
    kinds: pl.Series
    containers: pl.Series
    types: pl.Series
    removals: pl.DataFrame
    circles: pl.DataFrame
    history: History = field(default_factory=History)

    @property
    def start(self) -> int:
        """The first day of the log, kept days included; 0 without events."""
        return self.first_day if self.history.start is None else self.history.start

    @property
    def first_day(self) -> int:
        """The first day of these events; 0 without events."""
        first = self.rows["day"].min()
        return first if isinstance(first, int) else 0

    @property
    def kept_week(self) -> Mapping[str, pl.DataFrame]:
        """What is kept of the week of the first day, where earlier days of it were counted.

        Who belongs together may have changed within the week; then nothing of peers is kept.
        """
        history = self.history
        if history.week != week_of(self.first_day):
            return {}
        same = history.tables["circles"].equals(self.circles)
        names = ("top", "types", "peers", "usual") if same else ("top", "types")
        return {name: history.tables[name] for name in names}

    @cached_property
    def sender_days(self) -> pl.DataFrame:
        """One row a sender and active day: ``sender``, ``day``, ``events``, sorted."""
        days = self.rows.group_by("sender", "day").agg(events=pl.len().cast(pl.Int64))
        return days.sort("sender", "day")


def encode_events(
    events: pl.DataFrame,
    *,
    until: datetime | None,
    since: datetime | None = None,
    timezone: str = "UTC",
    circles: pl.DataFrame | None = None,
    history: History | None = None,
) -> EncodedEvents:
    """Code the events that have a sender.

    Args:
        events: Event table (EVENT_SCHEMA, classified), rows in any order.
        until: Events from this moment on are left out; None: none is.
        since: Events before this moment are left out; None: none is.
        timezone: IANA name of the zone whose days and hours count.
        circles: ``sender_id``, ``circle``: the roles and groups of senders, where known.
        history: What earlier days left behind.

    Returns:
        The coded events.

    Raises:
        UsageError: An event is of a day that ``history`` has counted.
    """
    history = history or History()
    inside = pl.col("sender_id").is_not_null()
    if until is not None:
        inside &= pl.col("created_at") < until
    if since is not None:
        inside &= pl.col("created_at") >= since
    events = events.lazy().select(EVENT_COLUMNS).filter(inside).collect()
    values = event_values(events, timezone)
    refuse_counted_days(values["day"], history)
    senders = list_senders(events.with_columns(values["day"]), history.senders)
    names = {
        name: sorted_values(pl.concat([history.names[name], values[name].unique()]))
        for name in ENCODED
    }
    rows = values.select(
        "day",
        "time",
        "hour",
        "weekend",
        sender=code_of("sender_id", senders["sender_id"]),
        group=code_of("group", pl.Series(ACTION_GROUPS)),
        sensitive=pl.col("sensitive").fill_null(value=False).cast(pl.Int32),
        on_self=pl.col("on_self").cast(pl.Int32),
        **{name: code_of(name, listed) for name, listed in names.items()},
    ).sort(
        "sender", "time", "day", "resource", "kind", "group", "type", "container", "sensitive",
        "on_self",
    )  # fmt: skip
    return EncodedEvents(
        rows,
        senders,
        resources=names["resource"],
        kinds=names["kind"],
        containers=names["container"],
        types=names["type"],
        removals=account_removals(events, senders, history.tables["removals"]),
        circles=encode_circles(circles, senders),
        history=history.recoded(senders["sender_id"], names),
    )


def refuse_counted_days(days: pl.Series, history: History) -> None:
    first = days.min()
    if history.end is not None and isinstance(first, int) and first <= history.end:
        day = date(1970, 1, 1) + timedelta(days=first)
        raise UsageError(
            f"An event of {day} came after its day was counted",
            fix="Count the features from the whole log again.",
        )


def event_values(events: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """What an event did, to what, when and where, by name; days and hours in ``timezone``."""
    local = pl.col("created_at").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    values = events.select(
        "sender_id",
        resource=pl.coalesce("resource_id", "entity_id"),
        kind=pl.coalesce("event", "action", pl.lit("unknown")),
        group=pl.col("action_group"),
        type=pl.coalesce("entity_type", "resource_type", pl.lit("unknown")),
        time=pl.col("created_at").dt.timestamp("us"),
        day=local.dt.date().to_physical(),
        hour=local.dt.hour().cast(pl.Int32),
        weekend=(local.dt.weekday() > 5).cast(pl.Int32),
        parent_id=pl.col("parent_id"),
        on_self=pl.any_horizontal(
            (pl.col(side) == pl.col("sender_id")).fill_null(value=False)
            for side in ("resource_id", "entity_id")
        ),
    )
    context = metadata_context(events["metadata"])
    return pl.concat([values, context], how="horizontal").with_columns(
        container=pl.coalesce("container", "parent_id", "type"),
    )


def encode_circles(circles: pl.DataFrame | None, senders: pl.DataFrame) -> pl.DataFrame:
    """``sender``, ``circle`` and how rare it is among all members, sorted."""
    if circles is None:
        return pl.DataFrame(schema={"sender": pl.Int32, "circle": pl.Int32, "rarity": pl.Float64})
    members = circles.select("sender_id", "circle").drop_nulls().unique()
    people = members["sender_id"].n_unique()
    # Of all the directory holds, so that a sender seen for the first time changes nobody's peers.
    rarity = ((people + 1) / (pl.len().over("circle") + 1)).log()
    coded = members.with_columns(
        circle=code_of("circle", sorted_values(members["circle"])), rarity=rarity
    ).join(senders.select("sender", "sender_id"), on="sender_id")
    return coded.select("sender", "circle", "rarity").sort("sender", "circle")


def sorted_values(column: pl.Series) -> pl.Series:
    return column.drop_nulls().unique().sort()


def code_of(column: str, values: pl.Series) -> pl.Expr:
    # strict=False: a group the classifier of a later version knows is MISSING here.
    coded = pl.col(column).cast(pl.Enum(values), strict=False).to_physical()
    return coded.cast(pl.Int32).fill_null(MISSING)


def list_senders(events: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """One row a sender, in the order of its id, with what ``before`` knew of it."""
    human = pl.col("sender_kind").is_null() | pl.col("sender_kind").is_in(HUMAN_KINDS)
    new = events.group_by("sender_id").agg(
        name=pl.col("sender_name").max(),
        email=pl.col("sender_email").max(),
        human=human.sum().cast(pl.Int64),
        machine=(pl.col("sender_kind") == "system").sum().cast(pl.Int64),
        events=pl.len().cast(pl.Int64),
        since=pl.col("day").min(),
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
        .with_row_index("sender")
        .with_columns(pl.col("sender").cast(pl.Int32))
    )


def account_removals(
    events: pl.DataFrame, senders: pl.DataFrame, before: pl.DataFrame
) -> pl.DataFrame:
    """When an account was removed by somebody else: ``sender``, ``time``, sorted by ``time``."""
    return (
        pl.concat([before, removed_accounts(events)])
        .join(senders.select("sender", "sender_id"), on="sender_id")
        .select("sender", "time")
        .sort("time", "sender")
    )


def removed_accounts(events: pl.DataFrame) -> pl.DataFrame:
    """``sender_id`` and ``time`` of every removal by somebody else."""
    gone = (pl.col("action") == REMOVED) & (pl.col("resource_id") != pl.col("sender_id"))
    return events.filter(gone).select(
        sender_id="resource_id", time=pl.col("created_at").dt.timestamp("us")
    )


def metadata_context(metadata: pl.Series) -> pl.DataFrame:
    """Read ``container`` and ``sensitive`` (null when never stated) from JSON text.

    Each distinct text is read once, and only texts that hold the word are parsed: parsing
    every record would cost more than all features together.
    """
    texts = pl.DataFrame({"metadata": metadata.unique().drop_nulls().sort()})
    values = texts.select(
        "metadata",
        container=first_json_value("metadata", CONTAINER_FIELDS),
        pii=first_json_value("metadata", ("pii",)),
    ).with_columns(
        sensitive=pl.when(pl.col("pii").is_not_null()).then(
            pl.col("pii").str.to_lowercase().is_in(["true", "1", "yes"])
        )
    )
    return (
        metadata.to_frame("metadata")
        .join(values, on="metadata", how="left", maintain_order="left")
        .select("container", "sensitive")
    )


def first_json_value(column: str, fields: tuple[str, ...]) -> pl.Expr:
    """The first of ``fields`` present, at the top or under ``resource_metadata``."""
    text = pl.col(column)
    holds = {field: text.str.contains(f'"{field}"', literal=True) for field in fields}
    return pl.coalesce(
        pl.when(holds[field]).then(text).str.json_path_match(path)
        for field in fields
        for path in (f"$.{field}", f"$.resource_metadata.{field}")
    )
