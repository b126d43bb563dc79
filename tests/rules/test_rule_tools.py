"""The tools beside the engine: check, explain, trace, mutate, backtest, coverage, new, show."""

import json
import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from documents import BASE, START, log, rules_of

from auditlens.errors import UsageError
from auditlens.rules import (
    attack_map,
    backtest,
    check_rules,
    draft_rule,
    explain_failure,
    explain_rule,
    framework_map,
    leaf_coverage,
    load_rules,
    mutate,
    navigator_layer,
    read_cases,
    rule_source,
    run_tests,
    trace,
)

GOOD = """\
title: Tag Removed
id: 0b0f6f0e-6d0e-4f35-9c39-0a4a7f0f4f11
name: secoda_tag_gone
status: experimental
description: Detects removal of a tag from a resource
author: A Tester
date: 2026-11-22
references:
    - https://docs.secoda.co/features/audit-log
tags:
    - attack.defense-impairment
    - attack.t1685
logsource:
    product: secoda
    service: audit
detection:
    selection:
        action: 'tag_removed'
    filter_main_machines:
        sender.kind: 'automation'
    condition: selection and not 1 of filter_main_*
falsepositives:
    - Upkeep
level: low
"""
TESTS = """\
rule: secoda_tag_gone
tests:
    - name: it happens
      expect: match
      events:
          - {offset: 0s, event: {action: tag_removed, sender: {id: 'u', kind: user}}}
    - name: a machine does it
      expect: no_match
      events:
          - {offset: 0s, event: {action: tag_removed, sender: {id: 'u', kind: automation}}}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with one good rule and its tests."""
    (tmp_path / "secoda_tag_gone.yml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "secoda_tag_gone.test.yml").write_text(TESTS, encoding="utf-8")
    return tmp_path


def changed(folder, old, new, suffix=".yml"):
    path = folder / f"secoda_tag_gone{suffix}"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return check_rules(folder)


def codes(outcome):
    return {problem.code for problem in outcome.problems}


def test_a_good_rule_has_no_remarks(folder):
    """Nothing is said where nothing is wrong."""
    assert [str(problem) for problem in check_rules(folder).problems] == []


@pytest.mark.parametrize(
    ("old", "new", "code", "fix"),
    [("action: 'tag_removed'", "action: 'tag_remowed'", "unknown-action", "tag_removed"),
     ("sender.kind", "sender.kinf", "unknown-field", "sender_kind"),
     ("attack.t1685", "attack.t1562.001", "attack-replaced", "t1685"),
     ("attack.t1685", "attack.t9999", "attack-unknown", ""),
     ("attack.defense-impairment", "attack.impact", "attack-tactic", "defense-impairment"),
     ("action: 'tag_removed'", "action|contains|all: 'tag_removed'", "single-all", "Drop"),
     ("sender.kind: 'automation'", "sender.kind: ['automation', null]", "null-in-list", "own"),
     ("sender.kind: 'automation'", "sender.kind|neq: 'user'", "neq-missing", "exists"),
     ("sender.kind: 'automation'", "sender.kind: 5", "number-as-text", ""),
     (" and not 1 of filter_main_*", "", "unused-selection", ""),
     ("selection and not 1 of filter_main_*", "1 of them", "of-them", "selection_*"),
     ("    selection:\n        action: 'tag_removed'", "    selection:\n        - 'tag'", "keyword",
      "Name a field"),
     ("falsepositives:\n    - Upkeep\n", "", "metadata", "")],
)  # fmt: skip
def test_a_doubtful_place_is_remarked_with_what_would_be_right(folder, old, new, code, fix):
    """Each lint fires on its own fault, at its place."""
    outcome = changed(folder, old, new)
    (found, *_) = [problem for problem in outcome.problems if problem.code == code]
    assert fix in found.fix
    assert found.line > 0


def test_a_filter_that_keeps_what_it_names_is_remarked(folder):
    """Sigma joins it as written."""
    text = GOOD[: GOOD.index("detection:")].replace("0b0f6f0e", "1b0f6f0e").replace("_gone", "_mf")
    text += "filter:\n    rules: any\n    machines:\n        sender.kind: 'api'\n"
    (folder / "mf.yml").write_text(text + "    condition: machines\n", encoding="utf-8")
    (found,) = [p for p in check_rules(folder).problems if p.code == "filter-keeps"]
    assert "not (machines)" in found.fix


WINDOW = """\
title: Call
name: call
logsource: {product: PRODUCT}
detection: {s: {FIELD: x}, condition: s}
---
title: Many calls
name: many_calls
correlation:
    type: value_count
    rules: [call]
    group-by: [who, GROUP]
    aliases:
        who:
            call: ALIAS
    timespan: 10m
    condition: {field: COUNTED, gte: 5}
"""
AWS = {"FIELD": "eventName", "GROUP": "sender.id", "ALIAS": "userIdentity.arn",
       "COUNTED": "requestParameters.bucketName", "PRODUCT": "aws"}  # fmt: skip


def unknown_fields(folder, **changes):
    """The unknown fields of a window as (line, message, fix)."""
    text = WINDOW
    for word, value in {**AWS, **changes}.items():
        text = text.replace(word, value)
    (folder / "secoda_tag_gone.yml").write_text(text, encoding="utf-8")
    problems = check_rules(folder / "secoda_tag_gone.yml").problems
    return [(one.line, one.fix) for one in problems if one.code == "unknown-field"]


@pytest.mark.parametrize(
    ("change", "line", "fix"),
    [({}, 0, ""),
     ({"FIELD": "eventname"}, 4, "Did you mean 'eventName'?"),
     ({"FIELD": "metadata.evntName"}, 4, "Did you mean 'eventName'?"),
     ({"GROUP": "sender.idd"}, 11, "Did you mean 'sender_id'?"),
     ({"GROUP": "sourceIpAddress"}, 11, "Did you mean 'sourceIPAddress'?"),
     ({"ALIAS": "useridentity.arn"}, 14, "Did you mean 'userIdentity.arn'?"),
     ({"ALIAS": "userIdentity.anr"}, 14, "Did you mean 'userIdentity.arn'?"),
     ({"COUNTED": "requestParameter.bucketName"}, 16,
      "Did you mean 'requestParameters.bucketName'?"),
     ({"PRODUCT": "windows", "GROUP": "ComputerName"}, 0, "")],
)  # fmt: skip
def test_fields_of_windows_are_held_against_the_log_of_their_rules(folder, change, line, fix):
    """CloudTrail's own names, in their own case; other products are not known and not judged."""
    assert unknown_fields(folder, **change) == ([(line, fix)] if line else [])


@pytest.mark.parametrize("category", ["process_creation", "registry_set", "dns_query"])
def test_no_check_of_a_foreign_rule_asks_a_network(folder, monkeypatch, category):
    """SigmaHQ's validators that load lists from afar are left out, whatever the log source."""

    def asked(*_, **__):
        raise AssertionError("a validator asked the network")

    monkeypatch.setattr("urllib.request.urlopen", asked)
    monkeypatch.setattr("socket.getaddrinfo", asked)
    text = WINDOW.split("---", maxsplit=1)[0].replace(
        "{product: PRODUCT}", f"{{product: windows, category: {category}}}"
    )
    text = text.replace("FIELD: x", "EventID: 1, Provider_Name: A, Image|endswith: b, User: c")
    tags = (
        "tags: [attack.execution, attack.t1059, d3f.apple, tlp.red, cve.2021-1, car.2016-04-002]\n"
    )
    (folder / "secoda_tag_gone.yml").write_text(text + tags, encoding="utf-8")
    assert codes(check_rules(folder / "secoda_tag_gone.yml"))


def test_missing_tests_are_remarked(folder):
    """A rule without tests, or without a miss, is not proven."""
    assert "tests-missing" in codes(
        changed(folder, "expect: no_match", "expect: match", ".test.yml")
    )
    (folder / "secoda_tag_gone.test.yml").unlink()
    assert "no-tests" in codes(check_rules(folder))


def test_a_correlation_needs_tests_on_both_sides_of_its_edges(folder):
    """Just inside, just outside, another group."""
    text = """\
title: Tags Stripped
name: tags_stripped
correlation:
    type: event_count
    rules: secoda_tag_gone
    timespan: 2M
    condition: {gte: 5}
level: high
"""
    (folder / "tags_stripped.yml").write_text(text, encoding="utf-8")
    (folder / "tags_stripped.test.yml").write_text(
        TESTS.replace("secoda_tag_gone", "tags_stripped"), encoding="utf-8"
    )
    found = check_rules(folder)
    assert {"average-unit", "no-group", "tests-missing"} <= codes(found)
    assert {"just inside", "just outside"} <= {p.message.split("'")[1] for p in found.problems
                                               if p.code == "tests-missing"}  # fmt: skip


def test_faults_become_problems_in_every_format(folder):
    """Table, SARIF and JUnit say the same."""
    outcome = changed(folder, "level: low", "level: severe")
    assert outcome.worst() == "error"
    assert outcome.rules is None
    assert outcome.table()["line"].to_list() == [24]
    sarif = json.loads(outcome.sarif())
    result = sarif["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 24
    suite = ET.fromstring(outcome.junit())
    assert suite.attrib["failures"] == "1"


def test_a_rule_as_new_writes_it_is_not_finished(tmp_path):
    """The words of the template are a fault until somebody replaces them."""
    path, _ = draft_rule("secoda_my_first_rule", tmp_path)
    assert check_rules(path).worst() == "error"
    assert {p.message.split("'")[1] for p in check_rules(path).problems
            if p.code == "unfilled"} == {"description", "author"}  # fmt: skip
    text = path.read_text("utf-8").replace("Detects ...", "Detects a deletion")
    path.write_text(text.replace("Your Name", "Ann"), encoding="utf-8")
    assert check_rules(path).worst() != "error"


def test_sound_rules_beside_a_broken_one_are_checked_as_well(folder):
    """All that can be said is said in one go."""
    (folder / "odd.yml").write_text("title: Odd\nlevel: lo\n", encoding="utf-8")
    outcome = changed(folder, "attack.t1685", "attack.t1562.001")
    assert {"invalid", "attack-replaced"} <= codes(outcome)
    assert [rule.name for rule in outcome.rules] == ["secoda_tag_gone"]


def test_explain_says_what_a_negated_selector_means(folder):
    """'not 1 of filter_*' is often misread."""
    text = explain_rule(load_rules(folder), "secoda_tag_gone")
    assert "action is 'tag_removed'" in text
    assert (
        "it is not so that sender.kind is 'automation' (an event without sender.kind passes)"
        in text
    )


def test_explain_covers_every_shipped_rule():
    """No rule is beyond words."""
    rules = load_rules()
    for rule in rules.rules:
        assert rule.title in explain_rule(rules, rule.id)
    with pytest.raises(KeyError):
        explain_rule(rules, "no such rule")


@pytest.mark.parametrize(
    ("span", "words"), [("1s", "1 second"), ("600s", "10 minutes"), ("90s", "90 seconds"),
                        ("24h", "1 day"), ("14d", "2 weeks")]
)  # fmt: skip
def test_spans_are_put_in_their_largest_unit(span, words):
    """600 seconds are 10 minutes."""
    window = (
        "title: W\nname: w\ncorrelation: {type: event_count, rules: [base], timespan: "
        f"{span}, condition: {{gte: 2}}}}\n"
    )
    assert f"within {words} up to" in explain_rule(rules_of(BASE, window), "w")


def test_a_failed_test_says_which_leaf_was_true(folder):
    """The trace names each leaf of the rule and its answer."""
    rules = load_rules(folder)
    case = read_cases(folder / "secoda_tag_gone.test.yml")[1]
    truths = [(one.words, one.held) for one in trace(rules, "secoda_tag_gone", case.events)]
    assert truths == [("action is 'tag_removed'", True), ("sender.kind is 'automation'", True)]
    assert "true   secoda_tag_gone: action is 'tag_removed'" in explain_failure(rules, case)


def test_failing_tests_are_reported_with_what_was_found(folder):
    """Expectation and finding stand side by side."""
    changed(folder, "kind: automation}}}", "kind: user}}}", ".test.yml")
    (passed, failed) = run_tests(load_rules(folder))
    assert passed.passed
    assert "expected no match, found 1" in failed.message
    assert "false  secoda_tag_gone: sender.kind is 'automation'" in failed.detail


def test_leaves_are_covered_when_both_answers_occur(folder):
    """'action' is true in both tests, so nothing shows that it matters."""
    covered = {one.words: one.covered for one in leaf_coverage(*with_rule(folder))}
    assert covered == {"action is 'tag_removed'": False, "sender.kind is 'automation'": True}


def with_rule(folder):
    rules = load_rules(folder)
    return rules, rules["secoda_tag_gone"]


def test_mutants_are_killed_by_good_tests_and_survive_weak_ones(folder):
    """Without the second test nothing notices a negated filter... but a negated selection shows."""
    assert all(one.killed for one in mutate(*with_rule(folder)))
    changed(folder, "kind: user}}}", "kind: user}, summary: x}}", ".test.yml")
    path = folder / "secoda_tag_gone.test.yml"
    weak = path.read_text(encoding="utf-8").replace("expect: match", "expect: no_match")
    path.write_text(weak.replace("action: tag_removed", "action: tag_added"), encoding="utf-8")
    assert not all(one.killed for one in mutate(*with_rule(folder)))


@pytest.mark.slow
def test_mutants_of_the_shipped_rules_are_killed():
    """At least 95 % of all changes to shipped rules fail one of their tests."""
    rules = load_rules()
    found = [one for rule in rules.rules for one in mutate(rules, rule)]
    assert len(found) > 50
    assert sum(one.killed for one in found) >= 0.95 * len(found)


def test_backtest_counts_by_week_and_names_the_loudest():
    """Two weeks, two people, one of them under an exception."""
    events = log(*((day * 86_400, "ann" if day % 2 else "bob", {}) for day in range(14)))
    found = backtest(rules_of(BASE), events, START)
    assert found.weeks["episodes"].to_list() == [7, 7]
    assert found.senders["subject_id"].to_list() == ["ann", "bob"]
    held = backtest(rules_of(BASE), events, START, suppress=lambda e: e["subject_id"] == "ann")
    assert held.weeks["suppressed"].sum() == 7
    assert held.senders["subject_id"].to_list() == ["bob"]
    late = backtest(rules_of(BASE), events, START + timedelta(days=7))
    assert late.weeks.height == 1


def test_coverage_maps_techniques_and_clauses():
    """The layer holds what the map holds, and off rules are told apart."""
    rules = load_rules()
    table = attack_map(rules)
    layer = navigator_layer(rules)
    assert [one["techniqueID"] for one in layer["techniques"]] == table["technique"].to_list()
    clauses = framework_map(rules)
    assert {"SOC2", "ISO27001"} <= set(clauses["framework"])
    assert clauses.filter(pl.col("rules").list.len() + pl.col("off").list.len() == 0).height == 0


@pytest.mark.parametrize("kind", ["rule", "correlation", "behaviour"])
def test_a_drafted_rule_loads_beside_the_shipped_ones(tmp_path, kind):
    """What 'new' writes is a rule, and is never written over another."""
    path, tests = draft_rule("secoda_my_first_rule", tmp_path, kind=kind)
    base = load_rules()["secoda_resource_deleted"].path
    rules = load_rules([base, path])
    assert rules["secoda_my_first_rule"].kind == kind
    assert read_cases(tests)
    with pytest.raises(UsageError, match="is there already"):
        draft_rule("secoda_my_first_rule", tmp_path, kind=kind)
    with pytest.raises(UsageError, match="not a name for a rule"):
        draft_rule("Rule!", tmp_path)


def test_show_gives_the_document_as_written(folder):
    """Of a file with several documents, the one asked for."""
    path = folder / "secoda_tag_gone.yml"
    path.write_text(GOOD + "---" + BASE, encoding="utf-8")
    rules = load_rules(folder)
    assert rule_source(rules, "secoda_tag_gone")[1] == GOOD
    assert rule_source(rules, "base")[1].strip() == BASE.strip()


def test_a_set_shows_itself_in_a_notebook(folder):
    """A table, with every text escaped."""
    changed(folder, "title: Tag Removed", "title: Tag <b>Removed</b>")
    page = load_rules(folder)._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


@pytest.mark.parametrize(("span", "warned"), [("90d", False), ("7776001s", True)])
def test_a_window_longer_than_a_source_may_keep_is_warned_of(tmp_path, span, warned):
    """Ninety days are not; a second more is."""
    path = tmp_path / "w.yml"
    path.write_text(
        BASE + "---\ntitle: W\nname: w\ncorrelation: {type: event_count, rules: [base], "
        f"group-by: [sender.id], timespan: {span}, condition: {{gte: 2}}}}\n"
    )
    assert ("long-window" in codes(check_rules(path))) is warned


def test_a_technique_scores_the_highest_level_of_its_rules(tmp_path):
    """From 1 for informational to 5 for critical."""
    for place, level in enumerate(("informational", "low", "medium", "high", "critical"), 1):
        path = tmp_path / f"{level}.yml"
        path.write_text(re.sub(r"level: \w+", f"level: {level}", GOOD))
        (one,) = navigator_layer(load_rules(path))["techniques"]
        assert one["score"] == place


def test_a_trace_is_of_the_first_event_unless_another_is_named():
    """Each leaf as it held for that one."""
    rules, events = rules_of(BASE), log((0, "u", {"event": "x"}), (1, "u", {"event": "q"}))
    assert [one.held for one in trace(rules, "base", events)] == [True]
    assert [one.held for one in trace(rules, "base", events, 1)] == [False]
