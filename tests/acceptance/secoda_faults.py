"""What can go wrong between a server and its client, one fault at a time."""

from __future__ import annotations

import base64
import contextlib
import gzip
import socket
import time
import zlib


class Faults:
    """A plan of faults; each is due at given requests, at given pages, or always.

    A fault is a mapping: ``do`` names it; ``on`` lists listing requests counted from the moment
    the plan was made; ``page`` is a page number; ``times`` is how often it plays at most.
    """

    def __init__(self) -> None:
        self.planned: list[dict] = []
        self.start = 0

    def plan(self, faults: list[dict], start: int) -> None:
        self.planned, self.start = faults, start

    def due(self, entry: dict) -> dict | None:
        for fault in self.planned:
            page = int(entry["query"].get("page", 1))
            if (
                ("on" not in fault or entry["n"] - self.start in fault["on"])
                and fault.get("page", page) == page
                and fault.get("endpoint", entry["endpoint"]) == entry["endpoint"]
                and fault.get("times", 1) > 0
            ):
                if "times" in fault:
                    fault["times"] -= 1
                return fault
        return None

    def play(self, fault: dict, handler, body: bytes) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            getattr(self, f"do_{fault['do']}")(fault, handler, body)
        if fault["do"] != "answer":
            hang_up(handler)

    def do_answer(self, fault: dict, handler, body: bytes) -> None:
        """Another status, other headers, another body; the good body where none is given."""
        if "body" in fault:
            body = base64.b64decode(fault["body"])
        handler.send(fault.get("status", 200), body, tuple(map(tuple, fault.get("headers", ()))))

    def do_cut(self, fault: dict, handler, body: bytes) -> None:
        at = fault["at"] if fault["at"] >= 0 else len(body) + fault["at"]
        handler.send(200, body[:at], length=len(body))

    def do_length(self, fault: dict, handler, body: bytes) -> None:
        handler.send(200, body, length=len(body) + fault["delta"])

    def do_chunks_end(self, fault: dict, handler, body: bytes) -> None:
        """A chunked body without its end mark."""
        half = body[: len(body) * fault.get("percent", 50) // 100]
        chunk = b"%x\r\n" % len(half) + half + b"\r\n"
        handler.send(200, chunk, (("Transfer-Encoding", "chunked"),))

    def do_bomb(self, fault: dict, handler, _body: bytes) -> None:
        """A small answer that unpacks to very much."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31 if fault["encoding"] == "gzip" else 15)
        megabyte = b" " * 1_048_576
        parts = [packer.compress(b'{"results": [')]
        parts += [packer.compress(megabyte) for _ in range(fault["megabytes"])]
        packed = b"".join([*parts, packer.compress(b"]}"), packer.flush()])
        if fault.get("twice"):
            packed = gzip.compress(packed)
        names = ", ".join([fault["encoding"]] + ["gzip"] * bool(fault.get("twice")))
        handler.send(200, packed, (("Content-Encoding", names),))

    def do_huge(self, fault: dict, handler, _body: bytes) -> None:
        """Plain bytes without end."""
        handler.send(200, b'{"results": [', length=fault["megabytes"] * 1_048_576)
        for _ in range(fault["megabytes"]):
            handler.wfile.write(b" " * 1_048_576)

    def do_encoded(self, fault: dict, handler, body: bytes) -> None:
        """An encoding nobody asked for, or one that is not what its name says."""
        packers = {"gzip": gzip.compress, "deflate": zlib.compress}
        packed = packers.get(fault["encoding"], lambda data: b"\x8b\x07\x80" + data)(body)
        handler.send(200, packed, (("Content-Encoding", fault["encoding"]),))

    def do_drip(self, fault: dict, handler, body: bytes) -> None:
        """The right bytes, far too slowly."""
        handler.send(200, b"", length=len(body))
        for at in range(len(body)):
            handler.wfile.write(body[at : at + 1])
            handler.wfile.flush()
            time.sleep(fault["pause"])

    def do_drip_head(self, fault: dict, handler, _body: bytes) -> None:
        """A status line that never comes to its end."""
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 9000:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(fault["pause"])

    def do_hang(self, fault: dict, _handler, _body: bytes) -> None:
        time.sleep(fault["seconds"])

    def do_drop(self, _fault: dict, handler, _body: bytes) -> None:
        """Hang up without a word."""

    def do_not_http(self, _fault: dict, handler, _body: bytes) -> None:
        handler.wfile.write(b"220 mail.example.org ESMTP ready\r\n")
        handler.wfile.flush()


def hang_up(handler) -> None:
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
