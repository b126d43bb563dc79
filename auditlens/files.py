"""Reading and writing files safely: regular files only, of a stated size; whole or absent.

Reading opens a regular file and nothing else: a pipe, a device or a folder in its place is an
error at once and never a wait, and a file larger than the reader states is refused before it is
read. Writing goes beside, is flushed to the disk and put in place in one step, so that a killed
run leaves the former file. A folder is made 0700, a file 0600. Inside a folder of ours no
symbolic link is followed. One lock of the kernel keeps a second writer out.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditlens.errors import AuditLensError, IntegrityError, LockHeld, SourceError, UsageError

__all__ = [
    "LOCK",
    "flush_folder",
    "lock",
    "make_folder",
    "names",
    "odd",
    "open_regular",
    "put",
    "read",
    "read_text",
    "refuse_link",
    "remove",
    "sweep",
    "write_whole",
    "writing",
]

LARGEST = 1 << 30
"""Bytes of the largest file that is read into memory where the reader states no smaller size."""

LOCK = "lock"
"""Name of the file whose lock the writer of a folder holds."""

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
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating-system error of what is written inside into one that says what to do.

    Args:
        path: The file that messages name.

    Yields:
        Nothing; the file is written inside.

    Raises:
        SourceError: The disk is full, or the write failed in a way that trying again may help.
        UsageError: The place is not writable.
    """
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
    """Refuse a folder of an archive that is a symbolic link or no folder.

    Args:
        path: The folder; it may be missing.

    Raises:
        UsageError: It is a symbolic link, or something else than a folder.
    """
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
    """Make a folder (0700) and its parents, durably; an existing one is left as it is.

    Args:
        path: The folder.

    Raises:
        UsageError: It is a symbolic link, no folder, or cannot be made by this user.
        SourceError: The disk is full.
    """
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
    """Flush the entries of a folder to the disk; Windows has no such call and needs none.

    Args:
        path: The folder.

    Raises:
        OSError: It cannot be opened or flushed; :func:`writing` turns that into an error of ours.
    """
    if os.name == "nt":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def put(path: Path, data: bytes, *, exclusive: bool = False) -> None:
    """Write a file whole and durably; on any error the former state stays.

    Args:
        path: The file.
        data: All of its bytes.
        exclusive: Whether an existing file is refused in place of being replaced; default: False.

    Raises:
        SourceError: The disk is full.
        UsageError: The folder is not writable.
        IntegrityError: The file exists, where ``exclusive``.
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
    """Write a new file (0600) in its place and flush it; :func:`put` writes beside it first.

    Args:
        path: The file, which must not exist.
        data: All of its bytes.

    Raises:
        OSError: It exists or cannot be written; :func:`writing` turns that into an error of ours.
    """
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


def open_regular(path: Path, *, follow: bool = False) -> int:
    """Open a regular file for reading.

    Args:
        path: The file.
        follow: Whether a symbolic link in place of the file is followed; default: False. Files
            inside a folder of ours are never links; a file that a person named may be one.

    Returns:
        Its descriptor, which the caller closes.

    Raises:
        FileNotFoundError: There is none.
        UsageError: This user may not read it.
        IntegrityError: It is no regular file, or it cannot be read.
    """
    try:
        number = os.open(path, READ if follow else READ | NO_FOLLOW)
    except FileNotFoundError:
        raise
    except PermissionError:
        fix = "Run it as the user the file belongs to"
        raise UsageError(f"This user may not read {path}", fix=fix) from None
    except (OSError, ValueError) as error:
        what = odd(path) or getattr(error, "strerror", None) or str(error)
        raise not_regular(path, what) from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        raise not_regular(path, kind_of(mode))
    return number


def not_regular(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"{path} cannot be read: {what}", fix="Put a regular file in its place, from a copy"
    )


def odd(path: Path) -> str:
    """What stands in the place of a regular file.

    Args:
        path: The file.

    Returns:
        A clause such as ``it is a pipe``; empty for a regular file, for none, and when it cannot be
        told.
    """
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "" if stat.S_ISREG(mode) else kind_of(mode)


def kind_of(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "it is a symbolic link, which is not followed here"),
        (stat.S_ISDIR, "it is a folder"),
        (stat.S_ISFIFO, "it is a pipe"),
        (stat.S_ISSOCK, "it is a socket"),
        (stat.S_ISCHR, "it is a device"),
        (stat.S_ISBLK, "it is a device"),
    )
    return next((text for test, text in kinds if test(mode)), "it is not a regular file")


def read(path: Path, *, most: int = LARGEST, follow: bool = False) -> bytes:
    """Read a regular file whole.

    Args:
        path: The file.
        most: Bytes it may have at most; a larger one is refused unread. Default: LARGEST, 1 GiB.
        follow: As in :func:`open_regular`.

    Returns:
        Its bytes.

    Raises:
        FileNotFoundError: There is none.
        UsageError: This user may not read it.
        IntegrityError: It is no regular file, is larger than ``most``, or cannot be read.
    """
    with os.fdopen(open_regular(path, follow=follow), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            data = stream.read(most + 1) if size <= most else None
        except OSError as error:
            raise IntegrityError(f"{path} cannot be read ({error.strerror})") from None
    if data is None or len(data) > most:
        raise IntegrityError(
            f"{path} is larger than any file of its kind ({max(size, most + 1):,} bytes, "
            f"at most {most:,})",
            fix="Restore it from a copy",
        )
    return data


def read_text(path: Path, *, most: int = LARGEST, follow: bool = True) -> str:
    """Read a regular file as UTF-8 text.

    Args:
        path: The file.
        most: Bytes it may have at most; a larger one is refused unread. Default: as :func:`read`.
        follow: As in :func:`open_regular`; default: True.

    Returns:
        The text, with the ends of lines as they are.

    Raises:
        FileNotFoundError: There is none.
        UsageError: This user may not read it.
        IntegrityError: As :func:`read`.
        UnicodeDecodeError: It is no UTF-8 text.
    """
    return read(path, most=most, follow=follow).decode("utf-8")


def names(folder: Path, *, follow: bool = False) -> tuple[str, ...]:
    """Names in a folder, without what an unfinished write left.

    Args:
        folder: The folder.
        follow: Whether a symbolic link in place of the folder is followed; default: False.

    Returns:
        The names, sorted; empty when there is no such folder.

    Raises:
        IntegrityError: It is no folder, or cannot be read.
    """
    if folder.is_symlink() and not follow:
        raise IntegrityError(
            f"{folder} is a symbolic link, which is not followed here",
            fix="Put the folder itself in its place, from a copy",
        )
    try:
        found = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise IntegrityError(f"{folder} cannot be read ({error.strerror})") from None
    return tuple(sorted(name for name in found if not name.startswith(TEMPORARY)))


def remove(path: Path) -> None:
    """Remove a file that nothing refers to; one that is gone already is fine.

    Args:
        path: The file.

    Raises:
        UsageError: The folder is not writable.
    """
    with writing(path), suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def sweep(folder: Path) -> None:
    """Remove the unfinished files of runs that were killed. Only the lock's holder may.

    Args:
        folder: The folder; one that cannot be listed is left as it is.

    Raises:
        UsageError: The folder is not writable.
    """
    try:
        left = [name for name in os.listdir(folder) if name.startswith(TEMPORARY)]  # noqa: PTH208
    except OSError:
        return
    for name in left:
        remove(folder / name)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the one writer's lock of a folder; the kernel lets go of it with the process.

    Args:
        folder: The folder; its file ``lock`` is made where there is none, and stays.

    Yields:
        Nothing; the lock is held inside.

    Raises:
        LockHeld: Another run has it; there is no waiting.
        IntegrityError: What stands in the place of the lock's file is no regular file.
        UsageError: The lock's file cannot be written.
    """
    path = folder / LOCK
    if what := odd(path):
        raise not_regular(path, what)
    flags = os.O_RDWR | os.O_CREAT | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0)
    with writing(path):
        number = os.open(path, flags, 0o600)
    try:
        try:
            take(number)
        except OSError:
            raise LockHeld(
                f"Another run is writing to {folder}", fix="Wait until it has ended"
            ) from None
        yield
    finally:
        os.close(number)


if sys.platform == "win32":
    import msvcrt

    def take(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def take(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
