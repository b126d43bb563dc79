"""The command itself: its flags, its settings, and the monitors it asks."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def january(office, ear):
    """A month of records, and the monitors in the environment."""
    office.records = [one for one in office.records if one[0].month == 1]
    return office.at(2025, 2, 5)


def beats(ear) -> dict[str, str]:
    return {
        "AUDITLENS_HEARTBEAT_START": f"{ear.url}start",
        "AUDITLENS_HEARTBEAT": f"{ear.url}ok",
        "AUDITLENS_HEARTBEAT_FAIL": f"{ear.url}fail",
    }


def test_flags_say_how_the_report_is_made_and_the_monitors_hear_of_it(january, ear):
    """Identities hidden, one more form, other rules, another folder, another journal."""
    home = january.home
    (home / "decisions.yml").write_text("")
    process = january.start(
        "--identity", "pseudonymous", "--also", "ndjson", "--out", str(home / "elsewhere"),
        "--journal", str(home / "decisions.yml"), "--rules", str(january.rules / "looked.yml"),
        **beats(ear), AUDITLENS_IDENTITY_KEY="0123456789abcdef0123456789abcdef",
        AUDITLENS_OWN_RULES=str(january.rules / "worked.yml"),
    )  # fmt: skip
    out, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    folder = home / "elsewhere" / "2025-01"
    assert out.strip() == str(folder)
    record = json.loads((folder / "record.json").read_bytes())
    assert record["making"]["identity"] == "pseudonymous"
    assert set(record["rules"]) == {"actions.yml", "rules/looked.yml"}
    assert list(folder.glob("*.ndjson"))
    assert ear.beats == ["/start", "/ok"]
    assert json.loads((home / "elsewhere" / "last-run.json").read_bytes())["exit_code"] == 0


def test_a_failed_run_is_told_to_the_monitor_of_failures(january, ear):
    """Whatever the failure: here the key is refused, and then the settings are wrong."""
    process = january.start("--quiet", **beats(ear), SECODA_API_KEY="wrong")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 4, told
    process = january.start("--quiet", "--rules", "nowhere.yml", **beats(ear))
    process.communicate(timeout=120)
    assert process.returncode == 2
    assert ear.beats == ["/start", "/fail", "/start", "/fail"]
