"""The body of an answer, decoded as it arrives and never past its bounds."""

from __future__ import annotations

import zlib

from auditlens.errors import SourceError
from auditlens.sources.address import shown
from auditlens.sources.patience import PageFault

__all__ = ["Body", "BodyTooLargeError"]

RATIO = 200
RATIO_FROM = 1 << 20
STEP = 1 << 18
GZIP = 31


class BodyTooLargeError(SourceError):
    """The decoded body passed its size bound; a smaller page may pass."""

    code = "AL-302"


class Body:
    """Collects the bytes of one answer; ``encoding`` is its Content-Encoding.

    Raises BodyTooLargeError past ``most`` decoded bytes, SourceError when more than 200 bytes come
    out of each byte sent, PageFault for an unknown encoding and for damaged gzip data.
    """

    def __init__(self, encoding: str, *, most: int, where: str) -> None:
        self.where = where
        self.most = most
        self.sent = 0
        self.size = 0
        self.parts: list[bytes] = []
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if names not in ([], ["gzip"], ["x-gzip"]):
            raise PageFault(
                f"{where} answers in an encoding that was not asked for ({shown(encoding, 40)})",
                fix="Check the proxy in front of the server; gzip and identity are understood",
            )
        self.gzip = zlib.decompressobj(GZIP) if names else None

    def add(self, chunk: bytes) -> None:
        """Decode one chunk as it was sent."""
        self.sent += len(chunk)
        if self.gzip is None:
            self.keep(chunk)
            return
        while chunk:
            try:
                self.keep(self.gzip.decompress(chunk, STEP))
            except zlib.error:
                raise self.damaged() from None
            chunk = self.gzip.unconsumed_tail
            if self.gzip.eof and self.gzip.unused_data:
                raise self.damaged()

    def keep(self, part: bytes) -> None:
        self.size += len(part)
        self.parts.append(part)
        if self.size > self.most:
            raise BodyTooLargeError(
                f"{self.where} is larger than {self.most:,} bytes",
                fix="Ask for smaller pages (page_size), or narrow the listing with a filter",
            )
        if self.gzip is not None and self.size > max(RATIO_FROM, RATIO * self.sent):
            raise SourceError(
                f"{self.where} is packed more than {RATIO} to 1, as no audit log is",
                fix="Check that SECODA_API_URL is your workspace and no proxy stands in front",
            )

    def whole(self) -> bytes:
        """The decoded body. Raises PageFault when the gzip data end too early."""
        if self.gzip is not None and self.sent and not self.gzip.eof:
            raise self.damaged()
        return b"".join(self.parts)

    def damaged(self) -> PageFault:
        return PageFault(f"{self.where} sent a cut or damaged gzip body", fix="Try again later")
