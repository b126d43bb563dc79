"""What detect promises for any log: the seam, repeatability, and honest silence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

# How many days are compared, and how large the forests are, is no option of detect.
from auditlens.anomalies import (
    Mute,
    baseline_bands,
    detect,
    detector,
    hour_grid,
    sender_timeline,
)
from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA
from auditlens.findings import FINDING_SCHEMA
from auditlens.period import Period

PERIOD = Period.parse("2026-03")


def office(seed=0, people=12, days=60, spike=None):
    """People who each touch a few of their own resources on working hours, until 31 March."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 3, 31, tzinfo=UTC) - timedelta(days=days - 1)
    rows = []
    for day in range(days):
        for person in range(people):
            count = 4 + int(rng.integers(6))
            if spike == (day, person):
                count *= 12
            for _ in range(count):
                resource = int(rng.integers(400 if spike == (day, person) else 15))
                at = start + timedelta(days=day, seconds=int(rng.integers(32_000, 62_000)))
                export = spike == (day, person) or rng.random() < 0.02
                rows.append((at, f"p{person:02}", f"r{person}-{resource}", export))
    return events(rows)


def events(rows):
    frame = pl.DataFrame(
        rows,
        schema={
            "created_at": pl.Datetime("us", "UTC"),
            "sender_id": pl.String,
            "resource_id": pl.String,
            "export": pl.Boolean,
        },
        orient="row",
    ).with_row_index("n")
    kind = pl.when("export").then(pl.lit("export")).otherwise(pl.lit("read"))
    blank = [pl.lit(None, dtype).alias(name) for name, dtype in EVENT_SCHEMA.items()]
    return (
        frame.select(pl.all().exclude("n", "export"), kind=kind, id=pl.col("n").cast(pl.String))
        .select(
            *(
                each
                for each in blank
                if each.meta.output_name() not in {"created_at", "sender_id", "resource_id", "id"}
            ),
            "created_at",
            "sender_id",
            "resource_id",
            "id",
            "kind",
        )
        .with_columns(
            event=pl.format("table_{}", "kind"),
            action_group="kind",
            sender_kind=pl.lit("user"),
            entity_type=pl.lit("table"),
            leaf=pl.lit(b"0" * 32),
        )
        .select(EVENT_SCHEMA.keys())
    )


@pytest.fixture(scope="module")
def spiked():
    return office(spike=(50, 3))


@pytest.fixture(scope="module")
def outcome(spiked):
    return detect(spiked, PERIOD)


def test_a_day_unlike_all_others_is_the_first_finding(outcome):
    """A person who exports twelve times the usual from strange resources leads the list."""
    first = outcome.flagged.row(0, named=True)
    assert first["subject_id"] == "p03"
    assert first["score_rank"] == 1
    assert first["first_at"].date().isoformat() == "2026-03-22"


def test_a_finding_shows_its_evidence_and_reasons(outcome):
    """Event count, evidence ids, value, expectation and reasons that add up to at most one."""
    first = outcome.flagged.row(0, named=True)
    assert first["event_count"] == first["value"] > 3 * first["expected"]
    assert len(first["event_ids"]) == min(100, first["event_count"])
    assert 0 < sum(reason["share"] for reason in first["reasons"]) <= 1.000001
    assert all(reason["label"] == "UNSEEN" for reason in first["reasons"])
    assert first["reasons"][0]["text"].endswith("Never this high before.")


def test_flagged_columns_are_those_of_a_finding(outcome):
    """Every column but ``model`` goes into the findings frame with the same dtype."""
    schema = dict(outcome.flagged.schema)
    assert schema.pop("model") == pl.String
    assert schema == {name: FINDING_SCHEMA[name] for name in schema}


def test_days_of_the_period_carry_score_rank_and_percentile(outcome):
    """Sender-days and resource-days cover the period only, sorted, with rank 1 the highest."""
    for days, subject in (
        (outcome.sender_days, "sender_id"),
        (outcome.resource_days, "resource_id"),
    ):
        assert days["day"].is_between(*(PERIOD.days[0], PERIOD.days[-1])).all()
        assert days.equals(days.sort("day", subject))
        scored = days.filter(state="scored")
        assert scored.sort("rank")["score"].is_sorted(descending=True)
        assert scored["rank"].sort().to_list() == list(range(1, len(scored) + 1))
        assert scored["percentile"].is_between(0, 100).all()


