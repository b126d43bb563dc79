"""The job: every month once, nothing overwritten, and the truth about each run."""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from polars.exceptions import PanicException

from auditlens.archive import Archive
from auditlens.audit import run_audit
from auditlens.errors import IntegrityError, Interrupted, LockHeld, SourceError, UsageError
from auditlens.files import lock
from auditlens.monthly import Job, directory_line, directory_problems, pull_directory, run_job
from auditlens.monthly.job import INCOMPLETE_WAIT, not_yet  # a status that takes a week to come
from auditlens.period import Period
from auditlens.rules import load_rules
from auditlens.settings import Settings
from auditlens.simulator import Feed
from auditlens.sources import SecodaSource
from tests.secoda import Workspace


def test_missed_months_come_out_once_each(reported):
    """Two months were due at once; a second run leaves every byte alone."""
    before = reported.bytes()
    assert {name.partition("/")[0] for name in before} == {"2025-09", "2025-10"}
    assert reported.run().months == []
    assert reported.bytes() == before


def test_a_month_waits_for_its_days_of_grace(reported):
    """November is due on the fourth of December, not before."""
    waiting = reported.at(2025, 12, 3).run()
    assert waiting.months == []
    assert waiting.waiting == {"2025-11": "it is due on 2025-12-04 00:00 UTC"}
    assert reported.at(2025, 12, 4).run().months == ["2025-11"]


def test_a_month_that_was_moved_away_comes_out_again_alone(reported):
    """Gaps are filled, and only months since the first report count.

    The record alone differs, and its hash: it holds the cases that the first report showed.
    """
    before = reported.bytes()
    (reported.out / "2025-10").rename(reported.home / "elsewhere")
    done = reported.run(period="2025-10", source=None)
    assert done.months == ["2025-10"]
    after = reported.bytes()
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"2025-10/record.json", "2025-10/manifest.json"}


def test_late_events_amend_a_report_and_leave_the_first_alone(reported):
    """What came later makes 2025-10.a1; the run after that writes nothing."""
    whole = reported.records
    october = [at.month == 10 and b"resource" in raw for at, raw in whole]
    first = october.index(True)
    (reported.home / "reports-out").rename(reported.home / "away")
    (reported.home / "archive").rename(reported.home / "old")
    reported.list([one for n, one in enumerate(whole) if not october[n] or n > first + 9])
    assert reported.run().months == ["2025-09", "2025-10"]
    before = reported.bytes()

    done = reported.at(2025, 11, 7).run()
    assert done.months == ["2025-10.a1"]
    after = reported.bytes()
    assert {name: after[name] for name in before} == before
    assert after["2025-10.a1/findings.csv"] != after["2025-10/findings.csv"]
    assert reported.run().months == []
    assert reported.bytes() == after


def test_a_source_that_is_down_is_told_and_nothing_half_pulled_comes_out(reported):
    """Exit 3, a message, and no report of a month that was not pulled to its end."""
    name = SecodaSource(reported.server.url, reported.server.key).name

    down = Workspace(name=name, down="The workspace does not answer")
    done = reported.at(2025, 12, 5).run(source=lambda: down)
    assert (done.exit_code, done.error) == (3, "The workspace does not answer")
    assert done.months == []
    assert done.waiting == {"2025-11": "the sync failed"}
    assert reported.last_run()["exit_code"] == 3
    assert reported.run().months == ["2025-11"]


PEOPLE = [b'{"id": "u-1", "email": "ana@example.test", "role": "admin"}']


def test_the_directory_comes_too_when_asked(reported, monkeypatch):
    """What came is sealed and told; without the setting nothing beside the log is asked for."""
    monkeypatch.setitem(reported.server.directory, "/user", Feed(lambda: PEOPLE))
    reported.run()
    assert reported.last_run()["directory"] == {}
    assert not Archive(reported.archive).directory()
    done = reported.run(settings={"directory": True})
    assert done.directory["rows"] == {"users": 1}
    assert done.exit_code == 3  # the other listings are not there
    assert reported.last_run()["directory"]["at"] == "2025-11-05T00:00:00Z"
    assert Archive(reported.archive).directory().pulls[0].users["id"].to_list() == ["u-1"]
    assert any(line.startswith("directory: 1 users, sealed ") for line in reported.told)


