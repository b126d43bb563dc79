"""What a person reads: episodes with subject, evidence, reason; and the health of every rule."""

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module

import polars as pl
import pytest
from documents import BASE, EVER, START, episodes, log, rules_of

from auditlens.errors import DocumentErrors, UsageError
from auditlens.period import Period
from auditlens.rules import EPISODE_SCHEMA, HEALTH_SCHEMA, evaluate

HOUR = 3600


def test_hits_of_one_sender_closer_than_twelve_hours_are_one_episode():
    """Twelve hours of quiet part two episodes; a second less does not."""
    assert episodes(rules_of(BASE), log((0, "u", {}), (12 * HOUR, "u", {}))).height == 1
    assert episodes(rules_of(BASE), log((0, "u", {}), (12 * HOUR + 1, "u", {}))).height == 2


def test_each_sender_has_own_episodes():
    """Two people at the same time are two findings."""
    found = episodes(rules_of(BASE), log((0, "a", {}), (1, "b", {})))
    assert found["subject_id"].to_list() == ["a", "b"]
    assert found["subject_kind"].to_list() == ["sender", "sender"]


def test_where_nobody_acted_the_resource_is_the_subject():
    """A system row has no sender; without a resource the workspace is meant."""
    found = episodes(rules_of(BASE), log((0, None, {"resource_id": "r", "resource_title": "Sales"}),
                                         (1, None, {})))  # fmt: skip
    assert found["subject_kind"].to_list() == ["resource", "workspace"]
    assert found["subject_label"].to_list() == ["Sales", "the workspace"]


def test_the_label_is_the_name_then_the_address_then_the_id():
    """The best known name of the sender."""
    named = {"sender_name": "Ann", "sender_email": "a@x.example"}
    for more, label in (
        (named, "Ann"),
        ({"sender_email": "a@x.example"}, "a@x.example"),
        ({}, "u"),
    ):
        assert episodes(rules_of(BASE), log((0, "u", more)))["subject_label"][0] == label


def test_an_episode_belongs_to_the_period_in_which_it_ended():
    """From the first instant of a period to just before its end."""
    rules, day = rules_of(BASE), timedelta(days=1)
    for seconds, found in ((-0.000001, 0), (0, 1), (86_399.999999, 1), (86_400, 0)):
        outcome = evaluate(rules, log((seconds, "u", {})), Period(START, START + day, "day"))
        assert outcome.episodes.height == found


def test_evidence_is_whole():
    """Every event is listed: cases and exports rest on them."""
    found = episodes(rules_of(BASE), log(*((n, "u", {}) for n in range(150))))
    assert found["event_count"].to_list() == [150]
    assert found["event_ids"].list.len().to_list() == [150]
    assert found["event_ids"][0][0] == "e0000"


def test_frames_have_their_schema_even_when_nothing_is_found():
    """No rows, all columns."""
    outcome = evaluate(rules_of(BASE), log().clear(), EVER)
    assert outcome.episodes.schema == pl.Schema(EPISODE_SCHEMA)
    assert outcome.health.schema == pl.Schema(HEALTH_SCHEMA)
    assert outcome.health["hits"].to_list() == [0]


def test_a_reason_is_filled_from_the_episode_and_log_text_stays_text():
    """Braces in a name are not read as a template."""
    text = BASE + "auditlens: {reason: '{subject} did {count} on {resources}'}\n"
    text = text.replace("title: Base", "title: Base\nid: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22")
    more = {"sender_name": "{count} {0} %s", "resource_id": "r"}
    assert episodes(rules_of(text), log((0, "u", more)))["reason"][0] == "{count} {0} %s did 1 on 1"


