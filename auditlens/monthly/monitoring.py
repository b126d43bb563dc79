"""What those who watch the job read: ``last-run.json``, and a heartbeat to a monitor."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from auditlens.canonical import json_document
from auditlens.errors import AuditLensError, UsageError
from auditlens.files import put, read
from auditlens.sources.address import is_loopback

FILE_NAME = "last-run.json"
FORMAT = "auditlens.last-run/1"
LARGEST = 1 << 24
SECONDS = 10.0


@dataclass
class LastRun:
    """One run, while it goes on and as ``last-run.json`` keeps it; times are in UTC.

    Attributes:
        started: When it began.
        ended: When it ended; None while it goes on.
        exit_code: The worst so far.
        error: The message that came with it.
        outcome: Outcome of the sync, ``failed`` for one that failed; empty without a sync.
        head: Hash (hex) of the archive's last manifest, once it was verified.
        counts: Counts of the sync, of the records verified and of those unread, by name.
        directory: What :func:`pull_directory` gave; empty when it was not asked.
        months: Names of the folders of reports that were written.
        waiting: Months that have no report yet, each with the reason.
        alerts: Ids of the cases that messages were queued for.
        delivered: Messages that were delivered, as ``REPORT to TARGET``.
        undelivered: Messages that were not, as ``REPORT to TARGET``, each with the reason.
        compared: By month the digest of the events that its report was last compared with.
    """

    started: datetime
    ended: datetime | None = None
    exit_code: int = 0
    error: str = ""
    outcome: str = ""
    head: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    directory: dict[str, Any] = field(default_factory=dict)
    months: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    undelivered: dict[str, str] = field(default_factory=dict)
    compared: dict[str, str] = field(default_factory=dict)

    def worsen(self, code: int, message: str = "") -> None:
        """Keep the worse exit code and the message that came with it."""
        if code > self.exit_code:
            self.exit_code, self.error = code, message or self.error

    def end_with(self, code: int, message: str) -> None:
        """Note the exit code of an error that ends the run, whatever was noted before."""
        self.exit_code, self.error = code, message


def write_last_run(folder: Path, run: LastRun) -> None:
    """Replace the file in one step. Raises as ``files.put`` does."""
    shown = {
        "format": FORMAT,
        "started_at": utc_text(run.started),
        "ended_at": run.ended and utc_text(run.ended),
        "exit_code": run.exit_code,
        "error": run.error,
        "sync": run.outcome,
        "head": run.head,
        "counts": run.counts,
        "directory": run.directory,
        "months_written": run.months,
        "waiting": run.waiting,
        "alerts": run.alerts,
        "delivered": run.delivered,
        "undelivered": run.undelivered,
        "compared": run.compared,
    }
    put(folder / FILE_NAME, json_document(shown))


def utc_text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def compared_before(folder: Path) -> Mapping[str, str]:
    """What the run before compared.

    Args:
        folder: The folder of all reports, with ``last-run.json``.

    Returns:
        By month the digest of events; empty when the file is not there or not readable.
    """
    unreadable = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
    with suppress(*unreadable, AuditLensError):
        held = json.loads(read(folder / FILE_NAME, most=LARGEST))
        return {str(month): str(digest) for month, digest in held["compared"].items()}
    return {}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the answer to it is the error it is."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any,
        newurl: str,
    ) -> None:  # fmt: skip
        """Go nowhere."""


def check_heartbeat(url: str) -> str:
    """Check the address of a heartbeat.

    Args:
        url: The address.

    Returns:
        ``url``.

    Raises:
        UsageError: It is neither https nor http to this machine, or holds a user; the message does
            not hold it.
    """
    fix = "Write https://…; http is for this machine only"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("The heartbeat is not an address", fix=fix) from None
    safe = url.isascii() and url.isprintable() and " " not in url and host and "@" not in url
    if not safe or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise UsageError("The heartbeat is not an address that may be asked", fix=fix)
    return url


def send_heartbeat(url: str, seconds: float = SECONDS) -> str:
    """Ask an address once; redirects are not followed.

    Args:
        url: The address.
        seconds: How long the answer may take; default: 10.

    Returns:
        What went wrong; empty when it answered 2xx.

    Raises:
        UsageError: The address is one that :func:`check_heartbeat` refuses.
    """
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(check_heartbeat(url), timeout=seconds):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
