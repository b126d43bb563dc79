"""Which incidents are planted, on whom and when; their events and their labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from auditlens.errors import UsageError
from auditlens.simulator.plots import Plot, Stage, Story
from auditlens.simulator.presence import Presence
from auditlens.simulator.resource_incidents import RESOURCE_STORIES
from auditlens.simulator.scene import Scene
from auditlens.simulator.seeds import generator
from auditlens.simulator.sender_incidents import SENDER_STORIES

__all__ = [
    "INCIDENT_KINDS",
    "Plot",
    "draft_incidents",
    "label_incidents",
    "plan_incidents",
]

STORIES: dict[str, tuple[Story, int]] = {**SENDER_STORIES, **RESOURCE_STORIES}
INCIDENT_KINDS = tuple(STORIES)
"""Every kind of planted incident, sender kinds first."""

JOBS = {
    "mass_export": ("analyst", "engineer", "manager"),
    "foreign_snooping": ("analyst", "engineer", "manager"),
    "slow_drip": ("analyst", "engineer"),
    "mass_delete": ("engineer", "steward"),
    "privilege_chain": ("analyst", "engineer", "steward"),
    "pii_stripped": ("steward", "engineer"),
    "api_key_bulk": ("engineer", "analyst"),
    "self_approval": ("manager", "steward"),
}
ANY = ("analyst", "steward", "engineer", "manager")
ABSENCE = 36
GONE = 9
LABEL_SCHEMA: dict[str, pl.DataType] = {
    "incident_id": pl.String(),
    "kind": pl.String(),
    "subject_kind": pl.String(),
    "sender_id": pl.String(),
    "resource_id": pl.String(),
    "start": pl.Datetime("us", "UTC"),
    "end": pl.Datetime("us", "UTC"),
    "days": pl.List(pl.Date()),
    "event_ids": pl.List(pl.String()),
}


def plan_incidents(
    scene: Scene, incidents: bool | int | Mapping[str, int], span: tuple[int, int]
) -> tuple[tuple[Plot, ...], Scene]:
    """Cast every incident; return the plots and the scene with the absences they need.

    A sender is the subject of one incident at most. Where no fitting sender is left, or the span
    is shorter than the incident, it is not planted: the labels say what was.
    """
    rng = generator(scene.seed, "plots")
    free = settled(scene, span)
    tables = rng.permutation(scene.catalog.pools["table"])
    plots: list[Plot] = []
    for kind, times in wanted(scene, incidents).items():
        for _ in range(times):
            plot = cast_plot(scene, rng, (kind, len(plots)), free, span)
            if plot is None:
                continue
            if plot.subject_kind == "resource":
                plot = Plot(**{**vars(plot), "resource": int(tables[plot.number % len(tables)])})
            plots.append(plot)
            scene = scene.on(around(scene, plot))
    return tuple(plots), scene


def wanted(scene: Scene, incidents: bool | int | Mapping[str, int]) -> dict[str, int]:
    """Kind to how many; the kinds with the fewest fitting senders come first."""
    scarce = sorted(STORIES, key=lambda kind: (kind not in JOBS, len(JOBS.get(kind, ANY)), kind))
    if isinstance(incidents, Mapping):
        if unknown := sorted(set(incidents) - set(STORIES)):
            raise UsageError(
                f"No kind of incident is called {unknown[0]!r}",
                fix=f"The kinds are {', '.join(STORIES)}",
            )
        return {kind: incidents[kind] for kind in scarce if kind in incidents}
    times = max(1, scene.cast.people // 100) if incidents is True else int(incidents)
    return {kind: times * (2 if kind in RESOURCE_STORIES else 1) for kind in scarce}


def settled(scene: Scene, span: tuple[int, int]) -> np.ndarray:
    """Which senders may get an incident: there long enough before, staying, not moving."""
    presence, cast = scene.presence, scene.cast
    early = presence.joined <= max(0, span[0] - 14)
    stays = (presence.left >= presence.days) & (cast.moves > presence.days)
    return np.asarray(np.r_[early & stays, np.ones(cast.services, dtype=bool)])


def cast_plot(
    scene: Scene, rng: np.random.Generator, what: tuple[str, int], free: np.ndarray,
    span: tuple[int, int],
) -> Plot | None:  # fmt: skip
    """Give one incident its sender and its day; None when there is nobody or no room."""
    kind, number = what
    _, length = STORIES[kind]
    if kind in ("permission_churn", "foreign_crowd"):
        day = working_day(scene, rng, -1, (span[0], span[1] - length))
        return None if day is None else Plot(number, kind, "resource", -1, -1, day, length)
    fitting = candidates(scene, kind)
    fitting = fitting[free[fitting]]
    if not len(fitting):
        return None
    sender = int(rng.choice(fitting))
    earliest = span[0] + (ABSENCE - 14 if kind == "dormant_return" else 0)
    day = working_day(scene, rng, sender, (min(earliest, span[1] - length), span[1] - length))
    if day is None:
        return None
    free[sender] = False
    subject = "resource" if kind in RESOURCE_STORIES else "sender"
    return Plot(number, kind, subject, sender, -1, day, length)


def candidates(scene: Scene, kind: str) -> np.ndarray:
    if kind == "service_misuse":
        return np.arange(scene.cast.people, scene.cast.people + scene.cast.services)
    return scene.cast.with_job(*JOBS.get(kind, ANY))


def working_day(
    scene: Scene, rng: np.random.Generator, sender: int, span: tuple[int, int]
) -> int | None:
    """A weekday in the span, one on which the sender is at work where there is one."""
    days = np.arange(max(0, span[0]), min(span[1] + 1, scene.presence.days))
    if not len(days):
        return None
    weekdays = days[scene.presence.weekday[days] < 5]
    if 0 <= sender < scene.cast.people:
        at_work = weekdays[scene.presence.present[sender, weekdays]]
        weekdays = at_work if len(at_work) else weekdays
    return int(rng.choice(weekdays if len(weekdays) else days))


def around(scene: Scene, plot: Plot) -> Presence:
    """The calendar an incident needs: a silence before a return, nobody after a departure."""
    presence = scene.presence
    if plot.kind == "dormant_return":
        absence = min(ABSENCE, max(1, plot.day - 8))
        return presence.without(plot.sender, plot.day - absence, presence.days)
    if plot.kind == "departing_employee":
        return presence.leaving(plot.sender, plot.day + plot.days - 1)
    if plot.kind == "gone_but_active":
        return presence.leaving(plot.sender, max(0, plot.day - GONE))
    return presence


def draft_incidents(scene: Scene, plots: tuple[Plot, ...]) -> list[pl.DataFrame]:
    """The events of every plot."""
    drafts: list[pl.DataFrame] = []
    for plot in plots:
        story, _ = STORIES[plot.kind]
        rng = generator(scene.seed, f"incident {plot.number} {plot.kind}")
        drafts += story(Stage(scene, plot, rng))
    return drafts


def label_incidents(scene: Scene, plots: tuple[Plot, ...], events: pl.DataFrame) -> pl.DataFrame:
    """One row a planted incident, with the ids and days of its events."""
    subjects = pl.DataFrame(
        {
            "number": [plot.number for plot in plots],
            "incident_id": [plot.name for plot in plots],
            "kind": [plot.kind for plot in plots],
            "subject_kind": [plot.subject_kind for plot in plots],
            "sender": [plot.sender if plot.sender >= 0 else None for plot in plots],
            "resource": [plot.resource if plot.resource >= 0 else None for plot in plots],
        },
        schema_overrides={"number": pl.Int32, "sender": pl.Int32, "resource": pl.Int32},
    )
    happened = events.filter(pl.col("incident").is_not_null()).group_by("incident").agg(
        pl.col("created_at").min().alias("start"),
        pl.col("created_at").max().alias("end"),
        pl.col("created_at").dt.date().unique().sort().alias("days"),
        pl.col("id").alias("event_ids"),
    )  # fmt: skip
    things, senders = scene.catalog.things["id"], scene.cast.senders["id"]
    joined = subjects.join(happened, left_on="number", right_on="incident").sort("number")
    return joined.with_columns(
        senders.gather(joined["sender"]).alias("sender_id"),
        things.gather(joined["resource"]).alias("resource_id"),
    ).select(pl.col(name).cast(dtype) for name, dtype in LABEL_SCHEMA.items())
