"""Everything in the simulated workspace that an event can be about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.simulator._random import generator, identifiers
from auditlens.simulator.accounts import NOUNS, STAGES, TAGS, TERMS

__all__ = ["Catalog", "build_catalog"]

ASSETS = {"table": 0.6, "dashboard": 0.16, "document": 0.14, "term": 0.1}
TYPES = {"term": "dictionary_term"}
SENSITIVE_SHARE = 0.12
#        at least, and one for so many people
SIDES = {"collection": (8, 10), "integration": (3, 50), "automation": (3, 36),
         "monitor": (5, 12), "api_key": (20, 5), "policy": (3, 60)}  # fmt: skip


@dataclass(frozen=True)
class Catalog:
    """Assets and the smaller things around them, one numbering for all.

    ``things`` has the columns ``id``, ``title``, ``type``, ``container`` (id of the schema,
    dashboard group or folder above it), ``pii``, and ``team`` (owning team, -1: nobody's); a
    draft event names a thing by its row. ``pools`` maps a kind of thing to its rows;
    ``popularity`` weighs the assets (rows 0 to the number of assets).
    """

    things: pl.DataFrame
    pools: dict[str, np.ndarray]
    popularity: np.ndarray
    containers: pl.DataFrame

    @property
    def assets(self) -> int:
        """How many rows of ``things``, from the first, are catalog assets."""
        return len(self.popularity)

    @property
    def team(self) -> np.ndarray:
        """The owning team of each thing."""
        return self.things["team"].to_numpy()

    @property
    def pii(self) -> np.ndarray:
        """Which things hold personal data, marked or not."""
        return self.things["pii"].to_numpy()


def build_catalog(
    seed: int, *, resources: int, teams: tuple[str, ...], users: pl.DataFrame
) -> Catalog:
    """Make the assets of every team, tags, collections, integrations, and a row for each user."""
    rng = generator(seed, "catalog")
    assets, containers = build_assets(rng, resources, teams)
    sides = [build_side(rng, "workspace", ["Simulated workspace"])]
    sides.append(build_side(rng, "tag", list(TAGS)))
    sides.append(build_side(rng, "team", [f"{name} team" for name in teams]))
    for name, (least, people) in SIDES.items():
        count = max(least, users.height // people)
        sides.append(build_side(rng, name, [f"simulated-{name}-{n:02d}" for n in range(count)]))
    members = users.select("id", pl.col("name").alias("title"), pl.lit("user").alias("pool"))
    things = pl.concat([assets, *sides, members], how="diagonal_relaxed").with_columns(
        pl.col("team").fill_null(-1), pl.col("pii").fill_null(value=False)
    )
    pool = things["pool"].to_numpy()
    pools = {str(name): np.flatnonzero(pool == name) for name in np.unique(pool)}
    pools["asset"] = np.arange(resources)
    popularity = rng.permutation(1 / np.arange(3, resources + 3) ** 0.8)
    typed = things.with_columns(pl.col("pool").replace(TYPES).alias("type"))
    return Catalog(typed, pools, popularity / popularity.sum(), containers)


def build_assets(
    rng: np.random.Generator, count: int, teams: tuple[str, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Assets with owning team and container; personal data sits together in few containers."""
    share = rng.dirichlet(np.full(len(teams), 6.0))
    team = np.sort(rng.choice(len(teams), count, p=share))
    pool = rng.choice(list(ASSETS), count, p=list(ASSETS.values()))
    # However small the catalog, there is one asset of each kind.
    pool[: len(ASSETS)] = list(ASSETS)
    per_team = max(2, round(count / len(teams) / 45))
    slot = rng.integers(0, per_team, count)
    container = (team * per_team + slot) * len(ASSETS) + np.searchsorted(sorted(ASSETS), pool)
    total = len(teams) * per_team * len(ASSETS)
    sensitive = rng.random(total) < SENSITIVE_SHARE * 1.6
    pii = sensitive[container] & (rng.random(count) < 0.75) & np.isin(pool, ["table", "dashboard"])
    noun, stage = rng.choice(NOUNS, count), rng.choice(STAGES, count)
    term = rng.choice(TERMS, count)
    titles = [
        f"{a} {c} {n:04d}" if p == "term" else f"{a}_{b}_{n:04d}"
        for n, (a, b, c, p) in enumerate(zip(noun, stage, term, pool, strict=True))
    ]
    ids = identifiers(rng, total)
    assets = pl.DataFrame(
        {
            "id": identifiers(rng, count),
            "title": titles,
            "pool": pool.tolist(),
            "team": team,
            "pii": pii,
            "container": ids.gather(container),
        }
    )
    return assets, build_containers(ids, teams, per_team)


def build_containers(ids: pl.Series, teams: tuple[str, ...], per_team: int) -> pl.DataFrame:
    kinds = {"dashboard": "dashboard_group", "document": "collection", "table": "schema"}
    names = sorted(ASSETS)
    rows = [
        (f"{team.lower()}_{slot}", kinds.get(name, "glossary"), place)
        for place, team in enumerate(teams)
        for slot in range(per_team)
        for name in names
    ]
    frame = pl.DataFrame(rows, schema=["title", "type", "team"], orient="row")
    return frame.with_columns(ids.alias("id"))


def build_side(rng: np.random.Generator, pool: str, titles: list[str]) -> pl.DataFrame:
    ids = identifiers(rng, len(titles))
    return pl.DataFrame({"id": ids, "title": titles, "pool": [pool] * len(titles)})
