"""The people and service accounts of the simulated workspace, with their names and habits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.simulator._random import generator, identifiers, pick_share

__all__ = [
    "AUTOMATION",
    "FIRST",
    "JOBS",
    "LAST",
    "MONITOR",
    "NOUNS",
    "SCHEDULER",
    "SERVICES",
    "STAGES",
    "TAGS",
    "TEAMS",
    "TERMS",
    "Accounts",
    "build_accounts",
]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = words(
    "Ada Amir Ana Aoife Bela Bo Carla Chidi Cleo Dana Davi Ebba Eli Emre Esi Femi Finn Gia "
    "Hana Hugo Ida Ines Ivo Jaya Jin Jonas Juno Kai Kira Lars Lena Lior Lucia Mads Mei Milo "
    "Mina Nadia Niko Noor Odile Omar Oona Pia Priya Quinn Rafa Rania Remy Rosa Sami Sara Selin "
    "Tao Tara Thea Tomas Uma Vera Viktor Wren Yael Yuki Zane Zoe"
)
LAST = words(
    "Alder Ash Aspen Bay Beech Birch Bramble Briar Brook Cedar Clover Cove Crane Dale Dell "
    "Dove Elder Elm Fern Field Finch Fjord Ford Glen Grove Hawthorn Hazel Heath Heron Holly "
    "Ivy Jay Juniper Knoll Lake Larch Lark Laurel Linden Maple Marsh Meadow Mill Moor Moss "
    "Myrtle Oak Olive Osier Pine Plover Poplar Quill Reed Ridge Robin Rowan Rush Sage Sedge "
    "Sorrel Spruce Stone Swift Teal Thorn Thyme Vale Willow Wold Wren Yarrow Yew"
)
TEAMS = (
    "Finance",
    "People",
    "Growth",
    "Supply",
    "Platform",
    "Risk",
    "Support",
    "Product",
    "Sales",
    "Logistics",
    "Research",
    "Pricing",
    "Legal",
    "Partners",
    "Quality",
    "Field",
)
NOUNS = words(
    "orders invoices payments refunds customers contracts employees payroll shipments stock "
    "visits sessions campaigns leads tickets surveys returns budgets forecasts devices plans "
    "prices suppliers claims audits routes carriers trials cohorts scores"
)
STAGES = ("raw", "clean", "daily", "weekly", "monthly", "summary", "history", "latest")
TERMS = ("rate", "margin", "churn", "lead time", "net value", "active share", "backlog", "yield")
TAGS = (
    "gold",
    "silver",
    "deprecated",
    "confidential",
    "reviewed",
    "quarterly",
    "external",
    "core",
    "draft",
    "certified",
    "retention-2y",
    "finance",
)
SERVICES = (
    "catalog-sync",
    "lineage-loader",
    "docs-writer",
    "tag-classifier",
    "nightly-export",
    "metric-publisher",
    "owner-sync",
    "quality-probe",
    "schema-watch",
    "term-loader",
)


JOBS = ("analyst", "steward", "engineer", "manager", "admin")
SHARES = (0.46, 0.15, 0.24, 0.12, 0.03)
ROLES = {"steward": "editor", "engineer": "editor", "manager": "editor", "admin": "admin"}
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Singapore", "Asia/Kolkata")
ZONE_SHARES = (0.42, 0.33, 0.15, 0.10)
DOMAIN = "example.org"
VENDOR = "secoda.co"

SCHEDULER, AUTOMATION, MONITOR = 0, 1, 2
"""Places, counted after the last service account, of the three senders that are no accounts."""


@dataclass(frozen=True)
class Accounts:
    """Who can act. Rows of every array and of ``senders`` are: people, services, then machinery.

    ``senders`` has ``id``, ``email``, ``first_name``, ``last_name``, ``name``; the arrays hold one
    value a person: ``job`` (place in JOBS), ``team``, ``later_team`` and ``moves`` (day of a
    transfer, or beyond the last day), ``zone`` (place in ZONES), ``starts`` (hour the local day
    begins), ``pace`` (factor on events), ``curiosity`` (share of events off the beaten path).
    """

    people: int
    services: int
    senders: pl.DataFrame
    job: np.ndarray
    team: np.ndarray
    later_team: np.ndarray
    moves: np.ndarray
    zone: np.ndarray
    starts: np.ndarray
    pace: np.ndarray
    curiosity: np.ndarray

    def with_job(self, *jobs: str) -> np.ndarray:
        """Rows of the people who hold one of these jobs."""
        return np.flatnonzero(np.isin(self.job, [JOBS.index(job) for job in jobs]))

    def machine(self, place: int) -> int:
        """Row of the scheduler, the automation or the monitor sender."""
        return self.people + self.services + place

    def role(self, person: int) -> str:
        """Workspace role of a person: admin, editor or viewer."""
        job = JOBS[self.job[person]]
        return ROLES.get(job, "editor" if person % 3 == 0 else "viewer")


def build_accounts(seed: int, *, people: int, services: int, teams: int, days: int) -> Accounts:
    """Draw everybody; names are made up and every address is on example.org."""
    rng = generator(seed, "cast")
    job = rng.choice(len(JOBS), people, p=SHARES)
    job[: max(1, people // 60)] = JOBS.index("admin")
    team = rng.permutation(np.arange(people) % teams)
    movers = pick_share(rng, people, 0.03)
    moves = np.where(movers, rng.integers(days // 3, max(days, days // 3 + 1), people), days + 1)
    return Accounts(
        people=people,
        services=services,
        senders=sender_rows(rng, people, services),
        job=job,
        team=team,
        later_team=np.where(movers, (team + rng.integers(1, max(2, teams), people)) % teams, team),
        moves=moves,
        zone=rng.choice(len(ZONES), people, p=ZONE_SHARES),
        starts=np.clip(rng.normal(8.8, 0.8, people), 6.5, 11.5),
        pace=np.clip(rng.lognormal(-0.12, 0.5, people), 0.2, 3.5),
        curiosity=np.clip(rng.beta(1.6, 26, people), 0.004, 0.3),
    )


def sender_rows(rng: np.random.Generator, people: int, services: int) -> pl.DataFrame:
    """Identity of everybody who can stand in the log as a sender."""
    chosen = rng.permutation(len(FIRST) * len(LAST))
    names = []
    for n in range(people):
        pair = int(chosen[n % len(chosen)])
        first, last = FIRST[pair % len(FIRST)], LAST[pair // len(FIRST)]
        suffix = f".{n // len(chosen)}" if n >= len(chosen) else ""
        names.append((first, last, f"{first}.{last}{suffix}@{DOMAIN}".lower()))
    for n in range(services):
        service = f"{SERVICES[n % len(SERVICES)]}-{n:02d}"
        names.append((service, "service", f"svc-{service}@{DOMAIN}"))
    machinery: list[tuple[str, str, str | None]] = [
        ("Secoda", "Scheduler", f"scheduler@{VENDOR}"),
        ("Automation", "", None),
        ("Monitor", "", None),
    ]
    frame = pl.DataFrame(
        [*names, *machinery],
        schema=dict.fromkeys(("first_name", "last_name", "email"), pl.String),
        orient="row",
    )
    full = pl.concat_str("first_name", "last_name", separator=" ").str.strip_chars_end()
    return frame.with_columns(full.alias("name"), identifiers(rng, frame.height).alias("id"))
