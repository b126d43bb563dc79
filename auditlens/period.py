"""The stretch of time a report is about: half-open, in a stated zone, compared in UTC."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from auditlens.errors import UsageError

__all__ = ["Period", "run_time", "zone"]

MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1970, 9000
FORMS = "Use 2026-10, 2026-10-01..2026-10-31 (both days included) or last"


def zone(name: str) -> ZoneInfo:
    """The time zone of a name.

    Args:
        name: An IANA name.

    Returns:
        The zone.

    Raises:
        UsageError: No zone is called so.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"Unknown time zone {name!r}", fix="Use an IANA name such as UTC or Europe/Paris"
        ) from None


def run_time(now: datetime | None = None) -> datetime:
    """When this run happens.

    Args:
        now: A time given; default: the variable SOURCE_DATE_EPOCH, else the clock in whole seconds.

    Returns:
        The time, in UTC.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    if now is not None:
        return now.astimezone(UTC)
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {epoch!r}", fix="It is whole seconds since 1970-01-01 UTC"
        ) from None


@dataclass(frozen=True)
class Period:
    """A half-open interval ``[start, end)``.

    Attributes:
        start: First moment that belongs to it, in UTC.
        end: First moment after it, in UTC.
        label: The period as written (``2026-10``).
        timezone: IANA name of the zone whose midnights are the edges.
    """

    start: datetime
    end: datetime
    label: str
    timezone: str = "UTC"

    @classmethod
    def parse(cls, text: str, *, timezone: str = "UTC", today: date | None = None) -> Period:
        """Read a period as people write it.

        Args:
            text: ``2026-10``, ``2026-10-01..2026-10-31`` (both days belong to it) or ``last`` (the
                last whole month).
            timezone: IANA name of the zone whose midnights are the edges.
            today: What ``last`` counts from; default: the current day in ``timezone``.

        Raises:
            UsageError: Any other text, an impossible date, an empty span, an unknown zone.
        """
        local = zone(timezone)
        if text == "last":
            today = today or datetime.now(local).date()
            text = f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"
        try:
            first, after = days(text)
            edges = (datetime(d.year, d.month, d.day, tzinfo=local) for d in (first, after))
            start, end = (edge.astimezone(UTC) for edge in edges)
        except (ValueError, OverflowError):
            raise UsageError(f"Invalid period {text!r}", fix=FORMS) from None
        if not FIRST_YEAR <= first.year <= after.year <= LAST_YEAR:
            raise UsageError(
                f"No event belongs to the period {text!r}",
                fix=f"Name days of the years {FIRST_YEAR} to {LAST_YEAR}",
            )
        if after <= first:
            raise UsageError(f"The period {text!r} ends before it starts", fix=FORMS)
        return cls(start, end, text, timezone)

    @property
    def days(self) -> tuple[date, ...]:
        """Every local day of the period, in order."""
        local = zone(self.timezone)
        first = self.start.astimezone(local).date()
        count = (self.end.astimezone(local).date() - first).days
        return tuple(first + timedelta(days=n) for n in range(count))

    def whole_days(self, now: datetime) -> Period:
        """The part of a period whose local days are over.

        Args:
            now: The moment by which they are over, in UTC.

        Returns:
            A period that may have no days.
        """
        if now >= self.end:
            return self
        local = zone(self.timezone)
        today = now.astimezone(local).date()
        midnight = datetime(today.year, today.month, today.day, tzinfo=local).astimezone(UTC)
        return replace(self, end=max(self.start, midnight))

    def __str__(self) -> str:
        return self.label


def days(text: str) -> tuple[date, date]:
    """Return the first day of the written period and the day after its last."""
    if month := MONTH.fullmatch(text):
        first = date(int(month[1]), int(month[2]), 1)
        return first, (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    if span := SPAN.fullmatch(text):
        return date.fromisoformat(span[1]), date.fromisoformat(span[2]) + timedelta(days=1)
    raise ValueError(text)
