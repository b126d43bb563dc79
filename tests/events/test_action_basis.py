"""A sensitive act does not hide behind a generic word, and a harmless one is not raised."""

from functools import cache

import polars as pl
import pytest

from auditlens.events import ACTION_BASES, EVENT_SCHEMA, classify, decode_records, load_classifier

SENSITIVE = {"permission", "admin", "auth", "share", "export"}
TOLD = {"generic", "unknown"}


SHIPPED = cache(load_classifier)


def answers(rows):
    """Action, group and basis of each event."""
    schema = {name: dtype for name, dtype in EVENT_SCHEMA.items() if name != "leaf"}
    rows = [{"id": "1", "generation": "frame", **row} for row in rows]
    frame = pl.DataFrame(rows, schema=schema).with_columns(pl.lit(b"", pl.Binary).alias("leaf"))
    return classify(frame, SHIPPED()).select("action", "action_group", "action_basis").rows()


def answer(**columns):
    return answers([columns])[0]


TYPES = ["user", "member", "service_account", "role", "permission", "group", "team", "api_key",
         "access_token", "secret", "policy", "integration", "workspace_setting", "sso_connection",
         "access_request", "audit_log", "UserRole", "IP allowlist", "webhook",
         "share link"]  # fmt: skip
VERBS = ["CREATED", "UPDATED", "DELETED", "ADDED", "REMOVED", "CHANGED", "ENABLED", "DISABLED",
         "ARCHIVED", "RESTORED", "PUBLISHED", "VERIFIED", "ROTATED", "frobnicated"]  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_no_verb_makes_an_act_on_a_sensitive_thing_silently_harmless(kind):
    """Whatever the verb, the act is in a sensitive group, or its basis says that it is not sure."""
    rows = [
        {"event": verb, column: kind}
        for verb in VERBS
        for column in ("resource_type", "entity_type")
    ]
    for row, (action, group, basis) in zip(rows, answers(rows), strict=True):
        assert group in SENSITIVE or basis in TOLD, (row, action)
        assert group in SENSITIVE or row["event"] not in ("CREATED", "UPDATED", "DELETED"), row


@pytest.mark.parametrize(("event", "kind", "wanted"), [
    ("CREATED", "role", ("role_changed", "permission", "entity")),
    ("DELETED", "role", ("role_changed", "permission", "entity")),
    ("UPDATED", "user", ("resource_updated", "permission", "generic")),
    ("CREATED", "user", ("member_added", "permission", "entity")),
    ("DELETED", "member", ("member_removed", "permission", "entity")),
    ("UPDATED", "api_key", ("resource_updated", "admin", "generic")),
    ("CREATED", "api_key", ("api_key_created", "admin", "entity")),
    ("REVOKED", "api key", ("api_key_deleted", "admin", "entity")),
    ("GRANTED", "permission", ("permission_granted", "permission", "entity")),
    ("UPDATED", "group", ("team_changed", "permission", "entity")),
    ("DELETED", "integration", ("integration_deleted", "admin", "entity")),
    ("UPDATED", "policy", ("policy_changed", "admin", "entity")),
    ("VIEWED", "user", ("viewed", "read", "generic")),
    ("UPDATED", "table", ("resource_updated", "write", "generic")),
    ("DELETED", "dashboard", ("resource_deleted", "delete", "generic")),
    ("CREATED", "primary_key", ("resource_created", "write", "generic")),
    ("Tag added", "user", ("tag_added", "write", "specific")),
    ("User role updated", None, ("role_changed", "permission", "specific")),
    (None, "role", ("role_changed", "permission", "entity")),
    ("frobnicated", None, (None, None, "unknown")),
])  # fmt: skip
def test_a_generic_kind_is_named_by_what_it_was_done_to(event, kind, wanted):
    """Entity and verb name the action; a verb without one takes the entity's group."""
    assert answer(event=event, resource_type=kind) == wanted


@pytest.mark.parametrize(("phrase", "action"), [
    ("changed the role of Bo to Admin", "role_changed"),
    ("Ada promoted the user Bo", "role_changed"),
    ("removed Bo from the team Finance as member", "team_changed"),
    ("exported 300 rows to CSV", "exported"),
    ("downloaded the results", "exported"),
    ("made the collection public", None),
    ("shared the dashboard with an outside address", "shared"),
    ("generated a new API key", "api_key_created"),
    ("revoked access to the schema for Bo", "permission_revoked"),
    ("enforced SSO for everybody", "security_setting_changed"),
    ("reset the password of Bo", "credential_changed"),
    ("marked the column as PII", "pii_marked"),
    ("Integration sync failed", "job_failed"),
])  # fmt: skip
def test_the_sources_own_phrase_names_what_the_kind_does_not(phrase, action):
    """The summary is read where kind and entity leave the act open."""
    found = answer(event="UPDATED", resource_type="resource", summary=phrase)
    assert (found[0], found[2]) == (
        (action, "content") if action else ("resource_updated", "generic")
    )


