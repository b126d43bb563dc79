"""Records of both generations become rows, and bad ones become reasons."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.events import EVENT_SCHEMA, SENDER_KINDS, decode_records

LEGACY = {
    "id": "e-1",
    "created_at": "2026-10-05T08:30:00.123Z",
    "resource_id": "r-1",
    "resource_title": "orders",
    "resource_type": "table",
    "event": "tag_added",
    "content": "Ana added the tag PII",
    "sender": {"id": "u-1", "email": "ana@example.org", "first_name": "Ana", "last_name": "Birch"},
    "metadata": {"container": "c-1"},
    "short_summary": "Ana added a tag",
    "subject": "Tag added",
    "entity_type": "tag",
    "entity_id": "t-1",
    "entity_snapshot_key": "s-1",
}
CURRENT = {
    "id": "e-1",
    "logged_at": "2026-10-05T08:30:00.123456Z",
    "created_at": "2026-10-05T08:31:00Z",
    "activity_type": "tag_added",
    "performer_id": "u-1",
    "performer_type": "USER",
    "performer_metadata": {"id": "u-1", "email": "ana@example.org", "name": "Ana Birch"},
    "resource_id": "r-1",
    "resource_type": "table",
    "resource_metadata": {"title": "orders", "name": "orders"},
    "related_resource_ids": ["t-1", "t-2"],
    "related_resource_type": "tag",
    "event_blocks": [{"type": "text", "style": "bold", "value": "Ana"}, {"value": " added"}],
    "is_legacy": "False",
    "version_history_id": "None",
}


def row(record: object) -> dict:
    """The one row a record becomes."""
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    decoded = decode_records([raw], source="here")
    assert decoded.rejected == ()
    return decoded.events.to_dicts()[0]


def test_a_legacy_record_fills_its_columns():
    """Each documented field of the older record lands in the column of its meaning."""
    found = row(LEGACY)
    assert found["created_at"] == datetime(2026, 10, 5, 8, 30, 0, 123000, UTC)
    assert found["sender_name"] == "Ana Birch"
    assert found["sender_kind"] == "user"
    assert found["related_ids"] == ["t-1"]
    assert found["summary"] == "Ana added a tag"
    assert found["generation"] == "legacy"
    assert found["source"] == "here"


def test_a_current_record_fills_the_same_columns():
    """The newer record says the same things under other names."""
    found = row(CURRENT)
    assert found["created_at"] == datetime(2026, 10, 5, 8, 30, 0, 123456, UTC)
    assert (found["event"], found["entity_type"], found["entity_id"]) == ("tag_added", "tag", "t-1")
    assert found["related_ids"] == ["t-1", "t-2"]
    assert found["summary"] == found["content"] == "Ana added"
    assert found["resource_title"] == "orders"
    assert found["snapshot_key"] is None
    assert found["generation"] == "current"


def test_the_leaf_is_the_hash_of_the_exact_bytes():
    """White space inside a record is part of what was sent."""
    raw = b'{ "id" : "e", "created_at": "2026-10-05T08:30:00Z" }'
    assert row(raw)["leaf"] == hashlib.sha256(raw).digest()


def test_metadata_is_kept_byte_for_byte():
    """Backslashes, long numbers and odd spacing survive."""
    text = '{"p":"C:\\\\Users","n":1.10,"big":12345678901234567890, "q":"a\\u0001"}'
    raw = b'{"id":"e","created_at":"2026-10-05T08:30:00Z","metadata":%b}' % text.encode()
    assert row(raw)["metadata"] == text


def test_unknown_fields_join_the_metadata():
    """A field no column holds stays readable beside the record's own metadata."""
    found = row({**LEGACY, "outcome": {"ok": True}, "container": "outer"})
    assert json.loads(found["metadata"]) == {
        "container": "c-1",
        "outcome": {"ok": True},
    }


def test_a_record_without_id_is_named_by_its_bytes():
    """Nothing is dropped for want of an id."""
    raw = b'{"created_at":"2026-10-05T08:30:00Z"}'
    assert row(raw)["id"] == "sha256:" + hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        (None, "system"),
        ("None", "system"),
        ({"id": "u", "email": "ana@example.org"}, "user"),
        ({"id": "u", "email": "scheduler@secoda.co", "first_name": "Scheduler"}, "system"),
        ({"name": "Automation"}, "automation"),
        ({"id": None, "first_name": "Monitor", "last_name": ""}, "monitor"),
        ({"name": "Somebody"}, "unknown"),
        ("Automation", "automation"),
    ],
)
def test_legacy_senders_have_kinds(sender: object, kind: str):
    """Nobody, the vendor's scheduler, automations and monitors are not people."""
    assert row({**LEGACY, "sender": sender})["sender_kind"] == kind


