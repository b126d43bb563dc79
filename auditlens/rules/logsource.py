"""Log sources: which events a rule is about, decided one event at a time.

Every part a rule's ``logsource`` names must be that of the event; a part the event lacks does not
match a rule that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from auditlens.events import UNKNOWN_GENERATION, Profile, shipped_profiles
from auditlens.rules.dictionary import Rows
from auditlens.text import count

__all__ = ["EVENT_MARKS", "LogSource", "Scope", "log_sources", "origins"]

EVENT_MARKS = frozenset({"content", "resource_title"})
"""By these columns the event table is known."""

NO_PRODUCT = (None, "", "frame")
"""Generations of events whose product nobody named: a frame of the caller's own."""

CATALOG = ("legacy", "current")
"""Both generations of Secoda's own record."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """Sigma's log source. Of a rule, a missing part means any; of an event, none.

    Attributes:
        product: The product that writes the log, such as ``secoda``.
        service: The part of the product.
        category: What kind of log it is.
    """

    product: str | None = None
    service: str | None = None
    category: str | None = None

    def covers(self, other: LogSource) -> bool:
        """Whether a rule about this log source is about another one too.

        Args:
            other: The other log source, such as that of an event.

        Returns:
            True when every part given here is the same there.
        """
        pairs = (
            (self.product, other.product),
            (self.service, other.service),
            (self.category, other.category),
        )
        return all(mine is None or mine == theirs for mine, theirs in pairs)


@dataclass(frozen=True)
class Scope:
    """The events of one log source in a period, and the rules that judged them.

    Attributes:
        product: The product; empty where nobody named it.
        service: The part of the product; empty where nobody named it.
        events: Events of the period.
        rules: Rules that are on and apply.
        off: Rules that apply and are off.
        named: Loaded rules that name this product, whatever their service.
    """

    product: str
    service: str
    events: int
    rules: int
    off: int = 0
    named: int = 0

    @property
    def judged(self) -> bool:
        """Whether a rule looked at these events; no event needs none."""
        return bool(self.rules) or not self.events

    @property
    def statement(self) -> str:
        """What judged these events, in a sentence or two."""
        events = count(self.events, "event")
        name = f"product {self.product}" if self.product else "this log"
        if self.rules:
            return f"{count(self.rules, 'rule')} for {name} evaluated {events}."
        if self.off:
            rules = "the one rule" if self.off == 1 else f"each of the {self.off:,} rules"
            why = f"{rules} for {name} is off"
        elif self.product == UNKNOWN_GENERATION:
            why = "these records are of no known product (name a profile for them)"
        elif self.named and self.service:
            why = f"no rule for {name}, service {self.service}, was loaded"
        else:
            why = f"no rule for {name} was loaded"
        verb = "was" if self.events == 1 else "were"
        return (
            f"not judged by rules: {why}. {events} {verb} read, classified and compared "
            "with their past."
        )


def log_sources(profiles: Iterable[Profile] = ()) -> Mapping[str, LogSource]:
    """The log source of each generation of event.

    Args:
        profiles: Profiles beside the shipped ones; of two with one name, these count.

    Returns:
        Log sources by the value of the column ``generation``.
    """
    by_generation = dict(shipped_sources())
    by_generation.update({one.name: source_of(one) for one in profiles})
    return by_generation


@cache
def shipped_sources() -> Mapping[str, LogSource]:
    by_generation = {one.name: source_of(one) for one in shipped_profiles()}
    return {**by_generation, **dict.fromkeys(CATALOG, by_generation["secoda"])}


def source_of(profile: Profile) -> LogSource:
    return LogSource(profile.product, profile.service or None)


def origins(
    frame: pl.DataFrame, sources: Mapping[str, LogSource] | None = None
) -> tuple[tuple[LogSource | None, Rows | None], ...]:
    """The log sources in a frame, each with its rows.

    Args:
        frame: EVENT_SCHEMA, or any other frame.
        sources: The log source of a generation; any other generation is a product by itself.
            Default: those of the shipped profiles.

    Returns:
        Pairs of a log source and its rows, rising; None in place of the rows means every row. The
        log source None stands for events whose product nobody named, and for a frame that is no
        event table: every rule is about those.
    """
    if not set(frame.columns) >= {*EVENT_MARKS, "generation"}:
        return ((None, None),)
    column = frame.get_column("generation")
    if column.dtype != pl.String or not frame.height:
        return ((None, None),)
    source_of_generation = shipped_sources() if sources is None else sources
    of_value = {
        value: None if value in NO_PRODUCT else source_of_generation.get(value, LogSource(value))
        for value in column.unique().sort().to_list()
    }
    source_rows = dict.fromkeys(of_value.values())
    if len(source_rows) == 1:
        return ((next(iter(source_rows)), None),)
    rows = {source: [v for v, of in of_value.items() if of == source] for source in source_rows}
    return tuple(
        (source, np.flatnonzero(column.is_in(values, nulls_equal=True).to_numpy()))
        for source, values in rows.items()
    )
