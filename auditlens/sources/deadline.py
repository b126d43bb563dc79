"""A deadline for a whole exchange, over TLS or not.

A read timeout alone lets a server drip one byte at a time for ever.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

__all__ = ["Deadline"]


class Deadline:
    """Cuts the connection when an exchange takes too long, whatever state it is in.

    ``sockets`` are those of the connection kept from the exchange before: a server may fall
    silent on it before its first byte, when nothing else tells which connection is used.
    """

    def __init__(self, seconds: float, sockets: list[socket.socket]) -> None:
        self.passed = False
        self.sockets = sockets
        self.timer = self.cut_in(seconds)

    def cut_in(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        return timer

    def shorten(self, seconds: float) -> None:
        """Cut after ``seconds`` from now, if the deadline is not sooner."""
        self.cut_in(seconds).start()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note each connection opened for this exchange (an httpx trace extension)."""
        if event == "connection.connect_tcp.complete":
            self.sockets.clear()
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.watch(info["return_value"])

    def watch(self, stream: Any) -> None:
        found = stream.get_extra_info("socket")
        if found is not None and found not in self.sockets:
            self.sockets.append(found)

    def cut(self) -> None:
        self.passed = True
        for each in self.sockets:
            # The plain socket's shutdown wakes a blocked read; the TLS one would race with it.
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
