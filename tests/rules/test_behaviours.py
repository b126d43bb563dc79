"""Behaviours: what is odd for a subject is found, what is usual or unknown is not."""

import math
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from documents import EVER, START, behaviour, episodes, learning, log, rules_of

from auditlens.errors import DocumentErrors
from auditlens.rules import columns_of_record, evaluate

HOUR, DAY = 3600, 86_400


def daily(sender, days, *, hour=10, start=0, **more):
    return [((start + day) * DAY + hour * HOUR, sender, more) for day in range(days)]


def first_seen(**more):
    block = {"field": "entity_type", "group-by": "sender.id", **more}
    return behaviour(type="first_seen", **block)


def test_a_new_value_of_a_known_sender_is_found_once():
    """The first meeting is a finding, the second is not."""
    events = daily("u", 20, entity_type="tag")
    events += [(20 * DAY, "u", {"entity_type": "role"}), (21 * DAY, "u", {"entity_type": "role"})]
    found = episodes(first_seen(), log(*events))
    assert found["event_ids"].to_list() == [["e0020"]]


def test_a_new_sender_is_learning_not_a_finding():
    """Everything is new at first: that says nothing."""
    events = [*daily("old", 30, entity_type="tag"), (20 * DAY, "u", {"entity_type": "role"})]
    assert episodes(first_seen(), log(*events)).height == 0
    assert learning(first_seen(), log(*events)) == 2


def test_a_value_last_met_before_the_history_is_new_again():
    """Exactly the history ago it is still known; a second longer and it is new."""
    base = [*daily("u", 20, entity_type="tag"), (0, "u", {"entity_type": "role"})]
    just = [*base, (30 * DAY, "u", {"entity_type": "role"})]
    over = [*base, (30 * DAY + 1, "u", {"entity_type": "role"})]
    rules = first_seen(history="30d")
    assert episodes(rules, log(*just)).height == 0
    assert episodes(rules, log(*over)).height == 1


def test_a_value_met_once_on_record_is_never_new_again():
    """Without a history of its own the rule remembers everything, also across four years."""
    events = [(0, "u", {"entity_type": "role"}), *daily("u", 20, entity_type="tag", start=1)]
    events += [(1500 * DAY, "u", {"entity_type": "role"})]
    assert episodes(first_seen(), log(*events)).height == 0


def test_events_before_the_frame_are_the_past_and_are_not_judged():
    """What the frame holds is judged as if all of it had been one frame."""
    events = log(
        *daily("u", 20, entity_type="tag"), (15 * DAY, "u", {"entity_type": "role"}),
        (200 * DAY, "u", {"entity_type": "role"}), (201 * DAY, "u", {"entity_type": "glossary"}),
    ).sort("created_at")  # fmt: skip
    rules = first_seen()
    new = pl.col("created_at") >= START + timedelta(days=100)
    columns = columns_of_record(rules)
    assert "metadata" not in columns
    found = episodes(rules, events.filter(new), earlier=events.filter(~new).select(columns))
    assert found["event_ids"].to_list() == [["e0022"]]
    alone = evaluate(rules, events.filter(new), EVER).health
    assert alone.filter(name="odd")["learning"].to_list() == [2]


def test_the_reason_of_a_first_time_names_the_record_and_the_others():
    """How long the record is, how many days without, and who else does it."""
    reason = "{subject} {since} {days} {peers} of {others}"
    events = [*daily("u", 20, entity_type="tag"), (5 * DAY, "v", {"entity_type": "role"}),
              (6 * DAY, "w", {}), (20 * DAY, "u", {"entity_type": "role"})]  # fmt: skip
    rules = behaviour(type="first_seen", field="entity_type", **{"group-by": "sender.id"})
    told = replace(rules["odd"], reason=reason)
    rules = replace(rules, rules=(rules["base"], told))
    assert episodes(rules, log(*events))["reason"].to_list() == ["u 2026-03-02 20 1 of 2"]


def test_a_null_value_is_never_new():
    """A missing field is not a value."""
    events = [*daily("u", 20, entity_type="tag"), (20 * DAY, "u", {"entity_type": None})]
    assert episodes(first_seen(), log(*events)).height == 0


