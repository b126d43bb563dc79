"""Inactive accounts: who has not acted for 45 or 90 days, of everyone seen or listed."""

from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl

from auditlens import run_audit
from auditlens.directory import DirectoryHistory
from auditlens.settings import Settings

END = datetime(2026, 7, 1, tzinfo=UTC)


def acts(*last, kind="user"):
    return [
        {"id": f"{who}-{days}", "created_at": END - timedelta(days=days), "event": "tag_updated",
         "sender_id": who, "sender_name": who.title(), "sender_kind": kind}
        for who, days in last
    ]  # fmt: skip


def audit(*rows, directory=None, **settings):
    return run_audit(
        pl.DataFrame(rows), period="2026-06", settings=Settings(**settings),
        now=END + timedelta(days=3), directory=directory,
    )  # fmt: skip


def listed(*users):
    raw = tuple(msgspec.json.encode(user) for user in users)
    at = END - timedelta(days=2)
    return DirectoryHistory().with_pull(at, "00", {"users": raw})


def test_inactive_accounts_are_those_of_the_whole_record():
    """Also who was last seen before the history of the audit; machines are no accounts."""
    rows = acts(("ann", 400), ("ann", 300), ("bob", 45), ("cid", 44), ("dan", 100), ("dan", 3))
    found = audit(*rows, *acts(("monitor", 200), kind="monitor"), history_days=30)
    columns = ["sender_id", "label", "days", "over"]
    assert found.inactive_accounts.select(columns).rows() == [
        ("ann", "Ann", 300, 90), ("bob", "Bob", 45, 45),
    ]  # fmt: skip
    assert found.accounts.height == 4


def test_the_directory_adds_who_never_acted_and_the_role_and_takes_out_who_is_disabled():
    """A last login is activity too."""
    directory = listed(
        {"id": "ann", "role": "Admin"},
        {"id": "eve", "email": "eve@example.org", "role": "viewer"},
        {"id": "bob", "disabled": True},
        {"id": "cid", "last_login": (END - timedelta(days=5)).isoformat()},
        {"id": "robot", "is_service_account": True},
    )
    found = audit(*acts(("ann", 60), ("bob", 60), ("cid", 60)), directory=directory)
    shown = found.inactive_accounts.select("sender_id", "label", "days", "role")
    assert shown.rows() == [("eve", "eve@example.org", None, "viewer"), ("ann", "Ann", 60, "admin")]