def test_shuffled_rows_change_nothing(spiked, outcome):
    """The order in which events arrive has no influence on any published value."""
    again = detect(spiked.sample(fraction=1, shuffle=True, seed=5), PERIOD)
    assert again.sender_days.equals(outcome.sender_days)
    assert again.resource_days.equals(outcome.resource_days)
    assert again.flagged.equals(outcome.flagged)
    assert again.model == outcome.model


def test_fewer_days_to_compare_with_change_no_score(spiked, outcome, monkeypatch):
    """A large log is compared with every n-th earlier day; what a day scores stays the same."""
    monkeypatch.setattr(detector, "REFERENCE_ROWS", 100)
    again = detect(spiked, PERIOD)
    same = ["day", "sender_id", "score", "identity_score", "rank"]
    assert again.sender_days.select(same).equals(outcome.sender_days.select(same))
    near = again.sender_days["percentile"] - outcome.sender_days["percentile"]
    assert 0 < near.abs().max() < 10


@pytest.fixture(scope="module")
def small():
    """Too few days for a forest of its own."""
    return office(people=5, spike=(50, 3))


def test_a_small_log_is_scored_with_the_bundled_forest(small):
    """Five people are enough for findings, and the notes say by which forest."""
    outcome = detect(small, PERIOD)
    assert outcome.flagged["subject_id"][0] == "p03"
    assert "the forest that comes with AuditLens" in outcome.model["notes"][0]


@pytest.mark.parametrize(("left_out", "bundled"), [(1, True), (0, False)])
def test_a_log_of_300_days_grows_its_own_forest(left_out, bundled, monkeypatch):
    """Ten people on 30 days after the first fourteen; with one day less the bundled one serves."""
    for name in ("SENDERS", "IDENTITY_MODEL", "RESOURCES"):
        monkeypatch.setattr(detector, name, replace(getattr(detector, name), trees=5))
    log = office(people=10, days=44)
    last = (pl.col("sender_id") == "p09") & (pl.col("created_at").dt.date() == date(2026, 3, 31))
    outcome = detect(log.filter(~last) if left_out else log, PERIOD)
    assert len(outcome.sender_days.filter(state="scored")) == 300 - left_out
    note = "Only 299 sender-days can be compared, so the forest that comes with AuditLens"
    assert any(text.startswith(note) for text in outcome.model["notes"]) == bundled


def test_the_period_ends_before_its_end_and_history_is_four_hundred_days():
    """Midnight after the period is not in it; what is older than the history was never seen."""
    start, moment = PERIOD.start, timedelta(microseconds=1)
    rows = [
        (start - timedelta(days=400), "within", "r", False),
        (start - timedelta(days=400) - moment, "beyond", "r", False),
        (start, "within", "r", False),
        (start, "beyond", "r", False),
        (PERIOD.end - moment, "within", "r", False),
        (PERIOD.end, "within", "r", False),
    ]
    days = detect(events(rows), PERIOD).sender_days
    assert days.select("day", "sender_id", "days_before").rows() == [
        (date(2026, 3, 1), "beyond", 0),
        (date(2026, 3, 1), "within", 1),
        (date(2026, 3, 31), "within", 2),
    ]


def test_a_muted_family_lowers_the_score_and_is_named(small):
    """A reviewer's decision changes the ranking where it applies and says so."""
    mutes = [Mute("p03", family, date(2026, 4, 1)) for family in ("self", "novelty", "slow")]
    outcome, again = detect(small, PERIOD), detect(small, PERIOD, mutes=mutes)
    where = {"sender_id": "p03", "day": date(2026, 3, 22)}
    before, after = (each.sender_days.filter(**where)["score"][0] for each in (outcome, again))
    assert after < before - 0.05
    others = pl.col("sender_id") != "p03"
    assert again.sender_days.filter(others)["muted"].list.len().sum() == 0
    found = again.flagged.filter(subject_id="p03")
    assert all("reviewer" in reasons[-1]["text"] for reasons in found["reasons"].to_list())


