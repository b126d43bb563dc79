"""What was known of the directory at which time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from auditlens.directory.frames import LISTINGS, read_listing
from auditlens.text import cell_table

__all__ = ["Directory", "DirectoryHistory"]


@dataclass(frozen=True, eq=False)
class Directory:
    """The directory as one pull told it.

    A listing that did not come is that of the pull before it, or empty.

    Attributes:
        at: When it was pulled, in UTC.
        digest: The hash (hex) that seals the pull and all before it.
        users: id, email, first_name, last_name, role, pending, disabled, last_login,
            is_service_account, groups (ids).
        groups: id, name, description, users (ids).
        teams: id, name, type, archived.
        tags: id, name, description.
        resources: id, title, entity_type, native_type, parent_id, integration_id, pii, verified,
            published, archived, owners, tags, teams (ids).
        came: Names of the listings that came with this pull.
    """

    at: datetime
    digest: str
    users: pl.DataFrame
    groups: pl.DataFrame
    teams: pl.DataFrame
    tags: pl.DataFrame
    resources: pl.DataFrame
    came: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        held = ", ".join(f"{getattr(self, name).height:,} {name}" for name in LISTINGS)
        return f"Directory({self.at:%Y-%m-%d %H:%M} UTC: {held})"

    def _repr_html_(self) -> str:
        rows = [(name, getattr(self, name).height) for name in LISTINGS]
        return cell_table(
            f"Directory of {self.at:%Y-%m-%d %H:%M} UTC", [*rows, ("seal", self.digest)]
        )

    @property
    def circles(self) -> pl.DataFrame:
        """Who belongs together, by role or group.

        Returns:
            One row an account and circle, sorted: ``sender_id``, ``circle`` (``role …`` or ``group
            …``, with the id of the group).
        """
        by_group = self.groups.select(circle=pl.lit("group ") + pl.col("id"), sender_id="users")
        by_user = self.users.select(sender_id="id", circle="groups").explode("circle")
        by_role = self.users.select(sender_id="id", circle=pl.lit("role ") + pl.col("role"))
        parts = [
            by_group.explode("sender_id").select("sender_id", "circle"),
            by_user.with_columns(circle=pl.lit("group ") + pl.col("circle")),
            by_role,
        ]
        return pl.concat(parts).drop_nulls().unique().sort("sender_id", "circle")


@dataclass(frozen=True, eq=False)
class DirectoryHistory:
    """The pulls of a directory; false when there is none.

    Attributes:
        pulls: One entry a pull, oldest first.
    """

    pulls: tuple[Directory, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pulls)

    def with_pull(
        self, at: datetime, digest: str, listings: Mapping[str, tuple[bytes, ...] | None]
    ) -> DirectoryHistory:
        """This history and one pull more.

        Args:
            at: When it was pulled, in UTC.
            digest: The hash (hex) that seals it.
            listings: Exact bytes of the records of each listing; None for one that did not come.

        Returns:
            A new history; a listing that did not change shares its frame with the pull before.
        """
        frames: dict[str, pl.DataFrame] = {}
        for name in LISTINGS:
            records = listings.get(name)
            before = getattr(self.pulls[-1], name) if self.pulls else read_listing(name, ())
            now = before if records is None else read_listing(name, records)
            # An unchanged listing is held once, however often it was pulled.
            frames[name] = before if now.equals(before) else now
        came = frozenset(name for name in LISTINGS if listings.get(name) is not None)
        return DirectoryHistory((*self.pulls, Directory(at, digest, came=came, **frames)))

    def at(self, moment: datetime) -> Directory | None:
        """The state of the directory at a moment.

        Args:
            moment: An aware time.

        Returns:
            The last pull not later than it; None when there is none.
        """
        return next((one for one in reversed(self.pulls) if one.at <= moment), None)

    def before(self, moment: datetime) -> DirectoryHistory:
        """What an audit of a period may know that ends at a moment.

        Args:
            moment: An aware time.

        Returns:
            The pulls before it.
        """
        return DirectoryHistory(tuple(one for one in self.pulls if one.at < moment))
