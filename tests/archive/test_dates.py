"""An event belongs to its date only when that can be: the source's clock is not ours."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from auditlens.archive import Archive
from auditlens.errors import UsageError
from auditlens.events import latest
from auditlens.period import Period
from tests.archive.sealing import seal_anew
from tests.secoda import Workspace

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
OCTOBER = Period.parse("2026-10")
BEYOND = (
    "2027-03-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "9999-12-31T23:59:59.999999999Z",
    "0000-01-01T00:00:00Z",
    "0000-00-00 00:00:00",
    "-0044-03-15T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "1601-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2262-04-11T23:47:16.854775807Z",
    "9223372036854775807",
    "253402300800000",
    "-62135596800",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-11-06T12:00:00.000001Z",
)


def listed(dates, size=100, **settings):
    """A source whose listing never changes, newest first but for what its dates claim."""
    records = [
        json.dumps({"id": ident(at, n), "created_at": at, "event": "Deleted table"}).encode()
        for n, at in enumerate(dates)
    ]
    return Workspace.of(records, size=size, **settings)


def ident(at, number):
    """The same for a usual date wherever it stands in the listing."""
    return f"e-{at}" if at in usual() else f"odd-{at}-{number // 40}"


def usual(days=28):
    return [f"2026-10-{day:02d}T10:00:00Z" for day in range(days, 0, -1)]


def synced(path, dates, now=NOW, **source):
    archive = Archive(path)
    outcome = archive.sync(listed(dates, **source), now=lambda: now)
    return archive, outcome


@pytest.mark.parametrize("odd", BEYOND)
@pytest.mark.parametrize("place", [0, 28])
def test_an_impossible_date_is_kept_told_and_left_out(tmp_path, odd, place):
    """Everything but the lists of what is held is as it is without that event."""
    dates = usual()
    control, _ = synced(tmp_path / "control", dates)
    archive, outcome = synced(tmp_path / "a", [*dates[:place], odd, *dates[place:]], size=7)
    assert outcome.outcome == "complete"
    assert archive.sync(listed([odd, *dates]), now=lambda: NOW).outcome == "complete"
    assert archive.events().height == 29
    status, usually = archive.status(NOW), control.status(NOW)
    for name in ("first_at", "last_at", "complete_until", "days_until_loss", "gaps"):
        assert getattr(status, name) == getattr(usually, name)
    assert (status.events, status.misdated) == (29, 1)
    assert "1 event dated before 1970 or after the sync" in status.statement
    for label in ("2026-09", "2026-10", "2026-12", "2027-02", "2027-03"):
        period = Period.parse(label)
        held, usually_held = archive.coverage(period), control.coverage(period)
        assert held.outcome == usually_held.outcome
        assert held.gaps == usually_held.gaps
        assert held.events_in_period == usually_held.events_in_period
        assert [one.id for one in held.misdated] == [f"odd-{odd}-0"]
        assert archive.events(period).height == control.events(period).height
    assert archive.verify().ok


def test_a_day_ahead_is_a_clock_that_differs(tmp_path):
    """To the microsecond: a day after the pull an event belongs to its date, later it does not."""
    edge = [f"2026-11-06T{clock}Z" for clock in ("12:00:00.000001", "12:00:00", "11:59:59.999999")]
    archive, _ = synced(tmp_path / "a", [*edge, "1970-01-01T00:00:00Z"])
    coverage = archive.coverage(Period.parse("2026-11"))
    assert [one.id for one in coverage.misdated] == [f"odd-{edge[0]}-0"]
    assert coverage.events_in_period == 2
    assert coverage.first_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert latest(datetime.max.replace(tzinfo=UTC)) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("count", [3, 400])
def test_only_impossible_dates_leave_nothing_to_span(tmp_path, count):
    """An archive that holds nothing else has no first and no last event, and vouches as ever."""
    archive, outcome = synced(
        tmp_path / "a", [f"0001-01-01T00:00:00.{n:06d}Z" for n in range(count)]
    )
    assert outcome.outcome == "complete"
    status = archive.status(NOW)
    assert (status.first_at, status.last_at, status.misdated) == (None, None, count)
    coverage = archive.coverage(OCTOBER)
    assert (coverage.misdated_count, len(coverage.misdated)) == (count, min(count, 100))
    assert coverage.outcome == "complete"


def test_what_a_pull_vouches_for_ends_when_it_began(tmp_path):
    """At our clock, or at the server's where that is earlier; never at what an event claims."""
    dates = ["2026-11-06T01:00:00Z", *usual()]
    archive, _ = synced(tmp_path / "ours", dates)
    assert archive.status(NOW).complete_until == NOW
    early = NOW - timedelta(days=8)
    archive, _ = synced(tmp_path / "theirs", dates, server_time=early)
    assert archive.status(NOW).complete_until == early
    assert archive.coverage(OCTOBER).outcome == "incomplete"
    archive, _ = synced(tmp_path / "later", dates, server_time=NOW + timedelta(days=8))
    assert archive.status(NOW).complete_until == NOW