@pytest.mark.parametrize("reason", ["{who} did it", "{subject.__class__}", "{0}", "{subject"])
def test_a_reason_that_names_what_is_not_there_is_refused(reason):
    """Only the words an episode has, and nothing behind them."""
    text = BASE + f'auditlens: {{reason: "{reason}"}}\n'
    text = text.replace("title: Base", "title: Base\nid: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22")
    with pytest.raises(DocumentErrors, match="reason"):
        rules_of(text)


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 change of 1 policy by 1 sender"), (2, "2 changes of 2 policies by 1 sender")],
)
def test_a_reason_speaks_of_one_or_of_several(count, words):
    """A number that carries its noun is followed by one or by several."""
    reason = "{count|change} of {resources|policy|policies} by {senders|sender}"
    text = BASE.replace("title: Base", "title: Base\nid: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22")
    events = log(*((n, "u", {"resource_id": f"r{n}"}) for n in range(count)))
    found = episodes(rules_of(text + f"auditlens: {{reason: '{reason}'}}\n"), events)
    assert found["reason"].to_list() == [words]


@pytest.mark.parametrize(("count", "words"), [(1, "once"), (2, "twice"), (3, "3 times")])
def test_times_are_counted_in_words(count, words):
    """Once and twice, then digits; a phrase stands beside the reason, or is null."""
    text = BASE.replace("title: Base", "title: Base\nid: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22")
    events = log(*((n, "u", {}) for n in range(count)))
    told = "auditlens: {reason: '{subject} came {count|time}', phrase: 'came {count|time}'}\n"
    found = episodes(rules_of(text + told), events)
    assert found.select("reason", "phrase").rows() == [(f"u came {words}", f"came {words}")]
    assert episodes(rules_of(text), events)["phrase"].to_list() == [None]


@pytest.mark.parametrize(
    "phrase",
    [
        "{who}",
        "{subject|account}",
        "{count|}",
        "{count|a|b|c}",
        "x" * 61,
        "{count|" + "x" * 61 + "}",
    ],
)  # fmt: skip
def test_a_phrase_that_cannot_be_filled_or_is_long_is_refused(phrase):
    """It names what an episode has, gives nouns to numbers alone, and fits a headline."""
    text = BASE.replace("title: Base", "title: Base\nid: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22")
    with pytest.raises(DocumentErrors, match="phrase"):
        rules_of(text + f'auditlens: {{phrase: "{phrase}"}}\n')
    rules_of(text + f'auditlens: {{phrase: "{"x" * 60}{{count}}"}}\n')


@pytest.mark.parametrize(
    ("value", "limit", "words"),
    [(39.694, 30, "39.7"), (100.4, 100, "100.4"), (100.4, 30, "100"), (27.04, 27, "27.04"),
     (1234567.8, 2, "1234568"), (3.14159, 3.1, "3.14"), (3.14159, 3.14, "3.142"), (20, 20, "20")],
)  # fmt: skip
def test_measured_numbers_are_written_short_but_apart_from_their_limit(value, limit, words):
    """Three digits, more only where both numbers would read the same."""
    from test_correlations import correlation

    much = correlation(type="value_sum", rules=["base"], timespan="1m",
                       condition={"field": "metadata.rows", "gte": limit})  # fmt: skip
    more = {"id": "6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22", "auditlens": {"reason": "<{value}>"}}
    rules = rules_of(BASE, json.dumps({**json.loads(much), **more}))
    found = episodes(rules, log((0, "u", {"metadata": json.dumps({"rows": value})})))
    assert found["reason"].to_list() == [f"<{words}>"]


def test_health_counts_hits_inside_the_period_and_names_missing_fields():
    """Hits before the period are history; a field no event has is named."""
    text = BASE.replace("{event: x}", "{event: x, metadata.role: [a, null]}")
    events = log((0, "u", {}), (90_000, "u", {}))
    later = Period(START + timedelta(days=1), START + timedelta(days=2), "later")
    row = evaluate(rules_of(text), events, later).health.row(0, named=True)
    assert (row["hits"], row["findings"], row["examined"]) == (1, 1, 2)
    assert row["fields_missing"] == ["metadata.role"]


