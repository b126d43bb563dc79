"""Correlations from document to episode: groups, aliases, chains, absence, order, evidence."""

import random

import polars as pl
import pytest
from documents import BASE, EVER, episodes, log, rules_of
from sigma_oracle import database

from auditlens.rules import evaluate

MINUTE = 60
OTHER = BASE.replace("base", "other").replace("event: x", "event: 'y'").replace("Base", "Other")
THIRD = BASE.replace("base", "third").replace("event: x", "event: z").replace("Base", "Third")


def correlation(*, name="burst", title="Burst", **block):
    import json

    keys = {key.replace("_", "-") if key == "group_by" else key: one for key, one in block.items()}
    return json.dumps({"title": title, "name": name, "level": "high", "correlation": keys})


def burst(**more):
    block = {"type": "event_count", "rules": ["base"], "group_by": "sender.id", "timespan": "10m",
             "condition": {"gte": 3}, **more}  # fmt: skip
    return rules_of(BASE, OTHER, THIRD, correlation(**block))


def at(minute, sender="u", event="x", **more):
    return (minute * MINUTE, sender, {"event": event, **more})


def test_hits_of_one_group_within_the_span_are_one_episode():
    """Three in ten minutes, then two more that keep qualifying: one episode of five."""
    found = episodes(burst(), log(at(0), at(5), at(10), at(12), at(14)))
    assert found["event_count"].to_list() == [5]
    assert found["value"].to_list() == [4.0]
    assert found["expected"].to_list() == [3.0]
    assert found["subject_id"].to_list() == ["u"]


def test_a_window_is_never_longer_than_the_timespan():
    """The third hit ten minutes after the first counts; a microsecond later it does not."""
    assert episodes(burst(), log(at(0), at(5), at(10))).height == 1
    assert episodes(burst(), log(at(0), at(5), (600.000001, "u", {}))).height == 0


def test_no_correlation_across_groups():
    """Three people with one hit each are no burst of one."""
    assert episodes(burst(), log(at(0, "a"), at(1, "b"), at(2, "c"))).height == 0


def test_group_keys_ignore_case_and_null_keys_are_left_out():
    """'U' and 'u' are one sender; nobody is no sender."""
    assert episodes(burst(), log(at(0, "U"), at(1, "u"), at(2, "U"))).height == 1
    assert episodes(burst(), log(at(0, None), at(1, None), at(2, None))).height == 0


def test_without_group_by_all_hits_are_one_group():
    """Sigma leaves group-by optional."""
    assert episodes(burst(group_by=[]), log(at(0, "a"), at(1, "b"), at(2, "c"))).height == 1


def test_two_bursts_far_apart_are_two_episodes():
    """Anchors further apart than the timespan do not merge."""
    found = episodes(burst(), log(at(0), at(1), at(2), at(30), at(31), at(32)))
    assert found["event_ids"].list.first().to_list() == ["e0000", "e0003"]
    assert found["event_count"].to_list() == [3, 3]


def test_one_event_that_two_rules_match_counts_once():
    """The count is of events, not of matches."""
    twice = BASE.replace("base", "again").replace("Base", "Again")
    text = correlation(type="event_count", rules=["base", "again"], group_by="sender.id",
                       timespan="10m", condition={"gte": 3})  # fmt: skip
    rules = rules_of(BASE, twice, text)
    assert episodes(rules, log(at(0), at(1))).height == 0
    assert episodes(rules, log(at(0), at(1), at(2))).height == 1


def test_order_is_enforced_and_ties_are_no_order():
    """First x, then y; the other way round or at one instant is no sequence."""
    rules = burst(type="temporal_ordered", rules=["base", "other"], condition={"gte": 2})
    assert episodes(rules, log(at(0), at(1, event="y"))).height == 1
    assert episodes(rules, log(at(0, event="y"), at(1))).height == 0
    assert episodes(rules, log(at(0), at(0, event="y"))).height == 0
    unordered = burst(type="temporal", rules=["base", "other"], condition={"gte": 2})
    assert episodes(unordered, log(at(0), at(0, event="y"))).height == 1


def test_a_temporal_rule_without_condition_wants_all_its_rules():
    """The default threshold is the number of rules."""
    text = correlation(type="temporal", rules=["base", "other", "third"], timespan="5m")
    rules = rules_of(BASE, OTHER, THIRD, text)
    assert episodes(rules, log(at(0), at(1, event="y"))).height == 0
    assert episodes(rules, log(at(0), at(1, event="y"), at(2, event="z"))).height == 1


