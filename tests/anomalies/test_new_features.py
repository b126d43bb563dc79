"""Removed accounts, the order of events, sums of five days, places of a day, and months."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from auditlens.anomalies import sender_months
from auditlens.anomalies.budget import daily_places
from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.counts import day_counts
from auditlens.anomalies.ledger import open_ledger
from auditlens.anomalies.model import fit_days
from auditlens.anomalies.slow import stretch_starts, sum_of_days, surge_of_days
from auditlens.anomalies.steps import step_surprise
from auditlens.anomalies.tables import day_tables
from auditlens.events import conform

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MONDAY = START.date()
DEPTH = ("remote_one", "remote_deep")


def ledger_of(rows):
    """Rows of (day, minute, sender, kind, resource), coded."""
    frame = pl.DataFrame(
        [
            (str(n), START + timedelta(days=day, minutes=minute), who, kind, kind, what)
            for n, (day, minute, who, kind, what) in enumerate(rows)
        ],
        schema=["id", "created_at", "sender_id", "event", "action", "resource_id"],
        orient="row",
    )
    return open_ledger(conform(frame), until=START + timedelta(days=90))


def test_events_of_a_removed_account_are_counted_for_thirty_days():
    """Before the removal, and long after it, nothing is counted; leaving oneself is no removal."""
    rows = [(0, 0, "a", "view", "t"), (1, 0, "boss", "member_removed", "a")]
    rows += [(1, 5, "a", "view", "t"), (9, 0, "a", "view", "t"), (40, 0, "a", "view", "t")]
    rows += [(1, 0, "b", "member_removed", "b"), (2, 0, "b", "view", "t")]
    ledger = ledger_of(rows)
    counts = day_counts(ledger).join(ledger.senders.select("s", "sender_id"), on="s")
    by_sender = dict(counts.group_by("sender_id", maintain_order=True).agg("removed").iter_rows())
    assert by_sender["a"] == [0, 1, 1, 0]
    assert by_sender["b"] == [0, 0]


def test_rights_changed_in_ones_own_favour_are_counted_apart():
    """A grant to oneself counts; a login of oneself and a grant to another do not."""
    frame = pl.DataFrame(
        {
            "id": ["1", "2", "3", "4"],
            "created_at": [START] * 4,
            "sender_id": ["a"] * 4,
            "action_group": ["permission", "auth", "auth", "permission"],
            "resource_id": ["t", "a", "a", "t"],
            "entity_id": ["a", None, None, "b"],
        }
    )
    counts = day_counts(open_ledger(conform(frame), until=START + timedelta(days=1)))
    assert counts["own_rights"].to_list() == [1]


def test_exports_of_new_things_are_counted_and_looked_at_on_the_return():
    """Known things count nothing; after a week away the same exports stand out by themselves."""
    frame = pl.DataFrame(
        [
            (str(n), START + timedelta(days=day), "a", group, what)
            for n, (day, group, what) in enumerate(
                [(0, "read", "x"), (1, "export", "x"), (1, "export", "y"), (9, "share", "z")]
            )
        ],
        schema=["id", "created_at", "sender_id", "action_group", "resource_id"],
        orient="row",
    )
    ledger = open_ledger(conform(frame), until=START + timedelta(days=20))
    days = day_tables(ledger)[0]
    assert days["new_taken"].to_list() == [0, 1, 1]
    assert days["return_new_taken"].to_list() == [0, 0, 1]


def at_home_but_for(sides, rows):
    """Features of a day on which ``rows`` are read, after twenty days of twelve people a side."""
    home = [
        (f"{side}{n:02d}", day, side, f"{side}{(n + day + k) % 9}")
        for side in sides
        for n in range(12)
        for day in range(20)
        for k in range(3)
    ]
    home += [(who, 21, folder, what) for who, folder, what in rows]
    frame = pl.DataFrame(
        [
            (str(n), START + timedelta(days=day), who, "read", what, folder)
            for n, (who, day, folder, what) in enumerate(home)
        ],
        schema=["id", "created_at", "sender_id", "action_group", "resource_id", "parent_id"],
        orient="row",
    )
    ledger = open_ledger(conform(frame), until=START + timedelta(days=30))
    return day_tables(ledger)[0].filter(pl.col("day") == MONDAY + timedelta(days=21))


def test_a_folder_is_remote_that_others_visit_and_neither_sender_nor_peers_do():
    """Twelve people know folder A and twelve B; one of A who opens B is far from home."""
    rows = [("A00", "B", "B1"), ("A00", "A", "A1"), ("B00", "B", "B1")]
    days = at_home_but_for("AB", rows)
    remote = dict(days.select("sender_id", "remote_resources").iter_rows())
    assert remote == {"A00": 1, "B00": 0}


def test_looking_through_a_far_folder_counts_and_following_links_does_not():
    """Two things each of two far folders are links; four of one are two beyond what links are."""
    rows = [("A00", folder, f"{folder}{n}") for folder in "BC" for n in range(2)]
    rows += [(who, "B", f"B{n}") for who in ("A01", "B00") for n in range(4)]
    days = at_home_but_for("ABC", rows)
    found = {who: rest for who, *rest in days.select("sender_id", *DEPTH).iter_rows()}
    assert found == {"A00": [2, 0], "A01": [4, 2], "B00": [0, 0]}
    assert days["remote_deep_leap"].to_list() == [0, pytest.approx(1.857, abs=0.001), 0]


def test_things_exported_and_shared_on_one_day_count_from_the_second_on():
    """Export and share of other things, or on other days, are no passing on; one may be chance."""
    frame = pl.DataFrame(
        [
            (str(n), START + timedelta(days=day), "a", group, what)
            for n, (day, group, what) in enumerate(
                [(0, "export", "x"), (0, "share", "y"), (1, "share", "x"), (1, "export", "x")]
                + [(2, group, what) for group in ("export", "share") for what in "xyz"]
            )
        ],
        schema=["id", "created_at", "sender_id", "action_group", "resource_id"],
        orient="row",
    )
    days = day_tables(open_ledger(conform(frame), until=START + timedelta(days=20)))[0]
    assert days["passed_on"].to_list() == [0, 0, 2]
    assert days["passed_on_5_sum"].to_list() == [0, 0, 2]


def test_deletions_are_a_leap_only_above_what_others_do():
    """Thirty deletions stand out; where others delete forty now and then, they are ordinary."""

    def leap(others):
        rows = [(day, n, f"p{n}", "read", "t") for day in range(35) for n in range(9)]
        rows += [(29, k, "p0", "delete", f"t{k}") for k in range(30)]
        rows += [(18 + n, k, f"p{n}", "delete", "x") for n in range(1, 7) for k in range(others)]
        frame = pl.DataFrame(
            [
                (str(at), START + timedelta(days=day, minutes=minute), who, group, what)
                for at, (day, minute, who, group, what) in enumerate(rows)
            ],
            schema=["id", "created_at", "sender_id", "action_group", "resource_id"],
            orient="row",
        )
        days = day_tables(open_ledger(conform(frame), until=START + timedelta(days=40)))[0]
        return days.filter(sender_id="p0", day=MONDAY + timedelta(days=29))["delete_leap"][0]

    assert leap(0) > 5
    assert leap(40) == 0


def test_a_step_never_taken_is_more_surprising_than_a_habit():
    """The kinds of both days are the same; only their order is new."""
    habit = [(day, n, "a", kind, "t") for day in range(20) for n, kind in enumerate("xyz")]
    other = [(20, n, "a", kind, "t") for n, kind in enumerate("xzy")]
    steps = step_surprise(ledger_of(habit + other)).sort("d")
    assert steps["strange_steps"].to_list()[10:] == [0] * 10 + [2]
    assert steps["step_mean"][20] > 3 * steps["step_mean"][19]


def test_five_days_of_little_surge_where_no_day_does():
    """Three a day for a week, after one a day, stand above every earlier five days."""
    values = np.array([1] * 20 + [3] * 5)
    zeros = np.zeros(25, np.int64)
    start = stretch_starts(zeros, np.arange(25), days=5)
    surge = surge_of_days(sum_of_days(values, start), start, zeros, np.arange(25))
    assert surge[19] == 0
    assert surge[24] > 2.5


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


def test_the_leap_of_five_days_lifts_the_score_and_is_credited_to_them():
    """One row in sixty leaps as far as none before."""
    rng = np.random.default_rng(0)
    calm = np.round(rng.random(60), 3)
    leap = np.where(np.arange(60) == 59, 9.0, 0.0)
    table = pl.DataFrame({"events_z": calm, "share_5_surge": calm, "share_5_leap": leap})
    features = [
        Feature("events_z", "self", "events", "events"),
        Feature("share_5_surge", "slow", "shares", "share_5_sum"),
    ]
    model = fit_days(table, features, seed=0, trees=5)
    flat = table.with_columns(share_5_leap=pl.lit(0.0))
    assert model.scores(table)[59] > model.scores(flat)[59] + 0.2
    gained = model.credit(table)[59] - model.credit(flat)[59]
    assert gained[0] == 0
    assert gained[1] > 1


def test_a_small_leap_moves_a_day_up_but_not_over_the_gate():
    """Below the gate a leap lifts early, above it as slowly as ever: no more days are shown."""
    calm = np.round(np.random.default_rng(0).random(60), 3)
    leap = pl.Series([1.5] * 60)
    table = pl.DataFrame({"events_z": calm, "share_5_surge": calm, "share_5_leap": leap * 0})
    features = [Feature("events_z", "self", "events", "events")]
    model = replace(fit_days(table, features, seed=0, trees=5), usual_leaps={"share_5": 1.0})
    plain = model.scores(table)
    slow = plain + (1 - plain) * 0.7 * (1 - 1 / 1.5)
    high = replace(model, gate=0.9).scores(table.with_columns(share_5_leap=leap))
    low = replace(model, gate=0.5).scores(table.with_columns(share_5_leap=leap))
    assert (high > slow + 0.03).all()
    assert (high < 0.9).all()
    assert np.allclose(low[slow > 0.5], slow[slow > 0.5], atol=2e-6)
    assert (low[slow < 0.499] < 0.5).all()
