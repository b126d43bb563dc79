"""Events of the simulated workspace: kinds, drafts as numbers, and their words.

Tokens and labels follow what vendor documentation and screenshots show of a Secoda audit log;
where no token is published, the label is written as a token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from auditlens.simulator._random import generator, identifiers
from auditlens.simulator.accounts import Accounts
from auditlens.simulator.catalog import Catalog

__all__ = [
    "DRAFT_SCHEMA",
    "KINDS",
    "Kind",
    "draft",
    "join_drafts",
    "kind",
    "kind_frame",
    "word_events",
]


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


DRAFT_SCHEMA: dict[str, pl.DataType] = {
    "at": pl.Int64(),
    "sender": pl.Int32(),
    "kind": pl.Int16(),
    "resource": pl.Int32(),
    "entity": pl.Int32(),
    "extra": pl.String(),
    "api": pl.Boolean(),
    "incident": pl.Int32(),
}
"""``at`` in microseconds of UTC; ``sender``, ``kind``, ``resource`` and ``entity`` are rows of the
accounts, the kinds and the catalog's things (null: none); ``extra`` further members of the
record's ``metadata`` as JSON text without braces; ``incident`` the number of a planted incident."""


def draft(
    at: np.ndarray,
    sender: Any,
    kind: Any,
    resource: Any,
    *,
    entity: Any = -1,
    extra: str | Sequence[str] | None = None,
    api: Any = False,
    incident: int | None = None,
) -> pl.DataFrame:
    """Build draft events, one for each of ``at``; single values are repeated, -1 means none."""
    size = len(at)

    def rows(values: Any, dtype: pl.DataType) -> pl.Series:
        series = pl.Series(np.ascontiguousarray(np.broadcast_to(values, size))).cast(dtype)
        return series.set(series < 0, None) if size else series

    texts = [extra] * size if isinstance(extra, str) or extra is None else list(extra)
    return pl.DataFrame(
        {
            "at": pl.Series(np.asarray(at), dtype=pl.Int64),
            "sender": rows(sender, pl.Int32()),
            "kind": rows(kind, pl.Int16()),
            "resource": rows(resource, pl.Int32()),
            "entity": rows(entity, pl.Int32()),
            "extra": pl.Series(texts, dtype=pl.String),
            "api": pl.Series(np.ascontiguousarray(np.broadcast_to(api, size)), dtype=pl.Boolean),
            "incident": pl.Series([incident], dtype=pl.Int32).new_from_index(0, size),
        },
        schema=DRAFT_SCHEMA,
    )


def join_drafts(drafts: Sequence[pl.DataFrame], *, start: int, end: int) -> pl.DataFrame:
    """All drafts in order of time, cut to ``[start, end)`` (microseconds of UTC)."""
    whole = pl.concat(drafts) if drafts else pl.DataFrame(schema=DRAFT_SCHEMA)
    return whole.filter(pl.col("at").is_between(start, end, closed="left")).sort(
        "at", "sender", "kind", "resource", "entity", "extra", maintain_order=True
    )


MILLISECOND = 1000


def word_events(
    seed: int, events: pl.DataFrame, accounts: Accounts, catalog: Catalog, *, marks: bool
) -> pl.DataFrame:
    """Return one row an event: the public record's columns, and ``incident`` (Int32 or null).

    Columns are those of the event table that a legacy record fills, with ``created_at`` as
    Datetime (µs, UTC, whole milliseconds) and ``metadata`` as JSON text. Without ``marks`` no
    row says that its resource holds personal data.
    """
    rng = generator(seed, "event ids")
    entity = pl.coalesce("entity", "resource").alias("entity")
    events = events.with_columns(entity, pl.col("at") // MILLISECOND * MILLISECOND)
    events = events.with_columns(identifiers(rng, events.height).alias("event_id"))
    wide = pl.concat(
        [
            events,
            gathered(kind_frame(), events["kind"], "kind_"),
            gathered(accounts.senders, events["sender"], "sender_"),
            gathered(catalog.things, events["resource"], "resource_"),
            gathered(catalog.things, events["entity"], "entity_"),
        ],
        how="horizontal",
    )
    content = pl.concat_str(
        "kind_before", gap("kind_first"), "kind_between", gap("kind_second"), "kind_after",
        ignore_nulls=True,
    )  # fmt: skip
    return wide.select(
        pl.col("event_id").alias("id"),
        pl.from_epoch("at", "us").dt.replace_time_zone("UTC").alias("created_at"),
        pl.col("kind_event").alias("event"),
        "sender_id",
        "sender_email",
        "sender_name",
        pl.when(pl.col("api")).then(pl.lit("api")).otherwise(kind_of_sender()).alias("sender_kind"),
        "resource_id",
        "resource_title",
        "resource_type",
        pl.col("entity_type"),
        "entity_id",
        pl.concat_list("entity_id").alias("related_ids"),
        content.alias("content"),
        pl.concat_str("sender_name", content, separator=" ", ignore_nulls=True).alias("summary"),
        pl.col("kind_subject").alias("subject"),
        extras(marks).alias("metadata"),
        pl.col("event_id").str.slice(24).alias("snapshot_key"),
        "incident",
    )


def gathered(table: pl.DataFrame, places: pl.Series, prefix: str) -> pl.DataFrame:
    """The rows of a table at these places (null: a row of nulls)."""
    named = table.rename({name: prefix + name for name in table.columns})
    return named.select(pl.all().gather(places)) if len(places) else named.clear()


def gap(column: str) -> pl.Expr:
    """The title that stands in a gap of the text."""
    return (
        pl.when(pl.col(column) == "r")
        .then(pl.col("resource_title"))
        .when(pl.col(column) == "e")
        .then(pl.col("entity_title"))
    )


def kind_of_sender() -> pl.Expr:
    name = pl.col("sender_name").str.to_lowercase()
    return (
        pl.when(pl.col("sender_id").is_null() | pl.col("sender_email").str.ends_with("secoda.co"))
        .then(pl.lit("system"))
        .when(pl.col("sender_email").is_null())
        .then(name)
        .otherwise(pl.lit("user"))
    )


def request_sides() -> list[pl.Expr]:
    """Who asked for access and who gave it."""
    event = pl.col("kind_event")
    approved = pl.format(
        '"requester":"{}","approver":"{}"', pl.col("entity_id"), pl.col("sender_id")
    )
    return [
        pl.when(event == "access_request_created").then(
            pl.format('"requester":"{}"', pl.col("sender_id"))
        ),
        pl.when(event == "access_request_approved").then(approved),
    ]


def extras(marks: bool) -> pl.Expr:
    """The record's ``metadata``: container, PII mark, performer type, and what the event adds."""
    container = pl.format('"container":"{}"', pl.col("resource_container"))
    members = [container]
    if marks:
        members.append(pl.when(pl.col("resource_pii")).then(pl.lit('"pii":true')))
    members.append(pl.when(pl.col("api")).then(pl.lit('"performer_type":"API"')))
    members += [*request_sides(), pl.col("extra")]
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))
