"""One writer at a time, by a lock of the kernel: it cannot outlive the process that holds it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditlens.archive.disk import writing
from auditlens.errors import LockHeld

__all__ = ["LOCK", "writer"]

LOCK = "lock"


@contextmanager
def writer(folder: Path) -> Iterator[None]:
    """Hold the archive's lock. Raises LockHeld at once when another run has it."""
    path = folder / LOCK
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
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
