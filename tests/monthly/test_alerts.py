"""The same day: ``run`` tells of cases that are new, raised or reopened, once for each change."""

from __future__ import annotations

import json
import random
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from auditlens.audit import run_audit
from auditlens.cases import is_to_decide
from auditlens.settings import Settings
from auditlens.triage import add_entry, ledger_path, read_ledger, untold

START = datetime(2025, 1, 1, tzinfo=UTC)
LEVEL = {"alert_level": "medium"}


@pytest.fixture
def watched(office, ear):
    """A workspace on 10 January, its receiver listening."""
    office.ear, office.level = ear, "medium"
    return office.at(2025, 1, 10)


def cases_heard(office) -> list[tuple[str, str]]:
    return [(name, key) for name, key in office.ear.heard if name.startswith("C-")]


def audit_of(office, period: str = "2025-01"):
    settings = Settings(archive=office.archive, rules=office.rules)
    return run_audit(office.archive, period=period, settings=settings, now=office.now)


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


def test_what_no_receiver_asked_for_does_not_count_as_told(watched):
    """A receiver of critical cases alone hears of none, and none is noted as told."""
    watched.target = {"level": "critical"}
    assert watched.run(settings=LEVEL).alerts == []
    assert not ledger_path(watched.home / "triage.yml").exists()
    watched.target = {}
    assert watched.run(settings=LEVEL).alerts != []


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
        kill_after(watched, wait)
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


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("days", "seed"), [(12, 1), pytest.param(364, 2, marks=pytest.mark.slow)])
def test_daily_runs_with_faults_tell_of_every_case_and_change_once(office, ear, days, seed):
    """Killed, doubled and missed runs, late events, decisions in between.

    Each change of a case reaches the receiver, a repeat only under its own id; the ledger says
    exactly what was told, and at the end no case to decide is untold.
    """
    office.ear, office.level = ear, "medium"
    chance = random.Random(seed)
    records = office.records[: sum(at < START + timedelta(days=days) for at, _ in office.records)]
    office.late = frozenset(raw for _, raw in chance.sample(records, len(records) // 10))
    for day in range(2, days):
        office.now = START + timedelta(days=day)
        office.list(records)
        fault = chance.choice(["none", "none", "killed", "doubled", "missed"])
        if fault == "killed":
            kill_after(office, chance.uniform(0.3, 3.0))
        elif fault == "doubled":
            for process in [office.start("--quiet"), office.start("--quiet")]:
                process.communicate()
        elif fault == "none":
            office.run(settings=LEVEL)
        if day % 9 == 0:
            decide_one(office)
    office.now = START + timedelta(days=days + 3)
    office.list(records)
    office.run(settings=LEVEL)

    heard = cases_heard(office)
    assert heard
    by_name = {name: {key for other, key in heard if other == name} for name, _ in heard}
    assert all(len(keys) == 1 for keys in by_name.values())
    ledger = read_ledger(ledger_path(office.home / "triage.yml"))
    told: dict[str, int] = {}
    for one in ledger.lines:
        if one.by == "message":
            told[one.case] = told.get(one.case, 0) + 1
    assert set(by_name) == {
        f"{case}.{n}" for case, count in told.items() for n in range(1, count + 1)
    }
    assert list((office.home / "outbox" / "waiting").iterdir()) == []
    label = f"{office.now:%Y-%m}"
    audit = audit_of(office, label)
    assert untold(audit.cases, audit.ledger, by="message").is_empty()


def kill_after(office, seconds: float) -> None:
    """Start the command and kill it, if it is not done before."""
    process = office.start("--quiet")
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


def decide_one(office) -> None:
    """Decide the first case of the month that waits."""
    audit = audit_of(office, f"{office.now:%Y-%m}")
    waiting = audit.cases.filter(is_to_decide()).to_dicts()
    if not waiting:
        return
    row = waiting[0]
    rules = dict(audit.findings.select("finding_id", "rule_id").iter_rows())
    add_entry(office.home / "triage.yml", {
        "case": row["case_id"], "findings": row["finding_ids"],
        "rules": [rules[name] for name in row["finding_ids"]], "as": "benign", "by": "bo",
        "reason": "planned", "at": f"{office.now:%Y-%m-%dT%H:%M:%SZ}",
    })  # fmt: skip