def test_absence_looks_forward_and_only_as_far_as_the_log_reaches():
    """x without y in ten minutes is known only when ten minutes have passed."""
    rules = burst(type="temporal", rules=["base", "other"], condition="base and not other")
    late = at(10, "someone", "q")
    assert episodes(rules, log(at(0), late))["event_ids"].to_list() == [["e0000"]]
    assert episodes(rules, log(at(0), at(9, event="y"), late)).height == 0
    assert episodes(rules, log(at(0), at(9, "someone", "q"))).height == 0


def test_aliases_name_the_field_of_each_rule():
    """The one who was added is the one who acts later."""
    text = correlation(
        type="temporal_ordered", rules=["base", "other"], group_by=["who"], timespan="1h",
        aliases={"who": {"base": "entity_id", "other": "sender_id"}},
    )  # fmt: skip
    rules = rules_of(BASE, OTHER, text)
    same = log(at(0, "admin", entity_id="new"), at(5, "new", "y"))
    assert episodes(rules, same).height == 1
    assert episodes(rules, log(at(0, "admin", entity_id="new"), at(5, "admin", "y"))).height == 0


def test_distinct_values_are_counted_without_case_and_without_nulls():
    """R1, r1 and nothing are one resource."""
    rules = burst(type="value_count", condition={"field": "resource_id", "gte": 2})
    one = log(at(0, resource_id="R1"), at(1, resource_id="r1"), at(2))
    assert episodes(rules, one).height == 0
    assert episodes(rules, log(at(0, resource_id="r1"), at(1, resource_id="r2"))).height == 1


def test_members_of_a_list_field_are_values_each():
    """One bulk action on three resources is three."""
    rules = burst(type="value_count", condition={"field": "related_ids", "gte": 3})
    assert episodes(rules, log(at(0, related_ids=["a", "b", "c"]))).height == 1
    assert episodes(rules, log(at(0, related_ids=["a", "b", "b"]))).height == 0


def test_numbers_in_metadata_are_summed_and_averaged():
    """A path into metadata can be measured; text that is no number is left out."""
    rows = [at(n, metadata=f'{{"rows": {one}}}') for n, one in enumerate(["4", '"5"', '"x"'])]
    for kind, value in (("value_sum", 9), ("value_avg", 4.5), ("value_median", 4.5)):
        rules = burst(type=kind, condition={"field": "metadata.rows", "gte": value})
        assert episodes(rules, log(*rows)).height == 1
        rules = burst(type=kind, condition={"field": "metadata.rows", "gt": value})
        assert episodes(rules, log(*rows)).height == 0


def test_a_chain_counts_bursts_and_rests_on_their_events():
    """Two bursts within a day; evidence goes down to the events."""
    chain = correlation(name="chain", title="Chain", type="event_count", rules=["burst"],
                        group_by="sender.id", timespan="1d", condition={"gte": 2})  # fmt: skip
    one = correlation(type="event_count", rules=["base"], group_by="sender.id", timespan="10m",
                      condition={"gte": 3})  # fmt: skip
    rules = rules_of(BASE, one, chain)
    twice = log(at(0), at(1), at(2), at(60), at(61), at(62))
    found = episodes(rules, twice)
    assert found["title"].to_list() == ["Chain"]
    assert found["event_count"].to_list() == [6]
    assert episodes(rules, log(at(0), at(1), at(2))).height == 0


def test_what_is_built_on_rules_that_match_nothing_finds_nothing():
    """A chain, an absence and a behaviour over nothing: no hit, no episode, nothing learning."""
    one = correlation(type="event_count", rules=["base"], group_by="sender.id", timespan="10m",
                      condition={"gte": 1})  # fmt: skip
    chain = correlation(name="chain", title="Chain", type="temporal", rules=["burst", "base"],
                        timespan="1d", condition="burst and not base", generate=True)  # fmt: skip
    habit = "title: New\nname: new\nbehaviour: {type: first_seen, rules: [burst], field: event}\n"
    rules = rules_of(BASE, one, chain, habit)
    events = log(at(0, event="q"), at(1, event="q"))
    assert rules.match(events).height == 0
    outcome = evaluate(rules, events, EVER)
    assert outcome.episodes.height == 0
    assert outcome.health.select("hits", "findings", "learning").sum().row(0) == (0, 0, 0)


