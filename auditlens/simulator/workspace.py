"""The simulated workspace: an audit log, who and what it speaks of, and what was planted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from auditlens.errors import UsageError
from auditlens.simulator.activity import build_working_sets, draft_activity
from auditlens.simulator.cast import build_cast
from auditlens.simulator.catalog import build_catalog
from auditlens.simulator.draft import join_drafts
from auditlens.simulator.incidents import Plot, draft_incidents, label_incidents, plan_incidents
from auditlens.simulator.machinery import draft_machinery
from auditlens.simulator.names import TEAMS
from auditlens.simulator.presence import build_presence
from auditlens.simulator.records import legacy_records, to_current
from auditlens.simulator.roster import Directory, build_directory
from auditlens.simulator.scene import Scene
from auditlens.simulator.traps import Trap, draft_traps, label_traps
from auditlens.simulator.wording import word_events

__all__ = ["GENERATIONS", "Workspace", "demo_workspace", "simulate"]

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

    ``events`` has one row an event, oldest first, in columns of the event table, and ``incident``
    (the label's ``incident_id``, null for ordinary events). ``labels`` has one row a planted
    incident: ``incident_id``, ``kind``, ``subject_kind`` (``sender`` or ``resource``),
    ``sender_id``, ``resource_id``, ``start``, ``end`` (Datetime µs UTC), ``days`` (List of Date, in
    UTC), ``event_ids`` (List of String). ``traps`` lists stretches that look odd and mean no harm:
    ``kind``, ``sender_id``, ``start``, ``end``. ``directory`` is what the other endpoints show.
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
        """The exact record bytes of every event, oldest first.

        ``generation`` is ``legacy`` or ``current``; raises UsageError for any other.
        """
        if generation not in GENERATIONS:
            raise UsageError(
                f"No generation of record is called {generation!r}", fix="Use legacy or current"
            )
        legacy = legacy_records(self.events, self.senders)
        return legacy if generation == "legacy" else to_current(legacy)

    def write_ndjson(self, path: Path | str, generation: str = "legacy") -> Path:
        """Write one record a line, oldest first; a name ending in .gz or .zst is compressed."""
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
    traps: bool = True,
    events_per_day: float = PACE,
) -> Workspace:
    """Make up a workspace and ``days`` days of its audit log, ending before ``end``.

    ``seed`` decides everything: the same arguments give the same bytes. ``end`` defaults to
    2026-07-01, not to today; ``services`` to 15 accounts and ``teams`` to 12, fewer among fewer
    people. ``strength``
    scales the events of a planted incident (0.5: half); ``marks=False`` leaves the PII marks out
    of the records. ``incidents``: True plants each kind once per 100 people (resource kinds
    twice), a number that many times, a mapping each kind as often as it says, False none;
    ``incident_days`` bounds the days they take (default: from day 28 to the last).
    ``events_per_day`` is the mean for a person at work. Raises UsageError for impossible sizes.
    """
    services = min(15, max(1, people // 20)) if services is None else services
    teams = min(12, max(1, people // 4)) if teams is None else teams
    check_sizes(people, services, resources, teams, days, strength)
    first = (end or END) - timedelta(days=days)
    names = tuple(f"{TEAMS[n % len(TEAMS)]}{n // len(TEAMS) or ''}" for n in range(teams))
    cast = build_cast(seed, people=people, services=services, teams=teams, days=days)
    accounts = cast.senders.head(people + services)
    catalog = build_catalog(seed, resources=resources, teams=names, users=accounts)
    presence = build_presence(seed, cast, first=first, days=days)
    sets = build_working_sets(seed, cast, catalog, days=days)
    span = incident_days or (min(HISTORY, days // 2), days)
    plots, scene = plan_incidents(
        Scene(seed, cast, catalog, presence, sets, strength), incidents, span
    )
    return play(scene, plots, draft_traps(scene) if traps else [], events_per_day, marks=marks)


def play(
    scene: Scene, plots: tuple[Plot, ...], traps: list[Trap], events_per_day: float, *, marks: bool
) -> Workspace:
    """Let everything happen that the scene, the plots and the traps hold, and write it down."""
    seed, cast, presence = scene.seed, scene.cast, scene.presence
    drafts = [
        *draft_activity(
            seed, cast, presence, scene.sets, scene.catalog, events_per_day=events_per_day
        ),
        *draft_machinery(seed, cast, presence, scene.catalog, pace=events_per_day / PACE),
        *(trap.events for trap in traps),
        *draft_incidents(scene, plots),
    ]
    log = join_drafts(drafts, start=presence.start, end=presence.end)
    events = word_events(seed, log, cast, scene.catalog, marks=marks)
    names = {plot.number: plot.name for plot in plots}
    named = pl.col("incident").replace_strict(names, default=None, return_dtype=pl.String)
    start = datetime(presence.first.year, presence.first.month, presence.first.day, tzinfo=UTC)
    return Workspace(
        seed=seed,
        start=start,
        end=start + timedelta(days=presence.days),
        events=events.with_columns(named),
        labels=label_incidents(scene, plots, events),
        traps=label_traps(scene, traps),
        directory=build_directory(scene, events, marks=marks),
        senders=cast.senders,
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

    Several incidents lie in the last whole month. ``today`` (default: now, UTC) sets the end.
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
