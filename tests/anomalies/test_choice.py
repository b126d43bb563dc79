"""What is shown and said of scored days: budget, reasons, mutes, drift, months."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from auditlens.anomalies import (
    MODELS,
    Mute,
    counts_of,
    daily_places,
    feature_page,
    lead_phrase,
    sender_months,
)

# Steps of detect, each with cases that would need a log of hundreds of days.
from auditlens.anomalies.budget import Candidates, within_budget
from auditlens.anomalies.detector import measure_drift
from auditlens.anomalies.model import mark_muted, prior_model
from auditlens.anomalies.reasons import Baselines, reasons_of, title

ROOT = Path(__file__).parents[2]
MONDAY = date(2026, 3, 2)


def candidates(rows, gate=0.5, model="sender-day"):
    frame = pl.DataFrame(rows, schema=["sender_id", "day", "score"], orient="row")
    return Candidates(model, "sender_id", frame, gate)


def test_a_day_shows_its_highest_three():
    """The budget is a number of senders a day."""
    days = candidates([(f"s{n}", date(2026, 3, 2), 0.6 + n / 100) for n in range(9)])
    assert within_budget([days], a_day=3, a_month=30)["sender_id"].to_list() == ["s8", "s7", "s6"]


def test_a_sender_has_one_entry_a_week_with_its_days_merged():
    """Monday to Sunday are one entry; the next week is another."""
    monday = date(2026, 3, 2)
    days = candidates([("s1", monday + timedelta(days=n), 0.7 + n / 100) for n in (0, 2, 6, 7)])
    shown = within_budget([days], a_day=3, a_month=30).sort("day")
    assert shown["days"].list.len().to_list() == [3, 1]
    assert shown["day"][0] == monday + timedelta(days=6)


def test_a_month_shows_no_more_than_its_budget():
    """The highest entries of the month stay."""
    rows = [(f"s{n:02}", date(2026, 3, 1 + n % 28), 0.6 + n / 1000) for n in range(80)]
    shown = within_budget([candidates(rows)], a_day=3, a_month=10)
    assert len(shown) == 10
    assert shown["score"].is_sorted(descending=True)


def test_below_the_gate_nothing_is_shown():
    """A quiet month may show nothing."""
    days = candidates([("s1", date(2026, 3, 2), 0.49)])
    assert len(within_budget([days], a_day=3, a_month=30)) == 0


def test_the_second_model_takes_only_what_the_first_leaves():
    """Both models share one budget, and a day is shown once."""
    day = date(2026, 3, 2)
    first = candidates([("s1", day, 0.6), ("s2", day, 0.6)])
    second = candidates([("s1", day, 0.9), ("s3", day, 0.9), ("s4", day, 0.9)], model="identity")
    shown = within_budget([first, second], a_day=3, a_month=30)
    assert shown.select("sender_id", "model").rows() == [
        ("s1", "sender-day"),
        ("s2", "sender-day"),
        ("s3", "identity"),
    ]


def reasons_for(*strong, peers=7, own=(1, 0, 2, 1, 5), earlier=(64, 0), spec=MODELS[0]):
    """Reasons of one row, strongest fact first: name of the feature and value of its count."""
    names = [feature.name for feature in spec.features]
    gain, away = np.zeros(len(names)), np.ones(len(names))
    values = {}
    for at, (name, value) in enumerate(strong):
        gain[names.index(name)] = 10.0 / 2**at
        values[spec.features[names.index(name)].count] = value
    known = Baselines(
        values,
        dict.fromkeys(values, own),
        dict.fromkeys(values, ("Peers", peers)),
        dict.fromkeys(values, earlier),
    )
    return [fact.reason(share) for fact, share in reasons_of(spec, gain, away, known)]


def test_a_reason_says_what_own_history_peers_and_rarity():
    """One sentence each: the value, median and highest of the own days, the peers, how rare."""
    (reason,) = reasons_for(("export_z", 88))
    assert reason["text"] == (
        "Exported 88 times in one day. Own history: median 1, highest 5 in 5 active days. "
        "Peers: 95th percentile 7. Never this high before."
    )
    assert (reason["family"], reason["share"], reason["label"]) == ("self", 1.0, "UNSEEN")
    assert (reason["value"], reason["own_baseline"], reason["peer_baseline"]) == (88.0, 1.0, 7.0)
    assert reason["phrase"] == "exported 88 times in one day"


def test_rarity_is_told_of_all_earlier_days():
    """Higher than the last 28 active days, but reached before those."""
    (reason,) = reasons_for(("export_z", 88), earlier=(64, 3))
    assert reason["text"].endswith("Peers: 95th percentile 7. Reached on 3 of 64 earlier days.")


def test_a_history_of_nothing_is_told_as_that():
    """No median, no highest and no rarity of what never happened."""
    (reason,) = reasons_for(("odd_hour_share", 55), own=[0] * 28, peers=0)
    assert reason["text"] == (
        "Acted 55 times at hours when this account is rarely active. "
        "Own history: 0 on each of 28 active days. Peers: 95th percentile 0."
    )


def test_a_value_inside_the_own_range_is_no_reason():
    """The account reached it before: the next strongest fact, of any family, is told instead."""
    (reason,) = reasons_for(("export_z", 5), ("sensitive_export", 6), own=[5, 5])
    assert (reason["family"], reason["value"]) == ("sensitivity", 6.0)


def test_a_value_inside_the_own_range_is_told_against_peers_alone():
    """Where the family compares with peers, they are all that is said."""
    (reason,) = reasons_for(("peer_export", 8), own=[8, 9, 10])
    assert reason["text"] == "Exported 8 times in one day. Peers: 95th percentile 7."
    assert reason["label"] == "RARE"
    assert reasons_for(("peer_export", 6), own=[8, 9, 10]) == []


def test_without_another_fact_what_is_above_peers_is_told():
    """A family that does not compare with peers, inside the own range, stands in at the end."""
    (reason,) = reasons_for(("export_5_surge", 27), own=[0, 27], peers=2)
    assert reason["text"] == "Exported 27 times in 5 days. Peers: 95th percentile 2."


def test_a_count_is_told_once():
    """A second family whose strongest fact is the same count tells its next one."""
    told = reasons_for(("export_z", 88), ("peer_export", 88), ("peer_share", 9))
    assert [each["phrase"] for each in told] == [
        "exported 88 times in one day",
        "shared 9 times in one day",
    ]


def test_a_kind_of_event_is_told_rather_than_all_events():
    """That there were many events explains less than of what kind they were."""
    (reason,) = reasons_for(("events_z", 90), ("export_z", 88))
    assert reason["phrase"] == "exported 88 times in one day"


def test_thousandths_are_told_in_percent():
    """A reader never sees the unit of the arithmetic."""
    (reason,) = reasons_for(("own_unlike_self", 980), own=[400, 500], peers=600)
    assert reason["text"] == (
        "Differed by 98 % from its own last 12 weeks. Own history: highest 50. "
        "Peers: 95th percentile 60. Never this high before."
    )
    assert reason["value"] == 98.0


def test_no_credit_is_no_reason():
    """Without credit nothing is made up."""
    assert reasons_for() == []
    assert title(None, 1) == "Several Small Deviations From Own History"


def test_a_title_is_that_of_the_strongest_fact():
    """Several days are counted; what adds up over days says over how many."""

    def titled(name, days, spec=MODELS[0]):
        feature = next(each for each in spec.features if each.name == name)
        known = Baselines({feature.count: 9}, {}, {}, {})
        gain = np.array([float(each is feature) for each in spec.features])
        ((fact, _),) = reasons_of(spec, gain, gain, known)
        return title(fact, days)

    assert titled("delete_z", 1) == "Deleted Unusually Many Resources"
    assert titled("delete_z", 3) == "Deleted Unusually Many Resources, 3 Days"
    assert titled("export_14_ratio", 1) == "Exported Unusually Many Resources, Over 14 Days"
    assert titled("permission_z", 1, MODELS[2]) == "Permissions Changed Unusually Often"


def test_a_headline_takes_an_action_before_first_time_access():
    """The stronger reason is where, the phrase what; what only exceeds peers comes last."""
    told = reasons_for(("remote_deep_z", 12), ("export_z", 88))
    assert lead_phrase(told) == "exported 88 times in one day"
    above_peers = [{**each, "label": "RARE"} if each["value"] == 88 else each for each in told]
    assert lead_phrase(above_peers) == "opened 12 resources in a folder outside its usual work area"
    assert lead_phrase([]) is None


def test_every_count_can_be_told():
    """A phrase names its count, fits a headline, and its title and shortest sentence fit too."""
    for spec in MODELS:
        for name in {feature.count for feature in spec.features}:
            words = spec.counts[name]
            for value in (1, 2, 1234.5):
                assert counts_of([{"phrase": words.clause(value)}]) == [name]
                assert len(words.clause(value).split()) <= 14
            assert len(words.title) <= 60


def test_a_mute_ends_on_its_date():
    """A muted family is left out before the date only, and for that sender only."""
    table = pl.DataFrame(
        {"sender_id": ["a", "a", "b"], "day": [date(2026, 3, n) for n in (1, 9, 1)]}
    )
    muted = mark_muted(table, [Mute("a", "novelty", date(2026, 3, 9))])
    assert muted["muted"].to_list() == [["novelty"], [], []]


def test_drift_is_told_only_when_it_is_there():
    """Two samples of one distribution do not warn; a shifted one does."""
    rng = np.random.default_rng(0)
    same, other = rng.normal(size=(2, 2000))
    assert measure_drift(same, other)[1] == ""
    drift, warning = measure_drift(same, other + 1)
    assert "earlier 99 % day" in warning
    assert drift["ks"] > 0.3


def test_every_feature_has_a_plain_name():
    """A name, a sentence and a definition; no name of a column is used twice in a model."""
    for model in MODELS:
        names = [feature.name for feature in model.features]
        assert len(names) == len(set(names))
        for feature in model.features:
            assert feature.count in model.counts
            assert feature.plain
            assert feature.sentence.endswith(".")
            assert feature.definition


def test_the_feature_page_is_current():
    """docs/features.md is what the code writes."""
    assert (ROOT / "docs" / "features.md").read_text("utf-8") == feature_page()


def test_the_bundled_forests_fit_the_features():
    """Changing features without rebuilding the prior is noticed here."""
    for model in MODELS:
        names = tuple(feature.name for feature in model.features)
        assert prior_model(model.name, names) is not None


def test_a_sender_with_an_entry_leaves_its_place_to_others():
    """The same sender leads on two days of a week: the second day has three places for others."""
    days = [MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=7)]
    rows = [(day, name) for day in days for name in "abcde"]
    shown = daily_places(pl.DataFrame(rows, schema=["day", "who"], orient="row"), "who", 3)
    assert "".join(name for (_, name), seen in zip(rows, shown, strict=True) if seen) == (
        "abc" + "abcde" + "abc"
    )


def test_two_odd_days_outrank_one_in_a_month():
    """A month is its highest day and its three highest; days without a baseline give no score."""
    rows = [("a", 3, 0.8, "scored"), ("a", 4, 0.2, "scored"), ("b", 3, 0.7, "scored")]
    rows += [("b", 9, 0.7, "scored"), ("c", 3, 0.9, "new")]
    table = pl.DataFrame(
        [(who, date(2026, 3, day), x, x, state, 2) for who, day, x, state in rows],
        schema=["sender_id", "day", "score", "identity_score", "state", "events"],
        orient="row",
    )
    months = sender_months(table)
    assert months.select("sender_id", "score", "rank", "active", "events").rows() == [
        ("a", 0.65, 2, 2, 4),
        ("b", 0.7, 1, 2, 4),
        ("c", None, None, 1, 2),
    ]
