"""The triage and exceptions commands, as a person or a script uses them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from auditlens.cli import auditlens
from auditlens.resources import rules_folder
from auditlens.simulator import simulate
from auditlens.triage import read_journal

MONTH = "2026-05"


@pytest.fixture(scope="session")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty simulated days of four people."""
    path = tmp_path_factory.mktemp("small") / "log.ndjson"
    workspace = simulate(7, people=4, services=0, resources=30, days=40, end=date(2026, 6, 1),
                         incidents={"mass_delete": 1}, incident_days=(20, 35))  # fmt: skip
    workspace.write_ndjson(path, "legacy")
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITLENS_RULES", str(rules_folder() / "secoda" / "privilege"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(auditlens, [str(a) for a in arguments])

    return call


def findings(run, log: Path, *more: object) -> dict:
    done = run("check", log, "--period", MONTH, "--journal", "triage.yml", "--json", *more)
    return json.loads(done.stdout)


def decide(run, log: Path, name: str, verdict: str = "true-positive", *more: object) -> Result:
    return run("triage", name, log, "--period", MONTH, "--journal", "triage.yml", "--as", verdict,
               "--reason", "seen", "--by", "Ana", *more)  # fmt: skip


def test_a_decision_about_a_case_is_written_carried_over_and_counted(run, small_log):
    """One line in the journal decides its findings; --new leaves out what was shown."""
    before = findings(run, small_log)
    case = before["cases"][0]
    done = decide(run, small_log, case["case_id"], "true-positive", "--ticket", "SEC-7")
    assert done.exit_code == 0, done.output
    assert f"{case['case_id']}: true positive, by Ana" in done.output
    waiting = sum(one["decide"] for one in before["cases"])
    assert f"{waiting - 1} cases awaiting review in {MONTH}" in done.output
    assert Path("triage.yml").read_text().count("\n- {") == 1
    after = findings(run, small_log)
    same = next(one for one in after["cases"] if one["case_id"] == case["case_id"])
    assert (same["state"], same["disposition"]) == ("decided", "true positive")
    inside = [one for one in after["findings"] if one["case_id"] == case["case_id"]]
    assert {one["disposition"] for one in inside} == {"true positive"}
    fresh = findings(run, small_log, "--new")
    assert case["case_id"] not in {one["case_id"] for one in fresh["cases"]}
    assert fresh["cases_total"] == len(before["cases"])
    assert "case ledger" not in done.output
    assert case["case_id"] in Path("cases.ndjson").read_text()


def test_a_single_finding_can_be_decided_in_its_case(run, small_log):
    """The case stays to decide until its last finding is decided."""
    found = findings(run, small_log)
    case = next(one for one in found["cases"] if one["decide"] and len(one["finding_ids"]) > 1)
    for at, name in enumerate(case["finding_ids"], 1):
        assert decide(run, small_log, name).exit_code == 0
        now = {one["case_id"]: one["state"] for one in findings(run, small_log)["cases"]}
        last = at == len(case["finding_ids"])
        assert now[case["case_id"]] == ("decided" if last else "new")


def test_what_an_exception_expects_neither_fails_nor_vanishes(run, small_log):
    """It is counted by exception and printed; --fail-on looks at the rest."""
    levels = {f["level"] for f in findings(run, small_log)["findings"]}
    assert levels
    subjects = {(f["subject_kind"], f["subject_id"]) for f in findings(run, small_log)["findings"]}
    lines = [
        f'- {{exception: X-{n}, {kind}: "{subject}", owner: ana, approver: bo, reason: test, '
        "at: 2026-05-01T00:00:00Z, until: 2027-04-30}\n"
        for n, (kind, subject) in enumerate(sorted(subjects))
    ]
    Path("triage.yml").write_text("".join(lines), encoding="utf-8")
    held = findings(run, small_log)
    assert all(f["exception_id"] for f in held["findings"])
    assert sum(one["hidden"] for one in held["exceptions"]) == len(held["findings"])
    done = run("check", small_log, "--period", MONTH, "--journal", "triage.yml",
               "--fail-on", "informational")  # fmt: skip
    assert done.exit_code == 0
    assert f"Hidden by exceptions: {len(held['findings'])}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["F-AAAAAAAAAA", "--as", "benign"], "A decision needs --as, --reason and --by"),
        (["C-AAAAAAAAAA", "--as", "benign"], "A decision needs --as, --reason and --by"),
        (["--as", "benign"], "--as needs the case it is about"),
    ],
)
def test_a_decision_without_its_parts_is_refused(run, small_log, arguments, told):
    """Nothing is written, and the message says what is missing."""
    done = run("triage", *arguments, small_log, "--period", MONTH, "--journal", "triage.yml")
    assert told in str(done.exception)
    assert not Path("triage.yml").exists()


