"""Features kept day by day: what one more day adds, without reading the days before it again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from auditlens.anomalies import relative, resource_days
from auditlens.anomalies.counts import AFTER, PAUSE, with_evening
from auditlens.anomalies.high_days import BASELINE_DAYS
from auditlens.anomalies.hours import hour_cells, presence
from auditlens.anomalies.ledger import Ledger, open_ledger, removed_accounts
from auditlens.anomalies.pairs import week_of
from auditlens.anomalies.past import SENDERS, Past, lines
from auditlens.anomalies.peers import MEMORY_WEEKS
from auditlens.anomalies.resource_days import resource_features
from auditlens.anomalies.sender_days import Comparison, compare, sender_features
from auditlens.anomalies.steps import day_steps
from auditlens.anomalies.tables import resource_table, sender_table
from auditlens.anomalies.windows import WINDOW

__all__ = ["FeatureState", "NewDays"]

SENDER_TAIL = 40
"""Active days of a sender that are kept: a window before each of the last five calendar days,
and five days before the first of them."""

MARKED = ("id", "leaf", "action", "action_group", "metadata")
"""What tells that an event is still the same; the leaf stands for the whole record."""

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class FeatureState:
    """All that the features of later days need of the days up to ``last_day``.

    Whole numbers a sender and value, not events. A state is never changed: ``advance`` gives the
    next one. ``FeatureState()`` is the state before the first day.
    """

    timezone: str = "UTC"
    past: Past = field(default_factory=Past, repr=False)

    @property
    def last_day(self) -> date | None:
        """The last day that is counted, None before the first."""
        return None if self.past.end is None else EPOCH + timedelta(days=self.past.end)

    def advance(self, events: pl.DataFrame, *, circles: pl.DataFrame | None = None) -> NewDays:
        """Count the days of ``events`` (EVENT_SCHEMA, classified) and compute their features.

        The events are those of whole days after ``last_day``, all of them; days and rows in any
        order. The features are bit by bit those that the whole log gives. ``circles`` as in
        ``detect``. Raises UsageError for an event of a day that is counted already: then begin
        anew, from the whole log.
        """
        known = with_sender(events.lazy()).collect()
        ledger = open_ledger(
            known, until=None, timezone=self.timezone, circles=circles, past=self.past
        )
        seen = compare(ledger)
        senders, (resources, types) = sender_features(ledger, seen), resource_features(ledger, seen)
        past = self.past
        if len(ledger.rows):
            past = following(ledger, seen, senders, resources)
            tables = {**seen.week, "types": types, "removals": latest_removals(ledger, known)}
            tables["days"] = added(self.past.tables["days"], day_marks(known.lazy(), self.timezone))
            past = replace(past, tables={**past.tables, **tables})
        return NewDays(
            FeatureState(self.timezone, past),
            sender_table(ledger, senders),
            resource_table(ledger, resources),
        )

    def fits(self, events: pl.DataFrame | pl.LazyFrame) -> bool:
        """Whether the days counted have the same events in ``events`` (the whole log) still.

        False when one came late, is gone, or is classified or marked in another way by now.
        """
        marks = day_marks(with_sender(events.lazy()), self.timezone)
        end = -1 if self.past.end is None else self.past.end
        return marks.filter(pl.col("d") <= end).sort("d").equals(self.past.tables["days"])


@dataclass(frozen=True)
class NewDays:
    """The days just counted: the state after them, and their features by sender and resource."""

    state: FeatureState
    sender_days: pl.DataFrame
    resource_days: pl.DataFrame


def with_sender(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.filter(pl.col("sender_id").is_not_null())


def day_marks(events: pl.LazyFrame, timezone: str) -> pl.DataFrame:
    """Per local day, the number of events and the sums of both halves of their hashes."""
    day = pl.col("created_at").dt.convert_time_zone(timezone).dt.date().to_physical()
    return (
        events.select(d=day, mark=pl.struct(MARKED).hash(0))
        .group_by("d")
        .agg(
            events=pl.len().cast(pl.Int64),
            # Halves, because the sum of whole hashes does not fit a number.
            high=(pl.col("mark") // 2**32).cast(pl.Int64).sum(),
            low=(pl.col("mark") % 2**32).cast(pl.Int64).sum(),
        )
        .collect()
    )


def following(
    ledger: Ledger, seen: Comparison, senders: pl.DataFrame, resources: pl.DataFrame
) -> Past:
    """What the ledger's past and its own days leave behind together."""
    old, end = ledger.past.tables, int(ledger.rows["d"].max())  # type: ignore[arg-type]
    tables = {key: added(old[key], first_use(seen.pairs[key], key)) for key in seen.pairs}
    steps = day_steps(ledger)[0].group_by(pl.col("s", "b", "e").cast(pl.Int32))
    tables["steps"] = added(old["steps"], steps.agg(pl.col("n").sum()))
    tables["hours"] = added(old["hours"], hours_present(ledger))
    for key in ("r", "c"):
        touched = f"touched_{key}"
        tables[touched] = added(old[touched], days_touched(seen.pairs[key], key))
    moments = with_evening(ledger)
    tables["evening"] = moments.filter(pl.col("t") >= pl.col("t").max() - PAUSE)
    days = {"sender_days": senders.select("s", "d", *relative.READ, "days_before")}
    days["resource_days"] = resources.select("r", "d", *resource_days.READ, "days_before")
    tables |= {name: pl.concat([old.get(name, new.clear()), new]) for name, new in days.items()}
    names = {"r": ledger.resources, "c": ledger.containers, "e": ledger.kinds, "k": ledger.types}
    past = Past(ledger.start, end, ledger.senders.select(*SENDERS), names, tables)
    return past if past.week == ledger.past.week else shortened(past)


