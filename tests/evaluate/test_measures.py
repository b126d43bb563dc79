"""Measures agree with their definitions on cases small enough to work out by hand."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from auditlens.anomalies import detect
from auditlens.evaluate import (
    Case,
    CaseQuality,
    IdentitySwap,
    IncidentRecall,
    RankingQuality,
    Spike,
    SwapAlerts,
    area_under_curve,
    average_precision,
    daily_places,
    evaluation_page,
    incidents_caught_by_rules,
    judge_ranking,
    measure_spike,
    reported_incidents,
    stationary_log,
    with_swaps,
)

# Counting alone: a whole audit of swapped streams takes minutes.
from auditlens.evaluate.identity_swap import alerts_of
from auditlens.period import Period

FIRST = date(2026, 6, 1)


def test_average_precision_is_the_mean_precision_at_each_hit():
    """Hits at places 1 and 4 give (1/1 + 2/4) / 2."""
    assert average_precision(np.array([True, False, False, True])) == 0.75
    assert average_precision(np.array([False, False])) == 0.0


def test_area_counts_pairs_and_half_of_ties():
    """One of two comparisons is won, one tied."""
    area = area_under_curve(np.array([True, False, False]), np.array([0.5, 0.5, 0.1]))
    assert area == 0.75


def days_of(scores):
    rows = [(f"s{n}", FIRST + timedelta(days=day), x) for (n, day), x in scores.items()]
    return pl.DataFrame(rows, schema=["sender_id", "day", "score"], orient="row")


def test_an_incident_is_found_when_one_of_its_days_is_in_a_top_three():
    """Four senders a day: the fourth is not found, unless another day of it is."""
    scores = {(n, day): 0.9 - n / 10 for n in range(4) for day in range(2)}
    labels = pl.DataFrame(
        {
            "incident_id": ["i1", "i2"],
            "kind": ["quiet", "loud"],
            "sender_id": ["s3", "s0"],
            "days": [[FIRST], [FIRST, FIRST + timedelta(days=1)]],
        }
    )
    outcome = judge_ranking(days_of(scores), labels, "sender_id", FIRST)
    assert outcome.by_kind == {"loud": 1.0, "quiet": 0.0}
    assert outcome.found == 0.5
    scores[3, 0] = 0.95
    assert judge_ranking(days_of(scores), labels, "sender_id", FIRST).found == 1.0


def test_a_rule_catches_by_subject_and_time_or_by_evidence():
    """A finding on the sender long before, or on other events, catches nothing."""
    at = [datetime(2026, 6, 1 + day, tzinfo=UTC) for day in range(5)]
    labels = pl.DataFrame(
        {
            "incident_id": ["by subject", "by evidence", "missed"],
            "sender_id": ["s1", "s2", "s3"],
            "start": [at[1], at[1], at[3]],
            "end": [at[2], at[2], at[4]],
            "event_ids": [["a"], ["b", "c"], ["d"]],
        }
    )
    rules = pl.DataFrame(
        {
            "subject_id": ["s1", "workspace", "s3"],
            "first_at": [at[2], at[0], at[0]],
            "last_at": [at[3], at[0], at[1]],
            "event_ids": [["x"], ["c", "y"], ["z"]],
        }
    )
    assert incidents_caught_by_rules(rules, labels) == ["by evidence", "by subject"]


def test_an_incident_is_told_of_when_an_entry_about_its_sender_holds_one_of_its_days():
    """A day between an entry's days, another sender's day and a resource's entry tell nothing."""
    day = [FIRST + timedelta(days=number) for number in range(5)]
    at = [datetime(2026, 6, 1 + number, 9, tzinfo=UTC) for number in range(5)]
    anomalies = pl.DataFrame(
        {
            "subject_kind": ["sender", "sender", "resource"],
            "subject_id": ["s1", "s2", "s3"],
            "first_at": [at[0], at[1], at[0]],
            "last_at": [at[4], at[1], at[4]],
            "event_ids": [["b"], ["x"], ["c"]],
        }
    )
    events = pl.DataFrame({"id": ["b", "c", "x"], "created_at": [at[1], at[2], at[1]]})
    planted = {
        "first": ("s1", [day[0]]),
        "by evidence": ("s1", [day[1], day[2]]),
        "last": ("s1", [day[4]]),
        "between": ("s1", [day[2], day[3]]),
        "another's day": ("s2", [day[0]]),
        "a resource's": ("s3", [day[0]]),
    }
    labels = pl.DataFrame(
        {
            "incident_id": list(planted),
            "kind": ["quiet"] * len(planted),
            "sender_id": [sender for sender, _ in planted.values()],
            "days": [days for _, days in planted.values()],
        }
    )
    assert reported_incidents(anomalies, events, labels) == ["by evidence", "first", "last"]


def test_switched_senders_act_in_each_others_name_for_thirty_days():
    """Events inside the span change hands, those outside do not."""
    days = [FIRST, FIRST + timedelta(days=29), FIRST + timedelta(days=30)]
    placed = pl.DataFrame({"sender_id": ["a", "b", "a"], "day": days})
    assert with_swaps(placed, [IdentitySwap(FIRST, "a", "b")])["sender_id"].to_list() == [
        "b",
        "a",
        "a",
    ]


