"""What a scripted server is asked, and what it answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEY = "5f0c1a52-key-never-shown"
CURRENT = "/api/v1/activity_log/audit_logs/"
LEGACY = "/api/v1/notification/workspace/"


@dataclass
class Reply:
    """One answer; ``parts`` writes the bytes on the wire itself."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    parts: Callable[[Any], None] | None = None


@dataclass
class Asked:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class ScriptedServer:
    """Answers by a function of the request, and keeps every request."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    respond: Callable[[Asked], Reply] = lambda _: Reply(b"{}", 500)


def envelope(records: list[Any], **more: Any) -> bytes:
    return json.dumps({"results": records, **more}).encode()


def good(records: int = 2) -> Reply:
    return Reply(envelope([{"id": str(n)} for n in range(records)], count=records, next=None))


def packed(body: bytes) -> Reply:
    return Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})
