"""Tests beside rules: read strictly, run by the real engine, explained when they fail."""

import pytest

from auditlens import load_rules
from auditlens.errors import DocumentErrors
from auditlens.rules import check_rules, read_cases, run_case, run_tests

RULES = """
title: Mark gone
name: mark_gone
logsource: {product: test}
detection: {s: {event: gone, summary|contains: mark}, condition: s}
---
title: Published
name: published
logsource: {product: test}
detection: {s: {event: shown}, condition: s}
---
title: Many marks gone
name: many_gone
level: high
correlation:
    {type: event_count, rules: [mark_gone], group-by: [sender.id], timespan: 10m,
     condition: {gte: 3}}
---
title: Gone, then published
name: gone_then_shown
correlation:
    {type: temporal_ordered, rules: [mark_gone, published], group-by: [sender.id], timespan: 1h}
---
title: New to it
name: new_to_it
behaviour:
    {type: first_seen, rules: [mark_gone], group-by: [sender.id], field: resource_id,
     history: 30d, min-history: 14d}
"""
GONE = "event: {event: gone, summary: the mark, sender: {id: u1}, resource_id: r1}"


@pytest.fixture
def tried(tmp_path):
    """Run one test of a rule, given as YAML; return its result."""

    def run(rule, test):
        path = tmp_path / "rules.yml"
        path.write_text(RULES, encoding="utf-8")
        tests = tmp_path / "rules.test.yml"
        tests.write_text(f"rule: {rule}\ntests:\n  - {test}\n", encoding="utf-8")
        (case,) = read_cases(tests)
        return run_case(load_rules(path), case)

    return run


def test_a_failed_rule_names_the_tests_that_held(tried):
    """Each test of the rule, event by event."""
    result = tried("mark_gone", "{expect: match, events: [{event: {event: gone, summary: x}}]}")
    assert result.detail.splitlines() == [
        "mark_gone: matches no event of 1",
        "event 1 (e-00000):",
        "  true   mark_gone: event is 'gone'",
        "  false  mark_gone: summary contains 'mark'",
    ]


def test_a_failed_count_says_how_far_each_window_got(tried):
    """What the rule below matched, the most within one window, and the limit."""
    result = tried("many_gone", f"{{expect: match, events: [{{repeat: 4, every: 8m, {GONE}}}]}}")
    assert result.detail.splitlines()[:3] == [
        "mark_gone: matches events 1, 2, 3, 4 of 4",
        "many_gone: fires at no event of 4",
        "  sender.id u1: at most 2 within 10 minutes, wanted gte 3",
    ]


def test_a_failed_order_says_where_each_rule_occurs(tried):
    """Rule by rule, for each group."""
    shown = "event: {event: shown, sender: {id: u1}}"
    detail = tried(
        "gone_then_shown",
        f"{{expect: match, events: [{{offset: 0s, {shown}}}, {{offset: 60s, {GONE}}}]}}",
    ).detail
    assert "  sender.id u1: mark_gone occurs at event 2" in detail
    assert "  sender.id u1: published occurs at event 1" in detail


def test_a_failed_behaviour_says_how_much_is_still_learning(tried):
    """A cold start is the usual reason."""
    detail = tried("new_to_it", f"{{expect: match, events: [{{{GONE}}}]}}").detail
    assert "  first_seen: 1 of 1 still learning" in detail


def test_a_test_may_say_when_it_starts_and_which_period_is_audited(tried):
    """'start' moves the events; what ended outside 'period' is no finding."""
    day = f"start: '2026-03-07T22:00+01:00', events: [{{offset: -1d, {GONE}}}]"
    assert tried("mark_gone", f"{{expect: match, {day}}}").passed
    assert tried("mark_gone", f"{{expect: no_match, period: [0s, 1d], {day}}}").passed
    assert tried("mark_gone", f"{{expect: match, period: [-2d, 1d], {day}}}").passed


def test_the_start_is_when_the_first_event_happens(tmp_path):
    """Given with a zone or in UTC."""
    path = tmp_path / "x.test.yml"
    path.write_text(
        "tests:\n  - {expect: match, start: '2026-03-07 22:00', events: [{event: {}}]}\n"
        "  - {expect: match, start: '2026-03-07T22:00+01:00', events: [{event: {}}]}\n",
        encoding="utf-8",
    )
    hours = [str(case.events["created_at"][0]) for case in read_cases(path)]
    assert hours == ["2026-03-07 22:00:00+00:00", "2026-03-07 21:00:00+00:00"]


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{expect: match, begin: 0s}", "the key 'begin' is not known here"),
        ("{expect: maybe}", "'expect' is match, no_match or learning"),
        ("{expect: match, start: noon}", "'noon' is not an instant"),
        ("{expect: match, period: 1d}", "list of two offsets"),
        ("{expect: match, period: [1d, 0s]}", "ends before it begins"),
        ("{expect: match, findings: many}", "'findings' is a whole number"),
        ("{expect: match, metric: true}", "'metric' is a number"),
        ("{expect: match, group: u1}", "'group' is a mapping"),
        ("{expect: match, events: {event: {}}}", "'events' is a list"),
        ("{expect: match, events: [{event: gone}]}", "'event' is a mapping"),
        ("{expect: match, events: [{repeat: x, event: {}}]}", "'repeat' is a whole number"),
        ("{expect: match, events: [{event: {evnt: x}}]}", "no event has the field 'evnt'"),
    ],
)
def test_a_faulty_test_is_refused_with_its_line(tmp_path, test, message):
    """Keys and kinds of values are checked, as in rules."""
    path = tmp_path / "x.test.yml"
    path.write_text(f"rule: x\ntests:\n  - {test}\n", encoding="utf-8")
    with pytest.raises(DocumentErrors, match=message) as caught:
        read_cases(path)
    assert [error.line for error in caught.value.errors] == [3]


def test_every_faulty_test_of_a_file_is_told(tmp_path):
    """Test by test, with what was meant; 'rules check' tells them as well."""
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    path = tmp_path / "rules.test.yml"
    path.write_text("tests:\n  - {expect: macth}\n  - {expect: match}\n  - {expct: match}\n")
    with pytest.raises(DocumentErrors) as caught:
        read_cases(path)
    assert [error.line for error in caught.value.errors] == [2, 4]
    assert [error.fix for error in caught.value.errors] == [
        "Did you mean 'match'?", "Did you mean 'expect'?"]  # fmt: skip
    told = [one for one in check_rules(tmp_path).problems if one.code == "invalid-test"]
    assert {(one.path.name, one.line) for one in told} == {(path.name, 2), (path.name, 4)}


def test_a_faulty_test_file_is_one_failed_test(tmp_path):
    """The others still run."""
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    (tmp_path / "rules.test.yml").write_text("tests: [{expect: maybe}]\n", encoding="utf-8")
    (result,) = run_tests(load_rules(tmp_path / "rules.yml"))
    assert not result.passed
    assert "'expect' is match" in result.message


def test_an_offset_counts_from_a_wednesday_at_ten(tmp_path):
    """As the documents say: an event without one is at that moment."""
    path = tmp_path / "rules.test.yml"
    path.write_text(
        "rule: mark_gone\ntests:\n  - {expect: match, events: [{event: {event: gone}},"
        " {offset: 90m, event: {event: gone}}]}\n"
    )
    (case,) = read_cases(path)
    assert [str(at) for at in case.events["created_at"]] == [
        "2026-03-04 10:00:00+00:00", "2026-03-04 11:30:00+00:00"]  # fmt: skip
