"""One model over one kind of day: scale, fit, score, rank; saved models and muted families.

A model is an isolation forest on robustly scaled features, a boost for leaps without precedent and
the gate a score must reach. Saved ones are flat arrays and JSON: loading one executes nothing.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies._arrays import Floats
from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.forest import TREES, Forest, fit_forest
from auditlens.errors import IntegrityError, UsageError
from auditlens.files import read

__all__ = [
    "FEWEST_OWN_ROWS", "FEWEST_ROWS", "DayModel", "Mute", "Scaler", "can_be_fitted",
    "feature_matrix", "fit_days", "fit_scaler", "load_model", "mark_muted", "model_facts",
    "prior_folder", "prior_model", "ranked_days", "save_model", "service_mask",
]  # fmt: skip

CLIP = 50.0
FEWEST_SCALED = 50
"""A population with fewer rows is scaled together with everyone."""


@dataclass(frozen=True)
class Scaler:
    """Median and spread a feature, for people (row 0) and services (row 1)."""

    median: Floats
    spread: Floats

    def deviations(self, raw: Floats, service: NDArray[np.bool_]) -> Floats:
        """Robust deviations, clipped at ±50; ``raw`` is rows x features."""
        which = service.astype(np.int64)
        away = (raw - self.median[which]) / self.spread[which]
        return np.clip(away, -CLIP, CLIP)

    def scaled(self, raw: Floats, service: NDArray[np.bool_]) -> NDArray[np.float32]:
        """log1p of the deviations above the median: what the forest splits on.

        Below the median everything is zero: doing less than usual is no finding, and a forest
        that can split there finds quiet days unusual.
        """
        return np.log1p(np.maximum(self.deviations(raw, service), 0)).astype(np.float32)


def fit_scaler(raw: Floats, service: NDArray[np.bool_]) -> Scaler:
    """Learn median and spread of each population; rows must be in canonical order."""
    median = np.empty((2, raw.shape[1]))
    spread = np.empty((2, raw.shape[1]))
    for which in (0, 1):
        rows = raw[service == bool(which)]
        rows = rows if len(rows) >= FEWEST_SCALED else raw
        median[which], spread[which] = median_and_spread(rows)
    # Schedules vary so little that a handful of services would make any change look extreme.
    spread[1] = np.maximum(spread[1], spread[0])
    return Scaler(np.round(median, 6), np.round(spread, 6))


def median_and_spread(rows: Floats) -> tuple[Floats, Floats]:
    """Median and 1.4826·MAD by column.

    MAD is the median absolute deviation; times 1.4826 it is the spread of a normal distribution.
    Most novelty counts are zero on most days, so their MAD is zero; their mean deviation
    stands in, and a constant column gets a spread of one.
    """
    median = np.median(rows, axis=0)
    away = np.abs(rows - median)
    spread = 1.4826 * np.median(away, axis=0)
    spread = np.where(spread > 0, spread, 1.2533 * away.mean(axis=0))
    return median, np.where(spread > 1e-9, spread, 1.0)


FEWEST_ROWS = 10
"""Below so many comparable days nothing is unusual or usual."""

LEAST_THRESHOLD = 1.5
"""Lower bound of a boost threshold, for logs with little variance."""

WORK_COUNTS = ("events", "read", "write", "senders", "top_events", "new_senders")
WORK_SHARE = 0.0001
RISKY_SHARE = 0.001
NOVEL_COUNTS = ("sensitive_foreign", "new_taken_5", "remote_deep")
NOVEL_SHARE = 0.003

MOST_BOOST = 0.7
"""Share of the way to a score of one that a leap alone goes at most."""

BELOW_GATE = 0.001
"""Scores that the early boost would push over the gate are squeezed into this margin below it."""

BOOST_CREDIT = 10.0
"""Path length credited to the leaping count when the boost is maximal."""

FEWEST_REFERENCE = 30
"""With fewer earlier days the period is its own reference."""

FIT_ROWS = 50_000
GATE_ROWS = 3000


@dataclass(frozen=True)
class DayModel:
    """A fitted scaler and forest with the names and families of their columns.

    Attributes:
        features: Names of the columns.
        families: The family of each.
        scaler: Median and spread by column.
        forest: The isolation forest.
        seed: Of the forest.
        boost_thresholds: By count, the leap that only the highest of the fitted days exceed.
        gate: The score a day must reach to be shown: far outside the bulk of the fitted days.
        prior: Whether the model came with AuditLens.
    """

    features: tuple[str, ...]
    families: tuple[str, ...]
    scaler: Scaler
    forest: Forest
    seed: int
    boost_thresholds: dict[str, float]
    gate: float
    prior: bool = False

    def scores(self, table: pl.DataFrame) -> Floats:
        """Score of each row of a features frame; higher is more unusual.

        A forest cannot see beyond the values of its sample, and one column among fifty hardly
        moves it. A leap of one count that has no precedent among the days it was fitted on
        therefore boosts the score: slowly to where a report shows the day, and below that gate
        early, so that no day of mere chance stands before it.

        Args:
            table: Days with all features; ``muted`` where families are left out.

        Returns:
            One score in (0, 1) a row, six decimals.
        """
        plain, boost = self.forest.scores(self.scaled(table)), self.extreme_boost(table)
        boosted = plain + (1 - plain) * boost
        early = plain + (1 - plain) * boost * (2 - boost / MOST_BOOST)
        hidden = self.gate - BELOW_GATE * (1 - early)
        scores: Floats = np.maximum(boosted, np.minimum(early, hidden))
        return np.round(scores, 6)

    def extreme_boost(self, table: pl.DataFrame) -> Floats:
        """Share of the way to a score of one that a leap without precedent goes.

        Args:
            table: Days with all features and leaps.

        Returns:
            One share a row, from 0 to below MOST_BOOST.
        """
        ratio = np.maximum(self.leap_ratios(table).max(axis=1), 1.0)
        return np.asarray(MOST_BOOST * (1 - 1 / ratio), np.float64)

    def leap_ratios(self, table: pl.DataFrame) -> Floats:
        """Each count's leap over its threshold.

        Args:
            table: Days with ``NAME_leap`` for each count that has a threshold.

        Returns:
            Rows x counts, in the order of ``boost_thresholds``; zero where the count's family is
            muted. Without thresholds one column of zeros.
        """
        if not self.boost_thresholds:
            return np.zeros((len(table), 1))
        leaps = feature_matrix(table, [f"{name}_leap" for name in self.boost_thresholds])
        ratio: Floats = leaps / np.array(list(self.boost_thresholds.values()))
        muted = self.muted(table)
        for at, name in enumerate(self.boost_thresholds):
            ratio[muted[:, self.explaining_columns(name)].any(axis=1), at] = 0.0
        return ratio

    def explaining_columns(self, name: str) -> list[int]:
        """The columns that tell of a leap of a count.

        Args:
            name: The count.

        Returns:
            Positions in ``features``.
        """
        return [
            self.features.index(column)
            for column in (f"{name}_z", f"{name}_surge")
            if column in self.features
        ]

    def scaled(self, table: pl.DataFrame) -> NDArray[np.float32]:
        """What the forest splits on.

        Args:
            table: Days with all features.

        Returns:
            Float32, rows x features; muted families are zero.
        """
        rows = self.scaler.scaled(feature_matrix(table, self.features), service_mask(table))
        return np.where(self.muted(table), np.float32(0), rows)

    def muted(self, table: pl.DataFrame) -> NDArray[np.bool_]:
        """Which features are muted.

        Args:
            table: Days; their column ``muted``, if any, lists families.

        Returns:
            Rows x features; true where the feature's family is muted in the row.
        """
        mask = np.zeros((len(table), len(self.features)), np.bool_)
        if "muted" not in table.columns:
            return mask
        families = np.array(self.families)
        for row in np.flatnonzero(table["muted"].list.len().to_numpy() > 0).tolist():
            mask[row] = np.isin(families, table["muted"][row].to_list())
        return mask

    def deviations(self, table: pl.DataFrame) -> Floats:
        """Robust deviations from the median.

        Args:
            table: Days with all features.

        Returns:
            Rows x features.
        """
        return self.scaler.deviations(feature_matrix(table, self.features), service_mask(table))

    def credit(self, table: pl.DataFrame) -> Floats:
        """Path credit of each feature; what a leap boosted is credited to the leaping count.

        Args:
            table: Days with all features and leaps.

        Returns:
            Rows x features.
        """
        credit = self.forest.credit(self.scaled(table))
        ratios, names = self.leap_ratios(table), list(self.boost_thresholds)
        boost = self.extreme_boost(table)
        for row in np.flatnonzero(boost > 0).tolist():
            # Of equal leaps the last: a group of actions tells more than all events.
            name = names[len(names) - 1 - int(np.argmax(ratios[row, ::-1]))]
            for column in self.explaining_columns(name):
                credit[row, column] += BOOST_CREDIT * boost[row]
        return credit


def can_be_fitted(table: pl.DataFrame, features: Sequence[Feature]) -> bool:
    """Whether there are days enough, and not all of them alike."""
    counts = feature_matrix(table, sorted({feature.count for feature in features}))
    return len(counts) >= FEWEST_ROWS and bool((counts != counts[:1]).any())


def fit_days(
    table: pl.DataFrame,
    features: Sequence[Feature],
    *,
    seed: int,
    trees: int = TREES,
    mad_multiple: float = 5.0,
) -> DayModel:
    """Fit a model.

    Args:
        table: Comparable days with all features, sorted by subject and day.
        features: The columns to fit on.
        seed: Of the forest.
        trees: How many the forest has.
        mad_multiple: How many robust spreads above the median score the gate lies.

    Returns:
        The fitted model.
    """
    names = tuple(feature.name for feature in features)
    # Medians and samples of 256 rows are no better for more rows than these.
    part = table.gather_every(max(1, -(-len(table) // FIT_ROWS)))
    raw = feature_matrix(part, names)
    scaler = fit_scaler(raw, service_mask(part))
    forest = fit_forest(scaler.scaled(raw, service_mask(part)), seed=seed, trees=trees)
    families = tuple(feature.family for feature in features)
    # Without a gate yet nothing is boosted early.
    thresholds = boost_thresholds(table, families)
    model = DayModel(names, families, scaler, forest, seed, thresholds, gate=0.0)
    # Median and spread of every n-th day are those of all days.
    sample = table.gather_every(max(1, len(table) // GATE_ROWS))
    return replace(model, gate=alert_gate(model.scores(sample), mad_multiple))


def boost_thresholds(table: pl.DataFrame, families: Sequence[str]) -> dict[str, float]:
    """By count, the leap only the highest days exceed; a model without "self" has none.

    One day in a thousand for risky actions, three for the taking of new things, for sensitive ones
    foreign to the sender and for remote folders looked through, one in ten thousand for ordinary
    work, and always two days at least, so that a single day without precedent is not its own.
    """
    if "self" not in families:
        return {}
    names = sorted(name for name in table.columns if name.endswith("_leap"))
    thresholds = {}
    for name in names:
        count = name.removesuffix("_leap")
        share = RISKY_SHARE
        if count in WORK_COUNTS:
            share = WORK_SHARE
        elif count in NOVEL_COUNTS:
            share = NOVEL_SHARE
        sizes = np.sort(table[name].to_numpy())
        place = 1 + max(2, int(len(sizes) * share))
        size = float(sizes[-min(place, len(sizes))])
        thresholds[count] = round(max(LEAST_THRESHOLD, size), 6)
    return thresholds


def feature_matrix(table: pl.DataFrame, names: Sequence[str]) -> Floats:
    """Columns of a table as one matrix.

    Args:
        table: Holds the columns, of numbers.
        names: Which, in which order.

    Returns:
        Float64, rows x names; no columns where there are no names.
    """
    columns = [table[name].to_numpy().astype(np.float64) for name in names]
    return np.column_stack(columns) if columns else np.zeros((len(table), 0))


def service_mask(table: pl.DataFrame) -> NDArray[np.bool_]:
    """Which rows are days of services.

    Args:
        table: Days; its column ``service`` (Boolean) says so.

    Returns:
        A mask with a value for each row; false for all where the table has no such column.
    """
    if "service" not in table.columns:
        return np.zeros(len(table), np.bool_)
    return table["service"].to_numpy().astype(np.bool_)


def ranked_days(
    table: pl.DataFrame, subject: str, column: str, first: date
) -> tuple[pl.DataFrame, Floats]:
    """Rank the days of a period among each other and among earlier ones.

    Args:
        table: Scored days of the period and before it.
        subject: Name of the subject's column.
        column: Name of the score's column.
        first: First day of the period.

    Returns:
        The period's days with ``rank`` (1: the most unusual) and ``percentile`` (percent of the
        earlier days below; of the period's own when there are too few), null where ``state`` is not
        ``scored`` or nothing was scored; and the scores of the earlier days.
    """
    narrow = table.select(subject, "day", "state", column)
    known = narrow.filter(pl.col("state") == "scored", pl.col(column).is_not_null())
    now = known.filter(pl.col("day") >= first).select(subject, "day", column)
    earlier = known.filter(pl.col("day") < first)[column].to_numpy()
    scores = now[column].to_numpy()
    reference = np.sort(earlier if len(earlier) >= FEWEST_REFERENCE else scores)
    below = 100.0 * np.searchsorted(reference, scores, side="left") / (len(reference) + 1)
    placed = (
        now.with_columns(percentile=pl.Series(np.round(below, 6)))
        .sort(column, "day", subject, descending=[True, False, False])
        .with_row_index("rank", offset=1)
        .select(subject, "day", pl.col("rank").cast(pl.Int64), "percentile")
    )
    # The place of each row first, so that the many columns are copied once.
    order = narrow.with_row_index("row").filter(pl.col("day") >= first)
    order = order.join(placed, on=[subject, "day"], how="left").sort("day", subject)
    days = table[order["row"]].with_columns(order["rank", "percentile"])
    return days, np.asarray(earlier, np.float64)


def alert_gate(reference: Floats, mad_multiple: float) -> float:
    """The score a day must reach to be shown at all: far outside the bulk of the reference."""
    if not len(reference):
        return 1.0
    median = float(np.median(reference))
    spread = 1.4826 * float(np.median(np.abs(reference - median)))
    return round(median + mad_multiple * max(spread, 0.025), 6)


def model_facts(fitted: DayModel | None, known: pl.DataFrame) -> dict[str, object]:
    """JSON-able facts of one model and the days it was fitted on."""
    if fitted is None:
        return {"scored": False, "days": len(known), "prior": False}
    span = known["day"].sort()
    return {
        "scored": True,
        "days": len(known),
        "prior": fitted.prior,
        "gate": fitted.gate,
        "usual_leaps": fitted.boost_thresholds,
        "first_day": span[0].isoformat(),
        "last_day": span[-1].isoformat(),
        "trees": len(fitted.forest.feature),
        "samples": fitted.forest.samples,
        "features": list(fitted.features),
    }


FORMAT = 1
ARRAYS = ("feature", "threshold", "value", "median", "spread")


def save_model(model: DayModel, path: Path | str) -> Path:
    """Save a model.

    Args:
        model: A fitted model.
        path: Where to; ``<path>.npz`` gets the arrays, ``<path>.json`` names, seed and gate.

    Returns:
        The path of the arrays.

    Raises:
        UsageError: Nothing can be written there.
    """
    target = Path(path)
    facts = {
        "format": FORMAT,
        "features": model.features,
        "families": model.families,
        "seed": model.seed,
        "samples": model.forest.samples,
        "usual_leaps": model.boost_thresholds,
        "gate": model.gate,
    }
    try:
        np.savez_compressed(
            target.with_suffix(".npz"),
            feature=model.forest.feature,
            threshold=model.forest.threshold,
            value=model.forest.value,
            median=model.scaler.median,
            spread=model.scaler.spread,
        )
        target.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(
            f"Cannot write {target}: {error.strerror}", fix="Name a file in a writable folder"
        ) from None
    return target.with_suffix(".npz")


def load_model(path: Path | str) -> DayModel:
    """Read a saved model; it scores to the bit like the one that was saved.

    Args:
        path: What ``save_model`` was given, or gave back.

    Returns:
        The model.

    Raises:
        UsageError: A file is missing.
        IntegrityError: A file is no model, or one of another version.
    """
    source = Path(path)
    try:
        facts = json.loads(read(source.with_suffix(".json"), follow=True))
        arrays_file = io.BytesIO(read(source.with_suffix(".npz"), follow=True))
        with np.load(arrays_file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in ARRAYS}
    except OSError as error:
        raise UsageError(f"Cannot read {source}: {error.strerror}") from None
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise IntegrityError(f"{source} is not a saved model", fix="Save it again") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise IntegrityError(f"{source} is a model of another version", fix="Save it again")
    forest = Forest(arrays["feature"], arrays["threshold"], arrays["value"], facts["samples"])
    return DayModel(
        tuple(facts["features"]),
        tuple(facts["families"]),
        Scaler(arrays["median"], arrays["spread"]),
        forest,
        facts["seed"],
        facts["usual_leaps"],
        facts["gate"],
    )


FEWEST_OWN_ROWS = 300
"""With fewer comparable days than this the prior forest is used.

