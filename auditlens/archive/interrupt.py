"""Stopping with grace: the first signal asks, the second insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_on_signal"]


@contextmanager
def stop_on_signal(*also: Callable[[], object]) -> Iterator[threading.Event]:
    """Give a flag that Ctrl-C or SIGTERM sets; a second one raises KeyboardInterrupt.

    ``also`` are called when the flag is set: what else must hear of it, such as a source that
    waits for its server.
    The handlers that stood before are put back at the end. Outside the main thread, where
    Python allows no handlers, the flag is given all the same and nothing sets it.
    """
    flag = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()
        for call in also:
            call()

    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
