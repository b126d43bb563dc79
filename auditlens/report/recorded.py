"""What the source of a log records beside the columns: an outcome, an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from auditlens.events.profile import shipped_profiles
from auditlens.report.wording import percent

__all__ = ["Recorded", "recorded"]

CATALOG = frozenset({"legacy", "current"})


@dataclass(frozen=True)
class Recorded:
    """Whether we know what the source records, and the share of events that have it, in percent.

    An attribute that ``shares`` lacks is one the source is known not to record. An outcome is
    an error code: its share is that of the acts that failed.
    """

    known: bool
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def catalog(self) -> bool:
        """Whether this is the data catalog's own log, whose blind spots are all known."""
        return self.known and not self.shares


def recorded(events: pl.DataFrame) -> Recorded:
    """Read off ``events`` (not yet veiled) what their source records."""
    generations = set(events["generation"].drop_nulls().unique())
    if generations <= CATALOG:
        return Recorded(known=True)
    paths = {one.name: one.records for one in shipped_profiles()}
    if len(generations) != 1 or not paths.get(name := next(iter(generations))):
        return Recorded(known=False)
    record = pl.col("metadata")
    found = events.select(
        pl.coalesce(record.str.json_path_match(f"$.{path}") for path in several)
        .is_not_null()
        .sum()
        .alias(attribute)
        for attribute, several in paths[name].items()
    )
    return Recorded(True, {one: percent(found[one][0], events.height) for one in found.columns})
