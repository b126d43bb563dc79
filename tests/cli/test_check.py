"""``check`` and ``explain``: what is printed, and what the exit code says."""

from __future__ import annotations

import json

import pytest

import auditlens as al
from auditlens.findings import FINDING_SCHEMA

PERIOD = "2026-06"


def test_json_is_one_document_with_the_finding_fields(run, log_file):
    """A program reads one document whose findings have every field of the frame."""
    done = run("check", "--json", log_file, "--period", "2026-06-01..2026-06-30")
    document = json.loads(done.stdout)
    assert done.stdout.startswith('{\n  "')
    assert done.exit_code == 0
    assert document["schema_version"] == 1
    assert document["findings"]
    assert set(document["findings"][0]) == set(FINDING_SCHEMA)
    assert document["coverage"]["outcome"] == "unprovable"


@pytest.fixture(scope="module")
def found(short_log):
    """The findings of the log, as the library has them."""
    return al.run_audit(al.read_log(short_log), period=PERIOD).findings.to_dicts()


def test_the_table_names_the_records_and_breaks_no_id(run, short_log, found, terminal):
    """A finding's id and the first of its records stand on one line, with how many more."""
    terminal(120)
    shown = run("check", short_log, "--period", PERIOD, "--findings").stdout
    lines = [line for line in shown.splitlines() if line.startswith("F-")]
    assert {row["event_count"] > 1 for row in found} == {True, False}
    for line, row in zip(lines, found, strict=True):
        more = f" +{row['event_count'] - 1:,}" if row["event_count"] > 1 else ""
        assert line.startswith(f"{row['finding_id']}  {row['level']} ")
        assert f"{row['event_ids'][0][:8]}…{more} " in line


def test_a_narrow_terminal_gets_lines_in_place_of_a_table(run, short_log, found, terminal):
    """Id, level, what, who, when, why and the record's whole id, each finding apart."""
    terminal(119)
    lines = run("check", short_log, "--period", PERIOD, "--findings").stdout.splitlines()
    for number, row in enumerate(found):
        count = row["event_count"]
        events = f"{count:,} events" if count > 1 else "1 event"
        more = f" +{count - 1:,}" if count > 1 else ""
        first = f"{row['first_at']:%Y-%m-%d %H:%MZ}"
        assert lines[4 * number : 4 * number + 4] == [
            f"{row['finding_id']}  {row['level']}  {row['title']}",
            f"  {row['subject_label']}, {first}, {events}, new",
            f"  {row['reasons'][0]['text']}",
            f"  records: {row['event_ids'][0]}{more}",
        ]


def test_cases_are_what_a_terminal_shows(run, log_file, terminal):
    """Within eighty columns: id, level and state, headline, when; the counts by level come last."""
    terminal(80)
    lines = run("check", log_file, "--period", PERIOD).stdout.splitlines()
    audit = al.run_audit(al.read_log(log_file), period=PERIOD)
    waiting = audit.cases.filter("decide").to_dicts()
    heads = [line.split("  ")[0] for line in lines if line.startswith("C-")]
    assert heads[: len(waiting)] == [row["case_id"] for row in waiting]
    assert lines[0].startswith(f"{waiting[0]['case_id']}  {waiting[0]['level']}")
    assert lines[1].split()[:2] == waiting[0]["headline"].split()[:2]
    assert f"{len(waiting)} cases to decide: " in " ".join(lines[-2:])
    assert max(map(len, lines)) <= 80


def test_a_pipe_gets_one_line_of_fields_a_case(run, log_file):
    """Tab-separated: id, level, decide or observation, state, times, counts, account, headline."""
    done = run("check", log_file, "--period", PERIOD)
    audit = al.run_audit(al.read_log(log_file), period=PERIOD)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == audit.cases["case_id"].to_list()
    assert {len(row) for row in rows} == {10}
    assert {row[2] for row in rows} == {"decide", "observation"}
    assert " cases to decide: " in done.stderr.splitlines()[-1]


def test_fail_on_decides_the_exit_code(run, log_file):
    """Cases to decide at the level or above give 1; none give 0; findings count when asked for."""
    quiet = ("check", log_file, "--period", "2026-05-01..2026-05-01")
    assert run(*quiet, "--fail-on-finding", "low").exit_code == 0
    assert run("check", log_file, "--period", PERIOD, "--fail-on-finding", "low").exit_code == 1
    assert run("check", log_file, "--period", PERIOD, "--fail-on", "high").exit_code == 1
    assert run("check", log_file, "--period", "2026-05-01..2026-05-01",
               "--fail-on", "critical").exit_code == 0  # fmt: skip