HARMLESS = [
    "updated the description of API key rotation",
    "changed the documentation: users must request access",
    'renamed the table to "user roles and permissions"',
    "edited the page: how to grant access and revoke roles",
    "commented: please remove user Bo and export the list",
    "asked a question about password resets",
    "updated the document 'Sharing policy and SSO settings'",
    "changed the title of the role overview",
    "added a comment to the access request table",
    "moved the sheet “API keys of the team” to another folder",
    "created a chart named exported members",
    "updated the dashboard about permissions granted to guests",
    "replied to a mention of the admin role",
    "updated the readme of the security policy",
    "edited the sheet `integration deleted`\nuser removed, role changed",
]  # fmt: skip


@pytest.mark.parametrize("phrase", HARMLESS)
@pytest.mark.parametrize("event", ["UPDATED", "CREATED"])
def test_a_harmless_sentence_with_sensitive_words_stays_harmless(phrase, event):
    """What is quoted, described, named or said after a colon is not what was done."""
    action, group, basis = answer(event=event, resource_type="table", summary=phrase)
    assert (group, basis) == ("write", "generic"), action


def test_names_of_resource_and_sender_are_not_read_as_acts():
    """Whoever names a resource or themselves does not name the act."""
    found = answer(
        event="UPDATED", summary="Key Admin updated users exported",
        resource_title="users exported", sender_name="Key Admin",
    )  # fmt: skip
    assert found == ("resource_updated", "write", "generic")


@pytest.mark.parametrize(("event", "phrase"), [
    ("DELETED", "viewed the orders table"),
    ("DELETED", "Tag removed from orders"),
    ("DELETED", "Integration sync completed"),
    ("DELETED", "marked as verified"),
    ("UPDATED", "ran a query"),
    ("Permission granted", "Incident created"),
])  # fmt: skip
def test_a_phrase_never_lowers_an_action(event, phrase):
    """A deletion stays one, whatever its phrase says."""
    assert answer(event=event, summary=phrase)[:2] == answer(event=event)[:2]


def test_the_persons_own_words_are_never_read_for_it():
    """Content is what the person wrote: it neither raises an act nor lowers one."""
    words = "changed the role of Bo to Admin"
    assert answer(event="UPDATED", content=words)[2] == "generic"
    assert (
        answer(event="UPDATED", content=words, summary=words, generation="legacy")[2] == "generic"
    )
    record = b'{"id":"1","created_at":"2026-01-01T00:00:00Z","event":"UPDATED","content":"%b"}'
    current = (
        b'{"id":"1","logged_at":"2026-01-01T00:00:00Z","activity_type":"UPDATED",'
        b'"content":"changed the role of Bo","event_blocks":[{"type":"text","value":"edited"}]}'
    )
    for one in (record % words.encode(), current, current.replace(b'"edited"', b"null")):
        assert classify(decode_records([one]).events, SHIPPED())["action_basis"].to_list() == [
            "generic"
        ]


@pytest.mark.parametrize("blocks", [
    '[{"value":"changed the role of "},{"value":"Bo"},{"value":" to Admin"}]',
    '[{"type":"text","style":"normal","value":"Ada changed the role of Bo to Admin"}]',
])  # fmt: skip
def test_a_current_record_is_named_by_its_blocks(blocks):
    """The issue's record: UPDATED, a user, and what was done said in the blocks."""
    record = (
        '{"id":"1","logged_at":"2026-01-01T00:00:00Z","activity_type":"UPDATED",'
        f'"resource_metadata":{{"type":"user"}},"event_blocks":{blocks}}}'
    ).encode()
    row = classify(decode_records([record]).events, SHIPPED()).row(0, named=True)
    assert (row["action"], row["action_group"], row["action_basis"]) == (
        "role_changed", "permission", "content",
    )  # fmt: skip


def test_every_event_has_a_basis_of_the_known_ones():
    """No event is left without an answer to how it was named."""
    kinds = [*VERBS, "Tag added", "Login", None, "", "x" * 300, "é", "GetUser"]
    frame = pl.DataFrame(
        {"id": [str(n) for n in range(len(kinds))], "event": kinds},
        schema_overrides={"id": pl.String, "event": pl.String},
    )
    missing = [
        pl.lit(None, t).alias(n) for n, t in EVENT_SCHEMA.items() if n not in ("id", "event")
    ]
    found = classify(frame.with_columns(missing).select(list(EVENT_SCHEMA)), SHIPPED())
    assert set(found["action_basis"]) <= set(ACTION_BASES)
    unknown = found.filter(pl.col("action").is_null())
    assert set(unknown["action_basis"]) == {"unknown"}
