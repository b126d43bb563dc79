"""A stand-in for Secoda's public API in a process of its own, with faults on request.

    python secoda_server.py '{"events": 300, "generations": ["current"]}'

prints one line of JSON with three ports: ``port`` (the API), ``other`` (another origin that only
records what it is sent) and ``control`` (for the tests). Behaviour comes from the vendor's public
documentation; what that leaves open is a setting in ``DEFAULTS``.
"""

from __future__ import annotations

import base64
import json
import math
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from secoda_faults import Faults
from secoda_ledger import Ledger

DEFAULTS = {
    "key": "5f1c7c1e-0d4e-4a0c-9a35-8d6b2f00beef",
    "generations": ["current"],
    "envelope": "modern",  # modern, plain, bare
    "strings": False,  # "None" and "False" for null and false
    "style": "mixed",  # mixed, indented
    "page_size": {"legacy": 20, "current": 50},
    "cap": 100,
    "honours_page_size": {"legacy": True, "current": False},
    "count": "exact",  # exact, absent, saturated
    "ceiling": 10_000,
    "ceiling_cuts": True,  # False: only the count stops, the pages go on
    "past_end": "404",  # 404, empty
    "missing": 404,  # the status of an endpoint this workspace does not have
    "days_filter": True,
    "events": 300,
    "step": 900,
    "seed": 1,
    "file": "",
    "arrivals": 0,
    "late": 0,
    "late_hours": 12.0,
    "removals": 0,
    "expiries": 0,
    "latency": 0.0,
    "skew_hours": 0.0,
    "clock_skew": 0,
    "next_url": "",
}
ENDPOINTS = {
    "/notification/workspace/": "legacy",
    "/api/v1/notification/workspace/": "legacy",
    "/api/v1/activity_log/audit_logs/": "current",
}


class Workspace:
    """The ledger, the settings, the faults, and everything that was ever asked."""

    def __init__(self, config: dict) -> None:
        self.config = {**DEFAULTS, **config}
        self.ledger = Ledger(self.config)
        self.faults = Faults()
        self.requests: list[dict] = []
        self.other = bytearray()
        self.lock = threading.RLock()
        self.listed = 0
        self.origin = ""

    def size(self, endpoint: str, query: dict[str, str]) -> int:
        size = self.config["page_size"][endpoint]
        if self.config["honours_page_size"][endpoint] and "page_size" in query:
            size = max(1, int(query["page_size"]))
        return min(size, self.config["cap"])

    def page(self, endpoint: str, path: str, query: dict[str, str]) -> tuple[int, bytes, list[int]]:
        """Status, body and numbers of the events of one page of the listing."""
        config, number = self.config, int(query.get("page", 1))
        with self.ledger.lock:
            events = self.ledger.listing(endpoint, query)
        if config["count"] == "saturated" and config["ceiling_cuts"]:
            events = events[: config["ceiling"]]
        size = self.size(endpoint, query)
        total = max(1, math.ceil(len(events) / size))
        if number > total and config["past_end"] == "404":
            return 404, b'{"detail":"Invalid page."}', []
        shown = events[(number - 1) * size : number * size]
        records = [getattr(event, endpoint) for event in shown]
        body = self.envelope(path, query, number, total, len(events), records)
        return 200, body, [event.number for event in shown]

    def envelope(self, path, query, number, total, count, records) -> bytes:
        config = self.config
        joined = b"[" + b", ".join(records) + b"]"
        if config["envelope"] == "bare":
            return joined
        nothing = "None" if config["strings"] else None
        link = config["next_url"] or f"{self.origin}{path}?page="

        def url(page: int, *, there: bool) -> str | None:
            return f"{link}{page}" if there else nothing

        follows, precedes = number < total, 1 < number <= total
        if config["count"] == "saturated":
            count = min(count, config["ceiling"])
        fields: dict = {} if config["count"] == "absent" else {"count": count}
        if config["envelope"] == "plain":
            fields["next"] = url(number + 1, there=follows)
            fields["previous"] = url(number - 1, there=precedes)
        else:
            if fields:
                fields["total_pages"] = math.ceil(count / self.size_of(query, path))
            fields["meta"] = {
                "page": number,
                "next_page": number + 1 if follows else nothing,
                "previous_page": number - 1 if precedes else nothing,
            }
            fields["links"] = {
                "next": url(number + 1, there=follows),
                "previous": url(number - 1, there=precedes),
            }
        head = json.dumps(fields)[1:-1].encode()
        # The current documentation prints the records first, the older one last.
        if config["envelope"] == "modern":
            return b'{"results": ' + joined + b", " + head + b"}"
        return b"{" + head + b', "results": ' + joined + b"}"

    def size_of(self, query: dict[str, str], path: str) -> int:
        return self.size(ENDPOINTS[path], query)


