"""One made-up log and its audit, shared by the tests of explanations, lessons and marks."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

import auditlens as al
from auditlens.audit import Audit
from auditlens.directory import LISTINGS, DirectoryHistory


@pytest.fixture(scope="session")
def made_up():
    """Sixty days of ten made-up people, with planted incidents in June 2026."""
    from auditlens.simulator import simulate

    return simulate(3, people=10, services=1, resources=80, teams=2, days=60,
                    end=date(2026, 7, 1), incidents=2, events_per_day=10)  # fmt: skip


@pytest.fixture(scope="session")
def log(made_up, tmp_path_factory) -> pl.DataFrame:
    return al.read_events(made_up.write_ndjson(tmp_path_factory.mktemp("log") / "log.ndjson"))


@pytest.fixture(scope="session")
def audited(log) -> Audit:
    return al.run_audit(log, period="2026-06")


@pytest.fixture(scope="session")
def few_rules() -> al.RuleSet:
    """The shipped rules that read the directory: few, so that an audit is quick."""
    whole = al.load_rules()
    names = {"secoda_disabled_account_acted", "secoda_pii_changed_by_viewer"}
    return al.RuleSet(tuple(rule for rule in whole.rules if rule.name in names))


@pytest.fixture(scope="session")
def pulls(made_up):
    """A directory pulled at the given moments, as the simulated workspace shows it."""

    def pulled(*moments, **changed: pl.DataFrame) -> DirectoryHistory:
        frames = {name: getattr(made_up.directory, name) for name in LISTINGS} | changed
        records = {
            name: tuple(line.encode() for line in frame.write_ndjson().splitlines())
            for name, frame in frames.items()
        }
        history = DirectoryHistory()
        for number, at in enumerate(moments):
            history = history.with_pull(at, f"{number:064d}", records)
        return history

    return pulled
