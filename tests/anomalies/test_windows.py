"""Trailing baselines look back only, and only at the same subject."""

import numpy as np

from auditlens.anomalies.slow import stretch_starts, sum_of_days
from auditlens.anomalies.windows import deviation, first_rows, surge, trail

SUBJECTS = np.array([0] * 40 + [1] * 3)


def test_a_baseline_is_the_median_of_earlier_days_of_the_same_subject():
    """Neither the day itself nor other subjects count; at most 28 days do."""
    levels = np.arange(43.0)
    found = trail(levels, first_rows(SUBJECTS))
    assert found.days[[0, 5, 39, 40, 42]].tolist() == [0, 5, 28, 0, 2]
    assert found.median[5] == 2.0
    assert found.median[39] == np.median(levels[11:39])
    assert found.mad[39] == np.median(np.abs(levels[11:39] - np.median(levels[11:39])))
    assert found.highest[42] == 41.0


def test_changing_a_day_changes_no_earlier_baseline():
    """Features are causal."""
    levels = np.random.default_rng(0).random(43)
    other = levels.copy()
    other[20] = 99.0
    first = first_rows(SUBJECTS)
    assert (trail(levels, first).median[:21] == trail(other, first).median[:21]).all()


def test_without_five_days_there_is_no_deviation():
    """A newcomer is neither usual nor unusual."""
    levels = np.array([1.0, 9.0, 1.0, 9.0, 9.0, 9.0])
    z = deviation(levels, trail(levels, np.zeros(6, np.int64)))
    assert z[:5].tolist() == [0.0] * 5


def test_a_leap_is_measured_from_the_highest_day():
    """Four times the highest day of a settled subject leaps; reaching it does not."""
    values = np.array([3, 8, 5] * 5 + [8, 32])
    leaps = surge(values, trail(np.log1p(values), np.zeros(17, np.int64)))
    assert leaps[15] == 0.0
    assert leaps[16] > 5


def test_sums_count_calendar_days():
    """A fortnight is fourteen days, whether active or not."""
    day = np.array([0, 13, 14, 30])
    start = stretch_starts(np.zeros(4, np.int64), day, days=14)
    sums = sum_of_days(np.array([1, 2, 4, 8]), start)
    assert sums.tolist() == [1, 3, 6, 8]
