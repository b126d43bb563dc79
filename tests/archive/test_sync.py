"""Sync brings in everything the source lists, and says so only when it is true."""

from datetime import timedelta

import pytest

from auditlens.archive import Archive
from auditlens.errors import Interrupted, SourceError, UsageError
from auditlens.pages import Page


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def ids(archive):
    return set(archive.events()["id"])


def test_first_sync_holds_every_event(archive, make_workspace):
    """Everything listed is held, and the outcome is proven by the count."""
    workspace = make_workspace(23)
    outcome = archive.sync(workspace)
    assert ids(archive) == workspace.ids()
    assert (outcome.outcome, outcome.missing, outcome.new) == ("complete", 0, 23)


def test_first_sync_asks_for_the_oldest_page_second(archive, make_workspace):
    """The page that expires soonest is fetched right after the totals are known."""
    workspace = make_workspace(23)
    archive.sync(workspace)
    assert workspace.requests[:3] == [1, 5, 2]


def test_later_sync_stops_in_known_territory(archive, make_workspace):
    """With all older pages known, only the overlap is read again."""
    workspace = make_workspace(100)
    archive.sync(workspace)
    workspace.arrive(3)
    workspace.begin()
    outcome = archive.sync(workspace, overlap=timedelta(hours=1))
    assert (outcome.outcome, outcome.new) == ("complete", 3)
    assert len(workspace.requests) <= 5


def test_weekly_sync_reads_the_whole_listing(archive, make_workspace):
    """After ``full_every`` the walk goes to the last page again."""
    workspace = make_workspace(30)
    archive.sync(workspace)
    workspace.begin()
    archive.sync(workspace, overlap=timedelta(0), full_every=timedelta(0))
    assert set(workspace.requests) == {1, 2, 3, 4, 5, 6}


def test_late_event_older_than_the_overlap_is_found_by_the_count(archive, make_workspace):
    """An event that turns up a week late makes the count too high, so the walk is repeated."""
    workspace = make_workspace(100)
    archive.sync(workspace)
    workspace.arrive(1, age=timedelta(hours=15))
    outcome = archive.sync(workspace, overlap=timedelta(hours=1))
    assert (outcome.outcome, outcome.late) == ("complete", 1)
    assert ids(archive) == workspace.ids()


def test_removal_during_the_walk_leads_to_a_second_look(archive, make_workspace):
    """A record pulled back over the edge of a page is found by walking again."""
    workspace = make_workspace(40)
    workspace.begin()
    workspace.script = [lambda w: None, lambda w: w.remove(0)]
    outcome = archive.sync(workspace)
    assert outcome.outcome == "complete"
    assert workspace.steady <= ids(archive)


def test_events_the_source_removed_are_remembered(archive, make_workspace):
    """Once a full walk missed them, they neither hide a late event nor cost another full walk."""
    workspace = make_workspace(100)
    archive.sync(workspace)
    for _ in range(3):
        workspace.remove(60)
    archive.sync(workspace, full_every=timedelta(0))
    workspace.begin()
    assert archive.sync(workspace, overlap=timedelta(hours=1)).outcome == "complete"
    assert len(workspace.requests) < 10
    workspace.arrive(1, age=timedelta(hours=15))
    assert archive.sync(workspace, overlap=timedelta(hours=1)).outcome == "complete"
    assert workspace.ids() <= ids(archive)


def test_removal_made_up_by_a_late_event_leads_to_a_second_look(archive, make_workspace):
    """The number of ids is as it should be, but the count fell on the way: look again."""
    workspace = make_workspace(40)
    workspace.begin()
    late = timedelta(hours=6)
    workspace.script = [
        lambda w: None,
        lambda w: w.remove(0),
        lambda w: w.arrive(1, age=late),
    ]
    outcome = archive.sync(workspace)
    assert outcome.outcome == "complete"
    assert workspace.steady <= ids(archive)


def test_event_missing_from_the_listing_is_reported(archive, make_workspace):
    """A source that counts more than it lists gives an incomplete archive, by how many."""

    outcome = archive.sync(make_workspace(12, told=16))
    assert (outcome.outcome, outcome.missing) == ("incomplete", 4)
    assert "Incomplete by 4" in outcome.statement


