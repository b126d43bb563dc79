"""What ``run_audit`` takes: any table of events, or its path; and what it says of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from auditlens.audit import run_audit
from auditlens.errors import UsageError
from auditlens.events import conform
from auditlens.sources import read_events

ROWS = [
    {"id": f"e{n}", "created_at": f"2026-10-05T10:{n:02d}:00Z", "event": "Deleted table",
     "sender_id": "u-1", "sender_email": "ana@corp.example", "resource_id": f"r-{n}",
     "resource_type": "table", "content": "deleted"}
    for n in range(41)
]  # fmt: skip
FRAME = pl.DataFrame(ROWS)


def in_pandas() -> Any:
    return pytest.importorskip("pandas").DataFrame(ROWS)


def in_duckdb() -> Any:
    here = FRAME.to_arrow()
    return duckdb.connect().from_arrow(here)


TABLES: dict[str, Callable[[], Any]] = {
    "polars": lambda: FRAME,
    "a lazy frame": FRAME.lazy,
    "pyarrow": FRAME.to_arrow,
    "pandas": in_pandas,
    "duckdb": in_duckdb,
    "categories": lambda: FRAME.with_columns(pl.col("event").cast(pl.Categorical)),
    "bytes": lambda: FRAME.with_columns(pl.col("event").cast(pl.Binary)),
    "Python objects": lambda: FRAME.with_columns(
        pl.Series("metadata", [{"n": n, "l": [n, "x"]} for n in range(41)], dtype=pl.Object)
    ),
    "times": lambda: FRAME.with_columns(pl.col("created_at").str.to_datetime(time_zone="UTC")),
}


@pytest.mark.parametrize("kind", TABLES)
def test_any_table_of_events_is_audited(kind):
    """The same rows give the same findings, whichever library holds them."""
    audit = run_audit(TABLES[kind](), period="2026-10")
    assert audit.events.height == 41
    assert audit.findings["title"].to_list() == ["Mass Deletion of Catalog Resources"]
    assert audit.explain(audit.findings["finding_id"][0])


@pytest.mark.parametrize("kind", ["file", "text of a path", "folder", "list"])
def test_a_path_is_audited(tmp_path, kind):
    """A file, a folder, or several."""
    path = tmp_path / "log.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    given = {"file": path, "text of a path": str(path), "folder": tmp_path, "list": [path]}[kind]
    assert run_audit(given, period="2026-10").events.height == 41


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no id": (lambda: FRAME.drop("id"), "'id'"),
    "no time": (lambda: FRAME.lazy().drop("created_at"), "'created_at'"),
    "neither": (lambda: FRAME.select("event").to_arrow(), "'id' and no column 'created_at'"),
    "no columns": (pl.DataFrame, "'id'"),
    "an unknown column": (lambda: FRAME.lazy().select("nothing"), "nothing"),
    "bytes that are no text": (
        lambda: FRAME.with_columns(pl.lit(b"\xff").alias("event")), "'event'"),
    "structs as related ids": (
        lambda: FRAME.with_columns(pl.struct("id").alias("related_ids")), "'related_ids'"),
    "a time that is none": (lambda: FRAME.with_columns(pl.lit("soon").alias("created_at")), "41"),
    "a list as time": (
        lambda: FRAME.with_columns(pl.concat_list("created_at")), "created_at is List"),
    "a number": (lambda: 42, "int"),
    "nothing": (lambda: None, "NoneType"),
    "a mapping": (lambda: {"id": []}, "dict"),
    "a path that is not there": (lambda: Path("nowhere.ndjson"), "nowhere.ndjson"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_audited_is_refused_by_name(kind):
    """A usage error names the column or the type; nothing else is raised."""
    make, named = REFUSED[kind]
    with pytest.raises(UsageError) as caught:
        run_audit(make(), period="2026-10")
    assert named in str(caught.value)
    assert caught.value.fix


def test_rows_without_id_are_named_by_their_hash():
    """No row is lost, and no two of them are taken for one."""
    frame = FRAME.with_columns(pl.when(pl.col("id") != "e3").then("id").alias("id"))
    events = conform(frame.with_columns(pl.col("id").replace("e4", None)))
    assert events["id"].null_count() == 0
    assert events["id"].n_unique() == 41


METADATA: dict[str, Any] = {
    "a struct": [{"ip": "1.2.3.4", "n": 1}, {"ip": "x", "n": 2}],
    "a struct in a struct": [{"a": {"b": [1, 2]}}, {"a": {"b": []}}],
    "a list": [["x", "y"], []],
    "a list of structs": [[{"k": "v"}], [{"k": "w"}]],
    "a struct of a time": [{"t": datetime(2026, 10, 1, tzinfo=UTC)}] * 2,
    "a struct of bytes": [{"raw": b"\xff\x00"}] * 2,
    "nulls": [None, {"ip": "x"}],
}


@pytest.mark.parametrize("kind", METADATA)
def test_nested_columns_become_json_text_with_their_keys(tmp_path, kind):
    """In a frame and in Parquet alike, rules reach every key by its name."""
    frame = FRAME.head(2).with_columns(pl.Series("metadata", METADATA[kind]))
    frame.write_parquet(tmp_path / "log.parquet")
    texts = conform(frame)["metadata"].to_list()
    assert read_events(tmp_path / "log.parquet")["metadata"].to_list() == texts
    for text, value in zip(texts, METADATA[kind], strict=True):
        plain = json.loads(json.dumps(value, default=str))
        if kind not in ("a struct of a time", "a struct of bytes"):
            assert (None if text is None else json.loads(text)) == plain
        else:
            assert json.loads(text).keys() == plain.keys()


@pytest.mark.parametrize(
    ("text", "ids"),
    [('["a","b"]', ["a", "b"]), ("[1, 2]", ["1", "2"]), ("a-1", ["a-1"]), ("[broken", ["[broken"]),
     ("null", None), ('{"a":1}', ['{"a":1}']), ('[null,"x"]', ["x"])],
)  # fmt: skip
def test_related_ids_in_a_text_column_are_read_or_kept(text, ids):
    """A cell that is no list is one id; none stops the table."""
    frame = FRAME.head(1).with_columns(pl.lit(text).alias("related_ids"))
    assert conform(frame)["related_ids"].to_list() == [ids]
