"""A year of monthly runs with every kind of fault ends like a faultless one."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from auditlens.archive import Archive
from auditlens.audit import run_audit
from auditlens.report import Report, review_of
from auditlens.rules import load_rules
from auditlens.settings import Settings
from auditlens.sources import SecodaSource
from auditlens.triage import add_entry, read_journal
from tests.secoda import Workspace

DAYS = [*((2025, month, 5) for month in range(2, 13)), (2026, 1, 5)]
AUTUMN = DAYS[-3:]
MISSED = {(2025, 4, 5), (2025, 7, 5), (2025, 8, 5), (2025, 12, 5)}
FAULTS = ("killed", "down", "two at once")


@pytest.fixture
def other(tmp_path, office):
    """A second office of the same workspace."""
    home = tmp_path / "other"
    home.mkdir()
    return replace(office, home=home, told=[])


def suffer(fault: str, office, chance: random.Random) -> None:
    """One run that goes wrong, or two that meet."""
    if fault == "killed":
        process = office.start("--quiet")
        time.sleep(chance.uniform(0.3, 3.0))
        process.kill()
        process.communicate()
    elif fault == "down":
        name = SecodaSource(office.server.url, office.server.key, api="current").name
        done = office.run(source=lambda: Workspace(name=name, down="The network is down"))
        assert done.exit_code == 3
    else:
        both = [office.start("--quiet"), office.start("--quiet")]
        told = [process.communicate()[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, 0], [0, 6]), told


def decide(office) -> None:
    """Decide the first finding of each report that has none decided yet, at a time of its own."""
    path = office.home / "triage.yml"
    known = {one.finding for one in read_journal(path).dispositions}
    for folder in sorted(office.out.glob("2*")):
        found = pl.read_parquet(folder / "findings.parquet")["finding_id"].sort()
        if len(found) and found[0] not in known:
            add_entry(path, {
                "finding": found[0], "as": "benign", "by": "Ana Birch",
                "reason": f"expected in {folder.name}", "at": f"{folder.name}-28T09:00:00Z",
            })  # fmt: skip


def final_report(office, month: str) -> dict[str, bytes]:
    """The files of a month's report in every form, made anew at the end from archive and journal.

    Of the manifest, what is said of ``collection.json``, where the pulls are, and of the archive's
    head is left out: a year with faults has other pulls. Every other file is whole.
    """
    settings = Settings(archive=office.archive, rules=office.rules)
    now = datetime(2026, 2, 1, tzinfo=UTC)
    audit = run_audit(Archive(office.archive), load_rules(office.rules), period=month,
                      settings=settings, now=now)  # fmt: skip
    files = dict(Report(audit, review=review_of(audit)).files(["ndjson", "ocsf", "oscal"]))
    pulls = json.loads(files.pop("collection.json"))["pulls"]
    assert pulls
    listed = json.loads(files["manifest.json"])
    assert listed.pop("archive_head") == Archive(office.archive).head
    listed["files"] = [one for one in listed["files"] if one["name"] != "collection.json"]
    return files | {"manifest.json": json.dumps(listed).encode()}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("days", "count", "seed"),
    [(AUTUMN, 3, 1), *(pytest.param(DAYS, 40, n, marks=pytest.mark.slow) for n in (2, 3))],
)
def test_a_year_with_faults_ends_like_a_faultless_one(office, other, ear, days, count, seed):
    """Killed, network down, two at once, missed months, late events.

    The same reports with the same events and findings, nothing amended, each told once; and at
    the end every file of every report, made anew with the decisions of the year, is the same.
    """
    chance = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    first = datetime(days[0][0], days[0][1] - 1, 1, tzinfo=UTC)
    records = [one for one in office.records if one[0] >= first]
    late = frozenset(raw for _, raw in chance.sample(records, len(records) // 20))
    office.records, office.late = records, late
    other.records, other.late, other.ear = records, late, ear
    # Each fault once at least.
    faults = [*FAULTS, *chance.choices(FAULTS, k=count - len(FAULTS))]
    met = sorted((chance.choice([day for day in days if day not in MISSED]), f) for f in faults)
    for day in days:
        office.at(*day).run()
        decide(office)
        if day in MISSED:
            continue
        other.at(*day)
        for _, fault in (one for one in met if one[0] == day):
            print(f"{fault} on {day}")  # noqa: T201
            suffer(fault, other, chance)
        other.run()
        decide(other)

    expected = office.reports()
    assert len(expected) == len(days)
    assert other.reports() == expected
    assert len({found for _, _, found in expected.values()}) == len(days)
    heard = {(report, key) for report, key in ear.heard if not report.startswith("C-")}
    assert {report for report, _ in heard} == set(expected)
    assert len(heard) == len(expected)
    assert read_journal(other.home / "triage.yml").digest == (
        read_journal(office.home / "triage.yml").digest
    )
    for month in expected:
        found, faultless = final_report(other, month), final_report(office, month)
        assert found.keys() == faultless.keys() >= {"report.html", "findings.json", "rules.csv"}
        assert [name for name in found if found[name] != faultless[name]] == []
    assert sorted(path.name for path in other.out.iterdir()) == sorted(
        [*expected, "last-run.json", "lock"]
    )
