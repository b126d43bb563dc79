"""What a record says, as a hash: the same for other spacing and another order of its keys."""

from __future__ import annotations

from hashlib import sha256
from operator import attrgetter

import msgspec

from auditlens.events.record import PlainRecord, decode_plain

__all__ = ["content_hash", "plain_hash"]

# Numbers keep the text they were written in: two texts of one float are two contents.
DECODER = msgspec.json.Decoder(float_hook=lambda text: ["number", text])
SORTED = msgspec.json.Encoder(order="sorted")
ENCODER = msgspec.json.Encoder()
VALUES = attrgetter(*(name for name in PlainRecord.__struct_fields__ if name != "metadata"))


def plain_hash(record: PlainRecord) -> bytes:
    """Hash of a plain record's content: 16 bytes. An absent value and null say the same."""
    text = ENCODER.encode(VALUES(record))
    if record.metadata:
        text += in_order(record.metadata)
    return sha256(text).digest()[:16]


def content_hash(raw: bytes) -> bytes:
    """Hash of any record's content: 16 bytes; of a plain record, its ``plain_hash``.

    What is no JSON, or nested too deep, counts by its exact bytes.
    """
    plain = decode_plain([raw])
    return plain_hash(plain[0]) if plain else sha256(in_order(raw)).digest()[:16]


def in_order(text: bytes | msgspec.Raw) -> bytes:
    """JSON with the keys of every object sorted; other text as it is."""
    try:
        return SORTED.encode(DECODER.decode(text))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return bytes(text)
