"""What is said of cases against planted incidents, on numbers one can check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from auditlens.evaluate import CaseQuality, judge_cases
from auditlens.simulator import simulate

DAY = datetime(2026, 10, 1, tzinfo=UTC)


def at(day: int) -> datetime:
    return DAY + timedelta(days=day)


CASES = pl.DataFrame(
    [
        ("C-1", True, "new", ["u-1"], at(0), at(1)),
        ("C-2", True, "new", ["u-2", "u-3"], at(2), at(3)),
        ("C-3", True, "new", ["u-4"], at(4), at(5)),
        ("C-4", False, "new", ["u-1"], at(20), at(20)),
        ("C-5", True, "decided", ["u-5"], at(6), at(6)),
        ("C-6", True, "new", ["u-1"], at(9), at(9)),
    ],
    schema=["case_id", "decide", "state", "actors", "first_at", "last_at"],
    orient="row",
)
FINDINGS = pl.DataFrame(
    [("C-1", "F-1", ["a", "b"]), ("C-2", "F-2", ["c", "d"]), ("C-3", "F-3", ["x"]),
     ("C-4", "F-4", ["e"]), ("C-5", "F-5", ["f"]), ("C-6", "F-6", ["b", "g"])],
    schema=["case_id", "finding_id", "event_ids"], orient="row",
)  # fmt: skip
LABELS = pl.DataFrame(
    [
        ("I-1", "u-1", at(0), at(1), ["a", "b"]),
        ("I-2", "u-2", at(2), at(2), ["c"]),
        ("I-3", "u-3", at(3), at(3), ["d"]),
        ("I-4", "u-1", at(9), at(9), ["g"]),
        ("I-5", "u-1", at(6), at(6), ["b"]),
    ],
    schema=["incident_id", "sender_id", "start", "end", "event_ids"],
    orient="row",
)
TRAPS = pl.DataFrame(
    [("u-4", at(5), at(6)), ("u-1", at(0), at(1)), ("u-4", at(7), at(8))],
    schema=["sender_id", "start", "end"], orient="row",
)  # fmt: skip


def test_cases_are_counted_against_what_was_planted():
    """Planted, mixed, split, look-alikes, and pairs of one account near and far apart."""
    assert judge_cases(CASES, FINDINGS, LABELS, TRAPS) == CaseQuality(
        to_decide=4, planted=3, first=4, first_planted=3, mixed=1, incidents=5, split=2,
        look_alikes=1, near=2, near_joined=2, far=1, far_joined=1,
    )  # fmt: skip


@pytest.mark.parametrize(("events", "planted"), [(10, 1), (11, 0)])
def test_a_visit_among_many_events_is_not_about_the_incident(events, planted):
    """A tenth of a finding's events are the incident's, or half of the incident's are in it."""
    crowd = LABELS.head(1).with_columns(event_ids=pl.lit(["a", "p", "q"]))
    ids = ["a", *(f"x{n}" for n in range(events - 1))]
    findings = pl.DataFrame({"case_id": ["C-1"], "finding_id": ["F-1"], "event_ids": [ids]})
    assert judge_cases(CASES.head(1), findings, crowd, TRAPS).planted == planted


def test_counts_of_workspaces_add_up():
    """Shares are made of sums, not of means of shares."""
    one = CaseQuality(to_decide=2, planted=1)
    assert one + one == CaseQuality(to_decide=4, planted=2)


def test_an_account_can_have_a_second_incident_so_many_days_later():
    """The simulator plants it where the account is at work, and labels it as its own."""
    made = simulate(2, people=30, services=1, resources=300, days=80, incidents={"mass_export": 4},
                    incident_days=(40, 50), again=(5, 12))  # fmt: skip
    labels = made.labels.sort("sender_id", "start")
    gaps = labels.group_by("sender_id", maintain_order=True).agg(
        (pl.col("start").last().dt.date() - pl.col("start").first().dt.date()).dt.total_days()
    )["start"]
    assert set(gaps) <= {0, 5, 12}
    assert gaps.max() >= 5
    assert labels["kind"].n_unique() == 2
