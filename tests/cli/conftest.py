"""A small made-up log, and a way to run the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import click.testing
import pytest
from click.testing import CliRunner, Result

from auditlens.cli import auditlens
from auditlens.simulator import simulate

PERIOD = "2026-06"


@pytest.fixture(scope="session")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy simulated days of twelve people, with incidents in the last month."""
    path = tmp_path_factory.mktemp("log") / "log.ndjson"
    workspace = simulate(3, people=12, services=1, resources=120, days=70, end=date(2026, 7, 1),
                         incidents={"mass_delete": 1, "mass_export": 1},
                         incident_days=(45, 68))  # fmt: skip
    workspace.write_ndjson(path, "legacy")
    return path


@pytest.fixture(scope="session")
def short_log(log_file: Path) -> Path:
    """The last two weeks of it, which take a second."""
    path = log_file.with_name("short.ndjson")
    lines = log_file.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(x for x in lines if json.loads(x)["created_at"] >= "2026-06-17"))
    return path


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that makes the next commands run on a terminal of so many columns."""

    def make(columns: int, kind: str = "dumb") -> None:
        monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda _: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", "40")
        monkeypatch.setenv("TERM", kind)

    return make


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run a command in an empty folder; errors come back as exceptions of the result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    assert isinstance(auditlens, click.Group)

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(auditlens, [str(a) for a in arguments], catch_exceptions=True)

    return call
