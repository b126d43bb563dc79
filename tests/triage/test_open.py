"""What is open: one answer, whoever asks."""

from __future__ import annotations

import polars as pl
import pytest

from auditlens.findings import is_open, levels_from, reaches

ROWS = [
    # level, disposition, exception, open?
    ("low", None, None, True),
    ("critical", None, None, True),
    ("informational", None, None, False),
    ("informational", "needs work", None, True),
    ("high", "needs work", None, True),
    ("high", "benign", None, False),
    ("high", None, "X-1", False),
    ("high", "needs work", "X-1", False),
    ("informational", "true positive", None, False),
]


def frame(*rows):
    names = ["level", "disposition", "exception_id"]
    return pl.DataFrame([row[:3] for row in rows], schema=dict.fromkeys(names, pl.String),
                        orient="row")  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_a_finding_is_open_while_a_decision_is_asked_for(row):
    """Undecided or needing work, above informational or called up by a person, not excepted."""
    assert frame(row).select(is_open()).item() is row[3]


def test_a_level_reaches_itself_and_what_is_above():
    """The floor counts, what an exception covers does not, and no floor reaches nothing."""
    assert levels_from("high") == ("high", "critical")
    found = frame(("high", None, None), ("critical", None, "X"), ("medium", None, None))
    assert found.select(reaches("high")).to_series().to_list() == [True, False, False]
    assert not found.select(reaches("").alias("none")).to_series().any()
