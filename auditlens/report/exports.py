"""The findings as files: JSON, NDJSON, CSV, Parquet. Rows in, rows out, in every one."""

from __future__ import annotations

import io
from typing import Any

import polars as pl

from auditlens.report.collection import Collection
from auditlens.report.content import Content
from auditlens.report.ocsf import ocsf_events
from auditlens.report.oscal import oscal_results
from auditlens.report.text import json_text, spreadsheet_cell

__all__ = ["as_csv", "as_json", "as_ndjson", "as_ocsf", "as_oscal", "as_parquet"]


def as_json(content: Content | Collection) -> bytes:
    """The whole of it (of a content every finding), sorted keys, two spaces."""
    return (json_text(content, indent=2) + "\n").encode()


def as_ndjson(findings: pl.DataFrame) -> bytes:
    """One finding a line, the frame's own fields, nothing shortened."""
    return "".join(json_text(row) + "\n" for row in findings.iter_rows(named=True)).encode()


def as_ocsf(content: Content) -> bytes:
    """One OCSF event a line: a finding each, then a clause each."""
    return "".join(json_text(event) + "\n" for event in ocsf_events(content)).encode()


def as_oscal(content: Content) -> bytes:
    """The OSCAL assessment-results document."""
    return (json_text(oscal_results(content), indent=2) + "\n").encode()


def as_csv(findings: pl.DataFrame) -> bytes:
    """The copy for spreadsheets: text cannot run as a formula, lists are joined by spaces."""
    flat = findings.select(flat_column(findings.schema, name) for name in findings.columns)
    safe = flat.with_columns(
        pl.col(name).map_elements(spreadsheet_cell, return_dtype=pl.String)
        for name, dtype in flat.schema.items()
        if dtype == pl.String
    )
    buffer = io.BytesIO()
    safe.write_csv(buffer, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    return buffer.getvalue()


def flat_column(schema: pl.Schema, name: str) -> pl.Expr:
    """A column of plain values; reasons keep their sentences."""
    dtype: Any = schema[name]
    if name == "reasons":
        text, family = (pl.element().struct.field(part) for part in ("text", "family"))
        sentences = pl.when(text != "").then(text).otherwise(family)
        return pl.col(name).list.eval(sentences).list.join("; ").alias(name)
    if isinstance(dtype, pl.List):
        return pl.col(name).list.join(" ")
    return pl.col(name)


def as_parquet(findings: pl.DataFrame) -> bytes:
    """The faithful copy, typed."""
    buffer = io.BytesIO()
    findings.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()
