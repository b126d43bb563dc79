"""Status and coverage say what is held, what is not, and how that is known."""

import base64
from datetime import UTC, date, datetime, timedelta

import pytest

from auditlens.archive import Archive
from auditlens.errors import SourceError
from auditlens.period import Period

OCTOBER = Period.parse("2026-10")
NOVEMBER = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def at(moment):
    return lambda: moment


def test_period_read_after_its_end_is_complete(archive, make_workspace):
    """A sync after the month that reads the whole listing vouches for every day of it."""
    workspace = make_workspace(300, size=50)
    archive.sync(workspace, now=at(NOVEMBER))
    coverage = archive.coverage(OCTOBER)
    assert (coverage.outcome, coverage.missing, coverage.gaps) == ("complete", 0, ())
    assert (coverage.events_held, coverage.events_in_period) == (300, 300)
    assert (coverage.source, coverage.head) == ("workspace-one", archive.head)


def test_days_after_the_last_sync_are_a_gap(archive, make_workspace):
    """Nobody asked the source after the 20th, so those days are not known to be empty."""
    archive.sync(make_workspace(300, size=50), now=at(datetime(2026, 10, 20, 8, tzinfo=UTC)))
    coverage = archive.coverage(OCTOBER)
    assert coverage.outcome == "incomplete"
    assert coverage.gaps == ((date(2026, 10, 20), date(2026, 10, 31)),)
    assert "12 days" in coverage.statement


def test_syncs_too_far_apart_leave_a_gap(archive, make_workspace):
    """When the source dropped events before the next sync came, the days between are named."""
    workspace = make_workspace(30)
    archive.sync(workspace, now=at(workspace.clock))
    workspace.clock = datetime(2026, 10, 10, tzinfo=UTC)
    workspace.arrive(30)
    workspace.clock = datetime(2026, 10, 25, tzinfo=UTC)
    workspace.arrive(30)
    workspace.expire(60)
    archive.sync(workspace, now=at(NOVEMBER))
    coverage = archive.coverage(OCTOBER)
    assert coverage.outcome == "incomplete"
    assert coverage.gaps == ((date(2026, 10, 1), date(2026, 10, 25)),)
    assert len(archive.status().gaps) == 1


def test_interrupted_sync_does_not_unsay_what_was_complete(archive, make_workspace, failing):
    """A month that was vouched for stays so when a later sync fails."""
    workspace = make_workspace(300, size=50)
    archive.sync(workspace, now=at(NOVEMBER))
    workspace.begin()
    workspace.script = [failing]
    with pytest.raises(SourceError):
        archive.sync(workspace, now=at(NOVEMBER))
    assert archive.coverage(OCTOBER).outcome == "complete"
    assert [pull.outcome for pull in archive.coverage(OCTOBER).pulls] == ["complete", "incomplete"]


def test_archive_without_a_finished_sync_is_incomplete(archive, make_workspace, failing):
    """What an interrupted first sync saved is no proof of anything."""
    workspace = make_workspace(40)
    workspace.begin()
    workspace.script = [lambda w: None, lambda w: None, failing]
    with pytest.raises(SourceError):
        archive.sync(workspace, now=at(NOVEMBER))
    coverage = archive.coverage(OCTOBER)
    assert coverage.outcome == "incomplete"
    assert coverage.gaps == ((date(2026, 10, 1), date(2026, 10, 31)),)
    assert archive.status().days_until_loss is None


def test_changed_late_and_quarantined_records_are_counted(archive, make_workspace, make_record):
    """Each kind of irregular record has its own number, with ids or reasons beside it."""
    workspace = make_workspace(30)
    archive.sync(workspace, now=at(NOVEMBER))
    moment = workspace.events[8][0]
    workspace.events[8] = (moment, make_record(8, moment, content="rewritten"))
    workspace.events[9] = (workspace.events[9][0], b'{"id": broken')
    workspace.arrive(2, age=timedelta(hours=2))
    archive.sync(workspace, now=at(NOVEMBER))
    coverage = archive.coverage(OCTOBER)
    assert coverage.changed_ids == ("event-000008",)
    assert (coverage.changed_count, coverage.quarantined_count) == (1, 1)
    assert coverage.quarantined[0].excerpt.startswith('{"id": broken')
    assert coverage.late == 3  # the rewritten one came late as well


def test_unclassified_events_are_counted(archive, make_workspace):
    """Events whose kind no pattern knows stay null and are a number."""
    workspace = make_workspace(0)
    workspace.arrive(4, event="zzz", subject="", content="")
    archive.sync(workspace, now=at(NOVEMBER))
    assert archive.coverage(OCTOBER).unclassified == 4


def test_events_of_a_period_are_half_open(archive, make_workspace):
    """An event at the first moment of the next month belongs to that month."""
    workspace = make_workspace(0)
    workspace.clock = datetime(2026, 10, 31, 23, 50, tzinfo=UTC) - timedelta(minutes=10)
    workspace.arrive(2)
    archive.sync(workspace)
    assert archive.events(OCTOBER)["id"].to_list() == ["event-000001"]
    assert archive.events(Period.parse("2026-11"))["id"].to_list() == ["event-000002"]


def test_shorter_retention_is_learnt(archive, make_workspace):
    """A source that already dropped events of 30 days ago gives 30 days, not 90."""
    workspace = make_workspace(30)
    archive.sync(workspace, now=at(workspace.clock))
    workspace.clock += timedelta(days=5)
    workspace.arrive(30)
    workspace.expire(30)
    oldest = min(moment for moment, _ in workspace.events.values())
    archive.sync(workspace, now=at(oldest + timedelta(days=30)))
    now = oldest + timedelta(days=40)
    assert archive.status(now).days_until_loss == 20


def test_status_of_an_archive(archive, make_workspace):
    """Span, outcome, size and head of what is held."""
    archive.sync(make_workspace(30), now=at(NOVEMBER))
    status = archive.status(NOVEMBER + timedelta(days=10))
    assert (status.events, status.pulls, status.last_outcome) == (30, 1, "complete")
    assert status.days_until_loss == 80
    assert status.complete_until == NOVEMBER
    assert status.head == archive.head
    assert status.size > 1000


def test_empty_workspace_vouches_for_empty_days(archive, make_workspace):
    """Proven none is not unknown: a source without events covers the last 90 days."""
    archive.sync(make_workspace(0), now=at(NOVEMBER))
    coverage = archive.coverage(OCTOBER)
    assert (coverage.outcome, coverage.gaps, coverage.events_held) == ("complete", (), 0)


def test_a_removed_reviewer_is_the_one_named(archive, make_workspace):
    """The other keys stay listed."""
    archive.sync(make_workspace(3), now=at(NOVEMBER))
    listed = [archive.add_reviewer(name, ssh_key(name), NOVEMBER) for name in ("Ana", "Bo", "Cy")]
    assert archive.remove_reviewer("Bo", "", NOVEMBER) == listed[1:2]
    still = {one.name: not one.removed for one in archive.chain().reviewers}
    assert still == {"Ana": True, "Bo": False, "Cy": True}


def ssh_key(name):
    """The line of a public key, of which nobody holds the private one."""
    body = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + name.encode().ljust(32, b".")
    return f"ssh-ed25519 {base64.b64encode(body).decode()}"
