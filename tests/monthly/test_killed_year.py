"""A year of monthly runs with kills and missed months ends like a faultless one."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

MONTHS = [*((2025, month, 5) for month in range(2, 13)), (2026, 1, 5)]
MISSED = {(2025, 4, 5), (2025, 7, 5), (2025, 8, 5)}


@pytest.fixture
def other(tmp_path, office):
    """A second office of the same workspace."""
    home = tmp_path / "other"
    home.mkdir()
    return replace(office, home=home)


def kill_some(office, wait: float) -> None:
    """Start the real command and kill it after ``wait`` seconds."""
    process = office.start("--quiet")
    time.sleep(wait)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("kills", "seed"), [(3, 1), *(pytest.param(40, n, marks=pytest.mark.slow) for n in (2, 3))]
)
def test_a_year_with_kills_and_missed_months_ends_like_a_faultless_one(office, other, kills, seed):
    """Same folders, same files, same events and findings in each; nothing amended.

    A month that came out on its day has the very bytes of its findings; one that came out late
    differs in the time it was found alone, which the digest leaves out.
    """
    chance = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    killed = sorted(chance.choices([day for day in MONTHS if day not in MISSED], k=kills))
    for day in MONTHS:
        office.at(*day).run()
        if day in MISSED:
            continue
        other.at(*day)
        for _ in range(killed.count(day)):
            kill_some(other, wait := chance.uniform(0.3, 6.0))
            print(f"killed on {day} after {wait:.2f} s")  # noqa: T201
        other.run()

    expected = office.shelf()
    assert len(expected) == 12
    assert other.shelf() == expected
    assert len({found for _, _, found in expected.values()}) == 12
    right, got = office.bytes(), other.bytes()
    on_the_day = [f"{y if m > 1 else y - 1}-{(m - 2) % 12 + 1:02d}" for y, m, _ in MONTHS]
    missed = {f"{y}-{m - 1:02d}" for y, m, _ in MISSED}
    for month in set(on_the_day) - missed:
        for name in ("findings.csv", "findings.parquet"):
            assert got[f"{month}/{name}"] == right[f"{month}/{name}"]
    assert sorted(path.name for path in other.out.iterdir()) == sorted(
        [*expected, "last-run.json", "lock"]
    )