def test_a_period_without_events_says_over_what(run, log_file):
    """No findings is told with the number of events and rules it stands on."""
    done = run("check", log_file, "--period", "2020-01")
    assert done.exit_code == 0
    assert "2020-01 (UTC): 0 findings from 0 events, " in done.stderr
    assert done.stdout == ""


def test_explain_shows_reasons_and_events(run, log_file):
    """A finding's id leads to its reasons and the events it rests on."""
    found = json.loads(run("check", "--json", log_file, "--period", PERIOD).stdout)["findings"]
    finding = next(one for one in found if one["kind"] == "rule")
    done = run("explain", finding["finding_id"], log_file, "--period", PERIOD)
    assert finding["reasons"][0]["text"][:20] in done.stdout
    assert finding["event_ids"][0][:8] in done.stdout


def test_the_same_run_gives_the_same_bytes(run, log_file):
    """Twice the same input is twice the same document."""
    one, two = (run("check", "--json", log_file, "--period", PERIOD).stdout for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "no-such-file.ndjson", "--period", PERIOD), "no-such-file.ndjson"),
        (("check", "--period", "soon"), "Invalid period 'soon'"),
        (("check", "--period", PERIOD), "auditlens sync"),
        (("check", "--period", PERIOD, "--timezone", "Mars"), "IANA"),
        (("verify", "--archive", "nowhere"), "auditlens sync"),
        (("explain", "F-NONE", "x.ndjson", "--period", PERIOD), "x.ndjson"),
    ],
)
def test_unusable_input_is_one_line_with_the_fix(run, arguments, told):
    """Every error names what was given and what would be right, and exits 2."""
    done = run(*arguments)
    assert done.exception is not None
    assert getattr(done.exception, "exit_code", None) == 2
    assert told in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_wrong_command_gets_the_nearest_name(run):
    """A typing error is answered with the command that was meant."""
    assert "Did you mean 'check'?" in run("chekc").output


def test_a_folder_of_something_else_is_no_clean_log(run, tmp_path):
    """A folder of settings files named by mistake: no event, seven unread files, exit 3."""
    for number in range(7):
        (tmp_path / f"{number}.json").write_text('{"name": "x", "version": 1}')
    done = run("check", tmp_path, "--period", PERIOD)
    assert done.exit_code == 3
    assert "0 events" in done.stderr
    assert "7 unreadable records" in done.stderr


@pytest.mark.parametrize("more", ["rubbish\n", '{"id": "x"}\n', '{"id": "x", "created'])
def test_input_that_is_partly_unread_is_exit_3(run, log_file, tmp_path, more):
    """One line that is no event is counted on the first screen and in the exit code."""
    path = tmp_path / "log.ndjson"
    path.write_text(log_file.read_text() + more)
    done = run("check", path, "--period", PERIOD)
    assert done.exit_code == 3
    assert "1 record quarantined" in done.stderr
    assert run("check", path, "--period", PERIOD, "--allow-gaps").exit_code == 0


@pytest.mark.parametrize("name", ["cut-emoji.ndjson", "nan.ndjson"])
def test_a_damaged_text_hides_no_deletion(run, shared_data, name, monkeypatch):
    """Half an emoji or NaN in a record changes no finding."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1793000000")  # after October 2026
    cases = shared_data / "cases"
    found = []
    for path in (cases / name, cases / "cut-emoji-control.ndjson"):
        done = run("check", path, "--period", "2026-10", "--fail-on", "low", "--json")
        assert done.exit_code == 1
        rows = json.loads(done.stdout)["findings"]
        found.append([(row["rule_id"], row["level"], row["event_count"]) for row in rows])
    assert found[0] == found[1]
    assert found[0]


OKTA = """
title: A Policy Was Changed
id: 8e6ba0b5-4d2c-4d53-9a63-2f6ce0a7f9d1
name: policy_changed
logsource: {product: okta, service: okta}
detection: {s: {eventtype: policy.update}, condition: s}
level: low
"""


def test_rules_of_another_product_are_counted_and_said_to_judge_nothing(run, tmp_path):
    """A log that no rule is about is not reported as one without findings."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "okta.yml").write_text(OKTA)
    (tmp_path / "log.ndjson").write_text(
        '{"id": "a", "created_at": "2026-06-02T06:40:28Z", "event": "resource_viewed"}\n'
    )
    shown = run("check", "log.ndjson", "--period", PERIOD, "--rules", "mine").output
    assert "1 event: 100 % by their verb only." in shown
    assert "Not judged by rules: no rule for product secoda was loaded." in shown
    assert "Not run: 1 rule for other products." in shown
