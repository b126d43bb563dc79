"""The forest as flat arrays, with the library's scores, equal to the bit; boosts; saved models."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from auditlens.anomalies import DayModel, fit_days, load_model, save_model
from auditlens.anomalies.catalogue import Feature

# A forest and a scaler by themselves: within a model their sums cannot be told apart.
from auditlens.anomalies.forest import fit_forest
from auditlens.anomalies.model import Scaler, fit_scaler
from auditlens.errors import IntegrityError, UsageError


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(4).normal(size=(700, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def forest(rows):
    return fit_forest(rows, seed=3, trees=60)


def model_of(forest):
    names = tuple("abcdef")
    return DayModel(names, names, Scaler(np.zeros((2, 6)), np.ones((2, 6))), forest, 3, {}, 0.6)


def test_flat_trees_walk_like_those_of_the_library(rows, forest):
    """Flattening changes no path: both ways give the same whole numbers."""
    flat = replace(forest, grown=())
    assert (flat.path_lengths(rows) == forest.path_lengths(rows)).all()
    assert len(forest.grown) == 60


def test_scores_are_those_of_an_isolation_forest(rows):
    """With many trees ours and the library's agree on every row, as two seeds of its own do."""
    from sklearn.ensemble import IsolationForest

    ours = fit_forest(rows, seed=3, trees=600).scores(rows)
    theirs = (
        -IsolationForest(n_estimators=600, max_samples=256, random_state=3)
        .fit(rows)
        .score_samples(rows)
    )
    assert np.abs(ours - theirs).max() < 0.04
    assert abs((ours - theirs).mean()) < 0.005
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_scores_do_not_depend_on_companions_or_threads(rows, forest):
    """A row alone, in another order, or with one thread scores the same to the bit."""
    scores = forest.scores(rows)
    order = np.random.default_rng(1).permutation(len(rows))
    assert (forest.scores(rows[order]) == scores[order]).all()
    assert (forest.scores(rows, threads=1) == scores).all()
    assert forest.scores(rows[7:8])[0] == scores[7]


def test_credit_adds_up_to_the_shortened_path(rows, forest):
    """What the features of a row are credited with is how much shorter its path is."""
    credit = forest.credit(rows[:50]).sum(axis=1)
    expected = forest.value[:, 0].mean() - forest.path_lengths(rows[:50]) / len(forest.value)
    assert np.allclose(credit, expected / 65536, atol=1e-6)


def test_credit_names_the_column_that_was_pushed(rows, forest):
    """A value far out in one column gets most of the credit."""
    pushed = rows[:20].copy()
    pushed[:, 4] = 9.0
    assert (forest.credit(pushed).argmax(axis=1) == 4).mean() > 0.8


def test_a_saved_model_scores_the_same(tmp_path, rows, forest):
    """Saving and loading keeps every score to the bit, without pickle."""
    model = model_of(forest)
    again = load_model(save_model(model, tmp_path / "m"))
    frame = pl.DataFrame(rows.astype(np.float64), schema=list("abcdef"))
    assert (again.scores(frame) == model.scores(frame)).all()
    assert again.features == model.features


def test_saving_twice_gives_the_same_bytes(tmp_path, forest):
    """A model file has no clock in it."""
    first, second = (save_model(model_of(forest), tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_file_that_is_no_model_is_refused(tmp_path):
    """Missing and foreign files give an error of ours, never a traceback of a library."""
    with pytest.raises(UsageError):
        load_model(tmp_path / "none")
    (tmp_path / "m.json").write_text("{}")
    (tmp_path / "m.npz").write_bytes(b"\x80\x04not an archive")
    with pytest.raises(IntegrityError):
        load_model(tmp_path / "m")


def test_people_and_services_have_their_own_scale():
    """The same count is far out for a service that never varies and usual for people."""
    raw = np.r_[np.full((100, 1), 5.0), np.arange(100.0)[:, None]]
    service = np.r_[np.zeros(100, bool), np.ones(100, bool)]
    scaler = fit_scaler(raw, service)
    away = scaler.deviations(np.array([[40.0], [40.0]]), np.array([False, True]))
    assert away[0, 0] > 10 > abs(away[1, 0])


def test_the_leap_of_five_days_lifts_the_score_and_is_credited_to_them():
    """One row in sixty leaps as far as none before."""
    rng = np.random.default_rng(0)
    calm = np.round(rng.random(60), 3)
    leap = np.where(np.arange(60) == 59, 9.0, 0.0)
    table = pl.DataFrame({"events_z": calm, "share_5_surge": calm, "share_5_leap": leap})
    features = [
        Feature("events_z", "self", "events", "", "", ""),
        Feature("share_5_surge", "slow", "share_5_sum", "", "", ""),
    ]
    model = fit_days(table, features, seed=0, trees=5)
    flat = table.with_columns(share_5_leap=pl.lit(0.0))
    assert model.scores(table)[59] > model.scores(flat)[59] + 0.2
    gained = model.credit(table)[59] - model.credit(flat)[59]
    assert gained[0] == 0
    assert gained[1] > 1


def test_a_small_leap_moves_a_day_up_but_not_over_the_gate():
    """Below the gate a leap lifts early, above it as slowly as ever: no more days are shown."""
    calm = np.round(np.random.default_rng(0).random(60), 3)
    leap = pl.Series([1.5] * 60)
    table = pl.DataFrame({"events_z": calm, "share_5_surge": calm, "share_5_leap": leap * 0})
    features = [Feature("events_z", "self", "events", "", "", "")]
    model = replace(fit_days(table, features, seed=0, trees=5), boost_thresholds={"share_5": 1.0})
    plain = model.scores(table)
    slow = plain + (1 - plain) * 0.7 * (1 - 1 / 1.5)
    high = replace(model, gate=0.9).scores(table.with_columns(share_5_leap=leap))
    low = replace(model, gate=0.5).scores(table.with_columns(share_5_leap=leap))
    assert (high > slow + 0.03).all()
    assert (high < 0.9).all()
    assert np.allclose(low[slow > 0.5], slow[slow > 0.5], atol=2e-6)
    assert (low[slow < 0.499] < 0.5).all()
