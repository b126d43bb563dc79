"""A workspace in a process of its own, and the real command line against it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

HERE = Path(__file__).parent
KEY = "5f1c7c1e-0d4e-4a0c-9a35-8d6b2f00beef"


@dataclass
class Secoda:
    """One stand-in server, and its ledger."""

    process: subprocess.Popen
    ports: dict[str, int]
    key: str = KEY

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['port']}"

    @property
    def other(self) -> str:
        return f"127.0.0.1:{self.ports['other']}"

    def order(self, name: str, **body: object) -> dict:
        target = f"http://127.0.0.1:{self.ports['control']}/{name}"
        request = urllib.request.Request(target, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def config(self, **settings: object) -> None:
        self.order("config", **settings)

    def faults(self, *faults: dict) -> None:
        for fault in faults:
            if isinstance(fault.get("body"), bytes):
                fault["body"] = base64.b64encode(fault["body"]).decode()
        self.order("faults", faults=faults)

    def state(self) -> State:
        return State(self.order("state"))

    def wait_until(self, process: subprocess.Popen, **asked: int) -> None:
        """Wait until so many pages were ``listed`` or ``faulted``, or the client is gone."""
        while process.poll() is None:
            now = self.order("asked")
            if all(now[name] >= count for name, count in asked.items()):
                return
            time.sleep(0.005)

    def stop(self) -> None:
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@dataclass
class State:
    """What the workspace held and was asked, at one moment."""

    data: dict

    @property
    def requests(self) -> list[dict]:
        return self.data["requests"]

    @property
    def listings(self) -> list[dict]:
        return [request for request in self.requests if request["endpoint"]]

    @property
    def other(self) -> bytes:
        return base64.b64decode(self.data["other"])

    def held(self, generation: str) -> Counter[tuple[str, str]]:
        """Id and SHA-256 of the bytes of every record held now."""
        return Counter((e["id"], e[generation]) for e in self.data["events"] if e["held"])

    def ever(self, generation: str) -> Counter[tuple[str, str]]:
        return Counter((e["id"], e[generation]) for e in self.data["events"])

    def served(self, generation: str) -> Counter[tuple[str, str]]:
        """Every record of a page that arrived whole."""
        by_number = {e["number"]: e for e in self.data["events"]}
        pages = [r for r in self.listings if r["whole"] and r["endpoint"] == generation]
        numbers = {number for page in pages for number in page["served"]}
        return Counter((by_number[n]["id"], by_number[n][generation]) for n in numbers)


@dataclass
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str
    seconds: float
    output: bytes = field(repr=False, default=b"")


class CommandLine:
    """The real ``python -m auditlens``, in a clean environment of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seen = bytearray()

    def environment(self, **more: str | None) -> dict[str, str]:
        kept = ("PATH", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
            "PYTHONUTF8": "1",
            "POLARS_MAX_THREADS": "2",
            "AUDITLENS_RETRY_BUDGET": "1",
        }
        environment |= {name: value for name, value in more.items() if value is not None}
        return environment

    def start(self, *arguments: str | Path, **environment: str | None) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "auditlens", *map(str, arguments)],
            env=self.environment(**environment),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self, process: subprocess.Popen, timeout: float = 120) -> Ran:
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        self.seen += out + err
        spent = time.monotonic() - began
        return Ran(process.returncode, out.decode(), err.decode(), spent, out + err)

    def __call__(self, *arguments: str | Path, **environment: str | None) -> Ran:
        return self.finish(self.start(*arguments, **environment))

    def sync_start(self, secoda: Secoda, archive: Path, **environment: str) -> subprocess.Popen:
        settings = {"SECODA_API_URL": secoda.url, "SECODA_API_KEY": KEY, **environment}
        return self.start("sync", "--archive", archive, **settings)

    def sync(self, secoda: Secoda, archive: Path, **environment: str) -> Ran:
        return self.finish(self.sync_start(secoda, archive, **environment))


@contextmanager
def workspaces() -> Iterator[Callable[..., Secoda]]:
    """Start stand-in servers, and stop them all at the end."""
    started = []

    def start(**config: object) -> Secoda:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "secoda_server.py"), json.dumps({"key": KEY, **config})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        secoda = Secoda(process, json.loads(process.stdout.readline()))
        started.append(secoda)
        return secoda

    try:
        yield start
    finally:
        for secoda in started:
            secoda.stop()


@pytest.fixture
def workspace():
    """Start stand-in servers: ``workspace(events=300, generations=["legacy"])``."""
    with workspaces() as start:
        yield start


@pytest.fixture
def auditlens(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home)


@pytest.fixture(scope="session")
def pulled(tmp_path_factory):
    """An archive of three pulls, and its head noted elsewhere after each. Do not change it."""
    import auditlens as al

    home = tmp_path_factory.mktemp("pulled")
    folder, heads = home / "archive", []
    with workspaces() as start:
        secoda = start(events=600, cap=100, step=7200, page_size={"current": 100, "legacy": 100})
        for _ in range(3):
            assert CommandLine(home).sync(secoda, folder).code == 0
            heads.append(al.Archive(folder).head)
            secoda.order("change", arrive=40)
    return folder, heads


@pytest.fixture
def sealed(pulled, tmp_path):
    """A copy of that archive to tamper with, and the heads."""
    folder, heads = pulled
    return Path(shutil.copytree(folder, tmp_path / "archive")), heads


@pytest.fixture
def archived():
    """Id and SHA-256 of every row of an archive's event table, as a multiset."""

    def read(folder: Path) -> Counter[tuple[str, str]]:
        import auditlens as al

        events = al.Archive(folder).events()
        assert isinstance(events, pl.DataFrame)
        return Counter((row[0], row[1].hex()) for row in events.select("id", "leaf").iter_rows())

    return read


@pytest.fixture
def one_clear_line():
    """A failure says what and how to fix it in one line, without a traceback."""

    def check(ran: Ran, *words: str) -> None:
        lines = [line for line in ran.err.splitlines() if line.strip()]
        assert "Traceback" not in ran.err + ran.out, ran.err
        assert len(lines) == 1, ran.err
        assert len(lines[0]) < 600, lines[0]
        assert all(word.lower() in lines[0].lower() for word in words), lines[0]

    return check


@pytest.fixture
def key_hunt(tmp_path, auditlens):
    """The key stands, in no spelling, in any file or any output."""

    def hunt(*folders: Path) -> None:
        raw = KEY.encode()
        spellings = {raw, quote(KEY, safe="").replace("-", "%2D").encode(), raw.replace(b"-", b"")}
        spellings |= {raw.hex().encode(), raw[::-1]}
        for prefix in (b"", b"Bearer ", b" Bearer "):
            encoded = base64.b64encode(prefix + raw)
            spellings.add(encoded[: len(encoded) // 4 * 4 - 4])
        files = [path for folder in folders or (tmp_path,) for path in folder.rglob("*")]
        texts = {str(path): unpacked(path) for path in files if path.is_file()}
        texts["output"] = bytes(auditlens.seen)
        found = [
            (where, spelling)
            for where, text in texts.items()
            for spelling in spellings
            if spelling.lower() in text.lower() or spelling.lower() in where.encode().lower()
        ]
        assert not found

    return hunt


def unpacked(path: Path) -> bytes:
    """A file's bytes, and what they say when they are compressed."""
    import zstandard

    data = path.read_bytes()
    if path.suffix != ".zst":
        return data
    return data + zstandard.ZstdDecompressor().decompressobj().decompress(data)
