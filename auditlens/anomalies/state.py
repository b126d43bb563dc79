"""Features kept day by day: what one more day adds, without reading the days before it again.

The kept state can be saved: one file, whole or absent, used only where it fits the log.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import row_keys
from auditlens.anomalies.baselines import BASELINE_DAYS, WINDOW
from auditlens.anomalies.counts import REMOVED_FOR, SESSION_PAUSE, with_evening
from auditlens.anomalies.encode import (
    SENDER_SCHEMA,
    EncodedEvents,
    History,
    encode_events,
    removed_accounts,
    week_of,
)
from auditlens.anomalies.features import (
    RESOURCE_READ,
    SENDER_READ,
    ComparedDays,
    compare_days,
    resource_features,
    resource_table,
    sender_features,
    sender_table,
)
from auditlens.anomalies.peers import PROFILE_WEEKS
from auditlens.anomalies.surprisal import day_transitions, hour_cells, presence
from auditlens.files import make_folder, put, read

__all__ = ["FeatureState", "NewDays", "add_days", "load_state", "save_state"]

SENDER_TAIL = 40
"""Active days of a sender that are kept: a window before each of the last five calendar days,
and five days before the first of them."""

MARKED_COLUMNS = ("id", "leaf", "action", "action_group", "metadata")
"""What tells that an event is still the same; the leaf stands for the whole record."""

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class FeatureState:
    """All that the features of later days need of the days up to ``last_day``.

    Whole numbers a sender and value, not events. A state is never changed: ``advance`` gives the
    next one. ``FeatureState()`` is the state before the first day.

    Attributes:
        timezone: IANA name of the zone whose days and hours count; default: UTC.
        history: The numbers; default: those of no day.
    """

    timezone: str = "UTC"
    history: History = field(default_factory=History, repr=False)

    @property
    def last_day(self) -> date | None:
        """The last day that is counted, None before the first."""
        return None if self.history.end is None else EPOCH + timedelta(days=self.history.end)

    def advance(self, events: pl.DataFrame, *, circles: pl.DataFrame | None = None) -> NewDays:
        """Count more days and compute their features: bit by bit those that the whole log gives.

        Args:
            events: Event table (EVENT_SCHEMA, classified): all events of whole days after
                ``last_day``; days and rows in any order.
            circles: As in ``detect``.

        Returns:
            The state after these days, and their features.

        Raises:
            UsageError: An event is of a day that is counted already: begin anew, from the whole
                log.
        """
        events = with_sender(events.lazy()).collect()
        encoded = encode_events(
            events, until=None, timezone=self.timezone, circles=circles, history=self.history
        )
        compared = compare_days(encoded)
        senders = sender_features(encoded, compared)
        resources, types = resource_features(encoded, compared)
        history = self.history
        if len(encoded.rows):
            history = next_history(encoded, compared, senders, resources)
            marks = day_marks(events.lazy(), self.timezone)
            tables = {
                **compared.peers.kept,
                "types": types,
                "removals": latest_removals(encoded, events),
                "days": merged_sums(self.history.tables["days"], marks),
            }
            history = replace(history, tables={**history.tables, **tables})
        return NewDays(
            FeatureState(self.timezone, history),
            sender_table(encoded, senders),
            resource_table(encoded, resources),
        )

    def fits(self, events: pl.DataFrame | pl.LazyFrame) -> bool:
        """Whether the days counted still have the same events.

        Args:
            events: The whole log (EVENT_SCHEMA, classified).

        Returns:
            False when one came late, is gone, or is classified or marked in another way by now.
        """
        marks = day_marks(with_sender(events.lazy()), self.timezone)
        end = -1 if self.history.end is None else self.history.end
        return marks.filter(pl.col("day") <= end).sort("day").equals(self.history.tables["days"])


@dataclass(frozen=True)
class NewDays:
    """The days just counted.

    Attributes:
        state: The state after them.
        sender_days: Their features by sender, as ``AnomalyOutcome.sender_days`` without scores.
        resource_days: Their features by resource.
    """

    state: FeatureState
    sender_days: pl.DataFrame
    resource_days: pl.DataFrame


def with_sender(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.filter(pl.col("sender_id").is_not_null())


def day_marks(events: pl.LazyFrame, timezone: str) -> pl.DataFrame:
    """Per local day, the number of events and the sums of both halves of their hashes."""
    day = pl.col("created_at").dt.convert_time_zone(timezone).dt.date().to_physical()
    return (
        events.select(day=day, mark=pl.struct(MARKED_COLUMNS).hash(0))
        .group_by("day")
        .agg(
            events=pl.len().cast(pl.Int64),
            # Halves, because the sum of whole hashes does not fit a number.
            high=(pl.col("mark") // 2**32).cast(pl.Int64).sum(),
            low=(pl.col("mark") % 2**32).cast(pl.Int64).sum(),
        )
        .collect()
    )


def next_history(
    encoded: EncodedEvents, compared: ComparedDays, senders: pl.DataFrame, resources: pl.DataFrame
) -> History:
    """What the history and the days of these events leave behind together."""
    old, end = encoded.history.tables, int(encoded.rows["day"].max())  # type: ignore[arg-type]
    tables = {
        key: merged_sums(old[key], first_uses(pairs, key)) for key, pairs in compared.pairs.items()
    }
    taken, _ = day_transitions(encoded)
    steps = taken.group_by(pl.col("sender", "previous", "kind").cast(pl.Int32))
    tables["steps"] = merged_sums(old["steps"], steps.agg(pl.col("events").sum()))
    tables["hours"] = merged_sums(old["hours"], present_hours(encoded))
    for key in ("resource", "container"):
        touched = f"touched_{key}"
        tables[touched] = merged_sums(old[touched], touched_days(compared.pairs[key], key))
    moments = with_evening(encoded)
    tables["evening"] = moments.filter(pl.col("time") >= pl.col("time").max() - SESSION_PAUSE)
    days = {
        "sender_days": senders.select("sender", "day", *SENDER_READ, "days_before"),
        "resource_days": resources.select("resource", "day", *RESOURCE_READ, "days_before"),
    }
    tables |= {name: pl.concat([old.get(name, new.clear()), new]) for name, new in days.items()}
    names = {
        "resource": encoded.resources,
        "container": encoded.containers,
        "kind": encoded.kinds,
        "type": encoded.types,
    }
    history = History(encoded.start, end, encoded.senders.select(*SENDER_SCHEMA), names, tables)
    return history if history.week == encoded.history.week else pruned(history)


def pruned(history: History) -> History:
    """Without what no later day reads. Once a week is often enough: it costs more than a day."""
    assert history.end is not None
    tables = dict(history.tables)
    recent = pl.col("week") >= week_of(history.end) - PROFILE_WEEKS
    for name in ("touched_resource", "touched_container"):
        tables[name] = tables[name].filter(recent)
    tables["sender_days"] = last_days(tables["sender_days"], SENDER_TAIL)
    since = history.end - 7 - BASELINE_DAYS
    tables["resource_days"] = last_days(tables["resource_days"], WINDOW, since=since)
    return replace(history, tables=tables)


def latest_removals(encoded: EncodedEvents, events: pl.DataFrame) -> pl.DataFrame:
    """Removals that a later day may still have to do with."""
    both = pl.concat([encoded.history.tables["removals"], removed_accounts(events)])
    latest = encoded.rows.select(pl.col("time").max()).item()
    return both.filter(pl.col("time") >= latest - REMOVED_FOR)


def first_uses(pairs: pl.DataFrame, key: str) -> pl.DataFrame:
    return pairs.group_by("sender", key).agg(pl.col("events").sum(), since=pl.col("day").min())


def touched_days(pairs: pl.DataFrame, key: str) -> pl.DataFrame:
    week = week_of(pl.col("day")).alias("week")
    return pairs.group_by(week, "sender", key).agg(days=pl.len().cast(pl.Int64))


def present_hours(encoded: EncodedEvents) -> pl.DataFrame:
    row, slot, _ = hour_cells(encoded)
    days = presence(encoded.sender_days, row, slot)
    day, place = np.nonzero(days)
    present = pl.DataFrame(
        {
            "sender": encoded.sender_days["sender"].to_numpy()[day],
            "slot": place.astype(np.int32),
            "quarters": days[day, place],
        }
    )
    return present.group_by("sender", "slot").agg(pl.col("quarters").sum())


def merged_sums(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Both tables in one: sums of Int64 columns, the earliest ``since``; sorted by the others.

    Neither has the same keys twice. ``old`` is sorted already, so few new rows cost little more
    than a copy.
    """
    sums = [name for name, dtype in old.schema.items() if dtype == pl.Int64]
    keys = [name for name in old.columns if name not in (*sums, "since")]
    new = new.select(old.columns).sort(keys)
    before, now = row_keys(old, new, keys)
    at = np.searchsorted(before, now)
    hit = np.append(before, -1)[at] == now
    columns = {}
    for name in old.columns:
        values, more = old[name].to_numpy().copy(), new[name].to_numpy()
        if name in sums:
            values[at[hit]] += more[hit]
        # What is known already keeps its keys, and was first seen earlier.
        columns[name] = np.insert(values, at[~hit], more[~hit])
    return pl.DataFrame(columns, schema=old.schema)


