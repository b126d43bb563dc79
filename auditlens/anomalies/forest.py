"""An isolation forest (Liu, Ting, Zhou 2008) as flat arrays: fitted by scikit-learn, scored here.

Scores are sums of whole numbers, so they are equal to the bit for any order of rows, any number
of threads, and after saving and loading.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditlens.anomalies._arrays import Floats, Ints

__all__ = ["SAMPLES", "TREES", "Forest", "fit_forest"]

TREES = 500
SAMPLES = 256
UNIT = 1 << 16
"""Path lengths are stored in 1/65536 steps."""

CHUNK = 4096
BLOCK = 16
"""Rows, and trees, worked on at once: what fits into the cache of a core."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Forest:
    """Trees as complete binary trees of one depth, level by level.

    ``feature`` (int16) and ``threshold`` (float32) are trees x (2^depth - 1) inner places: a row
    goes right when its value is above the threshold, and a finished branch always goes left.
    ``value`` (int32) is trees x (2^(depth+1) - 1): the expected path length at each place, in
    1/65536; its last level holds the leaves. ``samples`` is the size of each tree's sample.
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    value: NDArray[np.int32]
    samples: int
    grown: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    """The library's own trees, which walk rows faster, while the forest is fresh from a fit."""

    @property
    def depth(self) -> int:
        return int(np.log2(self.feature.shape[1] + 1))

    def path_lengths(self, rows: Matrix, *, threads: int = 2) -> Ints:
        """Sum over the trees of each row's path length, in 1/65536."""
        if not len(rows):
            return np.zeros(0, np.int64)
        # Most resource-days are alike to the bit: each kind of row is walked once.
        packed = np.ascontiguousarray(rows + np.float32(0)).view(f"V{rows.shape[1] * 4}").ravel()
        _, kept, place = np.unique(packed, return_index=True, return_inverse=True)
        distinct = np.ascontiguousarray(rows[kept])
        parts = [distinct[at : at + CHUNK] for at in range(0, len(distinct), CHUNK)]
        with ThreadPoolExecutor(threads) as pool:
            if self.grown:
                shares = [self.grown[at::threads] for at in range(threads)]
                lengths = np.sum(
                    list(pool.map(lambda trees: path_sums(trees, distinct), shares)), axis=0
                )
            else:
                lengths = np.concatenate(list(pool.map(self.chunk_lengths, parts)))
        return np.asarray(lengths[place.ravel()], np.int64)

    def chunk_lengths(self, rows: Matrix) -> Ints:
        count = len(rows)
        # By column, so that a split of many rows on one feature reads one stretch of memory.
        flat = np.ascontiguousarray(rows.T).ravel()
        base = np.arange(count)
        total = np.zeros(count, np.int64)
        starts = self.feature.astype(np.int64) * count
        for start, threshold, value in zip(starts, self.threshold, self.value, strict=True):
            at = 1 + (flat[start[0] : start[0] + count] > threshold[0]).astype(np.int64)
            for _ in range(self.depth - 1):
                cell = start.take(at)
                cell += base
                above = flat.take(cell) > threshold.take(at)
                at += at
                at += 1
                at += above
            total += value.take(at)
        return total

    def scores(self, rows: Matrix, *, threads: int = 2) -> Floats:
        """Anomaly score of each row in (0, 1), higher is more unusual, 6 decimals.

        2 to the power of - mean path length / c(samples), Liu et al. (2008), equation 2.
        """
        mean = self.path_lengths(rows, threads=threads) / (UNIT * len(self.feature))
        expected = float(unsuccessful(np.array([self.samples]))[0])
        return np.round(np.exp2(-mean / expected), 6).astype(np.float64)

    def credit(self, rows: Matrix) -> Floats:
        """By how much each feature shortened each row's mean path: rows x features.

        Each split is credited with the fall of the expected path length it caused, as Saabas's
        treeinterpreter does for regression trees.
        """
        count, width = rows.shape
        credit = np.zeros(count * width)
        flat = np.ascontiguousarray(rows).ravel()
        for low in range(0, len(self.feature), BLOCK):
            some = slice(low, low + BLOCK)
            feature, threshold = self.feature[some].astype(np.intp), self.threshold[some].ravel()
            value = self.value[some].astype(np.float64)
            tree, row = (each.ravel() for each in np.indices((len(feature), count)))
            inner, outer, base = tree * feature.shape[1], tree * value.shape[1], row * width
            feature, value = feature.ravel(), value.ravel()
            at, before = np.zeros(len(tree), np.intp), value.take(outer)
            cells, falls = [], []
            for _ in range(self.depth):
                cells.append(base + feature.take(inner + at))
                at += at + 1 + (flat.take(cells[-1]) > threshold.take(inner + at))
                after = value.take(outer + at)
                falls.append(before - after)
                before = after
            fall = np.concatenate(falls)
            credit += np.bincount(np.concatenate(cells), weights=fall, minlength=len(credit))
        return np.round(credit.reshape(count, width) / (UNIT * len(self.feature)), 9)