@pytest.mark.parametrize(
    ("performer", "kind"),
    [("USER", "user"), ("API", "api"), ("AUTOMATION", "automation"), ("MONITOR", "monitor"),
     ("SYSTEM", "system"), ("INTEGRATION", "integration"), ("AI_AGENT", "unknown")],
)  # fmt: skip
def test_performer_types_are_kinds(performer: str, kind: str):
    """The performer type of a current record decides; new ones are unknown, not an error."""
    assert row({**CURRENT, "performer_type": performer})["sender_kind"] == kind


def test_the_older_performer_object_is_a_sender():
    """Samples of early 2025 call the sender performer."""
    record = {k: v for k, v in LEGACY.items() if k != "sender"}
    found = row({**record, "performer": {"id": "u-9", "name": "Bo Elm"}})
    assert (found["sender_id"], found["sender_name"]) == ("u-9", "Bo Elm")


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense", b"[]", b'"text"', b'{"id":"e"', b'{"created_at":"2026-10-05"} tail',
     b'{"id":"e","created_at":NaN}', b"\xef\xbb\xbf{}", b'{"id":"\\ud800"}', b'{"id":"\xff"}',
     b'{"id":"e"}', b'{"id":"e","created_at":"soon"}', b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}"],
)  # fmt: skip
def test_a_bad_record_is_refused_with_a_reason_and_spares_its_neighbours(raw: bytes):
    """One broken record never costs another its row."""
    good = json.dumps(LEGACY).encode()
    decoded = decode_records([good, raw, good])
    assert decoded.events.height == 2
    assert [bad.index for bad in decoded.rejected] == [1]
    assert decoded.rejected[0].reason


def test_wrong_types_cost_the_field_not_the_record():
    """A number for a text is its text; a list for a name is dropped."""
    found = row({**LEGACY, "resource_id": 42, "subject": ["a"], "sender": 7})
    assert found["resource_id"] == "42"
    assert found["subject"] is None
    assert json.loads(found["metadata"])["subject"] == ["a"]


def test_a_plain_batch_reads_like_its_records_one_by_one():
    """The quick way for ordinary records gives the same rows as the general one."""
    odd = b'{"id":"odd","created_at":"2026-10-05T08:30:00Z","new":1}'
    variants = [
        LEGACY,
        {**LEGACY, "sender": None, "metadata": None},
        {**LEGACY, "id": None, "subject": "", "entity_id": "None", "content": "None"},
        {"id": "bare", "created_at": "2026-10-05T08:30:00Z"},
    ]
    raw = [json.dumps(record).encode() for record in variants]
    quick = decode_records(raw).events
    general = decode_records([*raw, odd]).events.filter(pl.col("id") != "odd")
    assert quick.equals(general)


