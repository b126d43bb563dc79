"""Rules and clauses whole, as files for a spreadsheet: the page names most of them only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from auditlens.canonical import sha256_hex
from auditlens.report.content import Content
from auditlens.report.rule_rows import RULES_FILE
from auditlens.report.rulebook import RuleRow
from auditlens.report.sections import Clause, Framework
from auditlens.report.text import spreadsheet_cell

__all__ = ["CONTROLS_FILE", "RULES_FILE", "table_files", "table_hashes"]

CONTROLS_FILE = "controls.csv"
"""The file that has every clause whole."""


def table_files(content: Content) -> dict[str, bytes]:
    """The two files by name."""
    return tables(content.rules, content.frameworks)


def table_hashes(rules: Sequence[RuleRow], frameworks: Sequence[Framework]) -> dict[str, str]:
    """SHA-256 of the two files by name."""
    made = tables(rules, frameworks)
    return {name: sha256_hex(data) for name, data in made.items()}


def tables(rules: Sequence[RuleRow], frameworks: Sequence[Framework]) -> dict[str, bytes]:
    return {
        RULES_FILE: as_table(columns_of(RuleRow), map(cells, rules)),
        CONTROLS_FILE: as_table(
            ["id", "framework", "name", *columns_of(Clause)],
            (
                # A spreadsheet takes the clause 8.10 alone for a number.
                [f"{table.framework}:{clause.clause}", table.framework, table.name, *cells(clause)]
                for table in frameworks
                for clause in table.clauses
            ),
        ),
    }


def columns_of(kind: Any) -> list[str]:
    return [one.name for one in fields(kind)]


def cells(row: Any) -> Iterator[Any]:
    """The values of a row; lists are joined by spaces."""
    for one in fields(row):
        value = getattr(row, one.name)
        yield " ".join(value) if isinstance(value, tuple) else value


def as_table(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """CSV in which no text runs as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(spreadsheet_cell(one) if isinstance(one, str) else one for one in row)
    return buffer.getvalue().encode()
