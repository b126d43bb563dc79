"""Coverage: what was pulled or read, what is missing, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.text import cell_table, cell_text, count, visible

__all__ = [
    "OUTCOMES",
    "Coverage",
    "Pull",
    "Quarantined",
    "misdated_note",
    "misdated_of",
    "unread_id",
]

OUTCOMES = ("complete", "incomplete", "unprovable", "saturated")
"""Proven complete; short of the server's count; no proof to be had; count at its ceiling."""


MISDATED_SHOWN = 100
"""How many events that do not belong to their date are listed; the count is of all."""


@dataclass(frozen=True)
class Quarantined:
    """A record that could not be read.

    Attributes:
        source: The file it stands in, or that of the evidence.
        line: Its place there, from 1.
        reason: Why it could not be read.
        excerpt: Its first characters.
        id: ``U-`` and 16 hexadecimal digits, the same in every run; by it a person acknowledges the
            record. Default: of place and start, where the record's own hash is not known.
    """

    source: str
    line: int
    reason: str
    excerpt: str
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            place = sha256_hex(f"{self.source}\n{self.line}\n{self.excerpt}")
            object.__setattr__(self, "id", unread_id(place))


def unread_id(digest: str) -> str:
    """The id of a record that could not be read.

    Args:
        digest: SHA-256 (hex) of the record, or of its place and start.

    Returns:
        ``U-`` and its first 16 digits.
    """
    return f"U-{digest[:16]}"


@dataclass(frozen=True)
class Misdated:
    """An event that does not belong to its date; it is kept, and in no period.

    Attributes:
        id: The event's id.
        created_at: The date it bears, in UTC: before 1970, or more than a day after it was pulled.
        source: Where it came from.
    """

    id: str
    created_at: datetime
    source: str = ""


def misdated_of(events: pl.DataFrame, source: str) -> tuple[Misdated, ...]:
    """The events that a coverage lists as those of no believable date.

    Args:
        events: Those events, with ``id`` and ``created_at``.
        source: Where they came from.

    Returns:
        The first 100, by ``created_at`` and ``id``.
    """
    first = events.sort("created_at", "id").head(MISDATED_SHOWN).select("id", "created_at")
    return tuple(Misdated(name, at, source) for name, at in first.iter_rows())


def misdated_note(misdated: int) -> str:
    """What a statement says of events that do not belong to their date.

    Args:
        misdated: How many there are.

    Returns:
        A sentence after a blank, to be added to others; empty for none.
    """
    if not misdated:
        return ""
    events = count(misdated, "event")
    return f" {events} dated before 1970 or after the sync; stored, but not part of any period."


@dataclass(frozen=True)
class Pull:
    """One run of a sync.

    Attributes:
        at: When its outcome was sealed, in UTC.
        endpoint: Generation that was asked: ``legacy`` or ``current``.
        new: Records it stored.
        seen: Records it met that were held before.
        server_count: The server's own total; None when it gave none.
        outcome: One of OUTCOMES.
        missing: Events known to be missing; None when not known.
    """

    at: datetime
    endpoint: str
    new: int
    seen: int
    server_count: int | None
    outcome: str
    missing: int | None = None


SHARES = (
    (("profile", "specific"), "named by their kind"),
    (("entity",), "by what they were done to"),
    (("content",), "by the source's own words"),
    (("generic",), "by their verb only"),
    (("unknown",), "not at all"),
)
"""How the acts of a period were told apart, in words."""


GAPS_SHOWN = 5
"""How many gaps the printed text lists; ``gaps`` holds them all."""


