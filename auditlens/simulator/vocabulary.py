"""What can happen in the simulated workspace: one row a kind of event.

Tokens and labels follow what vendor documentation and screenshots show of a Secoda audit log;
where no token is published, the label is written as a token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

__all__ = ["KINDS", "Kind", "kind", "kind_frame"]


@dataclass(frozen=True)
class Kind:
    """One kind of event.

    ``token`` is the raw kind both generations carry, ``subject`` the heading, ``text`` what the
    entry says of the resource ``{r}`` and of the other side ``{e}``. ``on`` names where the
    resource comes from (``asset``, ``table``, ``self``, ``workspace``, ``integration`` …),
    ``other`` the kind of the other side (``tag``, ``team`` …; empty: the resource itself).
    """

    token: str
    subject: str
    text: str
    on: str = "asset"
    other: str = ""


READ = (
    Kind("resource_viewed", "Viewed resource", "viewed {r}"),
    Kind("search_performed", "Searched", "searched the workspace", "workspace"),
    Kind("table_previewed", "Previewed data", "previewed the rows of {r}", "table"),
    Kind("query_ran", "Ran query", "ran a query on {r}", "table"),
)
AUTH = (
    Kind("user_logged_in", "User logged in", "logged in", "self"),
    Kind("member_joined", "Member joined the workspace", "joined the workspace", "self"),
    Kind("user_invited", "User invited", "invited {r} to the workspace", "user"),
    Kind("user_deactivated", "User deactivated", "deactivated {r}", "user"),
)
WRITE = (
    Kind("description_updated", "Updated description", "updated the description of {r}"),
    Kind("documentation_updated", "Updated documentation", "updated the documentation of {r}"),
    Kind("owner_assigned", "Assigned owner", "assigned {e} as owner of {r}", other="user"),
    Kind("owner_removed", "Owner removed", "removed {e} as owner of {r}", other="user"),
    Kind("tag_added", "Tag added", "added the tag {e} to {r}", other="tag"),
    Kind("tag_removed", "Tag removed", "removed the tag {e} from {r}", other="tag"),
    Kind("collection_added", "Added collection", "added {r} to {e}", other="collection"),
    Kind("collection_removed", "Removed collection", "removed {r} from {e}", other="collection"),
    Kind("table_created", "New table", "created the table {r}", "table"),
    Kind("dashboard_created", "New dashboard", "created the dashboard {r}", "dashboard"),
    Kind("dictionary_term_created", "New dictionary term", "created the term {r}", "term"),
    Kind("document_created", "New document", "created the document {r}", "document"),
    Kind("question_asked", "New question asked", "asked a question on {r}"),
    Kind("question_replied", "New question reply", "replied to a question on {r}"),
    Kind("resource_verified", "Resource verified", "verified {r}"),
    Kind("verified_removed", "Verified removed", "removed the verified mark of {r}"),
    Kind("resource_published", "Resource published", "published {r}"),
    Kind("resource_unpublished", "Resource changed to draft", "changed {r} to draft"),
    Kind("pii_added", "PII added", "marked {r} as PII", "table"),
    Kind("pii_removed", "PII removed", "removed the PII mark of {r}", "table"),
    Kind(
        "lineage_created",
        "Created manual lineage",
        "created manual lineage between {r} and {e}",
        "table",
        "table",
    ),
    Kind(
        "lineage_deleted",
        "Deleted manual lineage",
        "deleted manual lineage between {r} and {e}",
        "table",
        "table",
    ),
    Kind("answer_accepted", "Question answer accepted", "accepted an answer on {r}"),
    Kind("announcement_created", "Announcement", "posted an announcement", "workspace"),
)
EXPORT = (
    Kind("resource_exported", "Exported resource", "exported {r}"),
    Kind("query_results_exported", "Downloaded query results", "downloaded rows of {r}", "table"),
    Kind("members_exported", "Exported members list", "exported the members list", "workspace"),
)
SHARE = (
    Kind("resource_shared", "Shared resource", "shared {r} with {e}", other="team"),
    Kind(
        "integration_teams_added",
        "Added teams",
        "added the team {e} to the integration {r}",
        "integration",
        "team",
    ),
)
PERMISSION = (
    Kind("permission_granted", "Granted permission", "granted {e} access to {r}", other="user"),
    Kind(
        "permission_revoked", "Revoked permission", "revoked the access of {e} to {r}", other="user"
    ),
    Kind("role_changed", "Changed role", "changed the role of {r}", "user"),
    Kind("users_added_to_team", "Added users to team", "added {e} to the team {r}", "team", "user"),
    Kind(
        "users_removed_from_team",
        "Removed users from team",
        "removed {e} from the team {r}",
        "team",
        "user",
    ),
    Kind("access_request_created", "Access request", "created an access request for {r}", "table"),
    Kind(
        "access_request_approved",
        "Approved access request",
        "approved the access request of {e} for {r}",
        "table",
        "user",
    ),
    Kind("api_key_created", "API key created", "created the API key {e}", "workspace", "api_key"),
    Kind(
        "ai_access_rule_updated", "Updated AI access rule", "updated an AI access rule", "workspace"
    ),
)
DELETE = (
    Kind("resource_archived", "Archived resource", "archived {r}"),
    Kind("resource_deleted", "Deleted resource", "deleted {r}"),
    Kind("tag_deleted", "Deleted tag", "deleted the tag {r}", "tag"),
    Kind("collection_deleted", "Deleted collection", "deleted the collection {r}", "collection"),
)
ADMIN = (
    Kind(
        "quality_preferences_updated",
        "Updated quality preferences",
        "updated the quality preferences",
        "workspace",
    ),
    Kind(
        "security_setting_updated",
        "Updated security settings",
        "updated the security settings",
        "workspace",
    ),
    Kind("policy_updated", "Updated policy", "updated the policy {r}", "policy"),
    Kind("integration_updated", "Updated integration", "updated {r}", "integration"),
    Kind("sync_pulled", "Manually pulled sync", "manually pulled {r}", "integration"),
    Kind("automation_updated", "Updated automation", "updated the automation {r}", "automation"),
    Kind("monitor_updated", "Updated monitor", "updated the monitor {r}", "monitor"),
)
SYSTEM = (
    Kind("job_completed", "Completed job", "sync finished for {r}", "integration"),
    Kind("sync_failed", "Sync failed", "sync failed for {r}", "integration"),
    Kind("automation_triggered", "Triggered automation", "ran {r}", "automation"),
    Kind("monitor_ran", "Ran monitor", "ran {r}", "monitor"),
    Kind("schema_changed", "Schema changed in table", "columns changed in {r}", "table"),
)

KINDS: tuple[Kind, ...] = (
    *READ,
    *AUTH,
    *WRITE,
    *EXPORT,
    *SHARE,
    *PERMISSION,
    *DELETE,
    *ADMIN,
    *SYSTEM,
)
"""Every kind of event; a draft event names its kind by its place in this table."""

PLACES = {row.token: place for place, row in enumerate(KINDS)}
TEXT = re.compile(r"([^{]*)(?:\{([re])\})?([^{]*)(?:\{([re])\})?(.*)")


def kind(token: str) -> int:
    """Return the place of the kind with this token."""
    return PLACES[token]


def kind_frame() -> pl.DataFrame:
    """The kinds as a frame, one row a kind, the text cut at its two gaps.

    Columns: ``event``, ``subject``, ``other``, and ``before``, ``first`` (``r`` or ``e``),
    ``between``, ``second``, ``after``.
    """
    rows = []
    for row in KINDS:
        cut = TEXT.fullmatch(row.text)
        assert cut is not None
        rows.append((row.token, row.subject, row.other, *(part or "" for part in cut.groups())))
    names = ("event", "subject", "other", "before", "first", "between", "second", "after")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
