"""Other detectors on the same sender-days, and SHAP beside our own path credit.

The libraries are in the dependency group ``bench``; one that is not installed is named and skipped.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl

SEED = 0
EXPLAINED = 1000
Scorer = Callable[[np.ndarray], np.ndarray]


def plain_forest(rows: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=SEED).fit(rows).score_samples(rows)


def coniferest(rows: np.ndarray) -> np.ndarray:
    from coniferest.isoforest import IsolationForest

    model = IsolationForest(n_trees=300, n_subsamples=256, random_seed=SEED)
    return -np.asarray(model.fit(rows.astype(np.float64)).score_samples(rows.astype(np.float64)))


def ecod(rows: np.ndarray) -> np.ndarray:
    from pyod.models.ecod import ECOD

    return np.asarray(ECOD().fit(rows).decision_scores_)


def hbos(rows: np.ndarray) -> np.ndarray:
    from pyod.models.hbos import HBOS

    return np.asarray(HBOS().fit(rows).decision_scores_)


PEERS: tuple[tuple[str, bool, Scorer], ...] = (
    ("scikit-learn IsolationForest, 100 trees, features as they are", False, plain_forest),
    ("scikit-learn IsolationForest, 100 trees, our scaling", True, plain_forest),
    ("coniferest IsolationForest, 300 trees, our scaling", True, coniferest),
    ("PyOD ECOD, our scaling", True, ecod),
    ("PyOD HBOS, our scaling", True, hbos),
)


def peer_table(model: Any, days: pl.DataFrame, labels: pl.DataFrame, first: date) -> str:
    """Markdown: how well each detector ranks the same scored ``days``; ``model`` is ours."""
    from auditlens.anomalies import feature_matrix
    from auditlens.evaluate import judge_ranking, naive_days

    def row(name: str, scored: pl.DataFrame, seconds: float) -> str:
        seen = judge_ranking(scored, labels, "sender_id", first)
        return (
            f"| {name} | {seen.found:.3f} | {seen.top_percent:.3f} | {seen.precision:.3f} | "
            f"{seen.area:.3f} | {seconds:.1f} |"
        )

    raw, scaled = feature_matrix(days, model.features), model.scaled(days)
    begun = time.process_time()
    ours = days.with_columns(score=pl.Series(model.scores(days)))
    lines = [row("AuditLens (scoring alone)", ours, time.process_time() - begun)]
    for name, ready, scorer in PEERS:
        begun = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                score = scorer(scaled if ready else raw)
        except ModuleNotFoundError as missing:
            lines.append(f"| {name} | not measured: {missing.name} is not installed | | | | |")
            continue
        taken = time.process_time() - begun
        lines.append(row(name, days.with_columns(score=pl.Series(score)), taken))
    lines.append(row("scikit-learn IsolationForest on daily counts", naive_days(days), 0.0))
    return (
        "| detector | found at 3 a day | in the top 1 % | average precision | area | CPU s |\n"
        "| --- | --- | --- | --- | --- | --- |\n" + "\n".join(lines) + "\n"
    )


def credit_beside_shap(model: Any, days: pl.DataFrame) -> str:
    """Markdown: our credit beside SHAP's on the EXPLAINED most unusual of ``days``."""
    head = "| measure | ours | SHAP |\n| --- | --- | --- |\n"
    try:
        import shap
    except ModuleNotFoundError:
        return head + "| not measured: shap is not installed | | |\n"
    from sklearn.ensemble import IsolationForest

    rows = model.scaled(days)
    top = np.argsort(-model.forest.scores(rows))[:EXPLAINED]
    begun = time.process_time()
    credit = model.forest.credit(rows[top])
    mine = (time.process_time() - begun) * 1000 / len(top)
    samples = model.forest.samples
    trees = len(model.forest.feature)
    same = IsolationForest(n_estimators=trees, max_samples=samples, random_state=model.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(same.fit(rows))
        begun = time.process_time()
        # Path length is what is explained: what shortens it is negative.
        theirs = -np.asarray(explainer.shap_values(rows[top]))
    cost = (time.process_time() - begun) * 1000 / len(top)
    families = np.array(model.families)
    names = sorted(set(families))
    first = [
        np.argmax([np.maximum(each[:, families == name], 0).sum(axis=1) for name in names], axis=0)
        for each in (credit, theirs)
    ]
    alike = [np.corrcoef(ranks(a), ranks(b))[0, 1] for a, b in zip(credit, theirs, strict=True)]
    return (
        f"{head}| CPU milliseconds a row | {mine:.3f} | {cost:.2f} |\n"
        f"| rank correlation of the features' credit | {np.mean(alike):.2f} | |\n"
        f"| same first family | {np.mean(first[0] == first[1]):.2f} | |\n"
    )


def ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))