@dataclass(frozen=True)
class Coverage:
    """The completeness statement of one audit.

    ``print`` shows it as text, a notebook as a table. Lists are capped; the counts beside them
    are true.

    Attributes:
        outcome: One of OUTCOMES.
        statement: The outcome in a sentence.
        source: What was read: an address, a file, or ``frame``.
        missing: How many events the server counted and did not hand over; None when not known.
        first_at: First event held that belongs to its date, in UTC.
        last_at: Last event held that belongs to its date, in UTC.
        events_held: Events held, of any date.
        events_in_period: Events of the period.
        unclassified: Events of the period without an action.
        bases: Events of the period by ``action_basis``.
        verb_only: Kinds known by their verb alone or not at all with their counts, most first.
        verb_only_kinds: How many such kinds there are.
        quarantined: Records that could not be read.
        quarantined_count: How many there are.
        acknowledged_count: How many of those a person acknowledged.
        misdated: Events held that do not belong to their date.
        misdated_count: How many there are.
        duplicates: Records that came more than once.
        changed_ids: Ids that came with more than one content.
        changed_count: How many there are.
        late: Events of the period that came after a pull had proven their time complete.
        gaps: Pairs of first and last day: of an archive, days that no sync vouches for; of files,
            days without an event between two with.
        pulls: The runs of a sync that brought the period.
        head: The archive's head hash.
        input_digest: SHA-256 (hex) over the sorted ``id`` and ``leaf`` of every event used.
    """

    outcome: str
    statement: str
    source: str = ""
    missing: int | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    events_held: int = 0
    events_in_period: int = 0
    unclassified: int = 0
    bases: Mapping[str, int] = field(default_factory=dict)
    verb_only: tuple[tuple[str, int], ...] = ()
    verb_only_kinds: int = 0
    quarantined: tuple[Quarantined, ...] = ()
    quarantined_count: int = 0
    acknowledged_count: int = 0
    misdated: tuple[Misdated, ...] = ()
    misdated_count: int = 0
    duplicates: int = 0
    changed_ids: tuple[str, ...] = ()
    changed_count: int = 0
    late: int = 0
    gaps: tuple[tuple[date, date], ...] = ()
    pulls: tuple[Pull, ...] = ()
    head: str | None = None
    input_digest: str = ""

    def __str__(self) -> str:
        lines = [f"{name}: {cell_text(value)}" for name, value in self.facts()]
        return "\n".join(visible(line) for line in (f"{self.outcome}: {self.statement}", *lines))

    def _repr_html_(self) -> str:
        return cell_table(f"Coverage: {self.outcome}", [("", self.statement), *self.facts()])

    def facts(self) -> list[tuple[str, object]]:
        """What a reader is told beside the statement, each with its name; no line says nothing."""
        gaps = ", ".join(f"{first} to {last}" for first, last in self.gaps[:GAPS_SHOWN])
        more = f" and {len(self.gaps) - GAPS_SHOWN:,} more" if len(self.gaps) > GAPS_SHOWN else ""
        unseen = "days that no sync covers" if self.head else "days without an event"
        facts = (
            ("source", self.source or None),
            ("events in the period", self.events_in_period),
            ("events held", self.events_held),
            ("first event", self.first_at),
            ("last event", self.last_at),
            ("missing", self.missing),
            (unseen, f"{gaps}{more}" or None),
            ("records not read", self.unread or None),
            ("events of no believable date", self.misdated_count or None),
            ("archive head", self.head),
        )
        return [(name, value) for name, value in facts if value is not None]

    @property
    def unread(self) -> int:
        """How many records could not be read and were not acknowledged by a person."""
        return self.quarantined_count - self.acknowledged_count

    @property
    def classified(self) -> str:
        """How the events of the period were told apart, as a sentence; empty without an event."""
        total = sum(self.bases.values())
        if not total:
            return ""
        counts = [(sum(self.bases.get(one, 0) for one in some), words) for some, words in SHARES]
        said = ", ".join(f"{share(n, total)} {words}" for n, words in counts if n)
        return f"{count(total, 'event')}: {said}."


def share(part: int, whole: int) -> str:
    """A share in percent, whole; what is not nothing is not told as 0, nor a part as all."""
    rounded = round(100 * part / whole)
    if rounded == 0:
        return "under 1 %"
    return "over 99 %" if rounded == 100 and part < whole else f"{rounded} %"
