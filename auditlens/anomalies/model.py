"""One forest over one kind of day: fit, score, rank, and the gate of the alert budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditlens.anomalies.catalogue import Feature
from auditlens.anomalies.forest import TREES, Forest, fit_forest
from auditlens.anomalies.scaling import Scaler, fit_scaler
from auditlens.anomalies.windows import Floats

__all__ = ["FEWEST_ROWS", "DayModel", "comparable", "describe", "fit_days", "matrix", "ranked"]

FEWEST_ROWS = 10
"""Below so many comparable days nothing is unusual or usual."""

USUAL_LEAP = 1.5
"""No leap below this is without precedent, however calm the log."""

WORK = ("events", "read", "write", "senders", "top_events", "new_senders")
WORK_LEAPS = 0.0001
RISKY_LEAPS = 0.001
NOVEL = ("sensitive_foreign", "new_taken_5", "remote_deep")
NOVEL_LEAPS = 0.003

MOST_LIFT = 0.7
"""A leap alone never reaches a score of one."""

BELOW_GATE = 0.001
"""Within so little of the gate, days that an early lift would carry over it keep their order."""

LIFT_CREDIT = 10.0
"""Path length that a full lift stands for."""

FEWEST_REFERENCE = 30
"""With fewer earlier days the period is its own reference."""

FIT_ROWS = 50_000
GATE_ROWS = 3000


@dataclass(frozen=True)
class DayModel:
    """A fitted scaler and forest with the names and families of their columns.

    ``usual_leaps`` says of each count the leap that one in a thousand of the days it was fitted
    on exceeds, ``gate`` is the score far outside the bulk of them. ``prior`` marks a model that
    came with AuditLens.
    """

    features: tuple[str, ...]
    families: tuple[str, ...]
    scaler: Scaler
    forest: Forest
    seed: int
    usual_leaps: dict[str, float]
    gate: float
    prior: bool = False

    def scores(self, table: pl.DataFrame) -> Floats:
        """Score of each row of a features frame; higher is more unusual.

        A forest cannot see beyond the values of its sample, and one column among fifty hardly
        moves it. A leap of one count that has no precedent among the days it was fitted on
        therefore lifts the score: slowly to where a report shows the day, and below that gate
        early, so that no day of mere chance stands before it.
        """
        plain, lift = self.forest.scores(self.scaled(table)), self.lift(table)
        lifted = plain + (1 - plain) * lift
        early = plain + (1 - plain) * lift * (2 - lift / MOST_LIFT)
        hidden = self.gate - BELOW_GATE * (1 - early)
        scores: Floats = np.maximum(lifted, np.minimum(early, hidden))
        return np.round(scores, 6)

    def lift(self, table: pl.DataFrame) -> Floats:
        """Share of the way to a score of one that a leap without precedent goes."""
        beyond = np.maximum(self.leaps(table).max(axis=1), 1.0)
        return np.asarray(MOST_LIFT * (1 - 1 / beyond), np.float64)

    def leaps(self, table: pl.DataFrame) -> Floats:
        """Each count's leap over the usual one: rows x counts; zero where its family is muted."""
        if not self.usual_leaps:
            return np.zeros((len(table), 1))
        found = matrix(table, [f"{name}_leap" for name in self.usual_leaps])
        ratio: Floats = found / np.array(list(self.usual_leaps.values()))
        muted = self.muted(table)
        for at, name in enumerate(self.usual_leaps):
            ratio[muted[:, self.told_by(name)].any(axis=1), at] = 0.0
        return ratio

    def told_by(self, name: str) -> list[int]:
        """The columns that tell of a leap of the count called ``name``."""
        return [
            self.features.index(column)
            for column in (f"{name}_z", f"{name}_surge")
            if column in self.features
        ]

    def scaled(self, table: pl.DataFrame) -> NDArray[np.float32]:
        rows = self.scaler.scaled(matrix(table, self.features), services(table))
        return np.where(self.muted(table), np.float32(0), rows)

    def muted(self, table: pl.DataFrame) -> NDArray[np.bool_]:
        """True where a row's family is muted: rows x features."""
        out = np.zeros((len(table), len(self.features)), np.bool_)
        if "muted" not in table.columns:
            return out
        families = np.array(self.families)
        for row in np.flatnonzero(table["muted"].list.len().to_numpy() > 0).tolist():
            out[row] = np.isin(families, table["muted"][row].to_list())
        return out

    def deviations(self, table: pl.DataFrame) -> Floats:
        return self.scaler.deviations(matrix(table, self.features), services(table))

    def credit(self, table: pl.DataFrame) -> Floats:
        """Path credit by feature; what a leap lifted is credited to the leaping count."""
        credit = self.forest.credit(self.scaled(table))
        leaps, names = self.leaps(table), list(self.usual_leaps)
        lift = self.lift(table)
        for row in np.flatnonzero(lift > 0).tolist():
            # Of equal leaps the last: a group of actions tells more than all events.
            name = names[len(names) - 1 - int(np.argmax(leaps[row, ::-1]))]
            for column in self.told_by(name):
                credit[row, column] += LIFT_CREDIT * lift[row]
        return credit