def last_days(days: pl.DataFrame, number: int, *, since: int | None = None) -> pl.DataFrame:
    """The last ``number`` days of each subject, and every day from ``since`` on; sorted."""
    order = np.argsort(days[:, 0].to_numpy(), kind="stable")
    subjects = days[:, 0].to_numpy()[order]
    kept = np.searchsorted(subjects, subjects, side="right") - np.arange(len(order)) <= number
    if since is not None:
        kept |= days["day"].to_numpy()[order] >= since
    return days.select(pl.all().gather(order[kept]))


FORMAT = 1
FACTS = "state.json"
BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of every part: equal states have equal bytes."""


def add_days(
    path: Path | str,
    events: pl.DataFrame | pl.LazyFrame,
    *,
    before: date,
    timezone: str = "UTC",
    circles: pl.DataFrame | None = None,
) -> NewDays:
    """Bring the state in a file up to a day, and save it.

    Where the file is missing, damaged, of another AuditLens or time zone, or where days it has
    counted have other events by now (late ones, other marks), it begins anew and gives all days. A
    run that is killed leaves the former file.

    Args:
        path: The file.
        events: The whole log (EVENT_SCHEMA, classified; an archive's ``scan()``).
        before: The first day that is not counted.
        timezone: IANA name of the zone whose days and hours count.
        circles: As in ``detect``.

    Returns:
        The state, and the features of the days that were not counted yet.

    Raises:
        UsageError: The file cannot be written.
    """
    state = load_state(path)
    if state is None or state.timezone != timezone or not state.fits(events):
        state = FeatureState(timezone)
    day = pl.col("created_at").dt.convert_time_zone(timezone).dt.date()
    wanted = day < before
    if state.last_day is not None:
        wanted &= day > state.last_day
    new = state.advance(events.lazy().filter(wanted).collect(), circles=circles)
    save_state(new.state, path)
    return new


def save_state(state: FeatureState, path: Path | str) -> None:
    """Write a state whole and durably.

    Args:
        state: What to keep.
        path: The file; its folder is made.

    Raises:
        UsageError: Nothing can be written there.
    """
    history = state.history
    facts = {
        "format": FORMAT,
        "definitions": definitions(),
        "timezone": state.timezone,
        "start": history.start,
        "end": history.end,
    }
    frames = {f"tables/{name}": table for name, table in history.tables.items()}
    frames |= {f"names/{key}": pl.DataFrame({key: values}) for key, values in history.names.items()}
    parts = {FACTS: json.dumps(facts, indent=1).encode(), "senders": ipc_bytes(history.senders)}
    parts |= {name: ipc_bytes(table) for name, table in frames.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in parts.items():
            bundle.writestr(zipfile.ZipInfo(name, BEGINNING), data)
    path = Path(path)
    make_folder(path.parent)
    put(path, stream.getvalue())


def load_state(path: Path | str) -> FeatureState | None:
    """Read a state.

    Args:
        path: The file.

    Returns:
        The state; None where there is none, or one that this AuditLens did not write whole.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(read(Path(path)))) as bundle:
            facts = json.loads(bundle.read(FACTS))
            if (facts["format"], facts["definitions"]) != (FORMAT, definitions()):
                return None
            frames = {
                name: pl.read_ipc(io.BytesIO(bundle.read(name)))
                for name in bundle.namelist()
                if name != FACTS
            }
    except (FileNotFoundError, zipfile.BadZipFile, KeyError, ValueError):
        return None
    tables, names = (
        {name.partition("/")[2]: frame for name, frame in frames.items() if name.startswith(kind)}
        for kind in ("tables/", "names/")
    )
    values = {key: frame[key] for key, frame in names.items()}
    history = History(facts["start"], facts["end"], frames["senders"], values, tables)
    return FeatureState(facts["timezone"], history)


def ipc_bytes(table: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.write_ipc(stream, compression="lz4")
    return stream.getvalue()


def definitions() -> str:
    """SHA-256 (hex) of the code that makes features, and of what computes them."""
    digest = sha256(pl.__version__.encode())
    room = files("auditlens.anomalies")
    for module in sorted(room.iterdir(), key=lambda each: each.name):
        if module.name.endswith(".py"):
            digest.update(module.read_bytes())
    return digest.hexdigest()
