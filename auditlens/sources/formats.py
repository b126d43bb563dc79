"""Which files a user meant, and what each is: its packing and its form, told by its bytes.

Files are read as named; folders are searched for files that look like logs. A suffix may lie.
"""

from __future__ import annotations

import codecs
import csv
import zlib
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from auditlens.errors import UsageError
from auditlens.events import JSON_ERRORS, repair_json

__all__ = [
    "BOM",
    "CSV",
    "DOCUMENT",
    "LINES",
    "LISTS",
    "PARQUET",
    "DamagedError",
    "LogFile",
    "begins_document",
    "delimiter",
    "form_of",
    "header_of",
    "log_files",
    "unpacked",
]

SUFFIXES = (".ndjson", ".jsonl", ".json", ".csv", ".parquet")
PACKED = ("", ".gz", ".zst")
MOST_LEVELS = 100
KNOWN = tuple(suffix + packed for suffix in SUFFIXES for packed in PACKED)
FORMS = "Give NDJSON, JSON, CSV or Parquet files (also .gz, .zst), or a folder of them"


@dataclass(frozen=True)
class LogFile:
    """A file to read. ``name`` is what events and messages call it: never its whole path.

    ``named`` is true when the user named the file itself, not the folder it is in. ``problem``
    says why what was found in a folder is not even opened; empty when it is.
    """

    path: Path
    name: str
    named: bool
    problem: str = ""


def log_files(paths: str | Path | Iterable[str | Path]) -> tuple[LogFile, ...]:
    """List the files behind ``paths``, in the order given, folders in the order of their names.

    Links in a folder are followed, each folder once. Raises UsageError for a path that is not
    there and for a folder without any log.
    """
    given: Sequence[str | Path] = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise UsageError("No file was given", fix=FORMS)
    found: list[LogFile] = []
    for each in given:
        path = Path(each)
        try:
            found += at_path(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{path!s:.200} cannot be read ({reason})", fix=FORMS) from None
    return tuple(found)


def at_path(path: Path) -> list[LogFile]:
    if path.is_dir():
        return in_folder(path)
    if path.is_file():
        return [LogFile(path, path.name, named=True)]
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is neither a file nor a folder", fix=FORMS)
    raise UsageError(f"{path} does not exist", fix="Check the path; " + FORMS.lower())


def in_folder(folder: Path) -> list[LogFile]:
    if any((folder / "evidence").glob("*.ndjson.zst")):
        raise UsageError(
            f"{folder} is an archive", fix="Give it with --archive, or open it with Archive(path)"
        )
    found = sorted(walked(folder, folder, set()), key=lambda file: file.name)
    if not found:
        raise UsageError(f"{folder} holds no log file", fix=f"Looked for {', '.join(SUFFIXES)}")
    return found


def walked(top: Path, folder: Path, seen: set[tuple[int, int]]) -> Iterator[LogFile]:
    """The logs below a folder; what cannot be opened has its problem."""
    place = folder.relative_to(top).as_posix()
    if place.count("/") > MOST_LEVELS:
        yield LogFile(folder, place, named=False, problem=f"lies below {MOST_LEVELS} folders")
        return
    try:
        status = folder.stat()
        inside = sorted(folder.iterdir())
    except OSError as error:
        yield LogFile(folder, place, named=False, problem=f"cannot be read ({error.strerror})")
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from walked(top, path, seen)
        elif path.name.lower().endswith(KNOWN):
            problem = "" if path.is_file() else unusual(path)
            yield LogFile(path, path.relative_to(top).as_posix(), named=False, problem=problem)


def unusual(path: Path) -> str:
    """Why something with the name of a log is no file."""
    if path.is_symlink() and not path.exists():
        return "is a link to nothing"
    return "is neither a file nor a folder"


LINES, DOCUMENT, CSV, PARQUET = "lines", "document", "csv", "parquet"
LISTS = ("results", "Records")
BOM = b"\xef\xbb\xbf"
OTHERS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or Office document",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"<": "a web page or XML",
}


def form_of(head: bytes, name: str, known: AbstractSet[str]) -> str:
    """The form of a file from the first bytes of its content, unpacked.

    ``known`` are the column names that make a table a log. Raises UsageError, with what it
    looks like instead, for anything that is no log.
    """
    if head.startswith(b"PAR1"):
        return PARQUET
    for magic, what in OTHERS.items():
        if head.startswith(magic):
            raise UsageError(f"{name} is {what}, not a log", fix=FORMS)
    text = head.removeprefix(BOM).lstrip(b" \t\r\n\x1e")
    if not text:
        raise UsageError(f"{name} is empty", fix="Export the log again; " + FORMS.lower())
    if b"\0" in text[:4096]:
        raise UsageError(f"{name} is a binary file, not a log", fix=FORMS)
    if text.startswith(b"["):
        return DOCUMENT
    if text.startswith(b"{"):
        return LINES if one_record_a_line(text) else DOCUMENT
    if known & set(header_of(head)):
        return CSV
    if any(line.startswith(b"{") for line in text.split(b"\n", 16)[1:16]):
        return LINES
    raise UsageError(
        f"{name} is not a log file: it is neither JSON nor a table of events", fix=FORMS
    )


def one_record_a_line(text: bytes) -> bool:
    """Whether JSON that starts with an object is one record a line, rather than one document."""
    lines = [line for line in text.split(b"\n", 64)[:64] if line.strip()]
    for first in (lines[0], repair_json(lines[0])):
        try:
            members = msgspec.json.decode(first, type=dict[str, msgspec.Raw])
        except JSON_ERRORS:
            continue
        return not any(bytes(members.get(name, b"")).startswith(b"[") for name in LISTS)
    # A document spread over lines goes on with a key; a broken record is followed by another.
    return len(lines) > 1 and lines[1].startswith(b"{") and begins_document(lines[:1]) is None


def begins_document(lines: Sequence[bytes]) -> int | None:
    """The place of the first line that begins a document and does not end it, if any does."""
    for place, line in enumerate(lines):
        if line[-1] != 125 and line[:1] in (b"[", b"{") and line[-1:] in (b"[", b"{", b","):
            inner = line.rstrip(b", \t")
            if not (line[:1] == b"{" and inner[-1:] == b"}"):
                return place
    return None


def header_of(head: bytes) -> list[str]:
    """The column names of a table of text: its first line, at its most frequent separator."""
    line = head.removeprefix(BOM).split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r")
    try:
        return next(csv.reader([line], delimiter=delimiter(line)), [])
    except csv.Error:
        return []


def delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


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
