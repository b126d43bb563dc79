"""Days and hours: who is at work when, in their own zone, with all that bends the habit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from auditlens.simulator._random import generator, pick_share
from auditlens.simulator.accounts import ZONES, Accounts

__all__ = ["DAY", "HOUR", "MINUTE", "Calendar", "build_calendar"]

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Calendar:
    """The calendar of the simulation.

    ``present`` is people by days (bool). ``midnight`` is people by days: the UTC microsecond at
    which the person's local day begins, travel included. ``weekday`` is one number a day (Monday
    0). ``joined`` and ``left`` are the first day and the day after the last, a person.
    ``oncall`` and ``travel`` are people by days (bool).
    """

    first: date
    days: int
    present: np.ndarray
    midnight: np.ndarray
    weekday: np.ndarray
    joined: np.ndarray
    left: np.ndarray
    oncall: np.ndarray
    travel: np.ndarray

    @property
    def start(self) -> int:
        """The first instant, in microseconds of UTC."""
        return microsecond(self.first)

    @property
    def end(self) -> int:
        """The instant after the last."""
        return self.start + self.days * DAY

    def without(self, person: int, first: int, after: int) -> Calendar:
        """The same calendar with a person away from day ``first`` up to day ``after``."""
        present = self.present.copy()
        present[person, max(0, first) : after] = False
        return replace(self, present=present)

    def leaving(self, person: int, day: int) -> Calendar:
        """The same calendar with a person gone for good after ``day``."""
        left = self.left.copy()
        left[person] = day + 1
        return replace(self.without(person, day + 1, self.days), left=left)


def microsecond(day: date, zone: str = "UTC") -> int:
    """The instant a local day begins, in microseconds of UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return round((local - EPOCH) / timedelta(microseconds=1))


def build_calendar(seed: int, accounts: Accounts, *, first: date, days: int) -> Calendar:
    """Draw weekends, holidays, vacations, travel, on-call weeks, joiners and leavers."""
    rng = generator(seed, "presence")
    people = accounts.people
    dates = [first + timedelta(days=n) for n in range(days)]
    weekday = np.array([day.weekday() for day in dates])
    joined = np.where(
        pick_share(rng, people, 0.05), rng.integers(min(1, days - 1), days, people), 0
    )
    left = np.where(pick_share(rng, people, 0.04), rng.integers(days // 2, days, people), days)
    left = np.where(left > joined + 20, left, days)
    oncall = oncall_weeks(accounts, weekday)
    travel = stretches(rng, people, days, share=0.10, shortest=3, longest=6)
    off = stretches(rng, people, days, share=0.35, shortest=5, longest=15)
    off |= holidays(rng, accounts.zone, weekday)
    weekend_worker = rng.beta(0.6, 14, people)
    chance = np.where(weekday[None, :] < 5, 0.94, weekend_worker[:, None])
    chance = np.where(oncall, np.maximum(chance, 0.5), chance)
    day = np.arange(days)
    employed = (day >= joined[:, None]) & (day < left[:, None])
    present = (rng.random((people, days)) < chance) & ~off & employed
    return Calendar(
        first, days, present, midnights(rng, accounts.zone, travel, dates), weekday,
        joined, left, oncall, travel,
    )  # fmt: skip


def stretches(
    rng: np.random.Generator, people: int, days: int, *, share: float, shortest: int, longest: int
) -> np.ndarray:
    """People by days: one stretch of days for a share of the people, per 90 days or part."""
    marked = np.zeros((people, days), dtype=bool)
    for _ in range(-(-days // 90)):
        begin = rng.integers(0, days, people)
        length = rng.integers(shortest, longest, people)
        who = rng.random(people) < share
        day = np.arange(days)
        marked |= who[:, None] & (day >= begin[:, None]) & (day < (begin + length)[:, None])
    return marked


def holidays(rng: np.random.Generator, zone: np.ndarray, weekday: np.ndarray) -> np.ndarray:
    """People by days: one public holiday a month in each zone, on a working day."""
    closed = np.zeros((len(ZONES), len(weekday)), dtype=bool)
    working = np.flatnonzero(weekday < 5)
    for place in range(len(ZONES)):
        count = min(len(working), max(1, len(weekday) // 30))
        closed[place, rng.choice(working, count, replace=False)] = True
    return np.asarray(closed[zone])


def oncall_weeks(accounts: Accounts, weekday: np.ndarray) -> np.ndarray:
    """People by days: engineers take turns, one week each."""
    week = np.cumsum(weekday == 0)
    oncall = np.zeros((accounts.people, len(weekday)), dtype=bool)
    engineers = accounts.with_job("engineer")
    turns = max(4, len(engineers) // 6)
    for place, person in enumerate(engineers):
        oncall[person] = week % turns == place % turns
    return oncall


def midnights(
    rng: np.random.Generator, zone: np.ndarray, travel: np.ndarray, dates: list[date]
) -> np.ndarray:
    """People by days: start of the local day; travellers live in another zone."""
    table = np.array([[microsecond(day, name) for day in dates] for name in ZONES])
    abroad = (zone + rng.integers(1, len(ZONES), len(zone))) % len(ZONES)
    return np.where(travel, table[abroad], table[zone])
