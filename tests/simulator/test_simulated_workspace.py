"""The simulated workspace: repeatable, of any size, with planted incidents and benign oddities."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.events import classify, conform, load_classifier
from auditlens.simulator import (
    INCIDENT_KINDS,
    KINDS,
    LOOKALIKE_KINDS,
    Workspace,
    demo_workspace,
    simulate,
)

SMALL = {"people": 40, "services": 2, "resources": 300, "teams": 4, "days": 60, "events_per_day": 6}


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return simulate(3, people=90, services=4, resources=900, teams=6, days=91, events_per_day=12)


def planted(workspace: Workspace, kind: str) -> pl.DataFrame:
    """The events of every incident of one kind."""
    ids = workspace.labels.filter(pl.col("kind") == kind)["incident_id"]
    found = workspace.events.filter(pl.col("incident").is_in(ids.implode()))
    assert found.height
    return found


def test_one_seed_gives_the_same_bytes():
    """The same arguments give the same records in both generations, and the same labels."""
    first, again = simulate(5, **SMALL), simulate(5, **SMALL)
    assert first.records("legacy") == again.records("legacy")
    assert first.records("current") == again.records("current")
    assert first.labels.equals(again.labels)


def test_another_seed_gives_another_workspace():
    """Seeds differ in every id."""
    first, other = simulate(5, **SMALL), simulate(6, **SMALL)
    assert not set(first.events["id"]) & set(other.events["id"])


@pytest.mark.parametrize(
    "sizes",
    [
        {"people": 1, "services": 0, "resources": 10, "days": 1},
        {"people": 3, "services": 1, "resources": 60, "teams": 2, "days": 10},
        {"people": 500, "services": 0, "resources": 100, "teams": 30, "days": 5},
    ],
)
def test_any_size_can_be_simulated(sizes):
    """Tiny and lopsided sizes give a log inside its days, and labels that fit it."""
    made = simulate(1, **{**sizes, "events_per_day": 5})
    assert made.size
    assert made.events["created_at"].is_between(made.start, made.end, closed="left").all()
    assert made.end - made.start == timedelta(days=sizes["days"])


@pytest.mark.parametrize(
    "wrong", [{"people": 0}, {"strength": 0}, {"teams": 99}, {"incidents": {"arson": 1}}]
)
def test_impossible_arguments_are_refused(wrong):
    """A value that cannot be simulated is a usage error that names what can."""
    with pytest.raises(UsageError) as refused:
        simulate(0, **{**SMALL, **wrong})
    assert refused.value.fix


def test_events_are_in_order_with_unique_ids(workspace):
    """The log is oldest first and no id repeats."""
    assert workspace.events["created_at"].is_sorted()
    assert workspace.events["id"].is_unique().all()


def test_every_incident_kind_is_planted_and_labelled(workspace):
    """Each kind has a label whose ids are exactly its events, on its days, by its subject."""
    labels = workspace.labels
    assert set(labels["kind"]) == set(INCIDENT_KINDS)
    for label in labels.iter_rows(named=True):
        events = workspace.events.filter(pl.col("incident") == label["incident_id"])
        assert events["id"].to_list() == label["event_ids"]
        assert events["created_at"].min() == label["start"]
        assert events["created_at"].max() == label["end"]
        assert events["created_at"].dt.date().unique().sort().to_list() == label["days"]
        subject = f"{label['subject_kind']}_id"
        assert events[subject].unique().to_list() == [label[subject]] or subject == "sender_id"
        if subject == "sender_id":
            assert events["sender_id"].unique().to_list() == [label["sender_id"]]


def test_a_sender_has_one_incident_at_most():
    """No two incidents share the sender they are about, however many are asked for."""
    crowded = simulate(5, **SMALL, incidents=4)
    senders = crowded.labels["sender_id"].drop_nulls()
    assert senders.len() > 15
    assert senders.is_unique().all()


def test_half_strength_plants_half_the_events():
    """Strength scales incidents and leaves ordinary days alone."""
    whole, half = simulate(4, **SMALL), simulate(4, **SMALL, strength=0.5)
    ratio = half.labels["event_ids"].list.len().sum() / whole.labels["event_ids"].list.len().sum()
    assert 0.4 < ratio < 0.6
    ordinary = pl.col("incident").is_null()
    columns = ["created_at", "sender_id", "event", "resource_id"]
    left, right = (each.events.filter(ordinary).select(columns) for each in (whole, half))
    assert left.equals(right)


def test_incidents_can_be_chosen_or_left_out():
    """A mapping plants what it says, False nothing."""
    assert simulate(2, **SMALL, incidents=False).labels.is_empty()
    chosen = simulate(2, **SMALL, incidents={"scrape": 2, "mass_export": 1}).labels
    assert sorted(chosen["kind"]) == ["mass_export", "scrape", "scrape"]


def test_marks_can_be_left_out():
    """Without marks no record and no catalog resource says PII; incidents stay."""
    bare = simulate(2, **SMALL, marks=False)
    assert not bare.events["metadata"].str.contains("pii").any()
    assert not bare.directory.resources["pii"].any()
    assert simulate(2, **SMALL).events["metadata"].str.contains('"pii":true').any()
    assert bare.labels.height


def test_a_role_is_raised_by_its_own_holder(workspace):
    """The privilege chain holds a change of one's own role to admin."""
    raised = planted(workspace, "privilege_chain").filter(pl.col("event") == "role_changed")
    assert raised["resource_id"].to_list() == raised["sender_id"].to_list()
    assert raised["metadata"].str.contains('"to":"admin"').all()


