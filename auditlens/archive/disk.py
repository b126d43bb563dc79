"""Files that are whole or absent: written beside, flushed to the disk, put in place in one step.

Every call that changes the disk goes through this module, so a test can make any one of them
fail. A folder is made 0700, a file 0600, and no symbolic link is ever written through.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditlens.errors import AuditLensError, IntegrityError, SourceError, UsageError

__all__ = ["TEMPORARY", "make_folder", "names", "put", "read", "refuse_link", "remove", "writing"]

TEMPORARY = ".new-"
"""How the name of a file starts that is not yet in its place; a killed run may leave one."""

FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
REFUSED = frozenset(
    {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
)
NO_LINKS = frozenset(
    getattr(errno, name, -1) for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")
)
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating-system error while ``path`` is written into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise fault(path, error) from None


def fault(path: Path, error: OSError) -> AuditLensError:
    if error.errno in FULL:
        fix = "Free some space and run it again; what was saved before is intact"
        return SourceError(f"The disk is full: {path} was not written", fix=fix)
    if error.errno in REFUSED:
        fix = "Make the folder writable for this user, or choose another one"
        return UsageError(f"{path} cannot be written ({error.strerror})", fix=fix)
    fix = "Run it again; what was saved before is intact"
    return SourceError(f"{path} was not written ({error.strerror or error})", fix=fix)


def refuse_link(path: Path) -> None:
    """Raise UsageError when ``path`` is a symbolic link or is there and is no folder."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise fault(path, error) from None
    if stat.S_ISLNK(mode):
        raise UsageError(
            f"The archive folder {path} is a symbolic link",
            fix="Name the folder it points to, so nobody can move the archive unseen",
        )
    if not stat.S_ISDIR(mode):
        raise UsageError(f"{path} is not a folder", fix="Name a folder for the archive")


def make_folder(path: Path) -> None:
    """Make ``path`` (0700) and its parents, durably; an existing folder is left as it is."""
    refuse_link(path)
    if path.is_dir():
        return
    with writing(path):
        if not path.parent.is_dir():
            make_folder(path.parent)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)  # noqa: PTH102 - every change of the disk goes through os
        flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Flush the entries of a folder to the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def put(path: Path, data: bytes, *, exclusive: bool = False) -> None:
    """Write a file whole and durably; ``exclusive`` refuses to replace one.

    Raises SourceError (full disk), UsageError (not writable) or IntegrityError (the file is
    there already though it must not be). On any error the former state stays.
    """
    beside = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    with writing(path):
        try:
            write_whole(beside, data)
            if exclusive:
                link(beside, path)
            else:
                os.replace(beside, path)  # noqa: PTH105
            flush_folder(path.parent)
        except FileExistsError:
            raise IntegrityError(
                f"{path} appeared while it was being written",
                fix="Run 'auditlens verify'; something else writes into this folder",
            ) from None
        finally:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108


def write_whole(path: Path, data: bytes) -> None:
    number = os.open(path, WRITE, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(number, rest) :]
        os.fsync(number)
    finally:
        os.close(number)


def link(beside: Path, path: Path) -> None:
    """Give the finished file its name, failing when the name is taken."""
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError as error:
        # Some network and removable disks have no links. The lock is held, so no other
        # writer can take the name between the look and the move.
        if error.errno not in NO_LINKS or path.exists():
            raise
        os.replace(beside, path)  # noqa: PTH105


def read(path: Path) -> bytes:
    """Read a file whole.

    Raises FileNotFoundError, UsageError without the right to read it, IntegrityError for
    anything odd.
    """
    try:
        number = os.open(path, READ)
    except FileNotFoundError:
        raise
    except PermissionError:
        fix = "Run it as the user the archive belongs to"
        raise UsageError(f"This user may not read {path}", fix=fix) from None
    except OSError as error:
        fix = "Links inside an archive are not followed; restore the file from a copy"
        raise IntegrityError(f"{path} cannot be read ({error.strerror})", fix=fix) from None
    with os.fdopen(number, "rb") as stream:
        try:
            return stream.read()
        except OSError as error:
            raise IntegrityError(f"{path} cannot be read ({error.strerror})") from None


def names(folder: Path) -> tuple[str, ...]:
    """Names in a folder, sorted, without what an unfinished write left; empty when missing."""
    try:
        found = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise IntegrityError(f"{folder} cannot be read ({error.strerror})") from None
    return tuple(sorted(name for name in found if not name.startswith(TEMPORARY)))


def remove(path: Path) -> None:
    """Remove a file that nothing refers to; one that is gone already is fine."""
    with writing(path), suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def sweep(folder: Path) -> None:
    """Remove the unfinished files of runs that were killed. Only the lock's holder may."""
    try:
        left = [name for name in os.listdir(folder) if name.startswith(TEMPORARY)]  # noqa: PTH208
    except OSError:
        return
    for name in left:
        remove(folder / name)