@pytest.mark.parametrize(("name", "kind"), [("F-AAAAAAAAAA", "finding"), ("C-AAAAAAAAAA", "case")])
def test_what_is_not_there_is_refused(run, small_log, name, kind):
    """A decision about nothing would be silent."""
    done = decide(run, small_log, name)
    assert f"No {kind} '{name}'" in str(done.exception)
    assert not Path("triage.yml").exists()


def test_without_a_terminal_the_open_findings_are_listed(run, small_log):
    """A script never hangs on a question."""
    done = run("triage", small_log, "--period", MONTH, "--journal", "triage.yml")
    assert done.exit_code == 0, done.output
    assert f"awaiting review in {MONTH}" in done.stdout


def test_what_is_open_comes_as_one_document(run, small_log):
    """For a program; it decides nothing."""
    say = ("--period", MONTH, "--journal", "triage.yml", "--json")
    told = json.loads(run("triage", small_log, *say).stdout)
    assert told["schema_version"] == 1
    assert {one["state"] for one in told["open"]} == {"new"}
    assert {one["case_id"] for one in told["findings"]} == {x["case_id"] for x in told["open"]}
    refused = run("triage", told["open"][0]["case_id"], small_log, *say, "--as", "benign",
                  "--reason", "x", "--by", "Ana")  # fmt: skip
    assert "decides nothing" in str(refused.exception)


def test_an_exception_needs_a_scope_and_two_people(run):
    """Refused before any month is looked at."""
    base = ["exceptions", "add", "--owner", "ana", "--reason", "why"]
    done = run(*base, "--approver", "bo")
    assert "would hide everything" in str(done.exception)
    done = run(*base, "--approver", "Ana ", "--sender", "u-1")
    assert "Owner and approver are the same" in str(done.exception)
    done = run(*base, "--approver", "bo", "--sender", "*")
    assert "would hide everything" in str(done.exception)
    done = run(*base, "--approver", "bo", "--sender", "u-1", "--until", "2030-01-01")
    assert "not within 365 days" in str(done.exception)
    assert not Path("triage.yml").exists()


def test_exceptions_are_listed_and_checked(run):
    """Ended ones stay; one that needs a look makes the exit code 1."""
    Path("triage.yml").write_text(
        "- {exception: X-old, sender: u-1, owner: ana, approver: bo, reason: why, "
        "at: 2026-01-01T00:00:00Z, until: 2026-02-01}\n"
        "- {exception: X-typo, rule: sender-dayz, owner: ana, approver: bo, reason: why, "
        "at: 2026-09-01T00:00:00Z, until: 2027-02-01}\n",
        encoding="utf-8",
    )
    listed = json.loads(run("exceptions", "list", "--json").stdout)["exceptions"]
    assert [one["status"][:5] for one in listed] == ["ended", "no ru"]
    done = run("exceptions", "check")
    assert done.exit_code == 1
    assert "did you mean 'sender-day'?" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_the_walk_takes_one_key_a_case(small_log, tmp_path):
    """On a pseudo-terminal: help, benign with a reason by one key, skip, quit."""
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "auditlens", "triage", str(small_log), "--period", MONTH,
               "--journal", "triage.yml", "--by", "Ana", "-q"]  # fmt: skip
    environment = {**os.environ, "TERM": "dumb", "SOURCE_DATE_EPOCH": "1790000000"}
    with subprocess.Popen(command, cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave,
                          env=environment) as process:  # fmt: skip
        os.close(slave)
        shown = talk(master, [(b"[?]", b"?"), (b"q  quit", b"b"),
                              (b"o  another", b"1"), (b"Ticket", b"\r"),
                              (b"[?]", b"s"), (b"[?]", b"q")])  # fmt: skip
        assert process.wait(timeout=60) == 0, shown
    os.close(master)
    decided = read_journal(tmp_path / "triage.yml").dispositions
    told = {(one.case[:2], one.verdict, one.reviewer, one.reason) for one in decided}
    assert told == {("C-", "benign", "Ana", "planned work")}
    assert b"1 of " in shown
    assert b"awaiting review" in shown


