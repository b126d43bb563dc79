"""What a record says, as a hash: the same for other spacing and another order of its keys."""

from __future__ import annotations

from hashlib import sha256
from operator import attrgetter

import msgspec

from auditlens.events.record import PlainRecord, decode_plain

__all__ = ["content_hash", "plain_hash"]

# Numbers keep the text they were written in: two texts of one float are two contents.
DECODER = msgspec.json.Decoder(float_hook=lambda text: ["number", text])
ENCODER = msgspec.json.Encoder(order="sorted")
NO_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
VALUES = attrgetter(*(name for name in PlainRecord.__struct_fields__ if name != "metadata"))


def plain_hash(record: PlainRecord) -> bytes:
    """Hash of a plain record's content: 16 bytes. An absent value and null say the same."""
    values, metadata = VALUES(record), record.metadata
    try:
        text = ENCODER.encode((values, DECODER.decode(metadata) if metadata else None))
    except NO_JSON:
        text = ENCODER.encode(values) + bytes(metadata)
    return sha256(text).digest()[:16]


def content_hash(raw: bytes) -> bytes:
    """Hash of any record's content: 16 bytes; of a plain record, its ``plain_hash``.

    What is no JSON, or nested too deep, counts by its exact bytes.
    """
    if plain := decode_plain([raw]):
        return plain_hash(plain[0])
    try:
        text = ENCODER.encode(DECODER.decode(raw))
    except NO_JSON:
        text = raw
    return sha256(text).digest()[:16]
