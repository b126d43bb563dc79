"""What earlier days left behind: all that the features of later days need of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from auditlens.anomalies.windows import Ints

__all__ = ["NOTHING", "SENDERS", "Past", "carried", "lines", "with_tail"]

NOTHING = -1
"""The code of a value the event does not have."""

CODED = {
    "s": "s", "r": "r", "c": "c", "e": "e", "k": "k", "b": "e", "folder": "c", "type": "k",
    "peer": "s",
}  # fmt: skip
"""Columns that hold codes, and the letter of what they code."""

SENDERS = {
    "sender_id": pl.String, "name": pl.String, "email": pl.String, "human": pl.Int64,
    "machine": pl.Int64, "events": pl.Int64, "since": pl.Int32,
}  # fmt: skip

TABLES = {
    "r": ("s", "r", "n", "since"),
    "c": ("s", "c", "n", "since"),
    "e": ("s", "e", "n", "since"),
    "k": ("s", "k", "n", "since"),
    "steps": ("s", "b", "e", "n"),
    "hours": ("s", "slot", "quarters"),
    "touched_r": ("week", "s", "r", "days"),
    "touched_c": ("week", "s", "c", "days"),
    "evening": ("s", "t", "d", "g"),
    "days": ("d", "events", "high", "low"),
}
WIDE = ("n", "t", "quarters", "days", "events", "high", "low")


def empty_tables() -> dict[str, pl.DataFrame]:
    tables = {
        name: pl.DataFrame(
            schema={each: pl.Int64 if each in WIDE else pl.Int32 for each in columns}
        )
        for name, columns in TABLES.items()
    }
    return tables | {"removals": pl.DataFrame(schema={"sender_id": pl.String, "t": pl.Int64})}


@dataclass(frozen=True)
class Past:
    """Sums over all days up to ``end``, and the last days of every sender and resource.

    ``start`` and ``end`` are the first and last day of the log (days since 1970; None: no day).
    ``senders`` has a row a sender; ``names`` holds, by letter, the sorted values that codes stand
    for. ``tables``: by ``r``, ``c``, ``e``, ``k`` how often each sender had each value and since
    which day; ``steps`` from kind ``b`` to kind ``e``; ``hours`` present; days ``touched`` by
    week; ``evening``, the events of the last half hour; ``removals`` of accounts; how many events
    the ``days`` had, with sums of their hashes; the last ``sender_days``, ``resource_days``; and
    of the week of ``end`` the ``peers``, the ``circles`` they rest on, and the high days that are
    ``usual`` of them, at the ``top`` of everyone's, and of ``types``.
    """

    start: int | None = None
    end: int | None = None
    senders: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SENDERS))
    names: Mapping[str, pl.Series] = field(
        default_factory=lambda: {key: pl.Series(key, [], pl.String) for key in ("r", "c", "e", "k")}
    )
    tables: Mapping[str, pl.DataFrame] = field(default_factory=empty_tables)

    @property
    def week(self) -> int | None:
        """The number of the week of ``end``."""
        return None if self.end is None else (self.end + 3) // 7

    def recoded(self, senders: pl.Series, names: Mapping[str, pl.Series]) -> Past:
        """The same with the codes of longer lists; ``senders`` and ``names`` stay as they are.

        Codes keep their order, so sorted tables stay sorted.
        """
        known = {"s": self.senders["sender_id"], **self.names}
        moved = {}
        for key, longer in {"s": senders, **names}.items():
            if len(longer) != len(known[key]):
                place = longer.search_sorted(known[key]).to_numpy().astype(np.int32)
                # The last place stands for NOTHING, which is -1.
                moved[key] = np.r_[place, np.int32(NOTHING)]
        return replace(
            self, tables={name: recode(table, moved) for name, table in self.tables.items()}
        )


def recode(table: pl.DataFrame, moved: Mapping[str, np.ndarray]) -> pl.DataFrame:
    return table.with_columns(
        pl.Series(column, moved[letter][table[column].to_numpy()]).cast(table.schema[column])
        for column, letter in CODED.items()
        if column in table.columns and letter in moved
    )


def lines(old: pl.DataFrame, new: pl.DataFrame, keys: list[str]) -> tuple[Ints, Ints]:
    """The keys of each table as one number a row, in the order of the keys."""
    found = [np.zeros(len(table), np.int64) for table in (old, new)]
    for key in keys:
        columns = [table[key].to_numpy().astype(np.int64) + 1 for table in (old, new)]
        width = max(int(column.max(initial=0)) for column in columns) + 1
        found = [line * width + column for line, column in zip(found, columns, strict=True)]
    return found[0], found[1]


def carried(group: Ints, count: Ints, wanted: Ints) -> Ints:
    """Per wanted group, the sum of ``count`` over the kept rows of that group."""
    if not len(group) or not len(wanted):
        return np.zeros(len(wanted), np.int64)
    low = min(int(group.min()), int(wanted.min()))
    groups = max(int(group.max()), int(wanted.max())) - low + 1
    if groups <= len(group):
        # Sums of whole numbers are exact in floats, up to 2 ** 53.
        sums = np.bincount(group - low, weights=count, minlength=groups)
        return np.asarray(sums[wanted - low], np.int64)
    if (np.diff(group) < 0).any():
        order = np.argsort(group, kind="stable")
        group, count = group[order], count[order]
    total = np.r_[0, np.cumsum(count)]
    start, end = (np.searchsorted(group, wanted, side=side) for side in ("left", "right"))
    return np.asarray(total[end] - total[start], np.int64)


def with_tail(
    table: pl.DataFrame, tail: pl.DataFrame | None, subject: str, columns: tuple[str, ...]
) -> dict[str, Ints]:
    """The kept days before the new ones, sorted: ``subject``, ``d`` and ``columns`` as arrays.

    ``fresh`` is 1 on the new days; ``days_before`` is 0 there, and true of the kept ones. In
    ``tail`` the days of a subject stand in order, before those of ``table``.
    """
    names = (subject, "d", *columns)
    new = {name: table[name].to_numpy() for name in names}
    new |= {"days_before": np.zeros(len(table), np.int64), "fresh": np.ones(len(table), np.int64)}
    if tail is not None:
        old = {name: tail[name].to_numpy() for name in (*names, "days_before")}
        old["fresh"] = np.zeros(len(tail), np.int64)
        order = np.argsort(np.r_[old[subject], new[subject]], kind="stable")
        new = {name: np.r_[old[name], column][order] for name, column in new.items()}
    return {name: column.astype(np.int64, copy=False) for name, column in new.items()}
