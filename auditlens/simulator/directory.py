"""What the workspace's other endpoints show: users, groups, teams, tags, catalog resources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from auditlens.simulator._random import generator, identifiers
from auditlens.simulator.accounts import JOBS
from auditlens.simulator.context import Context

__all__ = ["Directory", "build_directory"]


@dataclass(frozen=True)
class Directory:
    """Frames of the public endpoints, their columns named as the vendor's fields.

    ``users``: ``id``, ``first_name``, ``last_name``, ``email``, ``role``, ``pending``,
    ``disabled``, ``last_login``, ``is_service_account``, ``user_groups`` (List). ``groups``:
    ``id``, ``name``, ``description``, ``users`` (List). ``teams``: ``id``, ``name``, ``type``,
    ``archived``. ``tags``: ``id``, ``name``. ``resources``: ``id``, ``title``, ``entity_type``,
    ``parent_id``, ``pii``, ``verified``, ``published``, ``archived``, ``owners`` (List),
    ``teams`` (List). Users and groups say *None* and *False* in words, as the vendor's samples do.
    """

    users: pl.DataFrame
    groups: pl.DataFrame
    teams: pl.DataFrame
    tags: pl.DataFrame
    resources: pl.DataFrame


def build_directory(context: Context, events: pl.DataFrame, *, marks: bool) -> Directory:
    """The workspace as it stands when the log ends."""
    rng = generator(context.seed, "directory")
    things = context.catalog.things
    groups, member_of = build_groups(context, rng)
    teams = things.filter(pl.col("pool") == "team").select(
        "id", pl.col("title").str.strip_suffix(" team").alias("name"),
        pl.Series("type", ["CLOSED" if n % 4 == 0 else "OPEN" for n in range(context.teams)]),
        pl.lit("simulated team").alias("description"),
        pl.lit(value=False).alias("archived"),
    )  # fmt: skip
    tags = things.filter(pl.col("pool") == "tag").select("id", pl.col("title").alias("name"))
    return Directory(
        users=build_users(context, events, member_of),
        groups=groups,
        teams=teams,
        tags=tags,
        resources=build_resources(context, rng, teams["id"].to_list(), marks=marks),
    )


def build_users(context: Context, events: pl.DataFrame, groups: pl.Series) -> pl.DataFrame:
    accounts, calendar = context.accounts, context.calendar
    everyone = accounts.people + accounts.services
    logins = events.filter(pl.col("event") == "user_logged_in")
    last = logins.group_by("sender_id").agg(pl.col("created_at").max().alias("last_login"))
    stamp = pl.col("last_login").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").fill_null("None")
    members = accounts.senders.head(everyone).select("id", "first_name", "last_name", "email")
    gone = np.r_[calendar.left < calendar.days, np.zeros(accounts.services, dtype=bool)]
    roles = [accounts.role(person) for person in range(accounts.people)] + [
        "editor"
    ] * accounts.services
    return (
        members.join(last, left_on="id", right_on="sender_id", how="left", maintain_order="left")
        .with_columns(
            stamp.alias("last_login"),
            pl.Series("role", roles),
            pl.lit("False").alias("pending"),
            pl.Series("disabled", gone),
            pl.Series("is_service_account", np.arange(everyone) >= accounts.people),
            groups.alias("user_groups"),
        )
    )  # fmt: skip


def build_groups(context: Context, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.Series]:
    """One group a job; the second value is each account's list of group ids."""
    accounts = context.accounts
    ids = identifiers(rng, len(JOBS) + 1)
    users = accounts.senders["id"].to_list()
    place = [*accounts.job.tolist(), *[len(JOBS)] * accounts.services]
    members: list[list[str]] = [[] for _ in ids]
    for person, group in enumerate(place):
        members[group].append(users[person])
    names = [*(f"{job}s" for job in JOBS), "service accounts"]
    groups = pl.DataFrame(
        {"id": ids, "name": names, "users": members},
        schema_overrides={"users": pl.List(pl.String)},
    ).with_columns(pl.lit("simulated group").alias("description"))
    return groups, pl.Series([[ids[group]] for group in place], dtype=pl.List(pl.String))


def build_resources(
    context: Context, rng: np.random.Generator, teams: list[str], *, marks: bool
) -> pl.DataFrame:
    """Assets, then the containers above them."""
    accounts, catalog = context.accounts, context.catalog
    count = catalog.assets
    team = catalog.team[:count]
    users = accounts.senders["id"].to_list()
    steward = {place: np.flatnonzero(accounts.team == place) for place in range(context.teams)}
    owned = rng.random(count) < 0.7
    owners = [
        [users[int(rng.choice(steward[place]))]] if has and len(steward[place]) else []
        for place, has in zip(team.tolist(), owned.tolist(), strict=True)
    ]
    lists = {"owners": pl.List(pl.String), "teams": pl.List(pl.String)}
    pii = catalog.pii[:count] if marks else np.zeros(count, dtype=bool)
    assets = catalog.things.head(count).select(
        "id", "title", pl.col("type").alias("entity_type"), pl.col("container").alias("parent_id")
    ).with_columns(
        pl.Series("pii", pii),
        pl.Series("verified", rng.random(count) < 0.25),
        pl.Series("published", rng.random(count) < 0.8),
        pl.lit(value=False).alias("archived"),
        pl.Series("owners", owners, dtype=lists["owners"]),
        pl.Series("teams", [[teams[place]] for place in team.tolist()], dtype=lists["teams"]),
    )  # fmt: skip
    above = catalog.containers.select(
        "id", "title", pl.col("type").alias("entity_type"),
        pl.Series("teams", [[teams[place]] for place in catalog.containers["team"].to_list()]),
    )  # fmt: skip
    return pl.concat([assets, above], how="diagonal")