def test_no_count_is_unprovable(archive, make_workspace):
    """Without a count nothing is proven, though everything listed is held."""
    workspace = make_workspace(12, counted=False, totalled=False)
    assert archive.sync(workspace).outcome == "unprovable"
    assert ids(archive) == workspace.ids()


def test_count_at_a_ceiling_is_saturated(archive, make_workspace):
    """A count of exactly 10,000 may be where the source stops counting."""

    outcome = archive.sync(make_workspace(12, told=10_000))
    assert outcome.outcome == "saturated"


def test_empty_source_is_complete_and_empty(archive, make_workspace):
    """Nothing listed and nothing counted is proof of nothing, not of not knowing."""
    outcome = archive.sync(make_workspace(0))
    assert (outcome.outcome, outcome.new) == ("complete", 0)
    assert archive.events().is_empty()


def test_failure_keeps_what_was_read_and_says_incomplete(archive, make_workspace, failing):
    """Pages read before an error are sealed, and so is that the sync did not end."""
    workspace = make_workspace(40)
    workspace.begin()
    workspace.script = [lambda w: None, lambda w: None, failing]
    with pytest.raises(SourceError):
        archive.sync(workspace)
    assert ids(archive) == workspace.served
    assert archive.status().last_outcome == "incomplete"


@pytest.mark.parametrize(("counted", "outcome"), [(True, "complete"), (False, "unprovable")])
def test_sync_after_a_failure_leaves_no_gap(archive, make_workspace, failing, counted, outcome):
    """A known page above a hole does not end the walk of the next sync."""
    workspace = make_workspace(60, counted=counted)
    workspace.script = [lambda w: None, lambda w: None, lambda w: None, failing]
    with pytest.raises(SourceError):
        archive.sync(workspace)
    assert archive.sync(workspace, overlap=timedelta(0)).outcome == outcome
    assert ids(archive) == workspace.ids()


def test_failure_of_a_later_sync_leaves_no_gap(archive, make_workspace, failing):
    """What an interrupted sync did not reach is fetched by the next one, count or not."""
    workspace = make_workspace(20, counted=False)
    archive.sync(workspace)
    workspace.arrive(40)
    workspace.begin()
    workspace.script = [lambda w: None, lambda w: None, lambda w: None, failing]
    with pytest.raises(SourceError):
        archive.sync(workspace)
    archive.sync(workspace, overlap=timedelta(0))
    assert ids(archive) == workspace.ids()


def test_late_event_within_the_overlap_needs_no_count(archive, make_workspace):
    """Known pages younger than the overlap are passed, so a late event below them is met."""
    workspace = make_workspace(100, counted=False)
    archive.sync(workspace)
    workspace.arrive(1, age=timedelta(hours=5))
    archive.sync(workspace, overlap=timedelta(hours=8))
    assert ids(archive) == workspace.ids()


def test_stop_finishes_the_page_and_seals_it(archive, make_workspace):
    """Asked to stop, the sync saves the pages it has read and raises Interrupted."""
    workspace = make_workspace(40)
    workspace.begin()
    answers = iter([False, False, True])
    with pytest.raises(Interrupted):
        archive.sync(workspace, stop=lambda: next(answers))
    assert ids(archive) == workspace.served
    assert workspace.requests == [1, 8, 2, 3]
    back = archive.events()["created_at"].sort(descending=True)[3 * 5 - 1]
    assert archive.status().statement.startswith(
        f"Incomplete: stopped after 4 pages, back to {back:%F %T} UTC."
    )
    assert archive.verify().ok


def test_same_page_for_ever_ends_after_three_repeats(archive, make_workspace):
    """A server that ignores the page number is left, and nothing is stored twice."""
    workspace = make_workspace(5, totalled=False)
    same = workspace.page(1)
    workspace.page = lambda number: Page(number, same.records, endpoint="legacy")
    with pytest.raises(SourceError, match="again and again"):
        archive.sync(workspace)
    assert archive.events().height == 5