def test_explaining_a_sender_gives_days_hours_and_bands(spiked):
    """Timeline, hour-of-week grid and baseline bands show the odd day among the usual ones."""
    odd = date(2026, 3, 22)
    assert sender_timeline(spiked, "p03")["events"].sum() == len(spiked.filter(sender_id="p03"))
    grid = hour_grid(spiked, "p03", [odd])
    assert len(grid) == 168
    assert grid["now"].sum() == len(
        spiked.filter(pl.col("created_at").dt.date() == odd, sender_id="p03")
    )
    day = baseline_bands(spiked, "p03", "export").filter(day=odd).row(0, named=True)
    assert day["value"] > 10 * (day["high"] + 1)


def test_an_unknown_sender_or_count_is_an_error(spiked):
    """The message names what would be right."""
    with pytest.raises(UsageError, match="sender"):
        sender_timeline(spiked, "nobody")
    with pytest.raises(UsageError, match="Use one of"):
        baseline_bands(spiked, "p03", "nonsense")


def test_at_most_the_budget_is_shown(small):
    """Budgets of senders hold for the week and for the month; identities have their own."""
    for budget in ({"senders_a_week": 0}, {"senders_a_month": 0}):
        assert set(detect(small, PERIOD, **budget).flagged["model"]) <= {"identity", "resource-day"}


def test_days_in_anothers_place_add_up_to_a_finding():
    """Two people swap places for the month: no day is far out, but both are told, once."""
    log = office(people=14, days=110)
    swapped = log.with_columns(
        sender_id=pl.when(pl.col("created_at") >= PERIOD.start)
        .then(pl.col("sender_id").replace({"p03": "p07", "p07": "p03"}))
        .otherwise("sender_id")
    )
    told = detect(swapped, PERIOD).flagged.filter(model="identity")
    both = told.filter(pl.col("subject_id").is_in(["p03", "p07"]))
    assert sorted(both["subject_id"]) == ["p03", "p07"]
    for row in both.to_dicts():
        assert (row["level"], row["expected"]) == ("low", 2.5)
        assert row["title"].startswith("Behavior Matches Another Account")
        first = row["reasons"][0]
        assert first["text"].startswith("Differed from its own profile on ")
        assert first["text"].endswith(f"Sum over 30 days {row['value']:.1f}, threshold 2.5.")
        assert first["share"] is None
        assert len(first["text"].split()) <= 25
        assert row["event_count"] >= len(row["reasons"])


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (office().clear(), "No event has a sender"),
        (office(people=1), "Only one sender"),
        (office().with_columns(sender_kind=pl.lit("system")), "the system itself"),
        (office(days=6), "0 of 10 account-days needed with a baseline"),
        (pl.concat([office().head(1)] * 500), "Only one sender"),
    ],
    ids=["empty", "one sender", "all system", "six days", "identical rows"],
)
def test_a_log_that_cannot_be_compared_gives_a_sentence(log, sentence):
    """Degenerate logs give a note, no score, no finding and no warning."""
    outcome = detect(log, PERIOD)
    assert sentence in " ".join(outcome.model["notes"])
    assert outcome.sender_days["score"].null_count() == len(outcome.sender_days)
    assert not len(outcome.flagged)


def test_days_that_are_all_alike_are_not_scored():
    """Constant columns leave nothing to tell rows apart by."""
    start = datetime(2026, 2, 1, 9, tzinfo=UTC)
    rows = [
        (start + timedelta(days=day), f"p{person}", f"r{person}", False)
        for day in range(59)
        for person in range(3)
    ]
    outcome = detect(events(rows), PERIOD)
    assert outcome.sender_days["score"].null_count() == len(outcome.sender_days)
    assert "look the same" in outcome.model["notes"][0]
    assert not len(outcome.flagged)
