"""One audit of a small made-up workspace, shared by the tests of what a notebook shows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import auditlens as al


@pytest.fixture(scope="session")
def june(tmp_path_factory: pytest.TempPathFactory):
    """An audit of June 2026 of ten made-up people, with planted incidents."""
    from auditlens.simulator import simulate

    made_up = simulate(3, people=10, services=1, resources=80, teams=2, days=60,
                       end=date(2026, 7, 1), incidents=2, events_per_day=10)  # fmt: skip
    path: Path = made_up.write_ndjson(tmp_path_factory.mktemp("june") / "june.ndjson.gz")
    return al.run_audit(al.read_events(path), period="2026-06")
