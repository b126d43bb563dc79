"""One Secoda record, of either generation, decoded from its exact bytes.

Every field is optional and forgiving: the vendor declares no nullability, and its samples show
the strings "None" and "False" where null and false are meant. Fields that no column holds are
spliced, byte for byte, into the metadata text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

__all__ = [
    "BadRecordError",
    "Person",
    "PlainPerson",
    "PlainRecord",
    "Record",
    "Thing",
    "decode_plain",
    "decode_record",
    "splice",
]

Scalar = str | int | float | bool | None
ABSENT = msgspec.Raw(b"")
CURRENT_ONLY = ("activity_type", "performer_type", "performer_metadata", "logged_at")


class Person(msgspec.Struct, gc=False):
    """The actor of a record: ``sender``, ``performer`` or ``performer_metadata``."""

    id: Scalar = None
    email: Scalar = None
    first_name: Scalar = None
    last_name: Scalar = None
    name: Scalar = None


class Thing(msgspec.Struct, gc=False):
    """The ``resource_metadata`` of a current record."""

    title: Scalar = None
    name: Scalar = None
    type: Scalar = None


class Block(msgspec.Struct, gc=False):
    """One piece of text of a current record's ``event_blocks``."""

    value: Scalar = None


class Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The documented fields of both generations; raw ones are read further when needed."""

    id: Scalar = None
    created_at: Scalar = None
    resource_id: Scalar = None
    resource_title: Scalar = None
    resource_type: Scalar = None
    event: Scalar = None
    content: Scalar = None
    sender: Person | str | None = None
    performer: Person | str | None = None
    metadata: msgspec.Raw = ABSENT
    short_summary: Scalar = None
    short_summary_markdown: Scalar = None
    subject: Scalar = None
    entity_type: Scalar = None
    entity_id: Scalar = None
    entity_snapshot_key: Scalar = None
    parent_id: Scalar = None
    activity_type: Scalar = None
    performer_id: Scalar = None
    performer_type: Scalar = None
    performer_metadata: msgspec.Raw = ABSENT
    resource_metadata: msgspec.Raw = ABSENT
    related_resource_ids: list[Scalar] | None = None
    related_resource_type: Scalar = None
    event_blocks: list[Block] | None = None
    logged_at: Scalar = None
    updated_at: Scalar = None
    is_legacy: Scalar = None
    version_history_id: Scalar = None

    @property
    def current(self) -> bool:
        """Whether the record is of the current generation (``activity_log``)."""
        return bool(
            self.activity_type is not None
            or self.performer_type is not None
            or self.logged_at is not None
            or self.performer_metadata
        )


class OtherRecord(Record, gc=False):
    """A record with fields that Secoda does not have and none of those that only Secoda has."""


class PlainPerson(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The sender of a plain record."""

    id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class PlainRecord(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A legacy record exactly as documented, every value a text: the bulk of most logs.

    It has half the fields of :class:`Record` and needs no look at types, hence half the cost.
    """

    id: str | None = None
    created_at: str | None = None
    resource_id: str | None = None
    resource_title: str | None = None
    resource_type: str | None = None
    event: str | None = None
    content: str | None = None
    sender: PlainPerson | None = None
    metadata: msgspec.Raw = ABSENT
    short_summary: str | None = None
    short_summary_markdown: str | None = None
    subject: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    entity_snapshot_key: str | None = None


KNOWN = frozenset(Record.__struct_fields__)
SECODA = frozenset(
    {
        "sender", "performer", "performer_id", "performer_type", "performer_metadata",
        "activity_type", "event_blocks", "short_summary", "entity_snapshot_key",
    }
)  # fmt: skip
"""Fields by which a record with further, unknown ones is still known as Secoda's."""
PLAIN = msgspec.json.Decoder(PlainRecord)
STRICT = msgspec.json.Decoder(Record)
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
MEMBER = msgspec.json.Encoder()


class BadRecordError(ValueError):
    """The bytes are no record; the text says why."""


def check_text(raw: bytes) -> None:
    """Raise UnicodeDecodeError for bytes that are no UTF-8: raw values are not looked into."""
    if not raw.isascii():
        raw.decode("utf-8")


def decode_plain(records: Sequence[bytes]) -> list[PlainRecord] | None:
    """Decode a batch of plain legacy records; None when one of them is anything else."""
    decode = PLAIN.decode
    try:
        if not b"".join(records).isascii():
            for raw in records:
                check_text(raw)
        return [decode(raw) for raw in records]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def decode_record(raw: bytes) -> Record:
    """Decode one record. Raises BadRecordError with the reason when it is not a JSON object."""
    try:
        check_text(raw)
        return STRICT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return decode_leniently(raw)


def decode_leniently(raw: bytes) -> Record:
    """Decode a record with unknown fields, or with known fields of unexpected types."""
    try:
        raw.decode("utf-8")
        members = FIELDS.decode(raw)
    except RecursionError:
        raise BadRecordError("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise BadRecordError(f"not UTF-8 text (byte {error.start + 1})") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRecordError(f"not a JSON object: {str(error)[:120]}") from None
    known: dict[str, Any] = {}
    extras: dict[str, msgspec.Raw] = {}
    for name, value in members.items():
        if name in KNOWN and (kept := field(name, value)) is not None:
            known[name] = kept
        elif bytes(value) != b"null":
            extras[name] = value
    kind = OtherRecord if extras and not SECODA & members.keys() else Record
    record = kind(**known)
    if extras:
        record.metadata = splice(record.metadata, extras)
    return record


def field(name: str, value: msgspec.Raw) -> object:
    """Decode one known field by its own type, or by its text; None when neither fits."""
    if name in ("metadata", "performer_metadata", "resource_metadata"):
        return value
    try:
        one = msgspec.json.decode(b'{"%b":%b}' % (name.encode(), bytes(value)), type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    found: object = getattr(one, name)
    return found


def splice(metadata: msgspec.Raw, extras: dict[str, msgspec.Raw]) -> msgspec.Raw:
    """Add members to a JSON object's text; what is no object becomes its first member."""
    text = bytes(metadata).strip()
    if text in (b"", b"null"):
        inner = b""
    elif text.startswith(b"{"):
        inner = text[1:-1].strip()
    else:
        inner = b'"metadata":' + text
    held = FIELDS.decode(b"{" + inner + b"}")
    added = [
        MEMBER.encode(name) + b":" + bytes(value)
        for name, value in extras.items()
        if name not in held
    ]
    return msgspec.Raw(b"{" + b",".join([inner, *added] if inner else added) + b"}")
