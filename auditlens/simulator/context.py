"""What planted incidents and lookalikes need to know: people, days, assets, moments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from auditlens.simulator.accounts import Accounts
from auditlens.simulator.activity import WorkingSets, team_assets
from auditlens.simulator.calendar import HOUR, MINUTE, Calendar
from auditlens.simulator.catalog import Catalog

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """Everything a planted story needs to know about its surroundings."""

    seed: int
    accounts: Accounts
    catalog: Catalog
    calendar: Calendar
    sets: WorkingSets
    strength: float

    @property
    def teams(self) -> int:
        """How many teams there are."""
        return int(self.accounts.team.max()) + 1

    def on(self, calendar: Calendar) -> Context:
        """The same context with another calendar."""
        return replace(self, calendar=calendar)

    def size(self, events: int) -> int:
        """How many events a part of an incident has at this strength; never none."""
        return max(1, round(events * self.strength))

    def moments(
        self,
        rng: np.random.Generator,
        person: int,
        day: int,
        *,
        hour: float,
        minutes: float,
        count: int,
    ) -> np.ndarray:
        """``count`` instants, in order, from a local hour of a day on, within ``minutes``.

        A service account lives in UTC.
        """
        human = person < self.accounts.people
        midnight = (
            self.calendar.midnight[person, day] if human else self.calendar.start + day * 24 * HOUR
        )
        inside = np.sort(rng.random(count)) * minutes * MINUTE
        return np.asarray(int(midnight) + int(hour * HOUR) + inside.astype(np.int64))

    def office_hour(self, rng: np.random.Generator, person: int) -> float:
        """A local hour at which this person is usually at work."""
        start = self.accounts.starts[person] if person < self.accounts.people else 10.0
        return float(start + rng.uniform(0.5, 6.0))

    def own(self, rng: np.random.Generator, person: int, day: int, count: int) -> np.ndarray:
        """Assets the person works with on that day."""
        return self.sets.pick(rng, np.full(count, person), np.full(count, day))

    def of_team(self, rng: np.random.Generator, team: int, count: int) -> np.ndarray:
        """Assets of one team."""
        return team_assets(rng, self.catalog, np.full(count, team))

    def foreign_team(self, rng: np.random.Generator, person: int) -> int:
        """A team whose assets the person hardly touches."""
        away = int(rng.integers(3, max(4, self.teams - 2)))
        home = int(self.accounts.team[person]) if person < self.accounts.people else person
        return (home + away) % self.teams

    def tables(
        self, rng: np.random.Generator, count: int, *, team: int = -1, pii: bool | None = None
    ) -> np.ndarray:
        """Distinct tables while there are enough, of one team (-1: any), with or without PII."""
        rows = self.catalog.pools["table"]
        fits = np.ones(len(rows), dtype=bool)
        if team >= 0:
            fits &= self.catalog.team[rows] == team
        marked = fits & (self.catalog.pii[rows] == pii) if pii is not None else fits
        for choice in (marked, fits, np.ones(len(rows), dtype=bool)):
            if choice.sum() >= min(count, 3):
                pool = rows[choice]
                break
        else:
            pool = rows
        return rng.choice(pool, count, replace=count > len(pool))