def fit_forest(rows: Matrix, *, seed: int = 0, trees: int = TREES) -> Forest:
    """Fit a forest.

    Args:
        rows: Rows x features, in canonical order: the same rows in another order give another
            forest.
        seed: Of the samples and splits.
        trees: How many to grow, each on SAMPLES rows.

    Returns:
        The forest.
    """
    samples = min(SAMPLES, len(rows))
    depth = max(1, int(np.ceil(np.log2(max(samples, 2)))))
    grown = grow_trees(np.ascontiguousarray(rows), samples, depth, seed=seed, trees=trees)
    flat = [flatten(each, depth) for each in grown]
    feature, threshold, value = (np.stack(column) for column in zip(*flat, strict=True))
    return Forest(feature, threshold, value, samples, grown)


def grow_trees(rows: Matrix, samples: int, depth: int, *, seed: int, trees: int) -> tuple[Any, ...]:
    """The random trees scikit-learn's IsolationForest is made of, each on its own sample.

    That class checks and clones anew for every tree, which takes four times as long as growing.
    """
    from sklearn import config_context
    from sklearn.tree import ExtraTreeRegressor
    from sklearn.utils.random import sample_without_replacement

    # The generator of old: its streams are the same in every version of NumPy.
    draw = np.random.RandomState(seed)
    # Targets without meaning keep a tree from stopping early; one random split is all it tries.
    aim = draw.uniform(size=samples)
    grown = []
    with config_context(skip_parameter_validation=True, assume_finite=True):
        for number in draw.randint(np.iinfo(np.int32).max, size=trees).tolist():
            chosen = sample_without_replacement(len(rows), samples, random_state=draw)
            tree = ExtraTreeRegressor(max_features=1, max_depth=depth, random_state=number)
            grown.append(tree.fit(rows[chosen], aim, check_input=False).tree_)
    return tuple(grown)


def path_sums(trees: Sequence[Any], rows: Matrix) -> Ints:
    """Sum of the path lengths of each row over trees of the library, in 1/65536."""
    total = np.zeros(len(rows), np.int64)
    for tree in trees:
        depth = tree.compute_node_depths() - 1.0
        length = np.round((depth + unsuccessful(tree.n_node_samples)) * UNIT).astype(np.int64)
        total += length.take(tree.apply(rows))
    return total


def flatten(
    tree: object, depth: int
) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.int32]]:
    """One scikit-learn tree as arrays of a complete tree."""
    left, right = (np.asarray(getattr(tree, f"children_{side}")) for side in ("left", "right"))
    split, bound, count = (
        np.asarray(getattr(tree, name)) for name in ("feature", "threshold", "n_node_samples")
    )
    node = np.zeros(1, np.int64)
    reached = np.zeros(1)
    features, bounds, weights = [], [], []
    for level in range(depth):
        leaf = left[node] < 0
        features.append(np.where(leaf, 0, split[node]).astype(np.int16))
        bounds.append(np.where(leaf, np.float32(np.inf), not_above(bound[node])))
        weights.append(np.where(leaf, 1.0, count[left[node]] / count[node]))
        children = np.stack([np.where(leaf, node, left[node]), np.where(leaf, node, right[node])])
        reached = np.where(leaf, reached, level + 1.0).repeat(2)
        node = children.T.ravel()
    expected = [reached + unsuccessful(count[node])]
    for weight in reversed(weights):
        below = expected[0]
        expected.insert(0, weight * below[::2] + (1 - weight) * below[1::2])
    value = np.round(np.concatenate(expected) * UNIT).astype(np.int32)
    return np.concatenate(features), np.concatenate(bounds).astype(np.float32), value


def not_above(bound: Floats) -> NDArray[np.float32]:
    """The largest float32 not above each bound: comparing with it decides the same."""
    near = bound.astype(np.float32)
    return np.where(near > bound, np.nextafter(near, np.float32(-np.inf)), near)


def unsuccessful(count: Ints) -> Floats:
    """Mean length of an unsuccessful search in a binary tree of ``count`` rows.

    c(n) of Liu et al. (2008), equation 1: 2 H(n - 1) - 2 (n - 1) / n.
    """
    size = np.maximum(count.astype(np.float64), 3.0)
    long = 2.0 * (np.log(size - 1.0) + np.euler_gamma) - 2.0 * (size - 1.0) / size
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, long))