class Api(BaseHTTPRequestHandler):
    """One request of the public API."""

    protocol_version = "HTTP/1.1"
    workspace: Workspace

    def log_message(self, *_: object) -> None:
        """Stay silent: the ledger is the log."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        moment = (timestamp or time.time()) + self.workspace.config["clock_skew"]
        return super().date_time_string(int(moment))

    def do_GET(self) -> None:
        space = self.workspace
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        endpoint = ENDPOINTS.get(parts.path, "")
        entry = {
            "path": parts.path,
            "query": query,
            "endpoint": endpoint,
            "headers": [[name, value] for name, value in self.headers.items()],
            "at": time.monotonic(),
            "status": 0,
            "served": [],
            "whole": False,
            "fault": "",
        }
        with space.lock:
            entry["n"] = sum(1 for other in space.requests if other["endpoint"])
            space.requests.append(entry)
        self.answer(endpoint, parts.path, query, entry)

    def answer(self, endpoint: str, path: str, query: dict[str, str], entry: dict) -> None:
        space = self.workspace
        time.sleep(space.config["latency"])
        fault = space.faults.due(entry) if endpoint else None
        if fault and fault["do"] == "answer" and fault.get("before_key"):
            entry["fault"] = fault["do"]
            space.faults.play(fault, self, b"")
            return
        status, body, served = self.normal(endpoint, path, query)
        entry.update(status=status, served=served)
        if fault:
            entry["fault"] = fault["do"]
            space.faults.play(fault, self, body)
            return
        self.send(status, body)
        entry["whole"] = True

    def normal(self, endpoint: str, path: str, query: dict) -> tuple[int, bytes, list[int]]:
        space = self.workspace
        if path == "/healthcheck":
            return 200, b'{"status": "OK"}', []
        if self.headers.get("Authorization") != f"Bearer {space.config['key']}":
            return 401, b'{"detail":"Authentication credentials were not provided."}', []
        if path in {"/api/v1/user", "/api/v1/user/"}:
            return 200, b'{"results": [], "count": 0}', []
        if not endpoint or endpoint not in space.config["generations"]:
            return space.config["missing"], b'{"detail":"Not found."}', []
        with space.lock:
            if space.listed:
                space.ledger.between_requests()
            space.listed += 1
            try:
                return space.page(endpoint, path, query)
            except (KeyError, ValueError, TypeError) as error:
                return 400, json.dumps({"detail": f"cannot read {error}"}).encode(), []

    def send(
        self, status: int, body: bytes, headers: tuple = (), length: int | None = None
    ) -> None:
        self.send_response(status)
        named = {name.lower() for name, _ in headers}
        if "content-type" not in named:
            self.send_header("Content-Type", "application/json")
        for name, value in headers:
            self.send_header(name, value)
        if "transfer-encoding" not in named:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Control(BaseHTTPRequestHandler):
    """How a test looks into the workspace and changes it."""

    protocol_version = "HTTP/1.1"
    workspace: Workspace

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        space = self.workspace
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        order = self.path.strip("/")
        with space.lock:
            answer = getattr(self, f"order_{order}")(space, body)
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def order_state(self, space: Workspace, _body: dict) -> dict:
        other = base64.b64encode(bytes(space.other)).decode()
        return {**space.ledger.state(), "requests": space.requests, "other": other}

    def order_asked(self, space: Workspace, _body: dict) -> dict:
        faulted = sum(1 for entry in space.requests if entry["fault"])
        return {"listed": space.listed, "faulted": faulted}

    def order_config(self, space: Workspace, body: dict) -> dict:
        space.config.update(body)
        return {}

    def order_faults(self, space: Workspace, body: dict) -> dict:
        asked = sum(1 for entry in space.requests if entry["endpoint"])
        space.faults.plan(body["faults"], asked)
        return {}

    def order_change(self, space: Workspace, body: dict) -> dict:
        ledger = space.ledger
        ledger.arrive(body.get("arrive", 0))
        ledger.arrive_late(body.get("late", 0), body.get("hours", 12.0))
        ledger.remove(body.get("remove", 0))
        ledger.expire(body.get("expire", 0))
        for number in body.get("rewrite", []):
            ledger.rewrite(number)
        return {}


def record_other(listener: socket.socket, workspace: Workspace) -> None:
    """Another origin: keep every byte, and answer as if it were the API."""
    empty = b'{"count":0,"next":null,"previous":null,"results":[]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(2)
            try:
                workspace.other += connection.recv(65_536)
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(empty) + empty)
            except OSError:
                continue


def serve(config: dict) -> None:
    workspace = Workspace(config)
    ports = {}
    for name, handler in (("port", Api), ("control", Control)):
        handler.workspace = workspace
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    ports["other"] = listener.getsockname()[1]
    threading.Thread(target=record_other, args=(listener, workspace), daemon=True).start()
    workspace.origin = f"http://127.0.0.1:{ports['port']}"
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # the parent closes its end, or dies: either way this ends too


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