def test_cycling_pages_end(archive, make_workspace):
    """Pages that come round again are found by their ids."""
    workspace = make_workspace(15)
    pages = [workspace.page(n).records for n in (1, 2, 3)]
    asked = []
    workspace.page = lambda n: asked.append(n) or Page(n, pages[(n - 1) % 3])
    with pytest.raises(SourceError, match="again and again"):
        archive.sync(workspace)
    assert len(asked) == 6


@pytest.mark.parametrize("counted", [True, False])
def test_oldest_first_listing_is_read_to_its_end(archive, make_workspace, counted):
    """A listing in the other order never ends early: its first page is always known."""

    class Upside(type(make_workspace())):
        def listing(self):
            return super().listing()[::-1]

    workspace = Upside(size=5, counted=counted)
    workspace.arrive(30)
    archive.sync(workspace)
    workspace.arrive(7)
    archive.sync(workspace, overlap=timedelta(0))
    assert ids(archive) == workspace.ids()


def test_changed_content_keeps_both_versions(archive, make_workspace, make_record):
    """The same id with other content is a second row and is counted as changed."""
    workspace = make_workspace(8)
    archive.sync(workspace)
    at = workspace.events[8][0]
    workspace.events[8] = (at, make_record(8, at, content="rewritten"))
    outcome = archive.sync(workspace)
    assert (outcome.changed, outcome.new) == (1, 1)
    assert archive.events().filter(id="event-000008")["content"].to_list() != []
    assert archive.events().height == 9


def test_reordered_keys_are_the_same_content(archive, make_workspace):
    """Another order of keys or other white space is no new version."""
    import json

    workspace = make_workspace(3)
    archive.sync(workspace)
    at, raw = workspace.events[2]
    turned = dict(reversed(json.loads(raw).items()))
    workspace.events[2] = (at, json.dumps(turned, indent=1).encode())
    assert archive.sync(workspace).new == 0


def test_broken_record_is_kept_and_drops_no_neighbour(archive, make_workspace):
    """What cannot be decoded is in the evidence, counted once, and its page is complete."""
    workspace = make_workspace(8)
    workspace.events[4] = (workspace.events[4][0], b'{"id": "event-000004", broken')
    outcome = archive.sync(workspace)
    again = archive.sync(workspace)
    assert (outcome.outcome, outcome.quarantined, again.quarantined) == ("complete", 1, 0)
    assert archive.events().height == 7
    assert archive.status().quarantined == 1


def test_record_with_line_feeds_is_kept_byte_for_byte(archive, make_workspace):
    """A pretty-printed record is one record, and its leaf is the hash of its exact bytes."""
    import hashlib
    import json

    workspace = make_workspace(3)
    at, raw = workspace.events[2]
    pretty = json.dumps(json.loads(raw), indent=2).encode()
    workspace.events[2] = (at, pretty)
    archive.sync(workspace)
    leaf = archive.events().filter(id="event-000002")["leaf"][0]
    assert leaf == hashlib.sha256(pretty).digest()
    archive.rebuild()
    assert archive.events().height == 3
    assert archive.verify().ok


def test_archive_of_another_source_is_refused(archive, make_workspace):
    """Two workspaces never mix: the name of the first one binds."""
    archive.sync(make_workspace(3))
    with pytest.raises(UsageError, match="belongs to"):
        archive.sync(make_workspace(3, name="workspace-two"))


def test_other_events_under_the_same_name_are_refused(archive, make_workspace):
    """A key of another workspace at the same address is noticed before anything is stored."""
    archive.sync(make_workspace(40))
    other = make_workspace(0)
    other.numbers = 5000
    other.arrive(30)
    head = archive.head
    with pytest.raises(UsageError, match="another workspace"):
        archive.sync(other)
    assert archive.head == head


def test_progress_tells_how_far_back(archive, make_workspace):
    """Progress is told after each page, in pages, events and dates."""
    told = []
    archive.sync(make_workspace(12), progress=told.append)
    back = "12 new events, back to 2026-10-01"
    assert [str(each) for each in told[-2:]] == [
        f"page 3 of 3, {back}",
        f"page 1 of 3 once more, {back}",
    ]
