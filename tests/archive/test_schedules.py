"""Complete is true while the log moves: seeded schedules of what happens between two requests."""

import os
import random
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from auditlens.archive import Archive

SHM = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
OVERLAP = timedelta(hours=2)

MIXES = (
    ("quiet", "arrive", "late", "remove", "swap"),
    ("quiet", "quiet", "swap"),
    ("swap", "arrive"),
    ("quiet", "arrive", "late"),
    ("quiet", "remove", "late"),
    ("quiet", "arrive", "remove", "expire"),
    (*["quiet"] * 6, "swap"),
    (*["quiet"] * 8, "swap", "swap back", "remove", "late", "arrive"),
    ("quiet", "arrive", "late", "remove", "swap", "swap back", "two"),
)


def happen(workspace, what, rng):
    """Let one thing happen in the log, somewhere; ``swap`` leaves the count as it is."""
    rows = len(workspace.events)
    cut = min(rows, workspace.requests[-1] * workspace.size)
    if what == "arrive":
        workspace.arrive(rng.randint(1, 9))
    elif what == "late":
        workspace.arrive(age=timedelta(minutes=20 * rng.randint(1, 200)))
    elif what == "remove":
        workspace.remove(rng.randint(0, 60))
    elif what == "expire":
        workspace.expire(rng.randint(1, 4))
    elif what == "swap" and 0 < cut < rows:
        workspace.remove(rng.randrange(cut))
        come_late(workspace, rng.randrange(cut - 1, rows - 1))
    elif what == "swap back" and 0 < cut < rows:
        workspace.remove(rng.randrange(cut, rows))
        come_late(workspace, rng.randrange(cut))
    elif what == "two":
        for each in rng.choices(MIXES[0], k=2):
            happen(workspace, each, rng)


def come_late(workspace, position):
    """Let an event come that stands right below the one at a position."""
    at = workspace.events[workspace.listing()[position]][0]
    workspace.arrive(age=workspace.clock - at + timedelta(minutes=10, seconds=1))


@dataclass(frozen=True)
class Done:
    """One sync of a schedule, and what it read."""

    outcome: str
    lost: int
    whole: bool
    requests: int
    pages: int


def schedule(seed, make_workspace):
    """One to four syncs of one log that moves between their requests, by one mix."""
    rng = random.Random(seed)
    mix = MIXES[seed % len(MIXES)]
    workspace = make_workspace(rng.randint(10, 60))
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        archive = Archive(Path(folder) / "archive")
        for number in range(rng.randint(1, 4)):
            workspace.size = rng.randint(3, 8)
            workspace.arrive(rng.randint(0, 12) if number else 0)
            workspace.begin()
            plan = rng.choices(mix, k=rng.randint(0, 14))
            workspace.script = [lambda it, what=what: happen(it, what, rng) for what in plan]
            every = timedelta(0) if rng.random() < 0.4 else timedelta(days=7)
            outcome = archive.sync(workspace, overlap=OVERLAP, full_every=every)
            workspace.script = []
            held = set(archive.events()["id"])
            pages = -(-len(workspace.events) // workspace.size)
            yield Done(
                outcome.outcome,
                len(workspace.steady - held),
                archive.chain().outcomes[-1][1].whole,
                len(workspace.requests),
                max(pages, *workspace.requests),
            )


def check(seeds, make_workspace):
    """Nothing listed throughout is missing where complete is said, and little is asked for."""
    done = [each for seed in seeds for each in schedule(seed, make_workspace)]
    assert [each for each in done if each.outcome == "complete" and each.lost] == []
    complete = sum(each.outcome == "complete" for each in done)
    assert complete >= 0.9 * len(done)
    whole = [each for each in done if each.whole]
    assert len(whole) >= len(done) / 2
    assert sum(each.requests for each in whole) <= 2.2 * sum(each.pages for each in whole)
    return done


def test_complete_is_true_while_the_log_moves(make_workspace):
    """A few schedules of every mix."""
    check(range(len(MIXES) * 3), make_workspace)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_complete_is_true_in_two_thousand_schedules(make_workspace):
    """Many schedules of every mix."""
    check(range(2000), make_workspace)


def test_a_log_at_rest_is_read_about_twice_the_first_time(make_workspace, tmp_path):
    """Each page once, and once more for the proof; later whole walks read it once."""
    workspace, archive = make_workspace(200), Archive(tmp_path / "archive")
    assert archive.sync(workspace).outcome == "complete"
    assert len(workspace.requests) <= 2 * 40
    workspace.begin()
    assert archive.sync(workspace, full_every=timedelta(0)).outcome == "complete"
    assert len(workspace.requests) <= 1.1 * 40


@pytest.mark.parametrize("new", [0, 3, 8])
def test_an_incremental_sync_of_a_log_at_rest_asks_for_few_pages_twice(
    new, make_workspace, tmp_path
):
    """What is held needs no second look: a sync of thirty pages asks 1.1 times at most."""
    workspace, archive = make_workspace(400), Archive(tmp_path / "archive")
    archive.sync(workspace)
    workspace.arrive(new)
    workspace.begin()
    outcome = archive.sync(workspace, overlap=timedelta(hours=24))
    assert outcome.outcome == "complete"
    assert len(workspace.requests) >= 20
    assert len(workspace.requests) <= 1.1 * len(set(workspace.requests))
    assert workspace.ids() <= set(archive.events()["id"])


@pytest.mark.parametrize("arriving", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [4, 7])
def test_a_log_that_grows_all_the_time_is_proven(arriving, size, make_workspace, tmp_path):
    """Events that arrive between any two requests push records on, so that pages overlap."""
    workspace, archive = make_workspace(160, size=size), Archive(tmp_path / "archive")
    workspace.begin()
    workspace.script = [lambda it: it.arrive(arriving)] * (300 if arriving < size else 20)
    outcome = archive.sync(workspace)
    assert outcome.outcome == "complete"
    assert workspace.steady <= set(archive.events()["id"])
    workspace.script = [lambda it: it.arrive(1)] * 300
    workspace.begin()
    assert archive.sync(workspace, overlap=timedelta(hours=2)).outcome == "complete"
    assert workspace.steady <= set(archive.events()["id"])


def test_an_event_that_is_listed_twice_links_no_pages(make_workspace, tmp_path):
    """A double far below makes no bridge over what one removed and one late event hid."""
    workspace, archive = make_workspace(40), Archive(tmp_path / "archive")
    times = workspace.listing()
    for place in range(4, 40, 5):
        at, _ = workspace.events[times[place]]
        workspace.numbers += 1
        workspace.events[workspace.numbers] = (at, workspace.events[times[0]][1])
    workspace.begin()
    workspace.script = [
        lambda it: it.arrive(1),
        lambda it: None,
        lambda it: (it.remove(0), it.arrive(age=timedelta(hours=5))),
    ]
    outcome = archive.sync(workspace)
    held = set(archive.events()["id"])
    assert outcome.outcome != "complete" or workspace.steady <= held
