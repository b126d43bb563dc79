"""How long to wait and how often to try: Retry-After, backoff, and a total budget of waiting."""

from __future__ import annotations

import logging
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from auditlens.errors import Interrupted, SourceError, UsageError
from auditlens.text import count

__all__ = [
    "MAX_WAIT",
    "TRIES",
    "PageFault",
    "RetryPolicy",
    "parse_http_date",
    "parse_retry_after",
    "read_seconds",
]

MAX_WAIT = 900
TRIES = 6
MOST_SECONDS = 10.0**8
BACKOFF_FIRST = 0.5
BACKOFF_MOST = 30.0
SLICE = 0.5
SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")

Response = TypeVar("Response")


class PageFault(SourceError):
    """A fault that may pass: the page is asked for again.

    ``told`` is the wait in seconds that the server asked for. ``throttled`` marks an answer
    that is no failure of the server (429), so tries are limited by the budget alone.
    """

    code = "AL-301"

    def __init__(
        self, message: str, *, fix: str = "", told: int | None = None, throttled: bool = False
    ) -> None:
        super().__init__(message, fix=fix)
        self.told = told
        self.throttled = throttled


def parse_http_date(text: str | None) -> datetime | None:
    """Read an HTTP date as UTC; None when it is missing or unreadable."""
    if not text or len(text) > 64:
        return None
    try:
        stamp = parsedate_to_datetime(text)
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_retry_after(text: str | None, *, now: datetime) -> int | None:
    """Seconds to wait by a ``Retry-After`` header, rounded up, from 0 to 900.

    Reads seconds (fractions too) and HTTP dates, which are compared with ``now``: the server's
    own clock where it is known. None when the header is missing or unreadable.
    """
    if text is None:
        return None
    text = text.strip()
    if SECONDS.fullmatch(text):
        wait = float(text)
    elif stamp := parse_http_date(text):
        wait = (stamp - now).total_seconds()
    else:
        return None
    return math.ceil(min(max(wait, 0.0), MAX_WAIT))


def read_seconds(given: float | None, environ: Mapping[str, str], name: str, usual: float) -> float:
    """Seconds as given, else from the variable ``name``, else ``usual``. Raises UsageError."""
    text = environ.get(name) or usual if given is None else given
    try:
        seconds = float(text)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < MOST_SECONDS:
        raise UsageError(
            f"{name} is not a number of seconds: {str(text)[:40]!r}",
            fix=f"Set it to seconds, for example {usual:g}",
        )
    return seconds


@dataclass
class RetryPolicy:
    """Tries a call again while its fault may pass, and the budget of waiting lasts.

    ``budget`` is in seconds, for all calls together. ``sleep`` waits; ``on_wait`` is told each
    wait and its cause. After :meth:`stop` no wait goes on: Interrupted is raised instead.
    """

    budget: float
    tries: int = TRIES
    sleep: Callable[[float], object] = time.sleep
    on_wait: Callable[[float, str], object] | None = None
    random: Callable[[], float] = random.random
    waited: float = field(default=0.0, init=False)
    stopped: bool = field(default=False, init=False)

    def stop(self) -> None:
        """End any wait soon; safe to call from a signal handler."""
        self.stopped = True

    def run(self, call: Callable[[], Response]) -> Response:
        """Call until it succeeds. Raises the last fault, with the tries made, or Interrupted."""
        import stamina

        # Without a handler of its own, stamina's note of each retry would go to stderr; where
        # logging is set up, it still arrives.
        notes = logging.getLogger("stamina")
        if not notes.handlers:
            notes.addHandler(logging.NullHandler())
        made = 0

        def wait_then_retry(fault: Exception) -> float | bool:
            # stamina waits without an injectable sleep, so the wait happens here and it is
            # told to go on at once.
            if not isinstance(fault, PageFault):
                return False
            seconds = self.next_wait(fault, made)
            if seconds is None:
                return False
            self.wait(seconds, fault.message)
            return 0.0

        try:
            for attempt in stamina.retry_context(wait_then_retry, attempts=None, timeout=None):
                with attempt:
                    made += 1
                    return call()
        except PageFault as fault:
            last = fault
        raise self.given_up(last, made)

    def next_wait(self, fault: PageFault, made: int) -> float | None:
        """Seconds to wait before the next try; None when there is to be none."""
        left = self.budget - self.waited
        if left <= 0 or (made >= self.tries and not fault.throttled):
            return None
        backoff = self.random() * min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(made - 1, 16))
        if fault.throttled:
            wait = max(float(fault.told or 0), backoff + SLICE)
            return wait if wait <= left else self.told_wait(fault, left)
        if fault.told:
            return self.told_wait(fault, left)
        # A short budget is shared out, so that all tries are made whatever it is.
        return min(backoff, left / (self.tries - made))

    @staticmethod
    def told_wait(fault: PageFault, left: float) -> float | None:
        return float(fault.told) if fault.told and fault.told <= left else None

    def wait(self, seconds: float, cause: str) -> None:
        """Wait in short slices, so that a stop is heeded soon."""
        if self.on_wait is not None and seconds >= 1:
            self.on_wait(seconds, cause)
        left = seconds
        while left > 0:
            if self.stopped:
                raise Interrupted("Stopped while waiting for the server", fix="Run it again")
            self.sleep(min(left, SLICE))
            left -= SLICE
        self.waited += seconds

    def given_up(self, fault: PageFault, made: int) -> SourceError:
        """The final error: the fault, how often it was tried, and what would help."""
        tries = count(made, "attempt")
        if self.waited >= 1:
            tries += f", waited {self.waited:.0f} s"
        fix = fault.fix
        if fault.told is not None and fault.told > self.budget - self.waited:
            tries += f"; the server asks for {fault.told} s more"
            fix = "Run it later, or allow more waiting with AUDITLENS_RETRY_BUDGET (seconds)"
        return SourceError(f"{fault.message} ({tries})", fix=fix)
