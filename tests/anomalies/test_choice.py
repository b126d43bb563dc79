"""What is shown and said of scored days: budget, reasons, mutes, drift, months."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from auditlens.anomalies import MODELS, NOUNS, Mute, daily_places, feature_page, sender_months

# Steps of detect, each with cases that would need a log of hundreds of days.
from auditlens.anomalies.budget import Candidates, within_budget
from auditlens.anomalies.detector import measure_drift
from auditlens.anomalies.model import mark_muted, prior_model
from auditlens.anomalies.reasons import NO_DRIVER, Baselines, reasons_of

ROOT = Path(__file__).parents[2]
FEATURES = MODELS[0].features
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


def reasons_for(name, value, own, credit=1.0):
    place = [feature.name for feature in FEATURES].index(name)
    gain, away = np.zeros(len(FEATURES)), np.zeros(len(FEATURES))
    gain[place], away[place] = credit, 20.0
    count = FEATURES[place].count
    known = Baselines({count: value}, {count: own}, {count: 7.0}, "peers'")
    return reasons_of(FEATURES, gain, away, known)


def test_a_reason_says_value_own_habit_and_peers():
    """One sentence with the count, the own range, the peers' day and how rare it is."""
    (reason,) = reasons_for("export_z", 88, [1, 0, 2, 1, 5])
    assert reason["text"] == (
        "88 exports (own typical day 1, range 0 to 5; peers' 95 % day 7): UNSEEN"
    )
    assert (reason["family"], reason["share"], reason["label"]) == ("self", 1.0, "UNSEEN")
    assert (reason["value"], reason["own_baseline"], reason["peer_baseline"]) == (88.0, 1.0, 7.0)


def test_thousandths_are_told_in_percent():
    """A reader never sees the unit of the arithmetic."""
    (reason,) = reasons_for("own_unlike_self", 980, [400, 500])
    assert reason["text"].startswith("98 % away from the own last 12 weeks")
    assert reason["value"] == 98.0


def test_no_clear_driver_is_an_answer():
    """Without credit there is no made-up reason."""
    assert reasons_for("export_z", 88, [1], credit=0.0)[0]["text"] == NO_DRIVER


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


def test_every_feature_can_be_told():
    """Each count has a noun for one and for many, and no name is used twice in a model."""
    for model in MODELS:
        names = [feature.name for feature in model.features]
        assert len(names) == len(set(names))
        for feature in model.features:
            assert len(NOUNS[feature.count].split("|")) == 2
            assert feature.definition


def test_the_feature_page_is_current():
    """docs/features.md is what the code writes."""
    assert (ROOT / "docs" / "features.md").read_text("utf-8") == feature_page()


def test_the_bundled_forests_fit_the_features():
    """Changing features without rebuilding the prior is noticed here."""
    for model in MODELS:
        names = tuple(feature.name for feature in model.features)
        assert prior_model(model.name, names) is not None


def test_a_count_that_is_always_reached_is_no_reason_while_another_is():
    """The stronger feature counts something frequent: the rarer one of the family is told."""
    names = [feature.name for feature in FEATURES]
    gain, away = np.zeros(len(FEATURES)), np.ones(len(FEATURES))
    gain[names.index("export_z")], gain[names.index("share_z")] = 2.0, 1.0
    known = Baselines({"export": 1, "share": 9}, {"export": [1, 2], "share": [0, 1]}, {}, "peers'")
    (reason,) = reasons_of(FEATURES, gain, away, known)
    assert reason["text"].startswith("9 shares")


def test_above_the_colleagues_95_percent_day_is_rare_however_often_oneself_does_it():
    """The label of a peer reason is about the peers."""
    (reason,) = reasons_for("peer_export", 8, [8, 9, 10])
    assert reason["label"] == "RARE"
    (reason,) = reasons_for("peer_export", 6, [8, 9, 10])
    assert reason["label"] == "FREQUENT"


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
