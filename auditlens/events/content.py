"""What a record says, as a hash: the same for other spacing and another order of its keys."""

from __future__ import annotations

from hashlib import sha256

import msgspec

__all__ = ["content_hash"]

# Numbers keep the text they were written in: two texts of one float are two contents.
DECODER = msgspec.json.Decoder(float_hook=lambda text: ["number", text])
ENCODER = msgspec.json.Encoder(order="sorted")
NO_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)


def content_hash(raw: bytes) -> bytes:
    """Hash of a record's content: 16 bytes. An absent field and null say the same.

    What is no JSON, or nested too deep, counts by its exact bytes.
    """
    try:
        said = DECODER.decode(raw)
        if isinstance(said, dict):
            said = {name: value for name, value in said.items() if value is not None}
        text = ENCODER.encode(said)
    except NO_JSON:
        text = raw
    return sha256(text).digest()[:16]
