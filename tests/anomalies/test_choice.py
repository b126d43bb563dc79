"""What is shown and said of scored days: budget, reasons, mutes, drift, months."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from auditlens.anomalies import (
    MODELS,
    Mute,
    counts_of,
    feature_page,
    sender_months,
)

# Steps of detect, each with cases that would need a log of hundreds of days.
from auditlens.anomalies.budget import within_budget
from auditlens.anomalies.detector import measure_drift
from auditlens.anomalies.identity import day_deviations, identity_entries, summed_days
from auditlens.anomalies.model import mark_muted, prior_model
from auditlens.anomalies.reasons import Baselines, headline_fact, reasons_of, title
from auditlens.anomalies.wording import sentence

ROOT = Path(__file__).parents[2]
MONDAY = date(2026, 3, 2)


def entries(rows, a_week=15, a_month=30):
    """What a budget leaves of sender, day of March 2026 and score; the gate is .5."""
    days = [(who, MONDAY + timedelta(days=day), score) for who, day, score in rows]
    frame = pl.DataFrame(days, schema=["sender_id", "day", "score"], orient="row")
    return within_budget(frame, 0.5, a_week=a_week, a_month=a_month)


def test_a_week_shows_its_highest_senders():
    """The pool is of the week: all may be of one day, and the next week has its own."""
    rows = [(f"s{n}", n // 5 * 7, 0.6 + n / 100) for n in range(10)]
    assert entries(rows, a_week=3)["sender_id"].to_list() == ["s9", "s8", "s7", "s4", "s3", "s2"]


def test_a_sender_has_one_entry_a_week_with_its_days_merged():
    """Monday to Sunday are one entry, which stands at its worst day; the next week is another."""
    shown = entries([("s1", n, 0.7 + n / 100) for n in (0, 2, 6, 7)], a_week=1).sort("day")
    assert shown["days"].list.len().to_list() == [3, 1]
    assert shown["day"][0] == MONDAY + timedelta(days=6)


def test_a_month_shows_no_more_than_its_budget():
    """The highest entries of the month stay."""
    shown = entries([(f"s{n:02}", n % 28, 0.6 + n / 1000) for n in range(80)], a_month=10)
    assert len(shown) == 10
    assert shown["sender_id"].min() == "s70"


def test_below_the_gate_nothing_is_shown():
    """A quiet month may show nothing; the gate itself is shown."""
    assert entries([("s1", 0, 0.499), ("s2", 0, 0.5)])["sender_id"].to_list() == ["s2"]


def test_equal_scores_are_chosen_by_name():
    """No choice depends on the order of rows."""
    rows = [(who, 0, 0.7) for who in "cab"]
    assert entries(rows, a_week=2)["sender_id"].to_list() == ["a", "b"]


def score_rows(rows):
    """Frame of sender, day after 2 March 2026 and identity score."""
    days = [(who, MONDAY + timedelta(days=day), score) for who, day, score in rows]
    return pl.DataFrame(
        days,
        schema={"sender_id": pl.String, "day": pl.Date, "identity_score": pl.Float64},
        orient="row",
    )


def test_a_day_is_placed_among_all_days_of_the_ninety_before():
    """Of three earlier days one is lower and one equal: place (1.5 + .5) / 4, the middle.

    The day itself, and those 91 days back, do not count; the highest of 9 999 is clipped.
    """
    before = score_rows([("a", 0, 0.4), ("b", 1, 0.5), ("c", 89, 0.6), ("x", 90, 0.9)])
    now = score_rows([("d", 90, 0.5), ("d", 91, 0.7), ("e", 92, 0.7)])
    z = day_deviations(now, before)
    # Day 91: b, c and x are left, two of them lower: place 2.5 / 4. Day 92: c and x are too few.
    assert z["z"].to_list() == [0.0, 0.318639, None]
    many = score_rows([("a", 0, n / 10_000) for n in range(9_999)])
    ends = day_deviations(score_rows([("b", 1, 2.0), ("c", 1, -1.0)]), many)
    assert ends["z"].to_list() == [3.5, -2.0]


def deviations(rows):
    days = [(who, MONDAY + timedelta(days=day), z) for who, day, z in rows]
    return pl.DataFrame(days, schema=["sender_id", "day", "z"], orient="row")


def test_thirty_days_are_added_up():
    """3 + 1.5 + 1 over the root of 3; the thirtieth day counts, the thirty-first does not.

    What deviates by more than 1 is evidence; of an account without such a day, its highest.
    """
    rows = [("a", 0, 3.0), ("a", 28, 1.5), ("a", 29, 1.0), ("a", 30, 0.5), ("b", 0, 0.5)]
    summed = summed_days(deviations(rows))
    assert summed["sum"].to_list() == [None, None, 3.175426, 1.732051, None]
    assert summed["scored"].to_list() == [1, 2, 3, 3, 1]
    shown = [[(day - MONDAY).days for day in days] for days in summed["evidence"]]
    assert shown == [[0], [0, 28], [0, 28], [28], [0]]


def test_what_adds_up_is_told_once_an_account_and_thirty_days():
    """From the first day of the period; an account told of shortly before it stays quiet."""
    rows = [(who, day, 1.5) for who in "ab" for day in range(0, 60, 5)]
    rows = [(who, day, z) for who, day, z in rows if who == "b" or day >= 20]
    first = MONDAY + timedelta(days=25)
    told = identity_entries(deviations(sorted(rows)), first, a_month=9)
    # Three days of 1.5 give 2.598: a on day 30, b on day 10 and again on day 40.
    assert told.select("sender_id", "until", "scored").rows() == [
        ("b", MONDAY + timedelta(days=40), 6),
        ("a", MONDAY + timedelta(days=30), 3),
    ]
    assert told["score"].to_list() == [3.674235, 2.598076]
    assert told["day"].to_list() == [MONDAY + timedelta(days=15), MONDAY + timedelta(days=20)]
    one = identity_entries(deviations(sorted(rows)), first, a_month=1)
    # Days 30 and 40 are both of April.
    assert one["sender_id"].to_list() == ["b"]


def facts_for(*strong, peers=7, own=(1, 0, 2, 1, 5), earlier=(64, 0), spec=MODELS[0]):
    """Facts of one row with their shares; strongest first: name of the feature, its count."""
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
    return reasons_of(spec, gain, away, known)


def reasons_for(*strong, **known):
    """The same as reasons, each with its phrase."""
    return [fact.reason(share, headline=True) for fact, share in facts_for(*strong, **known)]


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
    for peers in (2, 7):
        told = reasons_for(("export_z", 5), ("sensitive_export", 6), own=[5, 5], peers=peers)
        assert [(each["family"], each["value"]) for each in told] == [("sensitivity", 6.0)]


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


def headline(*strong, **known):
    fact = headline_fact([fact for fact, _ in facts_for(*strong, **known)])
    return fact and fact.count


def test_a_headline_takes_an_action_before_first_time_access():
    """The stronger reason says where, the headline what; what only exceeds peers comes last."""
    assert headline(("remote_deep_z", 12), ("export_z", 88)) == "export"
    assert headline(("remote_deep_z", 12), ("export_14_ratio", 88)) == "export_14"
    assert headline(("sensitive_new_z", 12), ("peer_export", 8), own=[8, 9, 10]) == "sensitive_new"
    assert headline() is None


def test_every_count_can_be_told():
    """A sentence names its count; phrase and title are short."""
    for spec in MODELS:
        for name in {feature.count for feature in spec.features}:
            words = spec.counts[name]
            for value in (1, 2, 1234.5):
                text = f"{sentence(words.clause(value))}. Own history: highest 1."
                assert counts_of([{"text": text}]) == [name]
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
