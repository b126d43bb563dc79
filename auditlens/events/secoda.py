"""Secoda's records, of either generation, decoded from their exact bytes into columns.

Every field is optional and forgiving: the vendor declares no nullability, and its samples show
the strings "None" and "False" where null and false are meant. Fields that no column holds are
spliced, byte for byte, into the metadata text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import polars as pl

__all__ = [
    "BadRecordError",
    "Person",
    "PlainPerson",
    "PlainRecord",
    "Record",
    "Thing",
    "decode_plain",
    "decode_record",
    "secoda_rows",
    "splice",
]

Scalar = str | int | float | bool | None
ABSENT = msgspec.Raw(b"")


class Person(msgspec.Struct, gc=False):
    """The actor of a record: ``sender``, ``performer`` or ``performer_metadata``.

    Attributes:
        id: The account's id.
        email: Its address.
        first_name: First name of a person.
        last_name: Last name of a person.
        name: The whole name, where the record gives it in one.
    """

    id: Scalar = None
    email: Scalar = None
    first_name: Scalar = None
    last_name: Scalar = None
    name: Scalar = None


class Thing(msgspec.Struct, gc=False):
    """The ``resource_metadata`` of a current record.

    Attributes:
        title: The resource's title.
        name: Stands for the title where there is none.
        type: Its kind.
    """

    title: Scalar = None
    name: Scalar = None
    type: Scalar = None


class Block(msgspec.Struct, gc=False):
    """One piece of text of a current record's ``event_blocks``.

    Attributes:
        value: Taken as text, the pieces without anything between them; null adds nothing.
    """

    value: Scalar = None


class Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The documented fields of both generations, by their own names; a further field is refused.

    Every field may be absent. Raw ones keep their exact bytes and are read further when needed.

    Attributes:
        id: Id of the event.
        created_at: When it happened; of a current record ``logged_at`` stands before it.
        resource_id: What was acted on.
        resource_title: Its title.
        resource_type: Its kind.
        event: Kind of the event in a legacy record.
        content: Text of the event in a legacy record, the person's own words where there are any.
        sender: The actor of a legacy record: an object, or an id alone.
        performer: The actor, where a record names it so.
        metadata: Raw JSON.
        short_summary: The source's own phrase for what was done.
        short_summary_markdown: The same with markup; not read.
        subject: Further part of the kind.
        entity_type: Kind of the other side of the act.
        entity_id: Id of the other side of the act.
        entity_snapshot_key: Key of a stored version of the resource.
        parent_id: What the resource is part of.
        activity_type: Kind of the event in a current record.
        performer_id: Id of the actor of a current record.
        performer_type: Kind of the actor of a current record.
        performer_metadata: Raw JSON of a current record: its actor.
        resource_metadata: Raw JSON of a current record: what was acted on.
        related_resource_ids: Ids of the other side of the act in a current record.
        related_resource_type: Their kind.
        event_blocks: The sentence of a current record, in pieces.
        logged_at: When a current record was logged.
        updated_at: When a record was last changed; not read.
        is_legacy: As the source sends it; not read.
        version_history_id: Stands for ``entity_snapshot_key`` in a current record.
    """

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


PART = 250
NESTED = TypeVar("NESTED", Person, Thing)
NOBODY, NOTHING, NO_SENDER = Person(), Thing(), PlainPerson()
UNKNOWN_GENERATION = "unknown"
"""The generation of a record that has a time, and is of no product with a profile."""

SAID_NULL = ("", "None")
TEXT_OR_NULL = frozenset({str, type(None)})

TOKENS = (
    "id", "created_at", "logged_at", "event", "activity_type", "performer_id", "performer_type",
    "resource_id", "resource_type", "entity_type", "related_resource_type", "entity_id",
    "parent_id", "entity_snapshot_key", "version_history_id",
)  # fmt: skip
PERSON = ("id", "email", "first_name", "last_name", "name")
THING = ("title", "name", "type")
PROSE = ("resource_title", "content", "short_summary", "subject")


def secoda_rows(records: Sequence[bytes]) -> tuple[list[int], pl.DataFrame, dict[int, str]]:
    """Decode each record; return the positions kept, their columns, and why others are not."""
    plain = plain_columns(records)
    if plain is not None:
        return list(range(len(records))), merge(plain), {}
    kept: list[int] = []
    found: list[Record] = []
    refused: dict[int, str] = {}
    for index, raw in enumerate(records):
        try:
            found.append(decode_record(raw))
            kept.append(index)
        except BadRecordError as error:
            refused[index] = str(error)
    return kept, merge(columns(found)), refused


def plain_columns(records: Sequence[bytes]) -> pl.DataFrame | None:
    """The values of plain legacy records; None when one of them is anything else.

    What such records cannot hold is null.
    """
    names = [name for name in (*TOKENS, *PROSE) if name in PlainRecord.__struct_fields__]
    people = [f"person_{name}" for name in PlainPerson.__struct_fields__]
    values: dict[str, list[str | None]] = {name: [] for name in (*names, *people, "metadata")}
    # So few at a time stay in the processor's cache from decoding to the last column.
    for start in range(0, len(records), PART):
        found = decode_plain(records[start : start + PART])
        if found is None:
            return None
        senders = [record.sender or NO_SENDER for record in found]
        for name in names:
            values[name] += map(attrgetter(name), found)
        for name, field in zip(people, PlainPerson.__struct_fields__, strict=True):
            values[name] += map(attrgetter(field), senders)
        values["metadata"] += [str(record.metadata, "utf-8", "replace") for record in found]
    absent = [
        pl.lit(None, pl.String).alias(name)
        for name in (*TOKENS, *PROSE, "person_name", *(f"thing_{n}" for n in THING), "told")
        if name not in values
    ]
    series = [pl.Series(name, texts, pl.String) for name, texts in values.items()]
    return pl.DataFrame(series).with_columns(
        *absent,
        pl.col("metadata").replace({"": None, "null": None}),
        pl.lit(None, pl.List(pl.String)).alias("related"),
        pl.lit("legacy").alias("generation"),
    )