def comparable(table: pl.DataFrame, features: Sequence[Feature]) -> bool:
    """Whether there are days enough, and not all of them alike."""
    told = matrix(table, sorted({feature.count for feature in features}))
    return len(told) >= FEWEST_ROWS and bool((told != told[:1]).any())


def fit_days(
    table: pl.DataFrame,
    features: Sequence[Feature],
    *,
    seed: int,
    trees: int = TREES,
    spreads: float = 5.0,
) -> DayModel:
    """Fit on a features frame in canonical order; the gate is ``spreads`` above the median."""
    names = tuple(feature.name for feature in features)
    # Medians and samples of 256 rows are no better for more rows than these.
    part = table.gather_every(max(1, -(-len(table) // FIT_ROWS)))
    raw = matrix(part, names)
    scaler = fit_scaler(raw, services(part))
    forest = fit_forest(scaler.scaled(raw, services(part)), seed=seed, trees=trees)
    families = tuple(feature.family for feature in features)
    # Without a gate yet nothing is lifted early.
    model = DayModel(names, families, scaler, forest, seed, usual_leaps(table, families), 0.0)
    # Median and spread of every n-th day are those of all days.
    few = table.gather_every(max(1, len(table) // GATE_ROWS))
    return replace(model, gate=gate(model.scores(few), spreads))


def usual_leaps(table: pl.DataFrame, families: Sequence[str]) -> dict[str, float]:
    """By count, the leap only the highest days exceed; a model without "self" has none.

    One day in a thousand for risky actions, three for the taking of new things, for sensitive ones
    foreign to the sender and for remote folders looked through, one in ten thousand for ordinary
    work, and always two days at least, so that a single day without precedent is not its own.
    """
    if "self" not in families:
        return {}
    names = sorted(name for name in table.columns if name.endswith("_leap"))
    usual = {}
    for name in names:
        count = name.removesuffix("_leap")
        share = WORK_LEAPS if count in WORK else NOVEL_LEAPS if count in NOVEL else RISKY_LEAPS
        sizes = np.sort(table[name].to_numpy())
        place = 1 + max(2, int(len(sizes) * share))
        usual[count] = round(max(USUAL_LEAP, float(sizes[-min(place, len(sizes))])), 6)
    return usual


def matrix(table: pl.DataFrame, names: Sequence[str]) -> Floats:
    columns = [table[name].to_numpy().astype(np.float64) for name in names]
    return np.column_stack(columns) if columns else np.zeros((len(table), 0))


def services(table: pl.DataFrame) -> NDArray[np.bool_]:
    if "service" not in table.columns:
        return np.zeros(len(table), np.bool_)
    return table["service"].to_numpy().astype(np.bool_)


def ranked(
    table: pl.DataFrame, subject: str, column: str, first: date
) -> tuple[pl.DataFrame, Floats]:
    """Add ``rank`` and ``percentile`` by ``column`` to days from ``first`` on; and the reference.

    Rank 1 is the most unusual day. The percentile says how many percent of the reference days
    (before ``first``; all days when there are too few) lie below. Both are null where ``state``
    is not ``scored`` or nothing was scored.
    """
    told = table.select(subject, "day", "state", column)
    known = told.filter(pl.col("state") == "scored", pl.col(column).is_not_null())
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
    order = told.with_row_index("row").filter(pl.col("day") >= first)
    order = order.join(placed, on=[subject, "day"], how="left").sort("day", subject)
    days = table[order["row"]].with_columns(order["rank", "percentile"])
    return days, np.asarray(earlier, np.float64)


def gate(reference: Floats, spreads: float) -> float:
    """The score a day must reach to be shown at all: far outside the bulk of the reference."""
    if not len(reference):
        return 1.0
    middle = float(np.median(reference))
    spread = 1.4826 * float(np.median(np.abs(reference - middle)))
    return round(middle + spreads * max(spread, 0.025), 6)


def describe(fitted: DayModel | None, known: pl.DataFrame) -> dict[str, object]:
    """JSON-able facts of one model and the days it was fitted on."""
    if fitted is None:
        return {"scored": False, "days": len(known), "prior": False}
    span = known["day"].sort()
    return {
        "scored": True,
        "days": len(known),
        "prior": fitted.prior,
        "gate": fitted.gate,
        "usual_leaps": fitted.usual_leaps,
        "first_day": span[0].isoformat(),
        "last_day": span[-1].isoformat(),
        "trees": len(fitted.forest.feature),
        "samples": fitted.forest.samples,
        "features": list(fitted.features),
    }
