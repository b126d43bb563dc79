"""The same day: ``run`` tells of cases that are new, raised or reopened, once for each change."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime

import pytest

from auditlens.audit import run_audit
from auditlens.cases import is_to_decide
from auditlens.triage import add_entry, ledger_path, read_ledger

LEVEL = {"alert_level": "medium"}


@pytest.fixture
def watched(office, ear):
    """A workspace on 10 January, its receiver listening."""
    office.ear = ear
    return office.at(2025, 1, 10)


def cases_heard(office) -> list[tuple[str, str]]:
    return [(name, key) for name, key in office.ear.heard if name.startswith("C-")]


def audit_of(office):
    settings = {"archive": office.archive, "rules": office.rules}
    from auditlens.settings import Settings

    return run_audit(office.archive, period="2025-01", settings=Settings(**settings),
                     now=office.now)  # fmt: skip


def test_a_case_is_told_on_the_day_it_is_pulled_and_once(watched):
    """Each case to decide at the level leaves in the run that pulled it; the next is quiet."""
    done = watched.run(settings=LEVEL)
    waiting = audit_of(watched).cases.filter(is_to_decide())["case_id"].to_list()
    assert sorted(done.alerts) == sorted(waiting)
    assert sorted(name for name, _ in cases_heard(watched)) == sorted(f"{x}.1" for x in waiting)
    assert watched.last_run()["alerts"] == done.alerts
    again = watched.at(2025, 1, 10).run(settings=LEVEL)
    assert again.alerts == []
    assert len(cases_heard(watched)) == len(waiting)


def test_below_the_level_nothing_leaves(watched):
    """The level of the settings decides; a day without a case is silent."""
    assert watched.run(settings={"alert_level": "critical"}).alerts == []
    assert cases_heard(watched) == []


def test_a_case_of_more_of_the_same_is_not_told_again(watched):
    """It grows day by day under its id, and each change of level or kind is told once."""
    watched.run(settings=LEVEL)
    for day in range(11, 20):
        watched.at(2025, 1, day).run(settings=LEVEL)
    heard = cases_heard(watched)
    assert len(heard) == len(set(heard))
    lines = read_ledger(ledger_path(watched.home / "triage.yml")).lines
    told = [one for one in lines if one.by == "message"]
    assert {f"{one.case}.1" for one in told} <= {name for name, _ in heard}


def test_a_decided_case_is_quiet_until_it_is_reopened(watched):
    """After a decision a new kind of finding is told as reopened; more of the same is not."""
    watched.run(settings=LEVEL)
    row = audit_of(watched).cases.filter(is_to_decide()).to_dicts()[0]
    members = row["finding_ids"]
    add_entry(watched.home / "triage.yml", {
        "case": row["case_id"], "findings": members, "rules": ["x"] * len(members),
        "as": "benign", "by": "bo", "reason": "planned", "at": "2025-01-10T01:00:00Z",
    })  # fmt: skip
    before = len(cases_heard(watched))
    assert row["case_id"] not in watched.at(2025, 1, 10).run(settings=LEVEL).alerts
    assert len(cases_heard(watched)) == before


def test_a_run_that_is_killed_tells_again_under_the_same_id(watched):
    """Killed at any point, the next run leaves no case untold, and repeats carry their id."""
    for wait in (1.2, 2.0, 2.8):
        process = watched.start()
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    watched.run(settings=LEVEL)
    waiting = set(audit_of(watched).cases.filter(is_to_decide())["case_id"])
    heard = cases_heard(watched)
    assert {name.partition(".")[0] for name, _ in heard} == waiting
    assert len({key for _, key in heard}) == len({name for name, _ in heard})


def test_the_day_that_goes_on_is_judged_by_rules_alone(watched):
    """The model scores no day before it is over, and the audit says so."""
    watched.run()
    watched.now = datetime(2025, 1, 9, 15, tzinfo=UTC)
    audit = audit_of(watched)
    assert audit.sender_days["day"].max() < watched.now.date()
    assert audit.findings["last_at"].max().date() == watched.now.date()
    assert audit.model["notes"][0].startswith("2025-01 goes on: 2025-01-08 is the last day")


def test_a_weekly_digest_lists_what_waits_once_a_week(watched):
    """On the first run of an ISO week, when there is something; seven runs send one."""
    for day in range(10, 16):
        watched.at(2025, 1, day).run(settings={"alert_level": "critical", "digest": "weekly"})
    assert [name for name, _ in watched.ear.heard if "digest" in name] == [
        "digest-2025-W02", "digest-2025-W03",
    ]  # fmt: skip


def test_without_a_receiver_no_case_counts_as_told(office):
    """The ledger says what people were told, so nobody listening leaves it empty."""
    done = office.at(2025, 1, 10).run(settings=LEVEL)
    assert done.alerts == []
    assert not ledger_path(office.home / "triage.yml").exists()


def test_a_message_names_nobody_unless_told_to(watched):
    """By default: titles, level, counts and the command; the headline only for identities."""
    watched.run(settings=LEVEL)
    sent = [json.loads(one.read_text()) for one in (watched.home / "outbox" / "sent").iterdir()]
    assert {one["format"] for one in sent} == {"auditlens.receipt/1"}
    names = set(audit_of(watched).events["sender_name"].drop_nulls())
    assert names
    for body in watched.ear.bodies:
        assert not any(name in json.dumps(body) for name in names)
        if body["report"].startswith("C-"):
            assert body["explain"] == f"auditlens explain {body['case']} --period 2025-01"