def test_two_fields_are_new_as_a_pair():
    """Both values are known, their pair is not."""
    events = daily("u", 15, entity_type="tag", resource_type="table")
    events += daily("u", 15, entity_type="role", resource_type="user", hour=11)
    events += [(20 * DAY, "u", {"entity_type": "tag", "resource_type": "user"})]
    rules = first_seen(field=["entity_type", "resource_type"])
    assert episodes(rules, log(*events))["event_ids"].to_list() == [["e0030"]]


def dormant(**more):
    return behaviour(type="dormant_return", idle="30d", **{"group-by": "sender.id", **more})


def test_a_sender_who_was_idle_long_enough_returns():
    """Thirty days to the second are enough, a second less is not."""
    others = daily("other", 50)
    for seconds, found in ((30 * DAY, 1), (30 * DAY - 1, 0)):
        events = [*others, *daily("u", 10), (9 * DAY + 10 * HOUR + seconds, "u", {})]
        assert episodes(dormant(), log(*events)).height == found


def test_a_return_is_judged_by_the_own_gaps():
    """Who was away for 24 days before is missed after more than 36; a gap in the log is none."""
    base = [*daily("other", 150), *daily("u", 10), (33 * DAY + 10 * HOUR, "u", {})]
    for days, found in ((36, 0), (37, 1)):
        events = log(*base, ((33 + days) * DAY + 10 * HOUR, "u", {}))
        assert episodes(dormant(), events).height == found
    blind = [*daily("other", 10), *daily("u", 10), *daily("other", 90, start=60)]
    blind += [(60 * DAY, "u", {}), (95 * DAY, "u", {})]
    assert episodes(dormant(), log(*blind))["value"].to_list() == [35.0]


def test_a_return_with_consequences_is_of_the_level_the_rule_names():
    """A high-impact action, or five new resources that are half of the day's."""
    base = [*daily("other", 50), *daily("u", 10, resource_id="known")]
    at = 45 * DAY
    new = [(at + n, "u", {"resource_id": f"r{n}"}) for n in range(5)]
    rules = dormant(**{"consequential-level": "high"})
    for events, level in (
        ([(at, "u", {"resource_id": "known"})], "low"),
        (new[:4], "low"),
        (new, "high"),
        ([(at, "u", {"action_group": "export"})], "high"),
    ):
        assert episodes(rules, log(*base, *events))["level"].to_list() == [level]


def test_a_first_event_is_no_return():
    """Who was never there cannot come back."""
    assert episodes(dormant(), log(*daily("other", 50), (45 * DAY, "u", {}))).height == 0


def test_a_hole_in_the_log_is_no_idleness():
    """When nobody is heard for weeks, the log was blind, not the sender away."""
    events = daily("a", 3) + daily("u", 3) + daily("a", 3, start=40) + daily("u", 3, start=40)
    assert episodes(dormant(), log(*events)).height == 0
    assert learning(dormant(), log(*events)) == 2


def off_hours(**more):
    return behaviour(type="off_hours", **{"group-by": "sender.id", "slots": "hour-of-day", **more})


def test_an_unusual_hour_is_found_and_a_usual_one_is_not():
    """Ten in the morning is usual after weeks of it; three at night is not."""
    events = [*daily("u", 20), (20 * DAY + 10 * HOUR, "u", {}), (20 * DAY + 3 * HOUR, "u", {})]
    found = episodes(off_hours(), log(*events))
    assert found["event_ids"].to_list() == [["e0021"]]
    assert found["value"].to_list() == [pytest.approx(0, abs=1e-6)]
    assert found["expected"].to_list() == [2.0]


