"""The one way each kind of record is written as JSON and hashed.

Three forms, because archives, signed months and reports of earlier versions hold all three:

- :func:`json_compact`: sorted keys, no blanks. What the archive seals.
- :func:`json_line`: sorted keys, a blank behind comma and colon. What ids and digests rest on.
- :func:`json_document`: sorted keys, indented by two, ends with a line feed. Files people open.

A form never changes: a seal made by any version must be found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

__all__ = ["json_compact", "json_document", "json_line", "sha256_hex"]


def sha256_hex(data: str | bytes) -> str:
    """SHA-256 of bytes or of a text.

    Args:
        data: A text counts by its bytes in UTF-8.

    Returns:
        64 lower-case hex digits.
    """
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def json_compact(value: object) -> bytes:
    """A value as JSON without blanks, keys sorted.

    Args:
        value: What msgspec encodes, dataclasses and datetimes too.

    Returns:
        UTF-8 without escapes.
    """
    import msgspec

    return msgspec.json.encode(value, order="sorted")


def json_line(
    value: object, *, ascii_only: bool = True, default: Callable[[Any], Any] | None = None
) -> bytes:
    """A value as JSON on one line, keys sorted.

    Args:
        value: Plain data.
        ascii_only: Whether other characters are escaped; default: True. A lone surrogate passes
            either way.
        default: Turns what JSON does not know into what it does; default: such a value is a
            TypeError.

    Returns:
        UTF-8, without a line feed at its end.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=ascii_only, default=default)
    return text.encode("utf-8", "surrogatepass")


def json_document(
    value: object, *, ascii_only: bool = True, default: Callable[[Any], Any] | None = None
) -> bytes:
    """A value as an indented JSON file, keys sorted.

    Args:
        value: Plain data.
        ascii_only: Whether other characters are escaped; default: True.
        default: As in :func:`json_line`.

    Returns:
        UTF-8 that ends with a line feed.

    Raises:
        UnicodeEncodeError: A lone surrogate, where ``ascii_only`` is False.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=ascii_only, default=default)
    return f"{text}\n".encode()
