"""Which months are due: whole, ended, and left a few days for events that come late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from auditlens.period import Period, zone

__all__ = ["due_at", "ended_months", "first_whole_month"]


def due_at(month: Period, grace_days: int) -> datetime:
    """When the report of ``month`` may be made: midnight in its zone, ``grace_days`` after it."""
    local = zone(month.timezone)
    day = month.end.astimezone(local).date() + timedelta(days=grace_days)
    return datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)


def first_whole_month(first_at: datetime, timezone: str) -> str:
    """The first month a log that begins at ``first_at`` can hold whole, as ``2026-10``.

    A log that begins on the first day of a month is taken to hold that month.
    """
    day = first_at.astimezone(zone(timezone)).date()
    return f"{day if day.day == 1 else following(day):%Y-%m}"


def ended_months(first: str, now: datetime, timezone: str) -> Iterable[Period]:
    """Every month from ``first`` (``2026-10``) to the last that ended by ``now``, in order."""
    day = date.fromisoformat(f"{first}-01")
    while True:
        month = Period.parse(f"{day:%Y-%m}", timezone=timezone)
        if month.end > now:
            return
        yield month
        day = following(day)


def following(day: date) -> date:
    """The first day of the month after ``day``."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