def test_a_directory_that_fails_holds_no_month_back(reported):
    """It is told, in words, in last-run.json and by exit code 3; the month comes out."""
    done = reported.at(2025, 12, 5).run(settings={"directory": True})
    assert (done.months, done.exit_code) == (["2025-11"], 3)
    assert set(done.directory["problems"]) >= {"users", "groups"}
    assert "not there (404)" in reported.last_run()["directory"]["problems"]["users"]
    assert any("the directory is not whole" in line for line in reported.told)


@pytest.mark.parametrize("kind", [SourceError, UsageError, LockHeld])
def test_what_stops_a_pull_of_the_directory_is_told_and_goes_no_further(kind):
    """The server, another workspace's seal or a lock: one sentence, no error."""

    class Stopped:
        def pull_directory(self, *_, **__):
            raise kind("no luck today")

    told = pull_directory(Stopped(), None)
    assert (told["hash"], told["problems"]) == (None, {"directory": "no luck today"})
    assert directory_line(told) == ""
    assert directory_problems(told).endswith("no luck today")


def test_a_refused_key_exits_with_4(reported):
    """The worst code of the run is the one that counts."""
    url, key = reported.server.url, reported.server.viewer_key
    done = reported.run(source=lambda: SecodaSource(url, key))
    assert (done.exit_code, done.outcome) == (4, "failed")


def test_findings_at_the_level_exit_with_1_once(reported):
    """A report that stands already is no news."""
    settings = {"fail_on": "medium"}
    assert reported.at(2025, 12, 5).run(settings=settings).exit_code == 1
    assert reported.run(settings=settings).exit_code == 0


def test_an_edited_report_stops_the_job(reported):
    """It is not overwritten, and the run says which folder and file."""
    page = reported.out / "2025-09" / "report.html"
    page.write_bytes(page.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match=r"2025-09: report\.html"):
        reported.run()
    assert reported.last_run()["exit_code"] == 5


def test_a_damaged_archive_gives_no_report(reported):
    """Verify comes before any report."""
    segment = next((reported.archive / "evidence").iterdir())
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(data)
    reported.at(2025, 12, 5)
    with pytest.raises(IntegrityError):
        reported.run(source=None)
    assert reported.last_run()["exit_code"] == 5
    assert not (reported.out / "2025-11").exists()


def test_a_month_needs_a_sync_after_its_days_of_grace(reported):
    """Without one, the archive cannot know what came late."""
    done = reported.at(2025, 12, 5).run(source=None)
    assert done.waiting == {"2025-11": "no sync has completed since 2025-12-04 00:00 UTC"}


def test_a_second_run_is_refused_and_leaves_no_trace(reported):
    """The run that goes on keeps its last-run.json to itself."""
    before = (reported.out / "last-run.json").read_bytes()
    with lock(reported.out), pytest.raises(LockHeld):
        reported.run()
    assert (reported.out / "last-run.json").read_bytes() == before


def test_a_run_that_is_asked_to_stop_says_so(reported):
    """130, and the archive and reports are as after any whole step."""
    import threading

    stop = threading.Event()
    stop.set()
    before = reported.bytes()
    with pytest.raises(Interrupted):
        reported.run(stop=stop)
    assert reported.last_run()["exit_code"] == 130
    assert reported.bytes() == before


def test_what_a_killed_run_left_is_removed(reported):
    """Unfinished folders go; anything of somebody else's stays."""
    (reported.out / ".2025-10-abc").mkdir()
    (reported.out / ".2025-10-abc" / "report.html").write_text("half")
    (reported.out / "notes").mkdir()
    reported.run()
    assert sorted(path.name for path in reported.out.iterdir()) == [
        "2025-09", "2025-10", "last-run.json", "lock", "notes",
    ]  # fmt: skip


def test_last_run_tells_counts_head_and_months(office):
    """What a monitor needs, in one file that is replaced whole."""
    office.records = [one for one in office.records if one[0].month == 1]
    office.at(2025, 2, 5).run()
    told = office.last_run()
    assert told["format"] == "auditlens.last-run/1"
    assert told["months_written"] == ["2025-01"]
    assert told["started_at"] == told["ended_at"] == "2025-02-05T00:00:00Z"
    assert told["counts"]["new"] == told["counts"]["verified"] == len(office.records)
    assert told["head"] == Archive(office.archive).head


def test_a_folder_inside_the_archive_is_refused(reported):
    """Nothing but evidence may stand there."""
    job = Job(Settings(archive=reported.archive), reported.archive / "out")
    with pytest.raises(UsageError, match="in the archive"):
        run_job(job)