def test_a_dormant_sender_was_silent_before(workspace):
    """The returning sender was active once, and then for five weeks not."""
    label = workspace.labels.filter(pl.col("kind") == "dormant_return").row(0, named=True)
    own = workspace.events.filter(pl.col("sender_id") == label["sender_id"])
    before = own.filter(pl.col("created_at") < label["start"])["created_at"]
    assert before.len() > 5
    assert label["start"] - before.max() > timedelta(days=30)


def test_an_own_request_is_approved_by_its_requester(workspace):
    """Approvals of the self-approval kind name one person on both sides."""
    approved = planted(workspace, "self_approval").filter(
        pl.col("event") == "access_request_approved"
    )
    sides = approved.select(
        pl.col("metadata").str.json_path_match("$.requester").alias("requester"),
        pl.col("metadata").str.json_path_match("$.approver").alias("approver"),
    )
    assert sides["requester"].to_list() == approved["sender_id"].to_list()
    assert sides["approver"].to_list() == approved["sender_id"].to_list()


def test_nobody_approves_or_raises_himself_in_ordinary_work(workspace):
    """Outside incidents, approvals, grants and role changes are about somebody else."""
    ordinary = workspace.events.filter(pl.col("incident").is_null())
    about = {
        "access_request_approved": "entity_id",
        "permission_granted": "entity_id",
        "role_changed": "resource_id",
    }
    for event, side in about.items():
        rows = ordinary.filter(pl.col("event") == event)
        assert rows.height
        assert (rows[side] != rows["sender_id"]).all()


def test_a_takeover_happens_at_night(workspace):
    """Every event of a takeover is outside the hours its owner usually works."""
    events = planted(workspace, "account_takeover")
    owner = workspace.events.filter(
        pl.col("sender_id").is_in(events["sender_id"].unique().implode()),
        pl.col("incident").is_null(),
    )
    for sender in events["sender_id"].unique():
        usual = owner.filter(pl.col("sender_id") == sender)["created_at"].dt.hour()
        share = usual.value_counts(normalize=True)
        hours = events.filter(pl.col("sender_id") == sender)["created_at"].dt.hour()
        at_those = share.filter(pl.col("created_at").is_in(hours.unique().implode()))
        assert at_those["proportion"].sum() < 0.1


