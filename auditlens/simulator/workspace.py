"""The simulated workspace: an audit log, who and what it speaks of, and what was planted.

A recording, legacy records from a file or a list, is served as if it were a workspace.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from auditlens.errors import UsageError
from auditlens.simulator.accounts import TEAMS, build_accounts
from auditlens.simulator.activity import build_working_sets, draft_activity
from auditlens.simulator.calendar import build_calendar
from auditlens.simulator.catalog import build_catalog
from auditlens.simulator.context import Context
from auditlens.simulator.directory import Directory, build_directory
from auditlens.simulator.events import join_drafts, word_events
from auditlens.simulator.incidents import (
    IncidentPlan,
    draft_incidents,
    label_incidents,
    plan_incidents,
)
from auditlens.simulator.lookalikes import Lookalike, draft_lookalikes, label_lookalikes
from auditlens.simulator.records import legacy_records, to_current
from auditlens.simulator.service_accounts import draft_service_accounts

__all__ = [
    "GENERATIONS",
    "Recording",
    "Servable",
    "Workspace",
    "demo_workspace",
    "servable",
    "simulate",
]

END = date(2026, 7, 1)
HISTORY = 28
PACE = 38.0
GENERATIONS = ("legacy", "current")
DEMO_INCIDENTS = {
    "mass_export": 1,
    "foreign_snooping": 1,
    "account_takeover": 1,
    "pii_stripped": 1,
    "privilege_chain": 1,
    "mass_delete": 1,
    "dormant_return": 1,
    "permission_churn": 1,
}


@dataclass(frozen=True)
class Workspace:
    """A made-up workspace; nothing in it comes from a real one.

    Attributes:
        seed: It was made of.
        start: First moment of the log.
        end: The moment after the last.
        events: One row an event, oldest first, in columns of the event table, and ``incident``
            (the label's ``incident_id``, null for ordinary events).
        labels: One row a planted incident: ``incident_id``, ``kind``, ``subject_kind`` (``sender``
            or ``resource``), ``sender_id``, ``resource_id``, ``start``, ``end`` (Datetime µs UTC),
            ``days`` (List of Date, in UTC), ``event_ids`` (List of String).
        traps: Stretches that look odd and mean no harm: ``kind``, ``sender_id``, ``start``,
            ``end``.
        directory: What the other endpoints show.
        senders: Everybody who can act: ``id``, ``email``, ``first_name``, ``last_name``, ``name``.
    """

    seed: int
    start: datetime
    end: datetime
    events: pl.DataFrame
    labels: pl.DataFrame
    traps: pl.DataFrame
    directory: Directory
    senders: pl.DataFrame

    @property
    def size(self) -> int:
        """How many events the log has."""
        return self.events.height

    def records(self, generation: str = "legacy") -> list[bytes]:
        """The exact bytes of every record, oldest first.

        Args:
            generation: ``legacy`` or ``current``.

        Returns:
            One entry an event.

        Raises:
            UsageError: Any other generation.
        """
        if generation not in GENERATIONS:
            raise UsageError(
                f"No generation of record is called {generation!r}", fix="Use legacy or current"
            )
        legacy = legacy_records(self.events, self.senders)
        return legacy if generation == "legacy" else to_current(legacy)

    def write_ndjson(self, path: Path | str, generation: str = "legacy") -> Path:
        """Write one record a line, oldest first.

        Args:
            path: The file; a name ending in .gz or .zst is compressed.
            generation: ``legacy`` or ``current``.

        Returns:
            The file.

        Raises:
            UsageError: The file cannot be written, or any other generation.
        """
        target = Path(path)
        lines = b"".join(record + b"\n" for record in self.records(generation))
        if target.suffix == ".gz":
            import gzip

            lines = gzip.compress(lines, mtime=0)
        elif target.suffix == ".zst":
            import zstandard

            lines = zstandard.ZstdCompressor().compress(lines)
        try:
            target.write_bytes(lines)
        except OSError as error:
            raise UsageError(
                f"Cannot write {target}: {error.strerror}", fix="Name a file in a writable folder"
            ) from None
        return target


def simulate(  # noqa: PLR0913
    seed: int = 0,
    *,
    people: int = 300,
    services: int | None = None,
    resources: int = 5000,
    teams: int | None = None,
    days: int = 90,
    end: date | None = None,
    strength: float = 1.0,
    marks: bool = True,
    incidents: bool | int | Mapping[str, int] = True,
    incident_days: tuple[int, int] | None = None,
    again: Sequence[int] = (),
    traps: bool = True,
    events_per_day: float = PACE,
) -> Workspace:
    """Make up a workspace and its audit log; the same arguments give the same bytes.

    Args:
        seed: Decides everything.
        people: How many work there.
        services: Service accounts (default: 15, fewer among fewer than 300 people).
        resources: How many the catalog has.
        teams: Of the people (default: 12, fewer among fewer than 48 people).
        days: Length of the log.
        end: The day after the last (default: 2026-07-01, not today).
        strength: Factor on the events of a planted incident.
        marks: Whether records mark resources with personal data.
        incidents: True plants each kind once per 100 people (resource kinds twice), a number that
            many times, a mapping each kind as often as it says, False none.
        incident_days: First and after the last day they take (default: from day 28 to the last).
        again: Days between an account's incident and its second one, taken in turn; empty: each
            account has one at most.
        traps: Whether lookalikes happen: stretches that look odd and mean no harm.
        events_per_day: Mean for a person at work.

    Returns:
        The workspace.

    Raises:
        UsageError: A size is impossible, or no incident is called so.
    """
    services = min(15, max(1, people // 20)) if services is None else services
    teams = min(12, max(1, people // 4)) if teams is None else teams
    check_sizes(people, services, resources, teams, days, strength)
    first = (end or END) - timedelta(days=days)
    names = tuple(f"{TEAMS[n % len(TEAMS)]}{n // len(TEAMS) or ''}" for n in range(teams))
    accounts = build_accounts(seed, people=people, services=services, teams=teams, days=days)
    members = accounts.senders.head(people + services)
    catalog = build_catalog(seed, resources=resources, teams=names, users=members)
    calendar = build_calendar(seed, accounts, first=first, days=days)
    sets = build_working_sets(seed, accounts, catalog, days=days)
    span = incident_days or (min(HISTORY, days // 2), days)
    plans, context = plan_incidents(
        Context(seed, accounts, catalog, calendar, sets, strength), incidents, span, again
    )
    return play(
        context, plans, draft_lookalikes(context) if traps else [], events_per_day, marks=marks
    )


def play(
    context: Context,
    plans: tuple[IncidentPlan, ...],
    traps: list[Lookalike],
    events_per_day: float,
    *,
    marks: bool,
) -> Workspace:
    """Draft every event of people, services, lookalikes and incidents, and word the log."""
    seed, accounts, calendar = context.seed, context.accounts, context.calendar
    drafts = [
        *draft_activity(
            seed, accounts, calendar, context.sets, context.catalog, events_per_day=events_per_day
        ),
        *draft_service_accounts(
            seed, accounts, calendar, context.catalog, pace=events_per_day / PACE
        ),
        *(lookalike.events for lookalike in traps),
        *draft_incidents(context, plans),
    ]
    log = join_drafts(drafts, start=calendar.start, end=calendar.end)
    events = word_events(seed, log, accounts, context.catalog, marks=marks)
    names = {plan.number: plan.name for plan in plans}
    named = pl.col("incident").replace_strict(names, default=None, return_dtype=pl.String)
    start = datetime(calendar.first.year, calendar.first.month, calendar.first.day, tzinfo=UTC)
    return Workspace(
        seed=seed,
        start=start,
        end=start + timedelta(days=calendar.days),
        events=events.with_columns(named),
        labels=label_incidents(context, plans, events),
        traps=label_lookalikes(context, traps),
        directory=build_directory(context, events, marks=marks),
        senders=accounts.senders,
    )


def check_sizes(
    people: int, services: int, resources: int, teams: int, days: int, strength: float
) -> None:
    wrong = {
        "people": people < 1,
        "services": services < 0,
        "resources": resources < 10,
        "teams": not 1 <= teams <= people,
        "days": not 1 <= days <= 3660,
        "strength": not 0 < strength <= 10,
    }
    for name, bad in wrong.items():
        if bad:
            raise UsageError(
                f"A workspace cannot be simulated with this value of {name}",
                fix="Use people >= 1, services >= 0, resources >= 10, teams from 1 to people, "
                "days from 1 to 3660, strength above 0 and at most 10",
            )


def demo_workspace(seed: int = 0, *, today: date | None = None) -> Workspace:
    """A small workspace for a first look: four whole months and the days of this one so far.

    Args:
        seed: Decides everything; default: 0.
        today: The day after the last; the log ends on the fifth of its month at the latest.
            Default: now, UTC.

    Returns:
        40 people, 3 services and 600 resources; several incidents lie in the last whole month.
    """
    today = today or datetime.now(UTC).date()
    this_month = today.replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    first = last_month
    for _ in range(3):
        first = (first - timedelta(days=1)).replace(day=1)
    end = min(today, this_month + timedelta(days=5))
    begin = (last_month - first).days
    return simulate(
        seed,
        people=40,
        services=3,
        resources=600,
        teams=6,
        days=(end - first).days,
        end=end,
        incidents=DEMO_INCIDENTS,
        incident_days=(begin + 1, (this_month - first).days),
        events_per_day=6.0,
    )


@dataclass(frozen=True)
class Recording:
    """Legacy records, oldest first; it has no directory."""

    legacy: tuple[bytes, ...]
    directory: Directory | None = None

    @property
    def size(self) -> int:
        """How many records there are."""
        return len(self.legacy)

    def records(self, generation: str = "legacy") -> list[bytes]:
        """The records as they are, or said in the current generation."""
        if generation not in GENERATIONS:
            raise UsageError(f"No generation is called {generation!r}", fix="Use legacy or current")
        return list(self.legacy) if generation == "legacy" else to_current(self.legacy)


Servable = Workspace | Recording


def servable(source: Workspace | Recording | Path | str | Sequence[bytes]) -> Servable:
    """What the server can serve: a workspace, legacy records, or an NDJSON file of them.

    A file may end in .gz or .zst. Raises UsageError when it cannot be read.
    """
    if isinstance(source, Workspace | Recording):
        return source
    if isinstance(source, Path | str):
        return Recording(tuple(read_lines(Path(source))))
    return Recording(tuple(source))


def read_lines(path: Path) -> list[bytes]:
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        elif path.suffix == ".zst":
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(raw) as stream:
                raw = stream.read()
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}: {error.strerror or error}",
            fix="Name an NDJSON file of legacy records",
        ) from None
    return [line for line in raw.split(b"\n") if line.strip()]