def test_a_sync_that_misses_events_holds_a_report_back_for_a_while(reported):
    """After a week the report comes out and says that it is incomplete."""
    from dataclasses import replace

    due = datetime(2025, 12, 4, tzinfo=UTC)
    month = Period.parse("2025-11")
    status = replace(
        Archive(reported.archive).status(due), last_pull_at=due, last_outcome="incomplete"
    )
    job = Job(Settings(), reported.out, now=lambda: due + timedelta(days=1))
    assert "sync is incomplete" in not_yet(job, month, status)
    assert not not_yet(replace(job, now=lambda: due + INCOMPLETE_WAIT), month, status)


def test_two_commands_at_once_and_the_second_exits_6(reported):
    """The real command, with its message and without a traceback."""
    with lock(reported.out):
        began = time.monotonic()
        process = reported.start()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 6, told
    assert "Another run" in told
    assert time.monotonic() - began < 60


def test_a_report_is_told_once_and_a_receiver_that_is_down_is_told_later(reported, ear):
    """Exit 3, the message waits, and the next run delivers it; the report stands all the same."""
    reported.ear = ear
    right, ear.url = ear.url, "http://127.0.0.1:9/"
    done = reported.at(2025, 12, 5).run()
    assert (done.exit_code, done.months) == (3, ["2025-11"])
    assert list(done.undelivered) == ["2025-11 to team"]
    assert reported.last_run()["undelivered"] == done.undelivered
    ear.url = right
    assert reported.run().delivered == ["2025-11 to team"]
    assert reported.run().delivered == []
    assert [report for report, _ in ear.heard] == ["2025-11"]


def test_a_kill_between_message_and_report_loses_and_doubles_neither(reported, ear, monkeypatch):
    """What is told is queued first; it leaves when its report stands."""

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    reported.ear = ear
    reported.at(2025, 12, 5)
    with monkeypatch.context() as broken:
        broken.setattr("auditlens.monthly.job.write_folder", killed)
        with pytest.raises(Killed):
            reported.run()
    assert ear.heard == []
    assert len(list((reported.home / "outbox" / "waiting").iterdir())) == 1
    assert reported.run().months == ["2025-11"]
    assert [report for report, _ in ear.heard] == ["2025-11"]


def test_only_counts_levels_titles_and_ids_leave(reported, ear, rules):
    """No name, address or id of a person or a resource is in what was sent."""
    from auditlens.notify import notice_of
    from auditlens.settings import Target

    period = Period.parse("2025-10")
    audit = run_audit(Archive(reported.archive), load_rules(rules), period=period)
    columns = ("sender_id", "sender_name", "sender_email", "resource_id", "resource_title")
    names = {name for column in columns for name in audit.events[column].unique() if name}
    told = json.dumps(notice_of(audit, "2025-10", Target("team", "slack")))
    assert '"listed": [{' in told
    assert not [name for name in names if name in told]
    bare = notice_of(audit, "2025-10", Target("team", "slack", tell="levels"))
    assert "listed" not in bare
    full = json.dumps(notice_of(audit, "2025-10", Target("team", "slack", tell="identities")))
    assert [name for name in names if name in full]
    low = dataclasses.replace(audit, cases=audit.cases.filter(audit.cases["level"] != "critical"))
    assert notice_of(low, "2025-10", Target("team", "slack", level="critical")) is None


@pytest.mark.parametrize("identity", ["pseudonymous", "aggregate"])
def test_a_report_that_hides_people_is_written_once_too(reported, identity, monkeypatch):
    """What stands there is compared in the form it was made in."""
    monkeypatch.setenv("AUDITLENS_IDENTITY_KEY", "0123456789abcdef0123456789abcdef")
    settings = {"identity": identity}
    assert reported.at(2025, 12, 5).run(settings=settings).months == ["2025-11"]
    before = reported.bytes()
    assert reported.run(settings=settings).months == []
    assert reported.bytes() == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("a name"), 70), (MemoryError(), 70), (RecursionError(), 70),
        (PanicException("a name"), 70), (KeyError("a name"), 70),
        (KeyboardInterrupt(), 130), (BrokenPipeError(), 141),
    ],
)  # fmt: skip
def test_last_run_tells_of_a_fault_of_our_own(reported, monkeypatch, error, code):
    """Its exit code and type, and no value that the error holds."""

    def broken(*_):
        raise error

    monkeypatch.setattr("auditlens.monthly.job.report", broken)
    with pytest.raises(type(error)):
        reported.run()
    told = json.loads((reported.out / "last-run.json").read_bytes())
    assert told["exit_code"] == code
    assert (type(error).__name__ in told["error"]) is (code == 70)
    assert "a name" not in told["error"]
