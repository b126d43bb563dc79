"""What counts as the same content, whatever the bytes."""

from __future__ import annotations

import json

import pytest

from auditlens.events import content_hash

PLAIN = {
    "id": "1",
    "created_at": "2026-10-01T00:00:00Z",
    "sender": {"id": "s", "email": "s@example.org"},
    "metadata": {"b": 1.50, "a": [1, {"d": None, "c": "x"}]},
}
ODD = {**PLAIN, "new_field": {"b": 1, "a": 2}}


def turned(value: object) -> object:
    """The same JSON with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("record", [PLAIN, ODD], ids=["plain", "with a new field"])
def test_order_and_spacing_change_no_content(record):
    """The same record in other bytes has the same hash."""
    other = json.dumps(turned(record), indent=2).encode()
    assert content_hash(json.dumps(record).encode()) == content_hash(other)


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "2"), ("sender", {"id": "t"}), ("metadata", {"b": 1.5, "a": []}), ("content", "x")],
)
def test_every_change_of_a_value_changes_the_hash(field, value):
    """Another value anywhere is another content."""
    changed = json.dumps({**PLAIN, field: value}).encode()
    assert content_hash(json.dumps(PLAIN).encode()) != content_hash(changed)


def test_two_texts_of_one_number_are_two_contents():
    """A number that was rewritten, 1.5 as 1.50, was changed."""
    raw = json.dumps(PLAIN).encode()
    assert content_hash(raw) != content_hash(raw.replace(b"1.5", b"1.50"))


@pytest.mark.parametrize(
    "raw",
    [
        b"no json",
        b'{"id": "\xff"}',
        b'{"metadata": "\\ud800"}',
        b'{"metadata": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"[" * 900 + b"]" * 900,
    ],
    ids=["prose", "no UTF-8", "half a surrogate", "deep metadata", "deep"],
)
def test_what_is_hard_to_read_still_has_a_hash(raw):
    """Nothing a record holds makes hashing fail, and other bytes hash otherwise."""
    assert len(content_hash(raw)) == 16
    assert content_hash(raw) != content_hash(raw + b" x")


@pytest.mark.parametrize("record", [PLAIN, ODD], ids=["plain", "with a new field"])
def test_an_absent_field_says_what_null_says(record):
    """A field that is null in one listing and missing in the next changed nothing."""
    raw = json.dumps(record).encode()
    assert content_hash(raw) == content_hash(json.dumps({**record, "content": None}).encode())
