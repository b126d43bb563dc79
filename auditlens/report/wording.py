"""The sentences a report writes itself: counts with their nouns, days, spans."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = ["capital", "count", "figure", "local", "percent"]


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 event``, ``1,204 events``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def capital(sentence: str) -> str:
    """A sentence with its first letter as a capital, the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def percent(part: float, whole: float) -> float:
    """``part`` of ``whole`` in percent with one decimal; 0 of nothing is 0."""
    return round(100 * part / whole, 1) if whole else 0.0


def figure(value: float | None) -> float | None:
    """A float with four significant decimals at most, so that no noise reaches a digest."""
    return None if value is None else round(float(value), 4)


def local(at: datetime, zone: ZoneInfo) -> str:
    """Wall-clock text of ``at`` in ``zone``: ``2026-10-01 00:00``."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