Features are relative, so a forest grown on another workspace serves as well.
"""


def prior_folder() -> Path:
    """Where the bundled forests are; ``benchmarks/anomalies.py prior`` rebuilds them.

    Returns:
        The folder inside the package.
    """
    return Path(__file__).with_name("prior")


@cache
def prior_model(name: str, features: tuple[str, ...]) -> DayModel | None:
    """The bundled forest called ``name``; None when it was grown on other features."""
    path = prior_folder() / f"{name}.npz"
    if not path.exists():
        return None
    model = replace(load_model(path), prior=True)
    return model if model.features == features else None


@dataclass(frozen=True)
class Mute:
    """A family of features that a reviewer has explained for one sender, for a while.

    Attributes:
        sender_id: The sender whose score leaves it out.
        family: A key of FAMILIES.
        until: The first day (UTC) on which it counts again.
        reason: Why, in the reviewer's words.
        since: The last day (UTC) on which it still counts; default: all earlier days are muted too.
    """

    sender_id: str
    family: str
    until: date
    reason: str = ""
    since: date = date.min


def mark_muted(table: pl.DataFrame, mutes: Sequence[Mute]) -> pl.DataFrame:
    """Add ``muted``: the families left out of each sender-day's score, sorted."""
    if not mutes:
        return table.with_columns(muted=pl.lit([], pl.List(pl.String)))
    spans = pl.DataFrame(
        {
            "sender_id": [mute.sender_id for mute in mutes],
            "family": [mute.family for mute in mutes],
            "since": [mute.since for mute in mutes],
            "until": [mute.until for mute in mutes],
        }
    )
    muted = (
        table.select("sender_id", "day")
        .join(spans, on="sender_id")
        .filter(pl.col("day") > pl.col("since"), pl.col("day") < pl.col("until"))
        .group_by("sender_id", "day")
        .agg(muted=pl.col("family").unique().sort())
    )
    joined = table.join(muted, on=["sender_id", "day"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("muted").fill_null(pl.lit([], pl.List(pl.String))))
