"""Fitted models as flat arrays and JSON: nothing is ever executed when one is loaded."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from auditlens.anomalies.forest import Forest
from auditlens.anomalies.model import DayModel
from auditlens.anomalies.scaling import Scaler
from auditlens.errors import IntegrityError, UsageError
from auditlens.files import read

__all__ = ["load_model", "save_model"]

FORMAT = 1
ARRAYS = ("feature", "threshold", "value", "median", "spread")


def save_model(model: DayModel, path: Path | str) -> Path:
    """Write ``<path>.npz`` (arrays) and ``<path>.json`` (names, seed, gate); return the first."""
    target = Path(path)
    facts = {
        "format": FORMAT,
        "features": model.features,
        "families": model.families,
        "seed": model.seed,
        "samples": model.forest.samples,
        "usual_leaps": model.usual_leaps,
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

    Raises UsageError when a file is missing and IntegrityError when one is no such model.
    """
    source = Path(path)
    try:
        facts = json.loads(read(source.with_suffix(".json"), follow=True))
        arrays_file = io.BytesIO(read(source.with_suffix(".npz"), follow=True))
        with np.load(arrays_file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in ARRAYS}
    except OSError as error:
        raise UsageError(f"Cannot read {source}: {error.strerror}") from None
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise IntegrityError(f"{source} is no saved model", fix="Save it again") from None
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
