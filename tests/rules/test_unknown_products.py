"""A log of a product nobody named is judged by no rule, and says so."""

import json

import pytest

import auditlens as al

AT = "2026-10-05T10:00:00Z"
OTHERS = [
    {
        "created_at": AT,
        "action": "protected_branch.destroy",
        "actor": "octo",
        "org": "o",
        "repo": "r",
    },
    {"created_at": AT, "event": "schedule", "workflow": "nightly", "conclusion": "failure"},
    {"id": "1", "created_at": AT, "type": "login", "user": {"id": 7}, "ip": "192.0.2.1"},
    {"created_at": 1791191220000, "event": "push", "name": "x", "operation_type": "modify"},
    {
        "created_at": AT,
        "resource_id": "r",
        "resource_type": "bucket",
        "principal": "p",
        "verb": "get",
    },
    {"created_at": AT, "subject": "s", "content": "text", "metadata": {"a": 1}, "level": "info"},
]
OURS = [
    {"id": "n-1", "created_at": AT, "event": "UPDATED", "sender": None, "new_field": 1},
    {"id": "n-1", "created_at": AT, "event": "Deleted table"},
    {"id": "n-1", "created_at": AT, "activity_type": "DELETED", "performer_id": "u", "x": [1]},
    {"id": "n-1", "created_at": AT, "event": "Viewed", "short_summary": "s", "extra": {}},
]


def audit_of(record, tmp_path):
    path = tmp_path / "log.ndjson"
    path.write_text("\n".join(json.dumps(record | {"n": n}) for n in range(3)), encoding="utf-8")
    return al.run_audit(path, period="2026-10")


@pytest.mark.parametrize("record", OTHERS)
def test_records_of_no_known_product_are_not_judged(record, tmp_path):
    """A record with a time is read; rules about Secoda say nothing of it."""
    audit = audit_of(record, tmp_path)
    assert audit.events.height == 3
    assert audit.findings.filter(audit.findings["kind"] == "rule").is_empty()
    (scope,) = audit.unjudged
    assert "of no known product" in scope.statement
    assert "3 events were read" in scope.statement


@pytest.mark.parametrize("record", OURS)
def test_a_record_of_secoda_may_have_fields_nobody_knows(record, tmp_path):
    """A field that is new does not take the log from its rules."""
    path = tmp_path / "log.ndjson"
    path.write_text(json.dumps(record), encoding="utf-8")
    audit = al.run_audit(path, period="2026-10")
    assert not audit.unjudged
    assert audit.rule_health["applies"].all()