def columns(found: Sequence[Record]) -> pl.DataFrame:
    """The records' values, merged over the generations into event columns."""
    people = [person(record) for record in found]
    things = [thing(record) for record in found]
    series = [strings(name, map(attrgetter(name), found)) for name in (*TOKENS, *PROSE)]
    series += [strings(f"person_{name}", map(attrgetter(name), people)) for name in PERSON]
    series += [strings(f"thing_{name}", map(attrgetter(name), things)) for name in THING]
    series.append(strings("told", map(told, found)))
    series.append(strings("metadata", map(metadata, found)))
    series.append(pl.Series("related", [related(r) for r in found], pl.List(pl.String)))
    series.append(pl.Series("generation", map(generation, found), pl.String))
    return pl.DataFrame(series)


def merge(raw: pl.DataFrame) -> pl.DataFrame:
    """Clean the sample's spellings of null and coalesce what the generations call differently."""
    tokens = pl.col(*TOKENS, *(f"person_{name}" for name in PERSON), "thing_type")
    clean = raw.with_columns(
        pl.when((tokens != "") & (tokens != "None")).then(tokens),
        pl.col(*PROSE, "told", "thing_title", "thing_name").replace("", None),
    )
    full_name = pl.concat_str(
        "person_first_name", "person_last_name", separator=" ", ignore_nulls=True
    )
    return clean.select(
        "id",
        pl.coalesce("logged_at", "created_at").alias("created_at"),
        pl.coalesce("event", "activity_type").alias("event"),
        pl.coalesce("person_id", "performer_id").alias("sender_id"),
        pl.col("person_email").alias("sender_email"),
        pl.coalesce(full_name.replace("", None), "person_name").alias("sender_name"),
        "performer_type",
        "resource_id",
        pl.coalesce("resource_title", "thing_title", "thing_name").alias("resource_title"),
        pl.coalesce("resource_type", "thing_type").alias("resource_type"),
        pl.coalesce("entity_type", "related_resource_type").alias("entity_type"),
        pl.coalesce("entity_id", pl.col("related").list.first()).alias("entity_id"),
        pl.when(pl.col("related").is_not_null())
        .then(pl.col("related"))
        .when(pl.col("entity_id").is_not_null())
        .then(pl.concat_list("entity_id"))
        .alias("related_ids"),
        pl.coalesce("content", "told").alias("content"),
        # The phrase is the source's own: of a current record its blocks, not the person's text.
        pl.when(pl.col("generation") == "current")
        .then(pl.coalesce("short_summary", "told"))
        .otherwise(pl.coalesce("short_summary", "content", "told"))
        .alias("summary"),
        "subject",
        "metadata",
        "parent_id",
        pl.coalesce("entity_snapshot_key", "version_history_id").alias("snapshot_key"),
        "generation",
    )


def generation(record: Record) -> str:
    """Which of Secoda's generations a record is of, or that it is of no known product."""
    if record.__class__ is OtherRecord:
        return UNKNOWN_GENERATION
    return "current" if record.current else "legacy"


def strings(name: str, values: Iterable[Any]) -> pl.Series:
    """A text column; numbers and booleans become their JSON text."""
    texts = list(values)
    if texts.count(None) == len(texts):
        return pl.Series(name, [None], pl.String).new_from_index(0, len(texts))
    if not TEXT_OR_NULL.issuperset(map(type, texts)):
        texts = [value if value is None else scalar(value) for value in texts]
    return pl.Series(name, texts, pl.String)


def scalar(value: float | bool | str) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def person(record: Record) -> Person:
    """The actor, wherever the record's generation keeps it."""
    sender = record.sender if record.sender is not None else record.performer
    if sender.__class__ is Person:
        return sender
    if record.performer_metadata:
        return nested(record.performer_metadata, Person)
    return Person(name=sender) if isinstance(sender, str) else NOBODY


def thing(record: Record) -> Thing:
    return nested(record.resource_metadata, Thing) if record.resource_metadata else NOTHING


def nested(raw: msgspec.Raw, kind: type[NESTED]) -> NESTED:
    """Decode a nested object; what does not fit is an empty one."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return kind()


def told(record: Record) -> str | None:
    """The text of a current record: its blocks, joined."""
    if not record.event_blocks:
        return None
    return "".join(str(block.value) for block in record.event_blocks if block.value is not None)


def related(record: Record) -> list[str] | None:
    ids = record.related_resource_ids
    if ids is None:
        return None
    return [scalar(value) for value in ids if value is not None and value not in SAID_NULL]


def metadata(record: Record) -> str | None:
    """The metadata text; the metadata-like objects of a current record are added to it."""
    raw = record.metadata
    if record.performer_metadata or record.resource_metadata:
        extras = {
            "performer_metadata": record.performer_metadata,
            "resource_metadata": record.resource_metadata,
        }
        raw = splice(raw, {name: value for name, value in extras.items() if value})
    return decoded(bytes(raw))


def decoded(text: bytes) -> str | None:
    """The text of a raw value; an absent one and JSON's null are null."""
    return text.decode("utf-8", "replace") if text and text != b"null" else None
