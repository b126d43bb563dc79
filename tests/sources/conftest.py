"""The tests' server, and a source that asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditlens.sources import SecodaSource
from tests.secoda import KEY, Server


@pytest.fixture
def make_server() -> Iterator[Callable[..., Server]]:
    """A function that starts a server whose answers a function of the request gives."""
    with contextlib.ExitStack() as running:
        yield lambda respond=None: running.enter_context(Server(respond))


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """One such server."""
    return make_server()


@pytest.fixture
def make_source(server: Server) -> Iterator[Callable[..., SecodaSource]]:
    """A function that makes a source of ``server``; its waits take no time."""
    made: list[SecodaSource] = []

    def make(url: str | None = None, **settings: Any) -> SecodaSource:
        settings.setdefault("sleep", lambda _: None)
        settings.setdefault("environ", {})
        source = SecodaSource(url or server.url, KEY, **settings)
        made.append(source)
        return source

    yield make
    for source in made:
        source.close()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a file and returns its path."""

    def write(content: bytes, name: str = "log.ndjson") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write
