"""The heartbeat: one GET to a monitor that raises the alarm when none comes."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit

from auditlens.errors import UsageError
from auditlens.sources.address import is_loopback

__all__ = ["beat", "check_heartbeat"]

SECONDS = 10.0


class Staying(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the answer to it is the error it is."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any,
        newurl: str,
    ) -> None:  # fmt: skip
        """Go nowhere."""


def check_heartbeat(url: str) -> str:
    """Return ``url``. Raises UsageError unless it is https, or http to this machine."""
    fix = "Write https://…; http is for this machine only"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("The heartbeat is no address", fix=fix) from None
    safe = url.isascii() and url.isprintable() and " " not in url and host and "@" not in url
    if not safe or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise UsageError("The heartbeat is no address that may be asked", fix=fix)
    return url


def beat(url: str, seconds: float = SECONDS) -> str:
    """Ask ``url`` once; return what went wrong, empty when it answered 2xx."""
    opener = urllib.request.build_opener(Staying)
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