def test_the_pull_decides_not_the_day_of_the_look(tmp_path):
    """An event that was ahead of its pull stays out when its date has come."""
    archive, _ = synced(tmp_path / "a", ["2026-12-24T00:00:00Z", *usual()])
    archive.sync(listed(["2026-12-24T00:00:00Z", *usual()]), now=lambda: NOW + timedelta(days=60))
    december = archive.coverage(Period.parse("2026-12"))
    assert (december.events_in_period, december.misdated_count) == (0, 1)


def poison(archive, **values):
    """Put times into the sealed outcomes as version 0.1 sealed them, and seal all anew."""

    def change(manifest):
        if manifest["outcome"]:
            manifest["outcome"].update(values)
        if manifest["segment"]:
            manifest["segment"].update(first_at=values["reached"], last_at=values["anchor"])
        manifest.pop("covers", None)

    (archive.path / "head").write_bytes(seal_anew(archive.path / "log", change))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("0001-01-01T00:00:00+00:00", "2026-10-28T10:00:00+00:00"),
        ("2026-10-01T10:00:00+00:00", "2027-03-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_an_archive_of_an_earlier_version_works_again(tmp_path, first, last):
    """What it sealed of impossible dates is not believed: it is read, synced and told of."""
    first, last = datetime.fromisoformat(first), datetime.fromisoformat(last)
    dates = usual()
    archive, _ = synced(tmp_path / "a", [*dates, first.isoformat(), last.isoformat()])
    odd = sum(at.month != 10 for at in (first, last))
    said = f"Complete: all up to {last:%Y-%m-%d %H:%M:%S} UTC."
    oldest, newest = (at.isoformat().replace("+00:00", "Z") for at in (first, last))
    poison(archive, anchor=newest, reached=oldest, server_oldest=oldest, vouched_until=None,
           gone=[oldest], statement=said)  # fmt: skip
    (archive.path / "table" / "index.json").unlink()
    archive = Archive(archive.path)
    status = archive.status(NOW)
    assert (status.complete_until, status.days_until_loss) == (NOW, 90)
    assert status.misdated == archive.coverage(OCTOBER).misdated_count == odd
    assert archive.coverage(Period.parse("2026-12")).outcome == "incomplete"
    assert "2027" not in status.statement
    outcome = archive.sync(listed(["2026-10-30T00:00:00Z", *dates]), now=lambda: NOW)
    assert outcome.new == 1
    assert archive.coverage(OCTOBER).outcome == "complete"


def test_an_address_that_gave_nothing_vouches_for_nothing(tmp_path):
    """An empty log at a wrong address binds no archive and makes no month complete."""
    archive = Archive(tmp_path / "a")
    assert archive.sync(listed([], name="wrong"), now=lambda: NOW).outcome == "complete"
    broken = listed(usual(), name="right")
    archive.sync(broken, now=lambda: NOW + timedelta(days=1))
    assert archive.status(NOW).source == "right"
    assert archive.status(NOW).pulls == 1
    with pytest.raises(UsageError, match="belongs to right"):
        archive.sync(listed(usual(), name="wrong"), now=lambda: NOW)


def test_a_sync_that_fails_takes_nothing_from_a_proven_month(tmp_path):
    """The month stays complete, and the status says up to when syncs vouch."""
    archive, _ = synced(tmp_path / "a", usual())
    before = archive.coverage(OCTOBER)

    later = NOW + timedelta(days=1)
    assert archive.sync(listed(usual(), told=99), now=lambda: later).outcome == "incomplete"
    after = archive.coverage(OCTOBER)
    assert (after.outcome, after.statement) == (before.outcome, before.statement)
    assert archive.status(later).complete_until == NOW


@pytest.mark.parametrize("unset", ["1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "2001-01-01"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_date_of_a_clock_never_set_shows_no_long_retention(tmp_path, unset, size):
    """It lies in the past like any other, yet hides no events the source has dropped since."""
    begun = datetime(2026, 5, 1, tzinfo=UTC)
    old = [f"{begun - timedelta(days=day):%Y-%m-%d}T10:00:00Z" for day in range(20)]
    archive = Archive(tmp_path / "archive")
    archive.sync(listed([*old, unset], size=size), now=lambda: begun)
    assert archive.status(begun).days_until_loss == 90
    new = [f"{NOW - timedelta(days=day):%Y-%m-%d}T10:00:00Z" for day in range(1, 80)]
    assert archive.sync(listed([*new, unset], size=size), now=lambda: NOW).outcome == "complete"
    gaps = archive.coverage(Period.parse("2026-07")).gaps
    assert [(str(first), str(last)) for first, last in gaps] == [("2026-07-01", "2026-07-31")]
    assert archive.coverage(Period.parse("2026-04")).outcome == "complete"
    assert archive.coverage(OCTOBER).outcome == "complete"
