"""A directory in memory, and an archive to seal it in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from auditlens.archive import Archive
from auditlens.pages import Listing

START = datetime(2026, 10, 1, tzinfo=UTC)


def records(rows):
    return tuple(json.dumps(row).encode() for row in rows)


@dataclass
class Rooms:
    """A directory whose listings can change; a listing set to None does not come."""

    name: str = "workspace-one"
    rows: dict = field(default_factory=dict)

    def listings(self):
        found = []
        for name in ("users", "groups", "teams", "tags", "resources"):
            rows = self.rows.get(name, [])
            problem = "closed (403)" if rows is None else ""
            found.append(Listing(name, f"/{name}", records(rows or []), None, problem))
        return tuple(found)


@pytest.fixture
def rooms() -> Rooms:
    return Rooms(
        rows={
            "users": [
                {"id": "u-1", "role": "Admin", "disabled": "False", "last_login": "None",
                 "user_groups": ["g-1"]},
                {"id": "u-2", "role": "viewer", "disabled": True,
                 "last_login": "2026-09-01T08:00:00Z", "user_groups": [{"id": "g-1"}]},
            ],
            "groups": [{"id": "g-1", "name": "stewards", "users": ["u-1", "u-2"]}],
            "tags": [{"id": "t-1", "name": "finance"}],
            "resources": [
                {"id": "r-1", "pii": True, "tags": ["t-1"], "parent_id": "c-1", "owners": ["u-1"]},
                {"id": "r-2", "pii": "False", "tags": [{"id": "t-9", "name": "gone"}]},
            ],
        }
    )  # fmt: skip


@pytest.fixture
def archive(tmp_path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def pull(archive, rooms):
    """Pull ``rooms`` on a day of October 2026, counted from its first."""
    return lambda day: archive.pull_directory(rooms, now=lambda: START + timedelta(days=day))[0]
