"""Raw kinds of event become actions; what is not recognised stays null."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from auditlens.errors import DocumentError
from auditlens.events import ACTION_GROUPS, EVENT_SCHEMA, KnownKinds, classify, load_classifier

KINDS = [
    # Literal tokens and labels that the vendor's documentation and screenshots show
    ("resource_created", "resource_created", "write"),
    ("access_request", "access_requested", "permission"),
    ("applied access_request", "access_approved", "permission"),
    ("Applied access_request", "access_approved", "permission"),
    ("change request", "resource_updated", "write"),
    ("applied change request", "resource_updated", "write"),
    ("Completed job", "job_completed", "system"),
    ("Removed collection", "collection_removed", "write"),
    ("Tag added", "tag_added", "write"),
    ("Updated AI access rule", "ai_rule_changed", "admin"),
    ("Updated quality preferences", "quality_settings_changed", "admin"),
    ("Triggered automation", "automation_triggered", "system"),
    ("Ran monitor", "monitor_ran", "system"),
    ("Added teams A and B", "team_changed", "permission"),
    ("Added users to team", "team_changed", "permission"),
    ("Manually pulled sync", "sync_started", "system"),
    ("Created manual lineage between A and B", "lineage_created", "write"),
    ("Updated description", "description_updated", "write"),
    ("Updated documentation", "documentation_updated", "write"),
    ("Assigned owner", "owner_assigned", "write"),
    ("New table", "resource_created", "write"),
    ("New dashboard", "resource_created", "write"),
    ("New dictionary term", "resource_created", "write"),
    ("Added collection", "collection_added", "write"),
    ("Access request", "access_requested", "permission"),
    # Kinds of notification of the same backend
    ("announcement", "commented", "write"),
    ("mentioned", "commented", "write"),
    ("new question asked", "commented", "write"),
    ("new question owner added", "owner_assigned", "write"),
    ("new question reply", "commented", "write"),
    ("question reply edited", "commented", "write"),
    ("question reply removed", "commented", "write"),
    ("question answer accepted", "commented", "write"),
    ("resource description updated", "description_updated", "write"),
    ("resource owner assigned", "owner_assigned", "write"),
    ("resource published", "published", "write"),
    ("resource changed to draft", "unpublished", "write"),
    ("resource documentation updated", "documentation_updated", "write"),
    ("tag added to resource", "tag_added", "write"),
    ("comments and replies", "commented", "write"),
    ("member joined the workspace", "member_added", "permission"),
    ("API key created", "api_key_created", "admin"),
    ("sync failed", "job_failed", "system"),
    ("incident created", "incident_changed", "system"),
    ("incident acknowledged", "incident_changed", "system"),
    ("incident resolved", "incident_changed", "system"),
    ("access request created", "access_requested", "permission"),
    ("access request approved", "access_approved", "permission"),
    ("access request rejected", "access_denied", "permission"),
    ("access request expiring", "access_denied", "permission"),
    ("schema changed in table", "schema_changed", "system"),
    # What the audit log is documented to hold
    ("resource updates", "resource_updated", "write"),
    ("permission changes", "permission_changed", "permission"),
    ("documentation updates", "documentation_updated", "write"),
    ("role assignments", "role_changed", "permission"),
    ("login", "login", "auth"),
    ("user_authentication", "login", "auth"),
    ("user_login_failed", "login_failed", "auth"),
    # Sensitive actions named by the roles and governance pages
    ("user_role_changed", "role_changed", "permission"),
    ("user_invited", "member_added", "permission"),
    ("user_deactivated", "member_removed", "permission"),
    ("user_reactivated", "member_added", "permission"),
    ("sso_settings_updated", "security_setting_changed", "admin"),
    ("pii_removed", "pii_removed", "write"),
    ("tag_removed", "tag_removed", "write"),
    ("owner_removed", "owner_removed", "write"),
    ("verification_removed", "verification_removed", "write"),
    ("integration_deleted", "integration_deleted", "admin"),
    ("integration_updated", "integration_changed", "admin"),
    ("policy_deleted", "policy_deleted", "admin"),
    ("monitor_disabled", "monitor_changed", "admin"),
    ("automation_created", "automation_changed", "admin"),
    ("resource_deleted", "resource_deleted", "delete"),
    ("table_archived", "archived", "delete"),
    ("lineage_deleted", "lineage_deleted", "write"),
    ("resource_shared", "shared", "share"),
    ("document_made_public", "made_public", "share"),
    ("workspace_exported", "exported", "export"),
    ("csv_downloaded", "exported", "export"),
    ("csv_imported", "imported", "admin"),
    ("resource_viewed", "viewed", "read"),
    ("search_performed", "searched", "read"),
    ("query_executed", "queried", "read"),
]


def frame(**columns: list[str | None]) -> pl.DataFrame:
    """An event table with the given columns and nothing else."""
    height = len(next(iter(columns.values())))
    return pl.DataFrame(
        {name: columns.get(name, [None] * height) for name in EVENT_SCHEMA}, schema=EVENT_SCHEMA
    )


@pytest.mark.parametrize("column", ["event", "subject"])
@pytest.mark.parametrize(("kind", "action", "group"), KINDS)
def test_a_known_kind_has_its_action(kind: str, action: str, group: str, column: str):
    """Every documented label and token is recognised, as event and as subject."""
    found = classify(frame(**{column: [kind]}))
    assert (found["action"][0], found["action_group"][0]) == (action, group)


@pytest.mark.parametrize("form", ["tag_added", "Tag Added", "tagAdded", "tag-added", "TAG.ADDED"])
def test_spelling_of_a_kind_does_not_matter(form: str):
    """Tokens, labels and camel case say the same."""
    assert classify(frame(event=[form]))["action"][0] == "tag_added"


def test_text_decides_where_the_kind_leaves_it_open():
    """A sign-in is told from a failed one by its sentence."""
    found = classify(frame(event=["login"] * 2, summary=["Ana logged in", "Login failed for Ana"]))
    assert found["action"].to_list() == ["login", "login_failed"]


def test_an_unknown_kind_is_null():
    """No guess is made about a kind with no known word."""
    found = classify(frame(event=["frobnicated", None]))
    assert found["action"].null_count() == found["action_group"].null_count() == 2


def test_classifying_keeps_rows_and_order():
    """The table comes back with the same rows in the same order."""
    before = frame(event=["login", None, "tag_added"], id=["a", "b", "c"])
    assert (
        classify(before)
        .drop("action", "action_group", "action_basis")
        .equals(before.drop("action", "action_group", "action_basis"))
    )


def test_every_action_has_a_known_group():
    """Nine groups, and about forty actions or more."""
    groups = load_classifier().groups
    assert set(groups.values()) == set(ACTION_GROUPS)
    assert len(groups) >= 40


def test_a_fault_in_the_classifier_has_its_line(tmp_path: Path):
    """A broken expression is found when the file is loaded."""
    path = tmp_path / "actions.yml"
    path.write_text("actions:\n  - {action: a, group: write, what: '(?<=x)y'}\n")
    with pytest.raises(DocumentError, match=r"actions.yml:2:.*is not an expression"):
        load_classifier(path)


def test_a_later_part_of_a_log_keeps_its_rows():
    """What is known of kinds without a name, or of none, is not found a second time."""
    known, part = KnownKinds(), frame(event=["login", None])
    for number in range(3):
        found = classify(part.with_columns(entity_type=pl.lit(f"t{number}")), known=known)
        assert found.height == 2
        assert classify(part, known=known).height == 2
