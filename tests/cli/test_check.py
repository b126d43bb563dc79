"""``check`` and ``explain``: what is printed, and what the exit code says."""

from __future__ import annotations

import json

import pytest

from auditlens.findings import FINDING_SCHEMA

PERIOD = "2026-06"


def test_json_is_one_document_with_the_finding_fields(run, log_file):
    """A program reads one document whose findings have every field of the frame."""
    done = run("check", "--json", log_file, "--period", "2026-06-01..2026-06-30")
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert document["schema_version"] == 1
    assert document["findings"]
    assert set(document["findings"][0]) == set(FINDING_SCHEMA)
    assert document["coverage"]["outcome"] == "unprovable"


def test_fail_on_decides_the_exit_code(run, log_file):
    """Findings at the level or above give 1; none give 0."""
    assert run("check", log_file, "--period", PERIOD, "--fail-on", "high").exit_code == 1
    assert run("check", log_file, "--period", "2026-05-01..2026-05-01",
               "--fail-on", "critical").exit_code == 0  # fmt: skip


def test_a_period_without_events_says_over_what(run, log_file):
    """No findings is told with the number of events and rules it stands on."""
    done = run("check", log_file, "--period", "2020-01")
    assert done.exit_code == 0
    assert "0 findings in 2020-01 (UTC): 0 events, " in done.stdout


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
        (("check", "--period", "soon"), "Write a month"),
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
