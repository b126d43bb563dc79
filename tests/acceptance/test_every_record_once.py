"""A workspace that goes on living while it is read: every record arrives exactly once."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

SLOW = pytest.mark.slow
ENVELOPES = ("modern", "plain", "bare")
GENERATIONS = (["current"], ["legacy"], ["current", "legacy"])
SHAPES = [  # a bare array never carries a count
    (envelope, count)
    for envelope in ENVELOPES
    for count in ("exact", "absent")
    if (envelope, count) != ("bare", "exact")
]
EVERY = [
    {
        "generations": generations,
        "envelope": envelope,
        "count": count,
        "cap": cap,
        "strings": number % 2 == 0,
        "past_end": "404" if number % 3 else "empty",
    }
    for number, (generations, (envelope, count), cap) in enumerate(
        product(GENERATIONS, SHAPES, (7, 50, 1000))
    )
]
# Each generation, envelope, spelling and ending, without all their products.
FEW = [
    {
        "generations": ["current"],
        "envelope": "plain",
        "cap": 30,
        "strings": True,
        "count": "absent",
    },
    {"generations": ["current"], "envelope": "bare", "cap": 40, "past_end": "404"},
    {"generations": ["legacy"], "envelope": "modern", "cap": 1000, "strings": True},
    {"generations": ["legacy"], "envelope": "plain", "cap": 7, "past_end": "empty"},
    {"generations": ["current", "legacy"], "envelope": "modern", "strings": True, "missing": 410},
]


def name(case: dict) -> str:
    parts = ("+".join(value) if isinstance(value, list) else str(value) for value in case.values())
    return "-".join(parts)


def read_while_growing(workspace, auditlens, archived, folder, case) -> None:
    generation = case["generations"][0]
    secoda = workspace(**{"events": 160, "arrivals": 2, **case})
    before = secoda.state().held(generation)

    first = auditlens.sync(secoda, folder)
    assert first.code == 0, first.err
    held = archived(folder)
    state = secoda.state()
    assert set(held.values()) == {1}
    assert before <= held
    assert state.served(generation) <= held <= state.ever(generation)

    secoda.config(arrivals=0)
    second = auditlens.sync(secoda, folder)
    assert second.code == 0, second.err
    assert archived(folder) == secoda.state().ever(generation)


@pytest.mark.parametrize("case", FEW, ids=name)
def test_a_growing_workspace_is_read_exactly_once(workspace, auditlens, archived, tmp_path, case):
    """Arrivals between requests shift every page, and nothing is lost, doubled or altered."""
    read_while_growing(workspace, auditlens, archived, tmp_path / "archive", case)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", EVERY, ids=name)
def test_every_shape_of_listing_is_read_exactly_once(
    workspace, auditlens, archived, tmp_path, case
):
    """The same, over every generation, envelope, spelling, cap, count and ending."""
    read_while_growing(workspace, auditlens, archived, tmp_path / "archive", case)


@pytest.mark.parametrize("generation", ["current", pytest.param("legacy", marks=SLOW)])
def test_records_printed_over_several_lines_are_kept(
    workspace, auditlens, archived, tmp_path, generation
):
    """A server that indents its JSON is still a server: line ends inside a record are data."""
    secoda = workspace(events=30, generations=[generation], style="indented", envelope="plain")
    assert auditlens.sync(secoda, tmp_path / "archive").code == 0
    assert archived(tmp_path / "archive") == secoda.state().held(generation)


@pytest.mark.parametrize(
    "suffix", ["/api/v1/", *(pytest.param(s, marks=SLOW) for s in ("/", "/api/v1"))]
)
def test_the_address_may_be_written_in_any_documented_form(
    workspace, auditlens, archived, tmp_path, suffix
):
    """Host alone, with a slash, or with the version path: the documentation shows all."""
    secoda = workspace(events=12)
    ran = auditlens.sync(secoda, tmp_path / "archive", SECODA_API_URL=secoda.url + suffix)
    assert ran.code == 0, ran.err
    assert len(archived(tmp_path / "archive")) == 12


def test_the_whole_history_is_read_not_the_last_ninety_days(
    workspace, auditlens, archived, tmp_path
):
    """The older endpoint looks back 90 days unless asked for more; the first pull asks."""
    secoda = workspace(events=90, generations=["legacy"], step=20 * 86_400)
    assert auditlens.sync(secoda, tmp_path / "archive").code == 0
    assert archived(tmp_path / "archive") == secoda.state().held("legacy")


@pytest.mark.parametrize("envelope", ["modern", pytest.param("plain", marks=SLOW)])
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=SLOW) for n in range(2, 9))])
def test_a_run_that_says_fine_holds_all_that_stood_throughout(
    workspace, auditlens, archived, tmp_path, envelope, seed
):
    """Removals pull unread records onto pages already read; a run may fail, never be silent."""
    folder = tmp_path / "archive"
    secoda = workspace(
        events=240, removals=3, arrivals=1, cap=20, envelope=envelope, seed=seed, step=7200
    )
    before = secoda.state().held("current")
    ran = auditlens.sync(secoda, folder)
    assert ran.code in {0, 3}, ran.err
    after = secoda.state()
    throughout = before & after.held("current")
    lost = throughout - archived(folder)
    assert after.served("current") <= archived(folder)
    assert ran.code == 3 or not lost, f"{len(lost)} of {len(throughout)} lost in silence"

    secoda.config(removals=0, arrivals=0)
    assert auditlens.sync(secoda, folder).code == 0
    assert secoda.state().held("current") <= archived(folder)


def test_expiry_while_reading_costs_only_what_expired(workspace, auditlens, archived, tmp_path):
    """The oldest page is read first, and rows that fell off later are kept, not missed."""
    folder = tmp_path / "archive"
    secoda = workspace(events=300, cap=25, expiries=2, arrivals=1)
    ran = auditlens.sync(secoda, folder)
    assert ran.code in {0, 3}, ran.err
    secoda.config(expiries=0, arrivals=0)
    secoda.order("change", expire=60, arrive=20)
    assert auditlens.sync(secoda, folder).code == 0
    state = secoda.state()
    assert state.held("current") | state.served("current") <= archived(folder)
    assert set(archived(folder).values()) == {1}


@pytest.mark.parametrize("hours", [30, 24 * 20])
def test_events_that_turn_up_late_are_found_or_the_run_says_so(
    workspace, auditlens, archived, tmp_path, hours
):
    """Inside the overlap they are simply read; beyond it the count gives them away."""
    folder = tmp_path / "archive"
    secoda = workspace(events=240, step=86_400 // 2, cap=20)
    assert auditlens.sync(secoda, folder).code == 0
    secoda.order("change", late=3, hours=hours)
    ran = auditlens.sync(secoda, folder)
    assert ran.code == 3 or archived(folder) == secoda.state().held("current"), ran.out


def test_a_rewritten_record_is_kept_beside_the_first(workspace, auditlens, archived, tmp_path):
    """The same id with other content means that the source changed history: both stay."""
    folder = tmp_path / "archive"
    secoda = workspace(events=60)
    assert auditlens.sync(secoda, folder).code == 0
    secoda.order("change", rewrite=[58])
    ran = auditlens.sync(secoda, folder)
    assert ran.code == 0, ran.err
    assert "changed" in (ran.out + ran.err).lower()
    assert archived(folder) == secoda.state().ever("current")


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [True, False])
def test_a_count_at_its_ceiling_is_never_called_complete(
    workspace, auditlens, archived, tmp_path, cuts
):
    """At 10,000 a listing may be cut off: what was served is kept, and the doubt is said."""
    folder = tmp_path / "archive"
    secoda = workspace(events=10_300, count="saturated", ceiling_cuts=cuts, cap=1000, step=60)
    secoda.config(page_size={"current": 1000, "legacy": 1000})
    ran = auditlens.sync(secoda, folder)
    assert ran.code in {0, 3}, ran.err
    assert "10,000" in ran.out + ran.err or "10000" in ran.out + ran.err
    assert secoda.state().served("current") <= archived(folder)
    if not cuts:
        assert archived(folder) == secoda.state().held("current")


def test_one_broken_record_never_takes_its_neighbours_along(
    workspace, auditlens, archived, tmp_path
):
    """A record without id, a word in place of a record, a lone surrogate: the rest is stored."""
    folder = tmp_path / "archive"
    secoda = workspace(events=40, envelope="plain", generations=["legacy"], cap=20)
    good = b'{"id":"%s","created_at":"2026-10-01T00:00:00.000Z","event":"tag_added","sender":null}'
    records = [
        good % b"first",
        b'{"created_at":"2026-10-01T00:00:00.000Z","event":"no_id"}',
        b'"a word"',
        good.replace(b"tag_added", b"\\ud800") % b"surrogate",
        good.replace(b"2026-10-01T00:00:00.000Z", b"yesterday") % b"undated",
        b"null",
        good % b"last",
    ]
    body = b'{"count": 7, "next": null, "previous": null, "results": [' + b",".join(records) + b"]}"
    secoda.faults({"do": "answer", "body": body})
    ran = auditlens.sync(secoda, folder)
    assert "Traceback" not in ran.err
    ids = Counter(identity for identity, _ in archived(folder))
    assert ids["first"] == ids["last"] == 1
    assert auditlens("verify", "--archive", folder).code == 0
    told = ran.out + ran.err + auditlens("status", "--archive", folder).out
    assert "quarantine" in told.lower()


def test_two_workspaces_never_mix_in_one_archive(workspace, auditlens, archived, tmp_path):
    """Pointing an archive at another workspace is refused before anything is written."""
    folder = tmp_path / "archive"
    one, two = workspace(events=20, seed=1), workspace(events=35, seed=2)
    assert auditlens.sync(one, folder).code == 0
    before = archived(folder)
    ran = auditlens.sync(two, folder)
    assert ran.code == 2, ran.err
    assert archived(folder) == before


def test_a_second_sync_at_the_same_time_is_turned_away(
    workspace, auditlens, archived, tmp_path, one_clear_line
):
    """One writer at a time; the second says so at once and harms nothing."""
    folder = tmp_path / "archive"
    secoda = workspace(events=200, cap=10, latency=0.1)
    first = auditlens.sync_start(secoda, folder)
    secoda.wait_until(first, listed=3)
    second = auditlens.sync(secoda, folder)
    assert second.code == 6
    one_clear_line(second)
    assert auditlens.finish(first).code == 0
    assert archived(folder) == secoda.state().held("current")
