"""The evidence of an ordered correlation begins with its first step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from auditlens.events import conform
from auditlens.period import Period
from auditlens.rules import evaluate, load_rules

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_busy_past_does_not_push_the_steps_out_of_the_evidence():
    """Three hundred ordinary events before the first step are not what the finding rests on."""
    writes = [
        {"id": f"w-{n:03}", "created_at": START + timedelta(hours=n / 2), "sender_id": "p-9",
         "sender_email": "p-9@example.org", "action": "resource_updated",
         "action_group": "write", "resource_id": "r"}
        for n in range(300)
    ]  # fmt: skip
    later = START + timedelta(days=7)
    removal = {"id": "removed", "created_at": later, "sender_id": "admin",
               "sender_email": "admin@example.org", "action": "member_removed",
               "action_group": "permission",
               "resource_id": "p-9"}  # fmt: skip
    login = {**writes[0], "id": "login", "created_at": later + timedelta(hours=1),
             "action": "login", "action_group": "auth", "resource_id": None}  # fmt: skip
    events = conform(pl.DataFrame([*writes, removal, login]))
    found = evaluate(load_rules(), events, Period.parse("2026-03"), timezone="UTC").episodes
    name = "correlation_secoda_removed_account_active"
    rule = next(rule for rule in load_rules().rules if rule.name == name)
    row = found.filter(pl.col("rule_id") == rule.id).to_dicts()[0]
    assert row["event_ids"] == ["removed", "login"]
    assert (row["subject_kind"], row["subject_id"]) == ("sender", "p-9")
    assert row["subject_label"] == "p-9@example.org"
