"""The bytes of a file, unpacked piece by piece: plain, gzip or Zstandard, told by content."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from auditlens.errors import UsageError

__all__ = ["DamagedError", "unpacked"]

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
SKIPPED = b"\x2a\x4d\x18"
"""How the magic number of a frame to be skipped ends; it begins with 0x50 to 0x5f."""

SKIPPED_HEAD = 8
BLANKS = b"\0 \t\r\n"
WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"{\0", "utf-16-le"),
    (b"[\0", "utf-16-le"),
    (b"\0{", "utf-16-be"),
    (b"\0[", "utf-16-be"),
)
PLAIN_STEP = 1 << 20
GZIP_STEP = 1 << 14
# A block of 128 KiB may be packed into four bytes: small pieces bound what one of them unpacks to.
ZSTD_STEP = 1 << 11
ZSTD_WINDOW = 1 << 27


class DamagedError(Exception):
    """Packed data are cut or damaged from here on; the text says how."""


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in pieces of bounded size; UTF-16 and UTF-32 become UTF-8.

    Raises UsageError when it cannot be read, and DamagedError, after all that could be
    unpacked, when it is cut or damaged.
    """
    yield from as_utf8(content(path))


def content(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic.startswith(GZIP):
                yield from ungzipped(stream)
            elif magic == ZSTD or is_skipped(magic):
                yield from unzstd(stream)
            else:
                yield from pieces(stream, PLAIN_STEP)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error})", fix="Check its name and rights"
        ) from None


def as_utf8(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Text in UTF-16 or UTF-32, as PowerShell and Excel write it, in UTF-8; all else as it is."""
    head = b""
    while len(head) < 4 and (part := next(parts, None)) is not None:
        head += part
    name = next((name for start, name in WIDE if head.startswith(start)), "")
    if not name:
        yield head
        yield from parts
        return
    decoder = codecs.getincrementaldecoder(name)("replace")
    for part in chain([head], parts):
        yield decoder.decode(part).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode()


def pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while piece := stream.read(size):
        yield piece


def ungzipped(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack gzip members one after another; blanks after a member are nothing."""
    member = zlib.decompressobj(31)
    for piece in pieces(stream, GZIP_STEP):
        rest = piece
        while rest:
            if member.eof:
                rest = rest.lstrip(BLANKS)
                if not rest:
                    break
                member = zlib.decompressobj(31)
            try:
                yield member.decompress(rest, PLAIN_STEP)
            except zlib.error as error:
                raise DamagedError(f"the gzip data are damaged ({error})") from None
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise DamagedError("the gzip data are cut off")


def unzstd(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack Zstandard frames one after another; blanks after a frame are nothing."""
    import zstandard

    packer = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    frame = None
    rest, skip = b"", 0
    for piece in pieces(stream, ZSTD_STEP):
        rest += piece
        while rest:
            if skip:
                skip, rest = max(0, skip - len(rest)), rest[skip:]
                continue
            if frame is None:
                rest = rest.lstrip(BLANKS)
                if len(rest) < SKIPPED_HEAD:
                    break
                if is_skipped(rest):
                    skip = SKIPPED_HEAD + int.from_bytes(rest[4:SKIPPED_HEAD], "little")
                    continue
                frame = packer.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise DamagedError(f"the Zstandard data are damaged ({error})") from None
            rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None or skip or rest:
        raise DamagedError("the Zstandard data are cut off")


def is_skipped(head: bytes) -> bool:
    """Whether a Zstandard frame that starts so holds no data, but notes of its writer."""
    return head[1:4] == SKIPPED and 0x50 <= head[0] <= 0x5F