def test_the_walk_offers_to_mute_where_it_teaches(run, small_log, monkeypatch):
    """One key and a day, 90 days at most by default; a day the journal refuses is asked again."""
    say = ("--period", MONTH, "--journal", "triage.yml")
    told = json.loads(run("triage", small_log, *say, "--json").stdout)
    rule = {one["finding_id"]: one["rule_id"] for one in told["findings"]}
    mutable = [
        any(rule[name] in ("sender-day", "identity") for name in one["finding_ids"])
        for one in told["open"]
    ]
    at = mutable.index(True)

    class Terminal:
        stdin = sys.stdin
        isatty = staticmethod(lambda: True)

    Terminal.stdin = Terminal
    monkeypatch.setattr("auditlens.cli.triage.sys", Terminal)
    # Who reviews is asked once, and only when there is something to decide.
    typed = "s" * at + "mAna\nonew task\n\n2030-01-01\nm1\n\n\nq"
    done = CliRunner().invoke(auditlens, ["triage", str(small_log), *say, "-q"], input=typed)
    assert done.exit_code == 0, done.output
    assert "not within 365 days" in done.stderr
    assert done.stderr.count("Reviewer (recorded with each decision)") == 1
    offers = [line for line in done.stderr.splitlines() if line.startswith("[t]rue")]
    assert ["[m]ute" in line for line in offers[: at + 1]] == mutable[: at + 1]
    decided = read_journal(Path("triage.yml")).dispositions
    assert {(one.verdict, one.reviewer, one.reason) for one in decided} == {
        ("benign", "Ana", "planned work")
    }
    assert {one.until - one.at.date() for one in decided if one.family} == {timedelta(days=90)}


def talk(master: int, script: list[tuple[bytes, bytes]]) -> bytes:
    """Wait for each text in turn and answer it; then read to the end.

    A key pressed just before the program listens for keys is dropped by the terminal, so a
    single key is pressed again when nothing follows.
    """
    shown, seen, pressed = b"", 0, b""
    for wanted, answer in script:
        while wanted not in shown[seen:]:
            if select.select([master], [], [], 3)[0]:
                shown += os.read(master, 4096)
            elif pressed:
                os.write(master, pressed)
        seen = shown.index(wanted, seen) + len(wanted)
        pressed = answer if len(answer) == 1 else b""
        os.write(master, answer)
    try:
        while True:
            if select.select([master], [], [], 3)[0]:
                shown += os.read(master, 4096)
            else:
                os.write(master, pressed)
    except OSError:
        return shown


def test_a_second_thought_within_the_same_second_counts(run, small_log):
    """The clock may stand still; the later of two decisions still wins."""
    name = findings(run, small_log)["findings"][0]["finding_id"]
    for verdict in ("true-positive", "benign"):
        run("triage", name, small_log, "--period", MONTH, "--journal", "triage.yml", "--as",
            verdict, "--reason", "seen", "--by", "Ana")  # fmt: skip
    held = {f["finding_id"]: f["disposition"] for f in findings(run, small_log)["findings"]}
    assert held[name] == "benign"


def test_a_benign_anomaly_can_be_muted_until_a_day_and_nothing_else_can(run, small_log):
    """The journal gets family and day; a rule's finding is refused with what would be right."""
    found = findings(run, small_log)["findings"]
    say = ("--period", MONTH, "--journal", "triage.yml", "--as", "benign", "--reason", "new task",
           "--by", "Ana", "--mute-until", "2026-12-31")  # fmt: skip
    rule = next(one for one in found if one["kind"] == "rule")
    refused = run("triage", rule["finding_id"], small_log, *say)
    assert "only a benign anomaly of a sender can be muted" in str(refused.exception)
    assert not Path("triage.yml").exists()
    about = ("anomaly", "sender")
    one = next(one for one in found if (one["kind"], one["subject_kind"]) == about)
    done = run("triage", one["finding_id"], small_log, *say)
    family = one["reasons"][0]["family"]
    assert f"{family} is muted until 2026-12-31" in done.output
    assert f'family: "{family}", until: "2026-12-31"' in Path("triage.yml").read_text()
