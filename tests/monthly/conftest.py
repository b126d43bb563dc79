"""A small workspace that grows through a simulated year, and the job run against it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from auditlens.canonical import sha256_hex
from auditlens.monthly import Job, ReportStore, run_job
from auditlens.notify import SendOptions
from auditlens.settings import Settings, Target
from auditlens.simulator import Feed, serve, simulate, to_current
from auditlens.sources import SecodaSource

AT_ONCE = SendOptions(pauses=(), at_once=True)
RULE = """\
title: A Resource Was Worked On
id: b1f5f2fe-3c1c-4a55-9d5a-0a61d1e4010{number}
name: {name}
status: experimental
description: Detects that somebody {name}
author: AuditLens
date: 2026-01-01
logsource:
    product: secoda
    service: audit
detection:
    selection:
        event|startswith: '{start}'
    condition: selection
level: medium
"""


@pytest.fixture(scope="session")
def year() -> list[tuple[datetime, bytes]]:
    """What four people did in 2025, oldest first: when, and the exact legacy record."""
    workspace = simulate(
        3, people=4, services=0, resources=60, teams=2, days=365, end=date(2026, 1, 1),
        incidents=1, traps=False, events_per_day=2.0,
    )  # fmt: skip
    people = set(workspace.senders["email"].drop_nulls())
    told = workspace.events.select("created_at", "sender_email").rows()
    records = workspace.records("legacy")
    return [(at, raw) for (at, who), raw in zip(told, records, strict=True) if who in people]


@pytest.fixture(scope="session")
def rules(tmp_path_factory) -> Path:
    """Two rules that many events match, so that a month has findings, and quickly."""
    folder = tmp_path_factory.mktemp("rules")
    for number, (name, start) in enumerate((("worked", "resource"), ("looked", "search"))):
        text = RULE.format(number=number, name=name, start=start)
        (folder / f"{name}.yml").write_text(text)
    return folder


class Ear:
    """A receiver that takes every message and notes the id and the report of each."""

    def __init__(self) -> None:
        heard = self.heard = []
        beats = self.beats = []
        bodies = self.bodies = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard.append((told["report"], told["id"]))
                bodies.append(told)
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                beats.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def ear():
    """One receiver on this machine."""
    made = Ear()
    thread = Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@dataclass
class Office:
    """A served workspace, an archive, a folder of reports, and a clock that is set by hand."""

    home: Path
    records: list[tuple[datetime, bytes]]
    rules: Path
    server: object
    told: list[str] = field(default_factory=list)
    now: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    ear: Ear | None = None
    level: str = "high"
    target: dict[str, str] = field(default_factory=dict)
    late: frozenset[bytes] = frozenset()

    @property
    def out(self) -> Path:
        return self.home / "reports-out"

    @property
    def archive(self) -> Path:
        return self.home / "archive"

    def at(self, *day: int) -> Office:
        """Set the clock; the server lists what happened before."""
        self.now = datetime(*day, tzinfo=UTC)
        self.list(self.records)
        return self

    def list(self, records: list[tuple[datetime, bytes]]) -> None:
        """Let the server list these records, as far as they happened by now."""
        shown = [
            raw
            for at, raw in records
            if at < self.now - (timedelta(days=2) if raw in self.late else timedelta())
        ]
        self.server.feeds["current"] = Feed(lambda: to_current(shown))

    def run(self, **options):
        """One run in this process."""
        settings = {"archive": self.archive, "rules": self.rules, **options.pop("settings", {})}
        source = lambda: SecodaSource(self.server.url, self.server.key, api="current")  # noqa: E731
        job = {"source": source, "now": lambda: self.now, "tell": self.told.append} | options
        if self.ear is not None:
            aim = Target("team", "webhook", allow=("loopback",), options={"url_env": "HOOK"},
                         **self.target)  # fmt: skip
            settings["notify"] = {"team": aim}
            job |= {
                "environ": {"HOOK": self.ear.url},
                "send_options": SendOptions(pauses=(), at_once=True),
            }
        return run_job(Job(Settings(**settings), self.out, **job))

    def start(self, *more: str, **environment: str) -> subprocess.Popen:
        """The real command in a process of its own."""
        settings = f'archive = "archive"\nrules = {json.dumps(str(self.rules))}\napi = "current"\n'
        settings += f'alert_level = "{self.level}"\n'
        if self.ear is not None:
            settings += '[notify.team]\nkind = "webhook"\nurl_env = "HOOK"\nallow = ["loopback"]\n'
            environment["HOOK"] = self.ear.url
        (self.home / "auditlens.toml").write_text(settings)
        told = {
            "SOURCE_DATE_EPOCH": str(int(self.now.timestamp())),
            "SECODA_API_URL": self.server.url,
            "SECODA_API_KEY": self.server.key,
            "AUDITLENS_RETRY_BUDGET": "1",
            "AUDITLENS_TRUST": sha256_hex(settings),
        }
        command = [sys.executable, "-m", "auditlens", "run", *more]
        return subprocess.Popen(
            command, cwd=self.home, env=os.environ | told | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def reports(self) -> dict[str, tuple]:
        """Of each report: its files, the digest of its events and that of its findings."""
        found = {}
        for path in sorted(self.out.glob("2*")):
            names = tuple(sorted(one.name for one in path.iterdir()))
            stored = ReportStore(self.out).latest()[path.name.partition(".")[0]]
            assert stored.folder == path or path.name < stored.folder.name
            found[path.name] = (names, *type(stored)(stored.month, 0, path).digests())
        return found

    def bytes(self) -> dict[str, bytes]:
        """Every byte of every report."""
        files = (one for one in sorted(self.out.rglob("2*/*")) if one.is_file())
        return {one.relative_to(self.out).as_posix(): one.read_bytes() for one in files}

    def last_run(self) -> dict:
        return json.loads((self.out / "last-run.json").read_bytes())


@pytest.fixture(scope="session")
def server(year):
    """One server for all: an archive knows its workspace by the address."""
    with serve([raw for _, raw in year[:1]], generation="current", page_size=1000) as server:
        yield server


@pytest.fixture
def office(tmp_path, year, rules, server):
    """A workspace with a year of records; ``at`` sets how much of it has happened."""
    return Office(tmp_path / "home", year, rules, server)


@pytest.fixture(autouse=True)
def home(tmp_path) -> Path:
    (tmp_path / "home").mkdir(exist_ok=True)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def autumn(tmp_path_factory, year, rules, server) -> Path:
    """A home whose September and October were reported on 5 November. Do not change it."""
    home = tmp_path_factory.mktemp("autumn")
    records = since(year, datetime(2025, 9, 1, tzinfo=UTC))
    Office(home, records, rules, server).at(2025, 11, 5).run()
    return home


def since(records, first: datetime):
    return records[bisect_left(records, first, key=lambda one: one[0]) :]


@pytest.fixture
def reported(autumn, office):
    """A copy of that home; the server lists the same."""
    shutil.copytree(autumn, office.home, dirs_exist_ok=True)
    office.records = since(office.records, datetime(2025, 9, 1, tzinfo=UTC))
    return office.at(2025, 11, 5)
