"""The report folder: written beside, synced, and swapped in whole, or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from auditlens.canonical import json_document, sha256_hex
from auditlens.errors import UsageError
from auditlens.files import flush_folder, read, write_whole

MANIFEST = "manifest.json"
FORMAT = "auditlens.manifest/1"
LARGEST_MANIFEST = 1 << 24
MEDIA = {
    ".html": "text/html",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
}


def manifest_bytes(files: Mapping[str, bytes], about: Mapping[str, str | int]) -> bytes:
    """The manifest of a report: its files, and what it was made from.

    Args:
        files: Exact bytes by name.
        about: Further fields of the manifest.

    Returns:
        JSON: ``format``, the fields of ``about``, and ``files`` sorted by name, each with ``name``,
        ``bytes``, ``sha256`` (hex) and ``media_type``.
    """
    entries = [
        {
            "name": name,
            "bytes": len(data),
            "sha256": sha256_hex(data),
            "media_type": MEDIA[Path(name).suffix],
        }
        for name, data in sorted(files.items())
    ]
    whole: dict[str, Any] = {"format": FORMAT, **about, "files": entries}
    return json_document(whole)


def write_folder(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    replace: bool = False,
    heads: Callable[[], Collection[str]] = frozenset,
) -> tuple[Path, ...]:
    """Put files into a folder in one step.

    It is made 0700 and its files 0600, as the archive is: a report names people. The folder may be
    absent, empty, or an earlier draft of the same period and archive, which is replaced whole.

    Args:
        folder: Where to.
        files: Contents by name, the manifest among them.
        replace: Whether a draft of another period or archive is replaced too.
        heads: Every head the archive of the report has had, to know an earlier draft of it by.

    Returns:
        The paths of the files, in the order of ``files``.

    Raises:
        UsageError: The folder holds anything else, a report that was reviewed, is a symbolic
            link, or cannot be written; then nothing changed.
        IntegrityError: What stands in place of its manifest is no regular file.
    """
    folder = Path(folder).absolute()
    earlier = check_folder(folder)
    if earlier and not replace and MANIFEST in files:
        check_same_log(folder, earlier, json.loads(files[MANIFEST]), heads)
    beside: Path | None = None
    try:
        make_parent(folder.parent)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        for name, data in files.items():
            write_whole(beside / name, data)
        flush_folder(beside)
        swap(beside, folder)
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {folder} ({error.strerror or error})",
            fix="Name a folder that you may write to",
        ) from None
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
    return tuple(folder / name for name in files)


def make_parent(folder: Path) -> None:
    """Make the folders above a report, 0700 too; one that is there is left as it is."""
    if not folder.is_dir():
        make_parent(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def check_same_log(
    folder: Path,
    earlier: Mapping[str, Any],
    now: Mapping[str, Any],
    heads: Callable[[], Collection[str]],
) -> None:
    """Raise UsageError unless the draft in ``folder`` is of the same period and archive."""
    held, head = str(earlier.get("period")), str(earlier.get("archive_head") or "")
    other = ""
    if head != now["archive_head"] and (not head or head not in heads()):
        other = f"another archive (head {head[:16]}…)" if head else "files, not from an archive"
    if held == now["period"] and not other:
        return
    made = f", made from {other}" if other else ""
    raise UsageError(
        f"{folder} holds the report of {held}{made}",
        fix=f"Name another folder for the report of {now['period']}, or add --replace",
    )


def check_folder(folder: Path) -> Mapping[str, Any]:
    """The manifest of the draft in ``folder``; empty where there is none.

    Raises UsageError unless the folder is absent, empty or a report that we wrote.
    """
    if folder.is_symlink():
        raise UsageError(f"{folder} is a symbolic link", fix="Name the folder it points to")
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", fix="Name a folder for the report")
    earlier = own_manifest(folder)
    own = {MANIFEST, *(entry["name"] for entry in earlier["files"])} if earlier else set()
    if foreign := sorted({path.name for path in folder.iterdir()} - own):
        raise UsageError(
            f"{folder} holds files that are not a report of ours, such as {foreign[0]!r}",
            fix="Name an empty or a new folder",
        )
    if earlier and earlier.get("status", "draft") != "draft":
        raise UsageError(
            f"{folder} holds a report that is {earlier['status']}, and such a report stays",
            fix="Write the amended report to a folder of its own, with the next amendment number",
        )
    return earlier


def own_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an earlier report of ours; empty when there is none."""
    try:
        listed = json.loads(read(folder / MANIFEST, most=LARGEST_MANIFEST))
        names = [entry["name"] for entry in listed["files"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return listed if listed.get("format") == FORMAT and names else {}


def swap(beside: Path, folder: Path) -> None:
    """Replace ``folder`` by ``beside`` in one step; on failure the earlier report is put back."""
    if not folder.exists():
        beside.rename(folder)
    else:
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        old.rmdir()
        folder.rename(old)
        try:
            beside.rename(folder)
        except OSError:
            old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    flush_folder(folder.parent)
