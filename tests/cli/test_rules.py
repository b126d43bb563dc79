"""``rules``: what is shipped, what it means, and whether it can be trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlens.archive import Archive
from auditlens.simulator import serve, simulate
from auditlens.sources import SecodaSource

NAME = "correlation_secoda_mass_deletion"


def test_the_shipped_rules_are_listed_with_their_number(run):
    """The list ends with how many there are and how many are on."""
    done = run("rules", "list")
    assert NAME in done.output
    assert "rules, " in done.output.splitlines()[-1]


def test_a_rule_is_shown_as_written_and_explained_in_english(run):
    """The auditor reads the document; the analyst reads the sentence."""
    assert run("rules", "show", NAME).output.startswith("title: Mass Deletion")
    assert "at least 20" in run("rules", "explain", NAME).output


def test_an_unknown_rule_gets_the_nearest_name(run):
    """A typing error is answered with the rule that was meant."""
    done = run("rules", "explain", "correlation_secoda_mas_deletion")
    assert NAME in str(done.exception)


def test_a_rule_of_ones_own_is_explained_where_it_stands(run, tmp_path: Path, monkeypatch):
    """By --rules or by the settings; else the refusal says how. A path after the name is old."""
    monkeypatch.chdir(tmp_path)
    run("rules", "new", "our_first_try")
    for command in ("explain", "show"):
        assert "--rules rules" in run("rules", command, "our_first_try").exception.fix
        given = run("rules", command, "our_first_try", "--rules", "rules")
        assert "Our First Try" in given.stdout
        assert given.stderr == ""
        old = run("rules", command, "our_first_try", "rules")
        assert old.stdout == given.stdout
        assert "deprecated" in old.stderr
    (tmp_path / "auditlens.toml").write_text('own_rules = "rules"\n')
    assert "Our First Try" in run("rules", "explain", "Our First Try").stdout


@pytest.mark.parametrize("product", ["secoda", "cloudtrail"])
def test_the_shipped_rules_have_no_fault(run, product: str):
    """What is shipped passes its own check."""
    assert run("rules", "check", "--product", product, "--fail-on", "warning").exit_code == 0


def test_every_fault_of_a_folder_is_told_and_fails(run, tmp_path: Path):
    """All broken rules are named with their lines, in every format."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.yml").write_text("title: x\ntitle: y\n")
    done = run("rules", "check", folder)
    assert done.exit_code == 1
    assert "one.yml:2:1:" in done.output
    assert "two.yml:2:1:" in done.output
    sarif = json.loads(run("rules", "check", folder, "--format", "sarif").output)
    assert len(sarif["runs"][0]["results"]) == 2


def test_a_new_rule_passes_its_own_tests(run, tmp_path: Path):
    """What is drafted is a working start, with tests beside it."""
    done = run("rules", "new", "secoda_first_try", "--folder", tmp_path / "mine")
    assert done.exit_code == 0
    tested = run("rules", "test", tmp_path / "mine")
    assert tested.exit_code == 0
    assert "0 failed" in tested.output


def test_a_failing_test_shows_which_part_was_false(run, tmp_path: Path):
    """The author sees the leaf that did not hold."""
    folder = tmp_path / "mine"
    run("rules", "new", "secoda_first_try", "--folder", folder)
    rule = folder / "secoda_first_try.yml"
    text = rule.read_text()
    rule.write_text(text.replace("action: ", "action: never_such_", 1))
    done = run("rules", "test", folder)
    assert done.exit_code == 1
    assert "false" in done.output


def test_the_map_of_techniques_is_a_navigator_layer(run):
    """The layer can be opened in ATT&CK Navigator."""
    layer = json.loads(run("rules", "coverage", "--navigator").output)
    assert layer["techniques"]


def test_a_backtest_counts_findings_by_week(run, log_file: Path):
    """Before a rule is switched on, one sees how often it would have spoken."""
    done = run("rules", "backtest", "--since", "2026-05-01", log_file, "--json")
    assert json.loads(done.output)["weeks"]


ROLE = """\
title: Somebody of a Role Did Something
id: 0b8a3f0e-64b0-4b1e-8f39-1d7f5f0f7a11
name: somebody_of_a_role
logsource:
    product: secoda
    service: audit
detection:
    selection:
        sender.role|exists: true
    condition: selection
level: low
"""


def test_a_backtest_reads_what_the_directory_knew(run, tmp_path: Path):
    """As a check does: of a day before the events the marks are joined, else the rule is blind."""
    workspace = simulate(9, people=12, services=1, resources=80, teams=2, days=20, events_per_day=3)
    store = Archive(tmp_path / "archive")
    with serve(workspace, page_size=500) as server:
        source = SecodaSource(server.url, server.key)
        store.sync(source)
        rule = tmp_path / "role.yml"
        rule.write_text(ROLE)
        command = ("rules", "backtest", "--since", "2020-01-01", "--rules", rule, "--json")
        assert json.loads(run(*command).output)["weeks"] == []
        store.pull_directory(source.directory(), now=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    assert json.loads(run(*command).output)["weeks"]


def test_a_setting_that_names_no_rules_is_told_with_its_place(run, tmp_path: Path):
    """Which setting of which file, and what it names; with --rules it is not looked at."""
    (tmp_path / "auditlens.toml").write_text('seed = 1\nown_rules = "away"\n')
    done = run("rules", "list")
    assert done.exception.exit_code == 2
    assert f"auditlens.toml:2: 'own_rules' names {tmp_path / 'away'}, " in str(done.exception)
    run("rules", "new", "secoda_first_try", "--folder", "mine")
    assert "1 rule" in run("rules", "list", "mine").stdout
