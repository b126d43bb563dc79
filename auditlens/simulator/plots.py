"""What an incident is: its place in the simulation, and how its events are drafted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from auditlens.simulator.draft import draft
from auditlens.simulator.scene import Scene
from auditlens.simulator.vocabulary import kind

__all__ = ["Plot", "Stage", "Story"]


@dataclass(frozen=True)
class Plot:
    """One planted incident: ``number`` from 0, its ``kind``, who or what it is about, and when.

    ``sender`` is a row of the cast (-1: several), ``resource`` a row of the catalog's things (-1:
    none in particular), ``day`` the first day, ``days`` how many it may take.
    """

    number: int
    kind: str
    subject_kind: str
    sender: int
    resource: int
    day: int
    days: int

    @property
    def name(self) -> str:
        """The incident's id in labels."""
        return f"I-{self.number + 1:04d}"


@dataclass(frozen=True)
class Stage:
    """A scene with one plot on it: drafts that plot's events."""

    scene: Scene
    plot: Plot
    rng: np.random.Generator

    def act(  # noqa: PLR0913
        self,
        token: str,
        resource: Any,
        *,
        hour: float,
        minutes: float,
        day: int = 0,
        sender: int | None = None,
        entity: Any = -1,
        extra: str | Sequence[str] | None = None,
        api: bool = False,
    ) -> pl.DataFrame:
        """One event for each resource, from ``hour`` of the plot's day + ``day`` on."""
        who = self.plot.sender if sender is None else sender
        things = np.atleast_1d(resource)
        last = self.scene.presence.days - 1
        at = self.scene.moments(
            self.rng, who, min(self.plot.day + day, last), hour=hour, minutes=minutes,
            count=len(things),
        )  # fmt: skip
        return draft(
            at, who, kind(token), things,
            entity=entity, extra=extra, api=api, incident=self.plot.number,
        )  # fmt: skip

    def size(self, events: int) -> int:
        """Events at the scene's strength, varied by a fifth."""
        return self.scene.size(round(events * self.rng.uniform(0.8, 1.2)))

    def at_work(self) -> list[int]:
        """Days, counted from the plot's first, on which the sender works; at least the first."""
        presence = self.scene.presence
        days = range(self.plot.day, min(self.plot.day + self.plot.days, presence.days))
        if self.plot.sender >= self.scene.cast.people:
            return [day - self.plot.day for day in days]
        there = presence.present[self.plot.sender]
        return [day - self.plot.day for day in days if there[day]] or [0]

    def able(self, people: np.ndarray) -> np.ndarray:
        """Those of the people who are at work on the plot's first day, or all if none is."""
        there = people[self.scene.presence.present[people, self.plot.day]]
        return there if len(there) else people

    def hour(self) -> float:
        """An hour at which the plot's sender usually works."""
        return self.scene.office_hour(self.rng, self.plot.sender)

    def foreign(self, count: int, *, pii: bool | None = None) -> np.ndarray:
        """Distinct tables of a team that is not the sender's."""
        team = self.scene.foreign_team(self.rng, self.plot.sender)
        return self.scene.tables(self.rng, count, team=team, pii=pii)

    def user(self, person: int) -> int:
        """The thing that stands for a person."""
        return int(self.scene.catalog.pools["user"][person])

    def others(self, count: int) -> np.ndarray:
        """Things of other people, drawn at random."""
        users = self.scene.catalog.pools["user"][: self.scene.cast.people]
        others = users[users != self.user(max(self.plot.sender, 0))]
        pool = others if len(others) else users
        return self.rng.choice(pool, count, replace=count > len(pool))


Story = Callable[[Stage], list[pl.DataFrame]]