def test_base_rules_are_reported_only_with_generate():
    """Sigma: a rule that feeds a correlation stays silent by itself."""
    events = log(at(0), at(1), at(2))
    assert episodes(burst(), events)["title"].to_list() == ["Burst"]
    assert sorted(episodes(burst(generate=True), events)["title"]) == ["Base", "Burst"]


def test_shuffled_rows_and_rules_change_nothing():
    """Same events in another order, same rules in another order: the same episodes."""
    rng = random.Random(7)
    events = log(*(at(rng.randint(0, 50), rng.choice("abc"), rng.choice("xyz")) for _ in range(60)))
    texts = [BASE, OTHER, correlation(type="temporal", rules=["base", "other"], timespan="5m",
                                      group_by="sender.id")]  # fmt: skip
    expected = episodes(rules_of(*texts), events)
    assert expected.height > 0
    for seed in range(3):
        shuffled = events.sample(fraction=1, shuffle=True, seed=seed)
        assert episodes(rules_of(*reversed(texts)), shuffled).equals(expected)


def test_a_period_with_its_history_gives_the_episodes_of_the_whole():
    """Cutting the run into periods, each with all that came before, loses and adds nothing."""
    from auditlens.period import Period

    rng = random.Random(3)
    events = log(*((rng.randint(0, 4 * 86_400), rng.choice("ab"), {}) for _ in range(1200)))
    rules = burst(condition={"gte": 5})
    whole = episodes(rules, events)
    parts = []
    for day in ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"):
        period = Period.parse(f"{day}..{day}")
        held = events.filter(pl.col("created_at") < period.end)
        parts.append(evaluate(rules, held, period).episodes)
    # An episode that runs over midnight is reported by both days, from the same first event.
    assert whole.height > 3
    first = pl.col("event_ids").list.first()
    together = pl.concat(parts).select(first).unique().sort("event_ids")
    assert together.equals(whole.select(first).sort("event_ids"))


def oracle_ends(frame, text):
    """(group, end in seconds) of every alert the SQLite backend raises."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    backend = sqliteBackend(timestamp_field="t", timestamp_format="unix", collate_nocase=True)
    queries = backend.convert(SigmaCollection.from_yaml(text))
    connection = database(frame)
    rows = connection.execute(queries[-1]).fetchall()
    return {(row[1], row[2]) for row in rows}


DOCUMENT = """
title: Base
name: base
logsource: {product: test}
detection: {s: {event: x}, condition: s}
---
title: Other
name: other
logsource: {product: test}
detection: {s: {event: 'y'}, condition: s}
---
title: Odd
name: odd
correlation:
    type: TYPE
    rules: [base, other]
    group-by: [who]
    timespan: 20s
    condition: CONDITION
"""


@pytest.mark.parametrize(
    ("kind", "condition"),
    [("event_count", "{gte: 3}"), ("event_count", "{lt: 2}"), ("event_count", "{eq: 2}"),
     ("value_count", "{field: what, gte: 2}"), ("value_sum", "{field: v, gt: 10}"),
     ("value_avg", "{field: v, lte: 3}"), ("value_median", "{field: v, gte: 4}"),
     ("value_percentile", "{field: v, gte: 5, percentile: 90}"), ("temporal", "{gte: 2}"),
     ("temporal", "base and other"), ("temporal", "base and not other")],
)  # fmt: skip
def test_correlations_agree_with_the_sqlite_backend(kind, condition):
    """The same documents give the same groups and instants on both engines."""
    rng = random.Random(f"{kind} {condition}")
    text = DOCUMENT.replace("TYPE", kind).replace("CONDITION", condition)
    rules = rules_of(text)
    total = 0
    for _ in range(12):
        rows = [{"t": rng.randint(0, 120), "event": rng.choice("xyz"), "who": rng.choice("abB"),
                 "what": rng.choice(["p", "q", None]), "v": rng.randint(0, 8)}
                for _ in range(40)]  # fmt: skip
        frame = pl.DataFrame(rows, schema_overrides={"t": pl.Int64, "v": pl.Int64})
        timed = frame.with_columns(pl.from_epoch("t").alias("created_at"))
        found = rules.match(timed)["row"]
        mine = {(frame["who"][row].lower(), frame["t"][row]) for row in found}
        theirs = {(group.split('"')[3], int(end)) for group, end in oracle_ends(frame, text)}
        if "not" in condition:
            # The oracle dates an absence at the window's end, we at the hit it follows.
            theirs = {(group, end - 20) for group, end in theirs}
        assert mine == theirs
        total += len(mine)
    assert total > 0