DAMAGED = {
    "half an emoji": (r'{"a":"x\ud83d"}', '{"a":"x\\ufffd"}'),
    "the other half": (r'{"a":"\uDE00 x"}', '{"a":"\\ufffd x"}'),
    "two first halves": (r'{"a":"\ud83d\ud83d\ude00"}', '{"a":"\\ufffd\\ud83d\\ude00"}'),
    "an escaped backslash": (r'{"a":"\\ud83d \ud83d"}', r'{"a":"\\ud83d \ufffd"}'),
    "NaN": ('{"n":NaN}', '{"n":"NaN"}'),
    "infinities": ('{"n":[Infinity,-Infinity]}', '{"n":["Infinity","-Infinity"]}'),
    "a number beyond a float": ('{"n":1e999,"u":"x"}', '{"n":"1e999","u":"x"}'),
    "a tab": ('{"a":"x\ty"}', '{"a":"x\\u0009y"}'),
    "a line feed": ('{"a":"x\ny"}', '{"a":"x\\u000ay"}'),
    "NUL": ('{"a":"\0"}', '{"a":"\\u0000"}'),
    "a path": (r'{"a":"C:\Users"}', r'{"a":"C:\\Users"}'),
    "half an escape": (r'{"a":"\u12"}', r'{"a":"\\u12"}'),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_text_is_read_as_far_as_it_can_be(kind: str):
    """The event stays, its other text is unchanged, and the leaf is that of the bytes sent."""
    sent, read = DAMAGED[kind]
    raw = (
        b'{"id":"e","created_at":"2026-10-05T08:30:00Z","event":"x","metadata":%b}' % sent.encode()
    )
    found = row(raw)
    assert (found["id"], found["event"], found["metadata"]) == ("e", "x", read)
    assert found["leaf"] == hashlib.sha256(raw).digest()
    assert json.loads(found["metadata"])


@pytest.mark.parametrize("sent", [b"\xe9", b"\xff", b"\xed\xa0\xbd", b"\xc3", b"\x80\x80"])
def test_bytes_that_are_no_text_become_replacement_characters(sent: bytes):
    """A Latin-1 byte costs its own character, in a column and in the metadata."""
    raw = b'{"id":"e","created_at":"2026-10-05T08:30:00Z","resource_title":"a%bb",' % sent
    found = row(raw + b'"metadata":{"t":"a%bb"}}' % sent)
    assert set(found["resource_title"]) == {"a", "b", "\ufffd"}
    assert set(json.loads(found["metadata"])["t"]) == {"a", "b", "\ufffd"}


@pytest.mark.parametrize("depth", [101, 127, 200, 950, 5000])
@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
def test_deep_values_are_kept_as_text(depth: int, brackets: str):
    """A path beside them can still be read: Polars gives up a whole text that is too deep."""
    left, right = brackets[:-1], brackets[-1]
    inner = left * depth + "1" + right * depth
    raw = f'{{"id":"e","created_at":"2026-10-05T08:30:00Z","metadata":{{"k":"v","d":{inner}}}}}'
    events = decode_records([raw.encode()]).events
    assert events["metadata"].str.json_path_match("$.k").item() == "v"
    text = events["metadata"].item()
    assert json.loads(text)
    assert text.count(left[0]) >= depth


def test_a_mended_record_stands_among_its_neighbours_and_is_counted():
    """Rows keep the order of the records; refusals keep their place."""
    texts = [b'{"id":"%d","created_at":"2026-10-05T08:30:00Z","n":%b}' % (n, value)
             for n, value in enumerate([b"1", b"NaN", b"2", b"?", b"-Infinity", b"3"])]  # fmt: skip
    decoded = decode_records(texts)
    assert decoded.events["id"].to_list() == ["0", "1", "2", "4", "5"]
    assert [bad.index for bad in decoded.rejected] == [3]
    assert decoded.repaired == 2


def test_no_records_give_an_empty_table():
    """Empty in, empty out, with every column and type."""
    assert decode_records([]).events.schema == pl.Schema(EVENT_SCHEMA)


NAME = st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*LEGACY, *CURRENT, "new"]), values, max_size=6), max_size=3
    )
)
def test_every_record_is_a_row_or_a_refusal(records: list[dict]):
    """Nothing is lost: rows and refusals add up, and every row has its schema."""
    raw = [json.dumps(record).encode("utf-8", "surrogatepass") for record in records]
    decoded = decode_records(raw)
    assert decoded.events.height + len(decoded.rejected) == len(raw)
    assert decoded.events.schema == pl.Schema(EVENT_SCHEMA)
    assert set(decoded.events["sender_kind"].unique()) <= set(SENDER_KINDS)


@pytest.mark.parametrize("place", ["content", "metadata"])
def test_bytes_that_are_no_utf_8_are_replaced_and_counted(place):
    """Wherever they stand; letters beyond ASCII are as they were sent."""
    good = json.dumps({**LEGACY, place: {"n": "café"}}, ensure_ascii=False).encode()
    for raw, letter, repaired in (
        (good, "é", 0),
        (good.replace("é".encode(), b"\xe9"), "\ufffd", 1),
    ):
        decoded = decode_records([raw], source="here")
        assert decoded.repaired == repaired
        assert f"caf{letter}" in str(decoded.events.row(0))


@pytest.mark.parametrize(("sender", "generation"), [({"id": "u-1"}, "legacy"), (None, "unknown")])
def test_a_record_with_unknown_fields_is_known_by_those_only_secoda_has(sender, generation):
    """Without one of them its product is unknown."""
    own = {"sender": sender} if sender else {}
    found = row({"id": "e", "created_at": "2026-10-05T08:30:00Z", "outcome": 1, **own})
    assert found["generation"] == generation