def test_the_tail_of_an_hour_is_that_of_a_plain_count():
    """Against shares computed hour by hour: own days, smoothed, and everyone's as 20 more."""
    events = [*daily("u", 30), *daily("u", 3, hour=15), *daily("v", 40, hour=2)]
    found = episodes(off_hours(tail=0.999), log(*events, (40 * DAY + 15 * HOUR, "u", {})))
    counts = {"u": {10: 30, 15: 3}, "all": {10: 30, 15: 3, 2: 40}}
    kernel = [math.exp(-0.5 * min(n, 24 - n) ** 2) for n in range(24)]
    smooth = {
        name: [sum(n * kernel[abs(hour - at)] for at, n in own.items()) / sum(kernel)
               for hour in range(24)]
        for name, own in counts.items()
    }  # fmt: skip
    shares = [
        (own + 20 * every / 73) / 53 for own, every in zip(smooth["u"], smooth["all"], strict=True)
    ]
    tail = 100 * sum(one for one in shares if one <= shares[15] + 1e-12)
    assert found.filter(subject_id="u")["value"].to_list()[-1] == pytest.approx(tail)


def test_off_hours_of_a_day_are_one_finding():
    """However many hours of the night it takes, the rarest is named."""
    events = [*daily("u", 20), (20 * DAY + 22 * HOUR, "u", {}), (20 * DAY + 3 * HOUR, "u", {})]
    told = replace(off_hours()["odd"], reason="{hour} {count} {days}")
    rules = replace(off_hours(), rules=(off_hours()["base"], told))
    assert episodes(rules, log(*events))["reason"].to_list() == ["22:00 2 20"]


def test_hours_of_the_week_are_told_apart():
    """Mondays at ten do not make Sundays at ten usual."""
    mondays = [(week * 7 * DAY + 10 * HOUR, "u", {}) for week in range(6)]
    events = [*mondays, (42 * DAY + 10 * HOUR, "u", {}), (41 * DAY + 10 * HOUR, "u", {})]
    found = episodes(off_hours(slots="hour-of-week", **{"active-days": 6}), log(*events))
    assert found["event_ids"].to_list() == [["e0007"]]


def test_hours_are_those_of_the_zone_of_the_run():
    """A move of the clock moves the slot."""
    events = [*daily("u", 20), (20 * DAY + 3 * HOUR, "u", {})]
    found = episodes(off_hours(), log(*events), timezone="Asia/Tokyo")
    assert found["event_ids"].to_list() == [["e0020"]]


@pytest.mark.parametrize("slots", ["hour-of-day", "hour-of-week"])
def test_no_hour_is_usual_on_a_holiday(slots):
    """Ten in the morning is usual on every day but on the one without ordinary work."""
    events = daily("u", 40)
    holiday = (START + timedelta(days=30)).date()
    rules = off_hours(slots=slots, **{"min-history": "21d"})
    assert "e0030" not in found_events(episodes(rules, log(*events)))
    assert "e0030" in found_events(episodes(rules, log(*events), holidays=[holiday]))


def found_events(found):
    return {one for ids in found["event_ids"] for one in ids}


def test_a_new_sender_has_no_usual_hours_yet():
    """Cold start: learning."""
    events = [*daily("old", 30), (25 * DAY + 3 * HOUR, "u", {})]
    assert episodes(off_hours(), log(*events)).height == 0


def deviation(**more):
    return behaviour(type="deviation", **{"group-by": "sender.id", **more})


def busy(sender, day, count, **more):
    return [(day * DAY + 8 * HOUR + n, sender, {k: f"{v}{n}" for k, v in more.items()})
            for n in range(count)]  # fmt: skip


def test_a_day_far_above_the_own_past_is_found():
    """Two a day for three weeks, then forty; the limit is six spreads above the median."""
    events = [*daily("u", 21), *daily("u", 21, hour=11), *busy("u", 21, 40)]
    found = episodes(deviation(), log(*events))
    assert found["event_count"].to_list() == [40]
    assert found["value"].to_list() == [40.0]
    assert 8 < found["expected"][0] < 12


def test_a_small_day_is_never_a_deviation():
    """Nineteen are fewer than at-least."""
    assert episodes(deviation(), log(*daily("u", 21), *busy("u", 21, 19))).height == 0


def test_a_short_past_is_learning():
    """Thirteen days do not make a baseline of fourteen."""
    events = [*daily("u", 13), *busy("u", 13, 40)]
    assert episodes(deviation(), log(*events)).height == 0
    assert learning(deviation(), log(*events)) == 1