def test_a_field_that_one_late_event_has_is_not_missing():
    """The whole log is looked through, and a name may be written with escapes."""
    text = BASE.replace("{event: x}", "{event: x, metadata.role: a, metadata.rôle.to: b, gone: c}")
    late = [(n, "u", {"metadata": '{"n": 1}'}) for n in range(1_200)]
    late.append((1_300, "u", {"metadata": r'{"r\u006fle": "viewer"}'}))
    late.append((1_301, "u", {"metadata": '{"rôle": {"to": "b"}}'}))
    row = evaluate(rules_of(text), log(*late), EVER).health.row(0, named=True)
    assert row["fields_missing"] == ["gone"]


def test_a_rule_that_is_off_is_listed_with_its_reason():
    """Never run, never forgotten."""
    text = BASE + "auditlens: {enabled: false, needs: views in the log}\n"
    text = text.replace("title: Base", "title: Base\nid: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22")
    outcome = evaluate(rules_of(text), log((0, "u", {})), EVER)
    assert outcome.episodes.height == 0
    row = outcome.health.row(0, named=True)
    assert (row["enabled"], row["reason_off"]) == (False, "views in the log")


def test_a_rule_over_its_time_budget_is_stopped_and_says_so(monkeypatch):
    """Its silence is not taken for a clean bill."""
    # No pattern of a test runs for a minute, so the budget is set to nothing from inside.
    module = import_module("auditlens.rules.engine")
    text = BASE.replace("{event: x}", "{'metadata.note|re': 'a+b'}")
    rules, events = rules_of(text), log((0, "u", {"metadata": '{"note": "aab"}'}))
    scan = module.scan_rules
    monkeypatch.setattr(module, "scan_rules", lambda r, f, t: scan(r, f, t, budget=-1.0))
    outcome = evaluate(rules, events, EVER)
    assert outcome.episodes.height == 0
    assert outcome.health["reason_off"][0].startswith("stopped")
    with pytest.raises(UsageError, match="Stopped after"):
        rules.match(events)


def test_lazy_frames_and_other_columns_are_taken_as_they_are():
    """A frame of another product, with its own names and kinds of column."""
    frame = pl.LazyFrame(
        {"EventID": [4688, 4624, None], "Image": ["C:\\Windows\\cmd.exe", None, "x"],
         "when": [datetime(2026, 1, 1, 23, tzinfo=UTC)] * 3}
    )  # fmt: skip
    rules = rules_of("""
title: Foreign
name: foreign
logsource: {product: windows}
detection:
    s: {EventID: 4688, 'Image|endswith': '\\cmd.exe'}
    condition: s
""")
    assert rules.match(frame).rows() == [("foreign", 0)]


def test_a_correlation_on_a_frame_without_times_is_refused():
    """Windows need an order in time."""
    from test_correlations import correlation

    text = correlation(type="event_count", rules=["base"], timespan="1m", condition={"gte": 1})
    rules = rules_of(BASE, text)
    with pytest.raises(UsageError, match="event times"):
        rules.match(pl.DataFrame({"event": ["x"]}))
    with pytest.raises(UsageError, match="holds no times"):
        rules.match(pl.DataFrame({"event": ["x"], "n": [1.5]}), time="n")
    assert rules.match(pl.DataFrame({"event": ["x"], "n": ["2026-01-01"]}), time="n").height == 1


def test_hits_come_sorted_whatever_the_order_of_the_rules():
    """Rule id, then row."""
    other = BASE.replace("base", "also").replace("Base", "Also")
    frame = pl.DataFrame({"event": ["x", "q", "x"]})
    for texts in ((BASE, other), (other, BASE)):
        assert rules_of(*texts).match(frame).rows() == [
            ("also", 0), ("also", 2), ("base", 0), ("base", 2)]  # fmt: skip