def shortened(past: Past) -> Past:
    """Without what no later day reads. Once a week is often enough: it costs more than a day."""
    assert past.end is not None
    tables, recent = dict(past.tables), pl.col("week") >= (past.end + 3) // 7 - MEMORY_WEEKS
    for name in ("touched_r", "touched_c"):
        tables[name] = tables[name].filter(recent)
    tables["sender_days"] = last_days(tables["sender_days"], SENDER_TAIL)
    since = past.end - 7 - BASELINE_DAYS
    tables["resource_days"] = last_days(tables["resource_days"], WINDOW, since=since)
    return replace(past, tables=tables)


def latest_removals(ledger: Ledger, events: pl.DataFrame) -> pl.DataFrame:
    """Removals that a later day may still have to do with."""
    both = pl.concat([ledger.past.tables["removals"], removed_accounts(events)])
    latest = ledger.rows.select(pl.col("t").max()).item()
    return both.filter(pl.col("t") >= latest - AFTER)


def first_use(pairs: pl.DataFrame, key: str) -> pl.DataFrame:
    return pairs.group_by("s", key).agg(pl.col("n").sum(), since=pl.col("d").min())


def days_touched(pairs: pl.DataFrame, key: str) -> pl.DataFrame:
    week = week_of(pl.col("d")).alias("week")
    return pairs.group_by(week, "s", key).agg(days=pl.len().cast(pl.Int64))


def hours_present(ledger: Ledger) -> pl.DataFrame:
    row, slot, _ = hour_cells(ledger)
    days = presence(ledger.sender_days, row, slot)
    day, place = np.nonzero(days)
    present = pl.DataFrame(
        {
            "s": ledger.sender_days["s"].to_numpy()[day],
            "slot": place.astype(np.int32),
            "quarters": days[day, place],
        }
    )
    return present.group_by("s", "slot").agg(pl.col("quarters").sum())


def added(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Both tables in one: sums of Int64 columns, the earliest ``since``; sorted by the others.

    Neither has the same keys twice. ``old`` is sorted already, so few new rows cost little more
    than a copy.
    """
    sums = [name for name, dtype in old.schema.items() if dtype == pl.Int64]
    keys = [name for name in old.columns if name not in (*sums, "since")]
    new = new.select(old.columns).sort(keys)
    before, now = lines(old, new, keys)
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
        kept |= days["d"].to_numpy()[order] >= since
    return days.select(pl.all().gather(order[kept]))