def test_what_an_audit_says_of_swapped_accounts_is_counted():
    """Listed is any finding of the model, told one in a case to decide; others are the cost."""
    rows = [
        ("anomaly", "sender", "a", "decided"),
        ("anomaly", "sender", "b", "observed"),
        ("anomaly", "sender", "c", "decided too"),
        ("rule", "sender", "c", "decided too"),
        ("rule", "sender", "d", "decided by rules"),
        ("anomaly", "resource", "x", "decided"),
    ]
    names = ["kind", "subject_kind", "subject_id", "case_id"]
    cases = {
        "case_id": ["decided", "decided too", "observed", "decided by rules"],
        "decide": [True, True, False, True],
    }
    audit = SimpleNamespace(
        findings=pl.DataFrame(rows, schema=names, orient="row"),
        cases=pl.DataFrame(cases),
        sender_days=pl.DataFrame(
            {"sender_id": ["a", "c", "d", "d"], "state": ["scored"] * 3 + ["new"]}
        ),
    )
    found = alerts_of(audit, {"a", "b", "x"})
    assert found == SwapAlerts(accounts=3, listed=2, told=1, account_days=2, findings=1, asked=1)
    assert found + found == SwapAlerts(6, 4, 2, 4, 2, 2)


def test_a_spike_is_four_times_the_usual_maximum_of_one_count():
    """No other count of the log changes, and the spike is work on the sender's own resources."""
    spike = Spike(4, 7, "export")
    calm, loud = (stationary_log(1, senders=20, days=12, spike=each) for each in (None, spike))
    day = pl.col("created_at").dt.date().alias("day")
    usual, now = (each.group_by("sender_id", "action_group", day).len() for each in (calm, loud))
    changed = now.join(usual, on=now.columns, how="anti")
    own = pl.col("sender_id") == "s00004"
    highest = usual.filter(own, pl.col("action_group") == "export")["len"].max()
    assert changed.rows() == [("s00004", "export", date(2026, 4, 8), 4 * max(2, highest))]
    assert set(loud.filter(own)["resource_id"]) <= set(calm.filter(own)["resource_id"])


def test_the_page_prints_figures_beside_goals():
    """One row a measure, and one row a kind of incident."""
    found = RankingQuality(2, 0.5, 0.5, 0.75, 0.9, 1.0, {"quiet": 0.0, "loud": 1.0})
    shares = {"listed": 0.5, "listed_with_rules": 0.625, "told": 0.25, "told_with_rules": 0.375}
    run = IncidentRecall(
        found,
        found,
        found,
        found,
        **shares,
        rule_alerts=3,
        shown=4,
        cases=CaseQuality(to_decide=4, planted=3, first=4, first_planted=3),
    )
    page = evaluation_page([Case("Standard", {"average precision": 0.7}, [run, run])])
    assert "| average precision | 0.750 | 0.70 |" in page
    assert "| model alone, listed in the report | 0.500 |" in page
    assert "| model alone, told: a decision is asked | 0.250 |" in page
    assert "| with rules, listed in the report | 0.625 |" in page
    assert "| with rules, told: a decision is asked | 0.375 |" in page
    assert "| quiet | 0.00 |" in page
    assert "| cases to decide in a workspace | 4.000 |" in page
    assert "| of those, planted | 0.750 | ≥ .80 |" in page


@pytest.mark.slow
def test_planted_incidents_are_found_in_a_simulated_workspace():
    """A third-size workspace: most incidents in the top three of a day, naive counts find few."""
    from auditlens.evaluate import measure_recall

    found = measure_recall(31, people=120)
    assert found.senders.found >= 0.85
    assert found.senders_with_rules.found >= found.senders.found
    assert found.resources.found >= 0.7
    assert found.senders.precision > 5 * found.naive.precision


@pytest.mark.slow
def test_reasons_name_what_was_pushed():
    """The planted feature and family are among the first three nearly always."""
    from auditlens.anomalies import MODELS, day_tables, encode_events, fit_days
    from auditlens.evaluate import measure_fidelity
    from auditlens.events import classify, conform
    from auditlens.simulator import simulate

    workspace = simulate(31, people=100, resources=2000)
    encoded = encode_events(classify(conform(workspace.events)), until=workspace.end)
    days = day_tables(encoded)[0].filter(pl.col("state") == "scored")
    faithful = measure_fidelity(fit_days(days, MODELS[0].features, seed=0), days)
    assert faithful.feature >= 0.85
    assert faithful.family >= 0.9


def test_a_spike_in_events_is_first_and_told_by_its_count():
    """Two hundred steady people; one does four times the usual maximum of reads for a day."""
    found = measure_spike(4, senders=200)
    assert (found.rank, found.right, found.shown) == (1, True, True)
    assert found.text.startswith("Viewed resources ")


@pytest.mark.slow
def test_steady_habits_show_at_most_one_person_in_two_hundred():
    """Two workspaces of three hundred people, in whose month nothing happens."""
    period = Period.parse("2026-05-01..2026-05-30")
    outcomes = [detect(stationary_log(seed, senders=300, days=60), period) for seed in (5, 6)]
    senders = [each.flagged.filter(subject_kind="sender")["subject_id"] for each in outcomes]
    assert sum(shown.n_unique() for shown in senders) <= 3
    assert all(each.sender_days["score"].null_count() == 0 for each in outcomes)


def test_a_sender_with_an_entry_leaves_its_place_to_others():
    """The same sender leads on two days of a week: the second day has three places for others."""
    days = [
        date(2026, 3, 2),
        date(2026, 3, 2) + timedelta(days=1),
        date(2026, 3, 2) + timedelta(days=7),
    ]
    rows = [(day, name) for day in days for name in "abcde"]
    shown = daily_places(pl.DataFrame(rows, schema=["day", "who"], orient="row"), "who", 3)
    assert "".join(name for (_, name), seen in zip(rows, shown, strict=True) if seen) == (
        "abc" + "abcde" + "abc"
    )
