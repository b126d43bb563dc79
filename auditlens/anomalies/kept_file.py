"""The kept features on disk: one file, whole or absent, used only where it fits the log."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import polars as pl

from auditlens.anomalies.kept import FeatureState, NewDays
from auditlens.anomalies.past import Past
from auditlens.files import make_folder, put, read

__all__ = ["add_days", "load_state", "save_state"]

FORMAT = 1
FACTS = "state.json"
BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of every part: equal states have equal bytes."""


def add_days(
    path: Path | str,
    events: pl.DataFrame | pl.LazyFrame,
    *,
    before: date,
    timezone: str = "UTC",
    circles: pl.DataFrame | None = None,
) -> NewDays:
    """Bring the state in the file ``path`` up to the days before ``before``, and save it.

    ``events`` is the whole log (EVENT_SCHEMA, classified; an archive's ``scan()``). Gives the
    features of the days that were not counted yet. Where the file is missing, damaged, of another
    AuditLens or time zone, or where days it has counted have other events by now (late ones,
    other marks), it begins anew and gives all days. A run that is killed leaves the former file.
    """
    state = load_state(path)
    if state is None or state.timezone != timezone or not state.fits(events):
        state = FeatureState(timezone)
    day = pl.col("created_at").dt.convert_time_zone(timezone).dt.date()
    wanted = day < before
    if state.last_day is not None:
        wanted &= day > state.last_day
    new = state.advance(events.lazy().filter(wanted).collect(), circles=circles)
    save_state(new.state, path)
    return new


def save_state(state: FeatureState, path: Path | str) -> None:
    """Write a state whole and durably. Raises UsageError where nothing can be written."""
    past = state.past
    facts = {
        "format": FORMAT,
        "definitions": definitions(),
        "timezone": state.timezone,
        "start": past.start,
        "end": past.end,
    }
    frames = {f"tables/{name}": table for name, table in past.tables.items()}
    frames |= {f"names/{key}": pl.DataFrame({key: known}) for key, known in past.names.items()}
    parts = {FACTS: json.dumps(facts, indent=1).encode(), "senders": packed(past.senders)}
    parts |= {name: packed(table) for name, table in frames.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in parts.items():
            bundle.writestr(zipfile.ZipInfo(name, BEGINNING), data)
    path = Path(path)
    make_folder(path.parent)
    put(path, stream.getvalue())


def load_state(path: Path | str) -> FeatureState | None:
    """Read a state; None where there is none, or one that this AuditLens did not write whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(read(Path(path)))) as bundle:
            facts = json.loads(bundle.read(FACTS))
            if (facts["format"], facts["definitions"]) != (FORMAT, definitions()):
                return None
            frames = {
                name: pl.read_ipc(io.BytesIO(bundle.read(name)))
                for name in bundle.namelist()
                if name != FACTS
            }
    except (FileNotFoundError, zipfile.BadZipFile, KeyError, ValueError):
        return None
    tables, names = (
        {name.partition("/")[2]: frame for name, frame in frames.items() if name.startswith(kind)}
        for kind in ("tables/", "names/")
    )
    known = {key: frame[key] for key, frame in names.items()}
    past = Past(facts["start"], facts["end"], frames["senders"], known, tables)
    return FeatureState(facts["timezone"], past)


def packed(table: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.write_ipc(stream, compression="lz4")
    return stream.getvalue()


def definitions() -> str:
    """SHA-256 (hex) of the code that makes features, and of what computes them."""
    digest = sha256(pl.__version__.encode())
    room = files("auditlens.anomalies")
    for module in sorted(room.iterdir(), key=lambda each: each.name):
        if module.name.endswith(".py"):
            digest.update(module.read_bytes())
    return digest.hexdigest()
