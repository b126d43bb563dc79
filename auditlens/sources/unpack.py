"""The bytes of a file, unpacked piece by piece: plain, gzip or Zstandard, told by content."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from auditlens.errors import UsageError

__all__ = ["DamagedError", "unpacked"]

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
PLAIN_STEP = 1 << 20
GZIP_STEP = 1 << 14
# A block of 128 KiB may be packed into four bytes: small pieces bound what one of them unpacks to.
ZSTD_STEP = 1 << 11
ZSTD_WINDOW = 1 << 27


class DamagedError(Exception):
    """Packed data are cut or damaged from here on; the text says how."""


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in pieces of bounded size.

    Raises UsageError when it cannot be read, and DamagedError, after all that could be
    unpacked, when it is cut or damaged.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic.startswith(GZIP):
                yield from ungzipped(stream)
            elif magic == ZSTD:
                yield from unzstd(stream)
            else:
                yield from pieces(stream, PLAIN_STEP)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error})", fix="Check its name and rights"
        ) from None


def pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while piece := stream.read(size):
        yield piece


def ungzipped(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack gzip members one after another."""
    member = zlib.decompressobj(31)
    for piece in pieces(stream, GZIP_STEP):
        rest = piece
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")
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
    """Unpack Zstandard frames one after another."""
    import zstandard

    packer = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    frame = packer.decompressobj()
    for piece in pieces(stream, ZSTD_STEP):
        rest = piece
        while rest:
            if frame.eof:
                frame = packer.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise DamagedError(f"the Zstandard data are damaged ({error})") from None
            rest = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise DamagedError("the Zstandard data are cut off")