def test_disabled_users_may_still_act_only_where_planted(workspace):
    """Who was deactivated is disabled in the directory, and acts later only in an incident."""
    gone = workspace.events.filter(pl.col("event") == "user_deactivated")
    disabled = workspace.directory.users.filter("disabled")["id"]
    assert set(gone["resource_id"]) <= set(disabled)
    later = workspace.events.join(
        gone.select(pl.col("resource_id").alias("sender_id"), pl.col("created_at").alias("left")),
        on="sender_id",
    ).filter(pl.col("created_at") > pl.col("left") + pl.duration(days=1))
    assert later.height
    assert later["incident"].null_count() == 0


def test_benign_oddities_of_every_kind_exist(workspace):
    """Traps of each kind are listed with their sender and their time, none is an incident."""
    assert set(workspace.traps["kind"]) == set(LOOKALIKE_KINDS)
    assert (workspace.traps["start"] <= workspace.traps["end"]).all()
    assert workspace.traps["sender_id"].null_count() == 0


def test_every_kind_of_event_happens_and_is_classified(workspace):
    """The whole vocabulary occurs, and the shipped classifier knows all of it."""
    assert set(workspace.events["event"]) == {kind.token for kind in KINDS}
    events = classify(conform(workspace.events), load_classifier())
    assert events["action"].null_count() == 0


def test_senders_of_every_sort_act(workspace):
    """People, API, automation, monitor and system all stand in the log, some rows name nobody."""
    events = workspace.events
    assert set(events["sender_kind"]) == {"user", "api", "automation", "monitor", "system"}
    assert events.filter(pl.col("sender_id").is_null())["event"].unique().sort().to_list() == [
        "job_completed",
        "sync_failed",
    ]
    assert "scheduler@secoda.co" in set(events["sender_email"])


def test_people_keep_their_hours_and_zones(workspace):
    """Few events lie on weekends, and the log is busy in more than one zone's morning."""
    people = workspace.events.filter(pl.col("sender_kind") == "user")
    weekend = (people["created_at"].dt.weekday() > 5).mean()
    assert weekend < 0.08
    assert people["created_at"].dt.hour().n_unique() == 24


def test_names_are_clearly_made_up(workspace):
    """Every person and service account has an address on example.org."""
    assert workspace.directory.users["email"].str.ends_with("@example.org").all()


def test_the_directory_knows_whom_and_what_the_log_names(workspace):
    """Senders and assets of the log are users and resources of the directory."""
    directory = workspace.directory
    accounts = workspace.events.filter(pl.col("sender_email").str.ends_with("@example.org"))
    assert set(accounts["sender_id"]) <= set(directory.users["id"])
    tables = workspace.events.filter(pl.col("resource_type") == "table")
    assert set(tables["resource_id"]) <= set(directory.resources["id"])
    containers = workspace.events["metadata"].str.json_path_match("$.container").drop_nulls()
    assert set(containers) <= set(directory.resources["id"])
    members = directory.groups.explode("users")["users"]
    assert set(members) == set(directory.users["id"])
    assert set(directory.users["role"]) == {"admin", "editor", "viewer"}


def test_the_demo_tells_of_the_last_whole_month():
    """The demo covers four whole months and plants all incidents in the last of them."""
    demo = demo_workspace(today=date(2026, 3, 17))
    assert demo.start == datetime(2025, 11, 1, tzinfo=UTC)
    assert demo.end == datetime(2026, 3, 6, tzinfo=UTC)
    days = demo.labels["days"].explode()
    assert days.is_between(date(2026, 2, 1), date(2026, 2, 28)).all()
    assert demo.labels.height >= 6
    month = demo.events.group_by(pl.col("created_at").dt.truncate("1mo")).len()
    assert month.filter(pl.col("created_at").dt.month() != 3)["len"].is_between(4000, 8500).all()


def test_a_demo_on_the_first_of_a_month_has_no_days_to_come():
    """The log ends before today, whatever day it is."""
    demo = demo_workspace(today=date(2026, 3, 1))
    assert demo.end == datetime(2026, 3, 1, tzinfo=UTC)
    assert demo.events["created_at"].max() < demo.end