def test_empty_days_count_as_zeros():
    """One active day a week makes a baseline of zeros, not of the active days."""
    events = busy("u", 0, 30) + busy("u", 7, 30) + busy("u", 14, 30) + busy("u", 21, 30)
    assert episodes(deviation(), log(*events)).height == 2


def test_distinct_values_are_measured_when_asked():
    """Forty events on one resource are no breadth; forty resources are."""
    past = daily("u", 21, resource_id="r")
    rules = deviation(measure="distinct", field="resource_id")
    same = [(21 * DAY + n, "u", {"resource_id": "r"}) for n in range(40)]
    assert episodes(rules, log(*past, *same)).height == 0
    assert episodes(rules, log(*past, *busy("u", 21, 40, resource_id="r"))).height == 1


def test_peers_are_the_baseline_when_asked():
    """Forty where the others of the kind have two each; too few others is learning."""
    rules = deviation(baseline="peer", **{"peer-by": "sender_kind"})
    kind = {"sender_kind": "user"}
    crowd = [(8 * HOUR + n, f"p{n % 6}", kind) for n in range(12)]
    loud = [(9 * HOUR + n, "u", kind) for n in range(40)]
    assert episodes(rules, log(*crowd, *loud))["subject_id"].to_list() == ["u"]
    assert episodes(rules, log(*crowd[:3], *loud)).height == 0


def silence(**more):
    return behaviour(type="silence", **{"for": "12h", **more})


def test_a_gap_longer_than_usual_is_found():
    """Hourly for three weeks, then two days of nothing."""
    events = [(n * HOUR, "u", {}) for n in range(21 * 24)]
    events.append((21 * DAY + 48 * HOUR, "u", {}))
    found = episodes(silence(), log(*events))
    assert found["value"].round(3).to_list() == [49.0]
    assert found["event_count"].to_list() == [2]


def test_a_gap_like_earlier_gaps_is_not_found():
    """Quiet weekends are usual once one was seen."""
    events = [(week * 7 * DAY + day * DAY + hour * HOUR, "u", {})
              for week in range(4) for day in range(5) for hour in range(24)]  # fmt: skip
    assert episodes(silence(), log(*events)).height == 0


def test_one_source_falls_silent_while_others_are_heard():
    """The silence that lasts to the end of the log counts within its group."""
    heard = [(n * HOUR, "a", {}) for n in range(24 * 24)]
    lost = [(n * HOUR, "b", {}) for n in range(21 * 24)]
    found = episodes(silence(**{"group-by": "sender.id"}), log(*heard, *lost))
    assert found["subject_id"].to_list() == ["b"]


def test_base_rules_of_a_behaviour_are_not_reported_unless_asked():
    """The base rule feeds the behaviour; generate reports it as well."""
    events = log((0, "u", {}))
    text = "title: Odd\nname: odd\nbehaviour: {type: dormant_return, rules: base, idle: 1d%s}\n"
    base = (
        "title: B\nname: base\nlogsource: {product: t}\ndetection: {s: {event: x}, condition: s}\n"
    )
    assert episodes(rules_of(base, text % ""), events).height == 0
    assert episodes(rules_of(base, text % ", generate: true"), events).height == 1


def test_a_silence_is_about_what_fell_silent():
    """One account ran every monitor; the finding names the monitor, and needs eight intervals."""

    def runs(count):
        return [*daily("s", count, resource_id="m1"), *daily("s", 40, resource_id="m2")]

    rules = behaviour(
        type="silence", **{"for": "3d", "min-history": "7d", "group-by": "resource_id"}
    )
    found = episodes(rules, log(*runs(9)))
    assert found.select("subject_kind", "subject_id").rows() == [("resource", "m1")]
    assert episodes(rules, log(*runs(8))).height == 0
    assert learning(rules, log(*runs(8))) == 1


def test_a_retired_key_says_what_to_write():
    """The days of an hour no longer decide: an old rule is refused, not read in another way."""
    with pytest.raises(DocumentErrors, match="'tail'"):
        off_hours(**{"min-days": 1})
